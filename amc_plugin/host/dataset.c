#include "host/dataset.h"

#include "base/memory.h"
#include "host/image_list.h"

#include <assert.h>
#include <darknet.h>
#include <errno.h>
#include <stb_image.h> // declarations; Darknet's image.c holds the functions

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

static int decode_all(amc_dataset *dataset, const amc_image_list *list, int threads,
                      amc_error *err) {
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
    const amc_image_entry *image = &list->entries[failed];
    int w, h;
    free(decode(image->path, &w, &h, &reason));
    return amc_error_set(err, "%s:%d: the image %s can't be read: %s", list->path, image->line,
                         image->path, reason);
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
    dataset->held_out = list->held_out;
    dataset->list = amc_memory_text("%s", list->path);
    if (decode_all(dataset, list, threads, err) < 0) {
        amc_dataset_free(dataset);
        dataset = NULL;
    }
    amc_image_list_free(list);
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
