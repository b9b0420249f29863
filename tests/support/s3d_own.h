/* s3d_own.h: inside the scripted S3 server; only tests/support/s3d*.c include it. */
#ifndef TEST_S3D_OWN_H
#define TEST_S3D_OWN_H

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "s3d.h"

#include "base/buf.h"

#define S3D_HEAD_MAX 65536U
#define S3D_PAIRS 64
#define S3D_BUCKETS 8
#define S3D_PLAN 32
#define S3D_CONNS 128

struct pair {
    char *name, *value; /* name of a header is in lower case */
};
struct pairs {
    size_t n;
    struct pair p[S3D_PAIRS];
};
const char *pairs_get(const struct pairs *ps, const char *name); /* NULL: none */
void pairs_release(struct pairs *ps);

struct request {
    char method[12];
    char *path, *raw_query;      /* as they came; path not decoded */
    struct pairs headers, query; /* query decoded */
    uint8_t *body;
    size_t body_n, announced;
    char bucket[72];
    char *key; /* decoded; "" none */
    enum s3d_kind kind;
    bool close, chunked;
};

/* What an object's bytes are; shared by versions and by answers on their way. */
struct blob {
    unsigned refs;
    size_t n;
    uint8_t *p;
};

struct sums { /* base64 or hex text of what was declared or computed */
    char md5_hex[33];
    char name[24]; /* "x-amz-checksum-sha256"; "" none */
    char value[96];
};

struct version {
    char id[40];
    bool marker;
    struct blob *blob;
    char etag[64]; /* without quotes */
    int64_t at_ms;
    struct sums sums;
    char klass[24], mode[16], sse[32];
    int64_t until_ms, thawed_until_ms;
    bool hold, thawing;
    struct pairs meta; /* x-amz-meta-*, content-type, x-amz-tagging */
};
struct object {
    char *key;
    size_t n, cap;
    struct version *v; /* oldest first */
};
struct part {
    unsigned no;
    struct blob *blob;
    char etag[64];
    struct sums sums;
    int64_t at_ms;
};
struct upload {
    char *key;
    char id[64], algorithm[16]; /* "SHA256"; "" none declared */
    int64_t begun_ms;
    struct part *part; /* by number */
    size_t n, cap;
    struct version like; /* class, lock, meta of what it becomes */
};
struct bucket {
    char name[72];
    bool versioned, lock;
    struct object **o; /* by key */
    size_t n, cap;
    struct upload *u;
    size_t n_uploads, cap_uploads;
};

struct planned {
    struct s3d_fault f;
    char key[256], code[64], to[256];
    unsigned seen, hit;
};

struct conn {
    struct s3d *s;
    int fd;
    SSL *ssl;
    struct mst_buf in; /* read and not used yet */
    bool dead;
};

struct s3d {
    struct s3d_opts o;
    char access[128], secret[128], region[64], bucket_name[72], endpoint[64], token[512],
        next_token[512];
    bool has_token;
    int64_t token_expires_ms;
    pthread_mutex_t mu;
    pthread_t acceptor;
    int listen_fd, port;
    atomic_bool stopping, refusing;
    _Atomic int64_t clock_ms;
    bool denied[S3D_KINDS], saw_credentials;
    int64_t latency_ms;
    unsigned n_threads, accepted, now, most, struck, counts[S3D_KINDS], next_id;
    int fds[S3D_CONNS];
    uint64_t held;
    SSL_CTX *ctx;
    struct bucket buckets[S3D_BUCKETS];
    size_t n_buckets, n_plan;
    struct planned plan[S3D_PLAN];
    struct pairs last[S3D_KINDS];
    struct mst_str complaints, last_page;
    unsigned made_up;
};

/* An answer. Bodies are text or a range of a blob. */
struct reply {
    int status;
    struct mst_str head, body;
    struct blob *blob;
    size_t from, len; /* of the blob */
    bool no_body;     /* HEAD: Content-Length only */
    const struct planned *strike;
};

/* ---- s3d.c ---- */
int64_t s3d_now(const struct s3d *s);
void s3d_complain(struct s3d *s, const struct request *q, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void s3d_id(struct s3d *s, const char *word, char *out, size_t size);

/* ---- s3d_http.c: one request and one answer on the wire ---- */
bool s3d_read_head(struct conn *c, struct request *q);
bool s3d_read_body(struct conn *c, struct request *q, size_t most);
void request_release(struct request *q);
void reply_release(struct s3d *s, struct reply *r);
void s3d_send(struct conn *c, const struct request *q, struct reply *r);
void s3d_reset_conn(struct conn *c);
/* Fill r with an error; always returns false so that handlers can return it. */
bool s3d_error(struct reply *r, const struct request *q, int status, const char *code,
               const char *fmt, ...) __attribute__((format(printf, 5, 6)));
void s3d_xml(struct reply *r, const char *root);
void s3d_xml_text(struct mst_str *out, const char *text);
void s3d_http_date(int64_t utc_ms, char out[64]);
char *s3d_unescape(const char *p, size_t n);
void s3d_escape(struct mst_str *out, const char *text, bool keep_slash);

/* ---- s3d_sign.c ---- */
bool s3d_allowed(struct s3d *s, const struct request *q, struct reply *r);

/* ---- s3d_sum.c ---- */
void sum_sha256_hex(const void *p, size_t n, char out[65]);
void sum_md5_hex(const void *p, size_t n, char out[33]);
void sum_hmac(const void *key, size_t key_n, const char *text, uint8_t out[32]);
void sum_hex(const uint8_t *p, size_t n, char *out);
void sum_base64(const uint8_t *p, size_t n, char *out);
/* The checksum that a header is named after; false when the name is no known one. */
bool sum_named(const char *header, const void *p, size_t n, char *base64);
/* Check what the request declares about its body and note it. */
bool s3d_sums(struct s3d *s, const struct request *q, struct reply *r, struct sums *out);
void sum_composite(const struct part *parts, size_t n, char etag[64], struct sums *out);

/* ---- s3d_keep.c: what is held; callers hold the lock ---- */
struct bucket *keep_bucket(struct s3d *s, const char *name);
struct bucket *keep_bucket_add(struct s3d *s, const char *name);
size_t keep_find(const struct bucket *b, const char *key); /* where it is or would be */
struct object *keep_object(const struct bucket *b, const char *key);
struct version *keep_newest(const struct bucket *b, const char *key); /* NULL: none or a marker */
struct version *keep_version(struct object *o, const char *id);
struct version *keep_add(struct s3d *s, struct bucket *b, const char *key, struct version *v);
/* Takes one version away (NULL id: as a plain DELETE does); marker says what became of it. */
void keep_drop(struct s3d *s, struct bucket *b, const char *key, const char *id);
void keep_forget(struct s3d *s, struct bucket *b, const char *key);
struct blob *blob_new(struct s3d *s, const void *p, size_t n);
struct blob *blob_take(struct s3d *s, uint8_t *p, size_t n);
void blob_drop(struct s3d *s, struct blob *b);
struct upload *keep_upload(struct bucket *b, const char *key, const char *id);
struct upload *keep_upload_add(struct s3d *s, struct bucket *b, const char *key);
void keep_upload_drop(struct s3d *s, struct bucket *b, struct upload *u);
void version_release(struct s3d *s, struct version *v);
void keep_release(struct s3d *s);
bool keep_room(struct s3d *s, size_t n); /* below the quota */
bool keep_archived(const struct version *v);
bool keep_locked(const struct s3d *s, const struct version *v);

/* ---- handlers: with the lock held; false is an error answer, which is in r ---- */
bool s3d_object(struct s3d *s, struct request *q, struct bucket *b, struct reply *r);
bool s3d_about(struct s3d *s, struct request *q, struct bucket *b, struct reply *r);
bool s3d_multi(struct s3d *s, struct request *q, struct bucket *b, struct reply *r);
bool s3d_listing(struct s3d *s, struct request *q, struct bucket *b, struct reply *r);
bool s3d_bucket(struct s3d *s, struct request *q, struct bucket *b, struct reply *r);
bool s3d_deletes(struct s3d *s, struct request *q, struct bucket *b, struct reply *r);
/* Preconditions of a write that makes key. */
bool s3d_may_make(struct s3d *s, struct request *q, struct bucket *b, struct reply *r);
/* What the headers say about the object to be. */
bool s3d_version_of(struct s3d *s, const struct request *q, struct version *v, struct reply *r);
void s3d_name_version(struct reply *r, const struct s3d *s, const struct bucket *b,
                      const struct version *v);
/* Text of the next <tag>...</tag> from *at on, caller frees; NULL none. raw: not unescaped. */
char *s3d_raw_element(const char *xml, const char **at, const char *tag);
char *s3d_element(const char *xml, const char **at, const char *tag);

/* ---- s3d_fault.c ---- */
/* The fault that strikes this request, copied. */
bool s3d_strike(struct s3d *s, const struct request *q, struct planned *out);
/* Before the work: true when the answer is made (or the connection gone: c->dead). */
bool s3d_strike_before(struct conn *c, const struct request *q, const struct planned *p,
                       struct reply *r);
void s3d_strike_after(struct conn *c, const struct request *q, const struct planned *p,
                      struct reply *r);

#endif
