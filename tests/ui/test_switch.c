/* The switch of the primary: its dialog key by key, and the page of its run. */

#include "ui/lines.h"
#include "ui/screen.h"
#include "ui/switch.h"
#include "world_kit.h"

static bool shows(struct world *w, const char *text)
{
    return shows_at(w, 40, 120, text);
}

static void press(struct world *w, char button)
{
    fx_later(w->app, 400);
    ui_form_focus(&w->app->st.dlg.form, button);
    fx_key(w->app, UI_KEY_ENTER);
    fx_later(w->app, 400);
}

static const char *member_of(struct world *w)
{
    return ui_form_chosen(&w->app->st.dlg.form, 'm');
}

static void command(struct world *w, const char *line)
{
    ui_app_command(w->app, line);
    fx_later(w->app, 400);
}

/* --- choose --- */

static void the_key_opens_a_dialog_whose_enter_leaves(void **state)
{
    struct world w = with(fx_healthy());

    (void)state;
    fx_key(w.app, 'F');
    assert_int_equal(w.app->st.dlg.kind, UI_DLG_SWITCH);
    fx_key(w.app, UI_KEY_ENTER); /* dead time */
    assert_int_equal(w.app->st.layer, UI_LAYER_DIALOG);
    fx_later(w.app, 400);
    fx_key(w.app, UI_KEY_ENTER);
    assert_int_equal(w.app->st.layer, UI_LAYER_NONE);
    assert_int_equal(w.f->prepares + w.f->commits + w.f->submits, 0);
    done(&w);
}

static void it_is_off_where_it_cannot_be_done_and_says_why(void **state)
{
    struct world w = with(fx_healthy());

    (void)state;
    w.f->info.may_switch = false;
    (void)mst_copy(w.f->info.may_not_switch_why, sizeof w.f->info.may_not_switch_why,
                   "the configuration does not list \"switch\" in acts");
    fx_key(w.app, 'F');
    assert_true(shows(&w, "switchover: off, the configuration does not list \"switch\""));
    w.f->info.read_only = true;
    fx_key(w.app, 'F');
    assert_true(shows(&w, "switchover: off, read-only session"));
    fx_key(w.app, '.');
    assert_true(shows(&w, "move the primary.. - off: read-only session"));
    fx_key(w.app, UI_KEY_ESC);
    command(&w, "stepdown");
    assert_int_equal(w.app->st.layer, UI_LAYER_NONE);
    w.f->info.read_only = false;
    w.f->info.agent_lost_ms = FX_MONO;
    fx_key(w.app, 'F');
    assert_true(shows(&w, "switchover: off, the agent does not answer"));
    done(&w);
}

static void the_selected_row_is_the_target_and_the_primary_never_is(void **state)
{
    struct world w = with(fx_healthy());

    (void)state;
    fx_keys(w.app, "2jjF");
    assert_string_equal(member_of(&w), "db3:27017");
    fx_later(w.app, 400);
    fx_key(w.app, UI_KEY_ESC);
    fx_keys(w.app, "ggF"); /* the row of the primary: the heir by the server's rule */
    assert_string_equal(member_of(&w), "db2:27017");
    fx_later(w.app, 400);
    for (int i = 0; i < 4; i++) { /* no turn of the field names the primary */
        ui_form_focus(&w.app->st.dlg.form, 'm');
        fx_key(w.app, ' ');
        assert_string_not_equal(member_of(&w), "db1:27017");
    }
    done(&w);
}

static void what_is_known_of_a_choice_stands_beside_it(void **state)
{
    struct world w = with(fx_healthy());

    (void)state;
    command(&w, "switchover db3");
    assert_true(shows(&w, "db3:27017: SECONDARY, priority 1, lag 0.9s, seen "));
    w.f->members[2].lag_ms = -1;
    assert_true(shows(&w, "lag not known"));
    fx_key(w.app, UI_KEY_ESC);
    command(&w, "switchover db4");
    assert_true(shows(&w, "db4:27017 cannot be elected now: priority 0"));
    fx_key(w.app, UI_KEY_ESC);
    command(&w, "stepdown");
    assert_true(shows(&w, "db2:27017 is handed the seat"));
    done(&w);
}

static void each_word_of_the_command_line_opens_its_act(void **state)
{
    static const struct {
        const char *line;
        enum mst_cmd_kind kind;
        const char *member, *backup;
    } rows[] = {{"switchover db3", MST_CMD_SWITCHOVER, "db3:27017", ""},
                {"switchover db3:27017", MST_CMD_SWITCHOVER, "db3:27017", ""},
                {"switchover", MST_CMD_SWITCHOVER, "db2:27017", ""},
                {"stepdown", MST_CMD_STEPDOWN, "", ""},
                {"failback", MST_CMD_FAILBACK, "", "latest"},
                {"failback 1a2b3c4d", MST_CMD_FAILBACK, "", "1a2b3c4d"}};

    (void)state;
    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        struct world w = with(fx_healthy());

        command(&w, rows[i].line);
        ui_form_get(&w.app->st.dlg.form, 'p')->choice = MST_CMD_AFTER_STAY;
        ui_line_set(&ui_form_get(&w.app->st.dlg.form, 'w')->line, "CHG-4411");
        press(&w, 'g');
        assert_int_equal(w.f->prepares, 1);
        assert_int_equal(w.f->last.kind, rows[i].kind);
        assert_int_equal(w.f->last.after, MST_CMD_AFTER_STAY);
        assert_string_equal(w.f->last.member, rows[i].member);
        assert_string_equal(w.f->last.backup, rows[i].backup);
        assert_string_equal(w.f->last.reason, "CHG-4411");
        assert_false(w.f->last.dry_run);
        done(&w);
    }
}

static void a_failure_to_collect_facts_is_said_and_the_choice_is_kept(void **state)
{
    struct world w = with(fx_healthy());

    (void)state;
    command(&w, "switchover db3");
    ui_line_set(&ui_form_get(&w.app->st.dlg.form, 'w')->line, "CHG-4411");
    press(&w, 'g');
    assert_int_equal(w.app->st.dlg.step, UI_STEP_WAIT);
    assert_true(shows(&w, "collecting facts"));
    assert_true(shows(&w, "one majority write"));
    w.f->ticket_rc = MST_E_NET;
    fx_later(w.app, 400);
    assert_true(shows(&w, "facts could not be collected"));
    press(&w, 'b');
    assert_int_equal(w.app->st.dlg.step, UI_STEP_EDIT);
    assert_string_equal(member_of(&w), "db3:27017");
    assert_string_equal(ui_form_at(&w.app->st.dlg.form, 'w')->line.text, "CHG-4411");
    fx_key(w.app, UI_KEY_ESC);
    assert_int_equal(w.f->commits, 0);
    done(&w);
}

/* --- checks --- */

static void what_refuses_stands_first(void **state)
{
    struct mst_rule_line rules[] = {{MST_RULE_PASS, "P01 a", "", false},
                                    {MST_RULE_WARN, "P27 b", "", false},
                                    {MST_RULE_REFUSE, "P06 c", "", true},
                                    {MST_RULE_REFUSE, "P13 d", "", false},
                                    {MST_RULE_PASS, "P33 e", "", false}};
    const struct mst_ticket t = {.rules = rules, .n_rules = 5};
    const size_t want[] = {3, 2, 1, 0, 4};
    size_t order[UI_SWITCH_RULES];

    (void)state;
    assert_int_equal(ui_switch_order(&t, order), 5);
    assert_memory_equal(order, want, sizeof want);
    assert_int_equal(ui_switch_order(NULL, order), 0);
}

static void a_reason_of_ten_characters_lifts_one_check(void **state)
{
    struct world w = with(fx_healthy());

    (void)state;
    fx_to_checks(w.f, w.app, false);
    assert_int_equal(w.app->st.dlg.step, UI_STEP_CHECKS);
    assert_true(shows(&w, "OVERRIDE? P06 set is calm"));
    assert_true(shows(&w, "Tab: a reason"));
    fx_key(w.app, UI_KEY_TAB); /* as it opened, Cancel had the focus */
    fx_keys(w.app, "too short");
    fx_key(w.app, UI_KEY_ENTER);
    assert_true(shows(&w, "the reason needs 10 characters or more"));
    assert_int_equal(w.app->st.dlg.cmd.n_overrides, 0);
    fx_keys(w.app, "!");
    fx_key(w.app, UI_KEY_ENTER);
    assert_int_equal(w.app->st.dlg.cmd.n_overrides, 0); /* the blank does not count */
    fx_keys(w.app, "!");
    fx_key(w.app, UI_KEY_ENTER);
    assert_true(shows(&w, "ACCEPTED  P06 set is calm"));
    assert_string_equal(w.app->st.dlg.cmd.overrides[0], "P06=too short!!");
    assert_int_equal(w.f->prepares, 1); /* nothing was asked yet */
    assert_true(shows(&w, "Check again"));
    w.f->ticket_rc = MST_E_BUSY;
    press(&w, 'g');
    assert_int_equal(w.f->prepares, 2);
    assert_int_equal(w.f->last.n_overrides, 1);
    assert_string_equal(w.f->last.overrides[0], "P06=too short!!");
    fx_switch_plan(w.f, false);
    fx_later(w.app, 400);
    press(&w, 'g');
    assert_int_equal(w.app->st.dlg.step, UI_STEP_PLAN);
    assert_true(shows(&w, "plan 7F3K valid 01:5"));
    assert_true(shows(&w, "--override 'P06=too short!!'"));
    done(&w);
}

static void an_override_that_is_needless_by_now_is_dropped(void **state)
{
    struct world w = with(fx_healthy());

    (void)state;
    fx_to_checks(w.f, w.app, false);
    ui_form_focus(&w.app->st.dlg.form, 'r');
    fx_keys(w.app, "a drill was run here");
    fx_key(w.app, UI_KEY_ENTER);
    w.f->ticket_rc = MST_E_BUSY;
    press(&w, 'g');
    fx_switch_plan(w.f, false);
    w.f->rules[1].result = MST_RULE_PASS; /* P06 passes by now, and the guard wants no reason */
    w.f->rules[1].may_override = false;
    w.f->plan.refused = true;
    fx_later(w.app, 400);
    assert_int_equal(w.app->st.dlg.step, UI_STEP_CHECKS);
    assert_true(shows(&w, "P06 needs no override any more: it was taken back, check again"));
    press(&w, 'g');
    assert_int_equal(w.f->prepares, 3);
    assert_int_equal(w.f->last.n_overrides, 0);
    done(&w);
}

static void a_name_that_is_no_target_is_said(void **state)
{
    static const char *const rows[][2] = {
        {"switchover db9", "db9 names no single member of this set"},
        {"switchover db", "db names no single member of this set"},
        {"switchover db1", "db1 is the primary already"}};

    (void)state;
    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        struct world w = with(fx_healthy());

        command(&w, rows[i][0]);
        assert_true(shows(&w, rows[i][1]));
        done(&w);
    }
}

static void an_override_can_be_taken_back(void **state)
{
    struct world w = with(fx_healthy());

    (void)state;
    fx_to_checks(w.f, w.app, false);
    ui_form_focus(&w.app->st.dlg.form, 'r');
    fx_keys(w.app, "a drill was run here");
    fx_key(w.app, UI_KEY_ENTER);
    assert_int_equal(w.app->st.dlg.cmd.n_overrides, 1);
    ui_form_focus(&w.app->st.dlg.form, 'r');
    fx_key(w.app, UI_KEY_CTRL_U);
    fx_key(w.app, UI_KEY_ENTER);
    assert_int_equal(w.app->st.dlg.cmd.n_overrides, 0);
    assert_true(shows(&w, "OVERRIDE? P06"));
    done(&w);
}

static void more_than_three_overrides_are_refused(void **state)
{
    struct world w = with(fx_healthy());

    (void)state;
    fx_to_checks(w.f, w.app, false);
    for (size_t i = 0; i < 4; i++) {
        w.f->rules[i].result = MST_RULE_REFUSE;
        w.f->rules[i].may_override = true;
    }
    fx_key(w.app, UI_KEY_DOWN);
    fx_key(w.app, UI_KEY_UP);
    for (int i = 0; i < 4; i++) {
        ui_form_focus(&w.app->st.dlg.form, 'r');
        fx_keys(w.app, "it is right all the same");
        fx_key(w.app, UI_KEY_ENTER);
    }
    assert_int_equal(w.app->st.dlg.cmd.n_overrides, 3);
    assert_true(shows(&w, "3 overrides are the most"));
    done(&w);
}

static void what_blocks_has_no_field_and_no_way_on(void **state)
{
    struct world w = with(fx_healthy());

    (void)state;
    fx_to_checks(w.f, w.app, true);
    assert_true(shows(&w, "*BLOCKS    P13"));
    assert_null(ui_form_at(&w.app->st.dlg.form, 'r'));
    fx_key(w.app, UI_KEY_DOWN); /* the one below asks for a reason */
    assert_non_null(ui_form_at(&w.app->st.dlg.form, 'r'));
    press(&w, 'g');
    assert_int_equal(w.f->prepares, 2); /* looked again, no plan */
    assert_int_equal(w.app->st.dlg.step, UI_STEP_CHECKS);
    assert_int_equal(w.f->commits, 0);
    done(&w);
}

/* --- plan and confirm --- */

static void enter_does_nothing_until_the_phrase_fits(void **state)
{
    struct world w = with(fx_healthy());

    (void)state;
    fx_to_confirm(w.f, w.app);
    assert_int_equal(w.app->st.dlg.step, UI_STEP_CONFIRM);
    assert_string_equal(ui_form_at(&w.app->st.dlg.form, 'y')->line.text, "");
    fx_key(w.app, UI_KEY_ENTER);
    fx_keys(w.app, "rs0 to db2:27017 7F3");
    fx_key(w.app, UI_KEY_ENTER);
    assert_int_equal(w.f->commits, 0);
    assert_true(shows(&w, "not armed"));
    fx_keys(w.app, "K");
    assert_true(shows(&w, "ARMED"));
    fx_key(w.app, UI_KEY_ENTER);
    assert_int_equal(w.f->commits, 1);
    assert_string_equal(w.f->typed, "rs0 to db2:27017 7F3K");
    assert_int_equal(w.app->st.layer, UI_LAYER_NONE);
    assert_true(w.app->st.run_page);
    assert_int_equal(w.app->st.run_job, 1045);
    assert_true(shows(&w, "waiting for job 1045"));
    done(&w);
}

static void a_plan_that_expired_goes_back_to_the_checks(void **state)
{
    for (int confirm = 0; confirm < 2; confirm++) {
        struct world w = with(fx_healthy());

        (void)state;
        if (confirm) {
            fx_to_confirm(w.f, w.app);
        } else {
            fx_to_plan(w.f, w.app);
        }
        fx_later(w.app, 121000);
        assert_int_equal(w.app->st.dlg.step, UI_STEP_CHECKS);
        assert_true(shows(&w, "the plan has expired: nothing was done; check again"));
        press(&w, 'g');
        assert_int_equal(w.f->prepares, 3);
        assert_int_equal(w.f->commits, 0);
        done(&w);
    }
}

static void a_set_that_moved_goes_back_to_the_checks(void **state)
{
    struct world w = with(fx_healthy());

    (void)state;
    fx_to_confirm(w.f, w.app);
    w.f->fail = MST_E_STALE;
    fx_keys(w.app, "rs0 to db2:27017 7F3K");
    fx_key(w.app, UI_KEY_ENTER);
    assert_int_equal(w.app->st.dlg.step, UI_STEP_CHECKS);
    assert_true(shows(&w, "the set moved"));
    assert_false(w.app->st.run_page);
    done(&w);
}

static void back_goes_through_the_steps(void **state)
{
    struct world w = with(fx_healthy());

    (void)state;
    fx_to_confirm(w.f, w.app);
    press(&w, 'b');
    assert_int_equal(w.app->st.dlg.step, UI_STEP_PLAN);
    fx_key(w.app, 'b');
    assert_int_equal(w.app->st.dlg.step, UI_STEP_CHECKS);
    fx_later(w.app, 400);
    fx_key(w.app, 'b');
    assert_int_equal(w.app->st.dlg.step, UI_STEP_EDIT);
    assert_string_equal(member_of(&w), "db2:27017");
    fx_later(w.app, 400);
    fx_key(w.app, UI_KEY_ESC);
    assert_int_equal(w.f->commits, 0);
    done(&w);
}

/* --- the page --- */

static void q_hides_a_run_and_s_brings_it_back(void **state)
{
    struct world w = with(fx_switch_stopped());

    (void)state;
    assert_true(w.app->st.run_page); /* a console that opens into it shows it */
    assert_true(shows(&w, "WRITES STOPPED  00:04.7"));
    fx_key(w.app, 'q');
    assert_false(w.app->st.run_page);
    assert_true(shows(&w, "s: WRITES STOPPED 4.7s"));
    assert_true(shows(&w, "Backups"));
    assert_int_equal(w.f->submits, 0);
    fx_key(w.app, 'F');
    assert_true(shows(&w, "switchover: off, one runs"));
    fx_key(w.app, 's');
    assert_true(w.app->st.run_page);
    fx_key(w.app, '3');
    assert_false(w.app->st.run_page);
    assert_int_equal(w.app->st.scr, UI_SCR_JOBS);
    done(&w);
}

static void the_switch_of_another_is_shown_as_far_as_its_note_tells(void **state)
{
    struct world w = with(fx_switch_foreign());

    (void)state;
    assert_true(shows(&w, "switchover to db2:27017 by bastion2"));
    fx_key(w.app, 's');
    assert_true(w.app->st.run_page);
    assert_true(shows(&w, "Switch of another muster"));
    assert_true(shows(&w, "anna, private agent, pid 4711"));
    assert_true(shows(&w, "7f3c0a77d2e4b831"));
    assert_true(shows(&w, "since      9.3s"));
    assert_true(shows(&w, "s more at least, longer while it is renewed"));
    fx_key(w.app, 'X');
    assert_int_equal(w.f->submits, 0);
    assert_true(shows(&w, "undo: off, the run is another's"));
    fx_key(w.app, 'q');
    assert_false(w.app->st.run_page);
    done(&w);
}

static void the_stopped_time_moves_without_a_view(void **state)
{
    struct world w = with(fx_switch_stopped());

    (void)state;
    w.app->dirty = false;
    fx_later(w.app, 100);
    assert_true(w.app->dirty);
    assert_true(shows(&w, "WRITES STOPPED  00:04.8"));
    assert_true(shows(&w, "undo in 00:25.2"));
    fx_later(w.app, 5000);
    assert_true(shows(&w, "WRITES STOPPED  00:09.8"));
    assert_true(shows(&w, "silent 5.2s")); /* and who hangs is said to */
    fx_later(w.app, 30000);
    assert_true(shows(&w, "past the hard stop"));
    done(&w);
}

static void what_is_not_proven_is_neither_stopped_nor_good(void **state)
{
    struct world w = with(fx_switch_stopped());

    (void)state;
    w.f->move.members[1].writable = true;
    assert_false(ui_switch_stopped(&w.f->move));
    assert_true(shows(&w, "a member says that it takes writes, not proven yet"));
    w.f->move.members[1].at_ms = w.f->move.at_ms - 4000; /* it said so long ago */
    assert_true(ui_switch_stopped(&w.f->move));
    w.f->move.members[1].at_ms = w.f->move.t0_ms - 1; /* or before */
    assert_true(ui_switch_stopped(&w.f->move));
    w.f->info.agent_lost_ms = FX_MONO;
    fx_later(w.app, 5000);
    assert_true(shows(&w, "the agent is lost: what stands here is the last that it said"));
    assert_true(shows(&w, "WRITES STOPPED  00:04.7")); /* and does not go on as if it knew */
    done(&w);
}

static void x_asks_for_the_undo_of_a_run_that_lives(void **state)
{
    struct world w = with(fx_switch_stopped());

    (void)state;
    fx_key(w.app, 'X');
    assert_int_equal(w.app->st.dlg.kind, UI_DLG_CANCEL);
    assert_true(shows(&w, "the old primary is put back"));
    press(&w, 'g');
    assert_int_equal(w.f->submits, 1);
    assert_int_equal(w.f->last.kind, MST_CMD_CANCEL);
    assert_int_equal(w.f->last.job, w.f->move.job);
    assert_true(w.app->st.run_page);
    done(&w);
    w = with(fx_switch_done());
    fx_key(w.app, 's');
    fx_key(w.app, 'X');
    assert_int_equal(w.app->st.layer, UI_LAYER_NONE);
    assert_true(shows(&w, "undo: off, the run has ended"));
    done(&w);
    w = with(fx_switch_stopped());
    w.f->info.read_only = true;
    fx_key(w.app, 'X');
    assert_true(shows(&w, "undo: off, read-only session"));
    done(&w);
}

static void an_end_is_said_where_the_page_is_hidden(void **state)
{
    struct world w = with(fx_switch_stopped());
    struct fx *after = fx_switch_undone();

    (void)state;
    fx_key(w.app, 'q');
    ui_app_view(w.app, &after->v);
    fx_later(w.app, 50);
    assert_true(shows(&w, "ended with 13: undone"));
    assert_false(w.app->st.run_page);
    fx_key(w.app, 's');
    assert_true(shows(&w, "UNDONE, exit status 13"));
    assert_true(shows(&w, "the old primary has the seat again"));
    done(&w);
    fx_free(after);
}

static void a_run_of_another_hand_does_not_take_the_window(void **state)
{
    struct world w = with(fx_healthy());
    struct fx *after = fx_switch_stopped();

    (void)state;
    fx_key(w.app, 's');
    assert_true(shows(&w, "run: off, no switch ran"));
    ui_app_view(w.app, &after->v);
    assert_false(w.app->st.run_page);
    assert_true(shows(&w, "s: WRITES STOPPED 4.7s"));
    done(&w);
    fx_free(after);
}

static void every_end_has_a_next_step(void **state)
{
    static const int ends[] = {0, 10, 11, 12, 13, 14, 15, 16, 17, 18};

    (void)state;
    for (size_t i = 0; i < MST_COUNT(ends); i++) {
        assert_true(strlen(ui_switch_next(ends[i])) > 20);
    }
    assert_non_null(strstr(ui_switch_next(16), "before anything else"));
    assert_ptr_equal(ui_switch_next(16), ui_switch_next(99)); /* what is not known is not good */
}

static void plain_text_has_a_line_for_a_run(void **state)
{
    struct fx *f = fx_switch_stopped();
    struct mst_str s = {0};
    struct mst_err err = {0};

    (void)state;
    ui_lines_text(&f->v, FX_MONO, fx_wall(), &s);
    assert_non_null(
        strstr(mst_str_c(&s), "switchover STEPDOWN, WRITES STOPPED 4.7 s, undo in 25 s"));
    mst_str_release(&s);
    assert_ok(ui_screen_text(&f->v, "topology", 24, 120, FX_MONO, fx_wall(), &s, &err), &err);
    assert_non_null(strstr(mst_str_c(&s), "switchover STEPDOWN, WRITES STOPPED 4.7 s"));
    mst_str_release(&s);
    fx_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_key_opens_a_dialog_whose_enter_leaves),
        cmocka_unit_test(it_is_off_where_it_cannot_be_done_and_says_why),
        cmocka_unit_test(the_selected_row_is_the_target_and_the_primary_never_is),
        cmocka_unit_test(what_is_known_of_a_choice_stands_beside_it),
        cmocka_unit_test(each_word_of_the_command_line_opens_its_act),
        cmocka_unit_test(a_failure_to_collect_facts_is_said_and_the_choice_is_kept),
        cmocka_unit_test(what_refuses_stands_first),
        cmocka_unit_test(a_reason_of_ten_characters_lifts_one_check),
        cmocka_unit_test(an_override_that_is_needless_by_now_is_dropped),
        cmocka_unit_test(a_name_that_is_no_target_is_said),
        cmocka_unit_test(an_override_can_be_taken_back),
        cmocka_unit_test(more_than_three_overrides_are_refused),
        cmocka_unit_test(what_blocks_has_no_field_and_no_way_on),
        cmocka_unit_test(enter_does_nothing_until_the_phrase_fits),
        cmocka_unit_test(a_plan_that_expired_goes_back_to_the_checks),
        cmocka_unit_test(a_set_that_moved_goes_back_to_the_checks),
        cmocka_unit_test(back_goes_through_the_steps),
        cmocka_unit_test(q_hides_a_run_and_s_brings_it_back),
        cmocka_unit_test(the_stopped_time_moves_without_a_view),
        cmocka_unit_test(the_switch_of_another_is_shown_as_far_as_its_note_tells),
        cmocka_unit_test(what_is_not_proven_is_neither_stopped_nor_good),
        cmocka_unit_test(x_asks_for_the_undo_of_a_run_that_lives),
        cmocka_unit_test(an_end_is_said_where_the_page_is_hidden),
        cmocka_unit_test(a_run_of_another_hand_does_not_take_the_window),
        cmocka_unit_test(every_end_has_a_next_step),
        cmocka_unit_test(plain_text_has_a_line_for_a_run),
    };
    return cmocka_run_group_tests_name("switch", tests, NULL, NULL);
}
