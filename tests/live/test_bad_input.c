/* Whatever is wrong is one sentence that names the thing and what to do, with its exit status;
 * nothing is lost by it. Runs the real program. */
#include "bad_kit.h"

#include <dirent.h>
#include <sys/mount.h>
#include <unistd.h>

#include "hash/hash.h"

/* --- the command line, the configuration, the store --- */

static void wrong_command_lines_are_refused(void **state)
{
    static const struct row rows[] = {
        {"wrong URI", {0}, {"--uri", "http://h/", "status"}, 2, {"mongodb://"}},
        {"no such port", {0}, {"--uri", "mongodb://h:99999/", "status"}, 2, {"h:99999"}},
        {"unknown URI option",
         {0},
         {"--uri", "mongodb://h/?replicaSte=x", "status"},
         2,
         {"replicaSte", "did you mean replicaSet"}},
        {"unreachable",
         {0},
         {"--uri", "mongodb://127.0.0.1:1/", "status"},
         3,
         {"UNREACHABLE", "127.0.0.1:1: cannot connect: Connection refused"}},
        {"unreachable, as JSON",
         {0},
         {"--uri", "mongodb://127.0.0.1:1/", "status", "--json"},
         3,
         {"\"verdict\":\"UNREACHABLE\""}},
        {"unreachable, to be backed up",
         {0},
         {"--uri", "mongodb://127.0.0.1:1/", "backup"},
         3,
         {"127.0.0.1:1: cannot connect"}},
        {"a URI's set has no class",
         {0},
         {"--uri", "mongodb://127.0.0.1:1/?replicaSet=rs0", "restore", "--confirm", "x"},
         10,
         {"a set that a URI names has no class"}},
        {"password in the URI",
         {0},
         {"--uri", "mongodb://u:" SECRET "@h/", "status"},
         2,
         {"--password-file"}},
        {"password with a slash",
         {0},
         {"--uri", "mongodb://u:" SECRET "/x@h/", "status"},
         2,
         {"--password-file"}},
        {"password of another set",
         {0},
         {"restore", "--to", "mongodb://u:" SECRET "@h/"},
         2,
         {"set.credentials.restore"}},
        {"password of a key in the URI",
         {0},
         {"--uri", "mongodb://h/?tlsCertificateKeyFilePassword=" SECRET, "status"},
         2,
         {"tlsCertificateKeyFilePassword"}},
        {"password as an option", {0}, {"status", "--password", SECRET}, 2, {"--password-file"}},
        {"password as an option with =",
         {0},
         {"--password=" SECRET, "status"},
         2,
         {"--password-file"}},
        {"password under another name",
         {0},
         {"--passwd", SECRET, "status"},
         2,
         {"--password-file"}},
        {"misspelt option", {0}, {"backup", "--sorce", "x"}, 2, {"did you mean --source"}},
        {"misspelt command", {0}, {"stattus"}, 2, {"did you mean status"}},
        {"half a command", {0}, {"stat"}, 2, {"did you mean status"}},
        {"misspelt second word", {0}, {"bucket", "sohw"}, 2, {"ls, show"}},
        {"hostile command", {0}, {"\x1b[2Jx\ny"}, 2, {"see muster --help"}},
        {"hostile option", {0}, {"status", "--\x1b]0;t\a"}, 2, {"unknown option"}},
        {"no such backup", {0}, {"verify", "nothere"}, 2, {"nothere"}},
        {"no such backup to look at",
         {0},
         {"bucket", "show", "nothere"},
         2,
         {"there is no backup nothere in the store local"}},
        {"no such backup to restore", {0}, {"restore", "nothere", "--dry-run"}, 2, {"nothere"}},
        {"no such job", {0}, {"jobs", "log", "999999"}, 2, {"999999"}},
    };

    (void)state;
    run_rows(rows, MST_COUNT(rows));
}

static void a_wrong_configuration_is_named_with_file_and_line(void **state)
{
#define CONF(what, text, ...) \
    { \
        what, {.raw = text}, {"status"}, 2, \
        { \
            __VA_ARGS__ \
        } \
    }
    static const struct row rows[] = {
        CONF("syntax error", "set = {\n  members = [\"a:1\";\n};\n",
             "@/muster.conf:2: ", "look for a missing"),
        CONF("wrong type", "set = {\n  members = [\"a:1\"];\n  class = 5;\n};\n",
             "@/muster.conf:3: set.class is a number", "must be text"),
        CONF("out of range", "set = { members = [\"a:1\"]; };\nbackup = { scans = 99; };\n",
             "@/muster.conf:2: backup.scans is 99", "from 1 to 16"),
        CONF("unknown class", "set = { members = [\"a:1\"];\n\n  class = \"PRODD\"; };\n",
             "@/muster.conf:3: set.class is \"PRODD\"", "PROD, TEST, SANDBOX"),
        CONF("misspelt name", "set = { membres = [\"a:1\"]; };\n",
             "@/muster.conf:1: ", "did you mean members"),
        CONF("unknown act", "set = { members = [\"a:1\"]; acts = [\"restor\"]; };\n",
             "@/muster.conf:1: set.acts is \"restor\"", "restore, import"),
        CONF("hostile value", "set = { members = [\"a:1\"]; class = \"\\x1b[2J\"; };\n",
             "@/muster.conf:1: set.class"),
        CONF("no members", "", "names no members"),
        CONF("not a text", "\x80\x81 = 3;\n", "@/muster.conf:1: "),
        CONF("no such included file", "@@include \"none.conf\"\n", "none.conf"),
        CONF("error in an included file", "@@include \"broken.conf\"\n", "broken.conf:2: "),
        CONF("no such store", "set = { members = [\"a:1\"]; };\nbackup = { store = \"x\"; };\n",
             "no store has this name"),
        {"a missing file",
         {0},
         {"--config", "/nonexistent", "status"},
         2,
         {"/nonexistent: no such file"}},
        {"a directory", {0}, {"--config", "/tmp", "status"}, 2, {"/tmp: Is a directory"}},
        {"world-readable secret",
         {.in_set = "  credentials = { view = { user = \"ops\"; password_file = \"open.secret\"; "
                    "}; };"},
         {"status"},
         2,
         {"@/open.secret can be read by others (mode 0644): chmod 600"}},
        {"secret that is not there",
         {.in_set = "  credentials = { view = { user = \"ops\"; password_file = \"none\"; }; };"},
         {"status"},
         2,
         {"@/none"}},
        {"a password command that fails",
         {.in_set = "  credentials = { view = { user = \"ops\"; password_command = [\"false\"]; "
                    "}; };"},
         {"status"},
         4,
         {"the password command false failed (status 1)"}},
        {"wrong set name",
         {.name = "other"},
         {"status"},
         2,
         {"WRONG SET", "belongs to the set 'rs0', not to 'other'"}},
        {"wrong set name, to be backed up",
         {.name = "other"},
         {"backup"},
         2,
         {"belongs to the set 'rs0', not to 'other'"}},
    };

    (void)state;
    put("open.secret", 0644, SECRET "\n", strlen(SECRET) + 1);
    put("broken.conf", 0600, "set = {\n x = ;\n};\n", 16);
    run_rows(rows, MST_COUNT(rows));
}

static void a_wrong_store_is_named(void **state)
{
    static const struct row rows[] = {
        {"missing", {.store = "@/none"}, {"backup"}, 2, {"@/none does not exist", "make it"}},
        {"missing, to be listed", {.store = "@/none"}, {"bucket", "ls"}, 2, {"@/none"}},
        {"missing, as JSON", {.store = "@/none"}, {"bucket", "ls", "--json"}, 2, {"@/none"}},
        {"a file", {.store = "@/afile"}, {"backup"}, 2, {"@/afile: Not a directory"}},
        {"world-writable",
         {.store = "@/open"},
         {"backup"},
         2,
         {"everybody may write to @/open (mode 0777)", "chmod o-w"}},
        {"world-writable, to be listed", {.store = "@/open"}, {"bucket", "ls"}, 2, {"@/open"}},
        {"read-only by nature",
         {.store = "/proc/self"},
         {"backup"},
         2,
         {"/proc/self cannot be written"}},
    };

    (void)state;
    put("afile", 0600, "x", 1);
    make_dir("open", 0777);
    run_rows(rows, MST_COUNT(rows));
}

/* A program in front of ours: setpriv, prlimit. Its status when it is not there is 126 or 127. */
static void run_behind(struct ran *r, const char *const *front, const char *const *argv,
                       const char *const *with)
{
    const char *all[32];
    const char *ours = getenv("TEST_MUSTER");
    char *keep = mst_xstrdup(ours ? ours : TEST_MUSTER);
    size_t n = 0;

    for (size_t i = 1; front[i]; i++) {
        all[n++] = front[i];
    }
    all[n++] = keep;
    for (size_t i = 0; argv[i]; i++) {
        all[n++] = argv[i];
    }
    all[n] = NULL;
    (void)setenv("TEST_MUSTER", front[0], 1);
    run_muster(r, all, with, 60000);
    (void)setenv("TEST_MUSTER", keep, 1);
    free(keep);
}

static void a_store_of_somebody_else_is_not_written(void **state)
{
    static const char *const front[] = {"/usr/bin/setpriv", "--reuid=65534", "--regid=65534",
                                        "--clear-groups", NULL};
    static const char *const argv[] = {"--config", NULL, "backup", NULL};
    char other[96], conf[160];
    const char *with[] = {other, "MUSTER_NO_AGENT=1", "MUSTER_URI=", NULL};
    const char *line[MST_COUNT(argv)];
    struct ran r;

    (void)state;
    if (geteuid() != 0) {
        (void)printf("SKIP design a_store_of_somebody_else_is_not_written: not root\n");
        skip();
    }
    make_dir("readonly", 0755);
    make_dir("theirs", 0700);
    configure(&(struct conf){.store = "@/readonly"});
    (void)snprintf(conf, sizeof(conf), "%s/muster.conf", dir);
    (void)snprintf(other, sizeof(other), "MUSTER_DIR=%s/theirs", dir);
    memcpy(line, argv, sizeof(argv));
    line[1] = conf;
    assert_int_equal(chmod(conf, 0644), 0);
    assert_int_equal(chmod(dir, 0711), 0);
    assert_int_equal(chown(other + strlen("MUSTER_DIR="), 65534, 65534), 0);
    run_behind(&r, front, line, with);
    assert_int_equal(chmod(dir, 0700), 0);
    if (r.status == 126 || r.status == 127) {
        (void)printf("SKIP design a_store_of_somebody_else_is_not_written: the program is out of "
                     "the other user's reach\n");
        ran_release(&r);
        skip();
    }
    if (r.status != 2 || !strstr(mst_str_c(&r.out), "/readonly cannot be written: Permission")) {
        fail_msg("status %d: %s%s", r.status, mst_str_c(&r.out), mst_str_c(&r.err));
    }
    ran_release(&r);
    assert_nothing_lost();
}

/* --- a full disk --- */

/* Half a megabyte that does not become smaller. */
static void insert_noise(void)
{
    struct mst_str s = {0};
    bson_t reply;
    uint64_t x = 88172645463325252ULL;

    mst_str_add(&s, "{'insert': 'noise', 'writeConcern': {'w': 3}, 'documents': [");
    for (int i = 0; i < 256; i++) {
        mst_str_addf(&s, "%s{'_id': %d, 's': '", i ? "," : "", i);
        for (int k = 0; k < 256; k++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            mst_str_addf(&s, "%016llx", (unsigned long long)x);
        }
        mst_str_add(&s, "'}");
    }
    mst_str_add(&s, "]}");
    assert_int_equal(kit_run(&kit, sbx_world_primary(kit.w), "shop", &reply, mst_str_c(&s)), 0);
    bson_destroy(&reply);
    mst_str_release(&s);
}

static void drop_noise(void)
{
    bson_t reply;

    (void)kit_run(&kit, sbx_world_primary(kit.w), "shop", &reply, "{'drop': 'noise'}");
    bson_destroy(&reply);
}

static void a_backup_into_a_full_store_leaves_the_old_one(void **state)
{
    static const struct row first = {
        "room enough", {.store = "@/small"}, {"backup"}, 0, {"COMPLETE"}};
    static const struct row full = {
        "no room", {.store = "@/small"}, {"backup"}, 6, {"@/small) is full"}};
    static const struct row after = {
        "the old one", {.store = "@/small"}, {"verify"}, 0, {"read back whole"}};
    static const struct row list = {
        "the list", {.store = "@/small"}, {"bucket", "ls"}, 0, {"COMPLETE", "read back, good"}};
    char path[160];

    (void)state;
    make_dir("small", 0700);
    (void)snprintf(path, sizeof(path), "%s/small", dir);
    if (mount("none", path, "tmpfs", MS_NOSUID | MS_NODEV, "size=300k,mode=700") != 0) {
        (void)printf("SKIP design a_backup_into_a_full_store_leaves_the_old_one: no right to "
                     "mount a small disk\n");
        skip();
    }
    run_row(&first);
    insert_noise();
    run_row(&full);
    drop_noise();
    run_row(&after);
    run_row(&list);
    assert_int_equal(umount(path), 0);
    assert_nothing_lost();
}

static void a_limit_of_file_sizes_is_an_error_and_no_crash(void **state)
{
    static const char *const front[] = {"/usr/bin/prlimit", "--fsize=260000", "--", NULL};
    static const char *const argv[] = {"backup", NULL};
    struct ran r;

    (void)state;
    make_dir("limited", 0700);
    configure(&(struct conf){.store = "@/limited"});
    insert_noise();
    run_behind(&r, front, argv, env);
    drop_noise();
    if (r.status != 6 || !strstr(mst_str_c(&r.out), "File too large")) {
        fail_msg("status %d: %s%s", r.status, mst_str_c(&r.out), mst_str_c(&r.err));
    }
    ran_release(&r);
    assert_nothing_lost();
}

/* --- what stands in the bucket --- */

static void copy_tree(const char *from, const char *to)
{
    DIR *d = opendir(from);

    assert_non_null(d);
    assert_int_equal(mkdir(to, 0700), 0);
    for (struct dirent *e = readdir(d); e; e = readdir(d)) {
        char a[512], b[512];
        struct stat st;

        if (e->d_name[0] == '.') {
            continue;
        }
        (void)snprintf(a, sizeof(a), "%s/%s", from, e->d_name);
        (void)snprintf(b, sizeof(b), "%s/%s", to, e->d_name);
        assert_int_equal(lstat(a, &st), 0);
        if (S_ISDIR(st.st_mode)) {
            copy_tree(a, b);
        } else {
            struct mst_buf bytes = {0};
            struct mst_err err = {0};

            assert_ok(mst_file_read(a, 1 << 24, &bytes, &err), &err);
            assert_ok(mst_file_replace(b, 0600, bytes.p, bytes.len, &err), &err);
            mst_buf_release(&bytes);
        }
    }
    (void)closedir(d);
}

/* The path of an object of the copy: "COMMIT", or one below the attempt ("/header"). */
static void object_path(const char *leaf, char *out, size_t size)
{
    char base[256];
    DIR *d;

    (void)snprintf(base, sizeof(base), "%s/copy/rs0/backups/%s", dir, good_id);
    if (leaf[0] != '/') {
        (void)snprintf(out, size, "%s/%s", base, leaf);
        return;
    }
    d = opendir(base);
    assert_non_null(d);
    for (struct dirent *e = readdir(d); e; e = readdir(d)) {
        if (strlen(e->d_name) == 16) { /* the attempt */
            (void)snprintf(out, size, "%s/%.16s%s", base, e->d_name, leaf);
        }
    }
    (void)closedir(d);
}

/* The good store once more, for the next row to be damaged. */
static void fresh_copy(void)
{
    char from[160], to[160];

    (void)snprintf(from, sizeof(from), "%s/store", dir);
    (void)snprintf(to, sizeof(to), "%s/copy", dir);
    temp_remove(to);
    copy_tree(from, to);
}

static void edit(const char *leaf, void (*change)(struct mst_buf *b))
{
    char path[512] = "";
    struct mst_buf b = {0};
    struct mst_err err = {0};

    object_path(leaf, path, sizeof(path));
    assert_ok(mst_file_read(path, 1 << 24, &b, &err), &err);
    change(&b);
    assert_ok(mst_file_replace(path, 0600, b.p, b.len, &err), &err);
    mst_buf_release(&b);
}

static void flip(struct mst_buf *b)
{
    b->p[b->len - 20] ^= 0x10;
}

/* As a later version would have written it: its own hash fits. */
static void make_newer(struct mst_buf *b)
{
    char *text = mst_xstrndup((const char *)b->p, b->len), *format, *end;
    uint8_t sha[MST_SHA256_LEN];
    char hex[MST_SHA256_HEX];
    struct mst_str s = {0};

    format = strstr(text, "\"format\":1");
    end = strstr(text, ",\"sha256\":");
    assert_true(format && end);
    format[9] = '9';
    *end = '\0';
    mst_sha256_of(text, strlen(text), sha);
    mst_str_addf(&s, "%s,\"sha256\":\"%s\"}\n", text, mst_hex(sha, sizeof(sha), hex));
    mst_buf_reset(b);
    mst_buf_add(b, mst_str_c(&s), s.len);
    mst_str_release(&s);
    free(text);
}

static void what_is_wrong_in_the_bucket_is_listed_and_not_restored(void **state)
{
    static const struct {
        const char *object;                /* what happens to it */
        void (*change)(struct mst_buf *b); /* NULL: it is removed */
        struct row list, use;
    } cases[] = {
#define COPY {.store = "@/copy"}
        {"COMMIT",
         NULL,
         {"interrupted", COPY, {"bucket", "ls"}, 0, {"INCOMPLETE", "muster clean"}},
         {"interrupted", COPY, {"restore", "--dry-run"}, 2, {"INCOMPLETE"}}},
        {"/d/0000-0",
         NULL,
         {"an object missing", COPY, {"bucket", "ls"}, 0, {"DAMAGED", "objects"}},
         {"an object missing", COPY, {"verify", "latest"}, 2, {"is DAMAGED"}}},
        {"/d/0000-0",
         flip,
         {"a byte flipped", COPY, {"verify"}, 5, {"d/0000-0", "shop.orders"}},
         {"a byte flipped", COPY, {"restore", "--dry-run"}, 2, {"is DAMAGED"}}},
        {"/header",
         flip,
         {"the header damaged", COPY, {"bucket", "ls"}, 0, {"DAMAGED", "its header"}},
         {"the header damaged", COPY, {"restore", "--dry-run"}, 2, {"is DAMAGED"}}},
        {"/manifest",
         flip,
         {"the manifest damaged", COPY, {"verify"}, 5, {"manifest"}},
         {"the manifest damaged", COPY, {"bucket", "ls", "--json"}, 0, {"DAMAGED"}}},
        {"COMMIT",
         make_newer,
         {"a newer COMMIT", COPY, {"bucket", "ls"}, 0, {"NEWER", "newer muster"}},
         {"a newer COMMIT", COPY, {"restore", "--dry-run"}, 2, {"NEWER"}}},
        {"/header",
         make_newer,
         {"a newer header", COPY, {"bucket", "ls"}, 0, {"NEWER"}},
         {"a newer header", COPY, {"verify"}, 2, {"NEWER"}}},
    };

    (void)state;
    for (size_t i = 0; i < MST_COUNT(cases); i++) {
        fresh_copy();
        if (cases[i].change) {
            edit(cases[i].object, cases[i].change);
        } else {
            char path[512] = "";

            object_path(cases[i].object, path, sizeof(path));
            assert_int_equal(unlink(path), 0);
        }
        run_row(&cases[i].list);
        run_row(&cases[i].use);
    }
    assert_nothing_lost();
}

static void put_foreign(const char *name)
{
    char path[512];
    struct mst_err err = {0};

    (void)snprintf(path, sizeof(path), "%s/copy/rs0/backups/%s", dir, name);
    assert_ok(mst_file_replace(path, 0600, "x\n", 2, &err), &err);
}

static void foreign_and_hostile_objects_are_left_alone(void **state)
{
    static const struct row rows[] = {
        {"foreign", COPY, {"bucket", "ls"}, 0, {"FOREIGN", "it is left alone", "COMPLETE"}},
        {"foreign, JSON", COPY, {"bucket", "ls", "--json"}, 0, {"FOREIGN"}},
        {"foreign, shown", COPY, {"bucket", "show"}, 0, {"shop.orders", "?]0;t?"}},
        {"foreign, shown, JSON", COPY, {"bucket", "show", "--json"}, 0, {"shop.orders"}},
        {"foreign, verified", COPY, {"verify"}, 0, {"read back whole"}},
        {"foreign, on the console", COPY, {"console", "--print", "bucket"}, 0, {"?[2Jevil?name"}},
        {"foreign, restored", COPY, {"restore", "--dry-run"}, 0, {"shop.orders"}},
    };
    char path[512], name[160];

    (void)state;
    fresh_copy();
    put_foreign("stray");
    put_foreign("\x1b[2Jevil\nname");
    put_foreign("a\xe2\x80\xae"
                "b");
    put_foreign("\x9b"
                "2J");
    (void)snprintf(name, sizeof(name), "%s/k\x1b]0;t\a", good_id);
    put_foreign(name);
    (void)snprintf(path, sizeof(path), "%s/copy/rs0/backups/link", dir);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    (void)snprintf(path, sizeof(path), "%s/copy/rs0/backups/%s/pipe", dir, good_id);
    assert_int_equal(mkfifo(path, 0600), 0);
    run_rows(rows, MST_COUNT(rows));
    (void)snprintf(path, sizeof(path), "%s/copy/rs0/backups/stray", dir);
    assert_int_equal(access(path, F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_command_lines_are_refused),
        cmocka_unit_test(a_wrong_configuration_is_named_with_file_and_line),
        cmocka_unit_test(a_wrong_store_is_named),
        cmocka_unit_test(a_store_of_somebody_else_is_not_written),
        cmocka_unit_test(a_backup_into_a_full_store_leaves_the_old_one),
        cmocka_unit_test(a_limit_of_file_sizes_is_an_error_and_no_crash),
        cmocka_unit_test(what_is_wrong_in_the_bucket_is_listed_and_not_restored),
        cmocka_unit_test(foreign_and_hostile_objects_are_left_alone),
    };

    (void)setenv("TEST_MUSTER", TEST_MUSTER, 0);
    return cmocka_run_group_tests_name("bad input", tests, bad_setup, bad_teardown);
}
