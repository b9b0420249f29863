/* Keys that are set up wrongly, by the real program: nothing is called whole or sealed that is not,
 * no alarm is raised where nothing happened, and each sentence says what to do. */
#include "agents_kit.h"

static struct kit kit;
static struct home home;
static char one[64], two[64], ops[96], eva[96], sign[96];

static void put(const char *name, mode_t mode, const char *text)
{
    struct mst_err err = {0};
    char path[160];

    (void)snprintf(path, sizeof(path), "%s/%s", home.dir, name);
    assert_ok(mst_file_replace(path, mode, text, strlen(text), &err), &err);
}

/* A new key in the home; its public word. */
static void make(const char *what, const char *name, const char *label, const char *phrase,
                 char word[96])
{
    struct ran r;
    char path[160], file[160];
    const char *at;

    (void)snprintf(path, sizeof(path), "%s/%s", home.dir, name);
    (void)snprintf(file, sizeof(file), "%s/%s", home.dir, phrase ? phrase : "");
    if (phrase) {
        MUST(&r, &home, 0, "key", "new", what, path, "--label", label, "--passphrase-file", file);
    } else {
        MUST(&r, &home, 0, "key", "new", what, path, "--label", label, "--no-passphrase");
    }
    at = strstr(mst_str_c(&r.out), "word: ");
    assert_non_null(at);
    (void)snprintf(word, 96, "%.*s", (int)strcspn(at + 6, "\n"), at + 6);
    ran_release(&r);
}

/* Two directories as targets, and this section seal. */
static void configure(const char *seal)
{
    struct mst_str s = {0};

    mst_str_add(&s, "set = { name = \"rs0\"; class = \"SANDBOX\"; acts = [\"clean\"]; members = [");
    for (size_t i = 0; i < 3; i++) {
        mst_str_addf(&s, "%s\"127.0.0.1:%d\"", i ? ", " : "", sbx_world_port(kit.w, i));
    }
    mst_str_addf(&s,
                 "]; };\nstores = ({ name = \"one\"; type = \"local\"; path = \"%s\"; },\n"
                 "  { name = \"two\"; type = \"local\"; path = \"%s\"; });\n"
                 "backup = { stores = [\"one\", \"two\"]; copies = 2; };\nseal = { %s };\n",
                 one, two, seal);
    put("muster.conf", 0600, mst_str_c(&s));
    mst_str_release(&s);
}

/* The same, filled in: %s is the home's folder. */
static void configure_at(const char *seal)
{
    struct mst_str s = {0};

    for (const char *p = seal; *p; p++) {
        if (*p == '@') {
            mst_str_add(&s, home.dir);
        } else {
            mst_str_addc(&s, *p);
        }
    }
    configure(mst_str_c(&s));
    mst_str_release(&s);
}

static int setup(void **state)
{
    (void)state;
    kit_start(&kit, (struct sbx_opts){.fast = true, .seed = 1});
    temp_dir(one, sizeof(one));
    temp_dir(two, sizeof(two));
    home_make(&home, &kit, one);
    (void)snprintf(home.no_agent, sizeof(home.no_agent), "MUSTER_NO_AGENT=1");
    put("phrase", 0600, "correct horse battery\n");
    put("fails", 0700, "#!/bin/sh\nexit 3\n");
    put("rubbish", 0700, "#!/bin/sh\ncat >/dev/null\necho rubbish\n");
    put("wrap", 0700, "#!/bin/sh\ntr 0-9a-f a-f0-9\n");
    put("unwrap", 0700, "#!/bin/sh\ntr a-f0-9 0-9a-f\n");
    put("another", 0700, "#!/bin/sh\nunwrapped=$(tr a-f0-9 0-9a-f)\necho \"${unwrapped%??}00\"\n");
    make("--recipient", "ops.key", "ops", NULL, ops);
    make("--recipient", "eva.key", "eva", NULL, eva);
    make("--signer", "sign.key", "db1", "phrase", sign);
    fill(&kit, "keys");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    home_end(&home);
    kit_stop(&kit);
    temp_remove(one);
    temp_remove(two);
    return 0;
}

static void no_backup_is_there(void)
{
    struct ran r;

    MUST(&r, &home, 0, "bucket", "ls", "--json");
    assert_null(strstr(mst_str_c(&r.out), "COMPLETE"));
    ran_release(&r);
}

static void a_failed_backup_has_no_copy_that_is_called_whole(void **state)
{
    struct ran r;

    (void)state;
    configure_at("wrap_command = [\"@/fails\"];");
    MUST(&r, &home, 4, "backup");
    HAS(mst_str_c(&r.out), "fails failed (status 3)");
    assert_null(strstr(mst_str_c(&r.out), "is whole"));
    assert_null(strstr(mst_str_c(&r.err), "is whole"));
    ran_release(&r);
    no_backup_is_there();
}

static void what_a_program_wraps_must_open_before_there_is_a_backup(void **state)
{
    struct ran r;

    (void)state;
    configure_at("wrap_command = [\"@/rubbish\"]; unwrap_command = [\"@/unwrap\"];");
    MUST(&r, &home, 4, "backup");
    HAS(mst_str_c(&r.out), "rubbish printed does not open again: the unwrap command ");
    ran_release(&r);
    put("short", 0600, "qwertz\n");
    configure_at("passphrase_file = \"@/short\";"); /* a guess away from everybody */
    MUST(&r, &home, 2, "backup");
    HAS(mst_str_c(&r.out), "has 6 characters: it needs 8 at least");
    ran_release(&r);
    configure_at("wrap_command = [\"@/wrap\"]; unwrap_command = [\"@/another\"];");
    MUST(&r, &home, 4, "backup");
    HAS(mst_str_c(&r.out), "another makes another key of what the wrap command ");
    ran_release(&r);
    no_backup_is_there();
    configure_at("wrap_command = [\"@/wrap\"]; unwrap_command = [\"@/unwrap\"];");
    DO(&home, 0, "backup");
    MUST(&r, &home, 0, "verify");
    HAS(mst_str_c(&r.out), "read back whole");
    ran_release(&r);
    MUST(&r, &home, 0, "key", "list");
    HAS(mst_str_c(&r.out), "wraps data keys, and opens them");
    ran_release(&r);
    configure_at("wrap_command = [\"@/none\"];");
    MUST(&r, &home, 1, "key", "list");
    HAS(mst_str_c(&r.out), "it cannot be run");
    ran_release(&r);
}

static void a_locked_key_says_how_its_passphrase_is_given(void **state)
{
    struct ran r;
    char seal[400];

    (void)state;
    (void)snprintf(seal, sizeof(seal), "recipients = [\"%s ops\"]; signer_file = \"@/sign.key\";",
                   ops);
    configure_at(seal);
    (void)snprintf(home.no_agent, sizeof(home.no_agent), "MUSTER_NO_AGENT=");
    MUST(&r, &home, 4, "backup");
    HAS(mst_str_c(&r.out), "an agent asks nobody: name a file with it in "
                           "seal.signer_passphrase_file, or add --no-agent and be asked");
    ran_release(&r);
    DO(&home, 0, "agent", "stop");
    (void)snprintf(home.no_agent, sizeof(home.no_agent), "MUSTER_NO_AGENT=1");
    MUST(&r, &home, 4, "backup"); /* there is no terminal either */
    HAS(mst_str_c(&r.out), "there is none: name a file with it in section seal");
    ran_release(&r);
    no_backup_is_there();
}

static void a_console_that_believes_nobody_says_of_no_store_that_it_went_back(void **state)
{
    struct ran r;
    char seal[512];

    (void)state;
    (void)snprintf(seal, sizeof(seal),
                   "recipients = [\"%s ops\"]; signer_file = \"@/sign.key\"; "
                   "signer_passphrase_file = \"@/phrase\"; identity_file = \"@/ops.key\";",
                   ops);
    configure_at(seal);
    DO(&home, 0, "backup");
    MUST(&r, &home, 0, "bucket", "ls"); /* its number was seen */
    HAS(mst_str_c(&r.out), "signed by db1");
    ran_release(&r);
    configure_at("identity_file = \"@/ops.key\";");
    MUST(&r, &home, 0, "bucket", "ls");
    HAS(mst_str_c(&r.out), "signed, not checked");
    assert_null(strstr(mst_str_c(&r.out), "went back"));
    ran_release(&r);
    MUST(&r, &home, 0, "verify");
    assert_null(strstr(mst_str_c(&r.out), "went back"));
    ran_release(&r);
}

static void a_plan_says_what_the_next_backup_will_do(void **state)
{
    struct ran r;
    char seal[600];

    (void)state;
    (void)snprintf(seal, sizeof(seal),
                   "recipients = [\"%s ops\"]; escrow = [\"ops\"]; identity_file = \"@/ops.key\"; "
                   "signer_file = \"@/sign.key\"; signer_passphrase_file = \"@/phrase\";",
                   ops);
    configure_at(seal);
    DO(&home, 0, "backup");
    MUST(&r, &home, 0, "key", "add", eva, "eva");
    HAS(mst_str_c(&r.out), "new backups are not sealed to it before seal.recipients names it too");
    ran_release(&r);
    MUST(&r, &home, 0, "bucket", "show", "--store", "two");
    HAS(mst_str_c(&r.out), "\nopened by: ops, eva\n");
    ran_release(&r);
    MUST(&r, &home, 0, "key", "remove", "ops", "--dry-run");
    HAS(mst_str_c(&r.out), "the configuration still names ops, an escrow: the next backup is "
                           "sealed to it again unless that is taken out first");
    ran_release(&r);
    MUST(&r, &home, 0, "key", "remove", "eva", "--dry-run");
    assert_null(strstr(mst_str_c(&r.out), "still names"));
    ran_release(&r);
    configure_at("signer_file = \"@/sign.key\"; signer_passphrase_file = \"@/phrase\";");
    MUST(&r, &home, 4, "bucket", "show", "--json"); /* no key here: whose is it then? */
    HAS(mst_str_c(&r.out), "\"who\":\"ops, eva\"");
    ran_release(&r);
}

static void what_is_opened_says_whether_its_signature_was_judged(void **state)
{
    struct ran r;
    char key[160], other[160], dump[160], seal[400];

    (void)state;
    (void)snprintf(key, sizeof(key), "%s/ops.key", home.dir);
    (void)snprintf(dump, sizeof(dump), "%s/dump", home.dir);
    (void)snprintf(seal, sizeof(seal),
                   "recipients = [\"%s ops\"]; signer_file = \"@/sign.key\"; "
                   "signer_passphrase_file = \"@/phrase\";",
                   ops);
    configure_at(seal);
    DO(&home, 0, "backup");
    MUST(&r, &home, 0, "open", two, "--list");
    HAS(mst_str_c(&r.out), "sealed, signed, not checked, by ");
    ran_release(&r);
    (void)snprintf(other, sizeof(other), "%s/eva.key", home.dir);
    MUST(&r, &home, 4, "open", two, "--key", other, "--out", dump);
    HAS(mst_str_c(&r.err), " of eva, which does not open it: that takes the key ");
    HAS(mst_str_c(&r.err), "(ops)");
    ran_release(&r);
    MUST(&r, &home, 0, "key", "list", "--json");
    HAS(mst_str_c(&r.out), "\"type\":\"key_reminder\"");
    ran_release(&r);
    MUST(&r, &home, 0, "open", two, "--key", key, "--out", dump);
    HAS(mst_str_c(&r.out), "sealed, signed, not checked, by ");
    HAS(mst_str_c(&r.out), "; --signer WORD says whose signature must be on it");
    ran_release(&r);
    temp_remove(dump);
    MUST(&r, &home, 0, "open", two, "--key", key, "--out", dump, "--signer", sign);
    HAS(mst_str_c(&r.out), "  sealed, signed by ");
    ran_release(&r);
    temp_remove(dump);
    temp_remove(one);
    temp_remove(two);
    temp_dir(one, sizeof(one));
    temp_dir(two, sizeof(two));
    configure_at("");
    DO(&home, 0, "backup");
    MUST(&r, &home, 0, "open", two, "--out", dump);
    HAS(mst_str_c(&r.out), "  UNSEALED, UNSIGNED\n");
    ran_release(&r);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_failed_backup_has_no_copy_that_is_called_whole),
        TEST(what_a_program_wraps_must_open_before_there_is_a_backup),
        TEST(a_locked_key_says_how_its_passphrase_is_given),
        TEST(a_console_that_believes_nobody_says_of_no_store_that_it_went_back),
        TEST(a_plan_says_what_the_next_backup_will_do),
        TEST(what_is_opened_says_whether_its_signature_was_judged),
    };

    (void)setenv("TEST_MUSTER", TEST_MUSTER, 0);
    (void)setsid(); /* no terminal: nothing can be asked */
    return cmocka_run_group_tests_name("keys that are wrong", tests, NULL, NULL);
}
