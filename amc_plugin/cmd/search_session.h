// What searches of a network have in common, whatever their budgets: the network, the images that
// its plans are scored on, and what is known of its channels or weights.

#ifndef AMC_CMD_SEARCH_SESSION_H
#define AMC_CMD_SEARCH_SESSION_H

#include "cmd/chooser.h"
#include "cmd/running.h"
#include "cmd/search_options.h"

typedef struct amc_search_session {
    const amc_search_given *given; // borrowed
    amc_network *network;
    amc_prune_space *space;
    amc_running running; // times, where they are budgeted
    amc_scorer *scorer;  // NULL until the images are open
    amc_chooser chooser;
    amc_accuracy whole; // of the network before anything is cut
} amc_search_session;

// Reads the network. -1 with err set; to be closed in any case.
int amc_search_session_open(amc_search_session *session, const amc_search_given *given,
                            const char *cfg, const char *weights, amc_error *err);

// Takes the times of its layers, where a budget needs them. -1 with err set.
int amc_search_session_measure(amc_search_session *session, amc_error *err);

// Decodes the images and scores the whole network on them. -1 with err set.
int amc_search_session_open_images(amc_search_session *session, amc_error *err);

void amc_search_session_close(amc_search_session *session);

// Share of the images that the whole network is right on.
float amc_search_session_accuracy(const amc_search_session *session);

// Prints what is going to be searched, on stderr.
void amc_search_session_print(const amc_search_session *session);

#endif
