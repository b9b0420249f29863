/* Sealed streams, key slots, key files, public words and lines of paper: any bytes. */
#include "base/mem.h"
#include "crypt/keyfile.h"
#include "crypt/paper.h"
#include "crypt/seal.h"
#include "crypt/wrap.h"
#include "hash/hash.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t secret[32] = "a key that everybody may know..";

/* The chunks behind a head, as a reader does. */
static void chunks(const struct mst_data_key *key, const uint8_t head[MST_SEAL_HEAD],
                   const uint8_t *data, size_t size)
{
    struct mst_opener *o = NULL;
    struct mst_err err = {0};
    uint8_t plain[MST_SEAL_CHUNK];
    size_t n = 0;

    if (mst_opener_new(key, "x", 1, head, &o, &err) != MST_OK) {
        return;
    }
    for (uint64_t i = 0; size > 0; i++) {
        const size_t most = MST_SEAL_CHUNK + MST_SEAL_TAG, take = size < most ? size : most;

        if (mst_opener_chunk(o, i, data, take, plain, &n, &err) == MST_OK) {
            MST_ASSERT(n + MST_SEAL_TAG == take);
        }
        data += take;
        size -= take;
    }
    mst_opener_free(o);
}

/* A stream under its own head, and under a right one for its salt, so that chunks are reached. */
static void stream(const uint8_t *data, size_t size)
{
    struct mst_data_key key = {0};
    struct mst_sealer *s = NULL;
    struct mst_err err = {0};
    uint8_t head[MST_SEAL_HEAD];
    uint64_t content;

    if (mst_seal_content(size, &content)) {
        MST_ASSERT(mst_seal_stored(content) == size);
    }
    if (size < MST_SEAL_HEAD) {
        return;
    }
    mst_data_key_set(&key, secret);
    chunks(&key, data, data + MST_SEAL_HEAD, size - MST_SEAL_HEAD);
    MST_ASSERT(mst_sealer_new(&key, "x", 1, data + 8, head, &s, &err) == MST_OK);
    mst_sealer_free(s);
    chunks(&key, head, data + MST_SEAL_HEAD, size - MST_SEAL_HEAD);
    mst_data_key_release(&key);
}

static void slot(const uint8_t *data, size_t size)
{
    static const struct mst_wrap_place place = {"rs0", "b", "a"};
    struct mst_wrap_slot *s = mst_xcalloc(1, sizeof(*s));
    struct mst_identity who = {0};
    struct mst_data_key got = {0};
    struct mst_err err = {0};

    MST_ASSERT(mst_identity_set(&who, secret, &err) == MST_OK);
    (void)mst_copy(s->recipient, sizeof(s->recipient), who.id);
    if (size > MST_RECIPIENT_LEN) {
        memcpy(s->ephemeral, data, MST_RECIPIENT_LEN);
        s->n = size - MST_RECIPIENT_LEN;
        s->n = s->n < MST_WRAP_BYTES ? s->n : MST_WRAP_BYTES;
        memcpy(s->bytes, data + MST_RECIPIENT_LEN, s->n);
        if (mst_unwrap(s, &place, &who, &got, &err) == MST_OK) {
            MST_ASSERT(got.p);
        }
    }
    mst_data_key_release(&got);
    mst_identity_release(&who);
    free(s);
}

/* As it is, and with its right SHA-256, so that what is behind it is reached. */
static void keyfile(const uint8_t *data, size_t size)
{
    struct mst_keyfile info;
    struct mst_str text = {0};
    struct mst_err err = {0};
    uint8_t sha[MST_SHA256_LEN], out[32];
    char hex[MST_SHA256_HEX];

    (void)(mst_keyfile_parse((const char *)data, size, &info, &err) == MST_OK);
    mst_str_add(&text, "muster secret key 1 ");
    mst_str_addn(&text, (const char *)data, size);
    mst_sha256_of(text.p, text.len, sha);
    mst_str_addf(&text, "sha256 %s\n", mst_hex(sha, sizeof(sha), hex));
    if (mst_keyfile_parse(text.p, text.len, &info, &err) == MST_OK && !info.locked) {
        (void)(mst_keyfile_open(text.p, text.len, NULL, out, &err) == MST_OK);
    }
    mst_str_release(&text);
}

static void words(const uint8_t *data, size_t size)
{
    char *text = mst_xstrndup(size ? (const char *)data : "", size);
    char again[MST_PUB_WORD];
    struct mst_err err = {0};
    uint8_t pub[32], typed[32] = {0};

    for (int kind = MST_KEY_RECIPIENT; kind <= MST_KEY_SIGNER; kind++) {
        if (mst_pub_parse(text, (enum mst_key_kind)kind, pub, &err) == MST_OK) {
            mst_pub_word((enum mst_key_kind)kind, pub, again);
            MST_ASSERT(strlen(text) == strlen(again));
        }
    }
    for (int line = 1; line <= MST_PAPER_LINES; line++) {
        (void)(mst_paper_read(text, line, typed, &err) == MST_OK);
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = mst_xmemdup(size ? data : (const uint8_t *)"", size ? size : 1);

    stream(copy, size);
    slot(copy, size);
    keyfile(copy, size);
    words(copy, size);
    free(copy);
    return 0;
}
