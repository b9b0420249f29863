/* seals.h: keys of the configuration for one act, and what is remembered of signed backups; private
 * to engine. Secrets are loaded when they are needed and wiped with the act. */
#ifndef MST_ENGINE_SEALS_H
#define MST_ENGINE_SEALS_H

#include "catalog/keyobj.h"
#include "engine/inner.h"

/* Who is believed: seal.trusted and this host's own signer. At the start; what cannot be read is
 * said and left out, so that less is believed. */
void mst_seal_trust(struct local *l);
/* What is missing before all keys are lost: kept for the views, and a message when it is another
 * sentence than before. At the start, and again now and then: 'muster key escrow' may have been
 * done meanwhile. */
void mst_seal_remind(struct local *l);
/* Who is believed and how a sealed backup is opened, for a catalog that was just made. */
void mst_seal_catalog(struct local *l, struct mst_catalog *c);

struct seals { /* of one act that writes */
    bool sealed;
    struct mst_readers readers;
    struct mst_secret phrase;
    struct mst_sign_key signer;
};
/* For an act that only leaves marks: the signer. MST_OK also when none is configured. */
enum mst_rc mst_seals_sign(struct local *l, struct mst_catalog *c, struct seals *s,
                           struct mst_err *err) MST_MUST_CHECK;
/* For a backup: the signer and who may read it. Whether it may go there is mst_seal_store_ok(). */
enum mst_rc mst_seals_open(struct local *l, struct mst_catalog *c, struct seals *s,
                           struct mst_err *err) MST_MUST_CHECK;
/* Only who may read, as the configuration has it now; sealed says whether there is anybody. */
enum mst_rc mst_seals_readers(struct local *l, struct seals *s, struct mst_err *err) MST_MUST_CHECK;
void mst_seals_release(struct seals *s);

/* The highest number of a signed backup that was seen in this store; 0 none. */
uint64_t mst_seal_seen(struct local *l, const char *set, const char *store);
/* Did the store go back behind what was seen? A sentence, or "" (also when it cannot be read). */
void mst_seal_rollback(struct local *l, const struct mst_catalog *c, struct mst_task *task,
                       char out[280]);
/* A listing was read: remember its highest number; p->rollback says it when that went back. */
void mst_seal_look(struct local *l, const char *set, struct mst_bucket_part *p);

/* Does the configuration say who may read backups? */
bool mst_seal_wanted(const struct mst_cfg *cfg);
/* May such a backup go into this store, as the configuration has it? MST_E_PRECOND. */
enum mst_rc mst_seal_store_ok(struct local *l, bool sealed, const struct mst_store *store,
                              struct mst_err *err) MST_MUST_CHECK;
/* May a backup that is not sealed go there? MST_E_PRECOND says no. Pure. */
enum mst_rc mst_seal_allowed(bool sealed, bool local_store, bool allow_unsealed, const char *store,
                             struct mst_err *err) MST_MUST_CHECK;

#endif
