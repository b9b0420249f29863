/* Who would be handed the seat by a step down. */
#include "test.h" /* cmocka */

#include "toposet.h"

/* Three members, the first is the primary; a lag of -1 is not known. */
static void a_step_down_hands_the_seat_by_the_servers_rule(void **state)
{
    static const struct {
        double old, p1, p2;
        int64_t lag1, lag2;
        int heir;
        const char *says;
    } rows[] = {
        {1, 1, 1, 300, 300, 1, "db2:27017 is handed the seat (priority 1, 0.3 s behind)"},
        {1, 1, 2, 300, 900, 2, "db3:27017 is handed the seat (priority 2, 0.9 s behind)"},
        {1, 2, 1, 2001, 300, 2, "db3:27017 is handed the seat (priority 1, 0.3 s behind)"},
        {1, 1, 1, 2000, 0, 1, "db2:27017 is handed the seat (priority 1, 2.0 s behind)"},
        {2, 1, 1, 0, 0, 1,
         "db2:27017 is handed the seat (priority 1, 0.0 s behind); db1:27017 (priority 2) takes it "
         "back later"},
        {1, 0, 1, 0, 0, 2, "db3:27017 is handed the seat (priority 1, 0.0 s behind)"},
        {1, 0, 0, 0, 0, -1,
         "nobody can take the seat: writes stop for up to 10 s, then the server refuses"},
        {1, 1, 1, -1, 300, 2, "db3:27017, or db2:27017 before it, whose lag is not known"},
        {1, 1, 1, 300, -1, 1, "db2:27017 is handed the seat (priority 1, 0.3 s behind)"},
        {1, 1, 2, 300, -1, 1, "db2:27017, or db3:27017 before it, whose lag is not known"},
        {1, 1, 1, -1, -1, -1, "not known: the lag of db2:27017 is not measured"},
        {1, 1, 1, -1, 5000, -1, "not known: the lag of db2:27017 is not measured"},
        {1, 1, 1, 9800, 5000, -1,
         "nobody has caught up: db2:27017 is 9.8 s behind; writes stop for up to 10 s, and "
         "db1:27017 stays if it does not get there"},
    };
    char text[200];

    (void)state;
    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        struct set s;

        make(&s, 3);
        s.m[0].priority = rows[i].old;
        s.m[1].priority = rows[i].p1;
        s.m[2].priority = rows[i].p2;
        derive(&s);
        s.m[1].lag_ms = rows[i].lag1;
        s.m[2].lag_ms = rows[i].lag2;
        assert_int_equal(mst_topo_if_stepped_down(&s.v, text), rows[i].heir);
        assert_string_equal(text, rows[i].says);
    }
}

static void what_a_step_down_needs_is_said_when_it_is_not_there(void **state)
{
    struct set s;
    char text[200];

    (void)state;
    make(&s, 3);
    derive(&s);
    s.v.primary = -1;
    assert_int_equal(mst_topo_if_stepped_down(&s.v, text), -1);
    assert_string_equal(text, "");
    s.v.primary = 0;
    s.v.votes_total = 0;
    assert_int_equal(mst_topo_if_stepped_down(&s.v, text), -1);
    assert_string_equal(text, "not known: the configuration was not read yet");
    s.v.votes_total = 3;
    s.v.data_up = 1;
    assert_int_equal(mst_topo_if_stepped_down(&s.v, text), -1);
    assert_string_equal(
        text,
        "no majority can catch up (1 of 2): writes stop for up to 10 s, then the server refuses");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_down_hands_the_seat_by_the_servers_rule),
        cmocka_unit_test(what_a_step_down_needs_is_said_when_it_is_not_there),
    };
    return cmocka_run_group_tests_name("topo step down", tests, NULL, NULL);
}
