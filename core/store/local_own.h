/* local_own.h: shared by the files of the directory store. */
#ifndef MST_STORE_LOCAL_OWN_H
#define MST_STORE_LOCAL_OWN_H

#include "store/impl.h"

struct local {
    struct mst_store base;
    int root;
    bool write;
};

static inline struct local *local_of(struct mst_store *s)
{
    return (struct local *)(void *)s;
}

/* By errno: what could not be read there. */
enum mst_rc local_fail_read(struct mst_store *s, const char *verb, const char *key,
                            struct mst_err *err);
/* Descriptor of the directory that holds key, made where absent if make; its last name in *leaf. -1
 * with errno. */
int local_walk(const struct local *l, const char *key, bool make, const char **leaf);
/* local_list.c */
enum mst_rc local_list(struct mst_store *s, const char *prefix,
                       bool (*fn)(void *arg, const struct mst_store_item *item), void *arg,
                       struct mst_task *task, struct mst_err *err);

#endif
