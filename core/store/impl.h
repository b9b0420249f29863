/* impl.h: what a kind of store provides. Only files of this module include it. */
#ifndef MST_STORE_IMPL_H
#define MST_STORE_IMPL_H

#include "store/store.h"

#define MST_SWEEP 1000U /* objects of one batch */

struct mst_store_ops {
    void (*close)(struct mst_store *s);
    enum mst_rc (*put_begin)(struct mst_store *s, const char *key, struct mst_store_put **out,
                             struct mst_err *err);
    enum mst_rc (*put_add)(struct mst_store_put *p, const void *data, size_t n,
                           struct mst_err *err);
    enum mst_rc (*put_finish)(struct mst_store_put *p, struct mst_err *err); /* consumes p */
    void (*put_abort)(struct mst_store_put *p);                              /* consumes p */
    enum mst_rc (*read)(struct mst_store *s, const char *key, uint64_t from, void *buf, size_t n,
                        size_t *got, struct mst_err *err);
    enum mst_rc (*stat)(struct mst_store *s, const char *key, uint64_t *bytes, struct mst_err *err);
    enum mst_rc (*list)(struct mst_store *s, const char *prefix,
                        bool (*fn)(void *arg, const struct mst_store_item *item), void *arg,
                        struct mst_task *task, struct mst_err *err);
    enum mst_rc (*remove)(struct mst_store *s, const char *key, struct mst_err *err);
    enum mst_rc (*space)(struct mst_store *s, uint64_t *free_bytes, uint64_t *total_bytes,
                         struct mst_err *err); /* optional, as all that follows */
    enum mst_rc (*info)(struct mst_store *s, const char *key, struct mst_store_info *out,
                        struct mst_err *err);
    enum mst_rc (*versions)(struct mst_store *s, const char *prefix,
                            bool (*fn)(void *arg, const struct mst_store_version *v), void *arg,
                            struct mst_task *task, struct mst_err *err);
    enum mst_rc (*uploads)(struct mst_store *s, const char *prefix,
                           bool (*fn)(void *arg, const struct mst_store_upload *u), void *arg,
                           struct mst_task *task, struct mst_err *err);
    enum mst_rc (*abort_upload)(struct mst_store *s, const struct mst_store_upload *u,
                                struct mst_err *err);
    enum mst_rc (*lock)(struct mst_store *s, const char *key, const char *mode,
                        int64_t until_wall_ms, struct mst_err *err);
    enum mst_rc (*thaw)(struct mst_store *s, const char *key, const char *version, int days,
                        struct mst_err *err);
    enum mst_rc (*read_version)(struct mst_store *s, const char *key, const char *version,
                                uint64_t from, void *buf, size_t n, size_t *got,
                                struct mst_err *err);
    enum mst_rc (*info_version)(struct mst_store *s, const char *key, const char *version,
                                struct mst_store_info *out, struct mst_err *err);
    enum mst_rc (*probe)(struct mst_store *s, struct mst_task *task, struct mst_err *err);
    void (*keeps)(struct mst_store *s, struct mst_task *task, struct mst_store_keeps *out);
    /* else by a put, which is read back where that does not refuse a name that exists */
    enum mst_rc (*claim)(struct mst_store *s, const char *key, const void *data, size_t n,
                         struct mst_err *err);
    const struct mst_store_caps *(*caps)(const struct mst_store *s); /* else those below */
    /* May an object there be locked? Asked before something is removed: where a bucket keeps
     * versions a lock does not keep its name from going. NULL: never. */
    bool (*may_lock)(struct mst_store *s);
    /* At most MST_SWEEP keys that are not locked: each is gone or failed in *out then.
     * MST_E_CONFIG: one by one. */
    enum mst_rc (*remove_many)(struct mst_store *s, const char (*keys)[MST_KEY_MAX], size_t n,
                               struct mst_store_swept *out, struct mst_task *task,
                               struct mst_err *err);
    enum mst_rc (*tags)(struct mst_store *s, const char *key, struct mst_str *out,
                        struct mst_err *err);
    enum mst_rc (*trial)(struct mst_store *s, enum mst_store_trial what, const char *key,
                         const char *version, struct mst_err *err);
};

/* Before the reason of the last try of a call, when the job may repeat none. */
#define MST_STORE_SPENT "the job has repeated %d calls more than went well and repeats no more"

struct mst_store { /* first member of every kind */
    const struct mst_store_ops *ops;
    char name[64];
    char where[MST_STORE_WHERE_MAX];
    bool local; /* a directory of this host */
    struct mst_store_caps caps;
    int64_t lock_days; /* what is written is locked so long; 0: not */
    char lock_mode[16];
    const char *tags; /* of what is written, the kind's own; NULL: none */
};

void mst_store_marks_take(struct mst_store *s, const struct mst_store_marks *m);

struct mst_store_put { /* first member of every kind's put */
    struct mst_store *store;
};

/* So many names of a listing cannot be keys: counted for mst_store_left_out_take(). */
void mst_store_leave_out(uint64_t n);

#endif
