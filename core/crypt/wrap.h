/* wrap.h: how a data key is kept for those who may read: one slot for each of them.
 *
 * A slot is wrapped to a recipient's X25519 public key (whoever writes needs no secret), to a
 * passphrase through scrypt, or by a program (the caller runs it: mst_wrap_slot.kind COMMAND only
 * carries its bytes). Every slot is bound to set, backup, attempt and the id of the data key.
 * Pure but for randomness. Any thread.
 */
#ifndef MST_CRYPT_WRAP_H
#define MST_CRYPT_WRAP_H

#include "base/secret.h"
#include "crypt/seal.h"
#include "crypt/sign.h"

#define MST_RECIPIENT_LEN 32 /* X25519 public key */
#define MST_WRAP_SLOTS 16
#define MST_WRAP_BYTES 1024     /* of a slot's wrapped key; a program may give this many */
#define MST_SCRYPT_LOG2N 17     /* what we write: 128 MiB with r 8, p 1 */
#define MST_SCRYPT_LOG2N_MAX 20 /* what we accept to pay when reading */

enum mst_wrap_kind { MST_WRAP_X25519, MST_WRAP_SCRYPT, MST_WRAP_COMMAND };

struct mst_wrap_slot {
    enum mst_wrap_kind kind;
    char label[64];                       /* whose it is; sanitised */
    char recipient[MST_KEY_ID_HEX];       /* id of the public key; "" for others */
    uint8_t ephemeral[MST_RECIPIENT_LEN]; /* X25519 */
    uint8_t salt[16];                     /* scrypt */
    int log2n;                            /* scrypt */
    size_t n;
    uint8_t bytes[MST_WRAP_BYTES];
};

struct mst_wrap_place { /* what a slot is bound to */
    const char *set, *backup, *attempt;
};

struct mst_identity { /* an X25519 pair; secret NULL: only the public half */
    uint8_t *secret;  /* locked memory */
    uint8_t pub[MST_RECIPIENT_LEN];
    char id[MST_KEY_ID_HEX];
    char label[64];
};
enum mst_rc mst_identity_new(struct mst_identity *i, struct mst_err *err) MST_MUST_CHECK;
enum mst_rc mst_identity_set(struct mst_identity *i, const uint8_t secret[MST_RECIPIENT_LEN],
                             struct mst_err *err) MST_MUST_CHECK;
void mst_identity_release(struct mst_identity *i);

enum mst_rc mst_wrap_to(const struct mst_data_key *key, const struct mst_wrap_place *place,
                        const uint8_t pub[MST_RECIPIENT_LEN], const char *label,
                        struct mst_wrap_slot *out, struct mst_err *err) MST_MUST_CHECK;
/* MST_E_AUTH: the slot is another recipient's; MST_E_INTEGRITY: damaged or moved. */
enum mst_rc mst_unwrap(const struct mst_wrap_slot *slot, const struct mst_wrap_place *place,
                       const struct mst_identity *who, struct mst_data_key *out,
                       struct mst_err *err) MST_MUST_CHECK;
enum mst_rc mst_wrap_passphrase(const struct mst_data_key *key, const struct mst_wrap_place *place,
                                const struct mst_secret *phrase, int log2n, const char *label,
                                struct mst_wrap_slot *out, struct mst_err *err) MST_MUST_CHECK;
/* MST_E_AUTH: wrong passphrase; MST_E_LIMIT: it asks for more work than MST_SCRYPT_LOG2N_MAX. */
enum mst_rc mst_unwrap_passphrase(const struct mst_wrap_slot *slot,
                                  const struct mst_wrap_place *place,
                                  const struct mst_secret *phrase, struct mst_data_key *out,
                                  struct mst_err *err) MST_MUST_CHECK;

#endif
