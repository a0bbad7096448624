#include "host/dataset.h"

#include "base/files.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/rng.h"

#include <assert.h>
#include <darknet.h>
#include <errno.h>
#include <limits.h>
#include <stb_image.h> // declarations; Darknet's image.c holds the functions

#define MAX_HELD_OUT 5000

// ---- text files ----

typedef struct text_lines {
    char *bytes; // the file; the lines point into it
    int n;
    char **line; // (n) without their newlines
} text_lines;

static void lines_clear(text_lines *lines) {
    free(lines->line);
    free(lines->bytes);
}

// Darknet would take a carriage return or a byte order mark for a part of the name beside it.
static int lines_check(const char *path, const char *bytes, size_t length, amc_error *err) {
    if (length >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0)
        return amc_error_set(err, "%s:1: starts with a byte order mark, expected plain text", path);
    int line = 1;
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '\r')
            return amc_error_set(err, "%s:%d: holds a carriage return, expected Unix line ends",
                                 path, line);
        if (bytes[i] == '\0')
            return amc_error_set(err, "%s:%d: holds a NUL byte, expected text", path, line);
        line += bytes[i] == '\n';
    }
    return 0;
}

static int lines_read(text_lines *lines, const char *path, amc_error *err) {
    size_t length, capacity = 0;
    *lines = (text_lines){.bytes = amc_files_read(path, &length, err)};
    if (!lines->bytes) return -1;
    if (lines_check(path, lines->bytes, length, err) < 0) {
        lines_clear(lines);
        return -1;
    }
    char *rest = lines->bytes, *end = lines->bytes + length;
    while (rest < end) {
        if ((size_t)lines->n == capacity) {
            capacity = capacity ? 2 * capacity : 64;
            lines->line = amc_memory_resize(lines->line, capacity, sizeof *lines->line);
        }
        lines->line[lines->n++] = rest;
        char *newline = strchr(rest, '\n');
        if (!newline) break;
        *newline = '\0';
        rest = newline + 1;
    }
    return 0;
}

// ---- the .data file ----

static void strip_blanks(char *text) {
    char *to = text;
    for (; *text; text++)
        if (*text != ' ' && *text != '\t') *to++ = *text;
    *to = '\0';
}

static int read_number(int *number, const char *path, int line, const char *key, const char *value,
                       amc_error *err) {
    char *end;
    errno = 0;
    long parsed = strtol(value, &end, 10);
    if (end == value || *end || errno || parsed < 1 || parsed > INT_MAX)
        return amc_error_set(err, "%s:%d: %s=%s, expected a positive integer", path, line, key,
                             value);
    if (!*number) *number = (int)parsed;
    return 0;
}

static char **find_path(amc_data_file *data, const char *key) {
    if (strcmp(key, "train") == 0) return &data->train;
    if (strcmp(key, "search") == 0) return &data->search;
    if (strcmp(key, "valid") == 0) return &data->test;
    if (strcmp(key, "labels") == 0) return &data->labels;
    if (strcmp(key, "backup") == 0) return &data->backup;
    return NULL;
}

static int read_option(amc_data_file *data, char *text, int line, amc_error *err) {
    strip_blanks(text);
    if (!*text || *text == '#' || *text == ';') return 0;
    char *value = strchr(text, '=');
    if (!value || !value[1])
        return amc_error_set(err, "%s:%d: %s, expected key=value", data->path, line, text);
    *value++ = '\0';
    char **path = find_path(data, text);
    if (path && !*path) *path = amc_memory_text("%s", value);
    if (strcmp(text, "classes") == 0)
        return read_number(&data->classes, data->path, line, text, value, err);
    if (strcmp(text, "top") == 0)
        return read_number(&data->top, data->path, line, text, value, err);
    return 0;
}

static int read_options(amc_data_file *data, amc_error *err) {
    text_lines lines;
    if (lines_read(&lines, data->path, err) < 0) return -1;
    int status = 0;
    for (int i = 0; i < lines.n && status == 0; i++)
        status = read_option(data, lines.line[i], i + 1, err);
    lines_clear(&lines);
    if (status < 0) return -1;
    if (!data->classes)
        return amc_error_set(err, "%s: has no classes=, expected the number of classes",
                             data->path);
    if (!data->top) data->top = 1;
    if (data->top > data->classes)
        return amc_error_set(err, "%s: top=%d, expected at most classes=%d", data->path, data->top,
                             data->classes);
    return 0;
}

amc_data_file *amc_data_file_load(const char *path, amc_error *err) {
    amc_data_file *data = amc_memory_alloc(1, sizeof *data);
    data->path = amc_memory_text("%s", path);
    if (read_options(data, err) == 0) return data;
    amc_data_file_free(data);
    return NULL;
}

void amc_data_file_free(amc_data_file *data) {
    if (!data) return;
    free(data->path);
    free(data->train);
    free(data->search);
    free(data->test);
    free(data->labels);
    free(data->backup);
    free(data);
}

int amc_data_file_hash(const amc_data_file *data, uint64_t *hash, amc_error *err) {
    const char *files[] = {data->labels, data->train, data->search};
    *hash = amc_hash_bytes(AMC_HASH_START, &data->classes, sizeof data->classes);
    for (int i = 0; i < 3; i++) {
        *hash = amc_hash_bytes(*hash, &i, sizeof i); // where the next one begins
        if (files[i] && amc_hash_file(hash, files[i], err) < 0) return -1;
    }
    return 0;
}

// ---- lists and labels ----

typedef struct entry {
    const char *path;
    int line;  // 1-based, in the list
    int label; // class index
} entry;

// A list of images while it is read.
typedef struct image_list {
    const char *path; // for messages
    text_lines lines; // what the entries' paths point into
    int n;
    entry *entries; // (n) in the list's order
} image_list;

static void list_clear(image_list *list) {
    lines_clear(&list->lines);
    free(list->entries);
}

// Blank lines are skipped.
static int list_read(image_list *list, const char *path, amc_error *err) {
    *list = (image_list){.path = path};
    if (lines_read(&list->lines, path, err) < 0) return -1;
    list->entries = amc_memory_alloc((size_t)list->lines.n, sizeof *list->entries);
    for (int i = 0; i < list->lines.n; i++) {
        const char *line = list->lines.line[i];
        if (line[strspn(line, " \t")])
            list->entries[list->n++] = (entry){.path = line, .line = i + 1, .label = -1};
    }
    if (list->n > 0) return 0;
    list_clear(list);
    return amc_error_set(err, "%s: holds no image, expected one path a line", path);
}

// Reads at least one label a class; Darknet reads no more than that either.
static int labels_read(text_lines *labels, const amc_data_file *data, amc_error *err) {
    if (!data->labels)
        return amc_error_set(err, "%s: has no labels=, expected the file that names the classes",
                             data->path);
    if (lines_read(labels, data->labels, err) < 0) return -1;
    int named = 0;
    while (named < labels->n && named < data->classes && *labels->line[named]) named++;
    if (named == data->classes) return 0;
    if (named < labels->n)
        amc_error_set(err, "%s:%d: is blank, expected a label", data->labels, named + 1);
    else
        amc_error_set(err, "%s: holds %d labels, expected %d (classes= in %s)", data->labels, named,
                      data->classes, data->path);
    lines_clear(labels);
    return -1;
}

// The one label that the path contains, or -1.
static int find_label(const char *path, const text_lines *labels, int classes) {
    int found = -1;
    for (int i = 0; i < classes; i++) {
        if (!strstr(path, labels->line[i])) continue;
        if (found >= 0) return -1;
        found = i;
    }
    return found;
}

static int label_error(const image_list *list, const entry *image, const text_lines *labels,
                       const amc_data_file *data, amc_error *err) {
    enum { SHOWN = 4 };
    char *matches = amc_memory_text("%s", "");
    int count = 0;
    for (int i = 0; i < data->classes; i++) {
        if (!strstr(image->path, labels->line[i]) || ++count > SHOWN) continue;
        char *longer =
            amc_memory_text("%s%s\"%s\"", matches, count > 1 ? ", " : "", labels->line[i]);
        free(matches);
        matches = longer;
    }
    if (count == 0)
        amc_error_set(err, "%s:%d: %s contains no label of %s, expected exactly one", list->path,
                      image->line, image->path, data->labels);
    else
        amc_error_set(err, "%s:%d: %s contains %d labels of %s (%s%s), expected exactly one",
                      list->path, image->line, image->path, count, data->labels, matches,
                      count > SHOWN ? ", ..." : "");
    free(matches);
    return -1;
}

static int list_label(image_list *list, const amc_data_file *data, amc_error *err) {
    text_lines labels = {0};
    if (labels_read(&labels, data, err) < 0) return -1;
    int status = 0;
    for (int i = 0; i < list->n && status == 0; i++) {
        entry *image = &list->entries[i];
        image->label = find_label(image->path, &labels, data->classes);
        if (image->label < 0) status = label_error(list, image, &labels, data, err);
    }
    lines_clear(&labels);
    return status;
}

// By path, then by line.
static int compare_entries(const void *a, const void *b) {
    const entry *left = a, *right = b;
    int order = strcmp(left->path, right->path);
    return order ? order : left->line - right->line;
}

static entry *sorted_entries(const image_list *list) {
    entry *sorted = amc_memory_copy(list->entries, (size_t)list->n, sizeof *sorted);
    qsort(sorted, (size_t)list->n, sizeof *sorted, compare_entries);
    return sorted;
}

// An image that stands twice could fall on both sides of a split by seed.
static int refuse_repeats(const image_list *list, const amc_data_file *data, amc_error *err) {
    entry *sorted = sorted_entries(list);
    int status = 0;
    for (int i = 1; i < list->n && status == 0; i++)
        if (strcmp(sorted[i - 1].path, sorted[i].path) == 0)
            status = amc_error_set(err,
                                   "%s:%d: %s stands in line %d too, expected each image once, or "
                                   "a search= list in %s",
                                   list->path, sorted[i].line, sorted[i].path, sorted[i - 1].line,
                                   data->path);
    free(sorted);
    return status;
}

static int compare_paths(const void *a, const void *b) {
    return strcmp(((const entry *)a)->path, ((const entry *)b)->path);
}

// Rewards on images that were trained on would be worth nothing.
static int refuse_shared(const image_list *search, const char *train_path, amc_error *err) {
    image_list train;
    if (list_read(&train, train_path, err) < 0) return -1;
    entry *sorted = sorted_entries(&train);
    int status = 0;
    for (int i = 0; i < search->n && status == 0; i++) {
        const entry *image = &search->entries[i];
        const entry *same = bsearch(image, sorted, (size_t)train.n, sizeof *sorted, compare_paths);
        if (same)
            status = amc_error_set(err, "%s:%d: %s is in %s too, expected images held out of it",
                                   search->path, image->line, image->path, train_path);
    }
    free(sorted);
    list_clear(&train);
    return status;
}

// ---- choosing images ----

// Counting sort: order (n) becomes the entries' indices class by class, starts (classes + 1) where
// each class begins.
static void group_by_class(const image_list *list, int classes, int *order, int *starts) {
    int *next = amc_memory_alloc((size_t)classes + 1, sizeof *next);
    for (int i = 0; i < list->n; i++) starts[list->entries[i].label + 1]++;
    for (int c = 0; c < classes; c++) starts[c + 1] += starts[c];
    memcpy(next, starts, ((size_t)classes + 1) * sizeof *next);
    for (int i = 0; i < list->n; i++) order[next[list->entries[i].label]++] = i;
    free(next);
}

// New flags (n): exactly `count` are set, each class within one of its proportion, by seed.
static unsigned char *choose(const image_list *list, int classes, int count, uint64_t seed) {
    unsigned char *chosen = amc_memory_alloc((size_t)list->n, 1);
    int *order = amc_memory_alloc((size_t)list->n, sizeof *order);
    int *starts = amc_memory_alloc((size_t)classes + 1, sizeof *starts);
    group_by_class(list, classes, order, starts);
    amc_rng rng;
    amc_rng_init(&rng, seed);
    for (int c = 0; c < classes; c++) {
        int *members = order + starts[c];
        amc_rng_shuffle(&rng, members, (size_t)(starts[c + 1] - starts[c]));
        int64_t from = (int64_t)count * starts[c] / list->n;
        int64_t to = (int64_t)count * starts[c + 1] / list->n;
        for (int64_t i = 0; i < to - from; i++) chosen[members[i]] = 1;
    }
    free(starts);
    free(order);
    return chosen;
}

static void keep(image_list *list, const unsigned char *flags, unsigned char wanted) {
    int n = 0;
    for (int i = 0; i < list->n; i++)
        if (flags[i] == wanted) list->entries[n++] = list->entries[i];
    list->n = n;
}

static int hold_out(image_list *list, const amc_data_file *data, amc_dataset_part part,
                    uint64_t seed, amc_error *err) {
    if (refuse_repeats(list, data, err) < 0) return -1;
    int count = list->n / 10 < MAX_HELD_OUT ? list->n / 10 : MAX_HELD_OUT;
    if (count == 0)
        return amc_error_set(err,
                             "%s: holds %d images, expected at least 10 to hold some out, or a "
                             "search= list in %s",
                             list->path, list->n, data->path);
    unsigned char *held_out = choose(list, data->classes, count, seed);
    keep(list, held_out, part == AMC_DATASET_SEARCH);
    free(held_out);
    return 0;
}

static int choose_part(image_list *list, const amc_data_file *data, amc_dataset_part part,
                       int limit, uint64_t seed, amc_error *err) {
    if (list_label(list, data, err) < 0) return -1;
    if (part != AMC_DATASET_TEST && !data->search && hold_out(list, data, part, seed, err) < 0)
        return -1;
    if (part == AMC_DATASET_SEARCH && data->search && data->train &&
        refuse_shared(list, data->train, err) < 0)
        return -1;
    if (limit > 0 && limit < list->n) {
        unsigned char *chosen = choose(list, data->classes, limit, seed);
        keep(list, chosen, 1);
        free(chosen);
    }
    return 0;
}

// ---- decoding ----

// A file that notes when more is asked of it than it has: stb_image takes zeros for the missing end
// of some formats.
typedef struct image_file {
    FILE *file;
    bool ran_out;
} image_file;

static int image_read(void *user, char *bytes, int length) {
    image_file *source = user;
    size_t got = fread(bytes, 1, (size_t)length, source->file);
    source->ran_out = source->ran_out || got == 0;
    return (int)got;
}

static void image_skip(void *user, int length) {
    image_file *source = user;
    fseek(source->file, length, SEEK_CUR);
}

static int image_eof(void *user) {
    image_file *source = user;
    return feof(source->file);
}

// Decodes as Darknet's load_image_color. NULL with *reason set on failure.
static unsigned char *decode(const char *path, int *w, int *h, const char **reason) {
    static const stbi_io_callbacks calls = {image_read, image_skip, image_eof};
    image_file source = {.file = fopen(path, "rbe")};
    if (!source.file) {
        *reason = strerror(errno);
        return NULL;
    }
    int channels;
    unsigned char *pixels = stbi_load_from_callbacks(&calls, &source, w, h, &channels, 3);
    fclose(source.file);
    if (pixels && !source.ran_out) return pixels;
    *reason = pixels ? "the file ends too early" : stbi_failure_reason();
    free(pixels);
    return NULL;
}

static int decode_all(amc_dataset *dataset, const image_list *list, int threads, amc_error *err) {
    (void)threads;        // without OpenMP there is one
    int failed = list->n; // the first image that can't be decoded
#pragma omp parallel for num_threads(threads) schedule(dynamic, 16) reduction(min : failed)
    for (int i = 0; i < list->n; i++) {
        amc_image *image = &dataset->images[i];
        const char *reason;
        image->label = list->entries[i].label;
        image->pixels = decode(list->entries[i].path, &image->w, &image->h, &reason);
        if (!image->pixels && i < failed) failed = i;
    }
    if (failed == list->n) return 0;
    // Once more, alone: stb_image has one reason for all threads.
    const char *reason = "it changed while it was read";
    const entry *image = &list->entries[failed];
    int w, h;
    free(decode(image->path, &w, &h, &reason));
    return amc_error_set(err, "%s:%d: the image %s can't be read: %s", list->path, image->line,
                         image->path, reason);
}

// ---- the dataset ----

static const char *list_of_part(const amc_data_file *data, amc_dataset_part part, amc_error *err) {
    const char *path = part == AMC_DATASET_TEST                     ? data->test
                       : part == AMC_DATASET_SEARCH && data->search ? data->search
                                                                    : data->train;
    if (!path)
        amc_error_set(err, "%s: has no %s=, expected a list of images", data->path,
                      part == AMC_DATASET_TEST ? "valid" : "train");
    return path;
}

amc_dataset *amc_dataset_load(const amc_data_file *data, amc_dataset_part part, int limit,
                              uint64_t seed, int threads, amc_error *err) {
    assert(threads > 0);
    const char *path = list_of_part(data, part, err);
    image_list list;
    if (!path || list_read(&list, path, err) < 0) return NULL;
    amc_dataset *dataset = NULL;
    if (choose_part(&list, data, part, limit, seed, err) == 0) {
        dataset = amc_memory_alloc(1, sizeof *dataset);
        dataset->n = list.n;
        dataset->images = amc_memory_alloc((size_t)list.n, sizeof *dataset->images);
        dataset->held_out = part != AMC_DATASET_TEST && !data->search;
        dataset->list = amc_memory_text("%s", path);
        if (decode_all(dataset, &list, threads, err) < 0) {
            amc_dataset_free(dataset);
            dataset = NULL;
        }
    }
    list_clear(&list);
    return dataset;
}

void amc_dataset_free(amc_dataset *dataset) {
    if (!dataset) return;
    for (int i = 0; i < dataset->n; i++) free(dataset->images[i].pixels);
    free(dataset->images);
    free(dataset->list);
    free(dataset);
}

int amc_dataset_check_input(const char *cfg_path, int c, int h, amc_error *err) {
    if (c != 3)
        return amc_error_set(err, "%s: channels=%d, expected 3, which images are loaded with",
                             cfg_path, c);
    if (h == 1) // Darknet's resize_image divides by h - 1
        return amc_error_set(err, "%s: height=1, expected at least 2", cfg_path);
    return 0;
}

// The image's centre square of side m as planes (3, m, m), rounded as Darknet does.
static void crop_centre(const amc_image *source, int m, float *planes) {
    int left = (source->w - m) / 2, top = (source->h - m) / 2;
    for (int y = 0; y < m; y++) {
        const unsigned char *pixel = source->pixels + 3 * ((size_t)(top + y) * source->w + left);
        for (int x = 0; x < m; x++, pixel += 3)
            for (int c = 0; c < 3; c++)
                planes[((size_t)c * m + y) * m + x] = (float)(pixel[c] / 255.0);
    }
}

void amc_dataset_input(const amc_dataset *dataset, int i, int h, int w, float *input) {
    assert(i >= 0 && i < dataset->n && h > 1);
    const amc_image *source = &dataset->images[i];
    int m = source->w < source->h ? source->w : source->h;
    if (m == w && m == h) { // where resize_image would copy
        crop_centre(source, m, input);
        return;
    }
    image square = make_image(m, m, 3);
    crop_centre(source, m, square.data);
    image resized = resize_image(square, w, h);
    memcpy(input, resized.data, (size_t)3 * h * w * sizeof *input);
    free_image(square);
    free_image(resized);
}
