/* gcs.h: Google Cloud Storage over its JSON API.
 *
 * Objects are written create-only (ifGenerationMatch=0): small ones by one multipart request, large
 * ones by a resumable session in chunks; never by uploadType=media, which does not take a checksum
 * along. What the server says about size and CRC32C of what it stored is compared with what was
 * sent; an object that differs is removed again. Reads are ranges of one generation.
 */
#ifndef MST_STORE_GCS_H
#define MST_STORE_GCS_H

#include "store/gcs_auth.h"
#include "store/store.h"

#define MST_GCS_ENDPOINT "https://storage.googleapis.com"
#define MST_GCS_CHUNK_UNIT ((size_t)256 * 1024) /* chunks are a multiple of this */

struct mst_gcs_opts {
    const char *bucket;
    const char *prefix;        /* "" or NULL: the whole bucket */
    const char *endpoint;      /* NULL or "": Google's */
    const char *storage_class; /* of new objects; NULL or "": the bucket's */
    const char *region; /* nothing is written to a bucket that is elsewhere; NULL or "": any */
    struct mst_store_marks marks;
    bool write;         /* false: puts and deletes are refused */
    bool ask_first;     /* before the first put: does the service refuse a second object of a name?
                         * MST_E_CONFIG of each put when it does not. */
    size_t chunk_bytes; /* held in memory by each put; 0: 16 MiB */
    struct mst_http_opts http;
    const struct mst_clock *clock;
    unsigned tries_max; /* of one call; 0: 6 */
    int64_t budget_ms;  /* of waiting in one call; 0: two minutes */
};
/* Nothing is asked yet. auth is taken, also when it fails. MST_E_CONFIG names what cannot be used.
 */
enum mst_rc mst_store_gcs_open_take(const char *name, const struct mst_gcs_opts *o,
                                    struct mst_gauth *auth, struct mst_store **out,
                                    struct mst_err *err) MST_MUST_CHECK;
/* Who one is there and until when the present token is good (0: not known); false when s is no such
 * store. */
bool mst_store_gcs_who(struct mst_store *s, char *who, size_t size, int64_t *expires_wall_ms);

#endif
