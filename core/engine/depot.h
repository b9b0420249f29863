/* depot.h: the stores of the configuration, each with a thread of its own: what asks one of them
 * waits for that one only. Private to engine.
 */
#ifndef MST_ENGINE_DEPOT_H
#define MST_ENGINE_DEPOT_H

#include "engine/inner.h"
#include "engine/pick.h"

/* First parts, from the cache; reads no store. Then the threads. */
void mst_depots_init(struct local *l);
enum mst_rc mst_depots_start(struct local *l, struct mst_err *err) MST_MUST_CHECK;
/* Ends the threads; false when one of them hangs in its store: then nothing that it may touch is
 * to be freed. */
bool mst_depots_stop(struct local *l);
void mst_depots_release(struct local *l);

/* Named, or "": the one that is meant where none is named. MST_E_CONFIG says what there is. */
enum mst_rc mst_depot_named(struct local *l, const char *name, struct depot **out,
                            struct mst_err *err) MST_MUST_CHECK;
/* Its store, opened when it is first needed and then kept; again while that fails, so that a mount
 * that comes late is found. Blocks. */
enum mst_rc mst_depot_open(struct depot *d, struct mst_store **out,
                           struct mst_err *err) MST_MUST_CHECK;
/* The same, but waits at most ms for a store that hangs (MST_E_TIMEOUT). */
enum mst_rc mst_depot_open_soon(struct depot *d, int64_t ms, struct mst_task *task,
                                struct mst_store **out, struct mst_err *err) MST_MUST_CHECK;
/* Listed anew; the error is why it was not. */
enum mst_rc mst_depot_read_soon(struct depot *d, int64_t ms, struct mst_task *task,
                                struct mst_err *err) MST_MUST_CHECK;
/* A question for its thread; a listing that is waiting already is not asked for twice. */
enum mst_rc mst_depot_ask_take(struct depot *d, struct ask *a, struct mst_err *err) MST_MUST_CHECK;
enum mst_rc mst_depots_list(struct local *l, struct mst_err *err) MST_MUST_CHECK; /* all of them */

/* Settle which store is meant by cmd->store and cmd->backup, from listings that are made now; a
 * store that does not answer within some seconds is passed over and named in note. With one store,
 * or one that is named, nothing is read. Not on a depot's thread. */
enum mst_rc mst_depot_choose(struct local *l, struct mst_cmd *cmd, enum mst_want want,
                             struct mst_task *task, char *note, size_t size,
                             struct mst_err *err) MST_MUST_CHECK;

#endif
