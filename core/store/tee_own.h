/* tee_own.h: shared by the files of the tee. */
#ifndef MST_STORE_TEE_OWN_H
#define MST_STORE_TEE_OWN_H

#include "conc/thread.h"
#include "hash/hash.h"
#include "store/impl.h"
#include "store/tee.h"

#define STEP_MS 50

struct side { /* one of the stores */
    struct mst_store *store;
    atomic_int *inside;
    bool out;
    struct mst_err err;
    unsigned waiters; /* puts that wait for it while another store could go on */
    int64_t wait_from_ms, waited_ms;
    bool has_task;
    struct mst_task task; /* of all calls of this run in it: what they may repeat */
    unsigned refusals;    /* claims that it alone refused, one after another */
};

struct written { /* an object that went through */
    char *key;
    uint64_t bytes;
    uint8_t sha[MST_SHA256_LEN];
};

struct shared { /* outlives the tee while a thread is in a store */
    struct mst_tee_opts o;
    struct mst_mutex mtx; /* guards what follows, and the lanes */
    struct mst_cond cond;
    unsigned refs;
    struct side side[MST_TEE_STORES];
    struct written *written;
    size_t n_written, cap_written;
};

struct tee {
    struct mst_store base;
    struct shared *sh;
};

void tee_ref(struct shared *sh);
void tee_unref(struct shared *sh);
/* Out with it, for good; only the first reason is kept. No lock held. */
void tee_out(struct shared *sh, size_t i, const struct mst_err *why);
bool tee_is_in(struct shared *sh, size_t i);
size_t tee_in(struct shared *sh);
/* Why nothing is left: the first store's reason. */
enum mst_rc tee_none(struct shared *sh, struct mst_err *err);
void tee_enter(const struct side *s);
/* Was the run stopped? Then its calls in the stores are, too. */
bool tee_stopped(struct shared *sh);
/* This thread works for the run, in this store; its reference keeps the task. */
void tee_work_for(struct side *s);
void tee_leave(const struct side *s);
/* The SHA-256 that an object should have; false when it did not go through here. */
bool tee_written(struct shared *sh, const char *key, struct written *out);

/* tee_call.c: one call in each store, on threads of their own. */
struct call {
    struct shared *sh;
    size_t side;
    unsigned refs;
    bool done, gone; /* gone: nobody waits any more, arg is not to be touched */
    enum mst_rc (*fn)(struct call *c, struct mst_err *err);
    enum mst_rc rc;
    struct mst_err err;
    char key[MST_KEY_MAX];
    uint64_t from, bytes; /* read: from; stat: the answer */
    size_t n, got;
    unsigned char *buf; /* owned */
    uint8_t sha[MST_SHA256_LEN];
    bool (*see)(void *arg, const struct mst_store_item *item);
    void *arg;
    mst_tee_ask_fn *ask_fn;
    void *ask; /* owned */
};

struct round {                      /* the same call in every store */
    struct call *c[MST_TEE_STORES]; /* NULL: not asked */
    enum mst_rc rc[MST_TEE_STORES];
    struct mst_err err[MST_TEE_STORES];
};
void round_ask(struct shared *sh, const char *key,
               enum mst_rc (*fn)(struct call *c, struct mst_err *err),
               void (*prepare)(struct call *c, const void *from), const void *from,
               struct round *r);
void round_end(struct round *r);
/* Of one store. The caller gives it back with call_release. */
struct call *call_start(struct shared *sh, size_t side, const char *key,
                        enum mst_rc (*fn)(struct call *c, struct mst_err *err),
                        void (*prepare)(struct call *c, const void *from), const void *from);
enum mst_rc call_wait(struct call *c,
                      struct mst_err *err); /* its result; hangs are MST_E_TIMEOUT */
void call_release(struct call *c);
enum mst_rc call_hash(struct call *c, struct mst_err *err); /* of a whole object: sha and bytes */

enum mst_rc tee_read(struct mst_store *s, const char *key, uint64_t from, void *buf, size_t n,
                     size_t *got, struct mst_err *err);
enum mst_rc tee_stat(struct mst_store *s, const char *key, uint64_t *bytes, struct mst_err *err);
enum mst_rc tee_list(struct mst_store *s, const char *prefix,
                     bool (*fn)(void *arg, const struct mst_store_item *item), void *arg,
                     struct mst_task *task, struct mst_err *err);
enum mst_rc tee_remove(struct mst_store *s, const char *key, struct mst_err *err);
/* tee_ask.c */
enum mst_rc tee_claim(struct mst_store *s, const char *key, const void *data, size_t n,
                      struct mst_err *err);

#endif
