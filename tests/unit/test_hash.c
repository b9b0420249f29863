#include "test.h"

#include "hash/hash.h"
#include "hash/mac.h"

static void a_digest_is_the_published_one(void **state)
{
    static const char want[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    uint8_t d[MST_SHA256_LEN];
    char hex[MST_SHA256_HEX];
    struct mst_sha256 h;

    (void)state;
    mst_sha256_of("abc", 3, d);
    assert_string_equal(mst_hex(d, sizeof(d), hex), want);
    mst_sha256_init(&h);
    mst_sha256_add(&h, "forgotten", 9);
    mst_sha256_one(&h, "abc", 3, d);
    assert_string_equal(mst_hex(d, sizeof(d), hex), want);
    mst_sha256_add(&h, "a", 1);
    mst_sha256_add(&h, "bc", 2);
    mst_sha256_final(&h, d);
    assert_string_equal(mst_hex(d, sizeof(d), hex), want);
    mst_sha256_final(&h, d); /* of nothing: the context starts anew */
    assert_string_equal(mst_hex(d, sizeof(d), hex),
                        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    mst_sha256_release(&h);
    mst_sha256_release(&h);
}

static void hex_is_read_back_and_nothing_else_is(void **state)
{
    uint8_t b[2];

    (void)state;
    assert_true(mst_unhex("0aFf", b, 2));
    assert_int_equal(b[0], 0x0a);
    assert_int_equal(b[1], 0xff);
    assert_false(mst_unhex("0aF", b, 2));
    assert_false(mst_unhex("0aFg", b, 2));
    assert_false(mst_unhex("0aFf0", b, 2));
}

static void a_sum_does_not_depend_on_the_order(void **state)
{
    struct mst_sum256 a = {0}, b = {0}, c = {0};
    uint8_t d[MST_SHA256_LEN];

    (void)state;
    for (int i = 0; i < 100; i++) {
        mst_sha256_of(&i, sizeof(i), d);
        mst_sum256_add(&a, d);
    }
    for (int i = 99; i >= 0; i--) {
        mst_sha256_of(&i, sizeof(i), d);
        mst_sum256_add(i < 50 ? &b : &c, d);
    }
    assert_false(mst_sum256_equal(&a, &b));
    mst_sum256_join(&b, &c);
    assert_true(mst_sum256_equal(&a, &b));
    mst_sum256_sub(&b, d);
    assert_false(mst_sum256_equal(&a, &b));
    mst_sum256_add(&b, d);
    assert_true(mst_sum256_equal(&a, &b));
}

static void a_document_twice_changes_the_sum(void **state)
{
    struct mst_sum256 a = {0}, b = {0};
    uint8_t d[MST_SHA256_LEN];

    (void)state;
    mst_sha256_of("x", 1, d);
    mst_sum256_add(&a, d);
    mst_sum256_add(&b, d);
    mst_sum256_add(&b, d);
    assert_false(mst_sum256_equal(&a, &b));
}

static void a_sum_carries_and_wraps_at_256_bits(void **state)
{
    uint8_t all[MST_SHA256_LEN], one[MST_SHA256_LEN] = {0}, out[MST_SHA256_LEN];
    struct mst_sum256 s = {0}, zero = {0};
    char hex[MST_SHA256_HEX];

    (void)state;
    memset(all, 0xff, sizeof(all));
    one[31] = 1; /* big-endian: the last byte is the least */
    mst_sum256_add(&s, all);
    mst_sum256_add(&s, one);
    assert_true(mst_sum256_equal(&s, &zero));
    mst_sum256_sub(&s, one);
    mst_sum256_put(&s, out);
    assert_memory_equal(out, all, sizeof(all));
    memset(&s, 0, sizeof(s));
    s.w[0] = UINT64_MAX;
    s.w[1] = UINT64_MAX;
    mst_sum256_add(&s, one);
    assert_string_equal(mst_sum256_hex(&s, hex),
                        "0000000000000000000000000000000100000000000000000000000000000000");
    mst_sum256_put(&s, out);
    mst_sum256_get(&zero, out);
    assert_true(mst_sum256_equal(&s, &zero));
}

static void an_hmac_is_the_published_one(void **state)
{
    uint8_t key[131], out[MST_SHA256_LEN];
    char hex[MST_SHA256_HEX];

    (void)state; /* RFC 4231, cases 2 and 6 */
    mst_hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, out);
    assert_string_equal(mst_hex(out, sizeof(out), hex),
                        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof(key));
    mst_hmac_sha256(key, sizeof(key), "Test Using Larger Than Block-Size Key - Hash Key First", 54,
                    out);
    assert_string_equal(mst_hex(out, sizeof(out), hex),
                        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void md5_is_the_published_one(void **state)
{
    uint8_t md5[MST_MD5_LEN];
    char hex[2 * MST_MD5_LEN + 1];

    (void)state; /* RFC 1321, A.5 */
    mst_md5_of("abc", 3, md5);
    assert_string_equal(mst_hex(md5, sizeof(md5), hex), "900150983cd24fb0d6963f7d28e17f72");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_digest_is_the_published_one),
        cmocka_unit_test(hex_is_read_back_and_nothing_else_is),
        cmocka_unit_test(a_sum_does_not_depend_on_the_order),
        cmocka_unit_test(a_document_twice_changes_the_sum),
        cmocka_unit_test(an_hmac_is_the_published_one),
        cmocka_unit_test(md5_is_the_published_one),
        cmocka_unit_test(a_sum_carries_and_wraps_at_256_bits),
    };
    return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
