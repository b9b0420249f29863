#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "crypt/keyfile.h"
#include "crypt/sign.h"
#include "crypt/wrap.h"
#include "hash/hash.h"

#define CHEAP 4 /* of scrypt: the cost is not what is tested */

static const struct mst_wrap_place here = {"rs0", "2026-11-22T22-30-00Z-full", "00112233445566aa"};

static struct mst_data_key key;
static struct mst_secret phrase, wrong;

static int setup(void **state)
{
    struct mst_err err = {0};

    (void)state;
    mst_secret_set(&phrase, "correct horse", 13);
    mst_secret_set(&wrong, "correct house", 13);
    return mst_data_key_new(&key, &err) == MST_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    mst_data_key_release(&key);
    mst_secret_release(&phrase);
    mst_secret_release(&wrong);
    return 0;
}

static void a_signature_holds_for_its_bytes_and_its_key_only(void **state)
{
    struct mst_sign_key a = {0}, b = {0};
    struct mst_err err = {0};
    uint8_t sig[MST_SIGNATURE_LEN], zero[MST_SIGN_KEY_LEN] = {0};
    char text[] = "header and COMMIT";

    (void)state;
    assert_ok(mst_sign_key_new(&a, &err), &err);
    assert_ok(mst_sign_key_new(&b, &err), &err);
    assert_string_not_equal(a.id, b.id);
    assert_ok(mst_sign(&a, text, sizeof(text), sig, &err), &err);
    assert_true(mst_sign_ok(a.pub, text, sizeof(text), sig));
    assert_false(mst_sign_ok(b.pub, text, sizeof(text), sig));
    assert_false(mst_sign_ok(zero, text, sizeof(text), sig));
    assert_false(mst_sign_ok(a.pub, text, sizeof(text) - 1, sig));
    for (size_t i = 0; i < sizeof(sig); i++) {
        sig[i] ^= 1;
        assert_false(mst_sign_ok(a.pub, text, sizeof(text), sig));
        sig[i] ^= 1;
    }
    text[0] ^= 1;
    assert_false(mst_sign_ok(a.pub, text, sizeof(text), sig));
    mst_sign_key_release(&a);
    mst_sign_key_release(&a);
    mst_sign_key_release(&b);
}

static void a_recipient_unwraps_what_was_wrapped_without_its_secret(void **state)
{
    struct mst_identity who = {0}, other = {0};
    struct mst_wrap_slot slot, again;
    struct mst_data_key got = {0};
    struct mst_err err = {0};

    (void)state;
    assert_ok(mst_identity_new(&who, &err), &err);
    assert_ok(mst_identity_new(&other, &err), &err);
    assert_ok(mst_wrap_to(&key, &here, who.pub, "ops\x1b[2J", &slot, &err), &err);
    assert_string_equal(slot.label, "ops?[2J");
    assert_string_equal(slot.recipient, who.id);
    assert_ok(mst_unwrap(&slot, &here, &who, &got, &err), &err);
    assert_memory_equal(got.p, key.p, MST_DATA_KEY_LEN);
    assert_ok(mst_wrap_to(&key, &here, who.pub, "ops", &again, &err), &err);
    assert_memory_not_equal(slot.ephemeral, again.ephemeral, MST_RECIPIENT_LEN);
    assert_memory_not_equal(slot.bytes + 16, again.bytes + 16, 48);

    assert_rc(mst_unwrap(&slot, &here, &other, &got, &err), MST_E_AUTH, &err);
    assert_non_null(strstr(err.msg, "is not for the key"));
    mst_identity_release(&other);
    mst_identity_release(&other);
    assert_rc(mst_unwrap(&slot, &here, &other, &got, &err), MST_E_AUTH, &err);
    assert_memory_equal(got.p, key.p, MST_DATA_KEY_LEN); /* a failure leaves it alone */
    mst_identity_release(&who);
    mst_data_key_release(&got);
}

static void a_slot_that_was_damaged_or_moved_is_found(void **state)
{
    static const struct mst_wrap_place places[] = {
        {"rs1", "2026-11-22T22-30-00Z-full", "00112233445566aa"},
        {"rs0", "2026-11-22T22-30-01Z-full", "00112233445566aa"},
        {"rs0", "2026-11-22T22-30-00Z-full", "00112233445566ab"},
        {"rs02026-11-22T22-30-00Z-full", "", "00112233445566aa"}};
    struct mst_identity who = {0};
    struct mst_wrap_slot slot, bad;
    struct mst_data_key got = {0};
    struct mst_err err = {0};

    (void)state;
    assert_ok(mst_identity_new(&who, &err), &err);
    assert_ok(mst_wrap_to(&key, &here, who.pub, "ops", &slot, &err), &err);
    for (size_t i = 0; i < slot.n + MST_RECIPIENT_LEN; i++) {
        bad = slot;
        *(i < slot.n ? bad.bytes + i : bad.ephemeral + i - slot.n) ^= 1;
        assert_rc(mst_unwrap(&bad, &here, &who, &got, &err), MST_E_INTEGRITY, &err);
    }
    for (size_t n = 0; n < MST_WRAP_BYTES; n += n < 100 ? 1 : 100) {
        bad = slot;
        bad.n = n;
        assert_rc(mst_unwrap(&bad, &here, &who, &got, &err), n == slot.n ? MST_OK : MST_E_INTEGRITY,
                  &err);
    }
    for (size_t i = 0; i < MST_COUNT(places); i++) {
        assert_rc(mst_unwrap(&slot, &places[i], &who, &got, &err), MST_E_INTEGRITY, &err);
        assert_non_null(strstr(err.msg, "is damaged, or it is of another backup"));
    }
    mst_identity_release(&who);
    mst_data_key_release(&got);
}

static void points_of_low_order_are_refused(void **state)
{
    /* The points whose order divides 8, and two that are not below the prime. */
    static const char *const low[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"};
    struct mst_identity who = {0};
    struct mst_wrap_slot slot, bad;
    struct mst_data_key got = {0};
    struct mst_err err = {0};
    uint8_t pub[32];

    (void)state;
    assert_ok(mst_identity_new(&who, &err), &err);
    assert_ok(mst_wrap_to(&key, &here, who.pub, "ops", &slot, &err), &err);
    for (size_t i = 0; i < MST_COUNT(low); i++) {
        assert_true(mst_unhex(low[i], pub, sizeof(pub)));
        assert_rc(mst_wrap_to(&key, &here, pub, "ops", &bad, &err), MST_E_CONFIG, &err);
        assert_non_null(strstr(err.msg, "none that anybody can have"));
        bad = slot;
        memcpy(bad.ephemeral, pub, sizeof(pub));
        assert_rc(mst_unwrap(&bad, &here, &who, &got, &err), MST_E_INTEGRITY, &err);
    }
    assert_null(got.p);
    mst_identity_release(&who);
}

static void a_passphrase_unwraps_and_a_wrong_one_is_told_from_damage(void **state)
{
    static const struct mst_wrap_place elsewhere = {"rs0", "2026-11-22T22-30-01Z-full",
                                                    "00112233445566aa"};
    struct mst_wrap_slot slot, bad;
    struct mst_data_key got = {0};
    struct mst_secret none = {0};
    struct mst_err err = {0};

    (void)state;
    assert_ok(mst_wrap_passphrase(&key, &here, &phrase, CHEAP, "safe", &slot, &err), &err);
    assert_ok(mst_unwrap_passphrase(&slot, &here, &phrase, &got, &err), &err);
    assert_memory_equal(got.p, key.p, MST_DATA_KEY_LEN);
    assert_rc(mst_unwrap_passphrase(&slot, &here, &wrong, &got, &err), MST_E_AUTH, &err);
    assert_string_equal(err.msg, "the key slot safe: wrong passphrase");
    assert_rc(mst_unwrap_passphrase(&slot, &here, &none, &got, &err), MST_E_AUTH, &err);
    assert_non_null(strstr(err.msg, "needs a passphrase"));
    assert_rc(mst_unwrap_passphrase(&slot, &elsewhere, &phrase, &got, &err), MST_E_INTEGRITY, &err);
    for (size_t i = 32; i < slot.n; i++) {
        bad = slot;
        bad.bytes[i] ^= 0x80;
        assert_rc(mst_unwrap_passphrase(&bad, &here, &phrase, &got, &err), MST_E_INTEGRITY, &err);
    }
    bad = slot;
    bad.n--;
    assert_rc(mst_unwrap_passphrase(&bad, &here, &phrase, &got, &err), MST_E_INTEGRITY, &err);
    bad = slot;
    bad.log2n = 0;
    assert_rc(mst_unwrap_passphrase(&bad, &here, &phrase, &got, &err), MST_E_INTEGRITY, &err);
    bad.kind = MST_WRAP_X25519;
    assert_rc(mst_unwrap_passphrase(&bad, &here, &phrase, &got, &err), MST_E_AUTH, &err);
    mst_data_key_release(&got);
}

static void an_absurd_cost_is_refused_before_it_is_paid(void **state)
{
    struct mst_wrap_slot slot;
    struct mst_data_key got = {0};
    struct mst_err err = {0};

    (void)state;
    assert_ok(mst_wrap_passphrase(&key, &here, &phrase, CHEAP, "safe", &slot, &err), &err);
    slot.log2n = MST_SCRYPT_LOG2N_MAX + 1;
    assert_rc(mst_unwrap_passphrase(&slot, &here, &phrase, &got, &err), MST_E_LIMIT, &err);
    assert_non_null(strstr(err.msg, "asks scrypt for 2^21: more than 2^20 is refused"));
    slot.log2n = 1 << 20;
    assert_rc(mst_unwrap_passphrase(&slot, &here, &phrase, &got, &err), MST_E_LIMIT, &err);
    assert_null(got.p);
}

static void a_word_with_a_slip_is_refused_with_the_reason(void **state)
{
    char word[MST_PUB_WORD + 8], sig[MST_PUB_WORD], upper[MST_PUB_WORD];
    uint8_t pub[32], back[32];
    struct mst_err err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(pub); i++) {
        pub[i] = (uint8_t)(i * 37);
    }
    mst_pub_word(MST_KEY_RECIPIENT, pub, word);
    mst_pub_word(MST_KEY_SIGNER, pub, sig);
    assert_int_equal(strlen(word), MST_PUB_WORD - 1);
    assert_ok(mst_pub_parse(word, MST_KEY_RECIPIENT, back, &err), &err);
    assert_memory_equal(back, pub, sizeof(pub));
    (void)mst_copy(upper, sizeof(upper), word);
    for (size_t i = 7; upper[i]; i++) {
        upper[i] = (char)(upper[i] >= 'a' ? upper[i] - 'a' + 'A' : upper[i]);
    }
    assert_ok(mst_pub_parse(upper, MST_KEY_RECIPIENT, back, &err), &err);
    for (size_t i = 7; i < MST_PUB_WORD - 1; i++) {
        const char was = word[i];

        word[i] = was == '0' ? '1' : '0';
        assert_rc(mst_pub_parse(word, MST_KEY_RECIPIENT, back, &err), MST_E_CONFIG, &err);
        assert_non_null(strstr(err.msg, "has a slip in it"));
        word[i] = 'o'; /* no hex digit */
        assert_rc(mst_pub_parse(word, MST_KEY_RECIPIENT, back, &err), MST_E_CONFIG, &err);
        word[i] = was;
    }
    assert_rc(mst_pub_parse(sig, MST_KEY_RECIPIENT, back, &err), MST_E_CONFIG, &err);
    assert_non_null(
        strstr(err.msg, "the public word of a signer: a recipient's begins with mstpub-"));
    assert_rc(mst_pub_parse("mstsec-00", MST_KEY_SIGNER, back, &err), MST_E_CONFIG, &err);
    assert_non_null(strstr(err.msg, "the secret half of a key"));
    assert_rc(mst_pub_parse("hello", MST_KEY_SIGNER, back, &err), MST_E_CONFIG, &err);
    assert_non_null(strstr(err.msg, "no public word"));
    (void)snprintf(word + MST_PUB_WORD - 1, 2, "0");
    assert_rc(mst_pub_parse(word, MST_KEY_RECIPIENT, back, &err), MST_E_CONFIG, &err);
    assert_non_null(strstr(err.msg, "has 80 characters: it must have 79"));
    assert_rc(mst_pub_parse("mstpub-", MST_KEY_RECIPIENT, back, &err), MST_E_CONFIG, &err);
    assert_rc(mst_pub_parse("", MST_KEY_RECIPIENT, back, &err), MST_E_CONFIG, &err);
}

static void a_key_file_gives_back_what_was_put_in(void **state)
{
    struct mst_keyfile info;
    struct mst_str text = {0};
    struct mst_sign_key k = {0};
    struct mst_err err = {0};
    uint8_t out[32];
    char hex[65];

    (void)state;
    assert_ok(mst_sign_key_new(&k, &err), &err);
    assert_ok(
        mst_keyfile_put(MST_KEY_SIGNER, k.secret, "db1\nid x", 1700000000123, &phrase, &text, &err),
        &err);
    assert_null(strstr(text.p, mst_hex(k.secret, 32, hex)));
    assert_ok(mst_keyfile_parse(text.p, text.len, &info, &err), &err);
    assert_int_equal(info.kind, MST_KEY_SIGNER);
    assert_true(info.locked);
    assert_string_equal(info.label, "db1?id x"); /* a label makes no lines */
    assert_string_equal(info.id, k.id);
    assert_memory_equal(info.pub, k.pub, 32);
    assert_int_equal(info.created_wall_ms, 1700000000123);
    assert_ok(mst_keyfile_open(text.p, text.len, &phrase, out, &err), &err);
    assert_memory_equal(out, k.secret, 32);
    assert_rc(mst_keyfile_open(text.p, text.len, &wrong, out, &err), MST_E_AUTH, &err);
    assert_string_equal(err.msg, "wrong passphrase for the key file");
    assert_rc(mst_keyfile_open(text.p, text.len, NULL, out, &err), MST_E_AUTH, &err);
    assert_non_null(strstr(err.msg, "needs a passphrase"));
    mst_keyfile_wipe(&text);
    mst_sign_key_release(&k);
}

/* The same text with its right SHA-256, so that what is behind it is reached. */
static void signed_again(struct mst_str *s)
{
    uint8_t sha[32];
    char hex[65];

    s->len -= 72;
    mst_sha256_of(s->p, s->len, sha);
    mst_str_addf(s, "sha256 %s\n", mst_hex(sha, 32, hex));
}

static void a_damaged_key_file_is_found(void **state)
{
    struct mst_str text = {0};
    struct mst_keyfile info;
    struct mst_identity who = {0}, other = {0};
    struct mst_err err = {0};
    uint8_t out[32];
    char *at;

    (void)state;
    assert_ok(mst_identity_new(&who, &err), &err);
    assert_ok(mst_identity_new(&other, &err), &err);
    assert_ok(mst_keyfile_put(MST_KEY_RECIPIENT, who.secret, "ops", 5, NULL, &text, &err), &err);
    for (size_t i = 0; i < text.len; i++) {
        text.p[i] ^= 1;
        assert_rc(mst_keyfile_open(text.p, text.len, NULL, out, &err), MST_E_INTEGRITY, &err);
        text.p[i] ^= 1;
        assert_rc(mst_keyfile_parse(text.p, i, &info, &err), MST_E_INTEGRITY, &err);
    }
    assert_ok(mst_keyfile_open(text.p, text.len, NULL, out, &err), &err);
    /* Lines that do not belong together, under a right SHA-256. */
    at = strstr(text.p, "secret mstsec-");
    assert_non_null(at);
    (void)mst_hex(other.secret, 32, at + 14);
    at[14 + 64] = '\n';
    signed_again(&text);
    assert_ok(mst_keyfile_parse(text.p, text.len, &info, &err), &err);
    assert_rc(mst_keyfile_open(text.p, text.len, NULL, out, &err), MST_E_INTEGRITY, &err);
    assert_non_null(strstr(err.msg, "its secret is not that of its public word"));
    at = strstr(text.p, "id ");
    assert_non_null(at);
    memcpy(at + 3, other.id, 32);
    signed_again(&text);
    assert_rc(mst_keyfile_parse(text.p, text.len, &info, &err), MST_E_INTEGRITY, &err);
    assert_non_null(strstr(err.msg, "its id is not that of its public word"));
    assert_rc(mst_keyfile_parse("hello", 5, &info, &err), MST_E_INTEGRITY, &err);
    assert_non_null(strstr(err.msg, "not a key file"));
    assert_rc(mst_keyfile_parse("muster secret key 2 x", 21, &info, &err), MST_E_INTEGRITY, &err);
    assert_non_null(strstr(err.msg, "does not know"));
    mst_identity_release(&who);
    mst_identity_release(&other);
    mst_keyfile_wipe(&text);
}

static void lines_that_muster_does_not_write_are_refused(void **state)
{
    static const struct {
        const char *from, *to, *says;
    } edits[] = {{"created 5\n", "created 05\n", "no time"},
                 {"created 5\n", "created -5\n", "no time"},
                 {"created 5\n", "created 9999999999999999\n", "no time"},
                 {"created 5\n", "created 5 \n", "no time"},
                 {"label ops\n", "", "no label"},
                 {"label ops\n", "label ops\nlabel ops\n", "no time"},
                 {"id ", "ID ", "no id"},
                 {"secret mstsec-", "secret ", "not in a form"},
                 {"secret mstsec-", "secret mstsec-0", "not in a form"},
                 {"secret mstsec-", "secret scrypt 99999 ", "not in a form"},
                 {"1 recipient", "1 reader", "first line"},
                 {"1 recipient", "1 signer", "no valid public word"},
                 {"sha256 ", "more\nsha256 ", "more in it"}};
    struct mst_identity who = {0};
    struct mst_err err = {0};

    (void)state;
    assert_ok(mst_identity_new(&who, &err), &err);
    for (size_t i = 0; i < MST_COUNT(edits); i++) {
        struct mst_str text = {0}, bad = {0};
        struct mst_keyfile info;
        const char *at;

        assert_ok(mst_keyfile_put(MST_KEY_RECIPIENT, who.secret, "ops", 5, NULL, &text, &err),
                  &err);
        at = strstr(text.p, edits[i].from);
        assert_non_null(at);
        mst_str_addn(&bad, text.p, (size_t)(at - text.p));
        mst_str_add(&bad, edits[i].to);
        mst_str_add(&bad, at + strlen(edits[i].from));
        signed_again(&bad);
        assert_rc(mst_keyfile_parse(bad.p, bad.len, &info, &err), MST_E_INTEGRITY, &err);
        if (!strstr(err.msg, edits[i].says)) {
            fail_msg("\"%s\" said: %s", edits[i].to, err.msg);
        }
        mst_keyfile_wipe(&text);
        mst_keyfile_wipe(&bad);
    }
    mst_identity_release(&who);
}

static void an_absurd_cost_in_a_key_file_is_refused(void **state)
{
    struct mst_str text = {0};
    struct mst_identity who = {0};
    struct mst_err err = {0};
    uint8_t out[32];
    char *at;

    (void)state;
    assert_ok(mst_identity_new(&who, &err), &err);
    assert_ok(mst_keyfile_put(MST_KEY_RECIPIENT, who.secret, "ops", 5, &phrase, &text, &err), &err);
    at = strstr(text.p, "scrypt 17 ");
    assert_non_null(at);
    memcpy(at, "scrypt 63 ", 10);
    signed_again(&text);
    assert_rc(mst_keyfile_open(text.p, text.len, &phrase, out, &err), MST_E_LIMIT, &err);
    assert_non_null(strstr(err.msg, "asks scrypt for 2^63"));
    at = strstr(text.p, "scrypt 63 ");
    assert_non_null(at);
    memcpy(at, "scrypt 17 ", 10);
    memcpy(strstr(text.p, "label ops"), "label sup", 9); /* what is sealed is bound to it */
    signed_again(&text);
    assert_rc(mst_keyfile_open(text.p, text.len, &phrase, out, &err), MST_E_INTEGRITY, &err);
    assert_non_null(strstr(err.msg, "its secret does not open"));
    mst_identity_release(&who);
    mst_keyfile_wipe(&text);
}

static void a_key_file_that_others_may_read_is_refused(void **state)
{
    char dir[] = "/tmp/mst-key-XXXXXX", path[64];
    struct mst_str text = {0}, back = {0};
    struct mst_keyfile info;
    struct mst_sign_key k = {0}, got = {0};
    struct mst_identity who = {0};
    struct mst_err err = {0};

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/k", dir);
    assert_ok(mst_sign_key_new(&k, &err), &err);
    assert_ok(mst_keyfile_put(MST_KEY_SIGNER, k.secret, "db1", 5, NULL, &text, &err), &err);
    assert_rc(mst_keyfile_read(path, &info, NULL, &err), MST_E_NOTFOUND, &err);
    assert_ok(mst_file_replace(path, 0600, text.p, text.len, &err), &err);
    assert_ok(mst_keyfile_read(path, &info, &back, &err), &err);
    assert_string_equal(back.p, text.p);
    assert_ok(mst_keyfile_signer(path, NULL, &got, &err), &err);
    assert_string_equal(got.id, k.id);
    assert_rc(mst_keyfile_identity(path, NULL, &who, &err), MST_E_CONFIG, &err);
    assert_non_null(strstr(err.msg, "is the key of a signer: here belongs that of a recipient"));
    for (mode_t bit = 1; bit <= 040; bit <<= 1) {
        assert_int_equal(chmod(path, 0600 | bit), 0);
        assert_rc(mst_keyfile_read(path, &info, NULL, &err), MST_E_CONFIG, &err);
        assert_non_null(strstr(err.msg, "can be read by others"));
    }
    assert_int_equal(chmod(path, 0400), 0);
    assert_ok(mst_keyfile_read(path, &info, NULL, &err), &err);
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 12345, 0), 0);
        assert_rc(mst_keyfile_read(path, &info, NULL, &err), MST_E_CONFIG, &err);
        assert_non_null(strstr(err.msg, "another user"));
    }
    assert_rc(mst_keyfile_read(dir, &info, NULL, &err), MST_E_CONFIG, &err);
    assert_non_null(strstr(err.msg, "not a regular file"));
    assert_int_equal(truncate(path, 20000), 0);
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 0, 0), 0);
    }
    assert_rc(mst_keyfile_read(path, &info, NULL, &err), MST_E_LIMIT, &err);
    (void)unlink(path);
    (void)rmdir(dir);
    mst_sign_key_release(&k);
    mst_sign_key_release(&got);
    mst_keyfile_wipe(&text);
    mst_keyfile_wipe(&back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signature_holds_for_its_bytes_and_its_key_only),
        cmocka_unit_test(a_recipient_unwraps_what_was_wrapped_without_its_secret),
        cmocka_unit_test(a_slot_that_was_damaged_or_moved_is_found),
        cmocka_unit_test(points_of_low_order_are_refused),
        cmocka_unit_test(a_passphrase_unwraps_and_a_wrong_one_is_told_from_damage),
        cmocka_unit_test(an_absurd_cost_is_refused_before_it_is_paid),
        cmocka_unit_test(a_word_with_a_slip_is_refused_with_the_reason),
        cmocka_unit_test(a_key_file_gives_back_what_was_put_in),
        cmocka_unit_test(a_damaged_key_file_is_found),
        cmocka_unit_test(lines_that_muster_does_not_write_are_refused),
        cmocka_unit_test(an_absurd_cost_in_a_key_file_is_refused),
        cmocka_unit_test(a_key_file_that_others_may_read_is_refused)};

    return cmocka_run_group_tests_name("crypt_keys", tests, setup, teardown);
}
