/* swap.h: exchange live collections for the restored ones, so that each is at any moment wholly old
 * or wholly new, or (between two renames) not there and known to the journal. Inside the module
 * only.
 *
 * The journal has the list before the first rename. What was done is then told by UUIDs on the
 * target, so a step can be repeated, and a dead process's swap finished or undone, at any point.
 */
#ifndef MST_RESTORE_SWAP_H
#define MST_RESTORE_SWAP_H

#include "restore/target.h"

struct mst_swap_item {
    char db[64];
    char coll[MST_COLL_MAX];
    unsigned n;
    bool view;     /* options, no staging */
    bool has_live; /* live_uuid stood there when the list was made */
    bool live_is_view;
    uint8_t staged[16], live_uuid[16];
    bson_t *options; /* view: its definition */
    bson_t *before;  /* definition of the view that it replaces; NULL none */
};
struct mst_swap {
    char run[MST_RUN_HEX];
    struct mst_swap_item *items;
    size_t n, cap;
    bool open, closed; /* read from a journal: was it begun, was it ended */
};

enum mst_swapped { MST_SWAP_NEW, MST_SWAP_OLD, MST_SWAP_FOREIGN };

void mst_swap_release(struct mst_swap *s);
/* List, held TTL indexes, and the mark that renames may begin. */
enum mst_rc mst_swap_journal(const struct mst_rs *r, struct mst_restore_journal *j,
                             const struct mst_swap *s, struct mst_err *err) MST_MUST_CHECK;
/* All open swaps of the journal, or of one run. The caller frees each and the array. */
enum mst_rc mst_swap_read(struct mst_restore_journal *j, const char *run, struct mst_swap **out,
                          size_t *n, struct mst_err *err) MST_MUST_CHECK;
enum mst_rc mst_swap_close(struct mst_restore_journal *j, const char *run,
                           struct mst_err *err) MST_MUST_CHECK;
/* Bring one item to its new, or back to its old state. *what is what it is now; FOREIGN: something
 * that is neither has the name, and nothing was done to it. */
enum mst_rc mst_swap_forward(const struct mst_rs *r, const char *run,
                             const struct mst_swap_item *it, enum mst_swapped *what,
                             struct mst_err *err) MST_MUST_CHECK;
enum mst_rc mst_swap_back(const struct mst_rs *r, const char *run, const struct mst_swap_item *it,
                          enum mst_swapped *what, struct mst_err *err) MST_MUST_CHECK;

#endif
