/* tree.h: a sorted list of pointers in short runs: log n search, cheap inserts, ordered walks.
 *
 * A comparison gets a search key of the caller's own kind and an item. Equal items may repeat when
 * the caller's comparison allows it. Any insert or removal invalidates positions.
 */
#ifndef SBX_DATA_TREE_H
#define SBX_DATA_TREE_H

#include <stdbool.h>
#include <stddef.h>

typedef int sbx_tree_cmp_fn(const void *key, const void *item);

struct sbx_run;
struct sbx_tree {
    struct sbx_run **runs;
    size_t n_runs, cap_runs;
    size_t count;
};
struct sbx_tree_at {
    size_t run, i;
};

void sbx_tree_release(struct sbx_tree *t); /* the items are the caller's */
void sbx_tree_add(struct sbx_tree *t, const void *key, sbx_tree_cmp_fn *cmp, void *item);
/* First item that is not below the key; NULL when all are below (at is then the end). */
void *sbx_tree_ge(const struct sbx_tree *t, const void *key, sbx_tree_cmp_fn *cmp,
                  struct sbx_tree_at *at);
void *sbx_tree_next(const struct sbx_tree *t, struct sbx_tree_at *at);
void *sbx_tree_prev(const struct sbx_tree *t, struct sbx_tree_at *at); /* also from the end */
void *sbx_tree_first(const struct sbx_tree *t, struct sbx_tree_at *at);
void *sbx_tree_last(const struct sbx_tree *t, struct sbx_tree_at *at);
/* Remove this very item, found through its key. False when it is not there. */
bool sbx_tree_del(struct sbx_tree *t, const void *key, sbx_tree_cmp_fn *cmp, const void *item);

#endif
