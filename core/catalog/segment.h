/* segment.h: the one container of every binary object: data, oplog, manifest.
 *
 * An object is a zstd skippable frame that says what it is, then zstd frames. The content of every
 * frame is whole BSON documents back to back, so `zstd -dc OBJECT` prints a .bson file. A frame
 * holds MST_FRAME_BYTES of content, or one larger document. A run of frames (an extent) belongs to
 * one namespace; the manifest has offset and length of every extent, and the SHA-256 of the
 * object's stored bytes. docs/formats.md has it byte for byte.
 *
 * Given a data key, all of that is sealed on its way to the store (crypt/seal.h), bound to set,
 * backup, attempt, role, number and part. Sizes and SHA-256 of objects are always those of the
 * stored bytes; offsets and lengths of extents are those of the content before sealing, so they are
 * the same in a backup that is not sealed.
 *
 * A writer or reader belongs to one thread.
 */
#ifndef MST_CATALOG_SEGMENT_H
#define MST_CATALOG_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "catalog/types.h"
#include "crypt/seal.h"
#include "hash/hash.h"
#include "store/store.h"

#define MST_FORMAT_VERSION 1
#define MST_FRAME_BYTES (1024U * 1024U)
#define MST_DOC_MAX \
    (16U * 1024U * 1024U + 16U * 1024U) /* as the server has it, oplog entries too */
#define MST_SEGMENT_MAX_BYTES (UINT64_C(4) << 30)

enum mst_segment_role { MST_SEG_DATA = 1, MST_SEG_OPLOG = 2, MST_SEG_MANIFEST = 3 };

struct mst_segment_id { /* what the first frame says; bound to its place */
    enum mst_segment_role role;
    char backup[MST_ID_MAX];
    char attempt[17];
    uint32_t number, part;
};

/* A run of frames of one namespace. */
struct mst_extent {
    uint32_t object;                /* index of the object in the manifest */
    uint64_t offset, stored_bytes;  /* in the container, before it was sealed */
    uint64_t data_bytes, documents; /* of the documents in it */
};

/* With what an object is sealed; NULL where one is asked for: it is not. Borrowed. */
struct mst_sealing {
    const struct mst_data_key *key;
    const char *set;
};
/* What sealed bytes of this object are bound to. Pure. */
void mst_segment_context(const struct mst_segment_id *id, const char *set, struct mst_buf *out);

struct mst_segw;
enum mst_rc mst_segw_open(struct mst_store *store, const char *key, const struct mst_segment_id *id,
                          const struct mst_sealing *sealing, struct mst_segw **out,
                          struct mst_err *err) MST_MUST_CHECK;
/* One whole document, its length in its first four bytes (checked). */
enum mst_rc mst_segw_add(struct mst_segw *w, const void *doc, size_t n,
                         struct mst_err *err) MST_MUST_CHECK;
/* Close the frame in work, so that an extent can end here. */
enum mst_rc mst_segw_cut(struct mst_segw *w, struct mst_err *err) MST_MUST_CHECK;
/* Bytes of content so far, without the frame in work; and what they come to in the store. */
uint64_t mst_segw_offset(const struct mst_segw *w);
uint64_t mst_segw_stored(const struct mst_segw *w);
/* Durable and visible: *bytes and the SHA-256 of what is stored. Consumes w, also on failure. */
enum mst_rc mst_segw_finish_take(struct mst_segw *w, uint64_t *bytes, uint8_t sha[MST_SHA256_LEN],
                                 struct mst_err *err) MST_MUST_CHECK;
void mst_segw_abort_take(struct mst_segw *w);

/* Sees every stored byte that a reader reads, in order. */
typedef void mst_stored_fn(void *arg, const void *p, size_t n);

struct mst_segr;
/* Read the whole object: the first frame must be id's (NULL: any, of what is not sealed), else
 * MST_E_INTEGRITY. */
enum mst_rc mst_segr_open(struct mst_store *store, const char *key, const struct mst_segment_id *id,
                          const struct mst_sealing *sealing, struct mst_segr **out,
                          struct mst_err *err) MST_MUST_CHECK;
/* Read one extent of it; id may be NULL when it is not sealed. */
enum mst_rc mst_segr_open_extent(struct mst_store *store, const char *key,
                                 const struct mst_segment_id *id, const struct mst_extent *e,
                                 const struct mst_sealing *sealing, struct mst_segr **out,
                                 struct mst_err *err) MST_MUST_CHECK;
void mst_segr_tap(struct mst_segr *r, mst_stored_fn *fn, void *arg);
/* *doc NULL at the end. The document is borrowed until the next call; its length and its final zero
 * byte are checked, its inside is not (mst_bson_walk). MST_E_INTEGRITY: damaged or cut short. */
enum mst_rc mst_segr_next(struct mst_segr *r, const uint8_t **doc, uint32_t *n,
                          struct mst_err *err) MST_MUST_CHECK;
/* Where the frame of the last document begins in the object. */
uint64_t mst_segr_frame(const struct mst_segr *r);
void mst_segr_free(struct mst_segr *r);

/* First frame as bytes and back. Pure; the parser takes anything. */
void mst_segment_head_put(const struct mst_segment_id *id, struct mst_buf *out);
/* *used is its size. MST_E_INTEGRITY not ours, MST_E_LIMIT newer version. */
enum mst_rc mst_segment_head_get(const void *p, size_t n, struct mst_segment_id *id, size_t *used,
                                 struct mst_err *err) MST_MUST_CHECK;

/* Is this one valid BSON document of exactly n bytes? Lengths, types, nesting of at most 200
 * levels; strings need not be UTF-8 (servers keep what they were given). Pure. */
bool mst_bson_walk(const uint8_t *p, size_t n);

#endif
