#include "cmd/report_page.h"

#include "base/files.h"
#include "base/memory.h"
#include "cmd/commands.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char STYLE[] =
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;"
    "color:#222}\n"
    "h1{font-size:1.6rem;line-height:1.2}h2{font-size:1.2rem;margin-top:2.5rem}\n"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums}\n"
    "th,td{padding:.25rem .9rem .25rem 0;border-bottom:1px solid #ddd;text-align:right}\n"
    "th:first-child,td:first-child,.text{text-align:left}th{font-weight:600}\n"
    "img{width:100%;height:auto}figure{margin:1rem 0}\n"
    "pre{background:#f5f5f5;padding:.8rem 1rem;overflow-x:auto;font-size:.85rem}\n"
    ".bar{display:inline-block;height:.7em;width:calc(var(--left)*6rem);background:#2c6fbb}\n"
    "@media(max-width:40rem){.bar{width:calc(var(--left)*3rem)}}\n"
    "@media(prefers-color-scheme:dark){body{background:#181818;color:#ddd}"
    "pre{background:#262626}th,td{border-color:#444}img{filter:invert(.9) hue-rotate(180deg)}}\n";

// Text in which nothing is markup.
static void put(FILE *page, const char *text) {
    for (; text && *text; text++) {
        const char *name = *text == '&'   ? "&amp;"
                           : *text == '<' ? "&lt;"
                           : *text == '>' ? "&gt;"
                           : *text == '"' ? "&quot;"
                                          : NULL;
        if (name)
            fputs(name, page);
        else
            fputc(*text, page);
    }
}

static void put_base64(FILE *page, const unsigned char *bytes, size_t n) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        unsigned three = (unsigned)bytes[i] << 16 | (i + 1 < n ? (unsigned)bytes[i + 1] << 8 : 0) |
                         (i + 2 < n ? bytes[i + 2] : 0);
        fputc(digits[three >> 18], page);
        fputc(digits[three >> 12 & 63], page);
        fputc(i + 1 < n ? digits[three >> 6 & 63] : '=', page);
        fputc(i + 2 < n ? digits[three & 63] : '=', page);
    }
}

// ---- what it costs and what it is worth ---------------------------------------------------------

static void put_row(FILE *page, const char *what, double before, double after, const char *unit) {
    if (isnan(before) || isnan(after)) return;
    fprintf(page,
            "<tr><td>%s</td><td>%s%s</td><td>%s%s</td><td>%.1f%%</td><td>%.2f&times; less</td>"
            "</tr>\n",
            what, amc_cmd_count((int64_t)before), unit, amc_cmd_count((int64_t)after), unit,
            100 * after / before, before / after);
}

static void put_accuracy(FILE *page, const char *what, double before, double after) {
    if (isnan(before) || isnan(after)) return;
    fprintf(page,
            "<tr><td>%s</td><td>%.2f%%</td><td>%.2f%%</td><td></td><td>%+.2f points</td></tr>\n",
            what, 100 * before, 100 * after, 100 * (after - before));
}

static void put_summary(FILE *page, const amc_result_file *r) {
    fputs("<table>\n<tr><th></th><th>before</th><th>after</th><th>left</th><th></th></tr>\n", page);
    put_row(page, "multiply-accumulates", r->macs_before, r->macs, "");
    put_row(page, r->by_weights ? "parameters that are not zero" : "parameters", r->params_before,
            r->params, "");
    put_row(page, r->by_weights ? "weights file, compressed" : "weights file", r->bytes_before,
            r->bytes, "B");
    if (!isnan(r->latency_ms))
        fprintf(page,
                "<tr><td>an image, measured</td><td>%.3f ms</td><td>%.3f ms</td><td>%.1f%%</td>"
                "<td>%.2f&times; faster</td></tr>\n",
                r->latency_before_ms, r->latency_ms, 100 * r->latency_ms / r->latency_before_ms,
                r->latency_before_ms / r->latency_ms);
    put_accuracy(page, "accuracy, before fine-tuning", r->accuracy_before, r->accuracy);
    put_accuracy(page, "accuracy, after fine-tuning", r->accuracy_before, r->finetuned_accuracy);
    put_accuracy(page, "on the test set, before and after fine-tuning", r->test_accuracy,
                 r->finetuned_test_accuracy);
    fputs("</table>\n", page);
    if (!isnan(r->accuracy) || !isnan(r->finetuned_accuracy))
        fputs("<p>Accuracy is top-1, on training images that were held out where nothing else is "
              "said.</p>\n",
              page);
    if (r->accuracy_in_search != r->accuracy && !isnan(r->accuracy_in_search))
        fprintf(
            page,
            "<p>The search's plan had %.2f%%; then its weights were refitted. The pictures have "
            "plans as the search saw them.</p>\n",
            100 * r->accuracy_in_search);
}

static void put_references(FILE *page, const amc_result_file *r) {
    if (!r->n_references) return;
    fputs("<h2>Beside policies made by hand</h2>\n<table>\n"
          "<tr><th>policy</th><th>MACs</th><th>parameters</th><th>accuracy</th></tr>\n",
          page);
    for (int i = 0; i < r->n_references; i++) {
        const amc_result_reference *reference = &r->references[i];
        fputs("<tr><td>", page);
        put(page, reference->policy);
        fprintf(page, "</td><td>%.1f%%</td><td>%.1f%%</td><td>%.2f%%</td></tr>\n",
                100 * reference->macs / r->macs_before, 100 * reference->params / r->params_before,
                100 * reference->accuracy);
    }
    fprintf(page, "<tr><td>the search</td><td>%.1f%%</td><td>%.1f%%</td><td>%.2f%%</td></tr>\n",
            100 * r->macs / r->macs_before, 100 * r->params / r->params_before, 100 * r->accuracy);
    fputs("</table>\n", page);
}

// ---- the rest -----------------------------------------------------------------------------------

static int put_picture(FILE *page, const amc_report_picture *picture, amc_error *err) {
    size_t length;
    char *bytes = amc_files_read(picture->path, &length, err);
    if (!bytes) return -1;
    fputs("<figure><img alt=\"", page);
    put(page, picture->what);
    fputs("\" src=\"data:image/png;base64,", page);
    put_base64(page, (const unsigned char *)bytes, length);
    fputs("\"></figure>\n", page);
    free(bytes);
    return 0;
}

static void put_layers(FILE *page, const amc_result_file *r) {
    fprintf(page,
            "<h2>Layers</h2>\n<table>\n<tr><th>layer</th><th class=\"text\">type</th>"
            "<th>%s before</th><th>after</th><th>left</th><th></th></tr>\n",
            r->by_weights ? "weights" : "channels");
    for (int i = 0; i < r->n_layers; i++) {
        const amc_result_layer *layer = &r->layers[i];
        double left = layer->after / layer->before;
        fprintf(page, "<tr><td>%d</td><td class=\"text\">", layer->layer);
        put(page, layer->type);
        fprintf(page,
                "</td><td>%.0f</td><td>%.0f</td><td>%.0f%%</td>"
                "<td class=\"text\"><span class=\"bar\" style=\"--left:%.3f\"></span></td></tr>\n",
                layer->before, layer->after, 100 * left, left);
    }
    fputs("</table>\n", page);
}

static void put_commands(FILE *page, const amc_result_file *r) {
    fputs("<h2>How it was made</h2>\n<pre>", page);
    put(page, r->command);
    fputs("</pre>\n<p>From ", page);
    put(page, r->original_cfg);
    fputs(" and ", page);
    put(page, r->original_weights);
    fputs("; the result is ", page);
    put(page, r->cfg);
    fputs(" and ", page);
    put(page, r->weights);
    if (r->finetuned_weights) {
        fputs(", or fine-tuned ", page);
        put(page, r->finetuned_weights);
    }
    fputs(".</p>\n", page);
}

static int put_page(FILE *page, const amc_result_file *r, const amc_report_picture *pictures, int n,
                    amc_error *err) {
    fputs("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
          page);
    put(page, r->cfg);
    fprintf(page, "</title>\n<style>\n%s</style>\n</head>\n<body>\n<h1>", STYLE);
    put(page, r->original_cfg);
    fprintf(page, ": %.0f%% of the %s left</h1>\n",
            100 * (r->by_weights ? r->params / r->params_before : r->macs / r->macs_before),
            r->by_weights ? "parameters" : "multiply-accumulates");
    put_summary(page, r);
    put_references(page, r);
    for (int i = 0; i < n; i++)
        if (put_picture(page, &pictures[i], err) < 0) return -1;
    put_layers(page, r);
    put_commands(page, r);
    fputs("</body>\n</html>\n", page);
    return 0;
}

int amc_report_page_write(const amc_result_file *result, const amc_report_picture *pictures,
                          int n_pictures, const char *path, amc_error *err) {
    char *text = NULL;
    size_t length = 0;
    FILE *page = amc_memory_stream(&text, &length);
    int status = put_page(page, result, pictures, n_pictures, err);
    amc_memory_stream_close(page);
    if (status == 0) status = amc_files_write(path, text, length, err);
    free(text);
    return status;
}
