/* Below 80x24: the facts one a line, the keys, and that old facts are never shown as new ones. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fixture.h"
#include "test.h"

struct world {
    struct fx *f;
    struct ui_app *app;
};

static struct world with(struct fx *f, int rows, int cols)
{
    struct world w = {f, mst_xcalloc(1, sizeof(struct ui_app))};

    fx_app(f, w.app);
    ui_app_size(w.app, rows, cols);
    return w;
}

static void done(struct world *w)
{
    ui_app_release(w->app);
    free(w->app);
    fx_free(w->f);
}

static bool shows(struct world *w, const char *text)
{
    char *s = fx_text(w->app, w->app->rows, w->app->cols, false);
    const bool found = strstr(s, text) != NULL;

    free(s);
    return found;
}

static const struct {
    int rows, cols;
} small[] = {{12, 60}, {8, 40}, {5, 20}, {3, 30}, {1, 41}, {1, 12}};

static void old_facts_are_never_shown_as_new_ones(void **state)
{
    (void)state;
    for (size_t i = 0; i < MST_COUNT(small); i++) {
        struct world w = with(fx_healthy(), small[i].rows, small[i].cols);

        assert_false(shows(&w, "STALE"));
        fx_later(w.app, 9000);
        assert_true(shows(&w, "STALE"));
        ui_app_key(w.app, 'p', NULL);
        assert_true(shows(&w, "FROZEN"));
        w.f->info.agent_lost_ms = FX_MONO;
        assert_true(shows(&w, "AGENT LOST"));
        done(&w);
    }
}

static void a_set_without_a_primary_says_so_at_every_size(void **state)
{
    (void)state;
    for (size_t i = 0; i < MST_COUNT(small); i++) {
        struct world w = with(fx_election(), small[i].rows, small[i].cols);

        assert_true(shows(&w, "NO PRIMARY"));
        done(&w);
    }
}

static void the_mode_is_named_where_it_fits(void **state)
{
    struct world w = with(fx_healthy(), 12, 60);

    (void)state;
    w.f->info.read_only = true;
    assert_true(shows(&w, "[RO]"));
    done(&w);
}

static void tab_goes_through_the_panes(void **state)
{
    struct world w = with(fx_running(), 12, 60);

    (void)state;
    assert_true(shows(&w, "oplog 31.1h")); /* the list of facts */
    fx_key(w.app, UI_KEY_TAB);
    assert_true(shows(&w, "last good"));
    fx_key(w.app, UI_KEY_TAB);
    assert_true(shows(&w, "1 running, 1 queued"));
    for (int i = 0; i < 5; i++) {
        fx_key(w.app, UI_KEY_TAB);
    }
    assert_true(shows(&w, "oplog 31.1h"));
    done(&w);
}

static void the_last_line_of_the_facts_can_be_reached(void **state)
{
    struct world w = with(fx_many(), 8, 40);
    const char *last = "db1:27017 is PRIMARY, term 41";

    (void)state;
    assert_false(shows(&w, last));
    fx_key(w.app, 'G');
    assert_true(shows(&w, last));
    done(&w);
}

/* At 20 columns a sentence takes many rows; all of them can be scrolled to. */
static void wrapped_text_scrolls_to_its_end(void **state)
{
    struct world w = with(fx_healthy(), 6, 24);

    (void)state;
    fx_keys(w.app, "2\t\t"); /* the member in detail */
    fx_key(w.app, 'G');
    assert_true(shows(&w, "rbid"));
    done(&w);
}

static void a_key_that_is_off_says_why_and_then_the_hints_return(void **state)
{
    struct world w = with(fx_healthy(), 12, 60);

    (void)state;
    w.f->info.read_only = true;
    ui_app_key(w.app, 'B', NULL);
    assert_true(shows(&w, "backup: off, read-only session"));
    fx_later(w.app, 6000);
    assert_true(shows(&w, "? help"));
    done(&w);
}

static void what_is_typed_is_seen_down_to_two_lines(void **state)
{
    struct world w = with(fx_healthy(), 2, 30);

    (void)state;
    fx_keys(w.app, ":jobs");
    assert_true(shows(&w, ":jobs"));
    done(&w);
}

static void a_dialog_can_be_filled_in_and_left(void **state)
{
    struct world w = with(fx_healthy(), 5, 20);

    (void)state;
    ui_app_key(w.app, 'B', NULL);
    fx_later(w.app, 400);
    assert_true(shows(&w, "[>Cancel<]"));
    ui_form_focus(&w.app->st.dlg.form, 'i');
    fx_keys(w.app, "a.b");
    assert_true(shows(&w, "a.b"));
    fx_key(w.app, UI_KEY_ESC);
    assert_int_equal(w.app->st.layer, UI_LAYER_NONE);
    assert_int_equal(w.f->submits, 0);
    done(&w);
}

static void growing_leaves_no_pane_scrolled_away_and_no_focus_out_of_sight(void **state)
{
    struct world w = with(fx_running(), 6, 30);

    (void)state;
    fx_key(w.app, 'G');
    fx_key(w.app, UI_KEY_BACKTAB); /* the last pane: at 80x24 there is none */
    ui_app_size(w.app, 24, 80);
    assert_true(shows(&w, "Overview > Replica set"));
    assert_true(shows(&w, "votes 3/3"));
    done(&w);
}

static void narrow_rows_keep_the_state_in_sight(void **state)
{
    struct world w = with(fx_election(), 5, 20);

    (void)state;
    fx_key(w.app, 'j');
    assert_true(shows(&w, "X db1 DOWN"));
    done(&w);
}

static void the_help_ends_with_its_last_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct world w = with(fx_healthy(), i == 0 ? 24 : 12, i == 0 ? 80 : i == 1 ? 60 : 30);
        char *s;

        fx_keys(w.app, "?G");
        s = fx_text(w.app, w.app->rows, w.app->cols, false);
        assert_non_null(strstr(s, "zoom "));
        assert_non_null(strstr(s, "topology"));
        free(s);
        done(&w);
    }
}

static void a_button_with_the_focus_is_whole(void **state)
{
    struct world w = with(fx_healthy(), 5, 20);

    (void)state;
    ui_app_key(w.app, 'B', NULL);
    fx_later(w.app, 400);
    fx_key(w.app, UI_KEY_TAB);
    assert_true(shows(&w, "[>Start backup<]"));
    done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(old_facts_are_never_shown_as_new_ones),
        cmocka_unit_test(a_set_without_a_primary_says_so_at_every_size),
        cmocka_unit_test(the_mode_is_named_where_it_fits),
        cmocka_unit_test(tab_goes_through_the_panes),
        cmocka_unit_test(the_last_line_of_the_facts_can_be_reached),
        cmocka_unit_test(wrapped_text_scrolls_to_its_end),
        cmocka_unit_test(a_key_that_is_off_says_why_and_then_the_hints_return),
        cmocka_unit_test(what_is_typed_is_seen_down_to_two_lines),
        cmocka_unit_test(a_dialog_can_be_filled_in_and_left),
        cmocka_unit_test(growing_leaves_no_pane_scrolled_away_and_no_focus_out_of_sight),
        cmocka_unit_test(narrow_rows_keep_the_state_in_sight),
        cmocka_unit_test(the_help_ends_with_its_last_line),
        cmocka_unit_test(a_button_with_the_focus_is_whole),
    };
    return cmocka_run_group_tests_name("strip", tests, NULL, NULL);
}
