/* rekey.h: who may read a backup that exists, changed: its data key is wrapped anew, its data is
 * not touched.
 *
 * A new key object is written behind the others (create-only) and read back before an older one is
 * removed, so a process that dies leaves a backup that opens. What was copied before is not called
 * back: whoever kept an older key object and its secret still opens the backup.
 */
#ifndef MST_CATALOG_REKEY_H
#define MST_CATALOG_REKEY_H

#include "catalog/keyobj.h"

enum mst_rekey_what {
    MST_REKEY_ADD,    /* one more recipient */
    MST_REKEY_REMOVE, /* one less; older key objects go */
    MST_REKEY_ROTATE  /* who the readers say, and nobody else; older key objects go */
};

struct mst_rekey {
    enum mst_rekey_what what;
    uint8_t pub[MST_RECIPIENT_LEN]; /* ADD */
    char label[64];                 /* ADD */
    const char *who;                /* REMOVE: name or id of a recipient, "passphrase", "program" */
    const struct mst_readers *readers; /* ROTATE */
};

/* Which slots stay. Pure. MST_E_EXISTS: it is there already; MST_E_NOTFOUND: nobody is called so;
 * MST_E_LIMIT: no slot is free; MST_E_PRECOND: nobody could read it any more. */
enum mst_rc mst_rekey_decide(const struct mst_key_object *k, const struct mst_rekey *r,
                             bool keep[MST_WRAP_SLOTS], struct mst_err *err) MST_MUST_CHECK;

/* The newest key object of this backup that is whole and its own, and its number; highest is that
 * of any. MST_E_INTEGRITY: there is none. */
enum mst_rc mst_rekey_newest(const struct mst_catalog *c, const struct mst_header *h,
                             struct mst_task *task, struct mst_key_object *out, unsigned *number,
                             unsigned *highest, struct mst_err *err) MST_MUST_CHECK;

struct mst_rekey_result {
    unsigned number;      /* of the newest object */
    bool wrote;           /* it is of this run; false: an earlier removal was ended */
    size_t gone, staying; /* older objects removed; that could not be removed */
    size_t hidden;        /* of gone: the bucket keeps versions, so they are behind a marker */
    char why[200];        /* of staying */
    /* Of staying, those that only a lock of the store keeps. */
    size_t locked;
    int64_t locked_until_ms; /* the latest end; 0: a hold, which has none */
    char locked_key[MST_KEY_MAX];
};
/* What a run would say, without opening anything; out has which older objects would stay because
 * they are locked now. */
enum mst_rc mst_rekey_look(const struct mst_catalog *c, const struct mst_header *h,
                           const struct mst_rekey *r, struct mst_task *task,
                           struct mst_rekey_result *out, struct mst_err *err) MST_MUST_CHECK;
/* What locks keep, of both: the counts, and the one that stays longest. */
void mst_rekey_locked_add(struct mst_rekey_result *to, const struct mst_rekey_result *more);
/* "2 older key objects stay, locked until 2027-01-31T00:00:00Z (the last: KEY)"; "" none is. */
void mst_rekey_locked_text(const struct mst_rekey_result *res, char *out, size_t size);

/* Opens the data key through c->unlock. A removal that an earlier run began is ended.
 * MST_E_PRECOND: what would stay does not open here. MST_E_INCOMPLETE: written, but older objects
 * stay. MST_E_EXISTS of a rotation: it does not open here and lists whom it should already. */
enum mst_rc mst_rekey_run(const struct mst_catalog *c, const struct mst_header *h,
                          const struct mst_rekey *r, struct mst_task *task,
                          struct mst_rekey_result *out, struct mst_err *err) MST_MUST_CHECK;

#endif
