#include "host/dataset.h"

#include "base/memory.h"
#include "host/image_cache.h"
#include "host/image_decoder.h"
#include "host/image_list.h"

#include <assert.h>
#include <darknet.h>
#include <errno.h>
#include <stdatomic.h>
#include <sys/stat.h>

// ---- decoding -----------------------------------------------------------------------------------

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

// A pipe would be waited for.
static FILE *open_regular(const char *path, const char **reason) {
    struct stat info;
    bool there = stat(path, &info) == 0, regular = there && S_ISREG(info.st_mode);
    FILE *file = regular ? fopen(path, "rbe") : NULL;
    if (!file) *reason = there && !regular ? "it is no regular file" : strerror(errno);
    return file;
}

// Decodes as Darknet's load_image_color. NULL with *reason set on failure.
static unsigned char *decode(const char *path, int *w, int *h, const char **reason) {
    static const stbi_io_callbacks calls = {image_read, image_skip, image_eof};
    image_file source = {.file = open_regular(path, reason)};
    if (!source.file) return NULL;
    unsigned char *pixels = amc_image_decode(&calls, &source, w, h);
    fclose(source.file);
    if (pixels && !source.ran_out && *w > 0 && *h > 0) return pixels;
    const char *failure = pixels ? NULL : amc_image_decode_failure(); // a GIF may fail without
    if (!failure) failure = pixels && source.ran_out ? "the file ends too early" : "it is no image";
    *reason = failure;
    free(pixels);
    return NULL;
}

// The centre square of an image (h, w, 3), in the same memory.
static unsigned char *crop_centre(unsigned char *pixels, int w, int h, int side) {
    int left = (w - side) / 2, top = (h - side) / 2;
    for (int y = 0; y < side; y++)
        memmove(pixels + 3 * (size_t)y * side, pixels + 3 * ((size_t)(top + y) * w + left),
                3 * (size_t)side);
    return amc_memory_resize(pixels, 3 * (size_t)side * side, 1);
}

static unsigned char *decode_square(const char *path, int *side, const char **reason) {
    int w, h;
    unsigned char *pixels = decode(path, &w, &h, reason);
    *side = w < h ? w : h;
    return pixels ? crop_centre(pixels, w, h, *side) : NULL;
}

static size_t most_held; // 0: amc_image_cache_budget()

void amc_dataset_hold(size_t bytes) {
    most_held = bytes;
}

// Keeps the pixels while there is room; *held is what is kept so far, by all threads.
static void keep_or_drop(amc_image *image, atomic_size_t *held) {
    size_t most = most_held ? most_held : amc_image_cache_budget();
    size_t size = 3 * (size_t)image->side * image->side;
    if (atomic_fetch_add(held, size) + size <= most) return;
    free(image->pixels);
    image->pixels = NULL;
}

static int refuse_image(const amc_image_entry *image, const char *list, amc_error *err) {
    // Once more, alone: stb_image has one reason for all threads.
    const char *reason = "it changed while it was read";
    int w, h;
    free(decode(image->path, &w, &h, &reason));
    return amc_error_set(err, "%s:%d: the image %s can't be read: %s", list, image->line,
                         image->path, reason);
}

static int decode_all(amc_dataset *dataset, int threads, amc_error *err) {
    (void)threads; // without OpenMP there is one
    const amc_image_list *list = dataset->list;
    int failed = list->n; // the first image that can't be decoded
    atomic_size_t held = 0;
#pragma omp parallel for num_threads(threads) schedule(dynamic, 16) reduction(min : failed)
    for (int i = 0; i < list->n; i++) {
        amc_image *image = &dataset->images[i];
        const char *reason;
        image->label = list->entries[i].label;
        image->pixels = decode_square(list->entries[i].path, &image->side, &reason);
        if (image->pixels)
            keep_or_drop(image, &held);
        else if (i < failed)
            failed = i;
    }
    return failed == list->n ? 0 : refuse_image(&list->entries[failed], list->path, err);
}

// ---- the dataset --------------------------------------------------------------------------------

amc_dataset *amc_dataset_load(const amc_data_file *data, amc_dataset_part part, int limit,
                              uint64_t seed, int threads, amc_error *err) {
    assert(threads > 0);
    amc_image_list *list = amc_image_list_load(data, part, limit, seed, err);
    if (!list) return NULL;
    amc_dataset *dataset = amc_memory_alloc(1, sizeof *dataset);
    dataset->n = list->n;
    dataset->images = amc_memory_alloc((size_t)list->n, sizeof *dataset->images);
    dataset->list = list;
    if (decode_all(dataset, threads, err) == 0) return dataset;
    amc_dataset_free(dataset);
    return NULL;
}

void amc_dataset_free(amc_dataset *dataset) {
    if (!dataset) return;
    for (int i = 0; i < dataset->n; i++) free(dataset->images[i].pixels);
    free(dataset->images);
    amc_image_list_free(dataset->list);
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

// The pixels as planes (3, side, side), rounded as Darknet does.
static void spread(const unsigned char *pixels, int side, float *planes) {
    size_t n = (size_t)side * side;
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < 3; c++) planes[c * n + i] = (float)(pixels[3 * i + c] / 255.0);
}

static void write_input(const unsigned char *pixels, int side, int h, int w, float *input) {
    if (side == w && side == h) { // where resize_image would copy
        spread(pixels, side, input);
        return;
    }
    image square = make_image(side, side, 3);
    spread(pixels, side, square.data);
    image resized = resize_image(square, w, h);
    memcpy(input, resized.data, (size_t)3 * h * w * sizeof *input);
    free_image(square);
    free_image(resized);
}

// Nobody could go on with a search of which an image is gone.
static unsigned char *decode_again(const amc_dataset *dataset, int i, int side) {
    const amc_image_entry *entry = &dataset->list->entries[i];
    const char *reason = "its size has changed";
    int found;
    unsigned char *pixels = decode_square(entry->path, &found, &reason);
    if (pixels && found == side) return pixels;
    fprintf(stderr, "amc: %s:%d: the image %s can't be read any more: %s\n", dataset->list->path,
            entry->line, entry->path, reason);
    exit(1);
}

void amc_dataset_input(const amc_dataset *dataset, int i, int h, int w, float *input) {
    assert(i >= 0 && i < dataset->n && h > 1);
    const amc_image *source = &dataset->images[i];
    unsigned char *again = source->pixels ? NULL : decode_again(dataset, i, source->side);
    write_input(again ? again : source->pixels, source->side, h, w, input);
    free(again);
}
