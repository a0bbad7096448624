#include "cmd/repair.h"

#include "host/elimination.h"
#include "host/lasso_choice.h"
#include "host/weight_elimination.h"
#include "model/importance.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static amc_dataset *load_images(const amc_data_file *data, int n, const char *why,
                                amc_repair_options o, amc_error *err) {
    if (!o.quiet) fprintf(stderr, "loading %d training images %s\n", n, why);
    return amc_dataset_load(data, AMC_DATASET_TRAIN, n, o.seed, o.threads, err);
}

static int open_grams(amc_repair *repair, const amc_network *network, const amc_data_file *data,
                      amc_repair_options o, amc_error *err) {
    amc_dataset *images = load_images(data, o.reconstruct, "to reconstruct weights from", o, err);
    if (!images) return -1;
    bool channels = o.granularity == AMC_GRANULARITY_CHANNEL;
    repair->grams = amc_grams_new(network->cfg_path, network->graph,
                                  channels ? network->groups : NULL, network->weights, images, err);
    amc_dataset_free(images);
    return repair->grams ? 0 : -1;
}

static int open_calibrator(amc_repair *repair, const amc_network *network,
                           const amc_data_file *data, amc_repair_options o, amc_error *err) {
    amc_dataset *images =
        load_images(data, o.calibrate, "to re-estimate batch normalization on", o, err);
    if (!images) return -1;
    repair->calibrator =
        amc_calibrator_new(network->cfg_path, network->graph, images, AMC_CALIBRATOR_BYTES, err);
    amc_dataset_free(images);
    return repair->calibrator ? 0 : -1;
}

int amc_repair_open(amc_repair *repair, const amc_network *network, const amc_data_file *data,
                    amc_repair_options options, amc_error *err) {
    *repair = (amc_repair){0};
    if (options.calibrate == 1)
        return amc_error_set(err, "-calibrate 1, expected at least 2 images, or 0");
    if (options.reconstruct && open_grams(repair, network, data, options, err) < 0) return -1;
    if (options.calibrate && open_calibrator(repair, network, data, options, err) < 0) {
        amc_repair_close(repair);
        return -1;
    }
    return 0;
}

void amc_repair_close(amc_repair *repair) {
    amc_grams_free(repair->grams);
    amc_calibrator_free(repair->calibrator);
    *repair = (amc_repair){0};
}

amc_refit *amc_repair_refit_new(const amc_network *network, const amc_data_file *data,
                                amc_repair_options o, amc_error *err) {
    amc_dataset *images = load_images(data, o.refit, "to refit on", o, err);
    if (!images) return NULL;
    amc_refit *refit = amc_refit_new(network->cfg_path, network->graph, network->groups,
                                     network->weights, images, err);
    amc_dataset_free(images);
    return refit;
}

static int check_images(const amc_repair *repair, const char *criterion, amc_error *err) {
    if (repair->grams) return 0;
    return amc_error_set(
        err, "-criterion %s takes the images of -reconstruct, expected more than 0", criterion);
}

double *amc_repair_importance(const amc_repair *repair, const amc_network *network,
                              const char *criterion, uint64_t seed, double *loss, amc_error *err) {
    if (!criterion) criterion = repair->grams ? "obs" : "bn";
    bool obs = strcmp(criterion, "obs") == 0, lasso = strcmp(criterion, "lasso") == 0;
    if ((obs || lasso) && check_images(repair, criterion, err) < 0) return NULL;
    int plain = obs || lasso ? AMC_CRITERION_BN : amc_criterion_find(criterion);
    assert(plain >= 0); // see cmd/aim
    double *score = amc_importance_new(network->graph, network->groups, network->weights,
                                       (amc_criterion)plain, seed);
    if (obs) amc_elimination_score(repair->grams, score, loss);
    if (lasso) amc_lasso_choice_score(repair->grams, score);
    return score;
}

amc_weights *amc_repair_weight_importance(const amc_repair *repair, const amc_network *network,
                                          const char *criterion, amc_error *err) {
    if (!criterion) criterion = repair->grams ? "obs" : "l1";
    bool obs = strcmp(criterion, "obs") == 0;
    if (obs && check_images(repair, criterion, err) < 0) return NULL;
    amc_weights *scores = amc_weights_copy(network->weights);
    if (obs) amc_weight_elimination_score(repair->grams, scores);
    return scores;
}
