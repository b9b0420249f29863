/* Golden screens: every scenario as text and as roles. UPDATE=1 writes them anew. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "fixture.h"
#include "test.h"
#include "ui/lines.h"

static const struct {
    const char *name;
    struct fx *(*make)(void);
    const char *keys; /* typed before the picture is taken */
} scenes[] = {
    {"dash-healthy", fx_healthy, ""},
    {"dash-starting", fx_starting, ""},
    {"dash-running", fx_running, ""},
    {"dash-election", fx_election, ""},
    {"dash-no-majority", fx_no_majority, ""},
    {"dash-silent", fx_silent, ""},
    {"dash-wrong-set", fx_wrong_set, ""},
    {"dash-auth", fx_auth, ""},
    {"dash-empty-bucket", fx_empty_bucket, ""},
    {"dash-no-escrow", fx_s3, ""},
    {"dash-no-store", fx_no_store, ""},
    {"dash-store-gone", fx_store_gone, ""},
    {"dash-store-unread", fx_store_unread, ""},
    {"dash-agent-lost", fx_agent_lost, ""},
    {"dash-many", fx_many, ""},
    {"dash-hostile", fx_hostile, ""},
    {"topo-healthy", fx_healthy, "2"},
    {"topo-tree", fx_healthy, "2v"},
    {"topo-election", fx_election, "2"},
    {"topo-no-majority", fx_no_majority, "2"},
    {"topo-silent", fx_silent, "2jjj"},
    {"topo-auth", fx_auth, "2"},
    {"topo-many", fx_many, "2jjjjjjjjjjjjjjjjj"},
    {"topo-hostile", fx_hostile, "2"},
    {"jobs-running", fx_running, "3j"},
    {"jobs-failed", fx_running, "3jj"},
    {"jobs-none", fx_healthy, "3"},
    {"bucket", fx_healthy, "4"},
    {"bucket-damaged", fx_healthy, "4jj"},
    {"bucket-empty", fx_empty_bucket, "4"},
    {"bucket-none", fx_no_store, "4"},
    {"bucket-gone", fx_store_gone, "4"},
    {"bucket-unread", fx_store_unread, "4"},
    {"bucket-many", fx_many, "4"},
    {"bucket-objects", fx_many, "4v"},
    {"bucket-hostile", fx_hostile, "4"},
    {"bucket-copies", fx_copies, "4j"},
    {"bucket-s3", fx_s3, "4"},
    {"bucket-s3-objects", fx_s3, "4v"},
    {"bucket-s3-store", fx_s3, "4\t\t\tz"},
    {"bucket-s3-unknown", fx_s3_unknown, "4"},
    {"bucket-one-dead", fx_one_dead, "4"},
    {"bucket-dead", fx_one_dead, "4>"},
    {"bucket-held", fx_held, "4"},
    {"dialog-copy", fx_copies, "4%"},
    {"dialog-hold", fx_held, "4H"},
    {"dialog-test", fx_copies, "4>T"},
    {"dash-one-dead", fx_one_dead, ""},
    {"help", fx_healthy, "3?"},
    {"messages", fx_silent, "m"},
    {"menu", fx_healthy, "."},
    {"menu-sandbox", fx_many, "4."},
    {"prompt", fx_healthy, ":re\t"},
    {"dialog-backup", fx_healthy, "B"},
    {"dialog-restore", fx_healthy, "4R"},
    {"dialog-verify", fx_healthy, "4V"},
    {"dialog-cancel", fx_running, "3jX"},
    {"dialog-discard", fx_many, "4D"},
    {"dialog-sandbox", fx_healthy, "K"},
    {"restore-wait", fx_healthy, "W"},
    {"restore-review", fx_healthy, "Y"},
    {"restore-refused", fx_healthy, "Z"},
    {"switch-choose", fx_healthy, "2jF"},
    {"switch-checks", fx_healthy, "C"},
    {"switch-blocked", fx_healthy, "E"},
    {"switch-plan", fx_healthy, "P"},
    {"switch-confirm", fx_healthy, "N"},
    {"run-stopped", fx_switch_stopped, ""},
    {"run-undo", fx_switch_stopped, "X"},
    {"run-hidden", fx_switch_stopped, "q"},
    {"run-foreign", fx_switch_foreign, "s"},
    {"run-done", fx_switch_done, "s"},
    {"run-undone", fx_switch_undone, "s"},
    {"run-refused", fx_switch_refused, "J"},
    {"jobs-switch", fx_switch_done, "3j"},
};

static const struct {
    int rows, cols;
    bool ascii;
} sizes[] = {{24, 80, false}, {40, 120, false}, {60, 200, false}, {12, 60, false}, {24, 80, true}};

/* The restore dialog up to its review; the fixture's plan arrives. */
static void to_review(struct fx *f, struct ui_app *app, char how)
{
    ui_app_key(app, 'R', NULL);
    fx_later(app, 400);
    ui_form_focus(&app->st.dlg.form, 'i');
    fx_keys(app, "shop.orders");
    ui_form_focus(&app->st.dlg.form, 'n');
    fx_key(app, ' ');
    ui_form_focus(&app->st.dlg.form, 'g');
    fx_key(app, UI_KEY_ENTER);
    if (how != 'W') {
        fx_plan(f, how == 'Z');
        f->ticket_rc = MST_OK;
        fx_later(app, 400);
    }
}

static void to_switch(struct fx *f, struct ui_app *app, char how)
{
    switch (how) {
    case 'P':
        fx_to_plan(f, app);
        break;
    case 'N':
        fx_to_confirm(f, app);
        break;
    case 'J': /* committed; the run ended before it was one */
        app->st.run_page = true;
        app->st.run_job = f->job[1].id;
        break;
    default:
        fx_to_checks(f, app, how == 'E');
        break;
    }
}

static void play(struct fx *f, struct ui_app *app, const char *keys)
{
    for (; *keys; keys++) {
        if (strchr("WYZ", *keys)) {
            to_review(f, app, *keys);
        } else if (strchr("CEPNJ", *keys)) {
            to_switch(f, app, *keys);
        } else {
            ui_app_key(app, *keys == '%' ? 'C' : (unsigned char)*keys, NULL);
        }
    }
    ui_app_tick(app, FX_MONO, fx_wall());
}

static void picture(struct ui_app *app, size_t size, struct mst_str *out)
{
    struct ui_canvas cv;

    ui_canvas_init(&cv, sizes[size].rows, sizes[size].cols, sizes[size].ascii);
    ui_app_draw(app, &cv);
    ui_canvas_text(&cv, out);
    if (!sizes[size].ascii) {
        mst_str_addf(out, "--- roles, cursor %d %d\n", cv.cur_y, cv.cur_x);
        ui_canvas_roles(&cv, out);
    }
    ui_canvas_release(&cv);
}

static void compare(const char *path, const struct mst_str *got)
{
    struct mst_buf want = {0};
    struct mst_err err = {0};

    if (getenv("UPDATE")) {
        assert_ok(mst_file_replace(path, 0644, mst_str_c(got), got->len, &err), &err);
        return;
    }
    assert_ok(mst_file_read(path, 1 << 20, &want, &err), &err);
    if (want.len != got->len || memcmp(want.p, mst_str_c(got), got->len) != 0) {
        mst_buf_release(&want);
        fail_msg("%s differs; now it is (UPDATE=1 accepts it):\n%s", path, mst_str_c(got));
    }
    mst_buf_release(&want);
}

static void every_screen_is_as_it_was_agreed(void **state)
{
    (void)state;
    for (size_t i = 0; i < MST_COUNT(scenes); i++) {
        struct fx *f = scenes[i].make();
        struct ui_app *app = mst_xcalloc(1, sizeof *app);

        if (strcmp(scenes[i].name, "dialog-sandbox") == 0 ||
            strcmp(scenes[i].name, "menu-sandbox") == 0) {
            (void)mst_copy(f->info.sandbox_ctl, sizeof f->info.sandbox_ctl, "/run/sandbox.sock");
            (void)mst_copy(f->info.set_class, sizeof f->info.set_class, "SANDBOX");
        }
        fx_app(f, app);
        play(f, app, scenes[i].keys);
        for (size_t s = 0; s < MST_COUNT(sizes); s++) {
            struct mst_str out = {0};
            char path[300];

            picture(app, s, &out);
            (void)snprintf(path, sizeof path, TEST_SOURCE "/tests/data/screens/%s-%dx%d%s.txt",
                           scenes[i].name, sizes[s].cols, sizes[s].rows,
                           sizes[s].ascii ? "-ascii" : "");
            compare(path, &out);
            mst_str_release(&out);
        }
        ui_app_release(app);
        free(app);
        fx_free(f);
    }
}

/* Nothing that a field holds reaches the screen as a control, and no row is longer than asked. */
static void check_safe(const struct ui_canvas *cv)
{
    for (size_t i = 0; i < (size_t)cv->rows * (size_t)cv->cols; i++) {
        const unsigned char *s = (const unsigned char *)cv->cells[i].ch;

        for (; *s; s++) {
            assert_true(*s >= 0x20 && *s != 0x7f);
            assert_false(cv->ascii && *s > 0x7e);
            assert_false(s[0] == 0xc2 && s[1] < 0xa0); /* C1 */
            assert_false(s[0] == 0xe2 && s[1] == 0x80 && s[2] >= 0xa8 && s[2] <= 0xae);
            assert_false(s[0] == 0xe2 && s[1] == 0x80 && s[2] >= 0x8b && s[2] <= 0x8f);
        }
    }
}

static void every_screen_draws_at_every_size(void **state)
{
    struct ui_canvas cv;

    (void)state;
    ui_canvas_init(&cv, 1, 1, false);
    for (size_t i = 0; i < MST_COUNT(scenes); i++) {
        struct fx *f = scenes[i].make();
        struct ui_app *app = mst_xcalloc(1, sizeof *app);

        (void)mst_copy(f->info.sandbox_ctl, sizeof f->info.sandbox_ctl, "x");
        fx_app(f, app);
        play(f, app, scenes[i].keys);
        for (int rows = 1; rows <= 60; rows += rows < 12 ? 1 : rows < 26 ? 3 : 11) {
            for (int cols = 1; cols <= 200; cols += cols < 14 ? 1 : cols < 84 ? 9 : 31) {
                cv.ascii = (rows + cols) % 2 == 0;
                ui_canvas_size(&cv, rows, cols);
                for (int pane = 0; pane < UI_PANES; pane++) {
                    struct ui_scr_state *ss = &app->st.s[app->st.scr];

                    ss->pane = (size_t)pane < ui_screen_of(app->st.scr)->n_panes ? pane : 0;
                    ss->zoom = pane % 2 == 1;
                    ss->top[ss->pane] = pane * 3;
                    ui_app_draw(app, &cv);
                    check_safe(&cv);
                }
            }
        }
        ui_app_release(app);
        free(app);
        fx_free(f);
    }
    ui_canvas_release(&cv);
}

static void line_mode_says_the_facts_in_plain_text(void **state)
{
    struct fx *f = fx_election();
    struct mst_str s = {0};

    (void)state;
    ui_lines_text(&f->v, FX_MONO, fx_wall(), &s);
    assert_non_null(strstr(mst_str_c(&s), "NO PRIMARY"));
    assert_non_null(strstr(mst_str_c(&s), "db1:27017"));
    assert_non_null(strstr(mst_str_c(&s), "connection refused"));
    for (const char *p = mst_str_c(&s); *p; p++) {
        assert_true(*p == '\n' || (*p >= 0x20 && *p < 0x7f));
    }
    mst_str_release(&s);
    fx_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_screen_is_as_it_was_agreed),
        cmocka_unit_test(every_screen_draws_at_every_size),
        cmocka_unit_test(line_mode_says_the_facts_in_plain_text),
    };
    return cmocka_run_group_tests_name("screens", tests, NULL, NULL);
}
