/* Secrets of stores and of sealing are seen nowhere. One day with all of them: a set with a login,
 * an S3 store whose role STS lends, one whose secret a program prints, one at Google with a service
 * account; backups sealed to a recipient, a passphrase and a program, and signed. By agent, command
 * line and console; with errors provoked. Then everything that was to be seen is searched. */
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "canary_kit.h"

#include "canned.h"
#include "conc/thread.h"
#include "console_pty.h"
#include "crypt/keyfile.h"
#include "crypt/locked.h"
#include "gcsd.h"
#include "runprog.h"
#include "s3d.h"

#define WAIT 30000
#define MAPPING_MAX (256UL << 20) /* larger: address space of a sanitizer */

static char dir[64], sandbox[96], conf[128], env_dir[96], env_sts[96], env_creds[128];
static const char *env[] = {env_dir,          env_sts,       env_creds,
                            "MUSTER_CONFIG=", "MUSTER_URI=", "AWS_EC2_METADATA_DISABLED=true",
                            "NO_COLOR=1",     NULL};
static struct s3d *far, *printed;
static struct gcsd *cloud;
static struct canned sts;
static char sts_answer[1024];
static struct canned_answer sts_answers[CANNED_MAX];
static char member[64];

/* Made of what no two runs share, and of what has to be written differently in a URL. */
static struct canary *secret(char *out, size_t size, const char *what)
{
    (void)snprintf(out, size, "%s/%d+%s=%x", what, (int)getpid(), "Qz7kanarie",
                   (unsigned)mst_clock_mono_ms(NULL));
    return canary_add(what, out, strlen(out));
}

static char *path_of(const char *name)
{
    static char path[4][160];
    static unsigned at;
    char *p = path[at++ % 4];

    (void)snprintf(p, sizeof(path[0]), "%s/%s." CANARY_SKIP, dir, name);
    return p;
}

static void put(const char *path, const char *text)
{
    struct mst_err err = {0};

    assert_ok(mst_file_replace(path, 0600, text, strlen(text), &err), &err);
}

/* A secret in a file of its own. */
static struct canary *plant(const char *name, const char *what, char out[96])
{
    struct canary *c = secret(out, 96, what);
    char line[100];

    (void)snprintf(line, sizeof(line), "%s\n", out);
    put(path_of(name), line);
    return c;
}

static void plant_key(const char *name, const char *what, enum mst_key_kind kind,
                      const char *phrase, char word[MST_PUB_WORD])
{
    uint8_t raw[32];
    struct mst_secret locked = {0};
    struct mst_keyfile info;
    struct mst_str text = {0};
    struct mst_err err = {0};

    assert_ok(mst_random(raw, sizeof(raw), "a test", &err), &err);
    (void)canary_add(what, raw, sizeof(raw));
    mst_secret_set(&locked, phrase, strlen(phrase));
    assert_ok(mst_keyfile_put(kind, raw, what, 1795386600000, &locked, &text, &err), &err);
    put(path_of(name), mst_str_c(&text));
    assert_ok(mst_keyfile_parse(mst_str_c(&text), text.len, &info, &err), &err);
    mst_pub_word(kind, info.pub, word);
    mst_secret_release(&locked);
    mst_str_release(&text);
}

/* One line of the PEM of a service account's key: no part of it may be seen. */
static void plant_service_account(void)
{
    struct mst_buf b = {0};
    struct mst_err err = {0};
    const char *at;

    gcsd_key_file(cloud, path_of("account"));
    assert_ok(mst_file_read(path_of("account"), 65536, &b, &err), &err);
    mst_buf_add(&b, "", 1);
    at = strstr((char *)b.p, "PRIVATE KEY-----\\n");
    assert_non_null(at);
    (void)canary_add("private key of the service account", at + 18 + 66 * 4, 64);
    canary_add("access token", GCSD_TOKEN_BEGINS, strlen(GCSD_TOKEN_BEGINS))->sent = true;
    mst_buf_release(&b);
}

static void start_stores(void)
{
    char lent[96], token[96], key[96], line[400];
    struct mst_str xml = {0};

    far = s3d_start(NULL);
    (void)secret(lent, sizeof(lent), "secret key that STS lent");
    secret(token, sizeof(token), "session token")->sent = true;
    s3d_keys(far, "ASIASTS", lent);
    s3d_token(far, token, 0);
    mst_str_addf(&xml,
                 "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIASTS"
                 "</AccessKeyId><SecretAccessKey>%s</SecretAccessKey><SessionToken>%s"
                 "</SessionToken><Expiration>2099-01-02T03:04:05Z</Expiration></Credentials>"
                 "</AssumeRoleResult></AssumeRoleResponse>",
                 lent, token);
    (void)snprintf(sts_answer, sizeof(sts_answer),
                   "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s", xml.len,
                   mst_str_c(&xml));
    mst_str_release(&xml);
    for (size_t i = 0; i < CANNED_MAX; i++) {
        sts_answers[i] = (struct canned_answer){.text = sts_answer, .closes = true};
    }
    canned_start(&sts, sts_answers, CANNED_MAX);
    (void)snprintf(env_sts, sizeof(env_sts), "AWS_ENDPOINT_URL_STS=http://127.0.0.1:%d", sts.port);
    (void)secret(key, sizeof(key), "secret key of S3");
    (void)snprintf(line, sizeof(line),
                   "[default]\naws_access_key_id = AKIDBASE\naws_secret_access_key = %s\n", key);
    put(path_of("aws"), line);
    (void)snprintf(env_creds, sizeof(env_creds), "AWS_SHARED_CREDENTIALS_FILE=%s", path_of("aws"));
    printed = s3d_start(&(struct s3d_opts){.google = true});
    (void)plant("hmac", "HMAC key that a program prints", key);
    s3d_keys(printed, "GOOGHMAC", key);
    cloud = gcsd_start("bucket", 0);
    plant_service_account();
}

/* The program that wraps: it sees the data key, and so does the test afterwards. */
static void write_programs(void)
{
    struct mst_str s = {0};

    mst_str_addf(&s, "#!/bin/sh\nk=$(cat)\necho \"$k\" >> %s\necho \"$k\" | tr 0-9a-f g-v\n",
                 path_of("datakeys"));
    put(path_of("wrap"), mst_str_c(&s));
    assert_int_equal(chmod(path_of("wrap"), 0700), 0);
    mst_str_release(&s);
    put(path_of("unwrap"), "#!/bin/sh\ntr g-v 0-9a-f\n");
    assert_int_equal(chmod(path_of("unwrap"), 0700), 0);
}

static void configure(void)
{
    struct mst_str s = {0};
    char phrase[96], own[96], reader[MST_PUB_WORD], signer[MST_PUB_WORD];

    (void)plant("signphrase", "passphrase of the signing key", phrase);
    plant_key("signer", "seed of the signer", MST_KEY_SIGNER, phrase, signer);
    (void)plant("readphrase", "passphrase of the recipient's key", phrase);
    plant_key("reader", "secret key of the recipient", MST_KEY_RECIPIENT, phrase, reader);
    (void)plant("phrase", "passphrase of the backups", own);
    write_programs();
    mst_str_addf(&s,
                 "set = { name = \"rs0\"; class = \"SANDBOX\"; acts = [\"clean\", \"restore\"];\n"
                 "  members = [\"%s\"];\n"
                 "  credentials = { view = { user = \"ops\"; password_file = \"%s\"; }; }; };\n",
                 member, path_of("login"));
    mst_str_addf(&s,
                 "stores = ({ name = \"far\"; type = \"s3\"; bucket = \"%s\"; endpoint = \"%s\";\n"
                 "  region = \"%s\"; profile = \"versitygw\"; plain_http = true;\n"
                 "  role_arn = \"arn:aws:iam::1:role/w\"; },\n",
                 S3D_BUCKET_NAME, s3d_endpoint(far), S3D_REGION);
    mst_str_addf(&s,
                 " { name = \"printed\"; type = \"s3\"; bucket = \"%s\"; endpoint = \"%s\";\n"
                 "  region = \"%s\"; profile = \"gcs\"; plain_http = true;\n"
                 "  access_key = \"GOOGHMAC\"; secret_key_command = [\"cat\", \"%s\"]; },\n",
                 S3D_BUCKET_NAME, s3d_endpoint(printed), S3D_REGION, path_of("hmac"));
    mst_str_addf(&s,
                 " { name = \"cloud\"; type = \"gcs\"; bucket = \"bucket\"; endpoint = \"%s\";\n"
                 "  plain_http = true; service_account_file = \"%s\"; });\n"
                 "backup = { stores = [\"far\", \"printed\", \"cloud\"]; copies = 3; };\n",
                 gcsd_url(cloud), path_of("account"));
    mst_str_addf(&s,
                 "seal = { recipients = [\"%s ops\"]; passphrase_file = \"%s\";\n"
                 "  wrap_command = [\"%s\"]; unwrap_command = [\"%s\"];\n",
                 reader, path_of("phrase"), path_of("wrap"), path_of("unwrap"));
    mst_str_addf(&s,
                 "  signer_file = \"%s\"; signer_passphrase_file = \"%s\"; trusted = [\"%s me\"];\n"
                 "  identity_file = \"%s\";\n",
                 path_of("signer"), path_of("signphrase"), signer, path_of("reader"));
    mst_str_addf(&s, "  identity_passphrase_file = \"%s\"; };\n", path_of("readphrase"));
    put(conf, mst_str_c(&s));
    mst_str_release(&s);
}

static void start_set(void)
{
    struct ran r;
    struct mst_buf b = {0};
    struct mst_err err = {0};
    char user[200], path[160], password[96], *at;

    plant("login", "password of the set", password)->sent = true; /* a proof of it; the driver */
    (void)snprintf(user, sizeof(user), "ops=%s", path_of("login"));
    RUN(&r, env, "sandbox", "start", "--daemon", "--fast", "--rate", "0", "--fill", "200000,2",
        "--seed", "5", "--dir", sandbox, "--user", user);
    if (r.status != 0) {
        fail_msg("the sandbox did not start: %s%s", mst_str_c(&r.out), mst_str_c(&r.err));
    }
    hear("sandbox", HEARD_TEXT, mst_str_c(&r.out), r.out.len);
    ran_release(&r);
    (void)snprintf(path, sizeof(path), "%s/muster.conf", sandbox);
    assert_ok(mst_file_read(path, 1 << 20, &b, &err), &err);
    mst_buf_add(&b, "", 1);
    at = strstr((char *)b.p, "127.0.0.1:");
    assert_non_null(at);
    (void)snprintf(member, sizeof(member), "%.*s", (int)strcspn(at, "\""), at);
    mst_buf_release(&b);
}

static int setup(void **state)
{
    (void)state;
    temp_dir(dir, sizeof(dir));
    (void)snprintf(sandbox, sizeof(sandbox), "%s/sandbox", dir);
    (void)snprintf(env_dir, sizeof(env_dir), "MUSTER_DIR=%s", dir);
    (void)snprintf(conf, sizeof(conf), "%s/muster.conf", dir);
    start_set();
    start_stores();
    configure();
    return 0;
}

static int teardown(void **state)
{
    struct ran r;

    (void)state;
    RUN(&r, env, "--config", conf, "agent", "stop", "--force");
    ran_release(&r);
    RUN(&r, env, "sandbox", "stop", "--dir", sandbox);
    ran_release(&r);
    s3d_stop(far);
    s3d_stop(printed);
    gcsd_stop(cloud);
    canned_stop(&sts);
    canary_forget();
    temp_remove(dir);
    return 0;
}

/* --- a day ------------------------------------------------------------------------------------ */

static int run(int status, const char *const *argv)
{
    struct ran r;
    const char *all[24] = {"--debug", "--config", conf};
    char where[64];
    int got;

    for (size_t i = 0; argv[i]; i++) {
        all[i + 3] = argv[i];
    }
    run_muster(&r, all, env, 120000);
    (void)snprintf(where, sizeof(where), "what muster %.40s says", argv[0]);
    hear(where, HEARD_TEXT, mst_str_c(&r.out), r.out.len);
    hear(where, HEARD_TEXT, mst_str_c(&r.err), r.err.len);
    if (status >= 0 && r.status != status) {
        fail_msg("%s: status %d, wanted %d: %s%s", argv[0], r.status, status, mst_str_c(&r.out),
                 mst_str_c(&r.err));
    }
    got = r.status;
    ran_release(&r);
    return got;
}
#define DO(status, ...) (void)run((status), (const char *const[]){__VA_ARGS__, NULL})
#define FAILS(...) assert_int_not_equal(run(-1, (const char *const[]){__VA_ARGS__, NULL}), 0)

static atomic_bool watching;

static void watch(void *arg)
{
    (void)arg;
    while (atomic_load(&watching)) {
        hear_processes(NULL);
        mst_clock_sleep_ms(40);
    }
}

static void console(void)
{
    static const char *const keys[] = {"1", "2", "3", "4", "5", "6", "?", "q", "r"};
    const char *const argv[] = {TEST_MUSTER, "--config", conf, "console", NULL};
    const char *const with[] = {env_dir,          env_sts,       env_creds, "TERM=xterm-256color",
                                "MUSTER_CONFIG=", "MUSTER_URI=", NULL};
    struct pty p;

    pty_start(&p, 40, 140, argv, with);
    pty_assert(&p, pty_wait(&p, "rs0", WAIT));
    for (size_t i = 0; i < MST_COUNT(keys); i++) {
        char *text;

        pty_send(&p, keys[i]);
        pty_pump(&p, 150);
        text = pty_text(&p);
        hear("a screen", HEARD_TEXT, text, strlen(text));
        free(text);
    }
    pty_send(&p, "Q");
    (void)pty_wait_exit(&p, 5000);
    hear("the bytes of the terminal", HEARD_TEXT, p.log.p, p.log.len);
    pty_end(&p);
}

/* What goes wrong is told with what was asked, and never with what asked it. */
static void provoke(void)
{
    s3d_keys(printed, "GOOGHMAC", "another");
    FAILS("--no-agent", "store", "test", "printed");
    s3d_plan(far, &(struct s3d_fault){.what = S3D_EXPIRED, .kind = S3D_LIST, .times = 3});
    (void)run(-1, (const char *const[]){"--no-agent", "bucket", "ls", "--store", "far", NULL});
    s3d_plan_none(far);
    s3d_plan(far, &(struct s3d_fault){.what = S3D_REDIRECT,
                                      .kind = S3D_LIST,
                                      .times = 9,
                                      .status = 307,
                                      .to = "http://127.0.0.1:1/else"});
    FAILS("--no-agent", "verify", "--store", "far");
    s3d_plan_none(far);
    s3d_refuse(far, true);
    FAILS("--no-agent", "store", "test", "far");
    s3d_refuse(far, false);
    gcsd_expire(cloud);
    gcsd_plan(cloud, &(struct gcsd_fault){.kind = GCSD_TOKEN,
                                          .what = GCSD_STATUS,
                                          .times = 9,
                                          .status = 403,
                                          .reason = "forbidden"});
    FAILS("--no-agent", "store", "test", "cloud");
    gcsd_plan_none(cloud);
    FAILS("key", "check", path_of("reader"), "--passphrase-file", path_of("phrase"));
    FAILS("key", "check", path_of("phrase"));
    FAILS("key", "show", path_of("login"));
    FAILS("--config", path_of("aws"), "config", "check");
    FAILS("open", dir, "--key", path_of("readphrase"), "--to", "/nowhere");
}

static void hear_object(const char *name, const void *p, size_t n)
{
    hear("the name of an object", HEARD_TEXT, name, strlen(name));
    hear(name, HEARD_TEXT, p, n);
}

static void hear_bucket(struct s3d *s)
{
    struct mst_str keys = {0};
    char *at, *line, *rest = NULL;

    s3d_keys_text(s, &keys);
    at = mst_xstrdup(mst_str_c(&keys));
    for (line = strtok_r(at, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        size_t n;
        unsigned char *p = s3d_get(s, line, &n);

        if (p) {
            hear_object(line, p, n);
            free(p);
        }
    }
    free(at);
    mst_str_release(&keys);
}

/* Each line that the program of keys was given is the key of one backup. */
static unsigned data_keys(void)
{
    struct mst_buf b = {0};
    struct mst_err err = {0};
    unsigned n = 0;

    assert_ok(mst_file_read(path_of("datakeys"), 65536, &b, &err), &err);
    for (size_t at = 0; at + 64 < b.len; at += 65) {
        char hex[65];
        uint8_t raw[32];

        (void)snprintf(hex, sizeof(hex), "%.64s", (char *)b.p + at);
        assert_true(mst_unhex(hex, raw, sizeof(raw)));
        (void)canary_add("data key", raw, sizeof(raw));
        n++;
    }
    mst_buf_release(&b);
    return n;
}

/* --- memory of the agent ---------------------------------------------------------------------- */

static char agent_pid[24];

static void find_agent(const char *pid)
{
    char path[64];
    struct mst_buf args = {0};
    struct mst_err err = {0};

    (void)snprintf(path, sizeof(path), "/proc/%.20s/cmdline", pid);
    if (canary_is_muster(pid, conf) && mst_file_read(path, 65536, &args, &err) == MST_OK &&
        memmem(args.p, args.len, "--ready-fd", 10) &&
        memmem(args.p, args.len, conf, strlen(conf))) {
        (void)mst_copy(agent_pid, sizeof(agent_pid), pid);
    }
    mst_buf_release(&args);
}

/* One mapping that would stand in a core file. */
static void hear_mapping(int mem, unsigned long from, unsigned long to)
{
    const size_t size = to - from;
    uint8_t *p = mst_xmalloc(size);
    const ssize_t n = pread(mem, p, size, (off_t)from);

    if (n > 0) {
        hear("ordinary memory of the agent", HEARD_MEMORY, p, (size_t)n);
    }
    free(p);
}

static void hear_memory(void)
{
    char path[64], line[512], mode[8] = "";
    unsigned long from = 0, to = 0, rss = 0, a, b;
    FILE *f;
    int mem;

    agent_pid[0] = '\0';
    hear_processes(find_agent);
    assert_true(agent_pid[0]);
    (void)snprintf(path, sizeof(path), "/proc/%s/mem", agent_pid);
    mem = open(path, O_RDONLY | O_CLOEXEC);
    (void)snprintf(path, sizeof(path), "/proc/%s/smaps", agent_pid);
    f = fopen(path, "re");
    if (mem < 0 || !f) {
        print_message("the memory of the agent is not searched: only root may read it\n");
        assert_int_not_equal(geteuid(), 0);
    }
    while (f && mem >= 0 && fgets(line, sizeof(line), f)) {
        if (sscanf(line, "%lx-%lx %7s", &a, &b, mode) == 3) {
            from = a;
            to = b;
        } else if (sscanf(line, "Rss: %lu", &rss) == 1) {
            continue;
        } else if (strncmp(line, "VmFlags:", 8) == 0 && mode[1] == 'w' && rss > 0 &&
                   !strstr(line, " dd") && to - from < MAPPING_MAX) {
            hear_mapping(mem, from, to);
        }
    }
    if (f) {
        (void)fclose(f);
    }
    (void)close(mem);
}

/* A core file of the running agent, forced by root: there is no memory in it. */
static void hear_forced_core(void)
{
    char prefix[128], path[160];
    const char *const argv[] = {"gcore", "-o", prefix, agent_pid, NULL};
    struct stat st;
    pid_t pid;

    if (access("/usr/bin/gcore", X_OK) != 0 || geteuid() != 0) {
        print_message("no core file is forced: that takes gdb's gcore and root\n");
        return;
    }
    (void)snprintf(prefix, sizeof(prefix), "%s/forced", dir);
    (void)snprintf(path, sizeof(path), "%s/forced.%s", dir, agent_pid);
    pid = fork();
    if (pid == 0) {
        const int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        (void)dup2(null, 1);
        (void)dup2(null, 2);
        (void)execv("/usr/bin/gcore", (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    (void)waitpid(pid, NULL, 0);
    if (stat(path, &st) != 0) {
        print_message("gcore could not attach\n");
        return;
    }
    assert_true(st.st_size < 4 << 20); /* headers and what the libraries say of themselves */
    hear_file(path, HEARD_TEXT);
}

/* The search has seen what it should have seen. */
static void assert_heard(const char *text)
{
    bool found = false;

    for (size_t i = 0; i < n_heard && !found; i++) {
        found = memmem(heard_[i].b.p, heard_[i].b.len, text, strlen(text)) != NULL;
    }
    if (!found) {
        fail_msg("\"%s\" was not heard: this test searched the wrong things", text);
    }
}

/* Configurations that are refused, each with a secret in it. */
static void what_is_written_where_it_may_not_stand_is_not_repeated(void **state)
{
    static const char *const rows[] = {
        "stores = ({ name = \"a\"; type = \"s3\"; bucket = \"b\"; endpoint = \"https://k:%s@h\"; "
        "});",
        "stores = ({ name = \"a\"; type = \"s3\"; bucket = \"b\"; endpoint = \"s3://k:%s@h\"; });",
        "stores = ({ name = \"a\"; type = \"s3\"; bucket = \"b\"; endpoint = \"http://k:%s@h\"; "
        "});",
        "stores = ({ name = \"a\"; type = \"s3\"; bucket = \"b\"; proxy = \"http://u:%s@h:1\"; });",
        "stores = ({ name = \"a\"; type = \"s3\"; bucket = \"b\"; proxy = \"ftp://u:%s@h:1\"; });",
        "stores = ({ name = \"a\"; type = \"s3\"; bucket = \"b\"; proxy = \"u:%s@h:1\"; });",
        "stores = ({ name = \"a\"; type = \"s3\"; bucket = \"b\"; secret_key = \"%s\"; });",
        "set = { members = [\"u:%s@h:1\"]; };",
        "set = { members = [\"mongodb://u:%s@h:1\"]; };",
        "set = { members = [\"h:1\"]; credentials = { view = { user = \"u\"; password = \"%s\"; }; "
        "}; };",
        "seal = { recipients = [\"mstsec-%s\"]; };",
        "seal = { passphrase = \"%s\"; };",
        "set = { members = [\"h:1\"]; label = \"%s };",
    };
    char text[96];

    (void)state;
    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        struct mst_str s = {0};
        struct ran r;
        char path[160], where[64];
        const char *at = strstr(rows[i], "%s");

        if (i == 0) {
            secret(text, sizeof(text), "secret of a wrong configuration")->typed = true;
        }
        mst_str_addn(&s, rows[i], (size_t)(at - rows[i]));
        mst_str_addf(&s, "%s%s\n", text, at + 2);
        (void)snprintf(path, sizeof(path), "%s", path_of("wrong"));
        put(path, mst_str_c(&s));
        mst_str_release(&s);
        RUN(&r, env, "--config", path, "config", "check");
        assert_int_not_equal(r.status, 0);
        (void)snprintf(where, sizeof(where), "the answer to wrong configuration %zu", i);
        hear(where, HEARD_TEXT, mst_str_c(&r.out), r.out.len);
        hear(where, HEARD_TEXT, mst_str_c(&r.err), r.err.len);
        ran_release(&r);
    }
    {
        struct ran r;
        char uri[160];

        (void)snprintf(uri, sizeof(uri), "mongodb://u:%s@127.0.0.1:1", text);
        RUN(&r, env, "--uri", uri, "status");
        assert_int_equal(r.status, 2);
        hear("the answer to a URI", HEARD_TEXT, mst_str_c(&r.err), r.err.len);
        ran_release(&r);
    }
    canary_search();
}

static void every_form_of_a_canary_is_found(void **state)
{
    static const char *const with[] = {"sbepiBrYW5hcmllbg==", "kanarien", "6b616e617269656e"};
    struct canary c = {0};

    (void)state;
    canary_form(&c, "kanarien", 8);
    canary_base64(&c, (const uint8_t *)"kanarien", 8, 0, "+/");
    assert_memory_equal(c.form[1].p, "a2FuYXJpZW", 10);
    canary_base64(&c, (const uint8_t *)"kanarien", 8, 1, "+/");
    assert_memory_equal(c.form[2].p, "thbmFyaWVu", 10); /* of "xkanarien" */
    canary_base64(&c, (const uint8_t *)"kanarien", 8, 2, "+/");
    assert_memory_equal(c.form[3].p, "rYW5hcmllb", 10); /* of "xykanarien" */
    assert_true(canary_in(&c, with[0], strlen(with[0])));
    assert_true(canary_in(&c, with[1], strlen(with[1])));
    assert_false(canary_in(&c, with[2], strlen(with[2])));
    for (size_t i = 0; i < c.n; i++) {
        mst_buf_release(&c.form[i]);
    }
}

static void a_day_with_every_secret_shows_none(void **state)
{
    struct mst_thread watcher;
    struct mst_err err = {0};

    (void)state;
    atomic_store(&watching, true);
    assert_ok(mst_thread_start(&watcher, "watch", watch, NULL, &err), &err);
    DO(0, "agent");
    DO(0, "backup");
    DO(0, "verify");
    DO(0, "bucket", "ls", "--json");
    DO(0, "bucket", "show", "latest");
    DO(0, "store", "list", "--json");
    DO(0, "store", "show", "far");
    DO(0, "store", "test", "printed");
    DO(0, "store", "test", "cloud");
    DO(0, "key", "list");
    DO(0, "config", "show");
    DO(0, "restore", "--dry-run");
    console();
    provoke();
    DO(0, "audit", "verify");
    atomic_store(&watching, false);
    mst_thread_join(&watcher);
    hear_memory();
    hear_forced_core();
    DO(0, "agent", "stop");
    assert_true(data_keys() > 0);
    assert_true(atomic_load(&sts.requests) > 0 && s3d_objects(far) > 3 && gcsd_objects(cloud) > 3);
    hear_bucket(far);
    hear_bucket(printed);
    gcsd_each(cloud, hear_object);
    hear_tree(dir);
    assert_true(n_heard > 100 && n_heard_processes > 20);
    assert_heard("ASIASTS");          /* the identity that STS lent is shown */
    assert_heard("wrong passphrase"); /* and an error */
    assert_heard("--ready-fd");       /* the agent among the processes */
    canary_search();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_of_a_canary_is_found),
        cmocka_unit_test(what_is_written_where_it_may_not_stand_is_not_repeated),
        cmocka_unit_test(a_day_with_every_secret_shows_none)};

    (void)setenv("TEST_MUSTER", TEST_MUSTER, 0);
    return cmocka_run_group_tests_name("canary_stores", tests, setup, teardown);
}
