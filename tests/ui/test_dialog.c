/* What somebody meets at first: where the keys of a dialog lead, what is said of them, and that
 * what is said has room. */
#include <string.h>

#include "world_kit.h"

static bool shows(struct world *w, const char *text)
{
    return shows_at(w, 24, 80, text);
}

static struct world sandbox(void)
{
    struct world w = with(fx_healthy());

    (void)mst_copy(w.f->info.sandbox_ctl, sizeof w.f->info.sandbox_ctl, "/tmp/s/ctl.sock");
    fx_keys(w.app, "K");
    fx_later(w.app, 400);
    return w;
}

static char focus(const struct world *w)
{
    const struct ui_form *f = &w->app->st.dlg.form;

    return f->f[f->focus].id;
}

static void left_and_right_go_from_button_to_button(void **state)
{
    struct world w = sandbox();

    (void)state;
    assert_int_equal(focus(&w), '0');
    fx_key(w.app, UI_KEY_RIGHT);
    assert_int_equal(focus(&w), 'g');
    fx_key(w.app, UI_KEY_RIGHT); /* past the last one no field takes the key */
    assert_int_equal(focus(&w), '0');
    fx_key(w.app, UI_KEY_LEFT);
    assert_int_equal(focus(&w), 'g');
    done(&w);
}

static void what_an_act_does_not_take_is_off_and_passed_over(void **state)
{
    struct world w = sandbox();

    (void)state;
    assert_true(shows(&w, "how much    - "));
    assert_true(shows(&w, "collection  - "));
    fx_key(w.app, UI_KEY_UP); /* from Cancel to the last field of a kill */
    assert_int_equal(focus(&w), 'm');
    fx_key(w.app, UI_KEY_UP);
    assert_int_equal(focus(&w), 'v');
    fx_keys(w.app, "          "); /* ten on: drop */
    assert_true(shows(&w, "member      - "));
    assert_true(shows(&w, "collection  [ "));
    fx_key(w.app, UI_KEY_DOWN);
    assert_int_equal(focus(&w), 'd');
    fx_keys(w.app, "shop.customers");
    assert_true(shows(&w, "drop shop.customers"));
    done(&w);
}

static void each_act_of_the_sandbox_says_what_it_does(void **state)
{
    struct world w = sandbox();

    (void)state;
    assert_true(shows(&w, "as by kill -9; start brings it"));
    ui_form_focus(&w.app->st.dlg.form, 'v');
    fx_keys(w.app, "  ");
    assert_true(shows(&w, "answers nobody; cont undoes that"));
    fx_keys(w.app, "     ");
    assert_true(shows(&w, "so many milliseconds longer; 0"));
    done(&w);
}

static void both_sizes_of_a_backup_have_room(void **state)
{
    struct world w = with(fx_healthy());

    (void)state;
    for (size_t i = 0; i < MST_COUNT(w.f->backups); i++) {
        w.f->backups[i].data_bytes = 80500;
        w.f->backups[i].stored_bytes = 18534;
    }
    assert_true(shows(&w, "size       78.6 KiB,18.1 KiB"));
    assert_true(shows_at(&w, 40, 120, "size       78.6 KiB, 18.1 KiB"));
    done(&w);
}

static void k_offers_to_undo_what_was_done(void **state)
{
    struct world w = with(fx_healthy());
    struct mst_topo_view *v = &w.f->topo.v;
    static const char *const offers[] = {"start db3:27017", "cont db3:27017", "heal db2:27017"};

    (void)state;
    (void)mst_copy(w.f->info.sandbox_ctl, sizeof w.f->info.sandbox_ctl, "/tmp/s/ctl.sock");
    v->reasons[0].kind = MST_RS_LINK;
    v->reasons[0].member = 1;
    v->n_reasons = 1;
    for (size_t i = 0; i < MST_COUNT(offers); i++) {
        w.f->members[2].reach = i == 0   ? MST_REACH_REFUSED
                                : i == 1 ? MST_REACH_SILENT
                                         : MST_REACH_OK;
        fx_keys(w.app, "K");
        fx_later(w.app, 400);
        assert_true(shows(&w, offers[i]));
        fx_key(w.app, UI_KEY_ESC);
    }
    done(&w);
}

static void the_last_line_names_the_keys_of_what_lies_on_top(void **state)
{
    struct world w = with(fx_healthy());

    (void)state;
    assert_true(shows(&w, "? help"));
    fx_keys(w.app, "?");
    assert_true(shows(&w, "up down scroll  Esc close"));
    assert_false(shows(&w, "B backup.."));
    fx_key(w.app, UI_KEY_ESC);
    fx_keys(w.app, ".");
    assert_true(shows(&w, "up down choose  Enter do  Esc close"));
    fx_key(w.app, UI_KEY_ESC);
    fx_keys(w.app, "B");
    fx_later(w.app, 400);
    assert_true(shows(&w, "Enter press  y copy  Esc leave"));
    assert_true(shows(&w, "Tab, up, down: to the fields"));
    assert_false(shows(&w, "R restore.."));
    done(&w);
}

static void an_id_to_discard_says_what_it_is(void **state)
{
    struct world w = with(fx_many());

    (void)state;
    fx_keys(w.app, "4D");
    fx_later(w.app, 400);
    assert_true(shows(&w, "< restore-12 >"));
    assert_true(shows(&w, "old shop.orders kept by restore 12 (mst.o.1a2b3c4d.0)"));
    done(&w);
}

static void that_there_is_more_covers_no_text(void **state)
{
    struct world w = with(fx_healthy());

    (void)state;
    fx_keys(w.app, "R");
    fx_later(w.app, 400);
    assert_true(shows_at(&w, 12, 60, "[ Review ]"));
    assert_true(shows_at(&w, 12, 60, "                      PgDn: more\n"));
    assert_true(shows_at(&w, 12, 60, "dry run     [x] read and plan, write nothing\n"));
    done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(left_and_right_go_from_button_to_button),
        cmocka_unit_test(what_an_act_does_not_take_is_off_and_passed_over),
        cmocka_unit_test(each_act_of_the_sandbox_says_what_it_does),
        cmocka_unit_test(both_sizes_of_a_backup_have_room),
        cmocka_unit_test(k_offers_to_undo_what_was_done),
        cmocka_unit_test(the_last_line_names_the_keys_of_what_lies_on_top),
        cmocka_unit_test(an_id_to_discard_says_what_it_is),
        cmocka_unit_test(that_there_is_more_covers_no_text),
    };
    return cmocka_run_group_tests_name("dialog", tests, NULL, NULL);
}
