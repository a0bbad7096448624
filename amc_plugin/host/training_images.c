#include "host/training_images.h"

#include "base/memory.h"
#include "host/hooks.h"
#include "host/image_cache.h"
#include "kernels/augment.h"

#include <image.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>
#include <utils.h>

static amc_image_cache *images; // once training has begun; Darknet's loaders share it

pthread_t __real_load_data(load_args args);
image __real_load_image_color(char *path, int w, int h);
image __real_random_augment_image(image im, float angle, float aspect, int low, int high, int w,
                                  int h);
void __real_random_distort_image(image im, float hue, float saturation, float exposure);

// One waits for a file while another computes. Darknet's 32 for every batch take longer to start
// than small images to load.
static int loaders(int wanted) {
    long most = 2 * sysconf(_SC_NPROCESSORS_ONLN);
    return most > 0 && wanted > most ? (int)most : wanted;
}

// Starts the loading of one batch. Drawn from a list of m paths, images come again.
pthread_t __wrap_load_data(load_args args) {
    if (amc_hooks_enabled()) args.threads = loaders(args.threads);
    if (amc_hooks_enabled() && args.m > 0 && !images)
        images = amc_image_cache_new(amc_image_cache_budget());
    return __real_load_data(args);
}

image __wrap_load_image_color(char *path, int w, int h) {
    image im = {.c = 3};
    if (amc_hooks_enabled() && images && !w && !h)
        im.data = amc_image_cache_load(images, path, &im.h, &im.w);
    return im.data ? im : __real_load_image_color(path, w, h); // which says what is wrong with it
}

// ---- augmentation -------------------------------------------------------------------------------

static atomic_long varied = LONG_MAX; // images that are still to be scaled

void amc_training_images_settle_after(long n) {
    varied = n;
}

// Asked once for each image; all loaders share the count.
static bool settles(void) {
    return varied < LONG_MAX && varied-- <= 0;
}

// Both draw the same random numbers as Darknet's, in the same order.
image __wrap_random_augment_image(image im, float angle, float aspect, int low, int high, int w,
                                  int h) {
    if (settles()) angle = 0, aspect = 1, low = high = w;
    if (!amc_hooks_enabled())
        return __real_random_augment_image(im, angle, aspect, low, high, w, h);
    augment_args a = random_augment_args(im, angle, aspect, low, high, w, h);
    amc_augment_view view = {a.rad, a.scale, a.aspect, a.dx, a.dy};
    image crop = make_empty_image(w, h, im.c);
    crop.data = amc_memory_resize(NULL, (size_t)w * h * im.c, sizeof *crop.data);
    amc_augment_crop(&view, im.c, im.h, im.w, im.data, h, w, crop.data);
    return crop;
}

void __wrap_random_distort_image(image im, float hue, float saturation, float exposure) {
    if (varied < 0) hue = 0, saturation = exposure = 1;
    if (amc_hooks_enabled() && im.c == 3) {
        float turn = rand_uniform(-hue, hue);
        float by_saturation = rand_scale(saturation), by_exposure = rand_scale(exposure);
        amc_augment_distort(im.data, (size_t)im.w * im.h, turn, by_saturation, by_exposure);
    } else {
        __real_random_distort_image(im, hue, saturation, exposure);
    }
}
