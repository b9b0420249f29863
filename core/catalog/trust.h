/* trust.h: who wrote a backup, and whether anything between two of them is missing. Pure: bytes and
 * public keys in, a word and a sentence out.
 *
 * COMMIT and marks end with the signer's id, an Ed25519 signature over every byte before it, and
 * their own SHA-256. COMMIT names the SHA-256 of the COMMIT before it and a counter that rises;
 * and, for each store that it was made for, the newest COMMIT that this one had then and the
 * highest counter that was ever seen there: a store that missed a backup is not one that lost it.
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

/* The counter of a COMMIT that cannot be read (an archive tier, or refused): not known. */
#define MST_COUNTER_ASLEEP UINT64_MAX
struct mst_link { /* of one committed backup, as the chain sees it */
    char sha[MST_SHA256_HEX], previous[MST_SHA256_HEX];
    uint64_t counter;
    bool good;         /* its signature was believed */
    bool placed;       /* previous and highest are those of this store */
    uint64_t highest;  /* a number that this store had before; of one that is placed */
    char made_for[64]; /* "" or the store that it was made for: not this one */
};
/* The part of a COMMIT that is for the store of this name. */
void mst_chain_link(const struct mst_commit *c, const char *store, struct mst_link *out);
/* Is what link i names as its predecessor among the n (by id, oldest first), and is nothing gone
 * that was there? Writes a sentence into out ("" when nothing is missing). */
void mst_chain_judge(const struct mst_link *links, size_t n, size_t i, char out[200]);

struct mst_before { /* what one store has before a backup that is made now */
    char id[MST_ID_MAX], sha[MST_SHA256_HEX]; /* of its newest COMMIT; "" none */
    uint64_t counter;                         /* that COMMIT's */
    bool asleep; /* a newer COMMIT is in an archive tier: what it says is not known */
};
/* What COMMIT says about those before it: the newest of all stores, and each store's own. seen: the
 * highest counter that was ever seen there, or 0. n at most MST_COMMIT_STORES. */
void mst_chain_join(const struct mst_before *before, const char *const *stores,
                    const uint64_t *seen, size_t n, struct mst_commit *c);

/* Does the highest counter of a listing go back behind what was seen before? A sentence or "". */
void mst_rollback_judge(uint64_t seen, const char *seen_id, uint64_t now, char out[280]);

#endif
