/* Sealed and signed backups by the real program: made by a host that cannot read them, verified and
 * restored where the key is, refused where it is not, and no secret anywhere on the way. */
#include "agents_kit.h"

#include <ftw.h>

#include "catalog/keyobj.h"
#include "crypt/keyfile.h"
#include "store/store.h"

#define PHRASE "canary-phrase-7Qh2vT"
#define TEXT "canary-text-Zx81Lm"

static struct kit kit;
static struct home home;
static char safe[64], store[64];
static char recipient[MST_PUB_WORD], recipient_id[MST_KEY_ID_HEX], signer[MST_PUB_WORD];

enum { WITH_IDENTITY = 1, WITH_PHRASE = 2, UNSEALED = 4, NOT_SIGNED = 8 };

static void configure(unsigned with)
{
    struct ran r;
    struct mst_str s = {0};
    struct mst_err err = {0};
    char path[128];

    mst_str_add(&s,
                "set = { name = \"rs0\"; class = \"SANDBOX\"; acts = [\"restore\", \"discard\", "
                "\"clean\"];\n  members = [");
    for (size_t i = 0; i < 3; i++) {
        mst_str_addf(&s, "%s\"127.0.0.1:%d\"", i ? ", " : "", sbx_world_port(kit.w, i));
    }
    mst_str_addf(&s, "]; };\nstores = ({ name = \"local\"; type = \"local\"; path = \"%s\"; });\n",
                 store);
    mst_str_addf(&s, "seal = { trusted = [\"%s db1\"];\n", signer);
    if (!(with & UNSEALED)) {
        mst_str_addf(&s, "  recipients = [\"%s ops\"];\n", recipient);
    }
    if (!(with & NOT_SIGNED)) {
        mst_str_addf(&s, "  signer_file = \"%s/sign.key\";\n", safe);
    }
    if (with & WITH_IDENTITY) {
        mst_str_addf(&s, "  identity_file = \"%s/ops.key\";\n", safe);
    }
    if (with & WITH_PHRASE) {
        mst_str_addf(&s, "  passphrase_file = \"%s/phrase\";\n", safe);
    }
    mst_str_add(&s, "};\n");
    (void)snprintf(path, sizeof(path), "%s/muster.conf", home.dir);
    assert_ok(mst_file_replace(path, 0600, mst_str_c(&s), s.len, &err), &err);
    mst_str_release(&s);
    RUN(&r, home.env, "agent", "stop", "--force"); /* it reads this when it starts */
    ran_release(&r);
}

/* A key file without passphrase; its public word and id. */
static void make_key(enum mst_key_kind kind, const char *name, const char *label,
                     const uint8_t secret[32], char word[MST_PUB_WORD], char id[MST_KEY_ID_HEX])
{
    struct mst_keyfile info;
    struct mst_str text = {0};
    struct mst_err err = {0};
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/%s", safe, name);
    assert_ok(mst_keyfile_put(kind, secret, label, 1795386600000, NULL, &text, &err), &err);
    assert_ok(mst_file_replace(path, 0600, mst_str_c(&text), text.len, &err), &err);
    assert_ok(mst_keyfile_parse(mst_str_c(&text), text.len, &info, &err), &err);
    mst_pub_word(kind, info.pub, word);
    (void)mst_copy(id, MST_KEY_ID_HEX, info.id);
    mst_keyfile_wipe(&text);
}

static void make_keys(void)
{
    struct mst_identity ops = {0};
    struct mst_sign_key sign = {0};
    struct mst_err err = {0};
    char id[MST_KEY_ID_HEX];

    assert_ok(mst_identity_new(&ops, &err), &err);
    assert_ok(mst_sign_key_new(&sign, &err), &err);
    make_key(MST_KEY_RECIPIENT, "ops.key", "ops", ops.secret, recipient, recipient_id);
    make_key(MST_KEY_SIGNER, "sign.key", "db1", sign.secret, signer, id);
    mst_identity_release(&ops);
    mst_sign_key_release(&sign);
}

static int setup(void **state)
{
    struct mst_err err = {0};
    char path[128];

    (void)state;
    kit_start(&kit, (struct sbx_opts){.fast = true, .seed = 1});
    temp_dir(safe, sizeof(safe));
    temp_dir(store, sizeof(store));
    home_make(&home, &kit, store);
    make_keys();
    (void)snprintf(path, sizeof(path), "%s/phrase", safe);
    assert_ok(mst_file_replace(path, 0600, PHRASE "\n", sizeof(PHRASE), &err), &err);
    return 0;
}

static int teardown(void **state)
{
    struct ran r;

    (void)state;
    RUN(&r, home.env, "agent", "stop", "--force");
    ran_release(&r);
    kit_stop(&kit);
    temp_remove(home.dir);
    temp_remove(safe);
    temp_remove(store);
    return 0;
}

/* --- canaries --------------------------------------------------------------------------------- */

static const struct needle {
    const void *p;
    size_t n;
    const char *what;
} * needles;
static size_t n_needles, n_files;

static int look_into(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    struct mst_buf b = {0};
    struct mst_err err = {0};

    (void)ftw;
    if (flag != FTW_F || !S_ISREG(st->st_mode)) {
        return 0;
    }
    assert_ok(mst_file_read(path, 64U << 20, &b, &err), &err);
    n_files++;
    for (size_t i = 0; i < n_needles; i++) {
        if (b.len && memmem(b.p, b.len, needles[i].p, needles[i].n)) {
            fail_msg("%s is in %s", needles[i].what, path);
        }
    }
    mst_buf_release(&b);
    return 0;
}

static enum mst_rc unlock(void *arg, const struct mst_key_object *k, struct mst_data_key *out,
                          struct mst_err *err)
{
    const struct mst_key_means means = {.identity = arg};

    return mst_key_object_open(k, &means, out, err);
}

/* Neither the passphrase nor the data key nor a document's text is in store or state. */
static void look_for_canaries(const char *id)
{
    struct mst_identity ops = {0};
    struct mst_store *s;
    struct mst_catalog c;
    struct mst_bkr *r;
    struct mst_err err = {0};
    char path[128], hex[2 * MST_DATA_KEY_LEN + 1];
    const uint8_t *raw;

    (void)snprintf(path, sizeof(path), "%s/ops.key", safe);
    assert_ok(mst_keyfile_identity(path, NULL, &ops, &err), &err);
    assert_ok(mst_store_local_open("local", store, false, &s, &err), &err);
    assert_ok(mst_catalog_init(&c, s, "", "rs0", &err), &err);
    c.unlock = unlock;
    c.unlock_arg = &ops;
    assert_ok(mst_bkr_open(&c, id, NULL, &r, &err), &err);
    raw = mst_bkr_sealing(r)->key->p;
    (void)mst_hex(raw, MST_DATA_KEY_LEN, hex);
    {
        const struct needle all[] = {
            {PHRASE, sizeof(PHRASE) - 1, "the passphrase"},
            {TEXT, sizeof(TEXT) - 1, "a document's text"},
            {raw, MST_DATA_KEY_LEN, "the data key"},
            {hex, sizeof(hex) - 1, "the data key in hex"},
            {ops.secret, MST_RECIPIENT_LEN, "the recipient's secret"},
        };

        needles = all;
        n_needles = MST_COUNT(all);
        n_files = 0;
        assert_int_equal(nftw(store, look_into, 16, FTW_PHYS), 0);
        assert_true(n_files >= 7);
        n_files = 0;
        assert_int_equal(nftw(home.dir, look_into, 16, FTW_PHYS), 0);
        assert_true(n_files >= 3); /* configuration, database, audit */
    }
    mst_bkr_free(r);
    mst_store_free(s);
    mst_identity_release(&ops);
}

/* --- the story -------------------------------------------------------------------------------- */

static void newest_id(char *id, size_t size)
{
    struct ran r;
    const char *at;

    MUST(&r, &home, 0, "bucket", "ls", "--json");
    at = strstr(mst_str_c(&r.out), "\"id\":\"");
    assert_non_null(at);
    (void)snprintf(id, size, "%.*s", (int)strcspn(at + 6, "\""), at + 6);
    ran_release(&r);
}

static void a_host_without_the_key_makes_a_backup_and_cannot_read_it(void **state)
{
    struct ran r;
    char id[64];

    (void)state;
    fill(&kit, TEXT);
    configure(0);
    DO(&home, 0, "backup");
    newest_id(id, sizeof(id));
    MUST(&r, &home, 0, "bucket", "ls");
    HAS(mst_str_c(&r.out), "COMPLETE");
    HAS(mst_str_c(&r.out), "sealed, signed by db1 (");
    ran_release(&r);
    MUST(&r, &home, 0, "verify", id);
    HAS(mst_str_c(&r.out), "hashed, but not opened");
    HAS(mst_str_c(&r.out), recipient_id);
    ran_release(&r);
    MUST(&r, &home, 0, "bucket", "ls");
    HAS(mst_str_c(&r.out), "hashed, not opened, good");
    ran_release(&r);
    MUST(&r, &home, 4, "bucket", "show", id);
    HAS(mst_str_c(&r.err), "is sealed");
    ran_release(&r);
    MUST(&r, &home, 4, "restore", id, "--include", "shop.*");
    HAS(mst_str_c(&r.err), recipient_id);
    ran_release(&r);
    all_are(&kit, TEXT);

    configure(WITH_IDENTITY); /* where the key is */
    MUST(&r, &home, 0, "verify", id);
    HAS(mst_str_c(&r.out), "read back whole");
    ran_release(&r);
    DO(&home, 0, "bucket", "show", id);
    fill(&kit, "changed");
    restore(&r, &home);
    expect(&r, 0);
    ran_release(&r);
    all_are(&kit, TEXT);
    look_for_canaries(id);
}

static void a_passphrase_is_enough_and_a_store_that_goes_back_is_said(void **state)
{
    struct ran r;
    char id[64], from[160], to[160];

    (void)state;
    fill(&kit, TEXT);
    configure(WITH_PHRASE);
    DO(&home, 0, "backup");
    newest_id(id, sizeof(id));
    DO(&home, 0, "backup");
    MUST(&r, &home, 0, "verify", id);
    HAS(mst_str_c(&r.out), "read back whole");
    ran_release(&r);
    look_for_canaries(id);
    newest_id(id, sizeof(id));
    (void)snprintf(from, sizeof(from), "%s/rs0/backups/%s", store, id);
    (void)snprintf(to, sizeof(to), "%s/held-back", safe);
    assert_int_equal(rename(from, to), 0);
    MUST(&r, &home, 0, "bucket", "ls");
    HAS(mst_str_c(&r.out), "WARNING: the store went back: number 2 (");
    ran_release(&r);
    MUST(&r, &home, 0, "verify");
    HAS(mst_str_c(&r.out), "WARNING: the store went back: number 2 (");
    ran_release(&r);
    assert_int_equal(rename(to, from), 0);
    MUST(&r, &home, 0, "bucket", "ls");
    assert_null(strstr(mst_str_c(&r.out), "WARNING"));
    ran_release(&r);
}

/* Somebody who may write to the store and has no signing key of ours. */
static void forge(const char *id)
{
    struct mst_sign_key stranger = {0};
    struct mst_commit c;
    struct mst_buf b = {0};
    struct mst_str s = {0};
    struct mst_err err = {0};
    char path[200];

    (void)snprintf(path, sizeof(path), "%s/rs0/backups/%s/COMMIT", store, id);
    assert_ok(mst_file_read(path, 1 << 16, &b, &err), &err);
    assert_ok(mst_commit_get((const char *)b.p, b.len, &c, &err), &err);
    assert_ok(mst_sign_key_new(&stranger, &err), &err);
    assert_ok(mst_commit_put(&c, &stranger, &s, &err), &err);
    assert_ok(mst_file_replace(path, 0600, s.p, s.len, &err), &err);
    mst_sign_key_release(&stranger);
    mst_str_release(&s);
    mst_buf_release(&b);
}

static void what_a_stranger_signed_or_nobody_is_not_restored(void **state)
{
    struct ran r;
    char id[64];

    (void)state;
    fill(&kit, TEXT);
    configure(UNSEALED | NOT_SIGNED);
    DO(&home, 0, "backup");
    newest_id(id, sizeof(id));
    MUST(&r, &home, 0, "bucket", "ls");
    HAS(mst_str_c(&r.out), "UNSEALED, UNSIGNED");
    ran_release(&r);
    MUST(&r, &home, 10, "restore", id, "--include", "shop.*");
    HAS(mst_str_c(&r.err), "is UNSIGNED, and seal.trusted says who must have signed");
    ran_release(&r);
    MUST(&r, &home, 2, "restore", "--include", "shop.*", "latest");
    HAS(mst_str_c(&r.err), "there is no complete backup");
    ran_release(&r);
    configure(WITH_IDENTITY);
    DO(&home, 0, "backup");
    newest_id(id, sizeof(id));
    forge(id);
    MUST(&r, &home, 0, "bucket", "ls");
    HAS(mst_str_c(&r.out), "FORGED");
    ran_release(&r);
    MUST(&r, &home, 5, "restore", id, "--include", "shop.*");
    HAS(mst_str_c(&r.err), "is FORGED: signed by");
    ran_release(&r);
    MUST(&r, &home, 5, "verify", id);
    HAS(mst_str_c(&r.out), "FORGED");
    ran_release(&r);
    all_are(&kit, TEXT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_host_without_the_key_makes_a_backup_and_cannot_read_it,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_passphrase_is_enough_and_a_store_that_goes_back_is_said,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_stranger_signed_or_nobody_is_not_restored, setup,
                                        teardown),
    };

    (void)setenv("TEST_MUSTER", TEST_MUSTER, 0);
    return cmocka_run_group_tests_name("sealed run", tests, NULL, NULL);
}
