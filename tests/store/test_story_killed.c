/* The real program and versitygw: what is not sealed does not go there; an agent that is killed in
 * a backup or in a copy leaves nothing that counts, and nothing at all once orphans are removed;
 * and a sealed copy is restored from there when its source is gone. */
#include "agents_kit.h"

#include "crypt/keyfile.h"
#include "peer_kit.h"

static struct kit kit;
static struct home home;
static struct realstore real;
static char safe[64], near[64];
static char recipient[MST_PUB_WORD], signer[MST_PUB_WORD];

static void make_key(enum mst_key_kind kind, const char *name, const uint8_t secret[32],
                     char word[MST_PUB_WORD])
{
    struct mst_keyfile info;
    struct mst_str text = {0};
    struct mst_err err = {0};
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/%s", safe, name);
    assert_ok(mst_keyfile_put(kind, secret, name, 1795386600000, NULL, &text, &err), &err);
    assert_ok(mst_file_replace(path, 0600, mst_str_c(&text), text.len, &err), &err);
    assert_ok(mst_keyfile_parse(mst_str_c(&text), text.len, &info, &err), &err);
    mst_pub_word(kind, info.pub, word);
    mst_keyfile_wipe(&text);
}

static void make_keys(void)
{
    struct mst_identity ops = {0};
    struct mst_sign_key sign = {0};
    struct mst_err err = {0};
    char path[128];

    assert_ok(mst_identity_new(&ops, &err), &err);
    assert_ok(mst_sign_key_new(&sign, &err), &err);
    make_key(MST_KEY_RECIPIENT, "ops.key", ops.secret, recipient);
    make_key(MST_KEY_SIGNER, "sign.key", sign.secret, signer);
    mst_identity_release(&ops);
    mst_sign_key_release(&sign);
    (void)snprintf(path, sizeof(path), "%s/secret", safe);
    assert_ok(mst_file_replace(path, 0600, REAL_SECRET "\n", strlen(REAL_SECRET) + 1, &err), &err);
}

/* store: where backups go. The directory is named only while it is there. */
static void configure(const char *store, bool sealed, bool with_near)
{
    struct mst_str s = {0};
    struct mst_err err = {0};
    char path[128];

    agents_die(&home); /* it reads this when it starts */
    home_fault(&home, "");
    mst_str_add(&s,
                "set = { name = \"rs0\"; class = \"SANDBOX\"; acts = [\"restore\", \"discard\", "
                "\"clean\"];\n  members = [");
    for (size_t i = 0; i < 3; i++) {
        mst_str_addf(&s, "%s\"127.0.0.1:%d\"", i ? ", " : "", sbx_world_port(kit.w, i));
    }
    mst_str_addf(
        &s,
        "]; };\nstores = ({ name = \"far\"; type = \"s3\"; bucket = \"%s\";\n"
        "  endpoint = \"%s\"; region = \"%s\"; profile = \"versitygw\"; plain_http = true;\n"
        "  access_key = \"%s\"; secret_key_file = \"%s/secret\"; }",
        REAL_BUCKET, real.endpoint, REAL_REGION, REAL_ACCESS, safe);
    if (with_near) {
        mst_str_addf(&s, ",\n  { name = \"near\"; type = \"local\"; path = \"%s\"; }", near);
    }
    mst_str_addf(&s, ");\nbackup = { store = \"%s\"; };\n", store);
    if (sealed) {
        mst_str_addf(&s,
                     "seal = { recipients = [\"%s ops\"]; trusted = [\"%s db1\"];\n"
                     "  signer_file = \"%s/sign.key\"; identity_file = \"%s/ops.key\"; };\n",
                     recipient, signer, safe, safe);
    }
    (void)snprintf(path, sizeof(path), "%s/muster.conf", home.dir);
    assert_ok(mst_file_replace(path, 0600, mst_str_c(&s), s.len, &err), &err);
    mst_str_release(&s);
}

static int up(void **state)
{
    (void)state;
    realstore_start(&real, REAL_VERSITYGW, &(struct realstore_opts){.proxy = false});
    kit_start(&kit, (struct sbx_opts){.fast = true, .seed = 1});
    temp_dir(safe, sizeof(safe));
    temp_dir(near, sizeof(near));
    home_make(&home, &kit, near);
    make_keys();
    fill(&kit, "new");
    return 0;
}

static int down(void **state)
{
    (void)state;
    home_end(&home);
    kit_stop(&kit);
    realstore_stop(&real);
    temp_remove(safe);
    temp_remove(near);
    return 0;
}

/* Through a client of the test's own. */
static size_t objects_there(void)
{
    struct kit_count c = {0};
    struct mst_err err = {0};
    struct mst_store *s = kit_open_real(&real, (struct mst_s3_conf){.profile = "versitygw"});

    assert_int_equal(kit_uploads(s), 0);
    assert_ok(mst_store_list(s, "", kit_count_item, &c, NULL, &err), &err);
    mst_str_release(&c.keys);
    mst_store_free(s);
    return c.n;
}

/* The command dies with its agent; a new one finds no whole backup there, and removes what is left.
 */
static void dies_and_leaves_nothing(const char *point, const char *const *argv)
{
    char fault[64];
    struct ran r;

    (void)snprintf(fault, sizeof(fault), "kill=%s", point);
    (void)agent_with(&home, fault);
    run_muster(&r, argv, home.env, 60000);
    if (r.status == 0) {
        fail_msg("the agent did not die at %s: %s", point, mst_str_c(&r.out));
    }
    ran_release(&r);
    (void)agent_with(&home, "");
    print_message("    %s: %zu objects left\n", point, objects_there());
    MUST(&r, &home, 0, "bucket", "ls", "--store", "far");
    assert_null(strstr(mst_str_c(&r.out), " COMPLETE"));
    HAS(mst_str_c(&r.out), "INCOMPLETE");
    ran_release(&r);
    DO(&home, 0, "store", "orphans", "far", "--older", "0s", "--remove", "--confirm", "far");
    assert_int_equal(objects_there(), 0);
}
#define DIES(point, ...) dies_and_leaves_nothing(point, (const char *const[]){__VA_ARGS__, NULL})

static void what_is_not_sealed_does_not_go_there(void **state)
{
    struct ran r;

    (void)state;
    configure("far", false, true);
    MUST(&r, &home, 10, "backup");
    HAS(mst_str_c(&r.out), "UNSEALED");
    HAS(mst_str_c(&r.out), "far");
    ran_release(&r);
    assert_int_equal(objects_there(), 0);
}

static void an_agent_that_is_killed_leaves_nothing(void **state)
{
    (void)state;
    configure("far", true, true);
    DIES("tail:1", "backup");
    DIES("objects:1", "backup");
    DIES("commit:1", "backup");
}

static void a_copy_outlives_its_source_and_a_death_on_the_way(void **state)
{
    struct ran r;

    (void)state;
    configure("near", true, true);
    DO(&home, 0, "backup");
    DIES("copy-keys:1", "copy", "latest", "--from", "near", "--to", "far");
    DIES("copy-commit:1", "copy", "latest", "--from", "near", "--to", "far");
    DO(&home, 0, "copy", "latest", "--from", "near", "--to", "far");
    temp_remove(near);
    configure("far", true, false);
    MUST(&r, &home, 0, "bucket", "ls");
    HAS(mst_str_c(&r.out), " COMPLETE");
    HAS(mst_str_c(&r.out), "sealed, signed by db1");
    ran_release(&r);
    MUST(&r, &home, 0, "verify");
    HAS(mst_str_c(&r.out), "read back whole");
    assert_null(strstr(mst_str_c(&r.out), "WARNING"));
    ran_release(&r);
    fill(&kit, "old");
    restore(&r, &home);
    expect(&r, 0);
    ran_release(&r);
    all_are(&kit, "new");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_sealed_does_not_go_there),
        cmocka_unit_test(an_agent_that_is_killed_leaves_nothing),
        cmocka_unit_test(a_copy_outlives_its_source_and_a_death_on_the_way),
    };

    (void)setenv("TEST_MUSTER", TEST_MUSTER, 0);
    realstore_need(REAL_VERSITYGW);
    return cmocka_run_group_tests_name("killed on versitygw", tests, up, down);
}
