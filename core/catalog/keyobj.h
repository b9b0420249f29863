/* keyobj.h: the key object of a sealed backup: its data key, wrapped for everybody who may read it.
 *
 * <prefix>/<set>/keys/<backup>.<attempt>.<n>: canonical JSON, write-once, n 0 written before the
 * first data object; who may read is changed by writing n + 1. Whatever it says, the key that comes
 * out of a slot counts only when its id is the one that the header names, so a damaged or strange
 * object can hide a backup but not give out another one.
 */
#ifndef MST_CATALOG_KEYOBJ_H
#define MST_CATALOG_KEYOBJ_H

#include "catalog/catalog.h"
#include "crypt/wrap.h"

struct mst_key_object {
    int format;
    char id[MST_ID_MAX], attempt[17], set[128];
    char key_id[33];
    size_t n;
    struct mst_wrap_slot slots[MST_WRAP_SLOTS];
};
/* Pure. */
void mst_key_object_put(const struct mst_key_object *k, struct mst_str *out);
enum mst_rc mst_key_object_get(const char *text, size_t n, struct mst_key_object *k,
                               struct mst_err *err) MST_MUST_CHECK;
/* "recipient 3f.. (ops), a passphrase, the program kms": who can open it. */
void mst_key_object_who(const struct mst_key_object *k, struct mst_str *out);

/* With what a key object may be opened; all may be absent. Borrowed. */
struct mst_key_means {
    const struct mst_identity *identity;
    const struct mst_secret *phrase;
    enum mst_rc (*unwrap)(void *arg, const struct mst_wrap_slot *slot, struct mst_data_key *out,
                          struct mst_err *err);
    void *unwrap_arg;
};
#define MST_KEY_FAILED 1
/* The first slot that opens and gives the key that the object names. MST_E_AUTH: none of these
 * means opens it, and who could; with err->detail MST_KEY_FAILED one of them should have: a wrong
 * passphrase, a program that failed. MST_E_INTEGRITY: a slot is damaged or of another backup. */
enum mst_rc mst_key_object_open(const struct mst_key_object *k, const struct mst_key_means *means,
                                struct mst_data_key *out, struct mst_err *err) MST_MUST_CHECK;

/* Who may read a backup that is made now. */
struct mst_readers {
    size_t n;
    struct {
        uint8_t pub[MST_RECIPIENT_LEN];
        char label[64];
    } to[MST_WRAP_SLOTS];
    const struct mst_secret *phrase; /* NULL: none */
    int log2n;                       /* its cost; 0: MST_SCRYPT_LOG2N */
    enum mst_rc (*wrap)(void *arg, const struct mst_data_key *key, struct mst_wrap_slot *out,
                        struct mst_err *err); /* NULL: no program */
    void *wrap_arg;
};
/* A slot for each of them, behind those that k has. MST_E_CONFIG when there is none, or too many.
 */
enum mst_rc mst_keyobj_wrap(struct mst_key_object *k, const struct mst_readers *readers,
                            const struct mst_data_key *key, struct mst_err *err) MST_MUST_CHECK;
/* A fresh data key for this attempt, and its object in the store. MST_E_CONFIG when nobody could
 * read it. */
enum mst_rc mst_keyobj_make(const struct mst_catalog *c, const char *id, const char *attempt,
                            const struct mst_readers *readers, struct mst_data_key *out,
                            struct mst_err *err) MST_MUST_CHECK;
/* The data key of a sealed backup through c->unlock. MST_E_AUTH: no key here; MST_E_INTEGRITY: the
 * object is missing, damaged, or of another backup. */
enum mst_rc mst_keyobj_open(const struct mst_catalog *c, const struct mst_header *h,
                            struct mst_task *task, struct mst_data_key *out,
                            struct mst_err *err) MST_MUST_CHECK;
/* The numbers of the key objects of one attempt, the highest first; the caller frees *out. */
enum mst_rc mst_keyobj_numbers(const struct mst_catalog *c, const char *id, const char *attempt,
                               struct mst_task *task, unsigned **out, size_t *n,
                               struct mst_err *err) MST_MUST_CHECK;
/* One of them, its bytes too. MST_E_INTEGRITY: damaged, or of another backup. */
enum mst_rc mst_keyobj_read(const struct mst_catalog *c, const struct mst_header *h, unsigned n,
                            struct mst_key_object *k, struct mst_buf *raw,
                            struct mst_err *err) MST_MUST_CHECK;
/* Names of who can open it, as its key objects say: "ops, safe, passphrase". They are not signed:
 * who writes to the store can put others there, who open nothing. */
enum mst_rc mst_keyobj_opens(const struct mst_catalog *c, const struct mst_header *h,
                             struct mst_task *task, char *out, size_t size,
                             struct mst_err *err) MST_MUST_CHECK;
struct mst_keyed { /* an attempt that has a key object */
    char id[MST_ID_MAX], attempt[17];
    uint64_t bytes;
};
/* All of them, sorted; the caller frees *out. */
enum mst_rc mst_keyobj_list(const struct mst_catalog *c, struct mst_task *task,
                            struct mst_keyed **out, size_t *n, struct mst_err *err) MST_MUST_CHECK;
bool mst_keyobj_has(const struct mst_keyed *keys, size_t n, const char *id, const char *attempt);
/* What the key objects of this attempt take; attempt "": of all of this backup. */
uint64_t mst_keyobj_bytes(const struct mst_keyed *keys, size_t n, const char *id,
                          const char *attempt);
/* "<base>/keys/<id>.<attempt>.<n>" */
void mst_keyobj_path(const struct mst_catalog *c, const char *id, const char *attempt, unsigned n,
                     char out[MST_KEY_MAX]);
/* Backup, attempt and number of such a name (behind "keys/"). Pure. */
bool mst_keyobj_name(const char *name, char id[MST_ID_MAX], char attempt[17], unsigned *n);

#endif
