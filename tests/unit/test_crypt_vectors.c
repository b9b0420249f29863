/* What another implementation wrote, in tests/data/seal-vectors.txt. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "crypt/keyfile.h"
#include "crypt/seal.h"
#include "crypt/sign.h"
#include "crypt/wrap.h"
#include "hash/hash.h"

static struct mst_buf file;

/* One record: "kind name=value name=value". */
static char *field(const char *record, const char *name)
{
    char *with = mst_xasprintf(" %s=", name), *out;
    const char *at = strstr(record, with);

    if (!at) {
        fail_msg("the record %.60s has no %s", record, name);
    }
    at += strlen(with);
    out = mst_xstrndup(at, strcspn(at, " "));
    free(with);
    return out;
}

static void bytes(const char *record, const char *name, struct mst_buf *out)
{
    char *hex = field(record, name);
    const size_t n = strlen(hex) / 2;

    mst_buf_reset(out);
    assert_true(mst_unhex(hex, mst_buf_room(out, n + 1), n));
    out->len = n;
    free(hex);
}

static void exactly(const char *record, const char *name, uint8_t *out, size_t n)
{
    struct mst_buf b = {0};

    bytes(record, name, &b);
    assert_int_equal(b.len, n);
    memcpy(out, b.p, n);
    mst_buf_release(&b);
}

static long number(const char *record, const char *name)
{
    char *s = field(record, name);
    const long n = strtol(s, NULL, 10);

    free(s);
    return n;
}

/* Each record of a kind to fn; their number. */
static int each(const char *kind, void (*fn)(const char *record))
{
    int n = 0;

    for (const char *at = (const char *)file.p; *at; at += *at == '\n') {
        const size_t len = strcspn(at, "\n");

        if (strncmp(at, kind, strlen(kind)) == 0 && at[strlen(kind)] == ' ') {
            char *record = mst_xstrndup(at, len);

            fn(record);
            free(record);
            n++;
        }
        at += len;
    }
    return n;
}

static void one_context(const char *r)
{
    char *set = field(r, "set"), *backup = field(r, "backup"), *attempt = field(r, "attempt"),
         *role = field(r, "role");
    struct mst_buf got = {0}, want = {0};

    mst_seal_context(&got, set, backup, attempt, role, (uint32_t)number(r, "number"),
                     (uint32_t)number(r, "part"));
    bytes(r, "bytes", &want);
    assert_int_equal(got.len, want.len);
    assert_memory_equal(got.p, want.p, want.len);
    mst_buf_release(&got);
    mst_buf_release(&want);
    free(set);
    free(backup);
    free(attempt);
    free(role);
}

static void one_seal(const char *r)
{
    const size_t n = (size_t)number(r, "content");
    struct mst_data_key key = {0};
    struct mst_buf context = {0}, content = {0}, got = {0}, want = {0};
    struct mst_sealer *s = NULL;
    struct mst_err err = {0};
    uint8_t raw[32], salt[MST_SEAL_SALT], sha[32];
    uint8_t *to = mst_buf_room(&content, n + 1), *head = mst_buf_room(&got, MST_SEAL_HEAD);

    for (size_t i = 0; i < n; i++) {
        to[i] = (uint8_t)(i * 7 + i / 251);
    }
    exactly(r, "key", raw, sizeof(raw));
    exactly(r, "salt", salt, sizeof(salt));
    bytes(r, "context", &context);
    mst_data_key_set(&key, raw);
    assert_ok(mst_sealer_new(&key, context.p, context.len, salt, head, &s, &err), &err);
    got.len = MST_SEAL_HEAD;
    assert_ok(mst_sealer_add(s, content.p, n, &got, &err), &err);
    assert_ok(mst_sealer_end(s, &got, &err), &err);
    if (strstr(r, " stored=")) {
        bytes(r, "stored", &want);
        assert_int_equal(got.len, want.len);
        assert_memory_equal(got.p, want.p, want.len);
    } else {
        assert_int_equal(got.len, number(r, "size"));
        exactly(r, "sha256", raw, sizeof(raw));
        mst_sha256_of(got.p, got.len, sha);
        assert_memory_equal(sha, raw, sizeof(sha));
    }
    mst_sealer_free(s);
    mst_data_key_release(&key);
    mst_buf_release(&context);
    mst_buf_release(&content);
    mst_buf_release(&got);
    mst_buf_release(&want);
}

static void one_keyid(const char *r)
{
    struct mst_data_key key = {0};
    uint8_t raw[32];
    char got[33], *want = field(r, "id");

    exactly(r, "key", raw, sizeof(raw));
    mst_data_key_set(&key, raw);
    mst_data_key_id(&key, got);
    assert_string_equal(got, want);
    mst_data_key_release(&key);
    free(want);
}

static void one_slot(const char *r, bool phrase)
{
    char *set = field(r, "set"), *backup = field(r, "backup"), *attempt = field(r, "attempt");
    const struct mst_wrap_place place = {set, backup, attempt};
    struct mst_wrap_slot *slot = mst_xcalloc(1, sizeof(*slot));
    struct mst_data_key got = {0};
    struct mst_buf b = {0};
    struct mst_err err = {0};
    uint8_t raw[32];

    bytes(r, "bytes", &b);
    slot->n = b.len;
    memcpy(slot->bytes, b.p, b.len);
    if (phrase) {
        struct mst_secret s = {0};

        slot->kind = MST_WRAP_SCRYPT;
        slot->log2n = (int)number(r, "log2n");
        exactly(r, "salt", slot->salt, sizeof(slot->salt));
        bytes(r, "passphrase", &b);
        mst_secret_set(&s, (const char *)b.p, b.len);
        assert_ok(mst_unwrap_passphrase(slot, &place, &s, &got, &err), &err);
        mst_secret_release(&s);
    } else {
        struct mst_identity who = {0};
        char *id = field(r, "recipient");

        exactly(r, "secret", raw, sizeof(raw));
        exactly(r, "ephemeral", slot->ephemeral, sizeof(slot->ephemeral));
        (void)mst_copy(slot->recipient, sizeof(slot->recipient), id);
        assert_ok(mst_identity_set(&who, raw, &err), &err);
        assert_ok(mst_unwrap(slot, &place, &who, &got, &err), &err);
        mst_identity_release(&who);
        free(id);
    }
    exactly(r, "key", raw, sizeof(raw));
    assert_memory_equal(got.p, raw, sizeof(raw));
    mst_data_key_release(&got);
    mst_buf_release(&b);
    free(slot);
    free(set);
    free(backup);
    free(attempt);
}

static void one_x25519(const char *r)
{
    one_slot(r, false);
}

static void one_scrypt(const char *r)
{
    one_slot(r, true);
}

static void one_sign(const char *r)
{
    struct mst_sign_key k = {0};
    struct mst_buf content = {0};
    struct mst_err err = {0};
    uint8_t raw[32], got[MST_SIGNATURE_LEN], want[MST_SIGNATURE_LEN];

    exactly(r, "secret", raw, sizeof(raw));
    assert_ok(mst_sign_key_set(&k, raw, &err), &err);
    exactly(r, "public", raw, sizeof(raw));
    assert_memory_equal(k.pub, raw, sizeof(raw));
    bytes(r, "content", &content);
    exactly(r, "signature", want, sizeof(want));
    assert_ok(mst_sign(&k, content.p, content.len, got, &err), &err);
    assert_memory_equal(got, want, sizeof(want));
    assert_true(mst_sign_ok(raw, content.p, content.len, want));
    mst_sign_key_release(&k);
    mst_buf_release(&content);
}

static enum mst_key_kind kind_of(const char *r)
{
    char *kind = field(r, "kind");
    const bool signer = strcmp(kind, "signer") == 0;

    free(kind);
    return signer ? MST_KEY_SIGNER : MST_KEY_RECIPIENT;
}

static void one_word(const char *r)
{
    char got[MST_PUB_WORD], *want = field(r, "word");
    struct mst_err err = {0};
    uint8_t pub[32], back[32];

    exactly(r, "public", pub, sizeof(pub));
    mst_pub_word(kind_of(r), pub, got);
    assert_string_equal(got, want);
    assert_ok(mst_pub_parse(want, kind_of(r), back, &err), &err);
    assert_memory_equal(back, pub, sizeof(pub));
    free(want);
}

static void one_keyfile(const char *r)
{
    struct mst_buf text = {0}, phrase = {0};
    struct mst_keyfile info;
    struct mst_secret s = {0};
    struct mst_str again = {0};
    struct mst_err err = {0};
    uint8_t want[32], got[32];

    bytes(r, "file", &text);
    bytes(r, "passphrase", &phrase);
    exactly(r, "secret", want, sizeof(want));
    assert_ok(mst_keyfile_parse((char *)text.p, text.len, &info, &err), &err);
    assert_int_equal(info.kind, kind_of(r));
    assert_int_equal(info.locked, phrase.len > 0);
    assert_string_equal(info.label, "ops in K\u00f6ln");
    assert_int_equal(info.created_wall_ms, 1795828415120);
    if (phrase.len > 0) {
        mst_secret_set(&s, (char *)phrase.p, phrase.len);
    }
    assert_ok(mst_keyfile_open((char *)text.p, text.len, &s, got, &err), &err);
    assert_memory_equal(got, want, sizeof(want));
    if (phrase.len == 0) { /* nothing in it is random: ours is the same */
        assert_ok(
            mst_keyfile_put(info.kind, got, info.label, info.created_wall_ms, NULL, &again, &err),
            &err);
        assert_int_equal(again.len, text.len);
        assert_memory_equal(again.p, text.p, text.len);
    }
    mst_keyfile_wipe(&again);
    mst_secret_release(&s);
    mst_buf_release(&text);
    mst_buf_release(&phrase);
}

static void sealed_objects_are_those_of_another_implementation(void **state)
{
    (void)state;
    assert_int_equal(each("context", one_context), 4);
    assert_int_equal(each("seal", one_seal), 9);
    assert_int_equal(each("keyid", one_keyid), 1);
}

static void key_slots_of_another_implementation_open(void **state)
{
    (void)state;
    assert_int_equal(each("x25519", one_x25519), 1);
    assert_int_equal(each("scrypt", one_scrypt), 1);
}

static void signatures_and_words_are_those_of_another_implementation(void **state)
{
    (void)state;
    assert_int_equal(each("sign", one_sign), 3);
    assert_int_equal(each("word", one_word), 2);
}

static void key_files_of_another_implementation_open(void **state)
{
    (void)state;
    assert_int_equal(each("keyfile", one_keyfile), 4);
}

static int setup(void **state)
{
    struct mst_err err = {0};

    (void)state;
    if (mst_file_read(TEST_DATA "/seal-vectors.txt", 1 << 20, &file, &err) != MST_OK) {
        return -1;
    }
    mst_buf_add(&file, "", 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mst_buf_release(&file);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sealed_objects_are_those_of_another_implementation),
        cmocka_unit_test(key_slots_of_another_implementation_open),
        cmocka_unit_test(signatures_and_words_are_those_of_another_implementation),
        cmocka_unit_test(key_files_of_another_implementation_open)};

    return cmocka_run_group_tests_name("crypt_vectors", tests, setup, teardown);
}
