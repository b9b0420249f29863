/* comp.h: zstd frames in memory and a gzip reader. Every size that comes from outside has a
 * ceiling.
 *
 * A compressor or decompressor belongs to one thread and is reused.
 */
#ifndef MST_COMP_COMP_H
#define MST_COMP_COMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define MST_ZSTD_LEVEL 1
#define MST_ZSTD_WINDOW_LOG 24 /* a frame that needs a larger window is refused */

struct mst_zenc;
struct mst_zenc *mst_zenc_new(int level);
void mst_zenc_free(struct mst_zenc *z);
/* Append one complete frame, its content size in its header, to out. */
enum mst_rc mst_zenc_frame(struct mst_zenc *z, const void *p, size_t n, struct mst_buf *out,
                           struct mst_err *err) MST_MUST_CHECK;
/* Largest frame that n bytes can become. */
size_t mst_zenc_bound(size_t n);

/* Append a skippable frame (every zstd reader steps over it) with n bytes of content. nibble is 0
 * to 15. */
void mst_zskip_add(struct mst_buf *out, unsigned nibble, const void *p, size_t n);

enum mst_zwhat {
    MST_Z_MORE, /* the input ends inside the frame: *stored is 0 */
    MST_Z_FRAME,
    MST_Z_SKIP /* a skippable frame: *content is its content's size */
};
/* What stands at the start of p. *stored is the whole frame's size, *content what it holds.
 * MST_E_INTEGRITY when it is no frame or has no content size, MST_E_LIMIT when content is larger
 * than max. Pure. */
enum mst_rc mst_zpeek(const void *p, size_t n, size_t max, enum mst_zwhat *what, size_t *stored,
                      size_t *content, struct mst_err *err) MST_MUST_CHECK;

struct mst_zdec;
struct mst_zdec *mst_zdec_new(void);
void mst_zdec_free(struct mst_zdec *z);
/* Decode the one frame of stored bytes at p into exactly content bytes at out. MST_E_INTEGRITY. */
enum mst_rc mst_zdec_frame(struct mst_zdec *z, const void *p, size_t stored, void *out,
                           size_t content, struct mst_err *err) MST_MUST_CHECK;

/* gzip from a reader function: several members in a row are one stream, as gzip -d has it. */
typedef enum mst_rc mst_read_fn(void *arg, void *buf, size_t n, size_t *got, struct mst_err *err);
struct mst_gunzip;
struct mst_gunzip *mst_gunzip_new(mst_read_fn *fn, void *arg);
void mst_gunzip_free(struct mst_gunzip *g);
/* Up to n bytes; *got 0 only at the end. MST_E_INTEGRITY: not gzip, damaged, or ends early. */
enum mst_rc mst_gunzip_read(struct mst_gunzip *g, void *buf, size_t n, size_t *got,
                            struct mst_err *err) MST_MUST_CHECK;

/* And to one: what is added comes out of fn compressed, one member. */
typedef enum mst_rc mst_write_fn(void *arg, const void *p, size_t n, struct mst_err *err);
struct mst_gzip;
struct mst_gzip *mst_gzip_new(mst_write_fn *fn, void *arg);
enum mst_rc mst_gzip_add(struct mst_gzip *g, const void *p, size_t n,
                         struct mst_err *err) MST_MUST_CHECK;
/* The end of the member; nothing may be added after it. */
enum mst_rc mst_gzip_end(struct mst_gzip *g, struct mst_err *err) MST_MUST_CHECK;
void mst_gzip_free(struct mst_gzip *g);

#endif
