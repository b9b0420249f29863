/* Lists: their order, their selection, copies of it; and the hints of the last line. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "world_kit.h"

static bool shows(struct world *w, const char *text)
{
    return shows_at(w, 24, 80, text);
}

static void the_sandbox_is_named_on_every_screen(void **state)
{
    struct world w = with(fx_healthy());

    (void)state;
    for (int screen = '1'; screen <= '4'; screen++) {
        w.f->info.sandbox_ctl[0] = '\0';
        ui_app_key(w.app, screen, NULL);
        assert_false(shows(&w, "K sandbox.."));
        (void)mst_copy(w.f->info.sandbox_ctl, sizeof w.f->info.sandbox_ctl, "/tmp/s/ctl.sock");
        assert_true(shows(&w, "K sandbox.."));
    }
    ui_app_key(w.app, 'K', NULL);
    fx_later(w.app, 400);
    assert_true(shows(&w, "muster sandbox ctl --dir /tmp/s kill db1:27017"));
    done(&w);
}

static void y_in_a_dialog_copies_its_command(void **state)
{
    struct world w = with(fx_healthy());

    (void)state;
    fx_keys(w.app, "B");
    fx_later(w.app, 400);
    fx_key(w.app, 'y'); /* the focus is on a button */
    assert_non_null(strstr(w.app->copy_wanted, "muster backup"));
    w.app->copy_wanted[0] = '\0';
    ui_form_focus(&w.app->st.dlg.form, 'i');
    fx_key(w.app, 'y'); /* text */
    assert_string_equal(w.app->copy_wanted, "");
    assert_string_equal(ui_form_get(&w.app->st.dlg.form, 'i')->line.text, "y");
    done(&w);
}

static void y_copies_what_is_selected(void **state)
{
    struct world w = with(fx_running());

    (void)state;
    fx_keys(w.app, "2jy");
    assert_string_equal(w.app->copy_wanted, "db2:27017");
    fx_keys(w.app, "4jy");
    assert_string_equal(w.app->copy_wanted, "2026-11-21T01-00-00Z-full");
    fx_keys(w.app, "3jjy");
    assert_non_null(strstr(w.app->copy_wanted, "wrong SHA-256"));
    done(&w);
}

/* The arrow stands in the head, the order is the column's, and the selection stays on its row. */
static void a_list_is_sorted_by_its_columns(void **state)
{
    struct world w = with(fx_healthy());
    char *s;

    (void)state;
    fx_keys(w.app, "2j");
    assert_string_equal(w.app->st.member, "db2:27017");
    fx_keys(w.app, "o");
    s = fx_text(w.app, 24, 80, false);
    assert_non_null(strstr(s, "lagv"));
    assert_true(strstr(s, "db3:27017  ") < strstr(s, "db4:27017  ")); /* 0.9, 0.4, 0.3 s */
    assert_true(strstr(s, "db4:27017  ") < strstr(s, "db2:27017  "));
    free(s);
    fx_keys(w.app, "O");
    s = fx_text(w.app, 24, 80, false);
    assert_non_null(strstr(s, "lag^"));
    assert_true(strstr(s, "db2:27017  ") < strstr(s, "db3:27017  "));
    free(s);
    assert_string_equal(w.app->st.member, "db2:27017");
    fx_keys(w.app, "n");
    assert_string_equal(w.app->st.member, "db4:27017");
    fx_keys(w.app, "N");
    assert_string_equal(w.app->st.member, "db2:27017");
    for (int i = 0; i < 6; i++) {
        fx_keys(w.app, "o");
    }
    assert_int_equal(w.app->st.s[UI_SCR_TOPO].sort, 0); /* and back to the order as it comes */
    assert_true(shows(&w, "not sorted"));
    fx_keys(w.app, "vo");
    assert_true(shows(&w, "the tree keeps its own order"));
    done(&w);
}

/* Members come and go by a reconfig: what is selected stays, or the list has a first row. */
static void a_selection_survives_members_that_change(void **state)
{
    struct world w = with(fx_healthy());
    struct mst_topo_view *v = &w.f->topo.v;
    const size_t n = v->n;
    struct mst_topo_member gone;

    (void)state;
    fx_keys(w.app, "2jj");
    assert_string_equal(w.app->st.member, "db3:27017");
    gone = w.f->members[0];
    memmove(&w.f->members[0], &w.f->members[1], (n - 1) * sizeof gone);
    v->n = n - 1;
    v->primary = -1;
    assert_true(shows(&w, "\xe2\x94\x8c\xe2\x94\x80 db3:27017"));
    memmove(&w.f->members[1], &w.f->members[2], (n - 3) * sizeof gone); /* db3 leaves */
    v->n = n - 2;
    assert_true(shows(&w, "\xe2\x94\x8c\xe2\x94\x80 db2:27017"));
    fx_keys(w.app, "j");
    assert_string_equal(w.app->st.member, "db4:27017");
    v->n = 0;
    fx_keys(w.app, "jkGg\r");
    assert_true(shows(&w, "no member"));
    v->n = n - 2;
    assert_true(shows(&w, "\xe2\x94\x8c\xe2\x94\x80 db4:27017"));
    done(&w);
}

static void what_nobody_read_is_not_said_to_be_nothing(void **state)
{
    struct world w = with(fx_many());

    (void)state;
    w.f->backups[0].state = MST_BK_INCOMPLETE;
    w.f->backups[0].finished_wall_ms = w.f->backups[0].verified_wall_ms = 0;
    w.f->backups[0].documents = w.f->backups[0].data_bytes = 0;
    ui_app_key(w.app, '4', NULL);
    assert_true(shows(&w, "holds      not known"));
    assert_false(shows(&w, "0 documents"));
    assert_false(shows(&w, "UNSEALED"));
    done(&w);
}

static void a_filter_takes_the_selection_along(void **state)
{
    struct world w = with(fx_running());

    (void)state;
    ui_app_key(w.app, '3', NULL);
    fx_keys(w.app, "/1041");
    fx_key(w.app, UI_KEY_ENTER);
    ui_app_key(w.app, 'X', NULL);
    assert_true(
        shows(&w, "the selected job has ended")); /* 1041, not the queued one out of sight */
    done(&w);
}

static void what_has_no_list_says_that_it_is_not_filtered(void **state)
{
    struct world w = with(fx_healthy());

    (void)state;
    fx_keys(w.app, ":filter db1");
    fx_key(w.app, UI_KEY_ENTER);
    assert_true(shows(&w, "Overview has no list to filter"));
    fx_keys(w.app, ":hints maybe");
    fx_key(w.app, UI_KEY_ENTER);
    assert_true(shows(&w, "hints: on or off"));
    done(&w);
}

/* What a shell makes of a line: its words, one a line. */
static char *words_of(const char *line)
{
    const char *const script = "muster() { for w in \"$@\"; do printf '<%s>' \"$w\"; done; }; ";
    char *all = mst_xasprintf("%s%s", script, line);
    char out[4096] = "";
    size_t n = 0;
    ssize_t got;
    int fds[2];
    pid_t pid;

    assert_int_equal(pipe(fds), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)dup2(fds[1], 1);
        (void)execl("/bin/sh", "sh", "-c", all, (char *)NULL);
        _exit(127);
    }
    (void)close(fds[1]);
    while ((got = read(fds[0], out + n, sizeof out - 1 - n)) > 0) {
        n += (size_t)got;
    }
    out[n] = '\0';
    (void)close(fds[0]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    free(all);
    return mst_xstrdup(out);
}

static void a_command_is_what_a_shell_makes_of_it(void **state)
{
    struct world w = with(fx_healthy());
    char *words;

    (void)state;
    (void)mst_copy(w.app->st.lead, sizeof w.app->st.lead,
                   "muster --config '/srv/it'\\''s/a b.conf'");
    ui_app_key(w.app, 'R', NULL);
    fx_later(w.app, 400);
    ui_form_focus(&w.app->st.dlg.form, 'i');
    fx_keys(w.app, "shop.*");
    ui_form_focus(&w.app->st.dlg.form, 'w');
    fx_keys(w.app, "it's $(reboot) `x` \"q\" \\ ; & | #9");
    ui_form_focus(&w.app->st.dlg.form, '0');
    fx_key(w.app, 'y');
    words = words_of(w.app->copy_wanted);
    assert_string_equal(words, "<--config></srv/it's/a b.conf><restore><2026-11-22T01-00-00Z-full>"
                               "<--include><shop.*><--dry-run><--reason>"
                               "<it's $(reboot) `x` \"q\" \\ ; & | #9>");
    free(words);
    done(&w);
}

/* Too long to be shown whole: the words that are there are whole, and the last one stops it. */
static void a_command_without_room_is_no_other_command(void **state)
{
    struct mst_cmd cmd = {.kind = MST_CMD_BACKUP};
    char out[200];

    (void)state;
    for (; cmd.n_include < MST_CMD_PATTERNS; cmd.n_include++) {
        (void)snprintf(cmd.include[cmd.n_include], sizeof cmd.include[0],
                       "shop_with_a_long_name.%zu", cmd.n_include);
    }
    mst_cmd_line(&cmd, out, sizeof out);
    assert_true(strlen(out) > 100);
    assert_string_equal(out + strlen(out) - 4, " ...");
    assert_non_null(strstr(out, "--include shop_with_a_long_name.0 --include"));
}

static void what_a_dead_run_left_is_cleaned_not_discarded(void **state)
{
    struct world w = with(fx_many());

    (void)state;
    ui_app_key(w.app, '4', NULL);
    ui_app_key(w.app, 'D', NULL);
    fx_later(w.app, 400);
    ui_form_focus(&w.app->st.dlg.form, 'd');
    for (size_t i = 0; i < w.f->leavings.n; i++) {
        const struct mst_leaving_line *l = &w.f->leavings.items[i];
        char want[160];

        (void)snprintf(want, sizeof want, "muster %s %s",
                       l->by_restore ? "restore discard" : "clean", l->id);
        assert_true(shows(&w, want));
        fx_key(w.app, ' ');
    }
    done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_nobody_read_is_not_said_to_be_nothing),
        cmocka_unit_test(a_filter_takes_the_selection_along),
        cmocka_unit_test(what_has_no_list_says_that_it_is_not_filtered),
        cmocka_unit_test(a_command_is_what_a_shell_makes_of_it),
        cmocka_unit_test(a_command_without_room_is_no_other_command),
        cmocka_unit_test(what_a_dead_run_left_is_cleaned_not_discarded),
        cmocka_unit_test(the_sandbox_is_named_on_every_screen),
        cmocka_unit_test(y_in_a_dialog_copies_its_command),
        cmocka_unit_test(y_copies_what_is_selected),
        cmocka_unit_test(a_list_is_sorted_by_its_columns),
        cmocka_unit_test(a_selection_survives_members_that_change),
    };
    return cmocka_run_group_tests_name("lists", tests, NULL, NULL);
}
