// Training that settles: from some image on, images are as validation sees them.

#include "host/fixture.h"
#include "host/hooks.h"
#include "host/training_images.h"

#include <image.h>
#include <limits.h>

enum { SIDE = 12 };

static image random_image(void) {
    amc_rng rng;
    amc_rng_init(&rng, 7);
    image im = make_image(SIDE, SIDE, 3);
    fixture_randomize(&rng, im.data, SIDE * SIDE * 3, 0, 1);
    return im;
}

static double largest_change(image im, image changed) {
    double worst = 0;
    for (int i = 0; i < SIDE * SIDE * 3; i++)
        worst = fmax(worst, fabs((double)im.data[i] - changed.data[i]));
    return worst;
}

// How far the loader's next view of an image is from the image; colours as well.
static double next_view(image im) {
    image view = random_augment_image(im, 10, .75, SIDE / 2, 2 * SIDE, SIDE, SIDE);
    random_distort_image(view, .2, 1.5, 1.5);
    double change = largest_change(im, view);
    free_image(view);
    return change;
}

static void check_settling(bool hooks) {
    amc_hooks_enable(hooks);
    image im = random_image();
    srand(3);
    amc_training_images_settle_after(2);
    assert_true(next_view(im) > 0.1);
    assert_true(next_view(im) > 0.1);
    for (int i = 0; i < 3; i++) assert_true(next_view(im) < 1e-5);
    amc_training_images_settle_after(LONG_MAX);
    assert_true(next_view(im) > 0.1);
    free_image(im);
}

static void images_are_as_in_validation(void **state) {
    (void)state;
    check_settling(true);
    check_settling(false);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(images_are_as_in_validation)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
