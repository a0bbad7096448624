/*
 * Turns the raw files of image classification sets into PNG files that Darknet can read, one a
 * picture, each named after its place in the set and its class: 00012_sneaker.png.
 *
 * It knows two layouts, and a third that it turns into the second:
 *
 *   idx     (MNIST and its relatives; numbers are big-endian)
 *           images:  00 00 08 03 | count | height | width | count*height*width grey bytes
 *           labels:  00 00 08 01 | count | count class bytes
 *   cifar   records, one a picture:  class byte | 1024 red | 1024 green | 1024 blue bytes
 *   sheets  PNG files 1024 pixels wide, every row of which is one 32x32 picture, and the classes
 *           of all rows as one JSON list: [6,9,9,4,...]
 *
 * It is a step of the get_*.sh scripts, which check what goes in and what comes out; the pictures'
 * bytes are those of the raw files, unchanged.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STBI_ONLY_PNG
#define STB_IMAGE_IMPLEMENTATION
#include "stb_image.h"
#define STB_IMAGE_WRITE_IMPLEMENTATION
#include "stb_image_write.h"

enum {
    CIFAR_SIDE = 32,
    CIFAR_PIXELS = CIFAR_SIDE * CIFAR_SIDE,
    CIFAR_RECORD = 1 + 3 * CIFAR_PIXELS, // bytes
    MAX_CLASSES = 256,                   // a class is one byte
};

typedef struct {
    unsigned char *data; // (size)
    size_t size;
} bytes;

typedef struct {
    char *text;               // the whole file; the names below point into it
    char *names[MAX_CLASSES]; // (count)
    int count;
} class_names;

// Where the pictures go, and what they look like.
typedef struct {
    const char *folder;
    const class_names *classes;
    int width, height, channels;
} image_set;

static void die(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("make_images: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

static void *allocate(size_t size) {
    void *memory = malloc(size);
    if (!memory) die("out of memory: %zu bytes wanted", size);
    return memory;
}

// The whole file, with a zero byte after it, so that text can be read as a string.
static bytes read_file(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) die("%s can't be opened", path);
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    if (size < 0) die("%s can't be read", path);
    rewind(file);
    bytes content = {allocate((size_t)size + 1), (size_t)size};
    if (fread(content.data, 1, content.size, file) != content.size) die("%s can't be read", path);
    content.data[content.size] = 0;
    fclose(file);
    return content;
}

// One name a line.
static class_names read_classes(const char *path) {
    class_names classes = {.text = (char *)read_file(path).data};
    for (char *name = strtok(classes.text, "\n"); name; name = strtok(NULL, "\n")) {
        if (classes.count == MAX_CLASSES) die("%s: more than %d classes", path, MAX_CLASSES);
        classes.names[classes.count++] = name;
    }
    return classes;
}

static void append(void *file, void *data, int size) {
    fwrite(data, 1, (size_t)size, file);
}

// stb's own function for files doesn't notice a full disk.
// pixels: (height, width, channels)
static void write_png(const char *path, const image_set *set, const unsigned char *pixels) {
    FILE *file = fopen(path, "wb");
    if (!file) die("%s can't be opened for writing", path);
    int made =
        stbi_write_png_to_func(append, file, set->width, set->height, set->channels, pixels, 0);
    int failed = ferror(file);
    if (fclose(file) || failed || !made) die("%s can't be written", path);
}

static void write_image(const image_set *set, size_t index, int class,
                        const unsigned char *pixels) {
    char path[4096];
    if (class >= set->classes->count)
        die("image %zu is of class %d, where 0 to %d were expected", index, class,
            set->classes->count - 1);
    int length = snprintf(path, sizeof path, "%s/%05zu_%s.png", set->folder, index,
                          set->classes->names[class]);
    if (length >= (int)sizeof path) die("the path of image %zu is too long", index);
    write_png(path, set, pixels);
}

// ---- idx ----------------------------------------------------------------------------------------

static size_t big_endian(const unsigned char *b) {
    return (size_t)b[0] << 24 | (size_t)b[1] << 16 | (size_t)b[2] << 8 | (size_t)b[3];
}

// An idx file's header says what it holds; a file of another length is not that.
static bytes read_idx(const char *path, int dimensions) {
    bytes file = read_file(path);
    size_t expected = 4 + 4 * (size_t)dimensions;
    size_t product = 1;
    if (file.size < expected || big_endian(file.data) != 0x800u + (size_t)dimensions)
        die("%s is no idx file of bytes in %d dimensions", path, dimensions);
    for (int d = 1; d <= dimensions; d++) product *= big_endian(file.data + 4 * d);
    expected += product;
    if (file.size != expected)
        die("%s has %zu bytes, where its header promises %zu", path, file.size, expected);
    return file;
}

static void images_from_idx(const char *images_path, const char *labels_path, image_set set) {
    bytes images = read_idx(images_path, 3);
    bytes labels = read_idx(labels_path, 1);
    size_t count = big_endian(images.data + 4);
    if (big_endian(labels.data + 4) != count)
        die("%s and %s are not of the same length", images_path, labels_path);
    set.height = (int)big_endian(images.data + 8);
    set.width = (int)big_endian(images.data + 12);
    set.channels = 1;
    size_t size = (size_t)set.width * (size_t)set.height;
    for (size_t i = 0; i < count; i++)
        write_image(&set, i, labels.data[8 + i], images.data + 16 + i * size);
    free(images.data);
    free(labels.data);
}

// ---- cifar --------------------------------------------------------------------------------------

static void images_from_cifar(const char *path, image_set set) {
    unsigned char pixels[CIFAR_PIXELS * 3];
    bytes records = read_file(path);
    if (records.size % CIFAR_RECORD) die("%s does not hold whole CIFAR records", path);
    set.width = set.height = CIFAR_SIDE;
    set.channels = 3;
    for (size_t i = 0; i < records.size / CIFAR_RECORD; i++) {
        const unsigned char *record = records.data + i * CIFAR_RECORD;
        for (int p = 0; p < CIFAR_PIXELS; p++)
            for (int c = 0; c < 3; c++) pixels[3 * p + c] = record[1 + c * CIFAR_PIXELS + p];
        write_image(&set, i, record[0], pixels);
    }
    free(records.data);
}

// ---- sheets -------------------------------------------------------------------------------------

// The next number of a JSON list of classes; *at moves on.
static unsigned char next_class(const char **at, const char *path) {
    char *end;
    *at += strspn(*at, "[, \r\n\t");
    unsigned long class = strtoul(*at, &end, 10);
    if (end == *at || class >= MAX_CLASSES) die("%s: a class was expected at '%.10s'", path, *at);
    *at = end;
    return (unsigned char)class;
}

// Appends a record for every row of a sheet; *classes moves on by as many numbers.
static void records_from_sheet(const char *path, const char **classes, const char *classes_path,
                               FILE *out) {
    unsigned char record[CIFAR_RECORD];
    int width, height, channels;
    unsigned char *pixels = stbi_load(path, &width, &height, &channels, 3);
    if (!pixels) die("%s is no readable PNG", path);
    if (width != CIFAR_PIXELS)
        die("%s is %d pixels wide, where %d were expected", path, width, CIFAR_PIXELS);
    for (int row = 0; row < height; row++) {
        const unsigned char *rgb = pixels + (size_t)row * CIFAR_PIXELS * 3;
        record[0] = next_class(classes, classes_path);
        for (int p = 0; p < CIFAR_PIXELS; p++)
            for (int c = 0; c < 3; c++) record[1 + c * CIFAR_PIXELS + p] = rgb[3 * p + c];
        fwrite(record, sizeof record, 1, out);
    }
    stbi_image_free(pixels);
}

static void cifar_from_sheets(const char *out_path, const char *classes_path, char **sheets,
                              int count) {
    bytes text = read_file(classes_path);
    const char *classes = (const char *)text.data;
    FILE *out = fopen(out_path, "wb");
    if (!out) die("%s can't be opened for writing", out_path);
    for (int i = 0; i < count; i++) records_from_sheet(sheets[i], &classes, classes_path, out);
    if (classes[strspn(classes, "] \r\n\t")]) die("%s has more classes than rows", classes_path);
    int failed = ferror(out);
    if (fclose(out) || failed) die("%s can't be written", out_path);
    free(text.data);
}

// -------------------------------------------------------------------------------------------------

int main(int argc, char **argv) {
    const char *mode = argc > 1 ? argv[1] : "";
    if (!strcmp(mode, "idx") && argc == 6) {
        class_names classes = read_classes(argv[2]);
        images_from_idx(argv[4], argv[5], (image_set){.folder = argv[3], .classes = &classes});
        free(classes.text);
    } else if (!strcmp(mode, "cifar") && argc == 5) {
        class_names classes = read_classes(argv[2]);
        images_from_cifar(argv[4], (image_set){.folder = argv[3], .classes = &classes});
        free(classes.text);
    } else if (!strcmp(mode, "sheets") && argc >= 5) {
        cifar_from_sheets(argv[2], argv[3], argv + 4, argc - 4);
    } else {
        die("usage: make_images idx LABELS.TXT FOLDER IMAGES.IDX LABELS.IDX\n"
            "       make_images cifar LABELS.TXT FOLDER RECORDS.BIN\n"
            "       make_images sheets RECORDS.BIN CLASSES.JSON SHEET.PNG...");
    }
    return 0;
}
