/* catalog.h: the backups of one set in one store. The store is the catalog: nothing is read from
 * anywhere else, so listing it is rebuilding it.
 *
 * Keys: <prefix>/<set>/backups/<id>/<attempt>/..., <prefix>/<set>/backups/<id>/COMMIT, claim and
 * marks/, <prefix>/<set>/keys/<id>.<attempt>.<n>.
 *
 * Whoever fills one says who is believed (trust), with what is signed (signer) and how a sealed
 * backup is opened (unlock, called only when one is); all of them may be NULL.
 * Calls block: worker threads only. A struct mst_catalog is plain data over a borrowed store.
 */
#ifndef MST_CATALOG_CATALOG_H
#define MST_CATALOG_CATALOG_H

#include "catalog/header.h"
#include "catalog/manifest.h"
#include "catalog/trust.h"
#include "catalog/types.h"
#include "conc/task.h"
#include "store/store.h"

#define MST_BASE_MAX 256
#define MST_CATALOG_BACKUPS_MAX 100000U

struct mst_key_object; /* catalog/keyobj.h */
/* The data key that a key object holds; the secrets for it are loaded now and not kept. MST_E_AUTH:
 * no key here opens it, or a wrong one. */
typedef enum mst_rc mst_unlock_fn(void *arg, const struct mst_key_object *k,
                                  struct mst_data_key *out, struct mst_err *err);

struct mst_catalog {
    struct mst_store *store; /* borrowed */
    char base[MST_BASE_MAX]; /* "<prefix>/<set>" */
    char set[128];
    const struct mst_trust *trust;     /* borrowed, as all that follows */
    const struct mst_sign_key *signer; /* of marks that are written */
    mst_unlock_fn *unlock;
    void *unlock_arg;
};

/* prefix "" or a key; the set's name is percent-encoded where a key may not have it. */
enum mst_rc mst_catalog_init(struct mst_catalog *c, struct mst_store *store, const char *prefix,
                             const char *set, struct mst_err *err) MST_MUST_CHECK;

/* All backups, newest first; *out is an array the caller frees with free(). What is broken is
 * listed as such, never left out. */
enum mst_rc mst_catalog_list(const struct mst_catalog *c, struct mst_task *task,
                             struct mst_backup **out, size_t *n,
                             struct mst_err *err) MST_MUST_CHECK;
/* The same; while the walk goes on, so_far is called now and then (every MST_CATALOG_TELL_MS) with
 * the objects seen and those backups that are read already, newest first: keys rise, so the newest
 * of all come last. b is valid inside the call only. */
#define MST_CATALOG_TELL_MS 250
typedef void mst_so_far_fn(void *arg, uint64_t objects, const struct mst_backup *b, size_t n);
enum mst_rc mst_catalog_list_telling(const struct mst_catalog *c, mst_so_far_fn *so_far, void *arg,
                                     struct mst_task *task, struct mst_backup **out, size_t *n,
                                     struct mst_err *err) MST_MUST_CHECK;
/* One of them; "latest" is the newest COMPLETE one, else the newest PARTIAL one: never one that is
 * FORGED, or UNSIGNED where signers are named. MST_E_NOTFOUND. */
enum mst_rc mst_catalog_find(const struct mst_catalog *c, const char *id, struct mst_task *task,
                             struct mst_backup *out, struct mst_err *err) MST_MUST_CHECK;
/* What is missing before this one: the sentence of mst_chain_judge over the whole listing. */
enum mst_rc mst_catalog_chain(const struct mst_catalog *c, const char *id, struct mst_task *task,
                              char out[200], struct mst_err *err) MST_MUST_CHECK;
/* The newest COMMIT of a backup before id that somebody signed who is believed; where there is
 * none, the newest that is not forged; "" and 0 when there is none either. */
enum mst_rc mst_catalog_before(const struct mst_catalog *c, const char *id, struct mst_task *task,
                               struct mst_before *out, struct mst_err *err) MST_MUST_CHECK;
/* Namespaces and stored objects of one; arrays are the caller's. A backup whose manifest cannot be
 * read has its objects and returns MST_E_INTEGRITY. */
enum mst_rc mst_catalog_detail(const struct mst_catalog *c, const char *id, struct mst_task *task,
                               struct mst_backup_ns **ns, size_t *n_ns, struct mst_object **objects,
                               size_t *n_objects, struct mst_err *err) MST_MUST_CHECK;
/* Remove an INCOMPLETE backup, or the dead attempts of a committed one. Refuses to touch what
 * COMMIT names, and anything where it is not believed (MST_E_INTEGRITY, MST_E_PRECOND). */
enum mst_rc mst_catalog_clean(const struct mst_catalog *c, const char *id, struct mst_task *task,
                              uint64_t *removed, struct mst_err *err) MST_MUST_CHECK;

/* The same; what a lock keeps stays and is no error, *swept says until when. */
enum mst_rc mst_catalog_sweep(const struct mst_catalog *c, const char *id, struct mst_task *task,
                              struct mst_store_swept *swept, struct mst_err *err) MST_MUST_CHECK;

/* An id for a backup that starts now, later than newest (an id, or ""):
 * "2026-11-22T22-30-00Z-full". Pure. MST_E_LIMIT when no later time can be written. */
enum mst_rc mst_catalog_new_id(int64_t now_wall_ms, const char *newest, const char *kind,
                               char out[MST_ID_MAX], struct mst_err *err) MST_MUST_CHECK;
/* The newest id that was ever used here, whatever became of it; "" when none. */
enum mst_rc mst_catalog_newest(const struct mst_catalog *c, struct mst_task *task,
                               char out[MST_ID_MAX], struct mst_err *err) MST_MUST_CHECK;
/* The id is this run's: a create-only object says so to others, on every host. MST_E_EXISTS: it is
 * another's. unclaim gives an id back below which nothing else was stored. */
enum mst_rc mst_catalog_claim(const struct mst_catalog *c, const struct mst_claim *claim,
                              struct mst_err *err) MST_MUST_CHECK;
enum mst_rc mst_catalog_unclaim(const struct mst_catalog *c, const char *id,
                                struct mst_err *err) MST_MUST_CHECK;
/* The id of a backup of from is its own in to as well: the claim of from, or, where that has none,
 * one in its name. MST_E_EXISTS: another run has it there. */
enum mst_rc mst_catalog_claim_copy(const struct mst_catalog *from, const struct mst_catalog *to,
                                   const struct mst_header *h, struct mst_err *err) MST_MUST_CHECK;
/* Is it an id, and when was it started? Pure. */
bool mst_catalog_id_ok(const char *id, int64_t *wall_ms, char kind[16]);

/* Keys. */
void mst_catalog_key(const struct mst_catalog *c, const char *id, const char *attempt,
                     const char *name, char out[MST_KEY_MAX]); /* attempt "" for COMMIT */

/* Of a key object or a mark, reading it came to that: was it damaged, of another backup, or gone?
 * Another one counts then. What could not be read may be whole, and say what the others do not.
 * Pure.
 */
bool mst_catalog_is_none(enum mst_rc rc);
/* COMMIT of id as it stands there, and not judged: who wrote it is another question (alive.h). */
enum mst_rc mst_commit_read(const struct mst_catalog *c, const char *id, struct mst_commit *out,
                            struct mst_err *err) MST_MUST_CHECK;
/* Write a mark for the backup it names; its time and kind are in the key. */
enum mst_rc mst_catalog_mark(const struct mst_catalog *c, const struct mst_mark *m,
                             struct mst_err *err) MST_MUST_CHECK;

/* A committed backup, opened for reading: COMMIT, header and the object table were read and fit
 * together; the manifest was read to its end once (its SHA-256 is COMMIT's), from its copy when the
 * first one is damaged. A sealed one is opened through c->unlock: MST_E_AUTH when that has no key.
 */
struct mst_bkr;
enum mst_rc mst_bkr_open(const struct mst_catalog *c, const char *id, struct mst_task *task,
                         struct mst_bkr **out, struct mst_err *err) MST_MUST_CHECK;
/* The same without manifest and key: COMMIT and header only. What needs the manifest must not be
 * asked of it. */
enum mst_rc mst_bkr_open_clear(const struct mst_catalog *c, const char *id, struct mst_task *task,
                               struct mst_bkr **out, struct mst_err *err) MST_MUST_CHECK;
void mst_bkr_free(struct mst_bkr *r);
/* With what its objects are sealed; NULL: they are not. */
const struct mst_sealing *mst_bkr_sealing(const struct mst_bkr *r);
/* Who signed its COMMIT, and what that is worth. */
const struct mst_judgement *mst_bkr_judgement(const struct mst_bkr *r);
/* One copy of the manifest ("manifest", "manifest.copy") that must be the one of COMMIT. */
enum mst_rc mst_bkr_manifest(const struct mst_bkr *r, const char *copy, struct mst_manr **out,
                             struct mst_err *err) MST_MUST_CHECK;
const struct mst_header *mst_bkr_header(const struct mst_bkr *r);
const struct mst_commit *mst_bkr_commit(const struct mst_bkr *r);
const char *
mst_bkr_note(const struct mst_bkr *r); /* "" or "the manifest is damaged, its copy ..." */
size_t mst_bkr_objects(const struct mst_bkr *r, const struct mst_man_object **objects);
void mst_bkr_object_key(const struct mst_bkr *r, uint32_t object, char out[MST_KEY_MAX]);
/* Call fn for each namespace in the order of the manifest; fn's failure ends it. The record is
 * valid inside fn only. Each call reads the manifest again: bounded memory. */
typedef enum mst_rc mst_ns_fn(void *arg, const struct mst_man_ns *ns, struct mst_err *err);
enum mst_rc mst_bkr_each_ns(struct mst_bkr *r, mst_ns_fn *fn, void *arg, struct mst_task *task,
                            struct mst_err *err) MST_MUST_CHECK;
typedef enum mst_rc mst_member_fn(void *arg, const bson_t *facts, struct mst_err *err);
enum mst_rc mst_bkr_each_member(struct mst_bkr *r, mst_member_fn *fn, void *arg,
                                struct mst_err *err) MST_MUST_CHECK;

/* Documents of a namespace (its extents in order), or entries of the whole oplog (its objects in
 * order), as one stream. */
struct mst_docs;
enum mst_rc mst_docs_open_extents(struct mst_bkr *r, const struct mst_extent *extents, size_t n,
                                  struct mst_docs **out, struct mst_err *err) MST_MUST_CHECK;
enum mst_rc mst_docs_open_oplog(struct mst_bkr *r, struct mst_docs **out,
                                struct mst_err *err) MST_MUST_CHECK;
/* *doc NULL at the end; borrowed until the next call. */
enum mst_rc mst_docs_next(struct mst_docs *d, const uint8_t **doc, uint32_t *n,
                          struct mst_err *err) MST_MUST_CHECK;
void mst_docs_free(struct mst_docs *d);

#endif
