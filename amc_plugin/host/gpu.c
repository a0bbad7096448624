#include "host/gpu.h"

#include "cuda.h"

static const char *const instead = "-nogpu computes on the CPU";
static int chosen = -1;

// Darknet's own main sets it once more; a test program has no such main.
__attribute__((constructor)) static void start_on_the_cpu(void) {
    gpu_index = -1;
}

void amc_gpu_choose(int index) {
    chosen = index;
}

int amc_gpu_chosen(void) {
    return chosen;
}

int amc_gpu_start(amc_error *err) {
    if (chosen < 0) gpu_index = -1;
    if (gpu_index == chosen) return 0;
    int driver = 0;
    cudaDriverGetVersion(&driver);
    if (driver == 0)
        return amc_error_set(err, "GPU %d can't be used: there is no NVIDIA driver here; %s",
                             chosen, instead);
    cudaError_t status = cudaSetDevice(chosen);
    if (status == cudaSuccess) status = cudaFree(NULL); // the first call that needs the device
    if (status != cudaSuccess)
        return amc_error_set(err, "GPU %d can't be used: %s; %s", chosen,
                             cudaGetErrorString(status), instead);
    gpu_index = chosen;
    return 0;
}

bool amc_gpu_started(void) {
    return gpu_index >= 0;
}

// ---- Darknet without a GPU ----------------------------------------------------------------------

// A Darknet built for GPUs asks for GPU memory even with -nogpu, in most layers' constructors and
// where it resizes a network, and dies where there is no GPU. Nobody reads these arrays then.

float *__real_cuda_make_array(float *x, size_t n);
int *__real_cuda_make_int_array(int *x, size_t n);
void __real_cuda_free(float *x_gpu);
void __real_cuda_set_device(int n);

float *__wrap_cuda_make_array(float *x, size_t n) {
    return gpu_index >= 0 ? __real_cuda_make_array(x, n) : NULL;
}

int *__wrap_cuda_make_int_array(int *x, size_t n) {
    return gpu_index >= 0 ? __real_cuda_make_int_array(x, n) : NULL;
}

// resize_network hands the workspace in, and frees it as the CPU's later.
void __wrap_cuda_free(float *x_gpu) {
    if (gpu_index >= 0) __real_cuda_free(x_gpu);
}

void __wrap_cuda_set_device(int n) {
    if (n >= 0)
        __real_cuda_set_device(n);
    else
        gpu_index = n;
}

// ---- Darknet with new toolkits ------------------------------------------------------------------

// CUDA 13 dropped the old name, which Darknet's timing of GEMM calls.
cudaError_t cudaThreadSynchronize(void) {
    return cudaDeviceSynchronize();
}
