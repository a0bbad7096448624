#include "search/checkpoint.h"

#include "base/files.h"
#include "base/lock_file.h"
#include "base/memory.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// Another version wherever the same settings lead to other plans or other scores.
#define FORMAT "checkpoint 3\n"
#define MEASURED "measured " // what lines of measurements begin with

// A plan, and what was found out about it.
typedef struct record {
    bool measured; // `value`; else it was scored
    double value;  // divergence
    amc_score score;
    off_t end; // where its line ends
} record;

struct amc_checkpoint {
    char *path;
    int file;
    const amc_prune_space *space;
    char *settings;
    bool holds_ours; // what is in the file is this search's; else the first record replaces it
    off_t length;    // of what is whole in it
    int line;        // number of the first record's line
    int n;           // records to be replayed
    int next;        // the first of them that wasn't yet
    record *records; // (n)
    int *counts;     // (n, groups) their plans
};

// ---- opening ------------------------------------------------------------------------------------

amc_checkpoint *amc_checkpoint_open(const char *path, amc_error *err) {
    int file = amc_lock_file_open(path,
                                  "another search is at work in this folder; expected it to end "
                                  "first, or another -out folder",
                                  err);
    if (file < 0) return NULL;
    amc_checkpoint *c = amc_memory_alloc(1, sizeof *c);
    c->path = amc_memory_text("%s", path);
    c->file = file;
    return c;
}

void amc_checkpoint_close(amc_checkpoint *checkpoint) {
    if (!checkpoint) return;
    struct stat info;
    bool empty = fstat(checkpoint->file, &info) == 0 && info.st_size == 0;
    if (empty && amc_lock_file_is_at(checkpoint->file, checkpoint->path)) unlink(checkpoint->path);
    close(checkpoint->file);
    free(checkpoint->path);
    free(checkpoint->settings);
    free(checkpoint->records);
    free(checkpoint->counts);
    free(checkpoint);
}

const char *amc_checkpoint_path(const amc_checkpoint *checkpoint) {
    return checkpoint->path;
}

// ---- reading ------------------------------------------------------------------------------------

static char *read_text(const amc_checkpoint *c, size_t *length, amc_error *err) {
    struct stat info;
    if (fstat(c->file, &info) < 0 || lseek(c->file, 0, SEEK_SET) < 0) {
        amc_error_set(err, "%s: can't be read: %s", c->path, strerror(errno));
        return NULL;
    }
    *length = (size_t)info.st_size;
    char *text = amc_memory_alloc(*length + 1, 1);
    if (amc_files_take(c->file, c->path, text, *length, err) == 0) return text;
    free(text);
    return NULL;
}

// Bytes of the settings and the empty line after them; 0 where they are torn, and so nothing is
// recorded. -1 with err set for a file that isn't ours.
static ssize_t header_length(const amc_checkpoint *c, const char *text, size_t length,
                             amc_error *err) {
    size_t first = strlen(FORMAT);
    if (memcmp(text, FORMAT, length < first ? length : first) != 0)
        return amc_error_set(err,
                             "%s:1: no checkpoint of a search by this version, expected "
                             "\"%.*s\"; -force starts anew",
                             c->path, (int)first - 1, FORMAT);
    const char *end = memmem(text, length, "\n\n", 2);
    return end ? end + 2 - text : 0;
}

static int count_lines(const char *text, size_t length) {
    int lines = 0;
    for (size_t i = 0; i < length; i++) lines += text[i] == '\n';
    return lines;
}

int amc_checkpoint_plans(const amc_checkpoint *checkpoint, amc_error *err) {
    size_t length;
    char *text = read_text(checkpoint, &length, err);
    if (!text) return -1;
    ssize_t header = header_length(checkpoint, text, length, err);
    int lines = header > 0 ? count_lines(text + header, length - (size_t)header) : 0;
    free(text);
    if (header < 0) return -1;
    return lines > 0 ? lines - 1 : 0;
}

static int refuse_setting(const amc_checkpoint *c, int line, const char *was, const char *now,
                          amc_error *err) {
    int was_n = (int)strcspn(was, "\n"), now_n = (int)strcspn(now, "\n");
    int key = (int)strcspn(now, " \n");
    if (key == 0 || key == now_n || strncmp(was, now, (size_t)key + 1) != 0)
        return amc_error_set(err, "%s:%d: \"%.*s\", expected %s%.*s", c->path, line, was_n, was,
                             key ? "a line of " : "an empty line", key, now);
    return amc_error_set(err,
                         "%s:%d: %.*s was %.*s and is %.*s now; expected the same to go on with "
                         "the search, or -force instead of -resume to start anew",
                         c->path, line, key, now, was_n - key - 1, was + key + 1, now_n - key - 1,
                         now + key + 1);
}

// Both are lines; they have to be the same.
static int compare_settings(const amc_checkpoint *c, const char *was, const char *now,
                            amc_error *err) {
    for (int line = 2; *was || *now; line++) {
        size_t n = strcspn(was, "\n");
        if (n != strcspn(now, "\n") || strncmp(was, now, n) != 0)
            return refuse_setting(c, line, was, now, err);
        was += n + 1;
        now += n + 1;
    }
    return 0;
}

// A line of numbers while it is read.
typedef struct reader {
    const amc_checkpoint *checkpoint;
    int line;
    const char *start, *at;
} reader;

static int refuse_number(const reader *r, const char *what, bool whole, double low, double high,
                         amc_error *err) {
    return amc_error_set(err, "%s:%d: %s \"%.*s\", expected %s from %.*g to %.*g",
                         r->checkpoint->path, r->line, what, (int)strcspn(r->at, " "), r->at,
                         whole ? "an integer" : "a number", whole ? 10 : 6, low, whole ? 10 : 6,
                         high);
}

// Takes the next number; one blank stands between two.
static int take(reader *r, const char *what, bool whole, double low, double high, double *value,
                amc_error *err) {
    if (r->at > r->start && *r->at == ' ') r->at++;
    size_t length = strcspn(r->at, " ");
    char *end;
    *value = strtod(r->at, &end);
    bool plain = length > 0 && strspn(r->at, "0123456789.e+-") == length;
    if (!plain || end != r->at + length || (whole && *value != floor(*value)) ||
        !(*value >= low && *value <= high))
        return refuse_number(r, what, whole, low, high, err);
    r->at = end;
    return 0;
}

static int take_score(reader *r, amc_score *score, amc_error *err) {
    double accuracy, expected, images, stopped, seconds;
    if (take(r, "accuracy", false, 0, 1, &accuracy, err) < 0 ||
        take(r, "expected accuracy", false, 0, 1, &expected, err) < 0 ||
        take(r, "images", true, 1, INT_MAX, &images, err) < 0 ||
        take(r, "stopped", true, 0, 1, &stopped, err) < 0 ||
        take(r, "seconds", false, 0, 1e9, &seconds, err) < 0)
        return -1;
    *score = (amc_score){(float)accuracy, (int)images, stopped != 0, true, (float)expected};
    return 0;
}

static int take_measured(reader *r, double *value, amc_error *err) {
    double seconds;
    r->start = r->at += strlen(MEASURED);
    if (take(r, "divergence", false, 0, 1e9, value, err) < 0) return -1;
    return take(r, "seconds", false, 0, 1e9, &seconds, err);
}

static int take_counts(reader *r, int *counts, amc_error *err) {
    const amc_prune_space *space = r->checkpoint->space;
    for (int g = 0; g < space->n; g++) {
        const amc_prune_group *group = &space->groups[g];
        char what[32];
        double count;
        snprintf(what, sizeof what, "units of group %d", g);
        if (take(r, what, true, group->prunable ? 1 : group->n_units, group->n_units, &count, err) <
            0)
            return -1;
        counts[g] = (int)count;
    }
    return 0;
}

// line: as text; `length` is where it ends unless there is a zero byte in it.
static int read_record(amc_checkpoint *c, int i, const char *line, size_t length, amc_error *err) {
    reader r = {c, c->line + i, line, line};
    record *read = &c->records[i];
    read->measured = strncmp(line, MEASURED, strlen(MEASURED)) == 0;
    int status =
        read->measured ? take_measured(&r, &read->value, err) : take_score(&r, &read->score, err);
    if (status < 0 || take_counts(&r, c->counts + (size_t)i * (size_t)c->space->n, err) < 0)
        return -1;
    if (r.at == line + length) return 0;
    return amc_error_set(err, "%s:%d: goes on after %d numbers, expected its end there", c->path,
                         r.line, (read->measured ? 2 : 5) + c->space->n);
}

// Takes the records in; what is torn behind the last one is no part of c->length.
static int read_records(amc_checkpoint *c, char *text, size_t length, size_t header,
                        amc_error *err) {
    char *line = text + header, *end;
    c->line = count_lines(text, header) + 1;
    c->n = count_lines(line, length - header);
    c->records = amc_memory_alloc((size_t)c->n, sizeof *c->records);
    c->counts = amc_memory_alloc((size_t)c->n * (size_t)c->space->n, sizeof *c->counts);
    for (int i = 0; i < c->n; i++, line = end + 1) {
        end = memchr(line, '\n', (size_t)(text + length - line));
        *end = '\0';
        if (read_record(c, i, line, (size_t)(end - line), err) < 0) return -1;
        c->records[i].end = end + 1 - text;
    }
    c->length = line - text;
    return 0;
}

static int read_search(amc_checkpoint *c, char *text, size_t length, amc_error *err) {
    ssize_t header = header_length(c, text, length, err);
    if (header < 0) return -1;
    assert(header > 0); // or there would be no plan
    text[header - 1] = '\0';
    int status = compare_settings(c, text + strlen(FORMAT), c->settings, err);
    text[header - 1] = '\n';
    return status < 0 ? -1 : read_records(c, text, length, (size_t)header, err);
}

int amc_checkpoint_resume(amc_checkpoint *checkpoint, const amc_prune_space *space,
                          const char *settings, amc_error *err) {
    amc_checkpoint_start(checkpoint, space, settings);
    size_t length;
    char *text = read_text(checkpoint, &length, err);
    if (!text) return -1;
    int status = read_search(checkpoint, text, length, err);
    free(text);
    if (status < 0) return -1;
    checkpoint->holds_ours = true;
    if (ftruncate(checkpoint->file, checkpoint->length) == 0) return 0;
    return amc_error_set(err, "%s: can't be written: %s", checkpoint->path, strerror(errno));
}

void amc_checkpoint_start(amc_checkpoint *checkpoint, const amc_prune_space *space,
                          const char *settings) {
    assert(!checkpoint->space);
    checkpoint->space = space;
    checkpoint->settings = amc_memory_text("%s", settings);
}

// ---- replaying and recording --------------------------------------------------------------------

bool amc_checkpoint_replays(const amc_checkpoint *checkpoint) {
    return checkpoint->next < checkpoint->n;
}

static const int *next_counts(const amc_checkpoint *checkpoint) {
    return checkpoint->counts + (size_t)checkpoint->next * (size_t)checkpoint->space->n;
}

bool amc_checkpoint_expects(const amc_checkpoint *checkpoint, const int *counts) {
    size_t bytes = (size_t)checkpoint->space->n * sizeof *counts;
    return !amc_checkpoint_replays(checkpoint) ||
           memcmp(next_counts(checkpoint), counts, bytes) == 0;
}

int amc_checkpoint_forget(amc_checkpoint *checkpoint, amc_error *err) {
    if (!amc_checkpoint_replays(checkpoint)) return 0;
    assert(checkpoint->next > 0); // the whole network's
    checkpoint->n = checkpoint->next;
    checkpoint->length = checkpoint->records[checkpoint->n - 1].end;
    if (ftruncate(checkpoint->file, checkpoint->length) == 0) return 0;
    return amc_error_set(err, "%s: can't be written: %s", checkpoint->path, strerror(errno));
}

// The next record, where it is of this plan and kind: 1; 0 where none is left.
static int take_next(amc_checkpoint *c, bool measured, const int *counts, const record **found,
                     amc_error *err) {
    if (!amc_checkpoint_replays(c)) return 0;
    int i = c->next, groups = c->space->n;
    const int *recorded = next_counts(c);
    *found = &c->records[i];
    if ((*found)->measured != measured)
        return amc_error_set(err,
                             "%s:%d: a plan was %s where this search has one %s; expected what "
                             "this program records, -force instead of -resume starts anew",
                             c->path, c->line + i, measured ? "scored" : "measured",
                             measured ? "measured" : "scored");
    for (int g = 0; g < groups; g++)
        if (counts[g] != recorded[g])
            return amc_error_set(err,
                                 "%s:%d: a plan with %d units of group %d where this search tries "
                                 "%d; expected what this program and machine record, -force "
                                 "instead of -resume starts anew",
                                 c->path, c->line + i, recorded[g], g, counts[g]);
    c->next++;
    return 1;
}

int amc_checkpoint_next(amc_checkpoint *checkpoint, const int *counts, amc_score *score,
                        amc_error *err) {
    const record *found;
    int status = take_next(checkpoint, false, counts, &found, err);
    if (status == 1) *score = found->score;
    return status;
}

int amc_checkpoint_next_measured(amc_checkpoint *checkpoint, const int *counts, double *value,
                                 amc_error *err) {
    const record *found;
    int status = take_next(checkpoint, true, counts, &found, err);
    if (status == 1) *value = found->value;
    return status;
}

// One call to write a record, so that a kill finds it there or not; what a full disk left of it is
// taken back.
static int append(amc_checkpoint *c, const char *text, size_t length, amc_error *err) {
    if (amc_files_put(c->file, c->path, text, length, err) == 0) {
        c->length += (off_t)length;
        return 0;
    }
    if (ftruncate(c->file, c->length) == 0) return -1;
    return amc_error_set(err, "%s: can't be written, and its last line is torn: %s", c->path,
                         strerror(errno));
}

// Records `numbers`, text, of a plan.
static int add(amc_checkpoint *c, const char *numbers, const int *counts, amc_error *err) {
    assert(!amc_checkpoint_replays(c));
    if (!c->holds_ours && ftruncate(c->file, 0) < 0)
        return amc_error_set(err, "%s: can't be written: %s", c->path, strerror(errno));
    char *text;
    size_t length;
    FILE *to = amc_memory_stream(&text, &length);
    if (!c->holds_ours) fprintf(to, "%s%s\n", FORMAT, c->settings);
    fputs(numbers, to);
    for (int g = 0; g < c->space->n; g++) fprintf(to, " %d", counts[g]);
    fputc('\n', to);
    amc_memory_stream_close(to);
    int status = append(c, text, length, err);
    free(text);
    if (status == 0) c->holds_ours = true;
    return status;
}

int amc_checkpoint_add(amc_checkpoint *checkpoint, const int *counts, amc_score score,
                       double seconds, amc_error *err) {
    char numbers[100];
    snprintf(numbers, sizeof numbers, "%.9g %.9g %d %d %.6g", score.accuracy, score.expected,
             score.images, score.stopped, seconds);
    return add(checkpoint, numbers, counts, err);
}

int amc_checkpoint_add_measured(amc_checkpoint *checkpoint, const int *counts, double value,
                                double seconds, amc_error *err) {
    char numbers[100];
    snprintf(numbers, sizeof numbers, MEASURED "%.17g %.6g", value, seconds);
    return add(checkpoint, numbers, counts, err);
}
