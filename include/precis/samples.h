/* precis/samples.h - samples for nets: where the inputs of calibration and evaluation come from.
 *
 * A source is "FILE" or "NAME=FILE", split at the first '=', NAME one of the net's inputs (without: its only one):
 *   x.npy            samples along the first dimension
 *   x.npz            the same, an array for each input by its name
 *   folder of .npz   a file is a sample: an array for each input, with or without a first dimension of 1
 *   folder of images PNG and JPEG, also in one folder for each class; resized, cropped, scaled
 * Several sources of one input stand after one another.
 * Threads: as the context. */
#ifndef PRECIS_SAMPLES_H
#define PRECIS_SAMPLES_H

#include "precis/net.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The arrays of an .npz archive, in its order, each with its name. PRECIS_EFORMAT names file, member and part: a member
 * that is no array, one that claims more bytes than its compression can hold, a name twice. */
PRECIS_API precis_status precis_arrays_read(precis_ctx *ctx, precis_array **out, size_t *n, const char *path);
PRECIS_API void precis_arrays_free(precis_ctx *ctx, precis_array **arrays, size_t n);

typedef struct precis_samples_options {
    uint32_t size;                     /* sizeof of this struct, set by _INIT                               */
    uint32_t resize, resize_width;     /* of images: the shorter side; or height and width. 0: as they are  */
    uint32_t crop, crop_width;         /* from the middle: a square; or height and width. 0: all            */
    double   mean[3], deviation[3];    /* of each channel, taken off and divided by (0: by 1)               */
    double   pixels;                   /* what white is before that: 1 or 255                               */
    const char *layout;                /* "nchw", "nhwc"; NULL: by the input's shape                        */
    uint64_t limit;                    /* samples at most; 0: all                                           */
} precis_samples_options;
#define PRECIS_SAMPLES_OPTIONS_INIT \
    { sizeof(precis_samples_options), 0, 0, 0, 0, { 0 }, { 0 }, 1, NULL, 0 }

typedef struct precis_samples precis_samples;

/* The net must outlive it. PRECIS_EINVAL: an input without a source; sources of different lengths; a type
 * or shape that is not the input's, said with both. PRECIS_EFORMAT, PRECIS_EIO: file and place. */
PRECIS_API precis_status precis_samples_open(precis_ctx *ctx, precis_samples **out, const precis_net *net,
                                             const char *const *sources, size_t n, const precis_samples_options *opts);
PRECIS_API void precis_samples_close(precis_samples **samples);
/* The SHA-256 of a source's file; of a folder, that of the names and hashes of its files (where it has none, of those
 * of the folders in it), in the order in which samples come. path: without NAME=. */
PRECIS_API precis_status precis_samples_sha256(precis_ctx *ctx, const char *path, char hex[65]);
/* Another net gets them, too: runs take no more samples than both allow. PRECIS_EINVAL: it has other inputs. */
PRECIS_API precis_status precis_samples_also(precis_samples *samples, const precis_net *net);
/* Inputs whose one number decides which graph the net has, and which hold the same in all samples, have that value in
 * the net from now on (precis_net_fix), which is said; *n counts them. Then samples are to be opened again.
 * PRECIS_EINVAL: such an input holds several. */
PRECIS_API precis_status precis_samples_fix(precis_samples *samples, precis_net *net, size_t *n);
PRECIS_API uint64_t precis_samples_count(const precis_samples *samples);
/* Has the source more than the limit? */
PRECIS_API int precis_samples_limited(const precis_samples *samples);
/* Is a source of it a folder of images? Resizing, cropping, mean, deviation, pixels and layout are for these alone. */
PRECIS_API int precis_samples_images(const precis_samples *samples);
/* How many samples a run of the net may take: 1 where its first dimension is 1, or samples may have different shapes;
 * the size of that dimension where it is fixed; else `wanted`. */
PRECIS_API uint64_t precis_samples_batch(const precis_samples *samples, uint64_t wanted);
/* Samples first to first + n - 1 as the net's inputs, in its order, until the next call. n is at most the batch; where
 * the net's batch is fixed and n is less, the last sample is repeated. */
PRECIS_API precis_status precis_samples_read(precis_samples *samples, uint64_t first, uint64_t n,
                                             const precis_array **inputs);
/* What a sample is called in messages ("sample 3", or its file); until the next call. */
PRECIS_API const char *precis_samples_name(precis_samples *samples, uint64_t i);
/* Its class by the folder that it lies in, -1 where there are no such folders; classes: how many (may be NULL). */
PRECIS_API int64_t precis_samples_class(const precis_samples *samples, uint64_t i, uint64_t *classes);

#ifdef __cplusplus
}
#endif
#endif /* PRECIS_SAMPLES_H */
