#include "test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "cfg/cfg.h"
#include "cfg/tier.h"

static char dir[64], file[96];

static int setup(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/mst-cfg-XXXXXX");
    assert_non_null(mkdtemp(dir));
    (void)snprintf(file, sizeof(file), "%s/muster.conf", dir);
    (void)setenv("MUSTER_DIR", dir, 1);
    (void)unsetenv("MUSTER_URI");
    (void)unsetenv("MUSTER_CONFIG");
    (void)unsetenv("MUSTER_PASSWORD_FILE");
    return 0;
}

static int teardown(void **state)
{
    char path[128];

    (void)state;
    (void)unlink(file);
    (void)snprintf(path, sizeof(path), "%s/pw", dir);
    (void)unlink(path);
    return rmdir(dir);
}

static void put(const char *name, const char *text, mode_t mode)
{
    char path[128];
    struct mst_err err = {0};

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    assert_ok(mst_file_replace(path, mode, text, strlen(text), &err), &err);
}

static enum mst_rc load(const char *text, struct mst_cfg **cfg, struct mst_str *all,
                        struct mst_err *err)
{
    const struct mst_cfg_where w = {0};

    put("muster.conf", text, 0600);
    return mst_cfg_open(&w, cfg, all, err);
}

static void a_whole_file_is_read(void **state)
{
    static const char text[] =
        "set = { name = \"rs0\"; class = \"SANDBOX\"; note = \"a note\"; acts = [\"restore\"];\n"
        "  members = [\"a:1\", \"b:2\"];\n"
        "  dial = ({ name = \"a:1\"; address = \"127.0.0.1:9\"; });\n"
        "  tls = { on = true; ca_file = \"ca.pem\"; };\n"
        "  credentials = { view = { user = \"m\"; password_file = \"pw\"; };\n"
        "                  backup = { user = \"b\"; prompt = true; }; }; };\n"
        "stores = ({ name = \"local\"; type = \"local\"; path = \"/srv\"; });\n"
        "backup = { scans = 3; };\n"
        "sandbox = { control = \"ctl.sock\"; };\n";
    struct mst_cfg *cfg;
    struct mst_err err = {0};
    char want[128], why[160];
    const struct mst_cfg_store *st;

    (void)state;
    assert_ok(load(text, &cfg, NULL, &err), &err);
    assert_string_equal(cfg->set.name, "rs0");
    assert_string_equal(cfg->set.label, "rs0");
    assert_int_equal(cfg->set.members.n, 2);
    assert_string_equal(cfg->set.members.item[1], "b:2");
    assert_int_equal(cfg->set.n_dial, 1);
    assert_string_equal(cfg->set.dial[0].address, "127.0.0.1:9");
    assert_true(cfg->set.tls.on);
    (void)snprintf(want, sizeof(want), "%s/ca.pem", dir);
    assert_string_equal(cfg->set.tls.ca_file, want);
    assert_int_equal(cfg->backup.scans, 3);
    assert_int_equal(cfg->backup.lag_pause_ms, 10000);
    assert_ok(mst_cfg_store(cfg, "", &st, &err), &err);
    assert_string_equal(st->path, "/srv");
    assert_string_equal(mst_cfg_cred(cfg, MST_CRED_BACKUP)->user, "b");
    assert_string_equal(mst_cfg_cred(cfg, MST_CRED_RESTORE)->user, "m");
    assert_true(mst_cfg_may(cfg, "restore", why, sizeof(why)));
    assert_false(mst_cfg_may(cfg, "switch", why, sizeof(why)));
    assert_non_null(strstr(why, "set.acts"));
    mst_cfg_free(cfg);
}

static void what_show_prints_can_be_read_again(void **state)
{
    struct mst_cfg *cfg;
    struct mst_err err = {0};
    struct mst_str out = {0}, again = {0};

    (void)state;
    assert_ok(load("set = { name = \"r\\\"s\"; members = [\"a:1\"]; credentials = { view = { user "
                   "= \"u\"; password_command = [\"pass\", \"a b\"]; }; }; };\n"
                   "stores = ({ name = \"l\"; type = \"local\"; path = \"/x\"; }, { name = \"m\"; "
                   "type = \"local\"; path = \"/y\"; });\n"
                   "backup = { rate_bytes_per_s = 99999999999L; };",
                   &cfg, NULL, &err),
              &err);
    mst_cfg_show(cfg, &out);
    mst_cfg_free(cfg);
    assert_ok(load(mst_str_c(&out), &cfg, NULL, &err), &err);
    mst_cfg_show(cfg, &again);
    assert_string_equal(mst_str_c(&out), mst_str_c(&again));
    mst_str_release(&out);
    mst_str_release(&again);
    mst_cfg_free(cfg);
}

#define GCS(rest) "stores = (\n  { name = \"a\"; type = \"gcs\"; " rest " });"
#define S3(rest) "stores = (\n  { name = \"a\"; type = \"s3\"; " rest " });"

/* Each wrong file with the line and the words that its message must hold. */
static void every_mistake_is_named_with_its_line(void **state)
{
    static const struct {
        const char *text, *line, *words;
    } bad[] = {
        {"set = {\n  nmae = \"x\";\n};", ":2:", "did you mean name"},
        {"set = {\n  zzzzzz = \"x\";\n};", ":2:", "set knows name"},
        {"sett = {\n};", ":1:", "did you mean set"},
        {"set = {\n  name = \"x\"\n  label = ;\n};", ":3:", "syntax error"},
        {"set = {\n  name = 3;\n};", ":2:", "it must be text"},
        {"set = {\n  members = \"a:1\";\n};", ":2:", "it must be a list"},
        {"set = {\n  members = [1, 2];\n};", ":2:", "every element must be text"},
        {"set = {\n  class = \"prod\";\n};", ":2:", "one of PROD, TEST, SANDBOX"},
        {"set = {\n  acts = [\"restor\"];\n};", ":2:", "one of restore, import"},
        {"backup = {\n  scans = 99;\n};", ":2:", "from 1 to 16"},
        {"backup = {\n  scans = 1.5;\n};", ":2:", "whole number"},
        {"backup = {\n  scans = \"2\";\n};", ":2:", "is text: it must be a whole number"},
        {"\nbackup = {\n  store = \"no\";\n};", ":2:", "no store has this name"},
        {"set = 5;", ":1:", "must be a group"},
        {"stores = {\n};", ":1:", "list of groups"},
        {"stores = (\n  { name = \"a\"; type = \"local\"; });", ":2:", "has no path"},
        {"stores = (\n  { name = \"a\"; type = \"ftp\"; });", ":2:", "one of local, s3, gcs"},
        {"stores = (\n  { name = \"a\"; type = \"s3\"; bucket = \"bb\";\n  path = \"/\"; });",
         ":3:", "for the type \"local\" only"},
        {"stores = (\n  { name = \"a\"; type = \"local\"; path = \"/\";\n bucket = \"bb\"; });",
         ":3:", "for the type \"s3 or gcs\" only"},
        {S3("bucket = \"bb\"; secret_key = \"x\";"), ":2:", "a secret does not stand in this file"},
        {S3(""), ":2:", "has no bucket"},
        {S3("bucket = \"bb\"; profile = \"minio\";"), ":2:", "has no endpoint"},
        {S3("bucket = \"bb\"; profile = \"nosuch\";"), ":2:", "one of aws, minio"},
        {S3("bucket = \"bb\"; endpoint = \"h:80\";"), ":2:", "like https://host:port"},
        {S3("bucket = \"bb\"; endpoint = \"http://h\";"), ":2:", "plain_http = true"},
        {S3("bucket = \"bb\"; endpoint = \"https://u:p@h\";"), ":2:", "no name or password"},
        {S3("bucket = \"bb\"; proxy_login_file = \"f\";"), ":2:", "of use with proxy only"},
        {S3("bucket = \"bb\"; proxy = \"h:1\";"), ":2:", "socks5h://host:port"},
        {S3("bucket = \"vault/site\";"), ":2:", "what is below it is the prefix"},
        {S3("bucket = \"bb\"; access_key = \"A\";"), ":2:", "exactly one of secret_key_file"},
        {S3("bucket = \"bb\"; access_key = \"AKID \"; secret_key_file = \"f\";"),
         ":2:", "a blank or another sign"},
        {S3("bucket = \"bb\"; secret_key_file = \"A\";"), ":2:", "a secret and no access_key"},
        {S3("bucket = \"bb\"; access_key = \"A\"; secret_key_file = \"f\"; credentials_file = "
            "\"c\";"),
         ":2:", "exclude each other"},
        {S3("bucket = \"bb\"; sse_key = \"A\";"), ":2:", "of use with sse"},
        {S3("bucket = \"bb\"; lock_days = -1;"), ":2:", "from 0 to 36500"},
        {S3("bucket = \"bb\"; lock_mode = \"FOREVER\";"), ":2:", "one of GOVERNANCE, COMPLIANCE"},
        {S3("bucket = \"bb\"; profile = \"gcs\"; lock_days = 3;"), ":2:", "use type gcs"},
        {S3("bucket = \"bb\"; storage_class = \"GLACIER\";"), ":2:", "no backup could end there"},
        {S3("bucket = \"bb\"; tags = [\"team\"];"), ":2:", "\"team\" is no tag: name=value"},
        {S3("bucket = \"bb\"; tags = [\"a=1\", \"a=2\"];"), ":2:", "has the tag a twice"},
        {S3("bucket = \"bb\"; part_bytes = 1000;"), ":2:", "from 5242880 to"},
        {GCS(""), ":2:", "has no bucket"},
        {GCS("bucket = \"abc\";"), ":2:", "needs exactly one of service_account_file"},
        {GCS("bucket = \"abc\"; metadata = true; token_command = [\"x\"];"),
         ":2:", "needs exactly one of service_account_file"},
        {GCS("bucket = \"abc\"; metadata = true; chunk_bytes = 262145;"),
         ":2:", "chunk_bytes is not a multiple of 262144"},
        {GCS("bucket = \"abc\"; metadata = true; sse = \"AES256\";"),
         ":2:", "for the type \"s3\" only"},
        {GCS("bucket = \"abc\"; metadata = true; endpoint = \"http://h\";"),
         ":2:", "plain_http = true"},
        {S3("bucket = \"abc\"; metadata = true;"), ":2:", "for the type \"gcs\" only"},
        {"set = { class = \"PROD\"; };\nstores = ({ name = \"a\"; type = \"s3\"; bucket = \"bb\"; "
         "plain_http = true; endpoint = \"http://10.0.0.1:9000\"; });",
         ":2:", "class PROD is not sent without TLS"},
        {"set = { class = \"PROD\"; };\nstores = ({ name = \"a\"; type = \"s3\"; bucket = \"bb\"; "
         "plain_http = true; endpoint = \"http://127.0.0.1:9000\"; proxy = \"http://10.0.0.1:1\"; "
         "});",
         ":2:", "class PROD is not sent there without TLS"},
        {"stores = ({ name = \"a\"; type = \"local\"; path = \"/x\"; },\n"
         "{ name = \"b\"; type = \"local\"; path = \"/x/\"; });\n"
         "backup = { stores = [\"a\", \"b\"]; };",
         ":3:", "names a and b, which are one place"},
        {"set = {\n  tls = {\n    on = 1;\n  };\n};", ":3:", "true or false"},
        {"set = {\n  credentials = {\n    view = {\n      password = \"x\";\n }; }; };",
         ":4:", "use password_file"},
        {"set = { credentials = { view = { user = \"x\"; }; }; };", ":1:", "exactly one of"},
        {"set = { credentials = { view = { prompt = true; }; }; };", ":1:", "has no user"},
        {"set = { members = [\"a\"]; srv = \"b\"; };", ":1:", "exclude each other"},
        {"limits = { lag_warn_ms = 90000; };", ":1:", "milder"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct mst_cfg *cfg;
        struct mst_err err = {0};
        char at[128];

        assert_rc(load(bad[i].text, &cfg, NULL, &err), MST_E_CONFIG, &err);
        assert_null(cfg);
        (void)snprintf(at, sizeof(at), "%s%s", file, bad[i].line);
        if (!strstr(err.msg, at) || !strstr(err.msg, bad[i].words)) {
            fail_msg("case %zu: \"%s\" lacks %s or \"%s\"", i, err.msg, at, bad[i].words);
        }
    }
}

static void all_mistakes_are_listed_at_once(void **state)
{
    struct mst_cfg *cfg;
    struct mst_err err = {0};
    struct mst_str all = {0};

    (void)state;
    assert_rc(
        load("set = {\n  nmae = \"x\";\n  class = \"X\";\n};\nbackpu = {};", &cfg, &all, &err),
        MST_E_CONFIG, &err);
    assert_non_null(strstr(mst_str_c(&all), ":2:"));
    assert_non_null(strstr(mst_str_c(&all), ":3:"));
    assert_non_null(strstr(mst_str_c(&all), ":5:"));
    mst_str_release(&all);
}

static void hostile_text_in_a_file_is_sanitised(void **state)
{
    struct mst_cfg *cfg;
    struct mst_err err = {0};

    (void)state;
    assert_ok(load("\xef\xbb\xbfset = { members = [\"a:1\"]; note = \"x\\x1b[31my\"; };", &cfg,
                   NULL, &err),
              &err);
    assert_null(strchr(cfg->set.note, 27));
    mst_cfg_free(cfg);
}

static void a_missing_file_and_an_empty_environment_say_what_to_do(void **state)
{
    struct mst_cfg *cfg;
    struct mst_err err = {0};
    struct mst_cfg_where w = {0};

    (void)state;
    assert_rc(mst_cfg_open(&w, &cfg, NULL, &err), MST_E_CONFIG, &err);
    assert_non_null(strstr(err.msg, "--uri"));
    w.config = "/nonexistent/m.conf";
    assert_rc(mst_cfg_open(&w, &cfg, NULL, &err), MST_E_CONFIG, &err);
    assert_non_null(strstr(err.msg, "no such file"));
}

static void a_file_that_others_can_write_is_refused(void **state)
{
    static const char text[] = "set = { members = [\"db1:27017\"]; };";
    struct mst_cfg *cfg = NULL;
    struct mst_err err = {0};
    struct mst_cfg_where w = {0};

    (void)state;
    put("muster.conf", text, 0600);
    assert_int_equal(chmod(file, 0664), 0); /* a group of the user's own */
    assert_ok(mst_cfg_open(&w, &cfg, NULL, &err), &err);
    mst_cfg_free(cfg);
    assert_int_equal(chmod(file, 0666), 0);
    assert_rc(mst_cfg_open(&w, &cfg, NULL, &err), MST_E_CONFIG, &err);
    assert_non_null(
        strstr(err.msg, "muster.conf can be written by others (mode 0666): chmod go-w"));
}

static void a_password_in_a_uri_is_refused(void **state)
{
    struct mst_cfg *cfg;
    struct mst_err err = {0};
    struct mst_cfg_where w = {.uri = "mongodb://u:p@h:1/"};

    (void)state;
    assert_rc(mst_cfg_open(&w, &cfg, NULL, &err), MST_E_USAGE, &err);
    assert_non_null(strstr(err.msg, "--password-file"));
    assert_null(strstr(err.msg, "u:p"));
    assert_true(mst_cfg_uri_has_password("mongodb://u:p@x@h/"));
    assert_true(mst_cfg_uri_has_password("mongodb+srv://u:@h/"));
    assert_false(mst_cfg_uri_has_password("mongodb://u@h:27017/?a=b:c@d"));
    assert_false(mst_cfg_uri_has_password("mongodb://h:27017,i:27018"));
    w.uri = "mongodb://u@h:1/";
    assert_ok(mst_cfg_open(&w, &cfg, NULL, &err), &err);
    mst_cfg_free(cfg);
}

static void a_password_comes_from_a_private_file_only(void **state)
{
    struct mst_cfg *cfg;
    struct mst_err err = {0};
    struct mst_secret s = {0};

    (void)state;
    assert_ok(load("set = { members = [\"a:1\"]; credentials = { view = { user = \"u\"; "
                   "password_file = \"pw\"; }; }; };",
                   &cfg, NULL, &err),
              &err);
    put("pw", "hunter2\nrest\n", 0600);
    assert_ok(
        mst_cfg_password(mst_cfg_cred(cfg, MST_CRED_VIEW), MST_CRED_VIEW, NULL, NULL, &s, &err),
        &err);
    assert_string_equal(s.p, "hunter2");
    mst_secret_release(&s);
    put("pw", "hunter2\n", 0644);
    assert_rc(
        mst_cfg_password(mst_cfg_cred(cfg, MST_CRED_VIEW), MST_CRED_VIEW, NULL, NULL, &s, &err),
        MST_E_CONFIG, &err);
    assert_non_null(strstr(err.msg, "chmod 600"));
    mst_cfg_free(cfg);
}

static enum mst_rc by_command(const char *cmd, struct mst_secret *s, struct mst_err *err)
{
    char text[512];
    struct mst_cfg *cfg;
    enum mst_rc rc;

    (void)snprintf(text, sizeof(text),
                   "set = { members = [\"a:1\"]; credentials = { view = { user = \"u\"; "
                   "password_command = %s; }; }; };",
                   cmd);
    assert_ok(load(text, &cfg, NULL, err), err);
    rc = mst_cfg_password(mst_cfg_cred(cfg, MST_CRED_VIEW), MST_CRED_VIEW, NULL, NULL, s, err);
    mst_cfg_free(cfg);
    return rc;
}

static void a_password_comes_from_a_program_without_a_shell(void **state)
{
    struct mst_err err = {0};
    struct mst_secret s = {0};

    (void)state;
    assert_ok(by_command("[\"printf\", \"%s\\n\", \"a $HOME b\"]", &s, &err), &err);
    assert_string_equal(s.p, "a $HOME b");
    mst_secret_release(&s);
    assert_rc(by_command("[\"false\"]", &s, &err), MST_E_AUTH, &err);
    assert_rc(by_command("[\"true\"]", &s, &err), MST_E_AUTH, &err);
    assert_rc(by_command("[\"/nonexistent/x\"]", &s, &err), MST_E_CONFIG, &err);
    assert_rc(by_command("[\"head\", \"-c\", \"200000\", \"/dev/zero\"]", &s, &err), MST_E_AUTH,
              &err);
}

/* A connection that is open at this moment, and a signal that the worker blocks. */
static void a_program_gets_nothing_that_it_is_not_meant_to_have(void **state)
{
    struct mst_err err = {0};
    struct mst_secret s = {0};
    sigset_t block, was;
    const int fd = dup2(STDERR_FILENO, 200);

    (void)state;
    assert_int_equal(fd, 200);
    (void)sigemptyset(&block);
    (void)sigaddset(&block, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &block, &was);
    (void)signal(SIGPIPE, SIG_IGN);
    assert_ok(by_command("[\"sh\", \"-c\", \"test -e /proc/$$/fd/200 && echo open || echo "
                         "closed\"]",
                         &s, &err),
              &err);
    assert_string_equal(s.p, "closed");
    mst_secret_release(&s);
    assert_ok(by_command("[\"sed\", \"-n\", \"s/^SigBlk:[^0-9a-f]*//p\", "
                         "\"/proc/self/status\"]",
                         &s, &err),
              &err);
    assert_string_equal(s.p, "0000000000000000");
    mst_secret_release(&s);
    assert_ok(by_command("[\"sed\", \"-n\", \"s/^SigIgn:[^0-9a-f]*//p\", "
                         "\"/proc/self/status\"]",
                         &s, &err),
              &err);
    assert_int_equal(strtoull(s.p, NULL, 16) & (1U << (SIGPIPE - 1)), 0);
    mst_secret_release(&s);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)sigprocmask(SIG_SETMASK, &was, NULL);
    (void)close(fd);
}

static enum mst_rc answer(void *arg, const char *what, struct mst_secret *s, struct mst_err *err)
{
    (void)arg;
    (void)err;
    assert_string_equal(what, "password of u (switch)");
    mst_secret_set(s, "typed", 5);
    return MST_OK;
}

static void a_prompt_is_asked_through_the_caller(void **state)
{
    const struct mst_cfg_cred k = {.set = true, .user = "u", .prompt = true};
    struct mst_err err = {0};
    struct mst_secret s = {0};

    (void)state;
    assert_ok(mst_cfg_password(&k, MST_CRED_SWITCH, answer, NULL, &s, &err), &err);
    assert_string_equal(s.p, "typed");
    mst_secret_release(&s);
    assert_rc(mst_cfg_password(&k, MST_CRED_SWITCH, NULL, NULL, &s, &err), MST_E_AUTH, &err);
    assert_non_null(strstr(err.msg, "password_file"));
}

#define READER "mstpub-8af7bca0518be227dc23232b4501f54cb67a498f5c36452ed12c5a2476c50006d380dbf0"
#define SIGNER "mstsig-fc6f22ff1d663b9376b3cec01d944e3346d714c3caa7df9ff823b1d57c83df630c0d0519"

static void keys_stand_in_a_section_of_their_own(void **state)
{
    static const char text[] =
        "set = { members = [\"a:1\"]; };\n"
        "seal = { recipients = [\"" READER " the safe\"]; escrow = [\"the safe\"];\n"
        "  trusted = [\"" SIGNER "\"]; signer_file = \"s.key\"; escrow_days = 30; };\n";
    struct mst_cfg *cfg;
    struct mst_err err = {0};
    uint8_t pub[32];
    char label[64], want[128];

    (void)state;
    assert_ok(load(text, &cfg, NULL, &err), &err);
    (void)snprintf(want, sizeof(want), "%s/s.key", dir);
    assert_string_equal(cfg->seal.signer_file, want);
    assert_int_equal(cfg->seal.escrow_days, 30);
    assert_ok(mst_cfg_pub(cfg->seal.recipients.item[0], MST_KEY_RECIPIENT, pub, label, &err), &err);
    assert_string_equal(label, "the safe");
    assert_int_equal(pub[0], 0x8a);
    assert_true(mst_cfg_is_escrow(cfg, label));
    assert_false(mst_cfg_is_escrow(cfg, "ops"));
    assert_ok(mst_cfg_pub(cfg->seal.trusted.item[0], MST_KEY_SIGNER, pub, label, &err), &err);
    assert_string_equal(label, "");
    mst_cfg_free(cfg);
}

static void mistakes_with_keys_have_a_sentence_each(void **state)
{
    static const struct {
        const char *seal, *says;
    } cases[] = {
        {"recipients = [\"mstpub-8bf7bca0518be227dc23232b4501f54cb67a498f5c36452ed12c5a2476c50006"
         "d380dbf0\"];",
         "muster.conf:2: seal.recipients, number 1: the public word has a slip in it"},
        {"recipients = [\"" SIGNER "\"];", "this is the public word of a signer"},
        {"trusted = [\"mstsec-00\"];", "this is the secret half of a key"},
        {"recipients = [\"" READER "\", \"" READER " b\"];", "holds the same key twice"},
        {"recipients = [\"" READER " ops\"]; escrow = [\"safe\"];",
         "seal.escrow names \"safe\": no recipient is called so"},
        {"signer_passphrase_file = \"p\";", "of no use without signer_file"},
        {"identity_passphrase_file = \"p\";", "of no use without identity_file"},
        {"escrow_days = 0;", "seal.escrow_days is 0: it must be from 1"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mst_str s = {0};
        struct mst_cfg *cfg = NULL;
        struct mst_err err = {0};

        mst_str_addf(&s, "set = { members = [\"a:1\"]; };\nseal = { %s };\n", cases[i].seal);
        assert_rc(load(s.p, &cfg, NULL, &err), MST_E_CONFIG, &err);
        if (!strstr(err.msg, cases[i].says)) {
            fail_msg("%s said: %s", cases[i].seal, err.msg);
        }
        mst_str_release(&s);
    }
}

static void a_program_wraps_a_key_and_gives_it_back(void **state)
{
    /* As a key service would: something that is not the key, and the way back. */
    static const char text[] =
        "set = { members = [\"a:1\"]; };\n"
        "seal = { wrap_command = [\"/bin/sh\", \"-c\", \"tr 0-9a-f f0-9a-e\"];\n"
        "  unwrap_command = [\"/bin/sh\", \"-c\", \"tr f0-9a-e 0-9a-f; echo\"]; };\n";
    struct mst_wrap_slot slot;
    struct mst_data_key key = {0}, got = {0};
    struct mst_cfg *cfg;
    struct mst_err err = {0};

    (void)state;
    assert_ok(load(text, &cfg, NULL, &err), &err);
    assert_ok(mst_data_key_new(&key, &err), &err);
    assert_ok(mst_cfg_wrap(cfg, &key, &slot, &err), &err);
    assert_int_equal(slot.kind, MST_WRAP_COMMAND);
    assert_int_equal(slot.n, 64);
    assert_ok(mst_cfg_unwrap(cfg, &slot, &got, &err), &err);
    assert_memory_equal(got.p, key.p, MST_DATA_KEY_LEN);
    (void)snprintf(cfg->seal.wrap_command.item[2], MST_CFG_WORD, "cat");
    assert_rc(mst_cfg_wrap(cfg, &key, &slot, &err), MST_E_CONFIG, &err);
    assert_non_null(strstr(err.msg, "printed the key as it is"));
    (void)snprintf(cfg->seal.wrap_command.item[2], MST_CFG_WORD, "cat >/dev/null");
    assert_rc(mst_cfg_wrap(cfg, &key, &slot, &err), MST_E_AUTH, &err);
    assert_non_null(strstr(err.msg, "printed nothing"));
    (void)snprintf(cfg->seal.wrap_command.item[2], MST_CFG_WORD, "head -c 2000 /dev/zero");
    assert_rc(mst_cfg_wrap(cfg, &key, &slot, &err), MST_E_AUTH, &err);
    assert_non_null(strstr(err.msg, "printed too much"));
    (void)snprintf(cfg->seal.unwrap_command.item[2], MST_CFG_WORD, "echo no");
    assert_rc(mst_cfg_unwrap(cfg, &slot, &got, &err), MST_E_AUTH, &err);
    assert_non_null(strstr(err.msg, "did not print 64 hex digits"));
    (void)snprintf(cfg->seal.unwrap_command.item[2], MST_CFG_WORD, "exit 3");
    assert_rc(mst_cfg_unwrap(cfg, &slot, &got, &err), MST_E_AUTH, &err);
    assert_non_null(strstr(err.msg, "failed (status 3)"));
    mst_data_key_release(&key);
    mst_data_key_release(&got);
    mst_cfg_free(cfg);
}

static void hours_of_the_day_may_pass_midnight(void **state)
{
    static const struct {
        const char *hours;
        int64_t minute; /* of the day */
        bool in;
    } cases[] = {
        {"22:00-04:00", 22 * 60, true},
        {"22:00-04:00", 23 * 60 + 59, true},
        {"22:00-04:00", 0, true},
        {"22:00-04:00", 3 * 60 + 59, true},
        {"22:00-04:00", 4 * 60, false},
        {"22:00-04:00", 12 * 60, false},
        {"01:30-02:00", 60 + 29, false},
        {"01:30-02:00", 60 + 30, true},
        {"00:00-24:00", 23 * 60 + 59, true},
    };
    static const char *const wrong[] = {
        "",         "22-4",        "22:00",       "25:00-01:00", "22:00-22:00",
        "1:2-3:4x", "-1:00-02:00", "22:60-23:00", "23:00-24:01"};
    struct mst_cfg_list none = {0};
    int a, b;

    (void)state;
    assert_true(mst_cfg_hours_now(&none, 0));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char item[1][MST_CFG_WORD];
        struct mst_cfg_list one = {1, item};

        (void)snprintf(item[0], sizeof(item[0]), "%s", cases[i].hours);
        if (mst_cfg_hours_now(&one, (20000 * INT64_C(1440) + cases[i].minute) * 60000) !=
            cases[i].in) {
            fail_msg("minute %d in %s", (int)cases[i].minute, cases[i].hours);
        }
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (mst_cfg_hours_parse(wrong[i], &a, &b)) {
            fail_msg("\"%s\" was taken", wrong[i]);
        }
    }
}

static void a_store_far_away_has_its_options(void **state)
{
    const struct mst_cfg_store *st;
    struct mst_secret secret = {0};
    struct mst_str shown = {0};
    struct mst_cfg *cfg;
    struct mst_err err = {0};
    char where[128];

    (void)state;
    assert_ok(
        load("set = { members = [\"a:1\"]; class = \"PROD\"; };\n"
             "stores = ({ name = \"here\"; type = \"local\"; path = \"/srv\"; },\n"
             "  { name = \"far\"; type = \"s3\"; bucket = \"vault\"; prefix = \"site\"; plain_http "
             "= true;\n    endpoint = \"http://127.0.0.1:9000\"; profile = \"minio\"; access_key = "
             "\"AKID\";\n    secret_key_command = [\"printf\", \"from-a-command\\nmore\"]; });\n"
             "backup = { store = \"far\"; };",
             &cfg, NULL, &err),
        &err);
    assert_ok(mst_cfg_store(cfg, "", &st, &err), &err);
    assert_string_equal(st->bucket, "vault");
    assert_int_equal(st->connections, 4); /* defaults reach every group of a list */
    assert_int_equal(st->part_bytes, 8388608);
    mst_cfg_store_where(st, where, sizeof(where));
    assert_string_equal(where, "bucket vault/site at 127.0.0.1:9000");
    assert_ok(mst_cfg_store_secret(st, &secret, &err), &err);
    assert_string_equal(secret.p, "from-a-command");
    mst_cfg_show(cfg, &shown);
    assert_non_null(strstr(shown.p, "bucket = \"vault\""));
    assert_ptr_equal(strstr(strstr(shown.p, "path = \"/srv\"") + 1, "path = "), NULL);
    mst_str_release(&shown);
    mst_secret_release(&secret);
    mst_cfg_free(cfg);
}

static void a_store_at_google_has_its_options(void **state)
{
    const struct mst_cfg_store *st;
    struct mst_str shown = {0};
    struct mst_cfg *cfg;
    struct mst_err err = {0};
    char where[128];

    (void)state;
    assert_ok(load("set = { members = [\"a:1\"]; };\n"
                   "stores = ({ name = \"cloud\"; type = \"gcs\"; bucket = \"vault\"; prefix = "
                   "\"site\";\n    token_command = [\"gcloud\", \"auth\", "
                   "\"print-access-token\"]; storage_class = \"NEARLINE\"; });",
                   &cfg, NULL, &err),
              &err);
    assert_ok(mst_cfg_store(cfg, "", &st, &err), &err);
    assert_int_equal(st->token_command.n, 3);
    assert_int_equal(st->chunk_bytes, 16777216);
    mst_cfg_store_where(st, where, sizeof(where));
    assert_string_equal(where, "bucket vault/site at Google Cloud Storage");
    mst_cfg_show(cfg, &shown);
    assert_non_null(strstr(shown.p, "token_command = "));
    assert_null(strstr(shown.p, "access_key"));
    mst_str_release(&shown);
    mst_cfg_free(cfg);
    assert_ok(load("set = { members = [\"a:1\"]; };\n"
                   "stores = ({ name = \"cloud\"; type = \"s3\"; profile = \"gcs\"; bucket = "
                   "\"vault\"; access_key = \"GOOG1\"; secret_key_file = \"k\"; });",
                   &cfg, NULL, &err),
              &err);
    assert_ok(mst_cfg_store(cfg, "", &st, &err), &err);
    mst_cfg_store_where(st, where, sizeof(where));
    assert_string_equal(where, "bucket vault at Google Cloud Storage");
    mst_cfg_free(cfg);
}

static void classes_of_archive_tiers_are_known(void **state)
{
    static const struct {
        const char *storage_class;
        bool sleeps, may;
        const char *takes;
    } rows[] = {
        {"GLACIER", true, true, "3 to 5 hours"},
        {"DEEP_ARCHIVE", true, true, "up to 12 hours"},
        {"INTELLIGENT_TIERING", false, true, "3 to 12 hours"},
        {"GLACIER_IR", false, false, ""},
        {"ARCHIVE", false, false, ""}, /* Google's are read at once */
        {"mixed", false, false, ""},
        {"", false, false, ""},
    };

    (void)state;
    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        assert_int_equal(mst_tier_sleeps(rows[i].storage_class), rows[i].sleeps);
        assert_int_equal(mst_tier_may_sleep(rows[i].storage_class), rows[i].may);
        assert_string_equal(mst_tier_takes(rows[i].storage_class), rows[i].takes);
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(keys_stand_in_a_section_of_their_own),
        T(mistakes_with_keys_have_a_sentence_each),
        T(a_program_wraps_a_key_and_gives_it_back),
        T(a_file_that_others_can_write_is_refused),
        T(a_store_far_away_has_its_options),
        T(a_store_at_google_has_its_options),
        cmocka_unit_test(hours_of_the_day_may_pass_midnight),
        cmocka_unit_test(classes_of_archive_tiers_are_known),
        T(a_whole_file_is_read),
        T(what_show_prints_can_be_read_again),
        T(every_mistake_is_named_with_its_line),
        T(all_mistakes_are_listed_at_once),
        T(hostile_text_in_a_file_is_sanitised),
        T(a_missing_file_and_an_empty_environment_say_what_to_do),
        T(a_password_in_a_uri_is_refused),
        T(a_password_comes_from_a_private_file_only),
        T(a_password_comes_from_a_program_without_a_shell),
        T(a_program_gets_nothing_that_it_is_not_meant_to_have),
        T(a_prompt_is_asked_through_the_caller),
    };
    return cmocka_run_group_tests_name("cfg", tests, NULL, NULL);
}
