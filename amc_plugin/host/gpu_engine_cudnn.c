// Convolutions on the GPU by cuDNN 9, whose calls for whole layers are those that Darknet knew, but
// for how an algorithm is chosen.
//
// A layer's descriptors and algorithms depend on its shape alone and are kept in a table: layers
// travel by value, and the shapes of a search's plans come and go.

#include "host/gpu_engine.h"

#include "kernels/gpu_room.h"

#include "cuda.h"

#include <cudnn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define MOST_BYTES ((size_t)1 << 28) // of workspace

typedef struct shape {
    int batch, c, h, w, n, size, stride, pad, groups, out_h, out_w;
    int train;
} shape;

typedef struct plan {
    shape shape;
    cudnnTensorDescriptor_t x, y; // (batch, c, h, w), (batch, n, out_h, out_w)
    cudnnFilterDescriptor_t weights;
    cudnnConvolutionDescriptor_t convolution;
    cudnnConvolutionFwdAlgo_t forward;
    cudnnConvolutionBwdFilterAlgo_t by_weights;
    cudnnConvolutionBwdDataAlgo_t by_input;
    size_t bytes; // of workspace that the algorithms need
} plan;

enum { PLANS = 512 };
static plan plans[PLANS];
static int n_plans, oldest;

static void check(cudnnStatus_t status, const char *what) {
    if (status == CUDNN_STATUS_SUCCESS) return;
    fprintf(stderr, "cuDNN: %s: %s\n", what, cudnnGetErrorString(status));
    error("cuDNN failed");
}

static cudnnHandle_t handle(void) {
    static cudnnHandle_t made;
    if (!made) check(cudnnCreate(&made), "it can't be started");
    return made;
}

// ---- plans --------------------------------------------------------------------------------------

static void describe_tensor(cudnnTensorDescriptor_t *t, int n, int c, int h, int w) {
    check(cudnnCreateTensorDescriptor(t), "tensor");
    check(cudnnSetTensor4dDescriptor(*t, CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT, n, c, h, w),
          "tensor");
}

// Training may round products' factors to TF32, as other frameworks do; inference doesn't.
static void describe(plan *p) {
    const shape *s = &p->shape;
    describe_tensor(&p->x, s->batch, s->c, s->h, s->w);
    describe_tensor(&p->y, s->batch, s->n, s->out_h, s->out_w);
    check(cudnnCreateFilterDescriptor(&p->weights), "filters");
    check(cudnnSetFilter4dDescriptor(p->weights, CUDNN_DATA_FLOAT, CUDNN_TENSOR_NCHW, s->n,
                                     s->c / s->groups, s->size, s->size),
          "filters");
    check(cudnnCreateConvolutionDescriptor(&p->convolution), "convolution");
    check(cudnnSetConvolution2dDescriptor(p->convolution, s->pad, s->pad, s->stride, s->stride, 1,
                                          1, CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT),
          "convolution");
    check(cudnnSetConvolutionGroupCount(p->convolution, s->groups), "groups");
    check(
        cudnnSetConvolutionMathType(p->convolution, s->train ? CUDNN_DEFAULT_MATH : CUDNN_FMA_MATH),
        "kind of products");
}

// Takes `preferred` of what was found, else the first, if it works within MOST_BYTES. The preferred
// ones are implicit products; cuDNN's own order puts transforms before them that take three times
// as long on layers of few channels.
#define TAKE(found, n, preferred, algorithm, p)                                                    \
    do {                                                                                           \
        int best = -1;                                                                             \
        for (int i = 0; i < (n); i++) {                                                            \
            bool works =                                                                           \
                (found)[i].status == CUDNN_STATUS_SUCCESS && (found)[i].memory <= MOST_BYTES;      \
            if (works && (best < 0 || (found)[i].algo == (preferred))) best = i;                   \
        }                                                                                          \
        if (best < 0) error("cuDNN: no algorithm for this convolution");                           \
        (algorithm) = (found)[best].algo;                                                          \
        if ((found)[best].memory > (p)->bytes) (p)->bytes = (found)[best].memory;                  \
    } while (0)

enum { MOST_FOUND = 16 };

static void choose_forward(plan *p) {
    cudnnConvolutionFwdAlgoPerf_t found[MOST_FOUND];
    int n;
    check(cudnnGetConvolutionForwardAlgorithm_v7(handle(), p->x, p->weights, p->convolution, p->y,
                                                 MOST_FOUND, &n, found),
          "forward algorithms");
    TAKE(found, n, CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, p->forward, p);
}

static void choose_by_weights(plan *p) {
    cudnnConvolutionBwdFilterAlgoPerf_t found[MOST_FOUND];
    int n;
    check(cudnnGetConvolutionBackwardFilterAlgorithm_v7(handle(), p->x, p->y, p->convolution,
                                                        p->weights, MOST_FOUND, &n, found),
          "algorithms of the gradient by weights");
    TAKE(found, n, CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1, p->by_weights, p);
}

static void choose_by_input(plan *p) {
    cudnnConvolutionBwdDataAlgoPerf_t found[MOST_FOUND];
    int n;
    check(cudnnGetConvolutionBackwardDataAlgorithm_v7(handle(), p->weights, p->y, p->convolution,
                                                      p->x, MOST_FOUND, &n, found),
          "algorithms of the gradient by the input");
    TAKE(found, n, CUDNN_CONVOLUTION_BWD_DATA_ALGO_1, p->by_input, p);
}

static void release(plan *p) {
    cudnnDestroyTensorDescriptor(p->x);
    cudnnDestroyTensorDescriptor(p->y);
    cudnnDestroyFilterDescriptor(p->weights);
    cudnnDestroyConvolutionDescriptor(p->convolution);
    *p = (plan){0};
}

static void make(plan *p) {
    describe(p);
    choose_forward(p);
    if (!p->shape.train) return;
    choose_by_weights(p);
    choose_by_input(p);
}

static shape shape_of(const layer *l, bool train) {
    shape s;
    memset(&s, 0, sizeof s); // compared byte by byte
    s.batch = l->batch, s.c = l->c, s.h = l->h, s.w = l->w, s.n = l->n, s.size = l->size;
    s.stride = l->stride, s.pad = l->pad, s.groups = l->groups;
    s.out_h = l->out_h, s.out_w = l->out_w, s.train = train;
    return s;
}

static const plan *plan_of(const layer *l, bool train) {
    shape s = shape_of(l, train);
    for (int i = 0; i < n_plans; i++)
        if (!memcmp(&plans[i].shape, &s, sizeof s)) return &plans[i];
    plan *p = &plans[n_plans];
    if (n_plans < PLANS) {
        n_plans++;
    } else {
        p = &plans[oldest];
        oldest = (oldest + 1) % PLANS;
        release(p);
    }
    p->shape = s;
    make(p);
    return p;
}

// ---- convolution --------------------------------------------------------------------------------

size_t amc_gpu_engine_workspace(const layer *l) {
    (void)l;
    return 0; // kernels/gpu_room has it: a smaller shape may need more than a larger one
}

// Of a network that has gradients.
static bool trains(const layer *l, const network *net) {
    return net->train && l->delta_gpu;
}

void amc_gpu_engine_convolve(const layer *l, const network *net, float *y) {
    const plan *p = plan_of(l, trains(l, net));
    float one = 1, zero = 0;
    check(cudnnConvolutionForward(handle(), &one, p->x, net->input_gpu, p->weights, l->weights_gpu,
                                  p->convolution, p->forward, amc_gpu_room(p->bytes), p->bytes,
                                  &zero, p->y, y),
          "convolution");
}

void amc_gpu_engine_add_gradients(const layer *l, const network *net, float *dy) {
    const plan *p = plan_of(l, true);
    float one = 1;
    check(cudnnConvolutionBackwardFilter(handle(), &one, p->x, net->input_gpu, p->y, dy,
                                         p->convolution, p->by_weights, amc_gpu_room(p->bytes),
                                         p->bytes, &one, p->weights, l->weight_updates_gpu),
          "gradient by weights");
    if (!net->delta_gpu) return;
    check(cudnnConvolutionBackwardData(handle(), &one, p->weights, l->weights_gpu, p->y, dy,
                                       p->convolution, p->by_input, amc_gpu_room(p->bytes),
                                       p->bytes, &one, p->x, net->delta_gpu),
          "gradient by the input");
}
