/* The drill of a lost key, as docs/operations.md tells it: the only key file is gone, the paper of
 * the escrow is taken from the safe and typed in, and the backup opens again. */
#include "sealed_kit.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include "console_pty.h"
#include "crypt/keyfile.h"
#include "runprog.h"

#define WAIT 20000

static char dir[64], env_dir[96], conf[96], escrow[96], again[96], out[96];
static const char *env[] = {env_dir, "MUSTER_CONFIG=", "MUSTER_URI=", "NO_COLOR=1", NULL};
static const char *pty_env[] = {env_dir, "MUSTER_CONFIG", "MUSTER_URI", "NO_COLOR=1", NULL};

static void put(const char *path, const char *text, size_t n)
{
    struct mst_err err = {0};

    assert_ok(mst_file_replace(path, 0600, text, n, &err), &err);
}

/* One sealed backup; the key that opens it is the escrow's. No member answers. */
static int start(void **state)
{
    struct mst_str s = {0};
    struct mst_err err = {0};
    char word[MST_PUB_WORD], signer[MST_PUB_WORD];
    struct fix *x;

    if (setup(state)) {
        return -1;
    }
    x = *state;
    (void)setenv("TEST_MUSTER", TEST_MUSTER, 0);
    temp_dir(dir, sizeof(dir));
    (void)snprintf(env_dir, sizeof(env_dir), "MUSTER_DIR=%s", dir);
    (void)snprintf(conf, sizeof(conf), "%s/muster.conf", dir);
    (void)snprintf(escrow, sizeof(escrow), "%s/escrow.key", dir);
    (void)snprintf(again, sizeof(again), "%s/again.key", dir);
    (void)snprintf(out, sizeof(out), "%s/dump", dir);
    assert_ok(
        mst_keyfile_put(MST_KEY_RECIPIENT, x->ops.secret, "safe", 1795386600000, NULL, &s, &err),
        &err);
    put(escrow, mst_str_c(&s), s.len);
    mst_keyfile_wipe(&s);
    mst_pub_word(MST_KEY_RECIPIENT, x->ops.pub, word);
    mst_pub_word(MST_KEY_SIGNER, x->signer.pub, signer);
    mst_str_addf(&s,
                 "set = { name = \"rs0\"; class = \"SANDBOX\"; members = [\"127.0.0.1:1\"]; };\n"
                 "stores = ({ name = \"local\"; type = \"local\"; path = \"%s\"; });\n"
                 "seal = { recipients = [\"%s safe\"]; escrow = [\"safe\"];\n"
                 "  trusted = [\"%s db1\"]; identity_file = \"%s\"; };\n",
                 x->dir, word, signer, again);
    put(conf, mst_str_c(&s), s.len);
    mst_str_release(&s);
    assert_ok(mst_catalog_init(&x->f.c, x->s, "", "rs0", &err), &err);
    x->f.c.signer = &x->signer;
    assert_ok(fake_make(&x->f, &err), &err);
    return 0;
}

static int stop(void **state)
{
    temp_remove(dir);
    return teardown(state);
}

static void says(int status, const char *part, const char *const *argv)
{
    struct ran r;

    run_muster(&r, argv, env, 60000);
    if (r.status != status ||
        (!strstr(mst_str_c(&r.out), part) && !strstr(mst_str_c(&r.err), part))) {
        fail_msg("status %d, wanted %d and \"%s\": %s%s", r.status, status, part, mst_str_c(&r.out),
                 mst_str_c(&r.err));
    }
    ran_release(&r);
}
#define SAYS(status, part, ...) says((status), (part), (const char *const[]){__VA_ARGS__, NULL})

/* The lines of the paper, without their numbers. */
static void print_paper(char lines[8][24])
{
    struct ran r;

    RUN(&r, env, "key", "escrow", escrow);
    assert_int_equal(r.status, 0);
    for (int i = 0; i < 8; i++) {
        char lead[24];
        const char *at;

        (void)snprintf(lead, sizeof(lead), "    %d  ", i + 1);
        at = strstr(mst_str_c(&r.out), lead);
        assert_non_null(at);
        (void)snprintf(lines[i], 24, "%.*s", (int)strcspn(at + 7, "\n"), at + 7);
    }
    mst_wipe(r.out.p, r.out.len);
    ran_release(&r);
}

static void type_paper(char lines[8][24])
{
    const char *const argv[] = {TEST_MUSTER,    "key",     "new",  "--recipient",     again,
                                "--from-paper", "--label", "safe", "--no-passphrase", NULL};
    struct pty p;

    pty_start(&p, 30, 150, argv, pty_env);
    for (int i = 0; i < 8; i++) {
        char asked[32];

        (void)snprintf(asked, sizeof(asked), "line %d of 8:", i + 1);
        pty_assert(&p, pty_wait(&p, asked, WAIT));
        pty_send(&p, lines[i]);
        pty_send(&p, "\r");
    }
    pty_assert(&p, pty_wait(&p, "key of a recipient called safe", WAIT));
    pty_assert(&p, pty_wait_exit(&p, WAIT) && WEXITSTATUS(p.status) == 0);
    pty_assert(&p, !memmem(p.log.p, p.log.len, lines[3], strlen(lines[3]))); /* not echoed */
    pty_end(&p);
}

static void a_lost_key_comes_back_from_its_paper(void **state)
{
    struct fix *x = *state;
    char lines[8][24];
    struct stat st;

    print_paper(lines);
    assert_int_equal(unlink(escrow), 0); /* the last file of it */
    SAYS(1, "missing", "key", "list");
    SAYS(2, "cannot read the key file", "--no-agent", "verify", FIRST);
    SAYS(4, "there is no key here that opens it", "open", x->dir, "--backup", FIRST, "--out", out);
    assert_int_not_equal(stat(out, &st), 0);

    SAYS(2, "a signing key is not on paper", "key", "new", "--signer", again, "--from-paper",
         "--no-passphrase");
    type_paper(lines);
    assert_int_equal(stat(again, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    SAYS(0, "proved: it opens", "key", "check", again);
    SAYS(0, "readable", "key", "list");
    SAYS(0, "read back whole", "--no-agent", "verify", FIRST);
    SAYS(0, "", "open", x->dir, "--backup", FIRST, "--key", again, "--out", out);
    assert_int_equal(stat(out, &st), 0);
    mst_wipe(lines, sizeof(lines));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_lost_key_comes_back_from_its_paper, start, stop)};

    return cmocka_run_group_tests_name("lost_key", tests, NULL, NULL);
}
