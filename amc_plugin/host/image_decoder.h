// stb_image, as Darknet has it, but for JPEGs that are damaged in ways that break what it asserts:
// those are no images, and the program goes on.

#ifndef AMC_HOST_IMAGE_DECODER_H
#define AMC_HOST_IMAGE_DECODER_H

#include <stb_image.h> // declarations; Darknet's image.c holds the functions

// The pixels (*h, *w, 3), new memory; NULL if there is no image. Any number of threads may call.
unsigned char *amc_image_decode(const stbi_io_callbacks *calls, void *user, int *w, int *h);
unsigned char *amc_image_decode_file(const char *path, int *w, int *h);

// Why this thread's last one was none. stb_image has one reason for all threads, or NULL.
const char *amc_image_decode_failure(void);

#endif
