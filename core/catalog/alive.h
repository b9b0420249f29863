/* alive.h: which attempt of a backup counts, before anything of the others is removed. A COMMIT
 * that somebody else wrote could name another one, and the true one would look like a dead run; so
 * only a COMMIT that is believed, with the header that it names, says what may go. Private to
 * catalog.
 */
#ifndef MST_CATALOG_ALIVE_H
#define MST_CATALOG_ALIVE_H

#include "catalog/catalog.h"

/* COMMIT of id: no attempt in out when there is none. Else it is this backup's own, signed by
 * somebody who is believed where signers are named; the error says why not. */
enum mst_rc mst_alive_commit(const struct mst_catalog *c, const char *id, struct mst_commit *out,
                             struct mst_err *err) MST_MUST_CHECK;
/* And its header stands there, is this set's, and is the one that COMMIT names. */
enum mst_rc mst_alive_header(const struct mst_catalog *c, const struct mst_commit *commit,
                             struct mst_err *err) MST_MUST_CHECK;
/* Both, for what is removed now. */
enum mst_rc mst_alive(const struct mst_catalog *c, const char *id, struct mst_commit *out,
                      struct mst_err *err) MST_MUST_CHECK;
/* The store did answer, and what it has does not say what counts. */
bool mst_alive_unclear(enum mst_rc rc);

#endif
