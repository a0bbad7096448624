// The images that Darknet's training loop loads. Those it has decoded are kept (see image_cache.h)
// and changed with kernels/augment, by the random numbers that Darknet draws, unless hooks are off
// (see hooks.h).
//
// Darknet crops training images at random scales, min_crop to max_crop, while validation scales the
// short side to the network's: a network that has only ever seen resampled pixels is tested on
// others (Touvron et al. 2019, "Fixing the train-test resolution discrepancy"). Training that
// settles ends on images as validation sees them, but for mirroring and where they are cropped.

#ifndef AMC_HOST_TRAINING_IMAGES_H
#define AMC_HOST_TRAINING_IMAGES_H

// After so many images from now on, none is scaled, turned, stretched or coloured.
void amc_training_images_settle_after(long images);

#endif
