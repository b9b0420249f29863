/* What muster key add, remove and rotate say of what they will do and did: the plan's steps, and a
 * sentence for each store. Internal to the engine; the job's thread owns what is given. */
#ifndef MUSTER_ENGINE_REKEY_SAYS_H
#define MUSTER_ENGINE_REKEY_SAYS_H

#include "catalog/rekey.h"
#include "engine/acts.h"

#define REKEY_STEPS (5 + 2 * MST_CFG_STORES)
#define REKEY_CONCLUSION 400

struct rekey_outcome { /* over all backups of one store */
    size_t done, already, failed, staying;
    size_t wrote;                /* of done; of the others an earlier removal is ended */
    size_t hidden;               /* older key objects behind markers */
    struct mst_rekey_result any; /* what locks keep, over all of them */
    char why[200];
    enum mst_rc rc;
    bool unproven; /* of those already: none opens with a key that is here */
};
struct rekey_store {
    const char *name;
    struct mst_catalog cat;
    struct mst_backup *b; /* those that are meant */
    size_t n;
    struct mst_err err; /* it cannot be asked, or there is nothing (MST_E_NOTFOUND) */
    struct rekey_outcome o;
};
struct rekey_places {
    struct rekey_store s[MST_CFG_STORES];
    size_t n;
    char in[200]; /* "the store local", "the stores local, vault" */
};

/* It cannot be asked; a store without what is meant is not dead. */
bool rekey_is_dead(const struct rekey_store *s);
/* What is wrong with it, without the name that most sentences begin with. */
const char *rekey_why_dead(const struct rekey_store *s);
/* Summary, phrase and steps of the plan; t->steps has room for REKEY_STEPS. n_stores: of the
 * configuration. */
void rekey_describe(struct mst_ticket *t, const struct mst_cfg *cfg, const struct mst_rekey *r,
                    const struct rekey_places *p, size_t n_stores);
/* Of one store, after the run. MST_E_INCOMPLETE: not all. */
enum mst_rc rekey_conclude(const struct rekey_store *s, char text[REKEY_CONCLUSION],
                           struct mst_err *err) MST_MUST_CHECK;

#endif
