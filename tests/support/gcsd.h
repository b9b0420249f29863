/* gcsd.h: a strict scripted Google Cloud Storage for tests: the JSON API, the token service, STS,
 * impersonation and the metadata server, in this process, on loopback, plain http.
 *
 * Stricter than the real one: every call needs a token that has not expired, a signed assertion is
 * checked with the public key, uploads must carry ifGenerationMatch=0 and a checksum, chunks must
 * begin where the last one ended and be a multiple of 256 KiB, a query parameter that is not known
 * is refused, uploadType=media as well. What it refused for a mistake of the client is kept as
 * complaints. Faults are planned for the n-th call of a kind.
 */
#ifndef TEST_GCSD_H
#define TEST_GCSD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum gcsd_kind {
    GCSD_TOKEN,       /* POST /token: a service account's assertion */
    GCSD_STS,         /* POST /sts */
    GCSD_IMPERSONATE, /* POST .../serviceAccounts/NAME:generateAccessToken */
    GCSD_METADATA,    /* GET /computeMetadata/... */
    GCSD_MULTIPART,
    GCSD_START, /* of a resumable upload */
    GCSD_CHUNK,
    GCSD_QUERY, /* how far an upload came */
    GCSD_CANCEL,
    GCSD_STAT,
    GCSD_READ,
    GCSD_LIST,
    GCSD_DELETE,
    GCSD_PATCH,
    GCSD_BUCKET,
    GCSD_KINDS,
    GCSD_CHANGES /* of a fault only: whatever makes, changes or removes an object or an upload */
};
enum gcsd_what {
    GCSD_RESET,       /* instead of an answer; nothing was done */
    GCSD_RESET_AFTER, /* it was done, the answer is lost */
    GCSD_STALL,       /* ms of silence, then closed */
    GCSD_STATUS,      /* status and reason; ms: Retry-After */
    GCSD_STATUS_AFTER,
    GCSD_TRUNCATE, /* half of the body, then closed */
    GCSD_WRONG_CRC,
    GCSD_NO_CRC,
    GCSD_HTML,
    GCSD_EMPTY,
    GCSD_GARBAGE,
    GCSD_SAME_PAGE,   /* a listing that sends its first page for ever */
    GCSD_EMPTY_PAGES, /* new tokens, nothing in the pages */
    GCSD_PARTIAL,     /* of a chunk only the first 256 KiB are kept, and confirmed */
    GCSD_FORGET,      /* the session is unknown from now on */
    GCSD_OTHER_HOST,  /* the session is said to be elsewhere */
    GCSD_NO_RANGE,    /* 200 and all of it, whatever range was asked for */
    GCSD_FLIP,        /* one bit of what is read */
    GCSD_NO_FLAVOR,   /* the metadata server does not say that it is one */
    GCSD_REDIRECT,
    GCSD_KILL,      /* the process pid dies as by kill -9 when all is sent; nothing was done */
    GCSD_KILL_AFTER /* done, and it dies before the answer */
};
struct gcsd_fault {
    enum gcsd_kind kind;
    unsigned nth;   /* from 1, counted from now on; 0: 1 */
    unsigned times; /* 0: 1; UINT_MAX: for ever */
    enum gcsd_what what;
    int status;
    const char *reason; /* a literal */
    const char *key;    /* only calls about an object whose name contains it; a literal; NULL all */
    int64_t ms;
    pid_t pid; /* of GCSD_KILL */
};

struct gcsd;
struct gcsd *gcsd_start(const char *bucket, unsigned page_max); /* page_max 0: 1000 */
void gcsd_stop(struct gcsd *g);
const char *gcsd_url(const struct gcsd *g);  /* "http://127.0.0.1:4443" */
const char *gcsd_host(const struct gcsd *g); /* "127.0.0.1:4443" */

/* Files for the client; mode 0600. The token command's token is "by-command". */
void gcsd_key_file(struct gcsd *g, const char *path);
void gcsd_workload_file(struct gcsd *g, const char *path, const char *subject_file, bool json,
                        bool impersonate);
#define GCSD_SUBJECT "subject-of-another-provider"
#define GCSD_COMMAND_TOKEN "by-command"
#define GCSD_TOKEN_BEGINS "gcsd-access-token-"    /* every other one */
void gcsd_token_life(struct gcsd *g, int64_t s);  /* of tokens given from now on */
void gcsd_expire(struct gcsd *g);                 /* all that were given, GCSD_COMMAND_TOKEN too */
void gcsd_accept(struct gcsd *g);                 /* GCSD_COMMAND_TOKEN again */
void gcsd_clock(struct gcsd *g, int64_t ahead_s); /* of the server */

void gcsd_plan(struct gcsd *g, const struct gcsd_fault *f);
void gcsd_plan_none(struct gcsd *g);
unsigned gcsd_count(struct gcsd *g, enum gcsd_kind kind);
unsigned gcsd_struck(struct gcsd *g);
/* Until every client has gone and nothing of theirs is in work; the caller has no connection. */
void gcsd_alone(struct gcsd *g);
/* Mistakes of the client so far, one a line; freed by the caller. */
char *gcsd_complaints(struct gcsd *g);

/* What is there, past the API. */
bool gcsd_has(struct gcsd *g, const char *name, const void *data, size_t n);
size_t gcsd_objects(struct gcsd *g);
size_t gcsd_sessions(struct gcsd *g);
/* Each object, with the lock held: fn asks nothing of g. */
void gcsd_each(struct gcsd *g, void (*fn)(const char *name, const void *p, size_t n));
/* Copy of it; the caller frees. NULL: not there. */
unsigned char *gcsd_get(struct gcsd *g, const char *name, size_t *n);
void gcsd_put(struct gcsd *g, const char *name, const void *data, size_t n);
void gcsd_versions(struct gcsd *g);     /* from now on what is replaced or deleted is kept */
void gcsd_no_retention(struct gcsd *g); /* the bucket takes no object retention */
void gcsd_may_delete(struct gcsd *g);   /* the key has storage.objects.delete and override */
void gcsd_overwrites(struct gcsd *g);   /* it ignores ifGenerationMatch, as some do */
void gcsd_retain(struct gcsd *g, const char *name, const char *mode, const char *until, bool hold);
void gcsd_hold_by_event(struct gcsd *g, const char *name);

#endif
