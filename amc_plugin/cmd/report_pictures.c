#include "cmd/report_pictures.h"

#include "base/memory.h"
#include "cmd/picture.h"

#include <math.h>
#include <stdlib.h>

#define RED "#c0392b"
#define BLUE "#2c6fbb"
#define GRAY "#bdc3c7"

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
            "set grid noxtics\n"
            "plot $layers using 0:2:(0.8) with boxes lc rgb '" GRAY "' title 'before', "
            "'' using 0:3:(0.8) with boxes lc rgb '" BLUE "' title 'after', "
            "'' using 0:(NaN):xtic(int($0) %% %d ? '' : stringcolumn(1)) notitle\n",
            result->by_weights ? "weights that are not zero" : "channels", every);
    return amc_picture_draw(picture, err);
}

// ---- episodes -----------------------------------------------------------------------------------

// The whole network's accuracy as a line across; nothing where it isn't known.
static void draw_whole(FILE *script, const amc_result_file *result) {
    if (isnan(result->accuracy_before)) return;
    fprintf(script, ", %g with lines dashtype 2 lc rgb '#555555' title 'not pruned'",
            100 * result->accuracy_before);
}

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
    fprintf(script, "END\n"
                    "set title 'The search: accuracy of its plans before fine-tuning'\n"
                    "set xlabel 'episode'\n"
                    "set ylabel 'accuracy on held-out training images, %%'\n"
                    "plot $episodes using 1:2 with points pt 7 ps 0.8 lc rgb '" BLUE
                    "' title 'plan', '' using 1:3 with steps lw 1.5 lc rgb '" RED
                    "' title 'best by reward so far'");
    draw_whole(script, result);
    fprintf(script, "\n");
    return amc_picture_draw(picture, err);
}

// ---- front --------------------------------------------------------------------------------------

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
    fprintf(script, "END\n$references << END\n");
    for (int i = 0; i < result->n_references; i++) {
        const amc_result_reference *r = &result->references[i];
        fprintf(script, "%g %g %s\n", size_of(result, r->macs, r->params), 100 * r->accuracy,
                r->policy);
    }
    fprintf(script, "END\n$result << END\n%g %g\nEND\n",
            size_of(result, result->macs, result->params), 100 * result->accuracy);
}

int amc_report_draw_front(const amc_result_file *result, const amc_episode_table *table,
                          const char *path, amc_error *err) {
    amc_picture *picture = amc_picture_new(path);
    FILE *script = amc_picture_script(picture);
    print_plans(script, result, table);
    print_front(script, result, table);
    fprintf(script,
            "set title 'Accuracy against size, of every plan seen'\n"
            "set xlabel '%s left, %%'\n"
            "set ylabel 'accuracy on held-out training images, %%'\n"
            "set offsets graph 0.05, graph 0.15, graph 0.05, graph 0.05\n"
            "plot $plans with points pt 7 ps 0.7 lc rgb '" GRAY "' title 'plan', "
            "$front with linespoints pt 7 ps 0.9 lc rgb '" BLUE "' title 'none is better', "
            "$result with points pt 7 ps 2 lc rgb '" RED "' title 'result'",
            result->by_weights ? "parameters" : "multiply-accumulates");
    if (result->n_references)
        fprintf(script, ", $references with points pt 9 ps 1.6 lc rgb '#27ae60' title 'by hand', "
                        "'' using 1:2:3 with labels left offset 1,0 tc rgb '#1e8449' notitle");
    draw_whole(script, result);
    fprintf(script, "\n");
    return amc_picture_draw(picture, err);
}
