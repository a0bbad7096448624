// Convolutions on the GPU by cuBLAS: patches of as many images as the workspace holds, and one
// batched product a call.

#include "host/gpu_engine.h"

#include "col2im.h"
#include "cuda.h"
#include "im2col.h"

#include <assert.h>
#include <stdbool.h>

#define MOST_BYTES ((size_t)1 << 28) // of patches, where one image doesn't need more

// ---- products -----------------------------------------------------------------------------------

// One matrix for each image and group.
typedef struct matrices {
    float *at;
    long long image, group; // floats from an image's matrix to the next, from a group's to the next
    int ld;                 // floats from row to row
    bool transposed;
} matrices;

static cublasOperation_t operation(matrices x) {
    return x.transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
}

// C (m, n) = A (m, k) B (k, n) + beta C. What there are more of, images or groups, goes in one
// call. cuBLAS counts by columns: it is given C^T = B^T A^T.
static void multiply(int images, int groups, int m, int n, int k, matrices a, matrices b,
                     float beta, matrices c) {
    bool by_image = images >= groups;
    int calls = by_image ? groups : images, count = by_image ? images : groups;
    float one = 1;
    for (int i = 0; i < calls; i++) {
        cublasStatus_t status = cublasSgemmStridedBatched(
            blas_handle(), operation(b), operation(a), n, m, k, &one,
            b.at + i * (by_image ? b.group : b.image), b.ld, by_image ? b.image : b.group,
            a.at + i * (by_image ? a.group : a.image), a.ld, by_image ? a.image : a.group, &beta,
            c.at + i * (by_image ? c.group : c.image), c.ld, by_image ? c.image : c.group, count);
        if (status != CUBLAS_STATUS_SUCCESS) error("cublasSgemmStridedBatched failed");
    }
}

// ---- shapes -------------------------------------------------------------------------------------

static int filters(const layer *l) { // of a group
    return l->n / l->groups;
}

static int taps(const layer *l) { // of a filter
    return l->c / l->groups * l->size * l->size;
}

static int pixels(const layer *l) {
    return l->out_h * l->out_w;
}

// The input is its own matrix of patches.
static bool is_plain(const layer *l) {
    return l->size == 1 && l->stride == 1 && l->pad == 0;
}

static size_t patch_floats(const layer *l) { // of an image
    return (size_t)l->groups * taps(l) * pixels(l);
}

// Images whose patches fit in the workspace.
static int images_at_once(const layer *l) {
    size_t fit = l->workspace_size / sizeof(float) / patch_floats(l);
    assert(is_plain(l) || fit > 0);
    return is_plain(l) || fit > (size_t)l->batch ? l->batch : (int)fit;
}

static matrices weights_of(const layer *l, float *weights, bool transposed) {
    return (matrices){weights, 0, (long long)filters(l) * taps(l), taps(l), transposed};
}

static matrices outputs_of(const layer *l, float *outputs, int image) {
    return (matrices){outputs + (size_t)image * l->outputs, l->outputs,
                      (long long)filters(l) * pixels(l), pixels(l), false};
}

static matrices patches_of(const layer *l, float *patches, bool transposed) {
    return (matrices){patches, (long long)patch_floats(l), (long long)taps(l) * pixels(l),
                      pixels(l), transposed};
}

// The patches of the input's images from `image` on.
static float *cut_patches(const layer *l, const network *net, int image, int images) {
    float *input = net->input_gpu + (size_t)image * l->inputs;
    if (is_plain(l)) return input;
    im2col_gpu(input, images * l->c, l->h, l->w, l->size, l->stride, l->pad, net->workspace);
    return net->workspace;
}

// ---- passes -------------------------------------------------------------------------------------

void amc_gpu_engine_convolve(const layer *l, const network *net, float *y) {
    int most = images_at_once(l);
    for (int i = 0; i < l->batch; i += most) {
        int images = l->batch - i < most ? l->batch - i : most;
        float *patches = cut_patches(l, net, i, images);
        multiply(images, l->groups, filters(l), pixels(l), taps(l),
                 weights_of(l, l->weights_gpu, false), patches_of(l, patches, false), 0,
                 outputs_of(l, y, i));
    }
}

/* G_w += G_y P^T, P the patches */
static void add_weight_gradient(const layer *l, const network *net, float *dy, int image,
                                int images) {
    matrices patches = patches_of(l, cut_patches(l, net, image, images), true);
    for (int i = 0; i < images; i++) {
        multiply(1, l->groups, filters(l), taps(l), pixels(l), outputs_of(l, dy, image + i),
                 patches, 1, weights_of(l, l->weight_updates_gpu, false));
        patches.at += patches.image;
    }
}

/* G_x += the pixels of W^T G_y put back where P took them */
static void add_input_gradient(const layer *l, const network *net, float *dy, int image,
                               int images) {
    float *delta = net->delta_gpu + (size_t)image * l->inputs;
    float *patches = is_plain(l) ? delta : net->workspace;
    multiply(images, l->groups, taps(l), pixels(l), filters(l), weights_of(l, l->weights_gpu, true),
             outputs_of(l, dy, image), is_plain(l) ? 1 : 0, patches_of(l, patches, false));
    if (!is_plain(l))
        col2im_gpu(patches, images * l->c, l->h, l->w, l->size, l->stride, l->pad, delta);
}

void amc_gpu_engine_add_gradients(const layer *l, const network *net, float *dy) {
    int most = images_at_once(l);
    for (int i = 0; i < l->batch; i += most) {
        int images = l->batch - i < most ? l->batch - i : most;
        add_weight_gradient(l, net, dy, i, images);
        if (net->delta_gpu) add_input_gradient(l, net, dy, i, images);
    }
}

// Room for the patches of all images, or of as many as MOST_BYTES hold; of one in any case.
size_t amc_gpu_engine_workspace(const layer *l) {
    if (is_plain(l)) return 0;
    size_t image = patch_floats(l) * sizeof(float), fit = MOST_BYTES / image;
    if (fit < 1) fit = 1;
    return image * (fit < (size_t)l->batch ? fit : (size_t)l->batch);
}
