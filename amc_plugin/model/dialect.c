// The tables list what AlexeyAB/darknet reads (its src/parser.c at commit 0d0144e2; the activations
// by src-lib/activations.cpp of its successor hank-ai/darknet), less what this Darknet's
// src/parser.c reads in the same section, and less what its own cfg/ holds there.

#include "model/dialect.h"

#include <stdbool.h>
#include <string.h>

#define COUNT(table) (sizeof table / sizeof *table)

// Lists below are words divided by blanks: no section, key or value holds a blank.

typedef struct key_rule {
    const char *sections; // NULL: every section but the first, [net]
    const char *keys;
} key_rule;

typedef struct value_rule {
    const char *sections;
    const char *key;
    const char *values;
} value_rule;

// The last line is of WongKinYiu's yolor, which reads .cfg files in Python; so is silu below.
static const char foreign_sections[] =
    "scale_channels sam implicit local_avg local_avgpool reorg3d empty silence "
    "Gaussian_yolo contrastive conv_lstm history "
    "implicit_add implicit_mul shift_channels control_channels";

// hidden= in [rnn] isn't among them, since rnn.cfg of this Darknet has it.
static const key_rule foreign_keys[] = {
    {"net network",
     "flip blur gaussian_noise mixup cutmix mosaic mosaic_bound letter_box resize_step "
     "label_smooth_eps ema_alpha adversarial_lr attention unsupervised "
     "contrastive contrastive_jit_flip contrastive_color "
     "learning_rate_min sgdr_cycle sgdr_mult seq_scales sequential_subdivisions "
     "track augment_speed try_fix_nan weights_reject_freq equidistant_point "
     "badlabels_rejection_percentage num_sigmas_reject_badlabels "
     "loss_scale dynamic_minibatch optimized_memory workspace_size_limit_MB use_cuda_graph "
     "max_chart_loss show_receptive_field"},
    {NULL, "clip dont_update burnin_update train_only_bn"}, // clip= in [net] is this Darknet's too
    {"convolutional conv",
     "stride_x stride_y dilation antialiasing share_index assisted_excitation cbn bin_output "
     "sway rotate stretch stretch_sway angle grad_centr reverse coordconv stream wait_stream"},
    {"maxpool max",
     "stride_x stride_y maxpool_depth out_channels antialiasing maxpool_zero_nonmax"},
    {"dropout", "dropblock dropblock_size_rel dropblock_size_abs"},
    {"route", "groups group_id stream wait_stream"},
    {"shortcut", "weights_type weights_normalization"},
    {"yolo",
     "scale_x_y new_coords iou_loss iou_thresh iou_thresh_kind iou_normalizer obj_normalizer "
     "cls_normalizer delta_normalizer max_delta label_smooth_eps objectness_smooth focal_loss "
     "counters_per_class nms_kind beta_nms resize show_details embedding_layer sim_thresh "
     "track_history_size track_ciou_norm dets_for_track dets_for_show"},
    {"region", "focal_loss resize"},
    {"detection", "resize"},
    {"rnn", "logistic"},
    {"crnn", "output hidden size stride dilation pad padding groups xnor"},
};

static const value_rule foreign_values[] = {
    {"net network", "policy", "sgdr"},
    {"convolutional conv deconvolutional deconv connected conn local shortcut activation rnn crnn",
     "activation",
     "mish hard_mish swish silu relu6 gelu revleaky normalize_channels "
     "normalize_channels_softmax normalize_channels_softmax_maxval"},
};

// All that this Darknet's src/parser.c looks up, in any section, and what its own cfg/ holds
// besides.
static const char own_keys[] =
    "B1 B2 absolute activation adam alpha anchors angle aspect background batch "
    "batch_normalize beta bias_match binary burn_in center channels class_scale "
    "classes classfix clip coord_scale coords crop_height crop_width decay dontload "
    "dontloadscales dontsave dot eps exposure extra filters flatten flip flipped "
    "forced from gamma groups height hidden_filters hue ids ignore_thresh inputs "
    "jitter kappa layers learning_rate log map mask mask_scale max max_batches "
    "max_crop max_ratio min_crop min_ratio momentum noadjust noloss noobj "
    "noobject_scale notruth num numload object_scale onlyforward output "
    "output_filters pad padding policy power probability random ratio reorg rescore "
    "reverse saturation scale scales shift shortcut side size smooth softmax spatial "
    "sqrt step steps stopbackward stride subdivisions tanh temperature thresh "
    "time_steps tree truth truth_thresh type width xnor"
    " hidden seen";

static bool has_word(const char *list, const char *word) {
    size_t length = strlen(word);
    for (const char *at = list; (at = strstr(at, word)); at += length)
        if ((at == list || at[-1] == ' ') && (at[length] == ' ' || !at[length])) return true;
    return false;
}

static bool is_foreign_key(const amc_cfg_text *cfg, const amc_cfg_line *line) {
    const char *type = cfg->sections[line->section].type;
    for (size_t i = 0; i < COUNT(foreign_keys); i++) {
        const key_rule *rule = &foreign_keys[i];
        bool applies = rule->sections ? has_word(rule->sections, type) : line->section > 0;
        if (applies && has_word(rule->keys, line->key)) return true;
    }
    return false;
}

static bool is_foreign_value(const amc_cfg_text *cfg, const amc_cfg_line *line) {
    const char *type = cfg->sections[line->section].type;
    // Nobody reads a key's second line.
    if (amc_cfg_text_get(cfg, line->section, line->key) != line->value) return false;
    // This Darknet would add the first layer of the list and leave the others out.
    if (strcmp(type, "shortcut") == 0 && strcmp(line->key, "from") == 0 && strchr(line->value, ','))
        return true;
    for (size_t i = 0; i < COUNT(foreign_values); i++) {
        const value_rule *rule = &foreign_values[i];
        if (has_word(rule->sections, type) && strcmp(line->key, rule->key) == 0 &&
            has_word(rule->values, line->value))
            return true;
    }
    return false;
}

int amc_dialect_check(const amc_cfg_text *cfg, amc_error *err) {
    for (int i = 0; i < cfg->n_lines; i++) {
        const amc_cfg_line *line = &cfg->lines[i];
        if (line->section < 0) continue; // a comment above [net]
        const amc_cfg_section *section = &cfg->sections[line->section];
        if (section->line == i && has_word(foreign_sections, section->type))
            return amc_error_set(err,
                                 "%s:%d: [%s] is a layer of other forks of Darknet only; this "
                                 "Darknet doesn't have it",
                                 cfg->path, i + 1, section->type);
        if (line->key && (is_foreign_key(cfg, line) || is_foreign_value(cfg, line)))
            return amc_error_set(err,
                                 "%s:%d: %s=%s in [%s] is read by other forks of Darknet only; "
                                 "this Darknet doesn't have it",
                                 cfg->path, i + 1, line->key, line->value, section->type);
    }
    return 0;
}

int amc_dialect_unread(const amc_cfg_text *cfg, int from) {
    while (from < cfg->n_lines &&
           (!cfg->lines[from].key || has_word(own_keys, cfg->lines[from].key)))
        from++;
    return from;
}
