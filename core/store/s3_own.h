/* s3_own.h: what the files of the S3 driver share; private to store. */
#ifndef MST_STORE_S3_OWN_H
#define MST_STORE_S3_OWN_H

#include <stdatomic.h>

#include "base/clock.h"
#include "conc/thread.h"
#include "hash/hash.h"
#include "http/http.h"
#include "http/sign.h"
#include "store/impl.h"
#include "store/s3.h"

#define S3_QUERY 8U
#define S3_HEADERS 14U
#define S3_WINDOWS 8U
#define S3_WINDOW_MAX ((size_t)2 * 1024 * 1024)
#define S3_RANGE ((size_t)4 * 1024 * 1024) /* read ahead in one request */
#define S3_AHEAD 4U                        /* of them for one reader */
#define S3_RANGES 8U                       /* of them for the whole store: 32 MiB */
#define S3_MARK "x-amz-meta-muster-put"    /* which put made an object */
#define S3_MARK_LEN 33

struct s3_part {
    struct s3_part *next;
    struct s3_upload *up;
    unsigned number;
    struct mst_buf data;
};

struct s3_range { /* one request ahead of a reader, and the thread that makes it */
    struct s3 *s;
    struct mst_thread thread;
    struct mst_cond work;
    struct mst_task task; /* set up while it flies */
    enum s3_range_state { S3_FREE, S3_ASKED, S3_FLYING, S3_CAME } state;
    bool dropped; /* nobody waits for it any more */
    char key[MST_KEY_MAX], etag[80];
    uint64_t from;
    size_t n;
    struct mst_buf data;
    int64_t came_ms; /* monotonic */
    struct mst_err err;
};

struct s3_window { /* a reader that goes forward, and what was read ahead of it */
    char key[MST_KEY_MAX];
    char etag[80];
    uint64_t from; /* where it goes on: byte number at of data, or the first range when all of
                      data was handed out */
    struct mst_buf data;
    size_t at;
    size_t next_n;   /* how much the next one reads */
    int64_t read_ms; /* monotonic */
    uint64_t made;   /* when, among the windows of its store */
    bool busy, at_end;
    unsigned reads; /* one behind the other, and their bytes */
    uint64_t run;
    uint64_t total, asked; /* the object's size, 0 not known; the end of the last range */
    struct s3_range *ahead[S3_AHEAD]; /* in order, without gaps, behind data */
    size_t n_ahead;
    size_t ahead_at; /* so much of the first one was handed out */
};

enum s3_locks { S3_LOCKS_NOT_ASKED, S3_LOCKS_NO, S3_LOCKS_YES, S3_LOCKS_UNKNOWN };

struct s3 {
    struct mst_store base;
    const struct mst_s3_profile *profile;
    char *endpoint, *bucket, *prefix, *storage_class, *sse, *sse_key, *tags;
    atomic_int locks; /* does the bucket know object locks? enum s3_locks */
    bool path_style, single_writer, write, by_region, region_kept;
    uint64_t part_bytes;
    int64_t wait_ms;
    mst_login_fn *login;
    void *login_arg;
    void (*login_free)(void *arg);
    struct mst_http *http;
    atomic_int_fast64_t clock_ms; /* the store's clock less ours, when it is far off */
    _Atomic(const struct mst_store_caps *) probed;

    struct mst_mutex mtx; /* what follows; never held during a request */
    struct mst_cond work, done;
    char region[64];
    int quota; /* of repeats; successes earn them back */
    struct s3_part *first, *last;
    unsigned queued, flying, limit, limit_max, good; /* parts */
    struct mst_thread workers[MST_S3_CONNECTIONS_MAX];
    struct mst_buf spare[MST_S3_CONNECTIONS_MAX + 1]; /* of parts that went; while uploads > 0 */
    unsigned n_spare, uploads;
    bool stopping, probing;
    struct s3_window windows[S3_WINDOWS];
    uint64_t windows_made;
    struct s3_range ranges[S3_RANGES];
    struct mst_cond came; /* a range */
};

/* ---- s3_google.c ---- */
struct s3_req;
/* The headers of r under Google's names, with the checksum of what it carries. */
enum mst_rc mst_s3_google_say(const struct s3_req *r, struct mst_http_headers *out,
                              struct mst_err *err) MST_MUST_CHECK;
/* The reply's under Amazon's. MST_E_INTEGRITY: it keeps another checksum. */
enum mst_rc mst_s3_google_heard(struct s3 *s, const struct s3_req *r, struct mst_http_reply *reply,
                                struct mst_err *err) MST_MUST_CHECK;

struct s3_req {
    const char *method;
    const char *key;    /* below the prefix; NULL: the bucket */
    const char *what;   /* "write", for messages */
    const char *action; /* "s3:PutObject", what a policy has to allow */
    struct mst_sig_pair query[S3_QUERY], headers[S3_HEADERS];
    size_t n_query, n_headers;
    const void *body;
    size_t body_n;
    const char *hash; /* of the body, hex; NULL: made here */
    mst_http_body_fn *sink;
    void (*again)(void *arg); /* a sink forgets what it has */
    void *sink_arg;
    size_t body_max;
    bool needs_etag; /* a success carries one */
    bool error_in_200;
    bool outside;       /* key is not below the prefix */
    unsigned tries_max; /* 0: 8 */
    struct mst_task *task;
};
struct s3_answer {
    struct mst_http_reply reply;
    char code[64], message[160], region[64];
    bool session;    /* signed with a session's token */
    int64_t sent_ms; /* the time that was signed */
    bool maybe_done; /* an earlier try, or this one, may have had its effect */
    unsigned tries;
    int64_t took_ms;
};

static inline struct s3 *s3_of(struct mst_store *s)
{
    return (struct s3 *)(void *)s;
}
void mst_s3_ask(struct s3_req *r, const char *name, const char *value);
void mst_s3_say(struct s3_req *r, const char *name, const char *value);

/* One request with its repeats. MST_OK: a 2xx. Else the answer is left for the caller to look at
 * (reply.status 0: none came), and err has a whole sentence. Release the reply in any case. */
enum mst_rc mst_s3_call(struct s3 *s, const struct s3_req *r, struct s3_answer *a,
                        struct mst_err *err);
/* The sentence for a refusal. */
enum mst_rc mst_s3_refused(struct s3 *s, const struct s3_req *r, const struct s3_answer *a,
                           struct mst_err *err);
void mst_s3_read_error(struct s3_answer *a);
bool mst_s3_says(const struct s3_answer *a, const char *header, const char *text);
extern const char mst_s3_web_page[]; /* the sentence for one */
/* It changes when the store says where the bucket is: by any of the threads that ask. */
void mst_s3_region_of(struct s3 *s, char *out, size_t size);
/* Amazon tells who may list only below a prefix (a condition on s3:prefix) 403 of an object that is
 * not there. Where a listing does not have it, a becomes a 404. */
void mst_s3_see_absent(struct s3 *s, const struct s3_req *r, struct s3_answer *a);
/* The name of an object in the bucket. */
void mst_s3_full_key(const struct s3 *s, const char *key, struct mst_str *out);
int64_t mst_s3_header_time(const struct mst_http_reply *r, const char *name);

/* put */
enum mst_rc mst_s3_put_begin(struct mst_store *s, const char *key, struct mst_store_put **out,
                             struct mst_err *err);
enum mst_rc mst_s3_put_add(struct mst_store_put *p, const void *data, size_t n,
                           struct mst_err *err);
enum mst_rc mst_s3_put_finish(struct mst_store_put *p, struct mst_err *err);
void mst_s3_put_abort(struct mst_store_put *p);
/* Headers that every new object has. */
void mst_s3_object_headers(const struct s3 *s, struct s3_req *r);
/* ---- s3_lock.c ---- */
/* And those of a lock, where one is wanted for this name; until is the caller's. */
void mst_s3_lock_headers(const struct s3 *s, struct s3_req *r, char until[MST_TIME_MAX]);
/* Is it locked as it should be? Some servers forget it of what came in parts: it is locked now. */
enum mst_rc mst_s3_lock_kept(struct s3 *s, const char *key, struct mst_err *err);
/* A body that goes into a lock has to say of which kind its checksum is, too. */
void mst_s3_sum_headers(const struct s3 *s, struct s3_req *r, const char *sha256);
/* Where locks are wanted: MST_E_CONFIG unless the bucket takes them. Nothing is written for it. */
enum mst_rc mst_s3_lock_ready(struct s3 *s, struct mst_task *task, struct mst_err *err);
enum s3_locks mst_s3_locks(struct s3 *s, struct mst_task *task, struct mst_err *why);
bool mst_s3_may_lock(struct mst_store *s);
enum mst_rc mst_s3_tags(struct mst_store *s, const char *key, struct mst_str *out,
                        struct mst_err *err);
enum mst_rc mst_s3_trial(struct mst_store *s, enum mst_store_trial what, const char *key,
                         const char *version, struct mst_err *err);
/* A setting of the bucket, "Enabled" or "Suspended"; off where the store has no such thing.
 * MST_E_AUTH: the key may not ask. */
enum s3_setting { S3_OFF, S3_ON, S3_SUSPENDED };
enum mst_rc mst_s3_setting(struct s3 *s, const char *what, const char *action,
                           struct mst_task *task, enum s3_setting *is, struct mst_err *err);
/* ---- s3_remove.c ---- */
enum mst_rc mst_s3_remove_many(struct mst_store *s, const char (*keys)[MST_KEY_MAX], size_t n,
                               struct mst_store_swept *out, struct mst_task *task,
                               struct mst_err *err);
/* After an outcome that is not known: is the object there, of this size and by this put? MST_OK,
 * MST_E_EXISTS (another's), MST_E_NOTFOUND, MST_E_UNKNOWN. data NULL: cannot be compared. */
enum mst_rc mst_s3_is_ours(struct s3 *s, const char *key, const char *mark, uint64_t bytes,
                           const void *data, struct mst_task *task, struct mst_err *err);

/* an object in parts */
struct s3_upload {
    struct s3 *s;
    char key[MST_KEY_MAX], mark[S3_MARK_LEN];
    char *id;
    struct mst_task *task;
    struct s3_done {
        char etag[80], checksum[48];
    } * parts;
    size_t n, cap; /* parts handed over */
    unsigned out;  /* of them not answered yet */
    uint64_t bytes;
    struct mst_err failed; /* rc MST_OK: not */
};
enum mst_rc mst_s3_upload_begin(struct s3 *s, const char *key, const char *mark,
                                struct mst_task *task, struct s3_upload **out, struct mst_err *err);
/* An empty buffer for the next part, as large as a part. */
void mst_s3_upload_room(struct s3_upload *u, struct mst_buf *out);
/* Takes the bytes; waits while enough parts are on their way. */
enum mst_rc mst_s3_upload_part(struct s3_upload *u, struct mst_buf *data, struct mst_err *err);
enum mst_rc mst_s3_upload_complete_take(struct s3_upload *u, struct mst_err *err);
void mst_s3_upload_abort_take(struct s3_upload *u);
void mst_s3_workers_stop(struct s3 *s);

enum mst_rc mst_s3_read(struct mst_store *s, const char *key, uint64_t from, void *buf, size_t n,
                        size_t *got, struct mst_err *err);
/* One ranged GET. */
struct s3_get {
    const char *key;
    const char *version; /* NULL: the newest */
    uint64_t from;
    size_t n;            /* at most */
    char etag[80];       /* "" takes what comes, and says what came; else it must be that one */
    struct mst_buf *out; /* they are added to it */
    struct mst_task *task;
    bool at_end;    /* there is nothing behind them */
    uint64_t total; /* bytes of the object, 0: it was not said */
};
enum mst_rc mst_s3_get(struct s3 *s, struct s3_get *q, struct mst_err *err);
/* ---- s3_ahead.c; the window is the caller's (busy) ---- */
void mst_s3_ahead_init(struct s3 *s);
/* Ask for more when the reader goes forward for sure. */
void mst_s3_ahead_ask(struct s3 *s, struct s3_window *w);
/* What came of the first range, at most n bytes; waits for it. *got 0: it was too old. */
enum mst_rc mst_s3_ahead_take(struct s3 *s, struct s3_window *w, void *buf, size_t n, size_t *got,
                              struct mst_err *err);
/* Nobody reads on: with the lock held, and of a window that is not in use as well. */
void mst_s3_ahead_drop(struct s3 *s, struct s3_window *w);
void mst_s3_ahead_stop(struct s3 *s);
#define S3_OLD_MS 15000 /* what was read ahead is not handed out later than this */

void mst_s3_windows_forget(struct s3 *s, const char *key);
enum mst_rc mst_s3_stat(struct mst_store *s, const char *key, uint64_t *bytes, struct mst_err *err);
enum mst_rc mst_s3_info(struct mst_store *s, const char *key, struct mst_store_info *out,
                        struct mst_err *err);
enum mst_rc mst_s3_remove(struct mst_store *s, const char *key, struct mst_err *err);
enum mst_rc mst_s3_list(struct mst_store *s, const char *prefix,
                        bool (*fn)(void *arg, const struct mst_store_item *item), void *arg,
                        struct mst_task *task, struct mst_err *err);
enum mst_rc mst_s3_versions(struct mst_store *s, const char *prefix,
                            bool (*fn)(void *arg, const struct mst_store_version *v), void *arg,
                            struct mst_task *task, struct mst_err *err);
enum mst_rc mst_s3_uploads(struct mst_store *s, const char *prefix,
                           bool (*fn)(void *arg, const struct mst_store_upload *u), void *arg,
                           struct mst_task *task, struct mst_err *err);
enum mst_rc mst_s3_abort_upload(struct mst_store *s, const struct mst_store_upload *u,
                                struct mst_err *err);
enum mst_rc mst_s3_lock(struct mst_store *s, const char *key, const char *mode,
                        int64_t until_wall_ms, struct mst_err *err);
enum mst_rc mst_s3_thaw(struct mst_store *s, const char *key, const char *version, int days,
                        struct mst_err *err);
enum mst_rc mst_s3_read_version(struct mst_store *s, const char *key, const char *version,
                                uint64_t from, void *buf, size_t n, size_t *got,
                                struct mst_err *err);
enum mst_rc mst_s3_info_version(struct mst_store *s, const char *key, const char *version,
                                struct mst_store_info *out, struct mst_err *err);
/* What the store can do, asked once. */
void mst_s3_keeps(struct mst_store *store, struct mst_task *task, struct mst_store_keeps *out);
enum mst_rc mst_s3_probe(struct mst_store *s, struct mst_task *task, struct mst_err *err);
const struct mst_store_caps *mst_s3_caps(const struct mst_store *s);

#endif
