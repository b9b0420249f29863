/* A sealed backup in two stores, through the program: the copy opens without its source, and who
 * may read is changed in every store, or in the one that is named. */
#include "sealed_kit.h"

#include "runprog.h"

#include "crypt/keyfile.h"

static char dir[64], env_dir[96], key_file[96], sign_file[96];
static const char *env[] = {env_dir, "MUSTER_CONFIG=", "MUSTER_URI=", "NO_COLOR=1", NULL};
static char local[96], vault[96], eva[MST_PUB_WORD];

static void key_into(const char *path, enum mst_key_kind kind, const char *label,
                     const uint8_t secret[32], char word[MST_PUB_WORD])
{
    struct mst_keyfile info;
    struct mst_str text = {0};
    struct mst_err err = {0};

    assert_ok(mst_keyfile_put(kind, secret, label, 1795386600000, NULL, &text, &err), &err);
    assert_ok(mst_file_replace(path, 0600, mst_str_c(&text), text.len, &err), &err);
    assert_ok(mst_keyfile_parse(mst_str_c(&text), text.len, &info, &err), &err);
    mst_pub_word(kind, info.pub, word);
    mst_keyfile_wipe(&text);
}

/* One backup in the store local, made by the writers of the format. No member answers. */
static int start(void **state)
{
    struct mst_str s = {0};
    struct mst_err err = {0};
    struct fix *x;
    char ops[MST_PUB_WORD], signer[MST_PUB_WORD], conf[128];

    if (setup(state)) {
        return -1;
    }
    x = *state;
    assert_int_equal(setenv("TEST_MUSTER", TEST_MUSTER, 0), 0);
    temp_dir(dir, sizeof(dir));
    (void)snprintf(env_dir, sizeof(env_dir), "MUSTER_DIR=%s", dir);
    (void)snprintf(key_file, sizeof(key_file), "%s/ops.key", dir);
    (void)snprintf(sign_file, sizeof(sign_file), "%s/sign.key", dir);
    (void)snprintf(local, sizeof(local), "%s", x->dir);
    (void)snprintf(vault, sizeof(vault), "%s/vault", dir);
    assert_int_equal(mkdir(vault, 0700), 0);
    key_into(key_file, MST_KEY_RECIPIENT, "ops", x->ops.secret, ops);
    key_into(sign_file, MST_KEY_SIGNER, "db1", x->signer.secret, signer);
    mst_pub_word(MST_KEY_RECIPIENT, x->other.pub, eva);
    mst_str_addf(&s,
                 "set = { name = \"rs0\"; class = \"SANDBOX\"; acts = [\"clean\"]; members = "
                 "[\"127.0.0.1:1\"]; };\n"
                 "stores = ({ name = \"local\"; type = \"local\"; path = \"%s\"; },\n"
                 "  { name = \"vault\"; type = \"local\"; path = \"%s\"; });\n"
                 "backup = { store = \"local\"; };\n"
                 "seal = { recipients = [\"%s ops\"]; trusted = [\"%s db1\"];\n"
                 "  signer_file = \"%s\"; identity_file = \"%s\"; };\n",
                 local, vault, ops, signer, sign_file, key_file);
    (void)snprintf(conf, sizeof(conf), "%s/muster.conf", dir);
    assert_ok(mst_file_replace(conf, 0600, mst_str_c(&s), s.len, &err), &err);
    mst_str_release(&s);
    assert_ok(mst_catalog_init(&x->f.c, x->s, "", "rs0", &err), &err);
    x->f.c.signer = &x->signer;
    assert_ok(fake_make(&x->f, &err), &err);
    return 0;
}

static int stop(void **state)
{
    struct ran r;

    RUN(&r, env, "agent", "stop", "--force");
    ran_release(&r);
    temp_remove(dir);
    return teardown(state);
}

#define DONE(r, want) done(&(r), (want), __LINE__)
static void done(const struct ran *r, int want, int line)
{
    if (r->status != want) {
        fail_msg("line %d: status %d, not %d\n%s\n%s", line, r->status, want, mst_str_c(&r->out),
                 mst_str_c(&r->err));
    }
}

static bool key_there(const char *store, unsigned n)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/rs0/keys/%s.%s.%u", store, FIRST, FAKE_ATTEMPT, n);
    return access(path, R_OK) == 0;
}

static void a_copy_opens_alone_and_its_readers_are_its_own(void **state)
{
    struct ran r;

    (void)state;
    RUN(&r, env, "copy", FIRST, "--from", "local", "--to", "vault");
    DONE(r, 0);
    ran_release(&r);
    assert_true(key_there(vault, 0));
    RUN(&r, env, "bucket", "ls", "--store", "local", "--json");
    assert_non_null(strstr(mst_str_c(&r.out), "vault")); /* the mark counts: it is signed */
    ran_release(&r);

    RUN(&r, env, "key", "add", eva, "eva", "--store", "vault", "--dry-run");
    DONE(r, 0);
    assert_non_null(strstr(mst_str_c(&r.out), "read 1 backup in the store vault"));
    assert_non_null(strstr(mst_str_c(&r.out), "only that store is changed"));
    ran_release(&r);
    RUN(&r, env, "key", "add", eva, "eva", "--store", "vault");
    DONE(r, 0);
    ran_release(&r);
    assert_true(key_there(vault, 1) && !key_there(local, 1));
    RUN(&r, env, "key", "remove", "eva", "--store", "local", "--confirm", "remove eva");
    assert_int_not_equal(r.status, 0); /* eva never was there */
    assert_non_null(strstr(mst_str_c(&r.err), "in the store local"));
    ran_release(&r);
    RUN(&r, env, "key", "remove", "eva", "--store", "vault", "--confirm", "remove eva");
    DONE(r, 0);
    ran_release(&r);
    assert_true(key_there(vault, 2) && !key_there(vault, 1) && !key_there(vault, 0));
    assert_true(key_there(local, 0));
    RUN(&r, env, "key", "rotate", "--store", "nowhere", "--dry-run");
    assert_int_not_equal(r.status, 0);
    assert_non_null(strstr(mst_str_c(&r.err), "nowhere"));
    ran_release(&r);

    temp_remove(local);
    RUN(&r, env, "verify", FIRST, "--store", "vault");
    DONE(r, 0);
    ran_release(&r);
}

static void key_act(int status, const char *part, const char *const *argv)
{
    struct ran r;

    run_muster(&r, argv, env, 60000);
    DONE(r, status);
    if (!strstr(mst_str_c(&r.out), part) && !strstr(mst_str_c(&r.err), part)) {
        fail_msg("\"%s\" is not in: %s%s", part, mst_str_c(&r.out), mst_str_c(&r.err));
    }
    ran_release(&r);
}
#define KEY(status, part, ...) \
    key_act((status), (part), (const char *const[]){"key", __VA_ARGS__, NULL})
#define REMOVE "remove", "eva", "--confirm", "remove eva"

static void one_act_is_for_every_store_and_a_dead_one_is_named(void **state)
{
    struct ran r;
    char away[128];

    (void)state;
    (void)snprintf(away, sizeof(away), "%s.away", vault);
    KEY(0, "local: 1 of 1 backup, 0 as asked already", "add", eva, "eva", "--dry-run");
    KEY(0, "vault: nothing that is meant", "add", eva, "eva", "--dry-run");
    KEY(0, "1 backup has a new key object in the store local", "add", eva, "eva");
    RUN(&r, env, "copy", FIRST, "--from", "local", "--to", "vault");
    DONE(r, 0); /* with its two key objects */
    ran_release(&r);
    assert_true(key_there(vault, 1));

    RUN(&r, env, "agent", "stop"); /* which has the folder open */
    ran_release(&r);
    assert_int_equal(rename(vault, away), 0);
    KEY(0, "vault cannot be asked and stays as it is until this is repeated", "remove", "eva",
        "--dry-run");
    KEY(15, "repeat the command for what is left", REMOVE);
    assert_true(key_there(local, 2) && !key_there(local, 1) && !key_there(local, 0));
    KEY(2, "the store vault cannot be asked, and in the others there is nothing to do", REMOVE);
    assert_int_equal(rename(away, vault), 0);
    assert_true(key_there(vault, 1)); /* eva still reads it there */
    KEY(0, "1 backup has a new key object in the store vault", REMOVE);
    assert_true(key_there(vault, 2) && !key_there(vault, 1) && !key_there(vault, 0));
    KEY(2, "nobody who can read these backups in the stores local, vault is called eva", REMOVE);
    KEY(2, "there is no sealed backup 2020 in the stores local, vault", "rotate", "--backup",
        "2020");
    KEY(0, "let only those of the configuration read the sealed backups in the stores local, vault",
        "rotate", "--dry-run");
}

static void a_store_that_hangs_keeps_no_other_from_it(void **state)
{
    const char *hung[] = {env_dir, "MUSTER_CONFIG=", "MUSTER_URI=", "MUSTER_FAULT=hang=list-local",
                          NULL};
    struct ran r;

    (void)state;
    RUN(&r, env, "copy", FIRST, "--from", "local", "--to", "vault");
    DONE(r, 0);
    ran_release(&r);
    RUN(&r, env, "agent", "stop");
    ran_release(&r);
    RUN(&r, hung, "--no-agent", "key", "add", eva, "eva"); /* local is where backups go */
    DONE(r, 15);
    if (!strstr(mst_str_c(&r.out), "the store local stays as it is: ") ||
        !strstr(mst_str_c(&r.out), "1 backup has a new key object in the store vault")) {
        fail_msg("%s%s", mst_str_c(&r.out), mst_str_c(&r.err));
    }
    ran_release(&r);
    assert_true(key_there(vault, 1) && !key_there(local, 1));
}

static void assert_hold(const char *store, bool held)
{
    struct ran r;

    RUN(&r, env, "bucket", "ls", "--store", store, "--json");
    assert_non_null(strstr(mst_str_c(&r.out), FIRST));
    if ((strstr(mst_str_c(&r.out), "the auditors") != NULL) != held) {
        fail_msg("%s: %s", held ? "not held" : "still held", mst_str_c(&r.out));
    }
    ran_release(&r);
}

static void a_release_counts_where_signers_are_named(void **state)
{
    struct ran r;

    (void)state;
    assert_hold("local", false);
    RUN(&r, env, "hold", FIRST, "--until", "ever", "--reason", "the auditors");
    DONE(r, 0);
    ran_release(&r);
    assert_hold("local", true);
    RUN(&r, env, "release", FIRST, "--confirm", FIRST);
    DONE(r, 0);
    ran_release(&r);
    assert_hold("local", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_copy_opens_alone_and_its_readers_are_its_own, start,
                                        stop),
        cmocka_unit_test_setup_teardown(one_act_is_for_every_store_and_a_dead_one_is_named, start,
                                        stop),
        cmocka_unit_test_setup_teardown(a_store_that_hangs_keeps_no_other_from_it, start, stop),
        cmocka_unit_test_setup_teardown(a_release_counts_where_signers_are_named, start, stop),
    };

    return cmocka_run_group_tests_name("rekey_stores", tests, NULL, NULL);
}
