/* keyfile.h: keys as people keep them: one small text file for each, and public keys as one word
 * that can be put into a configuration or read over the phone line by line.
 *
 * A public key is "mstpub-" (recipient, X25519) or "mstsig-" (signer, Ed25519), 64 hex digits and
 * 8 more of their SHA-256, so that a slip is noticed. A secret key file has a first line that says
 * what it is, the id, the public word, and the secret (hex), alone or sealed with a passphrase
 * (scrypt); it ends with the SHA-256 of its own bytes. docs/formats.md has it byte for byte.
 */
#ifndef MST_CRYPT_KEYFILE_H
#define MST_CRYPT_KEYFILE_H

#include "base/str.h"
#include "crypt/sign.h"
#include "crypt/wrap.h"

#define MST_PUB_WORD 80
#define MST_KEYFILE_MAX 8192

enum mst_key_kind { MST_KEY_RECIPIENT, MST_KEY_SIGNER };

void mst_pub_word(enum mst_key_kind kind, const uint8_t pub[32], char out[MST_PUB_WORD]);
/* MST_E_CONFIG says what is wrong with the word: kind, length, a slip. */
enum mst_rc mst_pub_parse(const char *word, enum mst_key_kind kind, uint8_t pub[32],
                          struct mst_err *err) MST_MUST_CHECK;

struct mst_keyfile { /* what a file says before its secret is opened */
    enum mst_key_kind kind;
    char label[64], id[MST_KEY_ID_HEX];
    uint8_t pub[32];
    int64_t created_wall_ms;
    bool locked; /* its secret needs a passphrase */
};
const char *mst_key_kind_word(enum mst_key_kind kind); /* "recipient", "signer" */
/* phrase NULL or empty: the secret stands in the file as it is. */
enum mst_rc mst_keyfile_put(enum mst_key_kind kind, const uint8_t secret[32], const char *label,
                            int64_t now_wall_ms, const struct mst_secret *phrase,
                            struct mst_str *out, struct mst_err *err) MST_MUST_CHECK;
/* The file itself: owner only, regular (MST_E_CONFIG), there (MST_E_NOTFOUND); damaged is
 * MST_E_INTEGRITY. text may be NULL when only info is wanted; it holds the secret: give it to
 * mst_keyfile_wipe. */
enum mst_rc mst_keyfile_read(const char *path, struct mst_keyfile *info, struct mst_str *text,
                             struct mst_err *err) MST_MUST_CHECK;
enum mst_rc mst_keyfile_parse(const char *text, size_t n, struct mst_keyfile *info,
                              struct mst_err *err) MST_MUST_CHECK;
/* The secret: 32 bytes into out (the caller wipes). MST_E_AUTH: wrong or missing passphrase. */
enum mst_rc mst_keyfile_open(const char *text, size_t n, const struct mst_secret *phrase,
                             uint8_t out[32], struct mst_err *err) MST_MUST_CHECK;
void mst_keyfile_wipe(struct mst_str *text); /* wipes and releases */
/* All of it: the key in a file that must be of this kind. MST_E_CONFIG when it is of the other. */
enum mst_rc mst_keyfile_signer(const char *path, const struct mst_secret *phrase,
                               struct mst_sign_key *out, struct mst_err *err) MST_MUST_CHECK;
enum mst_rc mst_keyfile_identity(const char *path, const struct mst_secret *phrase,
                                 struct mst_identity *out, struct mst_err *err) MST_MUST_CHECK;

#endif
