/* The console on a live sandbox: the set is seen, its primary killed from the menu, the election
 * watched, and what that costs in bytes. test_story.c tells the rest. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "sandbox_pty.h"

#define WAIT 40000

static int sandbox_up(void **state)
{
    (void)state;
    return sandbox_start("live", WAIT);
}

static void start(struct pty *p, int rows, int cols)
{
    open_console(p, rows, cols);
    pty_assert(p, pty_wait(p, "HEALTHY", WAIT));
    pty_assert(p, pty_wait(p, "? help  . menu", WAIT));
}

/* Opens a dialog, lets its dead time pass, goes to a button and presses it. */
static void confirm(struct pty *p, const char *opener, const char *title, const char *button)
{
    pty_send(p, opener);
    pty_assert(p, pty_wait(p, title, WAIT));
    pty_pump(p, 450);
    pty_assert(p, pty_focus(p, button, WAIT));
    pty_send(p, "\r");
    pty_assert(p, pty_wait_gone(p, "[ Cancel ]", WAIT));
}

static void the_set_is_seen_with_every_member(void **state)
{
    struct pty p;

    (void)state;
    start(&p, 24, 80);
    pty_assert(&p, pty_wait(&p, "SANDBOX", WAIT));
    pty_assert(&p, pty_wait(&p, "PRIMARY", WAIT));
    pty_assert(&p, pty_wait(&p, "votes 3/3, need 2", WAIT));
    pty_send(&p, "2");
    pty_assert(&p, pty_wait(&p, "Who sees whom", WAIT));
    pty_assert(&p, pty_wait(&p, "=P", WAIT));
    pty_send(&p, "Q");
    pty_assert(&p, pty_wait_exit(&p, WAIT));
    pty_end(&p);
}

static void a_live_screen_stays_within_its_bytes(void **state)
{
    struct pty p;
    size_t before;

    (void)state;
    start(&p, 24, 80);
    pty_pump(&p, 2500);
    before = p.log.len;
    pty_pump(&p, 10000);
    if (p.log.len - before > 10 * 600) {
        fail_msg("%zu bytes in 10 s", p.log.len - before);
    }
    pty_end(&p);
}

static void the_primary_is_killed_from_the_menu_and_another_elected(void **state)
{
    struct pty p;

    (void)state;
    start(&p, 40, 120);
    confirm(&p, "K", "Sandbox: break something", "[>Do it<]");
    pty_assert(&p, pty_wait(&p, "DOWN", WAIT));
    pty_assert(&p, pty_wait(&p, "term 2", WAIT));
    pty_assert(&p, pty_wait(&p, "votes 2/3", WAIT));
    pty_end(&p);
}

/* The newest text that went to the clipboard: OSC 52, base64. */
static char *clipboard(struct pty *p)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static const char mark[] = "\033]52;c;";
    const char *at = NULL, *next;
    char *out;
    size_t n = 0;
    unsigned bits = 0, have = 0;

    mst_buf_add(&p->log, "", 1);
    next = (const char *)p->log.p;
    for (; (next = memmem(next, p->log.len - (size_t)(next - (const char *)p->log.p), mark,
                          sizeof mark - 1));) {
        at = next += sizeof mark - 1;
    }
    p->log.len--;
    pty_assert(p, at);
    out = mst_xcalloc(strlen(at) + 1, 1);
    for (const char *d; *at && (d = strchr(digits, *at)); at++) {
        bits = bits << 6 | (unsigned)(d - digits);
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[n++] = (char)(bits >> have & 0xff);
        }
    }
    return out;
}

/* Another shell: no MUSTER_DIR, another folder, no path to muster. */
static void the_command_of_a_dialog_works_in_another_shell(void **state)
{
    const char *const env[] = {"MUSTER_DIR", "PATH=/usr/bin:/bin", "TERM=dumb",
                               "ASAN_OPTIONS=detect_leaks=0", NULL};
    const char *argv[] = {"/bin/sh", "-c", NULL, NULL};
    char *line, *there;
    struct pty p;

    (void)state;
    start(&p, 24, 80);
    pty_send(&p, "B");
    pty_assert(&p, pty_wait(&p, "[>Cancel<]", WAIT));
    pty_pump(&p, 450);
    pty_send(&p, "y");
    pty_assert(&p, pty_wait_bytes(&p, "\033]52;c;", WAIT));
    pty_pump(&p, 100);
    line = clipboard(&p);
    pty_end(&p);
    there = mst_xasprintf("cd / && %s", line);
    argv[2] = there;
    pty_start(&p, 24, 120, argv, env);
    pty_assert(&p, pty_wait_exit(&p, WAIT));
    pty_assert(&p, WIFEXITED(p.status) && WEXITSTATUS(p.status) == 0);
    pty_assert(&p, pty_shows(&p, "COMPLETE"));
    pty_end(&p);
    free(line);
    free(there);
}

/* A command of the same set, to its end; what it printed stays on the screen of p. */
static void run(struct pty *p, const char *const *argv)
{
    const char *const env[] = {dir_env, "TERM=dumb", "ASAN_OPTIONS=detect_leaks=0", NULL};

    pty_start(p, 24, 120, argv, env);
}

static long atol_of(const char *s)
{
    return strtol(s, NULL, 10);
}

static void a_dead_agent_is_said_and_replaced_and_its_job_is_interrupted(void **state)
{
    const char *const slow[] = {TEST_MUSTER, "--config", conf, "backup", "--rate", "3000", NULL};
    const char *const ask[] = {TEST_MUSTER, "--config", conf, "agent", "status", NULL};
    struct pty p, job, status;
    const char *at;
    char *text;

    (void)state;
    start(&p, 24, 80);
    pty_send(&p, "3");
    run(&job, slow);
    pty_assert(&p, pty_wait(&p, "backup   running", WAIT));
    run(&status, ask);
    pty_assert(&status, pty_wait_exit(&status, WAIT));
    text = pty_text(&status);
    at = strstr(text, "pid ");
    pty_assert(&status, at && atol_of(at + 4) > 1);
    (void)kill((pid_t)atol_of(at + 4), SIGKILL);
    free(text);
    pty_end(&status);
    pty_assert(&p, pty_wait(&p, "AGENT LOST", WAIT));
    pty_assert(&p, pty_wait(&p, "backup   not known", WAIT)); /* not "running" any more */
    pty_assert(&p, pty_wait(&p, "backup   interrupted", WAIT));
    pty_assert(&p, !pty_shows(&p, "AGENT LOST"));
    pty_assert(&p, pty_wait(&p, "1 job of a process that ended is interrupted", WAIT));
    pty_send(&p, "r"); /* and it obeys */
    pty_assert(&p, pty_wait(&p, "asked every member", WAIT));
    pty_end(&p);
    pty_end(&job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_set_is_seen_with_every_member),
        cmocka_unit_test(a_live_screen_stays_within_its_bytes),
        cmocka_unit_test(the_command_of_a_dialog_works_in_another_shell),
        cmocka_unit_test(a_dead_agent_is_said_and_replaced_and_its_job_is_interrupted),
        cmocka_unit_test(the_primary_is_killed_from_the_menu_and_another_elected),
    };
    return cmocka_run_group_tests_name("live console", tests, sandbox_up, sandbox_down);
}
