#include "catalog/trust.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

#define SIGNATURE_HEX ((size_t)2 * MST_SIGNATURE_LEN)
#define FIELD ",\"signature\":\""
#define SHA_TAIL (sizeof("\",\"sha256\":\"") - 1 + MST_SHA256_HEX - 1 + sizeof("\"}\n") - 1)

const char *mst_signed_word(enum mst_signed s)
{
    static const char *const words[] = {"UNSIGNED", "signed, not checked", "signed", "FORGED"};

    return (unsigned)s < MST_COUNT(words) ? words[s] : "?";
}

char *mst_backup_trust_words(const struct mst_backup *b, char out[160])
{
    out[0] = '\0';
    if (b->finished_wall_ms != 0) {
        (void)snprintf(
            out, 160, "%s, %s%s%s", b->sealed ? "sealed" : "UNSEALED",
            b->signature == MST_SIGNED_GOOD ? "signed by " : mst_signed_word(b->signature),
            b->signature == MST_SIGNED_UNCHECKED ? ", by " : "",
            b->signature == MST_SIGNED_GOOD || b->signature == MST_SIGNED_UNCHECKED ? b->signer
                                                                                    : "");
    }
    return out;
}

const char *mst_backup_level_words(const struct mst_backup *b)
{
    return b->sealed && b->verified_level < 2 ? "hashed, not opened" : "read back";
}

enum mst_rc mst_trust_add(struct mst_trust *t, const uint8_t pub[MST_SIGN_KEY_LEN],
                          const char *label, struct mst_err *err)
{
    for (size_t i = 0; i < t->n; i++) {
        if (memcmp(t->v[i].pub, pub, MST_SIGN_KEY_LEN) == 0) {
            return MST_OK;
        }
    }
    if (t->n == MST_TRUSTED_MAX) {
        return mst_err_set(err, MST_E_LIMIT, "more than %d trusted signers", MST_TRUSTED_MAX);
    }
    memcpy(t->v[t->n].pub, pub, MST_SIGN_KEY_LEN);
    mst_key_id_of(pub, t->v[t->n].id);
    mst_text_clean(t->v[t->n].label, sizeof(t->v[t->n].label), label, strlen(label));
    t->n++;
    return MST_OK;
}

/* The bytes that were signed: everything before the signature's field, which is the last but the
 * hash. 0: the object is not built like that. */
static size_t signed_bytes(const char *text, size_t n, const char *signature)
{
    const size_t behind = sizeof(FIELD) - 1 + SIGNATURE_HEX + SHA_TAIL;
    const char *at;

    if (n <= behind || strlen(signature) != SIGNATURE_HEX) {
        return 0;
    }
    at = text + n - behind;
    if (memcmp(at, FIELD, sizeof(FIELD) - 1) != 0 ||
        memcmp(at + sizeof(FIELD) - 1, signature, SIGNATURE_HEX) != 0) {
        return 0;
    }
    return n - behind;
}

void mst_trust_judge(const struct mst_trust *t, const char *text, size_t n, const char *signer,
                     const char *signature, struct mst_judgement *out)
{
    const size_t len = signed_bytes(text, n, signature);
    uint8_t sig[MST_SIGNATURE_LEN];
    size_t i = 0;

    memset(out, 0, sizeof(*out));
    if (!*signature && !*signer) {
        out->how = MST_SIGNED_NOT;
        (void)mst_copy(out->why, sizeof(out->why),
                       "nobody signed it: whoever can write to the store can have made it");
        return;
    }
    mst_text_clean(out->who, sizeof(out->who), signer, strlen(signer));
    if (!t || t->n == 0) {
        out->how = MST_SIGNED_UNCHECKED;
        (void)mst_copy(out->why, sizeof(out->why),
                       "its signature was not checked: seal.trusted names nobody");
        return;
    }
    out->how = MST_SIGNED_FORGED;
    while (i < t->n && strcmp(t->v[i].id, signer) != 0) {
        i++;
    }
    if (i == t->n) {
        (void)snprintf(out->why, sizeof(out->why),
                       "signed by %.40s, whom seal.trusted does not name: do not restore it, or "
                       "add that signer once you know whose it is",
                       out->who);
        return;
    }
    if (*t->v[i].label) {
        (void)snprintf(out->who, sizeof(out->who), "%s (%s)", t->v[i].label, signer);
    }
    if (!len || !mst_unhex(signature, sig, sizeof(sig)) ||
        !mst_sign_ok(t->v[i].pub, text, len, sig)) {
        (void)snprintf(out->why, sizeof(out->why),
                       "the signature is not %.60s's: somebody without that key wrote or changed "
                       "it",
                       out->who);
        return;
    }
    out->how = MST_SIGNED_GOOD;
}

enum mst_rc mst_trust_allow(const struct mst_trust *t, const char *id,
                            const struct mst_judgement *j, struct mst_err *err)
{
    if (!t || t->n == 0 || j->how == MST_SIGNED_GOOD) {
        return MST_OK;
    }
    if (j->how == MST_SIGNED_FORGED) {
        return mst_err_set(err, MST_E_INTEGRITY, "%s is FORGED: %s", id, j->why);
    }
    return mst_err_set(err, MST_E_PRECOND,
                       "%s is UNSIGNED, and seal.trusted says who must have signed: %s", id,
                       j->why);
}

void mst_chain_judge(const struct mst_link *links, size_t n, size_t i, char out[200])
{
    const struct mst_link *l = &links[i];
    bool older = false, asleep = false;

    out[0] = '\0';
    if (!l->good || !*l->previous) {
        return;
    }
    for (size_t k = 0; k < n; k++) {
        if (k != i && strcmp(links[k].sha, l->previous) == 0) {
            return;
        }
        older = older || (k < i && *links[k].sha);
        asleep = asleep || (k < i && links[k].counter == MST_COUNTER_ASLEEP);
    }
    if (asleep) {
        (void)snprintf(out, 200,
                       "whether the backup that was made before it is here is not known: a COMMIT "
                       "in an archive tier cannot be read");
        return;
    }
    (void)snprintf(out, 200,
                   older ? "the backup that was made before it (COMMIT %.12s) is missing here: it "
                           "was removed, changed or held back"
                         : "the backups before it (COMMIT %.12s and older) are not here any more",
                   l->previous);
}

void mst_rollback_judge(uint64_t seen, const char *seen_id, uint64_t now, char out[280])
{
    out[0] = '\0';
    if (now < seen) {
        (void)snprintf(out, 280,
                       "the store went back: number %llu (%.40s) was seen here before, and the "
                       "newest signed one is now number %llu: backups were removed, or an older "
                       "state was put back",
                       (unsigned long long)seen, seen_id, (unsigned long long)now);
    }
}
