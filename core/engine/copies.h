/* copies.h: the stores that a backup goes to, and what became of each. Private to engine. */
#ifndef MST_ENGINE_COPIES_H
#define MST_ENGINE_COPIES_H

#include "engine/depot.h"
#include "store/tee.h"

struct copies {
    struct local *l;
    struct mst_task *task;
    size_t n;
    struct depot *d[MST_CFG_STORES];
    struct mst_err err[MST_CFG_STORES];       /* why it was out from the start */
    size_t at[MST_CFG_STORES];                /* in the tee; SIZE_MAX: it was out from the start */
    struct mst_store *stores[MST_TEE_STORES]; /* of the tee; the depots' */
    struct mst_store *tee;
    struct mst_before before[MST_TEE_STORES]; /* of the tee: what stood there before this backup */
    bool has_before[MST_TEE_STORES];          /* it was asked, and answered */
};

/* A store that cannot be opened is out; the first reason when none can. Blocks, but not longer than
 * a store that hangs is waited for. */
enum mst_rc mst_copies_open(struct copies *c, struct local *l, const size_t *targets, size_t n,
                            struct mst_task *task, struct mst_err *err) MST_MUST_CHECK;
/* What a COMMIT for all of them says about those before it: each store is asked for its own newest
 * one, and compared with what was seen there. cat is the catalog over c->tee. */
enum mst_rc mst_copies_before(struct copies *c, const struct mst_catalog *cat, const char *id,
                              struct mst_commit *commit, struct mst_err *err) MST_MUST_CHECK;
#define MST_OTHER_SET 400
/* Is the newest backup before id in a store of another set that has the same name? Its place in
 * text: a sentence, or "". before: what was found there, NULL: nobody looked yet. set_id is this
 * set's, "" unknown. */
enum mst_rc mst_copies_other_set(const struct mst_catalog *cat, const char *id,
                                 const struct mst_before *before, const char *set_id,
                                 char text[MST_OTHER_SET], struct mst_err *err) MST_MUST_CHECK;
/* The same in each store of a run that is over. */
void mst_copies_other_sets(struct copies *c, const struct mst_catalog *cat, const char *id,
                           const char *set_id, void (*say)(void *arg, const char *text), void *arg);
/* After a good run: what the locks of each copy are. One that is not locked as its store says is no
 * good copy. */
void mst_copies_settle(struct copies *c, const char *id);
/* After the run: "copies 1/2: vault failed: ..." into text; how many are whole. */
size_t mst_copies_tell(struct copies *c, char *text, size_t size);
void mst_copies_close(struct copies *c);

/* Of a message that is longer than max its end, which says more than the beginning: from the first
 * ": " on behind which it fits; without one it stays. Pure. */
const char *mst_copies_reason(const char *msg, size_t max);

#endif
