#include "cmd/report_pictures.h"

#include "base/memory.h"
#include "cmd/picture.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>

#define RED "#c0392b"
#define BLUE "#2c6fbb"
#define GRAY "#bdc3c7"

const char *const amc_report_files[AMC_REPORT_FILES] = {"layers.png", "episodes.png", "front.png",
                                                        "report.html"};

// ---- layers -------------------------------------------------------------------------------------

int amc_report_draw_layers(const amc_result_file *result, const char *path, amc_error *err) {
    amc_picture *picture = amc_picture_new(path);
    FILE *script = amc_picture_script(picture);
    fprintf(script, "$layers << END\n");
    for (int i = 0; i < result->n_layers; i++) {
        const amc_result_layer *layer = &result->layers[i];
        fprintf(script, "%d %g %g\n", layer->layer, layer->before, layer->after);
    }
    // Of many layers only some have their number below.
    int every = 1 + result->n_layers / 25;
    fprintf(script,
            "END\n"
            "set title 'What each layer keeps'\n"
            "set xlabel 'layer'\n"
            "set ylabel '%s'\n"
            "set yrange [0:*]\n"
            "set style fill solid\n"
            "set boxwidth 0.8\n"
            "set xtics scale 0\n"
            "set grid noxtics\n"
            "plot $layers using 0:2:(0.8) with boxes lc rgb '" GRAY "' title 'before', "
            "'' using 0:3:(0.8) with boxes lc rgb '" BLUE "' title 'after', "
            "'' using 0:(NaN):xtic(int($0) %% %d ? '' : stringcolumn(1)) notitle\n",
            result->by_weights ? "weights that are not zero" : "channels", every);
    return amc_picture_draw(picture, err);
}

// ---- accuracies ---------------------------------------------------------------------------------

// The accuracies, in percent, that a picture shows: a few plans are far below all others, and with
// them nobody would see those that matter.
typedef struct view {
    double low, high;
    int below; // plans that aren't shown
} view;

static int compare_numbers(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// From somewhat below the worst tenth of the plans to somewhat above whatever is best.
static view view_of(const amc_result_file *result, const amc_episode_table *table) {
    double *sorted = amc_memory_alloc((size_t)table->n, sizeof *sorted);
    for (int i = 0; i < table->n; i++) sorted[i] = 100 * table->episodes[i].accuracy;
    qsort(sorted, (size_t)table->n, sizeof *sorted, compare_numbers);
    double best = fmax(sorted[table->n - 1], 100 * result->accuracy);
    best = fmax(best, 100 * result->accuracy_before); // fmax passes by what isn't known
    for (int i = 0; i < result->n_references; i++)
        best = fmax(best, 100 * result->references[i].accuracy);
    double tenth = sorted[table->n / 10], margin = 0.25 * (best - tenth) + 0.1;
    view shown = {.low = fmax(sorted[0], tenth - margin), .high = fmin(best + margin, 101)};
    while (sorted[shown.below] < shown.low) shown.below++;
    shown.low -= 0.2 * margin;
    free(sorted);
    return shown;
}

static void draw_title(FILE *script, const char *title, view shown, int plans) {
    fprintf(script, "set title '%s", title);
    if (shown.below) fprintf(script, " (%d of %d are below)", shown.below, plans);
    fprintf(script, "'\nset ylabel 'accuracy on held-out training images, %%'\n");
    fprintf(script, "set yrange [%g:%g]\n", shown.low, shown.high);
}

// The whole network's accuracy as a line across; nothing where it isn't known.
static void draw_whole(FILE *script, const amc_result_file *result) {
    if (isnan(result->accuracy_before)) return;
    fprintf(script, ", %g with lines dashtype 2 lc rgb '#555555' title 'not pruned'",
            100 * result->accuracy_before);
}

// ---- episodes -----------------------------------------------------------------------------------

int amc_report_draw_episodes(const amc_result_file *result, const amc_episode_table *table,
                             const char *path, amc_error *err) {
    amc_picture *picture = amc_picture_new(path);
    FILE *script = amc_picture_script(picture);
    double best = -INFINITY, accuracy = 0;
    fprintf(script, "$episodes << END\n");
    for (int i = 0; i < table->n; i++) {
        const amc_episode *e = &table->episodes[i];
        if (e->reward > best) {
            best = e->reward;
            accuracy = e->accuracy;
        }
        fprintf(script, "%d %g %g\n", i + 1, 100 * e->accuracy, 100 * accuracy);
    }
    fprintf(script, "END\n");
    draw_title(script, "The plans of the search, before fine-tuning", view_of(result, table),
               table->n);
    fprintf(script, "set xlabel 'episode'\n"
                    "plot $episodes using 1:2 with points pt 7 ps 0.8 lc rgb '" BLUE
                    "' title 'plan', '' using 1:3 with steps lw 1.5 lc rgb '" RED
                    "' title 'best by reward so far'");
    draw_whole(script, result);
    fprintf(script, "\n");
    return amc_picture_draw(picture, err);
}

// ---- front --------------------------------------------------------------------------------------

static const double FRONT_REACH = 2; // percent: where all plans are of one size, none is a front

// What a plan takes, as a percentage of the whole network: of its parameters where single weights
// were pruned, of its multiply-accumulates else.
static double size_of(const amc_result_file *result, double macs, double params) {
    return 100 * (result->by_weights ? params / result->params_before : macs / result->macs_before);
}

static const amc_result_file *compared; // by qsort's function

static int compare_episodes(const void *a, const void *b) {
    const amc_episode *x = a, *y = b;
    double left = size_of(compared, x->macs, x->params);
    double right = size_of(compared, y->macs, y->params);
    if (left != right) return left < right ? -1 : 1;
    return (x->accuracy < y->accuracy) - (x->accuracy > y->accuracy);
}

// The plans that are more accurate than every one of their size or smaller.
static void print_front(FILE *script, const amc_result_file *result,
                        const amc_episode_table *table) {
    amc_episode *sorted = amc_memory_copy(table->episodes, (size_t)table->n, sizeof *sorted);
    double best = -1;
    compared = result;
    qsort(sorted, (size_t)table->n, sizeof *sorted, compare_episodes);
    fprintf(script, "$front << END\n");
    for (int i = 0; i < table->n; i++) {
        if (sorted[i].accuracy <= best) continue;
        best = sorted[i].accuracy;
        fprintf(script, "%g %g\n", size_of(result, sorted[i].macs, sorted[i].params), 100 * best);
    }
    fprintf(script, "END\n");
    free(sorted);
}

static void print_plans(FILE *script, const amc_result_file *result,
                        const amc_episode_table *table) {
    fprintf(script, "$plans << END\n");
    for (int i = 0; i < table->n; i++) {
        const amc_episode *e = &table->episodes[i];
        fprintf(script, "%g %g\n", size_of(result, e->macs, e->params), 100 * e->accuracy);
    }
    fprintf(script, "END\n$result << END\n%g %g\nEND\n",
            size_of(result, result->macs, result->params), 100 * result->accuracy);
    for (int i = 0; i < result->n_references; i++) {
        const amc_result_reference *r = &result->references[i];
        fprintf(script, "$reference%d << END\n%g %g\nEND\n", i, size_of(result, r->macs, r->params),
                100 * r->accuracy);
    }
}

// The sizes of what is shown. Returns how far they reach, in percent of the whole network.
static double draw_sizes(FILE *script, const amc_result_file *result,
                         const amc_episode_table *table, view shown) {
    double least = size_of(result, result->macs, result->params), most = least;
    for (int i = 0; i < table->n; i++) {
        const amc_episode *e = &table->episodes[i];
        double size = size_of(result, e->macs, e->params);
        if (100 * e->accuracy < shown.low) continue;
        least = fmin(least, size);
        most = fmax(most, size);
    }
    for (int i = 0; i < result->n_references; i++) {
        const amc_result_reference *r = &result->references[i];
        if (100 * r->accuracy < shown.low) continue;
        least = fmin(least, size_of(result, r->macs, r->params));
        most = fmax(most, size_of(result, r->macs, r->params));
    }
    double margin = 0.05 * (most - least) + 0.1;
    fprintf(script, "set xrange [%g:%g]\nset xlabel '%s left, %%'\n", least - margin, most + margin,
            result->by_weights ? "parameters" : "multiply-accumulates");
    return most - least;
}

// A name from a file as part of a text in quotes: nothing in it is a command.
static void put_name(FILE *script, const char *name) {
    for (; *name; name++) fputc(isalnum((unsigned char)*name) ? *name : '-', script);
}

// Each by a sign of its own; its accuracy stands in the key, as it may be below what is shown.
static void draw_references(FILE *script, const amc_result_file *result, view shown) {
    static const int SIGNS[] = {9, 5, 13, 11, 15}; // filled triangle, square, diamond, ...
    for (int i = 0; i < result->n_references; i++) {
        fprintf(script, ", $reference%d with points pt %d ps 1.8 lc rgb '#27ae60' title '", i,
                SIGNS[i % 5]);
        double accuracy = 100 * result->references[i].accuracy;
        put_name(script, result->references[i].policy);
        fprintf(script, " %.2f%%%s'", accuracy, accuracy < shown.low ? " (below)" : "");
    }
}

int amc_report_draw_front(const amc_result_file *result, const amc_episode_table *table,
                          const char *path, amc_error *err) {
    amc_picture *picture = amc_picture_new(path);
    FILE *script = amc_picture_script(picture);
    view shown = view_of(result, table);
    print_plans(script, result, table);
    print_front(script, result, table);
    draw_title(script, "Accuracy against size, of every plan seen", shown, table->n);
    double reach = draw_sizes(script, result, table, shown);
    fprintf(script,
            "plot $plans with points pt 7 ps 0.7 lc rgb '" GRAY "' title 'plan, in the search'");
    if (reach >= FRONT_REACH)
        fprintf(script, ", $front with linespoints pt 7 ps 0.9 lc rgb '" BLUE
                        "' title 'best of their size'");
    fprintf(script, ", $result with points pt 7 ps 2 lc rgb '" RED "' title 'result %.2f%%'",
            100 * result->accuracy);
    draw_references(script, result, shown);
    draw_whole(script, result);
    fprintf(script, "\n");
    return amc_picture_draw(picture, err);
}
