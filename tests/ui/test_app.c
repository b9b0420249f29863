/* What keys do, and above all what they never do. */

#include "ui/fmt.h"
#include "world_kit.h"

static bool shows(struct world *w, const char *text)
{
    return shows_at(w, 24, 80, text);
}

static uint32_t next_random(uint32_t *x)
{
    *x = *x * 1664525U + 1013904223U;
    return *x >> 8;
}

static bool mutates(const struct fx *f)
{
    return f->prepares > 0 || f->commits > 0 || f->sandbox_acts > 0 ||
           (f->submits > 0 && f->last.kind <= MST_CMD_CANCEL);
}

static void a_million_lower_case_keys_change_nothing(void **state)
{
    static const int extra[] = {UI_KEY_UP,  UI_KEY_DOWN,  UI_KEY_LEFT, UI_KEY_RIGHT, UI_KEY_TAB,
                                UI_KEY_ESC, UI_KEY_ENTER, UI_KEY_PGUP, UI_KEY_END,   '/',
                                '-',        '[',          ']',         '3',          '4'};
    struct world w = with(fx_running());
    uint32_t seed = 4711;

    (void)state;
    for (int i = 0; i < 1000000; i++) {
        const uint32_t r = next_random(&seed);
        const int key = r % 3 ? 'a' + (int)(r % 26) : extra[r / 3 % MST_COUNT(extra)];

        ui_app_key(w.app, key, NULL);
        w.app->st.now_mono_ms += 45;
        assert_false(mutates(w.f));
        assert_false(w.app->quit);
        if (w.app->st.layer == UI_LAYER_DIALOG) {
            fail_msg("a dialog opened without an upper-case key");
        }
    }
    done(&w);
}

static void upper_case_keys_alone_change_nothing(void **state)
{
    struct world w = with(fx_running());

    (void)state;
    for (int round = 0; round < 50; round++) {
        for (int key = 'A'; key <= 'Z'; key++) {
            ui_app_key(w.app, key, NULL);
            fx_later(w.app, 500);
            assert_false(mutates(w.f));
        }
        fx_key(w.app, UI_KEY_ESC);
    }
    done(&w);
}

static void enter_held_down_never_starts_anything(void **state)
{
    static const char openers[] = "BRVXDK";
    struct world w = with(fx_running());

    (void)state;
    (void)mst_copy(w.f->info.sandbox_ctl, sizeof w.f->info.sandbox_ctl, "x");
    w.f->leavings.n = 1;
    for (int screen = '1'; screen <= '4'; screen++) {
        for (size_t i = 0; i + 1 < sizeof openers; i++) {
            ui_app_key(w.app, screen, NULL);
            ui_app_key(w.app, openers[i], NULL);
            for (int k = 0; k < 60; k++) {
                ui_app_key(w.app, UI_KEY_ENTER, NULL);
                fx_later(w.app, 33);
            }
            fx_key(w.app, UI_KEY_ESC);
            assert_false(mutates(w.f));
        }
    }
    done(&w);
}

static void a_pasted_script_does_nothing_outside_a_field(void **state)
{
    struct world w = with(fx_healthy());

    (void)state;
    ui_app_key(w.app, UI_KEY_PASTE, "B\rR\rQ\ry\n");
    assert_int_equal(w.app->st.layer, UI_LAYER_NONE);
    assert_false(w.app->quit);
    assert_true(shows(&w, "pasted text was ignored"));
    ui_app_key(w.app, ':', NULL);
    ui_app_key(w.app, UI_KEY_PASTE, "quit\nquit\n");
    assert_false(w.app->quit);
    assert_string_equal(w.app->st.input.text, "quit");
    done(&w);
}

static void a_dialog_is_dead_for_a_moment_after_it_opens(void **state)
{
    struct world w = with(fx_healthy());

    (void)state;
    ui_app_key(w.app, 'B', NULL);
    assert_true(w.app->flush_input);
    fx_later(w.app, 299);
    ui_app_key(w.app, UI_KEY_ESC, NULL);
    assert_int_equal(w.app->st.layer, UI_LAYER_DIALOG);
    fx_later(w.app, 2);
    ui_app_key(w.app, UI_KEY_ESC, NULL);
    assert_int_equal(w.app->st.layer, UI_LAYER_NONE);
    assert_true(shows(&w, "nothing was done"));
    done(&w);
}

static void a_backup_starts_with_what_the_fields_say(void **state)
{
    struct world w = with(fx_healthy());

    (void)state;
    ui_app_key(w.app, 'B', NULL);
    fx_later(w.app, 400);
    assert_true(shows(&w, "muster backup"));
    ui_form_focus(&w.app->st.dlg.form, 's');
    fx_key(w.app, ' ');
    fx_key(w.app, ' ');
    ui_form_focus(&w.app->st.dlg.form, 'x');
    fx_keys(w.app, "shop.events, shop.tmp*");
    ui_form_focus(&w.app->st.dlg.form, 'r');
    fx_keys(w.app, "50");
    assert_true(shows(&w, "--source db2:27017"));
    ui_form_focus(&w.app->st.dlg.form, 'g');
    fx_key(w.app, UI_KEY_ENTER);
    assert_int_equal(w.f->submits, 1);
    assert_int_equal(w.f->last.kind, MST_CMD_BACKUP);
    assert_string_equal(w.f->last.source, "db2:27017");
    assert_int_equal(w.f->last.n_exclude, 2);
    assert_string_equal(w.f->last.exclude[1], "shop.tmp*");
    assert_int_equal(w.f->last.rate_bps, 50 << 20);
    assert_int_equal(w.app->st.scr, UI_SCR_JOBS);
    assert_int_equal(w.app->st.job, 1044);
    done(&w);
}

static void a_wrong_field_is_named_and_nothing_starts(void **state)
{
    struct world w = with(fx_healthy());

    (void)state;
    ui_app_key(w.app, 'B', NULL);
    fx_later(w.app, 400);
    ui_form_focus(&w.app->st.dlg.form, 'c');
    fx_keys(w.app, "many");
    ui_form_focus(&w.app->st.dlg.form, 'g');
    fx_key(w.app, UI_KEY_ENTER);
    assert_int_equal(w.f->submits, 0);
    assert_true(shows(&w, "scans: a number from 1 to 16"));
    done(&w);
}

static void what_the_engine_refuses_stays_on_the_dialog(void **state)
{
    struct world w = with(fx_healthy());

    (void)state;
    w.f->fail = MST_E_PRECOND;
    ui_app_key(w.app, 'B', NULL);
    fx_later(w.app, 400);
    ui_form_focus(&w.app->st.dlg.form, 'g');
    fx_key(w.app, UI_KEY_ENTER);
    assert_int_equal(w.app->st.layer, UI_LAYER_DIALOG);
    assert_true(shows(&w, "the set moved: term 42"));
    done(&w);
}

static void to_review(struct world *w)
{
    ui_app_key(w->app, 'R', NULL);
    fx_later(w->app, 400);
    ui_form_focus(&w->app->st.dlg.form, 'n');
    fx_key(w->app, ' ');
    ui_form_focus(&w->app->st.dlg.form, 'g');
    fx_key(w->app, UI_KEY_ENTER);
    assert_int_equal(w->f->prepares, 1);
    assert_true(shows(w, "collecting the facts"));
    fx_plan(w->f, false);
    w->f->ticket_rc = MST_OK;
    fx_later(w->app, 10);
    assert_int_equal(w->app->st.dlg.step, UI_STEP_REVIEW);
    fx_later(w->app, 400);
}

static void press_go(struct world *w)
{
    ui_form_focus(&w->app->st.dlg.form, 'g');
    fx_key(w->app, UI_KEY_ENTER);
}

static void a_restore_runs_only_with_its_exact_phrase(void **state)
{
    static const char *const wrong[] = {"", "y", "rs0", "rs0 shop.orders ", "RS0 shop.orders"};
    struct world w = with(fx_healthy());

    (void)state;
    to_review(&w);
    assert_int_equal(w.f->last.dry_run, 0);
    for (size_t i = 0; i < MST_COUNT(wrong); i++) {
        ui_form_focus(&w.app->st.dlg.form, 'y');
        fx_key(w.app, UI_KEY_CTRL_U);
        fx_keys(w.app, wrong[i]);
        press_go(&w);
        assert_int_equal(w.f->commits, 0);
        assert_true(shows(&w, "not armed"));
    }
    ui_form_focus(&w.app->st.dlg.form, 'y');
    fx_key(w.app, UI_KEY_CTRL_U);
    fx_keys(w.app, "rs0 shop.orders");
    assert_true(shows(&w, "ARMED"));
    press_go(&w);
    assert_int_equal(w.f->commits, 1);
    assert_string_equal(w.f->typed, "rs0 shop.orders");
    assert_int_equal(w.f->frees, 1);
    assert_int_equal(w.app->st.job, 1045);
    done(&w);
}

static void an_expired_plan_is_not_run(void **state)
{
    struct world w = with(fx_healthy());

    (void)state;
    to_review(&w);
    ui_form_focus(&w.app->st.dlg.form, 'y');
    fx_keys(w.app, "rs0 shop.orders");
    fx_later(w.app, 121000);
    press_go(&w);
    assert_int_equal(w.f->commits, 0);
    assert_true(shows(&w, "expired"));
    done(&w);
}

static void a_refused_plan_has_no_button_to_run_it(void **state)
{
    struct world w = with(fx_healthy());

    (void)state;
    ui_app_key(w.app, 'R', NULL);
    fx_later(w.app, 400);
    press_go(&w);
    fx_plan(w.f, true);
    w.f->ticket_rc = MST_OK;
    fx_later(w.app, 400);
    assert_true(shows(&w, "REFUSE"));
    assert_null(ui_form_at(&w.app->st.dlg.form, 'g'));
    done(&w);
}

static void a_failed_plan_says_why(void **state)
{
    struct world w = with(fx_healthy());

    (void)state;
    ui_app_key(w.app, 'R', NULL);
    fx_later(w.app, 400);
    press_go(&w);
    w.f->ticket_rc = MST_E_NET;
    fx_later(w.app, 400);
    assert_true(shows(&w, "facts could not be collected"));
    done(&w);
}

static void a_password_in_a_target_is_refused(void **state)
{
    struct world w = with(fx_healthy());

    (void)state;
    ui_app_key(w.app, 'R', NULL);
    fx_later(w.app, 400);
    ui_form_focus(&w.app->st.dlg.form, 't');
    ui_app_key(w.app, UI_KEY_PASTE, "mongodb://root:hunter2@db9/");
    press_go(&w);
    assert_int_equal(w.f->prepares, 0);
    assert_true(shows(&w, "no password in a URI"));
    done(&w);
}

static void what_is_off_says_why(void **state)
{
    struct world w = with(fx_healthy());

    (void)state;
    w.f->info.read_only = true;
    ui_app_key(w.app, 'B', NULL);
    assert_int_equal(w.app->st.layer, UI_LAYER_NONE);
    assert_true(shows(&w, "backup: off, read-only session"));
    ui_app_key(w.app, 'X', NULL);
    assert_true(shows(&w, "cancel: off, there is no job"));
    ui_app_key(w.app, 'K', NULL);
    assert_true(shows(&w, "sandbox: off, this set is no sandbox"));
    ui_app_key(w.app, '5', NULL);
    assert_true(shows(&w, "screen 5 does not exist"));
    done(&w);
}

static void the_sandbox_menu_asks_the_sandbox(void **state)
{
    struct world w = with(fx_healthy());

    (void)state;
    (void)mst_copy(w.f->info.sandbox_ctl, sizeof w.f->info.sandbox_ctl, "x");
    ui_app_key(w.app, 'K', NULL);
    fx_later(w.app, 400);
    assert_true(shows(&w, "muster sandbox ctl kill db1:27017"));
    press_go(&w);
    assert_string_equal(w.f->sandbox_last, "kill db1:27017 ");
    ui_app_key(w.app, 'K', NULL);
    fx_later(w.app, 400);
    ui_form_focus(&w.app->st.dlg.form, 'v');
    for (int i = 0; i < 11; i++) {
        ui_app_key(w.app, ' ', NULL);
    }
    assert_true(shows(&w, "muster sandbox ctl disk db1:27017 full"));
    press_go(&w);
    assert_string_equal(w.f->sandbox_last, "disk db1:27017 full");
    ui_app_key(w.app, 'K', NULL);
    fx_later(w.app, 400);
    ui_form_focus(&w.app->st.dlg.form, 'v');
    fx_keys(w.app, "       "); /* kill start stop cont partition heal lag slow */
    press_go(&w);
    assert_true(shows(&w, "how much: say how many milliseconds"));
    ui_form_focus(&w.app->st.dlg.form, 'l');
    fx_keys(w.app, "500");
    assert_true(shows(&w, "muster sandbox ctl slow db1:27017 500"));
    press_go(&w);
    assert_string_equal(w.f->sandbox_last, "slow db1:27017 500");
    done(&w);
}

static void a_selection_follows_its_object(void **state)
{
    struct world w = with(fx_running());
    struct mst_job moved;

    (void)state;
    fx_keys(w.app, "3jj");
    assert_int_equal(w.app->st.job, 1041);
    moved = w.f->job[2];
    memmove(&w.f->job[1], &w.f->job[0], 2 * sizeof w.f->job[0]);
    w.f->job[0] = moved;
    assert_true(shows(&w, "Job 1041  verify"));
    fx_key(w.app, 'j');
    assert_int_equal(w.app->st.job, 1043);
    done(&w);
}

static void a_filter_shows_what_matches_and_escape_ends_it(void **state)
{
    struct world w = with(fx_running());

    (void)state;
    fx_keys(w.app, "3/fail");
    assert_true(shows(&w, "1 of 4"));
    fx_key(w.app, UI_KEY_ENTER);
    assert_true(shows(&w, "filter: fail"));
    fx_key(w.app, UI_KEY_ESC);
    assert_true(shows(&w, "4 of 4"));
    done(&w);
}

static void the_command_line_has_history_and_near_names(void **state)
{
    struct world w = with(fx_healthy());

    (void)state;
    fx_keys(w.app, ":jobs\r");
    assert_int_equal(w.app->st.scr, UI_SCR_JOBS);
    fx_keys(w.app, ":topolgy\r");
    assert_true(shows(&w, "did you mean 'topology'?"));
    fx_key(w.app, ':');
    fx_key(w.app, UI_KEY_UP);
    fx_key(w.app, UI_KEY_UP);
    assert_string_equal(w.app->st.input.text, "jobs");
    fx_key(w.app, UI_KEY_ESC);
    fx_keys(w.app, ":restore 2026-11-21T01-00-00Z-full\r");
    assert_int_equal(w.app->st.layer, UI_LAYER_DIALOG);
    assert_true(shows(&w, "2026-11-21T01-00-00Z-full"));
    done(&w);
}

static void back_goes_one_step_and_never_leaves(void **state)
{
    struct world w = with(fx_healthy());

    (void)state;
    fx_keys(w.app, "2z");
    fx_key(w.app, UI_KEY_ESC);
    assert_false(w.app->st.s[UI_SCR_TOPO].zoom);
    fx_key(w.app, 'q');
    assert_int_equal(w.app->st.scr, UI_SCR_DASH);
    for (int i = 0; i < 5; i++) {
        fx_key(w.app, 'q');
        fx_key(w.app, UI_KEY_ESC);
    }
    assert_false(w.app->quit);
    fx_key(w.app, 'Q');
    assert_true(w.app->quit);
    done(&w);
}

static void leaving_asks_when_a_job_would_die_with_this_process(void **state)
{
    struct world w = with(fx_running());

    (void)state;
    (void)mst_copy(w.f->info.agent, sizeof w.f->info.agent, "in this process");
    fx_key(w.app, 'Q');
    assert_false(w.app->quit);
    assert_true(shows(&w, "leaving cancels it"));
    fx_later(w.app, 400);
    press_go(&w);
    assert_true(w.app->quit);
    done(&w);
}

static void stale_facts_say_so(void **state)
{
    struct world w = with(fx_healthy());

    (void)state;
    assert_false(shows(&w, "STALE"));
    fx_later(w.app, 2000);
    assert_false(shows(&w, "STALE"));
    fx_later(w.app, 2000);
    assert_true(shows(&w, "STALE 4s old"));
    fx_later(w.app, 60000);
    assert_true(shows(&w, "STALE 64s old"));
    done(&w);
}

static void a_lost_agent_is_said_on_the_second_line(void **state)
{
    struct world w = with(fx_agent_lost());

    (void)state;
    assert_true(shows(&w, "AGENT LOST for 9s"));
    ui_app_key(w.app, 'B', NULL);
    assert_true(shows(&w, "the agent does not answer"));
    done(&w);
}

static void an_alert_takes_its_line_back(void **state)
{
    struct world w = with(fx_silent());

    (void)state;
    assert_true(shows(&w, "WARN db4:27017 no answer"));
    ui_app_key(w.app, 'B', NULL);
    fx_later(w.app, 400);
    fx_key(w.app, UI_KEY_ESC);
    assert_true(shows(&w, "left the dialog"));
    assert_null(strstr(w.app->st.msg, "no answer")); /* the events go on showing it */
    fx_later(w.app, 9000);
    assert_non_null(strstr(w.app->st.msg, "db4:27017 no answer"));
    fx_key(w.app, 'a');
    fx_later(w.app, 9000);
    assert_null(strstr(w.app->st.msg, "no answer"));
    done(&w);
}

static bool shows_tall(struct world *w, const char *text)
{
    char *s = fx_text(w->app, 50, 80, false);
    const bool found = strstr(s, text) != NULL;

    free(s);
    return found;
}

static void an_event_of_another_day_says_its_day_and_a_gap_is_marked(void **state)
{
    const int64_t two_days = 2LL * 24 * 3600 * 1000;
    struct world w = with(fx_healthy());
    struct mst_event *e = &w.f->events[0];
    char day[UI_NUM_MAX], line[64];

    (void)state;
    assert_true(w.f->topo.v.n_events > 0);
    (void)ui_fmt_day(fx_wall() - two_days, day);
    (void)snprintf(line, sizeof line, "%.15s ---- nobody watched", day);
    assert_false(shows_tall(&w, line));
    e->wall_ms = fx_wall() - two_days;
    e->kind = MST_EV_GAP;
    (void)mst_copy(e->text, sizeof e->text, "nobody watched from then to now");
    assert_true(shows_tall(&w, line));
    ui_app_key(w.app, '2', NULL);
    (void)snprintf(line, sizeof line, "%.12s nobody watched", day);
    assert_true(shows_tall(&w, line));
    done(&w);
}

static void what_ran_in_a_lost_agent_is_not_known(void **state)
{
    struct world w = with(fx_running());

    (void)state;
    ui_app_key(w.app, '3', NULL);
    assert_true(shows(&w, "~ 1042  backup   running"));
    w.f->info.agent_lost_ms = FX_MONO - 60000;
    assert_true(shows(&w, "? 1042  backup   not known"));
    assert_true(shows(&w, "00:05:58")); /* took 06:58 now: a minute of it nobody saw */
    assert_false(shows(&w, "ETA"));
    ui_app_key(w.app, '1', NULL);
    assert_true(shows(&w, "2 not known"));
    assert_false(shows(&w, "running"));
    done(&w);
}

static void another_agent_voids_a_plan_and_counts_messages_anew(void **state)
{
    struct world w = with(fx_healthy());
    int other;

    (void)state;
    to_review(&w);
    w.app->st.frozen = true;
    w.app->st.shown_seq = w.app->st.acked_seq = 1000;
    ui_app_engine(w.app, &other);
    assert_int_equal(w.app->st.layer, UI_LAYER_NONE);
    assert_int_equal(w.f->frees, 1);
    assert_ptr_equal(w.app->engine.arg, &other);
    assert_true(shows(&w, "nothing was done"));
    assert_false(w.app->st.frozen);
    w.f->msg[0].severity = MST_SEV_CRIT;
    ui_app_view(w.app, &w.f->v);
    assert_int_equal(ui_alerts(&(struct ui_ctx){&w.f->v, &w.app->st}), 1);
    w.app->engine.arg = w.f;
    done(&w);
}

static void an_error_stays_until_it_is_acknowledged(void **state)
{
    struct world w = with(fx_healthy());

    (void)state;
    ui_app_say(w.app, MST_SEV_CRIT, "backup failed: disk full");
    w.f->msg[1] = w.f->msg[0];
    w.f->msg[1].seq = 9;
    (void)mst_copy(w.f->msg[1].text, sizeof w.f->msg[1].text, "something calm");
    w.f->messages.n = 2;
    ui_app_view(w.app, &w.f->v);
    assert_true(shows(&w, "CRIT backup failed: disk full"));
    fx_key(w.app, 'a');
    assert_false(shows(&w, "CRIT backup failed"));
    done(&w);
}

static void a_sandbox_says_what_can_be_done_with_it(void **state)
{
    struct fx *f = fx_healthy();
    struct world w;

    (void)state;
    f->messages.n = 0;
    (void)mst_copy(f->info.set_class, sizeof f->info.set_class, "SANDBOX");
    w = with(f);
    assert_true(shows(&w, "a sandbox: K breaks it, B backs it up; at the end F moves its primary"));
    done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sandbox_says_what_can_be_done_with_it),
        cmocka_unit_test(a_million_lower_case_keys_change_nothing),
        cmocka_unit_test(upper_case_keys_alone_change_nothing),
        cmocka_unit_test(enter_held_down_never_starts_anything),
        cmocka_unit_test(a_pasted_script_does_nothing_outside_a_field),
        cmocka_unit_test(a_dialog_is_dead_for_a_moment_after_it_opens),
        cmocka_unit_test(a_backup_starts_with_what_the_fields_say),
        cmocka_unit_test(a_wrong_field_is_named_and_nothing_starts),
        cmocka_unit_test(what_the_engine_refuses_stays_on_the_dialog),
        cmocka_unit_test(a_restore_runs_only_with_its_exact_phrase),
        cmocka_unit_test(an_expired_plan_is_not_run),
        cmocka_unit_test(a_refused_plan_has_no_button_to_run_it),
        cmocka_unit_test(a_failed_plan_says_why),
        cmocka_unit_test(a_password_in_a_target_is_refused),
        cmocka_unit_test(what_is_off_says_why),
        cmocka_unit_test(the_sandbox_menu_asks_the_sandbox),
        cmocka_unit_test(a_selection_follows_its_object),
        cmocka_unit_test(a_filter_shows_what_matches_and_escape_ends_it),
        cmocka_unit_test(the_command_line_has_history_and_near_names),
        cmocka_unit_test(back_goes_one_step_and_never_leaves),
        cmocka_unit_test(leaving_asks_when_a_job_would_die_with_this_process),
        cmocka_unit_test(stale_facts_say_so),
        cmocka_unit_test(a_lost_agent_is_said_on_the_second_line),
        cmocka_unit_test(an_alert_takes_its_line_back),
        cmocka_unit_test(an_event_of_another_day_says_its_day_and_a_gap_is_marked),
        cmocka_unit_test(what_ran_in_a_lost_agent_is_not_known),
        cmocka_unit_test(another_agent_voids_a_plan_and_counts_messages_anew),
        cmocka_unit_test(an_error_stays_until_it_is_acknowledged),
    };
    return cmocka_run_group_tests_name("app", tests, NULL, NULL);
}
