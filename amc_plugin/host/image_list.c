#include "host/image_list.h"

#include "base/files.h"
#include "base/memory.h"
#include "base/rng.h"

#include <stdlib.h>
#include <string.h>

#define MAX_HELD_OUT 5000

// ---- lists and labels ---------------------------------------------------------------------------

static void clear(amc_image_list *list) {
    amc_text_lines_clear(&list->lines);
    free(list->entries);
    free(list->path);
    *list = (amc_image_list){0};
}

// The lines of a file that the .data file names.
static int read_lines(amc_text_lines *lines, const char *path, const amc_data_file *data,
                      amc_error *err) {
    if (amc_data_file_require(data, path, err) < 0) return -1;
    return amc_text_lines_read(lines, path, err);
}

// Blank lines are skipped.
static int read_list(amc_image_list *list, const char *path, const amc_data_file *data,
                     amc_error *err) {
    *list = (amc_image_list){.path = amc_memory_text("%s", path)};
    if (read_lines(&list->lines, path, data, err) < 0) {
        clear(list);
        return -1;
    }
    list->entries = amc_memory_alloc((size_t)list->lines.n, sizeof *list->entries);
    for (int i = 0; i < list->lines.n; i++) {
        const char *line = list->lines.line[i];
        if (line[strspn(line, " \t")])
            list->entries[list->n++] = (amc_image_entry){.path = line, .line = i + 1, .label = -1};
    }
    if (list->n > 0) return 0;
    clear(list);
    return amc_error_set(err, "%s: holds no image, expected one path a line", path);
}

// Reads at least one label a class; Darknet reads no more than that either.
static int labels_read(amc_text_lines *labels, const amc_data_file *data, amc_error *err) {
    if (!data->labels)
        return amc_error_set(err, "%s: has no labels=, expected the file that names the classes",
                             data->path);
    if (read_lines(labels, data->labels, data, err) < 0) return -1;
    int named = 0;
    while (named < labels->n && named < data->classes && *labels->line[named]) named++;
    if (named == data->classes) return 0;
    if (named < labels->n)
        amc_error_set(err, "%s:%d: is blank, expected a label", data->labels, named + 1);
    else
        amc_error_set(err, "%s: holds %d labels, expected %d (classes= in %s)", data->labels, named,
                      data->classes, data->path);
    amc_text_lines_clear(labels);
    return -1;
}

// The one label that the path contains, or -1.
static int find_label(const char *path, const amc_text_lines *labels, int classes) {
    int found = -1;
    for (int i = 0; i < classes; i++) {
        if (!strstr(path, labels->line[i])) continue;
        if (found >= 0) return -1;
        found = i;
    }
    return found;
}

static int label_error(const amc_image_list *list, const amc_image_entry *image,
                       const amc_text_lines *labels, const amc_data_file *data, amc_error *err) {
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

// Networks are repaired on images of whatever class: detectors have no labels=.
static int list_label(amc_image_list *list, const amc_data_file *data, amc_dataset_part part,
                      amc_error *err) {
    amc_text_lines labels = {0};
    if (!data->labels && part == AMC_DATASET_TRAIN) {
        for (int i = 0; i < list->n; i++) list->entries[i].label = 0;
        return 0;
    }
    if (labels_read(&labels, data, err) < 0) return -1;
    int status = 0;
    for (int i = 0; i < list->n && status == 0; i++) {
        amc_image_entry *image = &list->entries[i];
        image->label = find_label(image->path, &labels, data->classes);
        if (image->label < 0) status = label_error(list, image, &labels, data, err);
    }
    amc_text_lines_clear(&labels);
    return status;
}

// By path, then by line.
static int compare_entries(const void *a, const void *b) {
    const amc_image_entry *left = a, *right = b;
    int order = strcmp(left->path, right->path);
    return order ? order : left->line - right->line;
}

static amc_image_entry *sorted_entries(const amc_image_list *list) {
    amc_image_entry *sorted = amc_memory_copy(list->entries, (size_t)list->n, sizeof *sorted);
    qsort(sorted, (size_t)list->n, sizeof *sorted, compare_entries);
    return sorted;
}

// An image that stands twice could fall on both sides of a split by seed.
static int refuse_repeats(const amc_image_list *list, const amc_data_file *data, amc_error *err) {
    amc_image_entry *sorted = sorted_entries(list);
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
    return strcmp(((const amc_image_entry *)a)->path, ((const amc_image_entry *)b)->path);
}

// Rewards on images that were trained on would be worth nothing.
static int refuse_shared(const amc_image_list *search, const amc_data_file *data, amc_error *err) {
    amc_image_list train;
    if (read_list(&train, data->train, data, err) < 0) return -1;
    amc_image_entry *sorted = sorted_entries(&train);
    int status = 0;
    for (int i = 0; i < search->n && status == 0; i++) {
        const amc_image_entry *image = &search->entries[i];
        const amc_image_entry *same =
            bsearch(image, sorted, (size_t)train.n, sizeof *sorted, compare_paths);
        if (same)
            status = amc_error_set(err, "%s:%d: %s is in %s too, expected images held out of it",
                                   search->path, image->line, image->path, data->train);
    }
    free(sorted);
    clear(&train);
    return status;
}

// ---- choosing images ----------------------------------------------------------------------------

// Counting sort: order (n) becomes the entries' indices class by class, starts (classes + 1) where
// each class begins.
static void group_by_class(const amc_image_list *list, int classes, int *order, int *starts) {
    int *next = amc_memory_alloc((size_t)classes + 1, sizeof *next);
    for (int i = 0; i < list->n; i++) starts[list->entries[i].label + 1]++;
    for (int c = 0; c < classes; c++) starts[c + 1] += starts[c];
    memcpy(next, starts, ((size_t)classes + 1) * sizeof *next);
    for (int i = 0; i < list->n; i++) order[next[list->entries[i].label]++] = i;
    free(next);
}

// New flags (n): exactly `count` are set, each class within one of its proportion, by seed.
static unsigned char *choose(const amc_image_list *list, int classes, int count, uint64_t seed) {
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

static void keep(amc_image_list *list, const unsigned char *flags, unsigned char wanted) {
    int n = 0;
    for (int i = 0; i < list->n; i++)
        if (flags[i] == wanted) list->entries[n++] = list->entries[i];
    list->n = n;
}

static int hold_out(amc_image_list *list, const amc_data_file *data, amc_dataset_part part,
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
    list->held_out = count;
    free(held_out);
    return 0;
}

static int choose_part(amc_image_list *list, const amc_data_file *data, amc_dataset_part part,
                       int limit, uint64_t seed, amc_error *err) {
    if (list_label(list, data, part, err) < 0) return -1;
    if (part != AMC_DATASET_TEST && !data->search && hold_out(list, data, part, seed, err) < 0)
        return -1;
    if (part == AMC_DATASET_SEARCH && data->search && data->train &&
        refuse_shared(list, data, err) < 0)
        return -1;
    if (limit > 0 && limit < list->n) {
        unsigned char *chosen = choose(list, data->classes, limit, seed);
        keep(list, chosen, 1);
        free(chosen);
    }
    return 0;
}

static const char *list_of_part(const amc_data_file *data, amc_dataset_part part, amc_error *err) {
    const char *path = part == AMC_DATASET_TEST                     ? data->test
                       : part == AMC_DATASET_SEARCH && data->search ? data->search
                                                                    : data->train;
    if (!path)
        amc_error_set(err, "%s: has no %s=, expected a list of images", data->path,
                      part == AMC_DATASET_TEST ? "valid" : "train");
    return path;
}

amc_image_list *amc_image_list_load(const amc_data_file *data, amc_dataset_part part, int limit,
                                    uint64_t seed, amc_error *err) {
    const char *path = list_of_part(data, part, err);
    amc_image_list *list = amc_memory_alloc(1, sizeof *list);
    if (path && read_list(list, path, data, err) == 0 &&
        choose_part(list, data, part, limit, seed, err) == 0)
        return list;
    amc_image_list_free(list);
    return NULL;
}

void amc_image_list_free(amc_image_list *list) {
    if (!list) return;
    clear(list);
    free(list);
}
