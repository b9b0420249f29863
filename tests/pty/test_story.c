/* The tour of a newcomer, by keyboard only, on a sandbox of its own, in a small and in a large
 * window: see the set, kill its primary, back it up, look into the bucket, verify, lose a
 * collection, get it back, throw away what the restore kept. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "console_pty.h"
#include "test.h"

#define WAIT 60000
#define BRIEF 15000

struct place {
    char dir[64], dir_env[96], sandbox_dir[96], conf[128];
    struct pty sandbox;
};

/* Runs a program to its end. */
static void run(const struct place *at, const char *const *argv)
{
    const char *const env[] = {at->dir_env, "ASAN_OPTIONS=detect_leaks=0", NULL};
    struct pty p;

    pty_start(&p, 24, 120, argv, env);
    (void)pty_wait_exit(&p, BRIEF);
    pty_end(&p);
}

static int place_made(void **state)
{
    struct place *at = mst_xcalloc(1, sizeof *at);
    const char *const env[] = {at->dir_env, "ASAN_OPTIONS=detect_leaks=0", NULL};
    /* A client that writes in the moment between the two renames of a swap makes a collection of
     * its own there, and the restore says so: one write a second leaves that to its own tests. */
    const char *const argv[] = {TEST_MUSTER, "sandbox",   "start", "--fast",        "--rate", "1",
                                "--fill",    "4000000,2", "--dir", at->sandbox_dir, NULL};

    (void)mst_copy(at->dir, sizeof at->dir, "/tmp/muster-story-XXXXXX");
    if (!mkdtemp(at->dir)) {
        free(at);
        return -1;
    }
    (void)snprintf(at->dir_env, sizeof at->dir_env, "MUSTER_DIR=%s", at->dir);
    (void)snprintf(at->sandbox_dir, sizeof at->sandbox_dir, "%s/sandbox", at->dir);
    (void)snprintf(at->conf, sizeof at->conf, "%s/muster.conf", at->sandbox_dir);
    pty_start(&at->sandbox, 24, 120, argv, env);
    *state = at;
    return pty_wait(&at->sandbox, "muster.conf", WAIT) ? 0 : -1;
}

static int place_gone(void **state)
{
    struct place *at = *state;
    const char *const stop[] = {TEST_MUSTER, "--config", at->conf, "agent", "stop", NULL};
    const char *const rm[] = {"/bin/rm", "-rf", at->dir, NULL};

    run(at, stop);
    if (!at->sandbox.ended) {
        (void)kill(at->sandbox.pid, SIGTERM);
        (void)pty_wait_exit(&at->sandbox, BRIEF);
    }
    pty_end(&at->sandbox);
    run(at, rm);
    free(at);
    return 0;
}

/* Opens a dialog by its key and lets the moment pass in which it takes no key. */
static void open_dialog(struct pty *p, const char *key, const char *title)
{
    pty_send(p, key);
    pty_assert(p, pty_wait(p, title, WAIT));
    pty_pump(p, 400);
}

static void press(struct pty *p, const char *button)
{
    pty_assert(p, pty_focus(p, button, WAIT));
    pty_send(p, "\r");
}

static void to_screen(struct pty *p, const char *key, const char *tab)
{
    pty_send(p, key);
    pty_assert(p, pty_wait(p, tab, WAIT));
}

static void see(struct pty *p)
{
    pty_assert(p, pty_wait(p, "HEALTHY", WAIT));
    pty_assert(p, pty_wait(p, "votes 3/3, need 2", WAIT));
    pty_assert(p, pty_wait(p, "K sandbox..", BRIEF));
    to_screen(p, "2", "<2Topo>");
    pty_assert(p, pty_wait(p, "K sandbox..", BRIEF));
    to_screen(p, "1", "<1Dash>");
}

static void kill_the_primary(struct pty *p)
{
    open_dialog(p, "K", "Sandbox: break something");
    pty_assert(p, pty_wait(p, "--dir", BRIEF));
    press(p, "[>Do it<]");
    pty_assert(p, pty_wait_gone(p, "[ Cancel ]", BRIEF));
    pty_assert(p, pty_wait(p, "DOWN", WAIT));
    pty_assert(p, pty_wait(p, "term 2", WAIT));
    pty_assert(p, pty_wait(p, "votes 2/3", WAIT));
    pty_assert(p, pty_wait(p, "is primary in term 2", WAIT)); /* who won, among the events */
}

static void back_up(struct pty *p)
{
    open_dialog(p, "B", "Backup");
    pty_assert(p, pty_focus(p, ">rate MiB/s", WAIT));
    pty_send(p, "1");
    press(p, "[>Start backup<]");
    pty_assert(p, pty_wait(p, "<3Jobs>", WAIT));
    pty_assert(p, pty_wait(p, "ETA 00:00:0", WAIT)); /* while it runs */
    pty_assert(p, pty_wait(p, "100%", WAIT));
    pty_assert(p, pty_wait(p, "COMPLETE", WAIT));
}

static void look_into_the_bucket(struct pty *p)
{
    to_screen(p, "4", "<4Bucket>");
    pty_assert(p, pty_wait(p, "never: V reads it back", WAIT));
    pty_send(p, "\r");
    pty_assert(p, pty_wait(p, "shop.customers", WAIT));
    pty_send(p, "v");
    pty_assert(p, pty_wait(p, "Objects", WAIT));
    pty_send(p, "z"); /* the pane alone */
    pty_assert(p, pty_wait(p, "COMMIT", WAIT));
    pty_send(p, "z");
    pty_assert(p, pty_wait(p, "state of", WAIT));
    pty_send(p, "v");
    pty_assert(p, pty_wait(p, "shop.customers", WAIT));
}

static void verify(struct pty *p)
{
    open_dialog(p, "V", "Verify a backup");
    press(p, "[>Verify<]");
    pty_assert(p, pty_wait(p, "read back whole", WAIT));
    to_screen(p, "4", "<4Bucket>");
    pty_assert(p, pty_wait(p, "ok ", WAIT));
}

/* The act that the dialog shows: the word between its arrows. */
static void act_shown(struct pty *p, char out[32])
{
    static const char lead[] = "act         < ";
    char *s = pty_text(p);
    const char *at = strstr(s, lead);

    (void)snprintf(out, 32, "%.*s", at ? (int)strcspn(at + sizeof lead - 1, " ") : 0,
                   at ? at + sizeof lead - 1 : "");
    free(s);
}

/* Which act stands first depends on who is down: one key at a time, and its effect is waited for.
 */
static void choose_act(struct pty *p, const char *word)
{
    char was[32], now[32];

    act_shown(p, was);
    for (int i = 0; i < 40 && strcmp(was, word) != 0; i++) {
        pty_send(p, "\033[D");
        for (int k = 0; k < 150; k++) { /* a key of the first moment is dropped: 3 s */
            pty_pump(p, 20);
            act_shown(p, now);
            if (now[0] && strcmp(now, was) != 0) {
                break;
            }
        }
        (void)snprintf(was, sizeof was, "%s", now);
    }
    pty_assert(p, strcmp(was, word) == 0);
}

static void drop_a_collection(struct pty *p)
{
    open_dialog(p, "K", "Sandbox: break something");
    pty_assert(p, pty_focus(p, ">act", WAIT));
    choose_act(p, "drop");
    pty_assert(p, pty_focus(p, ">collection", WAIT));
    pty_send(p, "shop.customers");
    pty_assert(p, pty_wait(p, "[shop.customers", BRIEF));
    press(p, "[>Do it<]");
    pty_assert(p, pty_wait(p, "sandbox drop: ", WAIT));
}

/* The phrase stands on the screen: "type: PHRASE   not armed". */
static void type_phrase(struct pty *p)
{
    char *s, *at, *end;

    pty_assert(p, pty_wait(p, "   not armed", WAIT));
    s = pty_text(p);
    at = strstr(s, "type: ");
    end = at ? strstr(at, "   not armed") : NULL;
    assert_non_null(end);
    *end = '\0';
    pty_assert(p, pty_focus(p, ">phrase", WAIT));
    pty_send(p, at + 6);
    free(s);
    pty_assert(p, pty_wait(p, "   ARMED", WAIT));
}

static void restore(struct pty *p)
{
    open_dialog(p, "R", "Nothing is changed before the review");
    pty_assert(p, pty_focus(p, ">dry run", WAIT));
    pty_send(p, " ");
    pty_assert(p, pty_wait(p, "dry run     [ ]", WAIT));
    press(p, "[>Review<]");
    pty_assert(p, pty_wait(p, "ASKS FOR A PHRASE", WAIT));
    pty_pump(p, 400);
    press(p, "[>Restore<]"); /* nothing is typed yet */
    pty_assert(p, pty_wait(p, "not armed: type exactly", WAIT));
    type_phrase(p);
    press(p, "[>Restore<]");
    pty_assert(p, pty_wait(p, "kept as", WAIT));
    pty_assert(p, pty_wait(p, "restore  done", WAIT));
}

static void discard(struct pty *p)
{
    to_screen(p, "4", "<4Bucket>");
    pty_assert(p, pty_wait(p, "Kept aside", WAIT));
    open_dialog(p, "D", "Discard what was kept aside");
    press(p, "[>Review<]");
    pty_assert(p, pty_wait(p, "ASKS FOR A PHRASE", WAIT));
    pty_assert(p, pty_wait(p, ", once ", WAIT)); /* what it was called */
    pty_pump(p, 400);
    type_phrase(p);
    press(p, "[>Discard<]");
    pty_assert(p, pty_wait(p, "discard  done", WAIT));
    to_screen(p, "4", "<4Bucket>");
    pty_assert(p, pty_wait_gone(p, "Kept aside", WAIT));
}

static void tell(struct place *at, int rows, int cols)
{
    const char *const argv[] = {TEST_MUSTER, "--config", at->conf, "console", NULL};
    const char *const env[] = {at->dir_env, "TERM=xterm-256color",         "LC_ALL=C.UTF-8",
                               "NO_COLOR",  "ASAN_OPTIONS=detect_leaks=0", NULL};
    static void (*const chapters[])(struct pty *) = {
        see,    kill_the_primary,  back_up, look_into_the_bucket,
        verify, drop_a_collection, restore, discard};
    struct pty p;

    pty_start(&p, rows, cols, argv, env);
    for (size_t i = 0; i < MST_COUNT(chapters); i++) {
        chapters[i](&p);
    }
    pty_send(&p, "Q");
    pty_assert(&p, pty_wait_exit(&p, WAIT));
    pty_end(&p);
}

static void the_story_is_told_at_80x24(void **state)
{
    tell(*state, 24, 80);
}

static void the_story_is_told_at_120x40(void **state)
{
    tell(*state, 40, 120);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_story_is_told_at_80x24, place_made, place_gone),
        cmocka_unit_test_setup_teardown(the_story_is_told_at_120x40, place_made, place_gone),
    };
    return cmocka_run_group_tests_name("story", tests, NULL, NULL);
}
