#include "cmd/search_session.h"

#include "cmd/commands.h"
#include "model/cost_model.h"

#include <stdio.h>
#include <stdlib.h>

int amc_search_session_open(amc_search_session *session, const amc_search_given *given,
                            const char *cfg, const char *weights, amc_error *err) {
    *session = (amc_search_session){.given = given};
    session->network = amc_network_load(cfg, weights, AMC_WEIGHTS_TO_SCORE, err);
    if (!session->network ||
        (given->skip && amc_network_skip(session->network, given->skip, err) < 0))
        return -1;
    session->space = amc_network_space(session->network, given->scorer.repair.granularity);
    return 0;
}

int amc_search_session_measure(amc_search_session *session, amc_error *err) {
    const amc_search_given *o = session->given;
    const amc_latency_options options = {o->scorer.threads, o->aim.remeasure, o->quiet};
    return amc_running_open(&session->running, &o->aim, session->network, session->space, options,
                            err);
}

int amc_search_session_open_images(amc_search_session *session, amc_error *err) {
    const amc_search_given *o = session->given;
    session->scorer = amc_scorer_new(session->network, o->scorer, err);
    if (!session->scorer ||
        amc_chooser_open(&session->chooser, session->network, session->space,
                         &session->scorer->repair, o->aim.criterion, (uint64_t)o->seed, err) < 0)
        return -1;
    session->whole = amc_scorer_network(session->scorer);
    return 0;
}

void amc_search_session_close(amc_search_session *session) {
    amc_chooser_close(&session->chooser);
    amc_scorer_free(session->scorer);
    amc_running_close(&session->running);
    amc_prune_space_free(session->space);
    amc_network_free(session->network);
}

float amc_search_session_accuracy(const amc_search_session *session) {
    return amc_scorer_score(session->whole).accuracy;
}

static int count_decisions(const amc_prune_space *space) {
    int n = 0;
    for (int g = 0; g < space->n; g++) n += space->groups[g].prunable;
    return n;
}

void amc_search_session_print(const amc_search_session *session) {
    const amc_network *network = session->network;
    bool by_weights = session->space->granularity == AMC_GRANULARITY_WEIGHT;
    amc_scorer_print_held_out(session->scorer);
    fprintf(stderr, "%s: %s MACs, %s parameters, %d %s to decide\n", network->cfg_path,
            amc_cmd_count(amc_cost_macs(network->graph)),
            amc_cmd_count(amc_cost_params(network->graph)), count_decisions(session->space),
            by_weights ? "layers' weights" : "channel groups");
    fprintf(stderr, "accuracy %.2f%% on %d held-out training images\n",
            100.0 * session->whole.top1 / session->whole.images, session->whole.images);
}
