// The search: each budget's folder first, then the images, the episodes, and the results.

#include "base/memory.h"
#include "cmd/budget_run.h"
#include "cmd/commands.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST_BUDGETS = sizeof(amc_option_list) / sizeof(double) };

typedef struct search {
    const amc_search_given *given;
    amc_search_session session;
    amc_finishing *finishing;
    int n;                              // budgets
    amc_aim aims[MOST_BUDGETS];         // (n) the mildest first
    amc_budget_run *runs[MOST_BUDGETS]; // (n)
    bool unfinished;                    // fine-tuning was interrupted
} search;

// Of several budgets each has a folder of its own; NULL is the default.
static char *folder_of(const search *s, double flops) {
    const char *out = s->given->out;
    if (s->n == 1) return out ? amc_memory_text("%s", out) : NULL;
    char *base =
        out ? amc_memory_text("%s", out) : amc_memory_text("amc-out/%s", s->session.network->name);
    char *folder = amc_memory_text("%s/flops-%g", base, flops);
    free(base);
    return folder;
}

// What one search takes is shared among several: all together try a third more plans, which with
// the networks that are refitted is half as much work more.
static int episodes_of(const search *s) {
    int episodes = s->given->episodes;
    return s->n == 1 ? episodes : (4 * episodes / 3 + s->n - 1) / s->n;
}

static int open_runs(search *s, amc_error *err) {
    const amc_search_given *o = s->given;
    s->n = o->aim.given[AMC_RESOURCE_MACS] && o->flops.n > 1 ? o->flops.n : 1;
    s->finishing = amc_finishing_new(&s->session, s->n);
    for (int i = 0; i < s->n; i++) {
        s->aims[i] = o->aim;
        if (s->n > 1) s->aims[i].budget[AMC_RESOURCE_MACS] = o->flops.values[i];
        char *folder = folder_of(s, s->aims[i].budget[AMC_RESOURCE_MACS]);
        s->runs[i] =
            amc_budget_run_new(&s->session, s->finishing, &s->aims[i], folder, episodes_of(s), err);
        free(folder);
        if (!s->runs[i]) return -1;
    }
    return 0;
}

static int prepare(search *s, amc_error *err) {
    if (amc_search_session_measure(&s->session, err) < 0) return -1;
    for (int i = 0; i < s->n; i++)
        if (amc_budget_run_prepare(s->runs[i], err) < 0) return -1;
    return amc_search_session_open_images(&s->session, err);
}

static int run_one(search *s, int i, amc_error *err) {
    const int *guess = i ? amc_budget_run_counts(s->runs[i - 1]) : NULL;
    int status = amc_budget_run_search(s->runs[i], guess, err);
    if (status >= 0 && !s->given->json) amc_budget_run_print(s->runs[i]);
    if (status != 0 || s->given->finetune == 0) return status;
    status = amc_budget_run_finetune(s->runs[i], err);
    s->unfinished = status == 1;
    return status;
}

static void print_json(const search *s, int n) {
    if (s->n == 1) {
        amc_cmd_print_json(amc_budget_run_json(s->runs[0]));
        return;
    }
    cJSON *json = cJSON_CreateObject(), *results = cJSON_AddArrayToObject(json, "results");
    for (int i = 0; i < n; i++)
        cJSON_AddItemToArray(results, cJSON_Duplicate(amc_budget_run_json(s->runs[i]), true));
    amc_cmd_print_json(json);
    cJSON_Delete(json);
}

static double number_of(const cJSON *json, const char *key) {
    return cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(json, key));
}

// What several budgets came to, side by side, on the held-out images.
static void print_front(const search *s, int n) {
    bool tuned = s->given->finetune > 0;
    printf("budget    FLOPs  parameters  accuracy%s\n", tuned ? "  fine-tuned" : "");
    for (int i = 0; i < n; i++) {
        const cJSON *json = amc_budget_run_json(s->runs[i]);
        printf("%5.1f%%  %6.2f%%  %9.2f%%  %7.2f%%", 100 * s->aims[i].budget[AMC_RESOURCE_MACS],
               100 * number_of(json, "macs") / number_of(json, "macs_before"),
               100 * number_of(json, "params") / number_of(json, "params_before"),
               100 * number_of(json, "accuracy"));
        if (tuned) printf("  %9.2f%%", 100 * number_of(json, "finetuned_accuracy"));
        printf("  %s\n", cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "cfg")));
    }
}

static int run(search *s, const amc_files_given *files, amc_error *err) {
    if (amc_search_session_open(&s->session, s->given, files->cfg, files->weights, err) < 0 ||
        open_runs(s, err) < 0 || prepare(s, err) < 0)
        return -1;
    if (!s->given->quiet) amc_search_session_print(&s->session);
    int status = 0, done = 0;
    while (done < s->n && status == 0) status = run_one(s, done++, err);
    if (status < 0) return -1;
    if (s->given->json)
        print_json(s, done);
    else if (s->n > 1)
        print_front(s, done);
    return 0;
}

int amc_cmd_search(int argc, char **argv) {
    amc_search_given given;
    amc_files_given files;
    amc_error err;
    int status = amc_search_options_parse(argc, argv, &given, &files, &err);
    if (status) return status > 0 ? 0 : amc_cmd_fail(&err);
    amc_cmd_use_threads(given.scorer.threads);
    search s = {.given = &given};
    status = run(&s, &files, &err);
    // The first made the folder that all are in.
    for (int i = s.n - 1; i >= 0; i--) amc_budget_run_free(s.runs[i]);
    amc_finishing_free(s.finishing);
    amc_search_session_close(&s.session);
    return status < 0 ? amc_cmd_fail(&err) : s.unfinished;
}
