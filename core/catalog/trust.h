/* trust.h: who wrote a backup, and whether anything between two of them is missing. Pure: bytes and
 * public keys in, a word and a sentence out.
 *
 * COMMIT and marks end with the signer's id, an Ed25519 signature over every byte before it, and
 * their own SHA-256. COMMIT names the SHA-256 of the COMMIT before it and a counter that rises.
 */
#ifndef MST_CATALOG_TRUST_H
#define MST_CATALOG_TRUST_H

#include "catalog/header.h"

#define MST_TRUSTED_MAX 33 /* the configured ones and this host's own */

struct mst_trust { /* n 0: nobody is named, signatures are not judged */
    size_t n;
    struct {
        uint8_t pub[MST_SIGN_KEY_LEN];
        char id[MST_KEY_ID_HEX];
        char label[64]; /* "" or what it is called here */
    } v[MST_TRUSTED_MAX];
};
/* Twice the same is once; more than there is room for is MST_E_LIMIT. */
enum mst_rc mst_trust_add(struct mst_trust *t, const uint8_t pub[MST_SIGN_KEY_LEN],
                          const char *label, struct mst_err *err) MST_MUST_CHECK;

struct mst_judgement {
    enum mst_signed how;
    char who[100]; /* "db1 (id)", or the id; "" when unsigned */
    char why[200]; /* when it is FORGED, UNSIGNED or not checked: a sentence */
};
/* text is the whole object, signer and signature what was read from it. t NULL: nobody is named. */
void mst_trust_judge(const struct mst_trust *t, const char *text, size_t n, const char *signer,
                     const char *signature, struct mst_judgement *out);
/* May it be restored? MST_E_INTEGRITY: forged; MST_E_PRECOND: unsigned, and signers are named. */
enum mst_rc mst_trust_allow(const struct mst_trust *t, const char *id,
                            const struct mst_judgement *j, struct mst_err *err) MST_MUST_CHECK;

/* The counter of a COMMIT in an archive tier: what it is cannot be read. */
#define MST_COUNTER_ASLEEP UINT64_MAX
struct mst_link { /* of one committed backup, as the chain sees it */
    char sha[MST_SHA256_HEX], previous[MST_SHA256_HEX];
    uint64_t counter;
    bool good; /* its signature was believed */
};
/* Is what link i names as its predecessor among the n (by id, oldest first)? Writes a sentence into
 * out ("" when nothing is missing). */
void mst_chain_judge(const struct mst_link *links, size_t n, size_t i, char out[200]);

/* Does the highest counter of a listing go back behind what was seen before? A sentence or "". */
void mst_rollback_judge(uint64_t seen, const char *seen_id, uint64_t now, char out[280]);

#endif
