/* s3d.h: a strict scripted S3 server for tests: threads, loopback, objects in memory.
 *
 * It knows nothing of muster: it checks Signature Version 4 (header and query form) from the
 * specification, demands x-amz-content-sha256 and compares it with the body, compares every
 * declared checksum (Content-MD5, x-amz-checksum-*), the date against a clock of its own, the
 * session token and its expiry, order, number, ETags and sizes of parts, If-None-Match and
 * If-Match. A request that a real store would let pass for want of care is refused and remembered:
 * s3d_complaints() must be "" at the end of a test that plans no faults of the client.
 *
 * Buckets are addressed by path and by Host header ("BUCKET.s3.test:PORT"). A plan of faults
 * strikes the n-th request of a kind. Every call here is thread-safe. Failure to start ends the
 * test program with a message.
 */
#ifndef TEST_S3D_H
#define TEST_S3D_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/str.h"

enum s3d_kind {
    S3D_ANY,
    S3D_PUT,      /* a whole object */
    S3D_CREATE,   /* begin an upload */
    S3D_PART,     /* one part of it */
    S3D_COMPLETE, /* end it */
    S3D_ABORT,
    S3D_PARTS,   /* list the parts of an upload */
    S3D_UPLOADS, /* list the uploads of a bucket */
    S3D_GET,
    S3D_HEAD,
    S3D_LIST,     /* version 1 or 2 */
    S3D_VERSIONS, /* list versions */
    S3D_DELETE,
    S3D_DELETES,  /* batch */
    S3D_COPY,     /* PUT with x-amz-copy-source, whole or part */
    S3D_RETAIN,   /* PUT retention or legal hold of an object */
    S3D_RETAINED, /* GET of the same */
    S3D_THAW,     /* POST ?restore */
    S3D_TAGGING,  /* of an object */
    S3D_BUCKET, /* everything else about a bucket: HEAD, PUT, DELETE, location, versioning, lock */
    S3D_KINDS,
    S3D_CHANGES /* of a fault only: whatever makes, changes or removes an object or an upload */
};

enum s3d_what {
    S3D_RESET = 1,    /* connection reset before anything was done */
    S3D_RESET_AFTER,  /* done, the answer never comes */
    S3D_STALL,        /* says nothing for ms, then closes; nothing was done */
    S3D_STALL_AFTER,  /* done, then the same */
    S3D_TRUNCATE,     /* the body ends after at bytes; Content-Length says more */
    S3D_DRIP,         /* the answer comes in drops of at bytes (0: one), one every ms */
    S3D_STATUS,       /* status and code (an error body), with Retry-After when ms > 0 */
    S3D_STATUS_AFTER, /* done, and then the same */
    S3D_200_ERROR,    /* 200, blanks, then <Error> with code ("InternalError") */
    S3D_WRONG_ETAG,   /* done, but the ETag is another's */
    S3D_NO_ETAG,      /* done, without one */
    S3D_EXPIRED,      /* 400 ExpiredToken */
    S3D_SKEWED,       /* 403 RequestTimeTooSkewed; Date is what the server's clock says */
    S3D_REDIRECT,     /* status (301, 307), Location: to */
    S3D_WRONG_REGION, /* 400 AuthorizationHeaderMalformed with <Region> and x-amz-bucket-region */
    S3D_HTML,         /* 200 text/html: a captive portal */
    S3D_GZIP,         /* status, Content-Encoding: gzip, a gzip'd page */
    S3D_EMPTY,        /* status (0: 200) and no body at all */
    S3D_GARBAGE,      /* 200 application/xml, and not XML */
    S3D_SAME_TOKEN,   /* listing: says that there is more, always with the same token */
    S3D_SAME_PAGE,    /* listing: the page that was sent before, once more */
    S3D_ENDLESS,      /* listing: a new page of made-up keys for ever */
    S3D_FLIP,         /* GET: byte number at of the body is another one */
    S3D_RANGE_200,    /* GET: the range and its Content-Range, but with status 200 */
    S3D_NO_RANGE,     /* GET: 200 and everything although a range was asked for */
    S3D_WRONG_RANGE,  /* GET: 206 with a Content-Range that begins one later */
    S3D_CHANGED,      /* the object is replaced just before it is answered */
    S3D_KILL,         /* the process pid dies as by kill -9 when all is sent; nothing was done */
    S3D_KILL_AFTER    /* done, and it dies before the answer */
};

struct s3d_fault {
    enum s3d_what what;
    enum s3d_kind kind;
    const char *key; /* only requests whose key contains it; NULL or "" all */
    unsigned nth;    /* 1 (or 0): the first one that fits, from now on */
    unsigned times;  /* 0: once; UINT_MAX: for ever */
    int status;      /* of S3D_STATUS and the like */
    const char *code;
    const char *to; /* of S3D_REDIRECT: the complete Location */
    int64_t ms;     /* of stalls and drips; of S3D_STATUS: Retry-After, rounded up to a second */
    size_t at;
    pid_t pid; /* of S3D_KILL */
};

struct s3d_opts {
    const char *access_key, *secret_key; /* NULL: S3D_ACCESS, S3D_SECRET */
    const char *region;                  /* NULL: S3D_REGION */
    const char *bucket;                  /* made at the start; NULL: S3D_BUCKET_NAME; "": none */
    const char *cert_file;               /* PEM with key and certificate: TLS; NULL plain */
    bool tls11;                          /* no TLS newer than 1.1 */
    size_t part_min;                     /* 0: 5 MiB; the last part may be smaller */
    unsigned parts_max;                  /* 0: 10000 */
    unsigned page_max;                   /* 0: 1000 entries of a listing */
    uint64_t bytes_max;                  /* 0: 512 MiB in memory; past it 507 QuotaExceeded */
    int64_t idle_ms;                     /* 0: 5000; an idle connection is closed then */
    bool versioned;                      /* the bucket keeps versions */
    bool suspended;                      /* and says that it was told not to any more */
    bool lock;                /* object lock: a put needs a checksum; implies versioned */
    bool ignores_create_only; /* accepts If-None-Match and ignores it, as some do */
    bool refuses_create_only; /* 501 NotImplemented for it, as others do */
    bool ignores_checksums;
    bool v1_only;     /* list-type=2 is 501 */
    bool opaque_etag; /* ETags are no MD5 */
    bool no_batch;    /* removing several objects in one request is 501 */
    bool bypass;      /* the key may set locks of mode GOVERNANCE aside */
    bool tight;       /* listings only below a prefix: what is not there is AccessDenied */
    bool google;      /* GOOG4-HMAC-SHA256, x-goog-* headers, x-goog-if-generation-match */
};
#define S3D_ACCESS "AKIDTESTS3D"
#define S3D_SECRET "s3d/secret+key=for/tests"
#define S3D_REGION "eu-test-1"
#define S3D_BUCKET_NAME "vault"

struct s3d;
struct s3d *s3d_start(const struct s3d_opts *o); /* NULL: all defaults */
void s3d_stop(struct s3d *s);                    /* NULL allowed; closes every connection */
int s3d_port(const struct s3d *s);
const char *s3d_endpoint(const struct s3d *s); /* "http://127.0.0.1:PORT" */

/* ---- what it demands, changed while it runs ---- */
void s3d_clock(struct s3d *s, int64_t offset_ms); /* its clock is the real one and so much */
/* From now on requests must carry this session token (NULL: none may); it runs out at expires_ms
 * of its clock, UTC (0: never), and is then answered with ExpiredToken. */
void s3d_token(struct s3d *s, const char *token, int64_t expires_ms);
/* Another token that is good too, for ever. */
void s3d_next_token(struct s3d *s, const char *token);
void s3d_keys(struct s3d *s, const char *access_key, const char *secret_key);
void s3d_region(struct s3d *s, const char *region);
/* Requests of this kind are AccessDenied until it is allowed again. */
void s3d_deny(struct s3d *s, enum s3d_kind kind, bool on);
void s3d_quota(struct s3d *s, uint64_t bytes_max);
/* Until every client has gone and nothing of theirs is in work; the caller has no connection. */
void s3d_alone(struct s3d *s);
void s3d_refuse(struct s3d *s, bool on); /* listener and connections closed; or open again */
/* Time that every answer waits for, as a far away store does. */
void s3d_latency(struct s3d *s, int64_t ms);

/* ---- faults ---- */
void s3d_plan(struct s3d *s, const struct s3d_fault *f); /* copied; several may be planned */
void s3d_plan_none(struct s3d *s);
unsigned s3d_struck(struct s3d *s); /* how many faults have struck since the start */

/* ---- what has happened ---- */
unsigned s3d_count(struct s3d *s, enum s3d_kind kind); /* requests, refused ones included */
void s3d_count_reset(struct s3d *s);
unsigned s3d_connections(struct s3d *s);   /* accepted so far */
unsigned s3d_most_parallel(struct s3d *s); /* requests in work at once, at most */
bool s3d_saw_credentials(struct s3d *s);   /* an Authorization, a token or a signed query came */
/* What the client did wrong (signature, hash, checksum, order...), a line each; "" nothing. Answers
 * that are in order (404, 412) are no complaints. */
void s3d_complaints(struct s3d *s, struct mst_str *out);
void s3d_complaints_reset(struct s3d *s);
/* A header of the newest request of the kind, as it came; false when it had none. */
bool s3d_last_header(struct s3d *s, enum s3d_kind kind, const char *name, char *out, size_t size);

/* ---- what it holds; the bucket is the one of opts ---- */
size_t s3d_objects(struct s3d *s); /* current ones */
size_t s3d_uploads(struct s3d *s); /* begun, neither completed nor aborted */
bool s3d_has(struct s3d *s, const char *key);
/* Copy of the newest version; caller frees. NULL: not there. */
unsigned char *s3d_get(struct s3d *s, const char *key, size_t *n);
/* Straight into memory, without a request; replaces (or adds a version). */
void s3d_put(struct s3d *s, const char *key, const void *p, size_t n);
void s3d_remove(struct s3d *s, const char *key);          /* every version of it */
bool s3d_flip(struct s3d *s, const char *key, size_t at); /* one bit of what is stored */
void s3d_class(struct s3d *s, const char *key, const char *storage_class);
/* A legal hold, put on or taken off. */
void s3d_hold(struct s3d *s, const char *key, bool on);
/* An archived object becomes readable now. */
void s3d_thaw_now(struct s3d *s, const char *key);
/* An upload somebody left behind so long ago. Its id into out (of 64 bytes) when not NULL. */
void s3d_orphan(struct s3d *s, const char *key, int64_t age_ms, char *id);
/* n small objects "PREFIX00000000" ...; cheap enough for 100,000. */
void s3d_fill(struct s3d *s, const char *prefix, unsigned n, size_t bytes);
/* The keys, a line each, sorted. */
void s3d_keys_text(struct s3d *s, struct mst_str *out);

#endif
