/* copy.h: a committed backup from one store into another, object by object, COMMIT last.
 *
 * Every byte is hashed on its way and must be what the manifest says. An object that is there
 * already with the right SHA-256 stays, so a copy that was killed goes on where it stopped; one
 * with another content is never replaced. Holds and key objects go along, before COMMIT. Afterwards
 * a mark in the source, signed when from->signer is there, says where it went.
 *
 * A sealed backup is copied without being opened: the sums in the clear, whose hash the header has,
 * name its objects. What is FORGED, or UNSIGNED where signers are named, is not copied.
 * Calls block: worker threads only.
 */
#ifndef MST_CATALOG_COPY_H
#define MST_CATALOG_COPY_H

#include "catalog/catalog.h"

struct mst_copy_opts {
    const char *id; /* or "latest" */
    const char *by; /* who asked */
    const struct mst_clock *clock;
    /* Asked before anything is written; NULL: it may go anywhere. */
    enum mst_rc (*may)(void *arg, bool sealed, const struct mst_store *to, struct mst_err *err);
    void *may_arg;
    void (*at)(void *arg, const char *point); /* faults on request; may be NULL */
    void *at_arg;
};

struct mst_copy_result {
    char id[MST_ID_MAX];
    uint64_t objects, kept, bytes; /* kept: were there already */
    char text[240];
};

/* MST_OK when COMMIT stands in the target and the mark in the source. MST_E_INTEGRITY: an object of
 * the source is damaged or forged, or the target has another one in its place. MST_E_PRECOND: it is
 * unsigned, or may does not let it go there. MST_E_EXISTS: another backup
 * of this id is committed there, or another run has claimed the id. */
enum mst_rc mst_copy_run(const struct mst_catalog *from, const struct mst_catalog *to,
                         const struct mst_copy_opts *o, struct mst_task *task,
                         struct mst_copy_result *res, struct mst_err *err) MST_MUST_CHECK;

#endif
