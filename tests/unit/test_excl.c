#include "test.h"

#include <string.h>

#include "excl/excl.h"

static struct mst_excl_note note(const char *id, uint32_t t, uint32_t first, int64_t until,
                                 bool end)
{
    struct mst_excl_note n = {.ts = {t, 1}, .until_wall_ms = until, .end = end};

    n.first.t = first;
    n.first.i = first ? 1 : 0;
    (void)snprintf(n.id, sizeof(n.id), "%s", id);
    return n;
}

#define HOLDER(want, now, ...) \
    do { \
        const struct mst_excl_note n_[] = {__VA_ARGS__}; \
        const struct mst_excl_note *h_ = mst_excl_holder(n_, sizeof(n_) / sizeof(n_[0]), (now)); \
        assert_string_equal(h_ ? h_->id : "", (want)); \
    } while (0)

static void the_oldest_open_note_holds_the_set(void **state)
{
    (void)state;
    HOLDER("a", 1000, note("a", 1, 0, 2000, false), note("b", 2, 0, 9000, false));
    HOLDER("b", 2000, note("a", 1, 0, 2000, false), note("b", 2, 0, 9000, false)); /* a ran out */
    HOLDER("", 9000, note("a", 1, 0, 2000, false), note("b", 2, 0, 9000, false));
}

static void an_ended_note_holds_nothing(void **state)
{
    (void)state;
    HOLDER("b", 1000, note("a", 1, 0, 2000, false), note("b", 2, 0, 2000, false),
           note("a", 3, 0, 0, true));
    HOLDER("", 1000, note("a", 1, 0, 2000, false), note("a", 2, 0, 0, true));
}

static void a_renewed_note_keeps_its_place(void **state)
{
    (void)state;
    /* a began at 1 and renewed at 5, after b wrote its note at 2. */
    HOLDER("a", 3000, note("a", 1, 0, 2000, false), note("b", 2, 0, 9000, false),
           note("a", 5, 1, 8000, false));
    /* The first note of a long holder is no longer in the window that was read. */
    HOLDER("a", 3000, note("b", 2, 0, 9000, false), note("a", 5, 1, 8000, false));
    /* The time of the last renewal counts, not that of the first note. */
    HOLDER("", 9000, note("a", 1, 0, 20000, false), note("a", 5, 1, 8000, false));
}

static void an_entry_of_somebody_else_is_no_note(void **state)
{
    struct mst_excl_note n;
    bson_t *a = BCON_NEW("op", "n", "ns", "", "o", "{", "msg", "periodic noop", "}");
    bson_t *b = BCON_NEW("ts", BCON_TIMESTAMP(7, 2), "op", "n", "o", "{", "muster", "{", "act",
                         "re\x1bstore", "id", "00ff", "agent", "x", "host", "h", "until",
                         BCON_DATE_TIME(123), "}", "}");
    bson_t *c = BCON_NEW("ts", BCON_TIMESTAMP(8, 1), "op", "n", "o", "{", "muster", "{", "end",
                         "00ff", "}", "}");
    bson_t *d = BCON_NEW("op", "n", "o", "{", "muster", BCON_INT32(1), "}");

    (void)state;
    assert_false(mst_excl_parse(a, &n));
    assert_true(mst_excl_parse(b, &n));
    assert_string_equal(n.id, "00ff");
    assert_null(strchr(n.act, 27));
    assert_int_equal(n.ts.t, 7);
    assert_int_equal(n.until_wall_ms, 123);
    assert_false(n.end);
    assert_true(mst_excl_parse(c, &n));
    assert_true(n.end);
    assert_false(mst_excl_parse(d, &n));
    bson_destroy(a);
    bson_destroy(b);
    bson_destroy(c);
    bson_destroy(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_open_note_holds_the_set),
        cmocka_unit_test(an_ended_note_holds_nothing),
        cmocka_unit_test(a_renewed_note_keeps_its_place),
        cmocka_unit_test(an_entry_of_somebody_else_is_no_note),
    };
    return cmocka_run_group_tests_name("excl", tests, NULL, NULL);
}
