#include "test.h"

#include <string.h>

#include "base/mem.h"
#include "hash/crc32c.h"

static void the_published_values_come_out(void **state)
{
    /* The check value of the catalogue of CRCs, and the examples of RFC 3720, B.4. */
    uint8_t p[32];

    (void)state;
    assert_int_equal(mst_crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(mst_crc32c(0, "", 0), 0);
    memset(p, 0, sizeof(p));
    assert_int_equal(mst_crc32c(0, p, sizeof(p)), 0x8a9136aa);
    memset(p, 0xff, sizeof(p));
    assert_int_equal(mst_crc32c(0, p, sizeof(p)), 0x62a8ab43);
    for (size_t i = 0; i < sizeof(p); i++) {
        p[i] = (uint8_t)i;
    }
    assert_int_equal(mst_crc32c(0, p, sizeof(p)), 0x46dd794e);
    assert_int_equal(mst_crc32c_tables(0, p, sizeof(p)), 0x46dd794e);
}

static void pieces_and_both_ways_give_the_same(void **state)
{
    uint8_t p[300];

    (void)state;
    for (size_t i = 0; i < sizeof(p); i++) {
        p[i] = (uint8_t)(i * 167 + (i >> 3));
    }
    for (size_t from = 0; from < 9; from++) {
        const uint32_t whole = mst_crc32c(0, p + from, sizeof(p) - from);

        assert_int_equal(mst_crc32c_tables(0, p + from, sizeof(p) - from), whole);
        for (size_t cut = from; cut <= sizeof(p); cut++) {
            const uint32_t first = mst_crc32c_tables(0, p + from, cut - from);

            assert_int_equal(mst_crc32c(first, p + cut, sizeof(p) - cut), whole);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_values_come_out),
        cmocka_unit_test(pieces_and_both_ways_give_the_same),
    };
    return cmocka_run_group_tests_name("crc32c", tests, NULL, NULL);
}
