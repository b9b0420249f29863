/* The primary of a live sandbox is moved from the keyboard: to the row that is selected, with the
 * page hidden and brought back, and with a terminal that is lost in the middle. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sandbox_pty.h"

#define WAIT 60000

static int sandbox_up(void **state)
{
    (void)state;
    return sandbox_start("switch", WAIT);
}

static void start(struct pty *p, int rows, int cols)
{
    open_console(p, rows, cols);
    pty_assert(p, pty_wait(p, "HEALTHY", WAIT));
    pty_assert(p, pty_wait(p, "F switch..", WAIT));
}

static void press(struct pty *p, const char *button)
{
    pty_pump(p, 400); /* the moment in which a step takes no key */
    pty_assert(p, pty_focus(p, button, WAIT));
    pty_send(p, "\r");
}

static int count_of(struct pty *p, const char *word)
{
    char *s = pty_text(p);
    int n = 0;

    for (const char *at = s; (at = strstr(at, word)); at += strlen(word)) {
        n++;
    }
    free(s);
    return n;
}

/* A set that has just begun is not calm and its members are young: each is accepted with a reason.
 */
static void accept_what_is_young(struct pty *p)
{
    for (int i = 0; i < 3 && count_of(p, "OVERRIDE?") > 0; i++) {
        const int left = count_of(p, "OVERRIDE?");

        pty_pump(p, 400);
        pty_assert(p, pty_focus(p, ">override", WAIT));
        pty_send(p, "a set made for this test\r");
        for (int k = 0; k < 100 && count_of(p, "OVERRIDE?") == left; k++) {
            pty_pump(p, 100);
        }
        pty_assert(p, count_of(p, "OVERRIDE?") < left);
    }
}

/* Types the phrase that the last step shows. */
static void type_phrase(struct pty *p)
{
    static const char lead[] = "to arm it, type: ";
    char *s, *at, phrase[200] = "";

    pty_assert(p, pty_wait(p, lead, WAIT));
    s = pty_text(p);
    at = strstr(s, lead) + sizeof lead - 1;
    (void)snprintf(phrase, sizeof phrase, "%.*s", (int)(strstr(at, "   not armed") - at), at);
    free(s);
    pty_pump(p, 400);
    pty_send(p, "\r"); /* does nothing: the phrase is not there */
    pty_pump(p, 100);
    pty_assert(p, pty_shows(p, "[4 confirm]"));
    pty_send(p, phrase);
    pty_assert(p, pty_wait(p, "ARMED", WAIT));
    pty_send(p, "\r");
}

/* F, the four steps, until the run has begun. */
static void move_primary(struct pty *p)
{
    pty_send(p, "F");
    pty_assert(p, pty_wait(p, "[1 choose]", WAIT));
    press(p, "[>Check<]");
    pty_assert(p, pty_wait(p, "collecting facts", WAIT) || pty_shows(p, "P01"));
    pty_assert(p, pty_wait(p, " fail ", WAIT));
    pty_assert(p, pty_wait(p, "[>Cancel<]  [ Back ]  [ ", WAIT)); /* the last row is painted */
    if (count_of(p, "OVERRIDE?") > 0) {
        accept_what_is_young(p);
        press(p, "[>Check again<]");
        pty_assert(p, pty_wait(p, " 0 fail ", WAIT));
    }
    press(p, "[>Plan<]");
    pty_assert(p, pty_wait(p, "[3 plan]", WAIT));
    pty_assert(p, pty_wait(p, " valid 01:", WAIT));
    press(p, "[>Confirm<]");
    type_phrase(p);
    pty_assert(p, pty_wait(p, "Switch of the primary", WAIT));
}

static void the_selected_member_becomes_primary(void **state)
{
    struct pty p;

    (void)state;
    start(&p, 40, 120);
    pty_send(&p, "2j");
    pty_assert(&p, pty_wait(&p, "<2Topo>", WAIT));
    move_primary(&p);
    pty_assert(&p, pty_wait(&p, "RUNNING", WAIT));
    pty_assert(&p, pty_wait(&p, "SETTLE", WAIT));
    pty_assert(&p, pty_wait(&p, "DONE, exit status 0", WAIT));
    pty_assert(&p, pty_wait(&p, "is primary in term 2", WAIT));
    pty_assert(&p, pty_wait(&p, "3 of 3 majority writes", WAIT));
    pty_send(&p, "q3");
    pty_assert(&p, pty_wait(&p, "<3Jobs>", WAIT));
    pty_assert(&p, pty_wait(&p, "s shows it", WAIT));
    pty_end(&p);
}

/* Another console, on a terminal that cannot place its cursor, says it line by line. */
static void a_hidden_run_goes_on_and_comes_back(void **state)
{
    const char *const argv[] = {TEST_MUSTER, "--config", conf, "console", NULL};
    const char *const env[] = {dir_env, "TERM=dumb", "ASAN_OPTIONS=detect_leaks=0", NULL};
    struct pty p, lines;

    (void)state;
    start(&p, 24, 80);
    pty_start(&lines, 24, 120, argv, env);
    pty_assert(&lines, pty_wait_bytes(&lines, "HEALTHY", WAIT) || pty_shows(&lines, "PRIMARY"));
    move_primary(&p);
    pty_assert(&p, pty_wait(&p, "RUNNING", WAIT));
    pty_send(&p, "q");
    pty_assert(&p, pty_wait(&p, " s: ", WAIT)); /* the badge */
    pty_assert(&p, pty_wait(&p, "Backups", WAIT));
    pty_send(&p, "s");
    pty_assert(&p, pty_wait(&p, "Switch of the primary", WAIT));
    pty_assert(&p, pty_wait(&p, "DONE, exit status 0", WAIT));
    pty_assert(&p, pty_wait(&p, "is primary in term 3", WAIT));
    pty_end(&p);
    pty_assert(&lines, pty_wait_bytes(&lines, "switchover SETTLE, ", WAIT));
    pty_assert(&lines, pty_wait_bytes(&lines, " ended with 0: ", WAIT));
    pty_end(&lines);
}

static void a_lost_terminal_changes_nothing_and_the_next_shows_the_run(void **state)
{
    struct pty p;

    (void)state;
    start(&p, 24, 80);
    move_primary(&p);
    pty_assert(&p, pty_wait(&p, "RUNNING", WAIT));
    (void)close(p.fd); /* the line is cut */
    p.fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    pty_assert(&p, pty_wait_exit(&p, WAIT));
    pty_end(&p);
    open_console(&p, 24, 80);
    pty_assert(&p, pty_wait(&p, "? help", WAIT));
    if (!pty_shows(&p, "Switch of the primary")) { /* it has ended meanwhile */
        pty_send(&p, "s");
    }
    pty_assert(&p, pty_wait(&p, "Switch of the primary", WAIT));
    pty_assert(&p, pty_wait(&p, "DONE, exit status 0", WAIT));
    pty_assert(&p, pty_wait(&p, "is primary in term 4", WAIT));
    pty_end(&p);
}

/* The member that is neither left nor taken, by the page. */
static void bystander(struct pty *p, char name[64])
{
    char *s, *run, *at;

    pty_assert(p, pty_wait(p, "rival", WAIT)); /* the whole page is there */
    s = pty_text(p);
    run = strstr(s, "Run ");
    at = strstr(s, "Members,");
    pty_assert(p, run && at);
    run[strcspn(run, "\n")] = '\0';
    name[0] = '\0';
    while (!name[0] && (at = strstr(at, "127.0.0.1:")) != NULL) {
        (void)snprintf(name, 64, "%.*s", (int)strcspn(at, " "), at);
        if (strstr(run, name)) {
            name[0] = '\0';
        }
        at++;
    }
    free(s);
    pty_assert(p, name[0]);
}

static void sandbox_ctl(const char *verb, const char *member)
{
    const char *const argv[] = {TEST_MUSTER, "sandbox", "ctl",  "--dir",
                                sandbox_dir, verb,      member, NULL};
    const char *const env[] = {dir_env, "ASAN_OPTIONS=detect_leaks=0", NULL};
    struct pty p;

    pty_start(&p, 24, 80, argv, env);
    (void)pty_wait_exit(&p, 10000);
    pty_end(&p);
}

/* How many different times the clock of the run showed. */
static int ticks(struct pty *p, int ms)
{
    char was[16] = "", now[16];
    int n = 0;

    for (int i = 0; i < ms / 20; i++) {
        char *s, *at;

        pty_pump(p, 20);
        s = pty_text(p);
        at = strstr(s, "RUNNING ");
        (void)snprintf(now, sizeof now, "%.7s", at ? at + 8 : was);
        free(s);
        n += strcmp(now, was) != 0;
        (void)mst_copy(was, sizeof was, now);
    }
    return n;
}

static void the_page_moves_four_times_a_second_while_a_member_hangs(void **state)
{
    struct pty p;
    char name[64];
    int n;

    (void)state;
    start(&p, 24, 80);
    move_primary(&p);
    pty_assert(&p, pty_wait(&p, "RUNNING", WAIT));
    bystander(&p, name);
    sandbox_ctl("stop", name);
    n = ticks(&p, 3000);
    sandbox_ctl("cont", name);
    pty_assert(&p, n >= 12);
    pty_assert(&p, pty_wait(&p, "exit status", WAIT)); /* it ends, and says how */
    pty_assert(&p, pty_wait(&p, "next: ", WAIT));
    pty_end(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_selected_member_becomes_primary),
        cmocka_unit_test(a_hidden_run_goes_on_and_comes_back),
        cmocka_unit_test(a_lost_terminal_changes_nothing_and_the_next_shows_the_run),
        cmocka_unit_test(the_page_moves_four_times_a_second_while_a_member_hangs),
    };
    return cmocka_run_group_tests_name("switch from the keyboard", tests, sandbox_up, sandbox_down);
}
