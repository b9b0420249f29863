/* Keys as people handle them: lines for paper, the list, its reminder. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "crypt/paper.h"
#include "engine/keyring.h"
#include "runprog.h"

#define DAY INT64_C(86400000)
#define NOW (INT64_C(20000) * DAY)

static char dir[64], env_dir[96];

static int setup(void **state)
{
    (void)state;
    temp_dir(dir, sizeof(dir));
    (void)snprintf(env_dir, sizeof(env_dir), "%s/m", dir);
    (void)setenv("MUSTER_DIR", env_dir, 1);
    (void)unsetenv("MUSTER_CONFIG");
    (void)unsetenv("MUSTER_URI");
    return mkdir(env_dir, 0700);
}

static int teardown(void **state)
{
    (void)state;
    temp_remove(dir);
    return 0;
}

static char *in_dir(const char *name)
{
    return mst_xasprintf("%s/%s", dir, name);
}

static void lines_for_paper_are_read_back(void **state)
{
    uint8_t secret[32], back[32] = {0};
    char line[MST_PAPER_LINE], typed[64];
    struct mst_err err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(secret); i++) {
        secret[i] = (uint8_t)(i * 41 + 7);
    }
    for (int l = 1; l <= MST_PAPER_LINES; l++) {
        mst_paper_line(secret, l, line);
        assert_int_equal(line[0], '0' + l);
        assert_ok(mst_paper_read(line, l, back, &err), &err);
        (void)snprintf(typed, sizeof(typed), "  %s ", line + 3); /* without its number */
        for (char *c = typed; *c; c++) {
            *c = (char)(*c >= 'a' && *c <= 'f' ? *c - 'a' + 'A' : *c);
        }
        assert_ok(mst_paper_read(typed, l, back, &err), &err);
    }
    assert_memory_equal(back, secret, sizeof(back));
}

static void a_slip_on_paper_is_noticed_in_its_line(void **state)
{
    uint8_t secret[32] = {1, 2, 3, 4, 1, 2, 3, 4}, back[32] = {0};
    char line[MST_PAPER_LINE];
    struct mst_err err = {0};

    (void)state;
    mst_paper_line(secret, 1, line);
    for (size_t i = 0; line[i]; i++) {
        const char was = line[i];

        if (was != ' ') {
            line[i] = was == '7' ? '8' : '7';
            assert_rc(mst_paper_read(line, 1, back, &err), MST_E_CONFIG, &err);
            assert_non_null(strstr(err.msg, "line 1 has a slip in it"));
            line[i] = 'g';
            assert_rc(mst_paper_read(line, 1, back, &err), MST_E_CONFIG, &err);
        }
        line[i] = was;
    }
    assert_rc(mst_paper_read(line, 2, back, &err), MST_E_CONFIG, &err);
    assert_rc(mst_paper_read(line + 3, 2, back, &err), MST_E_CONFIG, &err); /* the same bytes */
    assert_rc(mst_paper_read("", 1, back, &err), MST_E_CONFIG, &err);
    assert_rc(mst_paper_read("1 0102 0304 00000000000000000000", 1, back, &err), MST_E_CONFIG,
              &err);
    for (size_t i = 0; i < sizeof(back); i++) {
        assert_int_equal(back[i], 0);
    }
}

static void the_reminder_says_what_is_missing(void **state)
{
    static const struct {
        const char *role[3];
        int64_t tried[3];
        const char *says; /* NULL: nothing */
    } cases[] = {
        {{NULL}, {0}, NULL},
        {{"signer", "trusted", "identity"}, {-1, -1, -1}, NULL},
        {{"recipient", "signer"}, {-1, -1}, "no recipient is an escrow"},
        {{"passphrase"}, {-1}, "no recipient is an escrow"},
        {{"program"}, {-1}, "no recipient is an escrow"},
        {{"recipient", "escrow"}, {-1, 0}, "the escrow k1 was never tried"},
        {{"escrow", "escrow"}, {NOW, 0}, "the escrow k1 was never tried"},
        {{"escrow"}, {-1}, "it is not known when the escrow k0 was tried"},
        {{"escrow"}, {NOW - 10 * DAY}, NULL},
        {{"escrow"}, {NOW - 10 * DAY - 1}, "the escrow k0 was last tried 10 days ago"},
        {{"escrow", "escrow"}, {NOW, NOW - 30 * DAY}, "the escrow k1 was last tried 30 days ago"},
    };

    (void)state;
    for (size_t i = 0; i < MST_COUNT(cases); i++) {
        struct mst_keyring_row rows[3] = {0};
        char out[240];
        size_t n = 0;

        for (; n < 3 && cases[i].role[n]; n++) {
            rows[n].role = cases[i].role[n];
            rows[n].tried_ms = cases[i].tried[n];
            (void)snprintf(rows[n].label, sizeof(rows[n].label), "k%zu", n);
        }
        mst_keyring_remind(rows, n, 10, NOW, out, sizeof(out));
        if (cases[i].says ? !strstr(out, cases[i].says) : out[0] != '\0') {
            fail_msg("case %zu says: %s", i, out);
        }
    }
}

static void a_key_is_made_once_and_for_its_owner(void **state)
{
    char *path = in_dir("made.key");
    struct mst_keyfile k = {0}, again = {0};
    struct mst_secret weak = {0};
    struct mst_err err = {0};
    struct stat st;
    const mode_t was = umask(0);

    (void)state;
    mst_secret_set(&weak, "seven77", 7);
    assert_rc(mst_keyring_make(MST_KEY_SIGNER, path, "db1", &weak, &k, &err), MST_E_USAGE, &err);
    assert_non_null(strstr(err.msg, "has 7 characters"));
    assert_ok(mst_keyring_make(MST_KEY_SIGNER, path, "db1", NULL, &k, &err), &err);
    (void)umask(was);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_rc(mst_keyring_make(MST_KEY_SIGNER, path, "db1", NULL, &again, &err), MST_E_EXISTS,
              &err);
    assert_ok(mst_keyring_check(path, "", NULL, NULL, &again, &err), &err);
    assert_string_equal(again.id, k.id);
    assert_false(again.locked);
    mst_secret_release(&weak);
    free(path);
}

static void row(const struct mst_keyring *k, size_t i, const char *role, bool ok, const char *state)
{
    assert_true(i < k->n);
    assert_string_equal(k->rows[i].role, role);
    if (k->rows[i].ok != ok || strcmp(k->rows[i].state, state) != 0) {
        fail_msg("%s is %s: %s", role, k->rows[i].ok ? "ok" : "not ok", k->rows[i].state);
    }
}

static void configure(struct mst_cfg **cfg, const char *more)
{
    char *path = in_dir("seal.conf");
    const struct mst_cfg_where where = {.config = path};
    struct mst_str s = {0};
    struct mst_err err = {0};

    mst_str_addf(&s, "set = { name = \"rs0\"; members = [\"127.0.0.1:9\"]; };\nseal = { %s };\n",
                 more);
    assert_ok(mst_file_replace(path, 0600, s.p, s.len, &err), &err);
    assert_ok(mst_cfg_open(&where, cfg, NULL, &err), &err);
    mst_str_release(&s);
    free(path);
}

static void the_list_says_how_each_key_is(void **state)
{
    char *signer = in_dir("l-signer.key"), *reader = in_dir("l-reader.key"), *text;
    char word[MST_PUB_WORD], sig[MST_PUB_WORD];
    struct mst_keyfile ks = {0}, kr = {0};
    struct mst_cfg *cfg = NULL;
    struct mst_keyring *k = mst_xcalloc(1, sizeof(*k));
    struct mst_err err = {0};

    (void)state;
    assert_ok(mst_keyring_make(MST_KEY_SIGNER, signer, "db1", NULL, &ks, &err), &err);
    assert_ok(mst_keyring_make(MST_KEY_RECIPIENT, reader, "ops", NULL, &kr, &err), &err);
    mst_pub_word(MST_KEY_RECIPIENT, kr.pub, word);
    mst_pub_word(MST_KEY_SIGNER, ks.pub, sig);
    text = mst_xasprintf("recipients = [\"%s safe\"]; escrow = [\"safe\"]; trusted = [\"%s\"];"
                         "signer_file = \"l-signer.key\"; identity_file = \"l-reader.key\";"
                         "passphrase_file = \"nowhere\"; wrap_command = [\"/bin/cat\"];",
                         word, sig);
    configure(&cfg, text);
    assert_true(mst_keyring_reminds(cfg));
    (void)mst_copy(cfg->sandbox.control, sizeof(cfg->sandbox.control), "/run/ctl.sock");
    assert_false(mst_keyring_reminds(cfg)); /* the training range */
    cfg->sandbox.control[0] = '\0';
    mst_keyring_list(cfg, NOW, k);
    assert_int_equal(k->n, 6);
    row(k, 0, "escrow", true, "public");
    assert_string_equal(k->rows[0].id, kr.id);
    assert_int_equal(k->rows[0].tried_ms, 0);
    row(k, 1, "passphrase", false, "missing");
    row(k, 2, "program", true, "wraps data keys; whether they open is not known here");
    row(k, 3, "signer", true, "readable");
    row(k, 4, "trusted", true, "public");
    row(k, 5, "identity", true, "readable");
    assert_non_null(strstr(k->remind, "the escrow safe was never tried"));
    assert_int_equal(chmod(signer, 0640), 0);
    assert_int_equal(truncate(reader, 100), 0);
    mst_keyring_list(cfg, NOW, k);
    row(k, 3, "signer", false, "others may read it: chmod 600");
    assert_false(k->rows[5].ok);
    assert_non_null(strstr(k->rows[5].state, "damaged"));
    assert_int_equal(unlink(signer), 0);
    assert_int_equal(rename(reader, signer), 0);
    mst_keyring_list(cfg, NOW, k);
    row(k, 5, "identity", false, "missing");
    mst_cfg_free(cfg);
    free(k);
    free(text);
    free(signer);
    free(reader);
}

static void an_escrow_that_was_typed_is_written_down(void **state)
{
    struct mst_identity who = {0}, other = {0};
    struct mst_keyring *k = mst_xcalloc(1, sizeof(*k));
    struct mst_keyring_row r = {0};
    struct mst_cfg *cfg = NULL;
    struct mst_err err = {0};
    char word[MST_PUB_WORD], second[MST_PUB_WORD], *text;

    (void)state;
    assert_ok(mst_identity_new(&who, &err), &err);
    assert_ok(mst_identity_new(&other, &err), &err);
    mst_pub_word(MST_KEY_RECIPIENT, who.pub, word);
    mst_pub_word(MST_KEY_RECIPIENT, other.pub, second);
    text =
        mst_xasprintf("recipients = [\"%s ops\", \"%s safe\"]; escrow = [\"safe\"];", second, word);
    configure(&cfg, text);
    assert_ok(mst_keyring_tried(cfg, who.secret, NOW, &r, &err), &err);
    assert_string_equal(r.label, "safe");
    assert_int_equal(r.tried_ms, NOW);
    mst_keyring_list(cfg, NOW + DAY, k);
    assert_int_equal(k->rows[1].tried_ms, NOW);
    assert_string_equal(k->remind, "");
    mst_keyring_list(cfg, NOW + 181 * DAY, k); /* escrow_days is 180 unless it is said */
    assert_non_null(strstr(k->remind, "last tried 181 days ago"));
    assert_ok(mst_keyring_tried(cfg, other.secret, NOW, &r, &err), &err);
    assert_string_equal(r.role, "recipient");
    assert_int_equal(r.tried_ms, -1);
    who.secret[5] ^= 1;
    assert_rc(mst_keyring_tried(cfg, who.secret, NOW, &r, &err), MST_E_NOTFOUND, &err);
    assert_non_null(strstr(err.msg, "of no recipient of the configuration"));
    mst_identity_release(&who);
    mst_identity_release(&other);
    mst_cfg_free(cfg);
    free(text);
    free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lines_for_paper_are_read_back),
                                       cmocka_unit_test(a_slip_on_paper_is_noticed_in_its_line),
                                       cmocka_unit_test(the_reminder_says_what_is_missing),
                                       cmocka_unit_test(a_key_is_made_once_and_for_its_owner),
                                       cmocka_unit_test(the_list_says_how_each_key_is),
                                       cmocka_unit_test(an_escrow_that_was_typed_is_written_down)};

    return cmocka_run_group_tests_name("keyring", tests, setup, teardown);
}
