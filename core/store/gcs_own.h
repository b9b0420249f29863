/* gcs_own.h: what the files of the driver share. */
#ifndef MST_STORE_GCS_OWN_H
#define MST_STORE_GCS_OWN_H

#include <stdatomic.h>

#include "base/str.h"
#include "conc/thread.h"
#include "store/gcs.h"
#include "store/gcs_call.h"
#include "store/impl.h"

#define GCS_PINS 32
#define GCS_WINDOWS 4

/* The generation that a key's reads stay with, and the checksum of what was read in one go. */
struct gcs_pin {
    char key[MST_KEY_MAX];
    char generation[32];
    uint64_t used; /* higher: later */
    uint64_t next; /* where a read in order goes on */
    uint32_t crc;  /* of everything before next */
    bool whole;    /* everything before next was read in order */
    bool past;     /* that generation is asked for, and nothing is remembered */
};

/* What was read ahead of a reader that goes in order. */
struct gcs_window {
    char key[MST_KEY_MAX];
    uint64_t from, used; /* used 0: empty */
    bool last;           /* it ends where the object ends */
    struct mst_buf data;
};

struct gcs {
    struct mst_store base;
    struct mst_http *http;
    struct mst_gauth *auth;
    char host[128], endpoint[300], bucket[224];
    char who[MST_STORE_WHERE_MAX + 80]; /* "the store NAME (bucket ...)", for messages */
    char prefix[202];                   /* "" or with its '/' */
    char storage_class[32];
    char *tags;
    bool write, ask_first;
    char region[64];    /* it has to be there; "": anywhere */
    bool _Atomic ready; /* the bucket was looked at, and is as it has to be */
    size_t chunk;
    unsigned tries_max;
    int64_t budget_ms;
    const struct mst_clock *clock;
    struct mst_mutex mtx;
    struct mst_cond done;
    bool probing;                          /* under mtx */
    struct mst_store_caps *_Atomic probed; /* NULL until it was asked */
    uint64_t uses;                         /* under mtx, as the pins */
    struct gcs_pin pins[GCS_PINS];
    struct gcs_window windows[GCS_WINDOWS]; /* under mtx */
};

/* One question with its answer. */
struct gcs_ask {
    struct mst_gcall call;
    struct mst_http_reply reply;
    struct mst_str url;
    char what[MST_KEY_MAX + 32];
};
struct gcs *gcs_of(struct mst_store *s);
struct gcs_ask *gcs_ask_new(struct gcs *g, const char *method, const char *verb, const char *key);
void gcs_ask_free(struct gcs_ask *a);
/* ".../storage/v1/b/BUCKET/o" and, unless key is NULL, "/KEY" with the store's prefix; then '?'. */
void gcs_url(struct gcs *g, struct gcs_ask *a, const char *api, const char *key);
void gcs_param(struct gcs_ask *a, const char *name, const char *value); /* encodes value */
enum mst_rc gcs_do(struct gcs_ask *a, struct mst_task *task, struct mst_err *err) MST_MUST_CHECK;
/* The same, and the body of a 2xx as JSON (NULL for an expected status). */
enum mst_rc gcs_json(struct gcs_ask *a, struct mst_task *task, bson_t **out,
                     struct mst_err *err) MST_MUST_CHECK;
/* Big-endian base64, as Google writes a CRC32C; out has 9 bytes. */
char *gcs_crc_text(uint32_t crc, char out[9]);
int64_t gcs_time(const char *text); /* RFC 3339 in UTC; 0 when it is none */

enum mst_rc gcs_begin(struct mst_store *s, const char *key, struct mst_store_put **out,
                      struct mst_err *err);
/* The same; with ask_first the service is asked before whether it refuses a second object of a
 * name, and gets none when it does not. */
enum mst_rc gcs_put_begin(struct mst_store *s, const char *key, struct mst_store_put **out,
                          struct mst_err *err);
enum mst_rc gcs_add(struct mst_store_put *p, const void *data, size_t n, struct mst_err *err);
enum mst_rc gcs_finish(struct mst_store_put *p, struct mst_err *err);
void gcs_abort(struct mst_store_put *p);
/* As gcs_finish(), by a session whatever the size (session), or by what its size calls for;
 * false_sum declares another checksum than the content has. For the probe. */
enum mst_rc gcs_finish_as(struct mst_store_put *p, bool session, bool false_sum,
                          struct mst_err *err);
void gcs_windows_release(struct gcs *g);
void gcs_unpin(struct gcs *g, const char *key); /* it is not what it was any more */
enum mst_rc gcs_remove(struct mst_store *s, const char *key, struct mst_err *err);
/* ---- gcs_lock.c ---- */
/* Fields of a new object's metadata: ",\"retention\":{...}", and its tags inside of "metadata". */
void gcs_lock_field(const struct gcs *g, int64_t until_ms, struct mst_str *out);
void gcs_tag_fields(const struct gcs *g, struct mst_str *out);
/* Where locks or a region are wanted: MST_E_CONFIG unless the bucket takes them, or is there. Asked
 * until it is so; nothing is written for it. */
enum mst_rc gcs_bucket_ready(struct gcs *g, struct mst_task *task, struct mst_err *err);
/* Does the answer say that it is locked? Else it is locked now. */
enum mst_rc gcs_lock_kept(struct gcs *g, const char *key, int64_t until_ms, const bson_t *b,
                          struct mst_err *err);
/* MST_E_AUTH: the key may not look at the bucket. */
struct gcs_bucket {
    bool versions, locks;
    char location[64];
};
enum mst_rc gcs_settings(struct gcs *g, struct mst_task *task, struct gcs_bucket *out,
                         struct mst_err *err);
enum mst_rc gcs_info(struct mst_store *s, const char *key, struct mst_store_info *out,
                     struct mst_err *err);
enum mst_rc gcs_lock(struct mst_store *s, const char *key, const char *mode, int64_t until_wall_ms,
                     struct mst_err *err);
bool gcs_may_lock(struct mst_store *s);
enum mst_rc gcs_tags(struct mst_store *s, const char *key, struct mst_str *out,
                     struct mst_err *err);
enum mst_rc gcs_trial(struct mst_store *s, enum mst_store_trial what, const char *key,
                      const char *version, struct mst_err *err);
void gcs_keeps(struct mst_store *s, struct mst_task *task, struct mst_store_keeps *out);
enum mst_rc gcs_probe(struct mst_store *s, struct mst_task *task, struct mst_err *err);
const struct mst_store_caps *gcs_caps(const struct mst_store *s);
enum mst_rc gcs_read(struct mst_store *s, const char *key, uint64_t from, void *buf, size_t n,
                     size_t *got, struct mst_err *err);
enum mst_rc gcs_read_version(struct mst_store *s, const char *key, const char *version,
                             uint64_t from, void *buf, size_t n, size_t *got, struct mst_err *err);
enum mst_rc gcs_list(struct mst_store *s, const char *prefix,
                     bool (*fn)(void *arg, const struct mst_store_item *item), void *arg,
                     struct mst_task *task, struct mst_err *err);
enum mst_rc gcs_versions(struct mst_store *s, const char *prefix,
                         bool (*fn)(void *arg, const struct mst_store_version *v), void *arg,
                         struct mst_task *task, struct mst_err *err);

#endif
