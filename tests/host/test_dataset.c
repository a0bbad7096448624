// Images and labels: bit for bit what `darknet classifier valid` feeds its network, the split held
// out by seed, and one sentence for every broken file.

#include "host/dataset.h"

#include "host/fixture.h"

#include <option_list.h>

static void write_data(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Writes test.data.
static void write_data(const char *format, ...) {
    char text[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    free(fixture_write("test.data", text));
}

static amc_data_file *read_test_data(amc_error *err) {
    char *path = fixture_path("test.data");
    amc_data_file *data = amc_data_file_load(path, err);
    free(path);
    return data;
}

// test.data with classes cat, dog and owl and the lists named like their keys.
static amc_data_file *three_classes(bool with_search) {
    amc_error err;
    const char *f = fixture_folder;
    free(fixture_write("labels", "cat\ndog\nowl\n"));
    write_data("classes=3\nlabels=%s/labels\ntrain=%s/train\nvalid=%s/valid\n%s%s%s", f, f, f,
               with_search ? "search=" : "", with_search ? f : "", with_search ? "/search\n" : "");
    amc_data_file *data = read_test_data(&err);
    assert_non_null(data);
    return data;
}

static void assert_contains(const char *text, const char *part) {
    if (!strstr(text, part)) fail_msg("\"%s\" does not contain \"%s\"", text, part);
}

static void test_data_file(void **state) {
    (void)state;
    amc_error err;
    write_data(" classes = 10\n# comment\n;train=x\n\n\ttrain\t= a b.list\ntrain=second\nvalid=v\n"
               "backup = elsewhere\nlabels=l\nsearch=s\ntop=5\nnames=n=m");
    amc_data_file *data = read_test_data(&err);
    assert_non_null(data);
    assert_int_equal(data->classes, 10);
    assert_int_equal(data->top, 5);
    assert_string_equal(data->train, "ab.list");
    assert_string_equal(data->test, "v");
    assert_string_equal(data->search, "s");
    assert_string_equal(data->labels, "l");
    amc_data_file_free(data);

    write_data("classes=2\nclasses=3");
    data = read_test_data(&err);
    assert_int_equal(data->classes, 2);
    assert_int_equal(data->top, 1);
    assert_true(!data->train && !data->test && !data->search && !data->labels);
    amc_data_file_free(data);
}

// ---- the hash ----

static uint64_t hash_of_three_classes(void) {
    amc_error err = {""};
    uint64_t hash = 0;
    amc_data_file *data = three_classes(true);
    if (amc_data_file_hash(data, &hash, &err) < 0) fail_msg("%s", err.text);
    amc_data_file_free(data);
    return hash;
}

// What a search reads by it shows, what it doesn't read doesn't: the test set, and how files are
// called.
static void test_hash(void **state) {
    (void)state;
    amc_error err = {""};
    free(fixture_write("train", "a_cat.png\n"));
    free(fixture_write("search", "b_cat.png\n"));
    uint64_t hash = hash_of_three_classes(), other;
    assert_true(hash == hash_of_three_classes());
    free(fixture_write("valid", "c_cat.png\n"));
    assert_true(hash == hash_of_three_classes());
    amc_data_file *data = three_classes(true);
    free(data->train);
    data->train = fixture_write("renamed", "a_cat.png\n");
    assert_int_equal(amc_data_file_hash(data, &other, &err), 0);
    assert_true(hash == other);
    data->classes = 2;
    assert_int_equal(amc_data_file_hash(data, &other, &err), 0);
    assert_true(hash != other);
    amc_data_file_free(data);

    free(fixture_write("search", "b_dog.png\n"));
    assert_true(hash != hash_of_three_classes());
    free(fixture_write("search", "")); // the images of both lists, but in another one
    free(fixture_write("train", "a_cat.png\nb_cat.png\n"));
    assert_true(hash != hash_of_three_classes());
    char *train = fixture_path("train");
    unlink(train);
    data = three_classes(true);
    assert_int_equal(amc_data_file_hash(data, &other, &err), -1);
    assert_contains(err.text, "train: can't be opened");
    amc_data_file_free(data);
    free(train);
}

// The values agree with Darknet's own reader of the same file.
static void test_data_file_as_darknet(void **state) {
    (void)state;
    amc_error err;
    write_data("classes =  7\n  # c\ntrain = x y\ntrain=z\nvalid=a=b\n\n;\nlabels=\tq");
    amc_data_file *data = read_test_data(&err);
    char *path = fixture_path("test.data");
    list *options = read_data_cfg(path);
    assert_int_equal(data->classes, option_find_int(options, "classes", 2));
    assert_string_equal(data->train, option_find_str(options, "train", 0));
    assert_string_equal(data->test, option_find_str(options, "valid", 0));
    assert_string_equal(data->labels, option_find_str(options, "labels", 0));
    for (node *n = options->front, *next; n; n = next) {
        next = n->next;
        free(((kvp *)n->val)->key); // the value lies behind it
        free(n->val);
        free(n);
    }
    free(options);
    amc_data_file_free(data);
    free(path);
}

static void test_bad_data_files(void **state) {
    (void)state;
    static const char *cases[][2] = {
        {"classes=3\r\ntrain=x\n", "test.data:1: holds a carriage return"},
        {"\xef\xbb\xbf"
         "classes=3\n",
         "test.data:1: starts with a byte order mark"},
        {"classes=3\ntrain\n", "test.data:2: train, expected key=value"},
        {"classes=3\ntrain=\n", "test.data:2: train=, expected key=value"},
        {"classes=3\n=x\n", "test.data:2: =x, expected key=value"},
        {"classes=0\n", "test.data:1: classes=0, expected a positive integer"},
        {"classes=ten\n", "test.data:1: classes=ten, expected"},
        {"classes=3x\n", "test.data:1: classes=3x, expected"},
        {"classes=99999999999\n", "test.data:1: classes=99999999999, expected"},
        {"train=x\n", "test.data: has no classes="},
        {"", "test.data: has no classes="},
        {"classes=3\ntop=4\n", "top=4, expected at most classes=3"},
        {"classes=3\n\ntop=-1\n", "test.data:3: top=-1, expected a positive integer"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        amc_error err = {""};
        write_data("%s", cases[i][0]);
        assert_null(read_test_data(&err));
        assert_contains(err.text, cases[i][1]);
    }
    amc_error err = {""};
    assert_null(amc_data_file_load("/nonexistent/x.data", &err));
    assert_contains(err.text, "/nonexistent/x.data");
}

// Compares image i, resized to w x h, with Darknet's own path from file to network.
static void assert_as_darknet(const amc_dataset *dataset, int i, const char *path, int w, int h) {
    image loaded = load_image_color((char *)path, 0, 0);
    image expected = center_crop_image(loaded, w, h);
    float *input = amc_memory_alloc((size_t)3 * w * h, sizeof *input);
    amc_dataset_input(dataset, i, h, w, input);
    assert_memory_equal(input, expected.data, (size_t)3 * w * h * sizeof *input);
    free(input);
    free_image(expected);
    free_image(loaded);
}

static void test_images_as_darknet(void **state) {
    (void)state;
    static const struct {
        const char *name;
        int w, h, channels;
    } files[] = {
        {"cat0.png", 28, 28, 1}, {"dog1.png", 28, 28, 2},  {"owl2.png", 28, 28, 3},
        {"cat3.png", 28, 28, 4}, {"cat4.png", 40, 28, 3},  {"dog5.png", 17, 33, 3},
        {"cat6.jpg", 64, 48, 3}, {"dog7.bmp", 31, 30, 3},  {"dog8.png", 1, 1, 3},
        {"owl9.png", 1, 5, 1},   {"owl10.jpg", 20, 20, 1},
    };
    static const int sizes[][2] = {{28, 28}, {32, 32}, {20, 24}, {2, 2}, {1, 7}, {64, 65}};
    enum { N = sizeof files / sizeof *files };
    char *paths[N], *list = amc_memory_text("%s", "");
    for (int i = 0; i < N; i++) {
        paths[i] =
            fixture_image(files[i].name, files[i].w, files[i].h, files[i].channels, (uint64_t)i);
        char *longer = amc_memory_text("%s%s\n%s", list, paths[i], i % 3 ? "" : "\n \n");
        free(list);
        list = longer;
    }
    free(fixture_write("valid", list));
    free(list);
    amc_error err = {""};
    amc_data_file *data = three_classes(false);
    const size_t room[] = {(size_t)1 << 30, 3 * 28 * 28 * 4, 1}; // for all, some, none
    for (int k = 0; k < 3; k++) {
        amc_dataset_hold(room[k]);
        amc_dataset *dataset = amc_dataset_load(data, AMC_DATASET_TEST, 0, 1, 1 + k % 2, &err);
        if (!dataset) fail_msg("%s", err.text);
        assert_int_equal(dataset->n, N);
        int held = 0;
        for (int i = 0; i < N; i++) held += dataset->images[i].pixels != NULL;
        assert_true(k == 0 ? held == N : k == 1 ? held > 0 && held < N : held == 0);
        assert_false(dataset->list->held_out);
        assert_string_equal(dataset->list->path, data->test);
        for (int i = 0; i < N; i++) {
            char first = files[i].name[0];
            assert_int_equal(dataset->images[i].label, first == 'c' ? 0 : first == 'd' ? 1 : 2);
            for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
                assert_as_darknet(dataset, i, paths[i], sizes[s][0], sizes[s][1]);
        }
        amc_dataset_free(dataset);
    }
    amc_dataset_hold(0);
    for (int i = 0; i < N; i++) free(paths[i]);
    amc_data_file_free(data);
}

// All 256 values of a byte round as Darknet's -Ofast code rounds them.
static void test_every_byte(void **state) {
    (void)state;
    unsigned char pixels[16 * 16 * 3];
    for (int i = 0; i < 16 * 16 * 3; i++) pixels[i] = (unsigned char)(i / 3);
    char *path = fixture_path("cat.png"), *list = amc_memory_text("%s\n", path);
    assert_true(stbi_write_png(path, 16, 16, 3, pixels, 0));
    free(fixture_write("valid", list));
    amc_error err;
    amc_data_file *data = three_classes(false);
    amc_dataset *dataset = amc_dataset_load(data, AMC_DATASET_TEST, 0, 1, 1, &err);
    assert_non_null(dataset);
    assert_as_darknet(dataset, 0, path, 16, 16);
    amc_dataset_free(dataset);
    amc_data_file_free(data);
    free(list);
    free(path);
}

// Expects that loading `part` of the three classes fails with a sentence that contains `message`.
static void assert_refused(amc_dataset_part part, bool with_search, const char *message) {
    amc_error err = {""};
    amc_data_file *data = three_classes(with_search);
    for (int threads = 1; threads <= 2; threads++) {
        assert_null(amc_dataset_load(data, part, 0, 1, threads, &err));
        assert_contains(err.text, message);
        assert_null(strchr(err.text, '\n'));
    }
    amc_data_file_free(data);
}

static void write_list(const char *name, const char *line1, const char *line2) {
    char *text = amc_memory_text("%s\n%s\n", line1, line2);
    free(fixture_write(name, text));
    free(text);
}

static void test_labels(void **state) {
    (void)state;
    char *good = fixture_image("cat.png", 4, 4, 3, 1);
    write_list("valid", good, "some/bird.png");
    assert_refused(AMC_DATASET_TEST, false, "valid:2: some/bird.png contains no label of ");
    write_list("valid", good, "dogs/cat.png");
    assert_refused(AMC_DATASET_TEST, false, "valid:2: dogs/cat.png contains 2 labels of ");
    assert_refused(AMC_DATASET_TEST, false, "(\"cat\", \"dog\"), expected exactly one");

    amc_error err = {""};
    write_list("valid", good, "");
    static const char *labels[][2] = {
        {"cat\ndog\n", "labels: holds 2 labels, expected 3 (classes= in "},
        {"cat\n\ndog\n", "labels:2: is blank, expected a label"},
        {"cat\r\ndog\r\nowl\r\n", "labels:1: holds a carriage return"},
    };
    amc_data_file *data = three_classes(false);
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++) {
        free(fixture_write("labels", labels[i][0]));
        assert_null(amc_dataset_load(data, AMC_DATASET_TEST, 0, 1, 1, &err));
        assert_contains(err.text, labels[i][1]);
    }
    // More labels than classes: Darknet reads only the first ones.
    free(fixture_write("labels", "cat\ndog\nowl\npng\n"));
    amc_dataset *dataset = amc_dataset_load(data, AMC_DATASET_TEST, 0, 1, 1, &err);
    assert_non_null(dataset);
    amc_dataset_free(dataset);
    free(data->labels);
    data->labels = NULL;
    assert_null(amc_dataset_load(data, AMC_DATASET_TEST, 0, 1, 1, &err));
    assert_contains(err.text, "test.data: has no labels=");
    amc_data_file_free(data);
    free(good);
}

// Cuts the last `cut` bytes off a file.
static void shorten(const char *path, long cut) {
    amc_error err;
    size_t length;
    char *bytes = amc_files_read(path, &length, &err);
    assert_true(bytes && (long)length > cut);
    assert_int_equal(truncate(path, (long)length - cut), 0);
    free(bytes);
}

static void test_bad_lists_and_images(void **state) {
    (void)state;
    char *good = fixture_image("cat.png", 9, 9, 3, 1);
    char *crlf = amc_memory_text("%s\r", good);
    write_list("valid", good, crlf);
    assert_refused(AMC_DATASET_TEST, false, "valid:2: holds a carriage return");
    write_list("valid", "", " ");
    assert_refused(AMC_DATASET_TEST, false, "valid: holds no image");
    write_list("valid", good, "missing/dog.png");
    assert_refused(AMC_DATASET_TEST, false,
                   "valid:2: the image missing/dog.png can't be read: No such file");
    char *list = fixture_path("valid");
    unlink(list);
    assert_refused(AMC_DATASET_TEST, false, "valid: can't be opened");

    static const char *kinds[] = {"dog.png", "dog.bmp", "dog.jpg"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        for (long cut = 5; cut <= 100; cut += 95) {
            char *path = fixture_image(kinds[i], 16, 16, 3, 1);
            write_list("valid", good, path);
            shorten(path, cut);
            assert_refused(AMC_DATASET_TEST, false, kinds[i]);
            assert_refused(AMC_DATASET_TEST, false, "valid:2: the image ");
            free(path);
        }
    char *text = fixture_write("dog.png", "this is no image");
    write_list("valid", good, text);
    assert_refused(AMC_DATASET_TEST, false, "dog.png can't be read: ");
    char *empty = fixture_write("dog.png", "");
    assert_refused(AMC_DATASET_TEST, false, "dog.png can't be read: ");

    amc_error err = {""};
    amc_data_file *data = three_classes(false);
    free(data->test);
    data->test = NULL;
    assert_null(amc_dataset_load(data, AMC_DATASET_TEST, 0, 1, 1, &err));
    assert_contains(err.text, "has no valid=");
    free(data->train);
    data->train = NULL;
    assert_null(amc_dataset_load(data, AMC_DATASET_SEARCH, 0, 1, 1, &err));
    assert_contains(err.text, "has no train=");
    amc_data_file_free(data);
    free(empty), free(text), free(list), free(crlf), free(good);
}

// ---- the split held out by seed ----

enum { CATS = 80, DOGS = 61, OWLS = 63, ALL = CATS + DOGS + OWLS };

// The list `name` with one-pixel images whose red and green say where in the list they stand,
// classes mixed.
static void write_numbered(const char *name) {
    static const char *labels[] = {"cat", "dog", "owl"};
    int left[] = {CATS, DOGS, OWLS};
    char *path = fixture_path(name);
    FILE *list = fopen(path, "w");
    for (int i = 0, c = 0; i < ALL; i++, c = (c + 1) % 3) {
        while (!left[c]) c = (c + 1) % 3;
        left[c]--;
        char *file = amc_memory_text("%s/%s_%d.png", fixture_folder, labels[c], i);
        unsigned char pixel[3] = {(unsigned char)(i % 256), (unsigned char)(i / 256), 7};
        assert_true(stbi_write_png(file, 1, 1, 3, pixel, 0));
        fprintf(list, "%s\n", file);
        free(file);
    }
    fclose(list);
    free(path);
}

static int number_of(const amc_image *image) {
    return image->pixels[0] + 256 * image->pixels[1];
}

static amc_dataset *load_part(const amc_data_file *data, amc_dataset_part part, int limit,
                              uint64_t seed) {
    amc_error err = {""};
    amc_dataset *dataset = amc_dataset_load(data, part, limit, seed, 2, &err);
    if (!dataset) fail_msg("%s", err.text);
    return dataset;
}

static void count_classes(const amc_dataset *dataset, int *counts) {
    counts[0] = counts[1] = counts[2] = 0;
    for (int i = 0; i < dataset->n; i++) counts[dataset->images[i].label]++;
}

static bool same_images(const amc_dataset *a, const amc_dataset *b) {
    if (a->n != b->n) return false;
    for (int i = 0; i < a->n; i++)
        if (number_of(&a->images[i]) != number_of(&b->images[i])) return false;
    return true;
}

static void test_held_out(void **state) {
    (void)state;
    write_numbered("train");
    amc_data_file *data = three_classes(false);
    amc_dataset *search = load_part(data, AMC_DATASET_SEARCH, 0, 1);
    amc_dataset *train = load_part(data, AMC_DATASET_TRAIN, 0, 1);
    assert_true(search->list->held_out && train->list->held_out);
    assert_int_equal(search->n, ALL / 10);
    assert_int_equal(search->n + train->n, ALL);
    int seen[ALL] = {0}, counts[3], last = -1;
    for (int i = 0; i < search->n; i++) {
        assert_true(number_of(&search->images[i]) > last); // the list's order
        last = number_of(&search->images[i]);
        seen[last]++;
    }
    for (int i = 0; i < train->n; i++) seen[number_of(&train->images[i])]++;
    for (int i = 0; i < ALL; i++) assert_int_equal(seen[i], 1);
    count_classes(search, counts); // 20 * {80, 61, 63} / 204
    assert_in_range(counts[0], 7, 8);
    assert_in_range(counts[1], 5, 6);
    assert_in_range(counts[2], 6, 7);

    amc_dataset *again = load_part(data, AMC_DATASET_SEARCH, 0, 1);
    amc_dataset *other = load_part(data, AMC_DATASET_SEARCH, 0, 2);
    assert_true(same_images(search, again));
    assert_false(same_images(search, other));
    amc_dataset_free(other), amc_dataset_free(again);
    amc_dataset_free(train), amc_dataset_free(search);
    amc_data_file_free(data);
}

static void test_limit(void **state) {
    (void)state;
    write_numbered("train");
    amc_data_file *data = three_classes(false);
    amc_dataset *search = load_part(data, AMC_DATASET_SEARCH, 0, 3);
    amc_dataset *few = load_part(data, AMC_DATASET_SEARCH, 9, 3);
    amc_dataset *again = load_part(data, AMC_DATASET_SEARCH, 9, 3);
    amc_dataset *all = load_part(data, AMC_DATASET_SEARCH, 1000, 3);
    int counts[3];
    bool held_out[ALL] = {false};
    for (int i = 0; i < search->n; i++) held_out[number_of(&search->images[i])] = true;
    assert_int_equal(few->n, 9);
    for (int i = 0; i < few->n; i++) assert_true(held_out[number_of(&few->images[i])]);
    count_classes(few, counts);
    for (int c = 0; c < 3; c++) assert_in_range(counts[c], 2, 4);
    assert_true(same_images(few, again));
    assert_true(same_images(all, search));
    amc_dataset_free(all), amc_dataset_free(again);
    amc_dataset_free(few), amc_dataset_free(search);
    amc_data_file_free(data);
}

// 10 % of 50,400 images are more than may be held out. One image serves for all: its path is
// written in as many ways, as the bits of a number turned into "/" and "/./".
static void test_held_out_cap(void **state) {
    (void)state;
    free(fixture_image("dog.png", 1, 1, 3, 1));
    char *path = fixture_path("train");
    FILE *list = fopen(path, "w");
    for (int i = 0; i < 50400; i++) {
        fprintf(list, "%s", fixture_folder);
        for (int bit = 0; bit < 16; bit++) fprintf(list, "%s", i >> bit & 1 ? "/." : "/");
        fprintf(list, "/dog.png\n");
    }
    fclose(list);
    amc_data_file *data = three_classes(false);
    amc_dataset *search = load_part(data, AMC_DATASET_SEARCH, 0, 1);
    assert_int_equal(search->n, 5000);
    amc_dataset_free(search);
    amc_data_file_free(data);
    free(path);
}

static void test_bad_splits(void **state) {
    (void)state;
    char *one = fixture_image("cat1.png", 1, 1, 3, 1), *two = fixture_image("cat2.png", 1, 1, 3, 1);
    write_list("train", one, two);
    assert_refused(AMC_DATASET_SEARCH, false, "train: holds 2 images, expected at least 10");
    write_list("train", two, two);
    assert_refused(AMC_DATASET_TRAIN, false, "stands in line 1 too, expected each image once");
    write_list("search", two, one);
    write_list("train", one, "");
    assert_refused(AMC_DATASET_SEARCH, true, "search:2: ");
    assert_refused(AMC_DATASET_SEARCH, true, "train too, expected images held out of it");
    free(one), free(two);
}

// With search= nothing is split, and only the test set's own part opens valid=.
static void test_search_list(void **state) {
    (void)state;
    char *one = fixture_image("cat1.png", 1, 1, 3, 1), *two = fixture_image("owl2.png", 1, 1, 3, 1);
    write_list("train", one, one);
    write_list("search", two, "");
    amc_data_file *data = three_classes(true);
    unlink(data->test);
    amc_dataset *search = load_part(data, AMC_DATASET_SEARCH, 0, 1);
    amc_dataset *train = load_part(data, AMC_DATASET_TRAIN, 0, 1);
    assert_int_equal(search->n, 1);
    assert_int_equal(search->images[0].label, 2);
    assert_int_equal(train->n, 2);
    assert_false(search->list->held_out || train->list->held_out);
    assert_string_equal(search->list->path, data->search);
    amc_dataset_free(train), amc_dataset_free(search);
    free(data->train); // then there is nothing to compare with
    data->train = NULL;
    amc_dataset_free(load_part(data, AMC_DATASET_SEARCH, 0, 1));
    amc_data_file_free(data);
    free(one), free(two);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data_file),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_data_file_as_darknet),
        cmocka_unit_test(test_bad_data_files),
        cmocka_unit_test(test_images_as_darknet),
        cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_bad_lists_and_images),
        cmocka_unit_test(test_held_out),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_held_out_cap),
        cmocka_unit_test(test_bad_splits),
        cmocka_unit_test(test_search_list),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
