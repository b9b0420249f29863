/* muster key in a terminal: passphrases are asked with the echo off, lines are typed back. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "console_pty.h"
#include "runprog.h"

#define WAIT 20000

static char dir[64], env_dir[96], key[96];
static const char *env[] = {env_dir, "MUSTER_CONFIG", "MUSTER_URI", "NO_COLOR=1", NULL};

static void start(struct pty *p, const char *const *args)
{
    const char *program = getenv("TEST_MUSTER"), *argv[16] = {program ? program : TEST_MUSTER};

    for (size_t i = 0; args[i] && i < 14; i++) {
        argv[i + 1] = args[i];
    }
    pty_start(p, 30, 150, argv, env);
}
#define START(p, ...) start((p), (const char *const[]){"key", __VA_ARGS__, NULL})

static void say(struct pty *p, const char *asked, const char *answer)
{
    pty_assert(p, pty_wait(p, asked, WAIT));
    pty_send(p, answer);
    pty_send(p, "\r");
}

static void ends(struct pty *p, int status)
{
    pty_assert(p, pty_wait_exit(p, WAIT));
    pty_assert(p, WIFEXITED(p->status) && WEXITSTATUS(p->status) == status);
    pty_assert(p, !memmem(p->log.p, p->log.len, "battery", 7)); /* nothing typed is shown */
    pty_end(p);
}

static int setup(void **state)
{
    (void)state;
    temp_dir(dir, sizeof(dir));
    (void)snprintf(env_dir, sizeof(env_dir), "MUSTER_DIR=%s", dir);
    (void)snprintf(key, sizeof(key), "%s/reader.key", dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    temp_remove(dir);
    return 0;
}

static void a_passphrase_is_asked_twice_and_never_shown(void **state)
{
    struct pty p;

    (void)state;
    START(&p, "new", "--recipient", key, "--label", "safe");
    say(&p, "passphrase of the new key:", "horse battery");
    say(&p, "the same again:", "house battery");
    pty_assert(&p, pty_wait(&p, "the two passphrases differ: no key was made", WAIT));
    ends(&p, 2);
    assert_int_not_equal(access(key, F_OK), 0);
    START(&p, "new", "--recipient", key, "--label", "safe");
    say(&p, "passphrase of the new key:", "horse battery");
    say(&p, "the same again:", "horse battery");
    pty_assert(&p, pty_wait(&p, "key of a recipient called safe", WAIT));
    ends(&p, 0);
    START(&p, "check", key);
    say(&p, "passphrase of ", "horse battery");
    pty_assert(&p, pty_wait(&p, "proved: it opens", WAIT));
    ends(&p, 0);
}

/* Lines 1 to 8 as they were printed, without their numbers. */
static void lines_of(const char *text, char out[8][24])
{
    for (int i = 0; i < 8; i++) {
        char lead[24];
        const char *at;

        (void)snprintf(lead, sizeof(lead), "    %d  ", i + 1);
        at = strstr(text, lead);
        assert_non_null(at);
        (void)snprintf(out[i], sizeof(out[i]), "%.*s", (int)strcspn(at + 7, "\r\n"), at + 7);
    }
}

static void an_escrow_is_printed_and_typed_back(void **state)
{
    char lines[8][24], asked[32], conf[128], *word;
    struct mst_str s = {0};
    struct mst_err err = {0};
    struct pty p;

    (void)state;
    START(&p, "escrow", key);
    say(&p, "passphrase of ", "horse battery");
    pty_assert(&p, pty_wait_exit(&p, WAIT));
    mst_str_addn(&s, (const char *)p.log.p, p.log.len);
    lines_of(s.p, lines);
    word = strstr(s.p, "mstpub-");
    assert_non_null(word);
    word = mst_xstrndup(word, 79);
    pty_end(&p);
    mst_str_reset(&s);
    mst_str_addf(&s,
                 "set = { members = [\"127.0.0.1:9\"]; };\n"
                 "seal = { recipients = [\"%s safe\"]; escrow = [\"safe\"]; };\n",
                 word);
    (void)snprintf(conf, sizeof(conf), "%s/muster.conf", dir);
    assert_ok(mst_file_replace(conf, 0600, s.p, s.len, &err), &err);
    START(&p, "list");
    pty_assert(&p, pty_wait(&p, "the escrow safe was never tried", WAIT));
    ends(&p, 0);
    START(&p, "escrow", "--check");
    say(&p, "line 1 of 8:", lines[1]); /* the wrong one: only it is asked again */
    say(&p, "a slip; again, line 1 of 8:", lines[0]);
    for (int i = 1; i < 8; i++) {
        (void)snprintf(asked, sizeof(asked), "line %d of 8:", i + 1);
        say(&p, asked, lines[i]);
    }
    pty_assert(&p, pty_wait(&p, "these lines are the key of the escrow safe", WAIT));
    pty_assert(&p, !pty_shows(&p, lines[3]));
    ends(&p, 0);
    START(&p, "list");
    pty_assert(&p, pty_wait(&p, "public, tried ", WAIT));
    pty_assert(&p, !pty_shows(&p, "reminder"));
    ends(&p, 0);
    mst_str_release(&s);
    free(word);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_passphrase_is_asked_twice_and_never_shown),
        cmocka_unit_test(an_escrow_is_printed_and_typed_back)};

    return cmocka_run_group_tests_name("pty_key", tests, setup, teardown);
}
