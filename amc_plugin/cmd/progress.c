#include "cmd/progress.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct amc_progress {
    const amc_prune_space *space;
    amc_resource resource;
    double whole[AMC_RESOURCES]; // what the network takes before anything is cut
    int episodes;
    bool quiet, terminal;
    int recorded;   // episodes that were scored before
    bool replaying; // there have been none but these
    double seconds; // of the others so far
    amc_search_episode best;
    FILE *csv; // writes to text
    char *text;
    size_t length;
};

static void write_header(amc_progress *progress) {
    fprintf(progress->csv, "episode,reward,accuracy,flops,macs,params");
    if (progress->space->latency) fprintf(progress->csv, ",latency_ms");
    for (int g = 0; g < progress->space->n; g++)
        if (progress->space->groups[g].prunable)
            fprintf(progress->csv, ",g%d_layer%d", g, progress->space->groups[g].layers[0]);
    fprintf(progress->csv, ",expected,images\n");
}

amc_progress *amc_progress_new(const amc_prune_space *space, amc_resource resource, int episodes,
                               bool quiet) {
    amc_progress *progress = amc_memory_alloc(1, sizeof *progress);
    progress->space = space;
    progress->resource = resource;
    for (int r = 0; r < AMC_RESOURCES; r++)
        progress->whole[r] = (double)amc_prune_space_whole_cost(space, (amc_resource)r);
    progress->episodes = episodes;
    progress->quiet = quiet;
    progress->terminal = isatty(STDERR_FILENO);
    progress->replaying = true;
    progress->csv = amc_memory_stream(&progress->text, &progress->length);
    write_header(progress);
    return progress;
}

void amc_progress_free(amc_progress *progress) {
    if (!progress) return;
    amc_memory_stream_close(progress->csv);
    free(progress->text);
    free(progress);
}

static int64_t latency_of(const amc_progress *progress, const amc_search_episode *episode) {
    return amc_prune_space_cost(progress->space, AMC_RESOURCE_LATENCY, episode->counts);
}

static void write_row(amc_progress *progress, const amc_search_episode *episode) {
    FILE *csv = progress->csv;
    fprintf(csv, "%d,%.6f,%.6f,%.6f,%lld,%lld", episode->index + 1, episode->reward,
            episode->accuracy, (double)episode->macs / progress->whole[AMC_RESOURCE_MACS],
            (long long)episode->macs, (long long)episode->params);
    if (progress->space->latency)
        fprintf(csv, ",%.6f", (double)latency_of(progress, episode) / 1e6);
    for (int g = 0; g < progress->space->n; g++) {
        const amc_prune_group *group = &progress->space->groups[g];
        if (group->prunable) fprintf(csv, ",%.4f", (double)episode->counts[g] / group->n_units);
    }
    fprintf(csv, ",%.6f,%d\n", episode->expected, episode->images);
}

// The accuracy stands in brackets, with a ~ where it is an estimate. At most 79 columns, so that a
// terminal can rewrite the line.
static void show(const amc_progress *progress, const amc_search_episode *episode) {
    const char *names[AMC_RESOURCES] = {"FLOPs", "params", "latency", "memory"};
    double size =
        (double)amc_prune_space_cost(progress->space, progress->resource, episode->counts);
    int done = episode->index + 1;
    double pace = progress->seconds / (done - progress->recorded);
    int left = (int)(pace * (progress->episodes - done));
    char line[160], best[16] = "-"; // until a plan is good enough
    if (progress->best.best) snprintf(best, sizeof best, "%.2f%%", 100 * progress->best.accuracy);
    snprintf(line, sizeof line,
             "episode %d/%d: reward %.4f (%s%.2f%%), %.2f%% %s, best %s, %d:%02d left", done,
             progress->episodes, episode->reward, episode->stopped ? "~" : "",
             100 * episode->accuracy, 100 * size / progress->whole[progress->resource],
             names[progress->resource], best, left / 60, left % 60);
    if (progress->terminal)
        fprintf(stderr, "\r%.79s\033[K", line);
    else
        fprintf(stderr, "%s\n", line);
}

// Ends the episodes that were scored before.
static void end_replay(amc_progress *progress) {
    progress->replaying = false;
    if (progress->recorded > 0 && !progress->quiet)
        fprintf(stderr, "resumed: %d episodes of %d were scored before\n", progress->recorded,
                progress->episodes);
}

void amc_progress_episode(amc_progress *progress, const amc_search_episode *episode) {
    if (episode->best) progress->best = *episode;
    write_row(progress, episode);
    if (progress->replaying && !episode->recorded) end_replay(progress);
    if (progress->replaying) {
        progress->recorded++;
        return;
    }
    progress->seconds += episode->seconds;
    if (progress->quiet) return;
    if (progress->terminal || episode->best || (episode->index + 1) % 10 == 0)
        show(progress, episode);
}

void amc_progress_end(amc_progress *progress) {
    if (progress->replaying)
        end_replay(progress);
    else if (progress->terminal && !progress->quiet)
        fprintf(stderr, "\n");
}

char *amc_progress_csv(const amc_progress *progress) {
    fflush(progress->csv);
    return amc_memory_text("%s", progress->text);
}
