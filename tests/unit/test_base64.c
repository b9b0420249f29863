#include "test.h"

#include <string.h>

#include "base/base64.h"
#include "base/mem.h"

static void the_published_vectors_come_out(void **state)
{
    static const char *const raw[] = {"", "f", "fo", "foo", "foob", "fooba", "foobar"};
    static const char *const text[] = {"",         "Zg==",     "Zm8=",    "Zm9v",
                                       "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};

    (void)state;
    for (size_t i = 0; i < MST_COUNT(raw); i++) {
        struct mst_str s = {0};
        uint8_t back[8];
        char out[MST_BASE64_SIZE(6)];
        const size_t n = strlen(raw[i]);

        mst_str_add_base64(&s, raw[i], n);
        assert_string_equal(mst_str_c(&s), text[i]);
        assert_string_equal(mst_base64(raw[i], n, out), text[i]);
        assert_true(mst_unbase64(text[i], back, n));
        assert_memory_equal(back, raw[i], n);
        mst_str_release(&s);
    }
}

static void the_url_form_has_other_digits_and_no_padding(void **state)
{
    const uint8_t p[] = {0xfb, 0xff, 0xfe, 0xff};
    struct mst_str s = {0};

    (void)state;
    mst_str_add_base64_url(&s, p, sizeof(p));
    assert_string_equal(mst_str_c(&s), "-__-_w");
    mst_str_release(&s);
}

static void one_value_has_one_spelling(void **state)
{
    uint8_t out[4];

    (void)state;
    assert_false(mst_unbase64("Zh==", out, 1)); /* bits hang over */
    assert_false(mst_unbase64("Zm9=", out, 2));
    assert_false(mst_unbase64("Zg=", out, 1));
    assert_false(mst_unbase64("Zg==", out, 2));
    assert_false(mst_unbase64("Z===", out, 1));
    assert_false(mst_unbase64("Zg==\n", out, 1));
    assert_false(mst_unbase64("-_==", out, 1));
    assert_true(mst_unbase64("AAAAAA==", out, 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_vectors_come_out),
        cmocka_unit_test(the_url_form_has_other_digits_and_no_padding),
        cmocka_unit_test(one_value_has_one_spelling),
    };
    return cmocka_run_group_tests_name("base64", tests, NULL, NULL);
}
