/* store.h: where objects live. A struct of functions with required and optional members; keys are
 * relative, '/'-separated, checked by mst_store_key_ok(). Objects are write-once: a put of a name
 * that exists fails with MST_E_EXISTS and changes nothing.
 *
 * Calls block: worker threads only. Handles may be used by several threads at once.
 */
#ifndef MST_STORE_STORE_H
#define MST_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "conc/task.h"

#define MST_KEY_MAX 512
#define MST_STORE_WHERE_MAX 512

struct mst_store;
struct mst_store_put; /* an object being written */

struct mst_store_item {
    char key[MST_KEY_MAX];
    uint64_t bytes;
    int64_t modified_wall_ms;
    char etag[80];          /* "" where there is none */
    char storage_class[32]; /* "" the store's own; "GLACIER" */
    /* Of what is archived, where the listing says so: asked for; a readable copy until then. */
    bool thawing;
    int64_t thawed_until_ms;
};

/* What a store can do. Found by a probe at first use and kept; a profile may only take away. */
struct mst_store_caps {
    bool create_only; /* a put of a name that exists is refused by the store itself */
    bool checksums;   /* a false checksum is refused */
    bool multipart;   /* large objects in parts; uploads can be listed and aborted */
    bool ranges;      /* ranged reads */
    bool versions;    /* the bucket keeps versions */
    bool lock;        /* object lock */
    bool space;       /* knows what is free */
    char text[200];   /* what was noticed: "accepts If-None-Match and ignores it" */
};

/* More about one object than a listing says. */
struct mst_store_info {
    uint64_t bytes;
    int64_t modified_wall_ms;
    char etag[80], storage_class[32], version[128];
    bool archived;           /* cannot be read before it is thawed */
    bool thawing;            /* asked for, not there yet */
    int64_t thawed_until_ms; /* 0: not a thawed copy */
    char lock_mode[16];      /* "", COMPLIANCE, GOVERNANCE */
    int64_t locked_until_ms; /* 0: not locked */
    bool legal_hold;
    char checksum[96]; /* as the store keeps it, "sha256:..." , "" none */
};

struct mst_store_version {
    char key[MST_KEY_MAX];
    char version[128];
    uint64_t bytes;
    int64_t modified_wall_ms;
    int64_t gone_wall_ms; /* not the newest one since then; 0: not known, or it still is */
    bool newest, deleted; /* deleted: a marker */
    char storage_class[32];
};

struct mst_store_upload { /* begun and neither completed nor aborted */
    char key[MST_KEY_MAX];
    char id[256];
    int64_t begun_wall_ms;
};

/* Directory store. MST_E_CONFIG when path is missing, not a directory, or writable by others; write
 * false opens read-only (puts and deletes are refused). */
enum mst_rc mst_store_local_open(const char *name, const char *path, bool write,
                                 struct mst_store **out, struct mst_err *err) MST_MUST_CHECK;
void mst_store_free(struct mst_store *s);
const char *mst_store_name(const struct mst_store *s);
const char *mst_store_where(const struct mst_store *s); /* "directory /srv/backups" */

/* Streamed write: begin, add..., then finish (durable and visible under key) or abort (nothing
 * left). Both consume p. A writer that is killed may leave an object of another name: key and a
 * suffix that begins with ".tmp-". */
enum mst_rc mst_store_put_begin(struct mst_store *s, const char *key, struct mst_store_put **out,
                                struct mst_err *err) MST_MUST_CHECK;
enum mst_rc mst_store_put_add(struct mst_store_put *p, const void *data, size_t n,
                              struct mst_err *err) MST_MUST_CHECK;
enum mst_rc mst_store_put_finish_take(struct mst_store_put *p, struct mst_err *err) MST_MUST_CHECK;
void mst_store_put_abort_take(struct mst_store_put *p);
/* Small object in one call. */
enum mst_rc mst_store_put_all(struct mst_store *s, const char *key, const void *data, size_t n,
                              struct mst_err *err) MST_MUST_CHECK;

/* Read a range; *got may be less than n only at the end. MST_E_NOTFOUND. */
enum mst_rc mst_store_read(struct mst_store *s, const char *key, uint64_t from, void *buf, size_t n,
                           size_t *got, struct mst_err *err) MST_MUST_CHECK;
/* Whole small object, at most max bytes (MST_E_LIMIT). */
enum mst_rc mst_store_read_all(struct mst_store *s, const char *key, size_t max,
                               struct mst_buf *out, struct mst_err *err) MST_MUST_CHECK;
enum mst_rc mst_store_stat(struct mst_store *s, const char *key, uint64_t *bytes,
                           struct mst_err *err) MST_MUST_CHECK;
/* Call fn for each object below prefix (a key that ends at a '/', or ""), in key order; fn returns
 * false to stop. */
enum mst_rc mst_store_list(struct mst_store *s, const char *prefix,
                           bool (*fn)(void *arg, const struct mst_store_item *item), void *arg,
                           struct mst_task *task, struct mst_err *err) MST_MUST_CHECK;
enum mst_rc mst_store_delete(struct mst_store *s, const char *key,
                             struct mst_err *err) MST_MUST_CHECK;
/* Free and total bytes where the store knows; 0 unknown. */
enum mst_rc mst_store_space(struct mst_store *s, uint64_t *free_bytes, uint64_t *total_bytes,
                            struct mst_err *err) MST_MUST_CHECK;
/* What follows is optional: MST_E_CONFIG with a sentence where a kind of store has it not. */
const struct mst_store_caps *mst_store_caps(const struct mst_store *s); /* never NULL */
/* Ask the store what it can do, unless that is known; caps have it afterwards. */
enum mst_rc mst_store_probe(struct mst_store *s, struct mst_task *task,
                            struct mst_err *err) MST_MUST_CHECK;
/* From now on the calls of this thread that carry no task of their own end when this one is
 * cancelled; NULL: none. Local stores do not wait, and do not look. */
void mst_store_work_for(struct mst_task *task);
struct mst_task *mst_store_works_for(void);
bool mst_store_is_local(const struct mst_store *s); /* a directory of this host */
enum mst_rc mst_store_info(struct mst_store *s, const char *key, struct mst_store_info *out,
                           struct mst_err *err) MST_MUST_CHECK;
/* In key order, newest version of a key first; fn false stops. */
enum mst_rc mst_store_versions(struct mst_store *s, const char *prefix,
                               bool (*fn)(void *arg, const struct mst_store_version *v), void *arg,
                               struct mst_task *task, struct mst_err *err) MST_MUST_CHECK;
enum mst_rc mst_store_uploads(struct mst_store *s, const char *prefix,
                              bool (*fn)(void *arg, const struct mst_store_upload *u), void *arg,
                              struct mst_task *task, struct mst_err *err) MST_MUST_CHECK;
enum mst_rc mst_store_abort_upload(struct mst_store *s, const struct mst_store_upload *u,
                                   struct mst_err *err) MST_MUST_CHECK;
/* Lock until then, or extend; never shortens. mode COMPLIANCE or GOVERNANCE. */
enum mst_rc mst_store_lock(struct mst_store *s, const char *key, const char *mode,
                           int64_t until_wall_ms, struct mst_err *err) MST_MUST_CHECK;
/* Ask for a readable copy of an archived object for so many days (of INTELLIGENT_TIERING: for
 * good). MST_E_EXISTS: that was done already, it is on its way. */
enum mst_rc mst_store_thaw(struct mst_store *s, const char *key, int days,
                           struct mst_err *err) MST_MUST_CHECK;
/* Objects of this class cannot be read before they are thawed. */
bool mst_store_class_sleeps(const char *storage_class);
/* One version of an object, by the word that a listing of versions has for it. */
enum mst_rc mst_store_read_version(struct mst_store *s, const char *key, const char *version,
                                   uint64_t from, void *buf, size_t n, size_t *got,
                                   struct mst_err *err) MST_MUST_CHECK;
/* Are older versions of objects kept? MST_E_PRECOND says that they are not, MST_E_AUTH that the key
 * may not ask. */
enum mst_rc mst_store_keeps_versions(struct mst_store *s, struct mst_task *task,
                                     struct mst_err *err) MST_MUST_CHECK;
/* No segment that is empty or begins with '.', no leading or final '/', no control bytes, backslash
 * or DEL, no segment over 200 bytes, at most MST_KEY_MAX - 1 bytes. */
bool mst_store_key_ok(const char *key);

#endif
