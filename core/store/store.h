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
#include "base/str.h"
#include "conc/task.h"

#define MST_KEY_MAX 512
#define MST_STORE_WHERE_MAX 512
#define MST_STORE_PROBES "muster-probe" /* below it a store is asked what it can do */

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
    bool unknown;     /* whether it keeps versions or takes locks could not be asked */
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
    /* Kept whatever its date says, until somebody takes that off in the store: "legal hold",
     * "temporary hold", "event-based hold"; "" is not. */
    char hold[40];
    char checksum[96]; /* as the store keeps it, "sha256:..." , "" none */
};

/* Settings of a bucket that are asked without writing: 1 yes, 0 no, -1 not known. */
struct mst_store_keeps {
    int versions, locks;
    bool had_versions; /* none now, and older ones may be there: it was switched off since */
    char text[200];    /* why something is not known; "" */
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
 * false opens read-only (puts and deletes are refused). Whether it can be written is asked by each
 * put and delete (MST_E_CONFIG): what is mounted read-only can be read. */
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

/* The same, for a name that several may want at one time: MST_OK when what stands there is this
 * run's, also in a store that cannot refuse to overwrite (it is read back), and when it stood there
 * before with the same bytes. MST_E_EXISTS: it is another's. */
enum mst_rc mst_store_claim(struct mst_store *s, const char *key, const void *data, size_t n,
                            struct mst_err *err) MST_MUST_CHECK;

/* Read a range; *got may be less than n only at the end. MST_E_NOTFOUND. */
enum mst_rc mst_store_read(struct mst_store *s, const char *key, uint64_t from, void *buf, size_t n,
                           size_t *got, struct mst_err *err) MST_MUST_CHECK;
/* Whole small object, at most max bytes (MST_E_LIMIT). */
enum mst_rc mst_store_read_all(struct mst_store *s, const char *key, size_t max,
                               struct mst_buf *out, struct mst_err *err) MST_MUST_CHECK;
/* Does this failure of a read say nothing about the object? It was refused, or nobody answered. */
bool mst_store_unread(enum mst_rc rc);
enum mst_rc mst_store_stat(struct mst_store *s, const char *key, uint64_t *bytes,
                           struct mst_err *err) MST_MUST_CHECK;
/* Call fn for each object below prefix (a key that ends at a '/', or ""), in key order; fn returns
 * false to stop. */
enum mst_rc mst_store_list(struct mst_store *s, const char *prefix,
                           bool (*fn)(void *arg, const struct mst_store_item *item), void *arg,
                           struct mst_task *task, struct mst_err *err) MST_MUST_CHECK;
/* Names that the listings of this thread left out since this was asked last: they cannot be keys of
 * muster (mst_store_key_ok), so they are shown nowhere, but they are there. */
uint64_t mst_store_left_out_take(void);
/* MST_E_PRECOND: a lock keeps it, the message says until when. Where the bucket keeps versions, one
 * more stays behind a marker. */
enum mst_rc mst_store_delete(struct mst_store *s, const char *key,
                             struct mst_err *err) MST_MUST_CHECK;
/* May key be removed, as far as locks go? MST_E_PRECOND: it is locked until *until_ms, or by a hold
 * of the store (*until_ms 0, the message names it). Asks nothing of a store that cannot lock. */
enum mst_rc mst_store_free_to_go(struct mst_store *s, const char *key, int64_t *until_ms,
                                 struct mst_err *err) MST_MUST_CHECK;
/* What became of objects that were to be removed. */
struct mst_store_swept {
    uint64_t gone;           /* removed, or not there any more */
    uint64_t markers;        /* of them: the bucket keeps versions, a marker hides the object */
    uint64_t locked;         /* they stay: a lock keeps them until a day */
    int64_t locked_until_ms; /* the latest end of those */
    char locked_key[MST_KEY_MAX];
    uint64_t held;      /* they stay: a hold of the store, which has no end, keeps them */
    char held_word[40]; /* "legal hold", of the first of them */
    char held_key[MST_KEY_MAX];
    uint64_t failed; /* they stay for another reason, this one */
    struct mst_err first;
};
/* Remove n objects, in batches where the store has them; what came of it is added to *out. One that
 * is locked stays and is no error. One that the store refuses does not keep the others from going;
 * the first of these is the error then. A store that is asked one by one and refuses 16 in a row is
 * not asked any more. */
enum mst_rc mst_store_delete_many(struct mst_store *s, const char (*keys)[MST_KEY_MAX], size_t n,
                                  struct mst_store_swept *out, struct mst_task *task,
                                  struct mst_err *err) MST_MUST_CHECK;
/* "; 3 stay, locked until 2027-01-31T00:00:00Z; 1 stays, held in the store (legal hold)
 * ...; the bucket keeps versions: ..." or "". */
#define MST_SWEPT_TEXT 400
void mst_store_swept_text(const struct mst_store_swept *w, char *out, size_t size);
/* Free and total bytes where the store knows; 0 unknown. */
enum mst_rc mst_store_space(struct mst_store *s, uint64_t *free_bytes, uint64_t *total_bytes,
                            struct mst_err *err) MST_MUST_CHECK;
/* What follows is optional: MST_E_CONFIG with a sentence where a kind of store has it not. */
const struct mst_store_caps *mst_store_caps(const struct mst_store *s); /* never NULL */
/* Ask the store what it can do, unless that is known; caps have it afterwards. */
enum mst_rc mst_store_probe(struct mst_store *s, struct mst_task *task,
                            struct mst_err *err) MST_MUST_CHECK;
/* Does it keep versions, can it lock? What could not be asked is not known, and text says why. */
void mst_store_keeps(struct mst_store *s, struct mst_task *task, struct mst_store_keeps *out);
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
/* Lock until then, or extend; never shortens, nor makes COMPLIANCE less. mode COMPLIANCE or
 * GOVERNANCE. */
enum mst_rc mst_store_lock(struct mst_store *s, const char *key, const char *mode,
                           int64_t until_wall_ms, struct mst_err *err) MST_MUST_CHECK;
/* Until when the store locks what is written now, by its configuration; 0: it does not. The end of
 * a day in UTC, so that what is written on one day ends together. */
int64_t mst_store_lock_until(const struct mst_store *s, int64_t now_wall_ms);
const char *mst_store_lock_mode(const struct mst_store *s); /* "" when it does not */
/* Is an object of this name locked when it is written? Claims and objects of tests are not: who
 * wrote them takes them back. Pure. */
bool mst_store_lock_wanted(const char *key);
/* Of what is written, by its configuration: "a=b&c=d"; "" none. */
const char *mst_store_tags_wanted(const struct mst_store *s);
/* Tags of an object as the store keeps them, "a=b&c=d" in its order and encoding. */
enum mst_rc mst_store_tags(struct mst_store *s, const char *key, struct mst_str *out,
                           struct mst_err *err) MST_MUST_CHECK;
/* Acts that the key of a writer had better not be allowed, on an object of one's own. */
enum mst_store_trial {
    MST_TRY_REPLACE,        /* put key once more, without a condition */
    MST_TRY_DELETE_VERSION, /* remove one version for good */
    MST_TRY_BYPASS,         /* the same, governance set aside */
    MST_TRY_OUTSIDE         /* begin an object outside of the prefix; it never comes to be */
};
/* MST_OK: it was allowed, and done, or the store says that it would be. MST_E_AUTH, MST_E_PRECOND,
 * MST_E_EXISTS: it was refused. MST_E_CONFIG: it cannot be asked here. */
enum mst_rc mst_store_try(struct mst_store *s, enum mst_store_trial what, const char *key,
                          const char *version, struct mst_err *err) MST_MUST_CHECK;
/* What the configuration wants of every object written. */
struct mst_store_marks {
    int64_t lock_days;     /* 0: not locked */
    const char *lock_mode; /* NULL or "": GOVERNANCE */
    const char *tags;      /* "a=b&c=d", percent-encoded; NULL or "": none */
};
/* Ask for a readable copy of an archived object for so many days (of INTELLIGENT_TIERING: for
 * good). MST_E_EXISTS: that was done already, it is on its way. */
enum mst_rc mst_store_thaw(struct mst_store *s, const char *key, int days,
                           struct mst_err *err) MST_MUST_CHECK;
/* One version of an object, by the word that a listing of versions has for it. */
enum mst_rc mst_store_read_version(struct mst_store *s, const char *key, const char *version,
                                   uint64_t from, void *buf, size_t n, size_t *got,
                                   struct mst_err *err) MST_MUST_CHECK;
/* No segment that is empty or begins with '.', no leading or final '/', no control bytes, backslash
 * or DEL, no segment over 200 bytes, at most MST_KEY_MAX - 1 bytes. */
bool mst_store_key_ok(const char *key);

#endif
