/* realstore.h: real object stores for tests: a child process on a free loopback port, its data in a
 * folder of its own, gone with the test however that ends.
 *
 * tests/store/peers.sh installs them. Where one cannot be had, realstore_need() says so and ends
 * the test program as skipped. A store that does not start ends it with the store's own words.
 * Optionally a toxiproxy stands before it, which delays, throttles and cuts on request.
 */
#ifndef TEST_REALSTORE_H
#define TEST_REALSTORE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/str.h"

enum realstore_kind { REAL_VERSITYGW, REAL_RCLONE, REAL_GCS, REAL_MOTO };

#define REAL_BUCKET "vault"
#define REAL_ACCESS "AKIDREALSTORE"
#define REAL_SECRET "a/secret+of=the/tests"
#define REAL_REGION "eu-test-1"

struct realstore_opts {
    bool versioned;        /* the bucket keeps versions */
    bool lock;             /* and has object lock */
    bool proxy;            /* a toxiproxy before it */
    bool no_bucket;        /* make none */
    bool users;            /* versitygw: with accounts besides the owner's, realstore_user */
    const char *cert_file; /* of REAL_GCS: PEM with key and certificate; endpoint is https then */
};
struct realstore {
    enum realstore_kind kind;
    pid_t pid, proxy_pid;
    int port, proxy_port, api_port;
    int plain_port;    /* of a store that speaks TLS on port */
    char dir[64];      /* temporary; data is in dir/data */
    char endpoint[64]; /* "http://127.0.0.1:PORT", of the proxy when there is one */
    char direct[64];   /* of the store itself */
};

/* Ends the program with 77 and its line when it cannot be had; call it first in main. */
void realstore_need(enum realstore_kind kind);
void realstore_need_proxy(void);
/* Path of the program (rclone also as a client). */
const char *realstore_program(enum realstore_kind kind);
void realstore_start(struct realstore *r, enum realstore_kind kind, const struct realstore_opts *o);
void realstore_stop(struct realstore *r); /* kills, waits, removes; twice allowed */
/* The process dies as by kill -9 and the data stay; and is started on the same port again. */
void realstore_kill(struct realstore *r);
void realstore_again(struct realstore *r);

/* A fault on the way: type "latency", "bandwidth", "slow_close", "timeout", "reset_peer",
 * "limit_data", "slicer"; up: from the client to the store; attributes as JSON without braces:
 * "\"rate\":64". One of a type and direction at a time; the last one counts. */
void realstore_toxic(struct realstore *r, const char *type, bool up, const char *attributes);
void realstore_toxic_none(struct realstore *r, const char *type, bool up);
void realstore_heal(struct realstore *r);         /* no toxic, and open */
void realstore_cut(struct realstore *r, bool on); /* nobody gets through */

/* An account with no right of its own; its secret is its name and "-secret". */
void realstore_user(struct realstore *r, const char *name);
/* The bucket's policy, as JSON. */
void realstore_policy(struct realstore *r, const char *json);

/* Run a program with these words, ended by NULL; output (both streams) into out when not NULL;
 * returns its exit status. rclone as a client of this store: remote name "real:". */
int realstore_run(const char *const *argv, struct mst_str *out);
int realstore_rclone(struct realstore *r, const char *const *words, struct mst_str *out);

#endif
