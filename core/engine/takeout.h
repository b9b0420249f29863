/* takeout.h: backups that outlive muster: out of a configured store, or out of any folder of
 * objects, as what mongorestore reads. Front ends call it in their own process: the result is a
 * file of whoever asked, and an agent may be another user. Calls block: worker threads only.
 */
#ifndef MST_ENGINE_TAKEOUT_H
#define MST_ENGINE_TAKEOUT_H

#include "catalog/types.h"
#include "cfg/cfg.h"
#include "conc/task.h"

struct mst_takeout {
    const char *folder;        /* of objects; NULL: the configured store */
    const char *store;         /* its name; NULL or "": as for backups */
    const char *backup;        /* an id, or "latest"; NULL: latest, of a folder the only one */
    int64_t as_of_ms;          /* the store as it stood then; 0 now */
    const char *archive, *dir; /* one of them; archive "-": stdout */
    bool gzip, no_oplog;
    size_t n_include, n_exclude;
    const char *const *include, *const *exclude; /* "shop.*" */
    const char *tool;                            /* "muster 0.1.0" */
    /* Of a sealed backup: with none of them, what the configuration names. */
    const char *key_file, *passphrase_file; /* NULL: none; the passphrase is the file's, if any */
    mst_cfg_ask_fn *ask;                    /* for a passphrase without a file; NULL: nobody */
    void *ask_arg;
    /* "mstsig-...": with any, and the configuration's trusted ones, others are not believed. */
    size_t n_signers;
    const char *const *signers;
};

struct mst_takeout_done {
    char id[MST_ID_MAX], set[128];
    struct mst_optime point;      /* what the oplog brings it to */
    uint64_t objects, read_bytes; /* that were checked first */
    uint64_t collections, views, documents, doubles, data_bytes, ops, txn_open, stored_bytes;
    bool partial, oplog, sealed;
    char signed_by[100]; /* "" unsigned, or signed and nobody was named to be believed */
    enum mst_signed signature;
    char trust[160];   /* sealed or not, signed or not, in words */
    char warning[200]; /* "" or what is no damage of its bytes: unsigned, one is missing before */
    char note[200];    /* "" or what was noticed: the manifest's copy was used */
};

/* What comes out whole is whole: every stored byte was read and compared with the hashes that
 * COMMIT leads to before anything is written, and every document counted and summed while it was.
 * A failure leaves nothing behind. */
enum mst_rc mst_takeout_run(const struct mst_cfg *cfg, const struct mst_takeout *t,
                            struct mst_task *task, struct mst_takeout_done *done,
                            struct mst_err *err) MST_MUST_CHECK;

/* Backups in a folder, wherever in it they stand. */
struct mst_takeout_found {
    char at[512]; /* below the folder; "" the folder itself */
    char set[128];
    struct mst_backup b; /* as a listing of the bucket has it */
};
enum mst_rc mst_takeout_list(const char *folder, struct mst_task *task,
                             struct mst_takeout_found **out, size_t *n,
                             struct mst_err *err) MST_MUST_CHECK;

#endif
