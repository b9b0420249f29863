/* The launcher of real servers, against a stand-in: this program itself, run as if it were mongod.
 * It records its flags and the commands that it was sent, and answers just enough of the wire
 * protocol. */
#include "test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "real/real.h"
#include "wire/frame.h"

static char dir[64];
static char self[512];

/* ---- the stand-in ---- */

static const char *flag(int argc, char **argv, const char *name)
{
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], name) == 0) {
            return argv[i + 1];
        }
    }
    return "";
}

static bool read_all(int fd, uint8_t *p, size_t n)
{
    while (n > 0) {
        const ssize_t k = read(fd, p, n);

        if (k <= 0) {
            return false;
        }
        p += k;
        n -= (size_t)k;
    }
    return true;
}

static void answer(int fd, FILE *rec, bool *initiated)
{
    uint8_t head[SBX_FRAME_HEAD];

    while (read_all(fd, head, sizeof(head))) {
        const int32_t n = sbx_frame_length(head);
        uint8_t *all = mst_xmalloc((size_t)(n > 0 ? n : SBX_FRAME_HEAD));
        struct sbx_frame f = {0};
        struct mst_err err = {0};
        struct mst_buf out = {0};
        bson_iter_t it;
        bson_t *reply;

        memcpy(all, head, sizeof(head));
        if (n < 0 || !read_all(fd, all + sizeof(head), (size_t)n - sizeof(head)) ||
            sbx_frame_parse(all, (size_t)n, &f, &err) != MST_OK || !bson_iter_init(&it, &f.body) ||
            !bson_iter_next(&it)) {
            free(all);
            sbx_frame_release(&f);
            return;
        }
        (void)fprintf(rec, "command %s\n", bson_iter_key(&it));
        (void)fflush(rec);
        *initiated |= strcmp(bson_iter_key(&it), "replSetInitiate") == 0;
        reply = BCON_NEW("ismaster", BCON_BOOL(*initiated), "ok", BCON_DOUBLE(1));
        sbx_frame_msg(&out, 1, f.id, 0, reply);
        (void)!write(fd, out.p, out.len);
        mst_buf_release(&out);
        bson_destroy(reply);
        sbx_frame_release(&f);
        free(all);
    }
}

static int stand_in(int argc, char **argv)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char *path = mst_xasprintf("%s.rec", flag(argc, argv, "--dbpath"));
    FILE *rec = fopen(path, "a");
    const int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    bool initiated = false;

    if (!rec) {
        return 3;
    }
    for (int i = 1; i < argc; i++) {
        (void)fprintf(rec, "%s ", argv[i]);
    }
    (void)fprintf(rec, "\n");
    (void)fflush(rec);
    a.sin_port = htons((uint16_t)strtol(flag(argc, argv, "--port"), NULL, 10));
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(fd, 16) != 0) {
        return 4;
    }
    for (;;) {
        const int c = accept(fd, NULL, NULL);

        if (c >= 0) {
            answer(c, rec, &initiated);
            (void)close(c);
        }
    }
}

/* ---- the tests ---- */

static int make_dir(void **state)
{
    (void)state;
    (void)mst_copy(dir, sizeof(dir), "/tmp/muster-real-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int drop_dir(void **state)
{
    (void)state;
    for (int i = 0; i < SBX_REAL_MAX; i++) {
        static const char *const ends[] = {".rec", ".log", ""};

        for (size_t k = 0; k < MST_COUNT(ends); k++) {
            char *path = mst_xasprintf("%s/db%d%s", dir, i, ends[k]);

            (void)remove(path);
            free(path);
        }
    }
    return rmdir(dir);
}

static void recorded(int member, struct mst_str *out)
{
    struct mst_buf b = {0};
    struct mst_err err = {0};
    char *path = mst_xasprintf("%s/db%d.rec", dir, member);

    assert_ok(mst_file_read(path, 1U << 20, &b, &err), &err);
    mst_str_addn(out, (const char *)b.p, b.len);
    mst_buf_release(&b);
    free(path);
}

static void a_set_is_started_with_the_right_flags_initiated_and_ended(void **state)
{
    const struct sbx_real_opts o = {
        .mongod = self, .dir = dir, .set = "rs9", .n = 3, .oplog_mb = 77, .deadline_ms = 20000};
    struct sbx_real *r = NULL;
    struct mst_err err = {0};
    struct mst_str text = {0}, port = {0};

    (void)state;
    assert_ok(sbx_real_start(&o, &r, &err), &err);
    assert_int_equal(sbx_real_count(r), 3);
    recorded(0, &text);
    mst_str_addf(&port, "--port %d --bind_ip 127.0.0.1", sbx_real_port(r, 0));
    assert_non_null(strstr(mst_str_c(&text), "--replSet rs9 --dbpath"));
    assert_non_null(strstr(mst_str_c(&text), mst_str_c(&port)));
    assert_non_null(strstr(mst_str_c(&text), "--oplogSize 77"));
    assert_non_null(strstr(mst_str_c(&text), "command replSetInitiate"));
    mst_str_reset(&text);
    recorded(1, &text);
    assert_null(strstr(mst_str_c(&text), "replSetInitiate"));
    mst_str_reset(&text);
    sbx_real_uri(r, &text);
    assert_non_null(strstr(mst_str_c(&text), "/?replicaSet=rs9"));
    sbx_real_free(r);
    mst_str_release(&text);
    mst_str_release(&port);
}

static void a_member_is_killed_started_stopped_and_continued(void **state)
{
    const struct sbx_real_opts o = {
        .mongod = self, .dir = dir, .set = "rs9", .n = 2, .deadline_ms = 20000};
    struct sbx_real *r = NULL;
    struct mst_err err = {0};
    struct mst_str text = {0};

    (void)state;
    assert_ok(sbx_real_start(&o, &r, &err), &err);
    assert_ok(sbx_real_verb(r, "kill", "1", &err), &err);
    assert_rc(sbx_real_verb(r, "stop", "1", &err), MST_E_PRECOND, &err);
    sbx_real_status(r, &text);
    assert_non_null(strstr(mst_str_c(&text), "killed"));
    assert_ok(sbx_real_verb(r, "start", "1", &err), &err);
    assert_rc(sbx_real_verb(r, "start", "1", &err), MST_E_PRECOND, &err);
    assert_ok(sbx_real_verb(r, "stop", "1", &err), &err);
    mst_str_reset(&text);
    sbx_real_status(r, &text);
    assert_non_null(strstr(mst_str_c(&text), "stopped"));
    assert_ok(sbx_real_verb(r, "cont", "1", &err), &err);
    assert_rc(sbx_real_verb(r, "partition", "1", &err), MST_E_USAGE, &err);
    assert_rc(sbx_real_verb(r, "explode", "1", &err), MST_E_USAGE, &err);
    assert_rc(sbx_real_verb(r, "kill", "9", &err), MST_E_USAGE, &err);
    sbx_real_free(r);
    mst_str_release(&text);
}

static void a_program_that_cannot_run_or_ends_at_once_is_named(void **state)
{
    struct sbx_real_opts o = {.mongod = "/nonexistent/mongod", .dir = dir, .set = "rs9", .n = 1};
    struct sbx_real *r = NULL;
    struct mst_err err = {0};

    (void)state;
    assert_rc(sbx_real_start(&o, &r, &err), MST_E_CONFIG, &err);
    assert_non_null(strstr(err.msg, "/nonexistent/mongod"));
    o.mongod = "/bin/false";
    assert_rc(sbx_real_start(&o, &r, &err), MST_E_IO, &err);
    assert_non_null(strstr(err.msg, "ended before it answered"));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_is_started_with_the_right_flags_initiated_and_ended),
        cmocka_unit_test(a_member_is_killed_started_stopped_and_continued),
        cmocka_unit_test(a_program_that_cannot_run_or_ends_at_once_is_named),
    };
    const ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (argc > 1 && strcmp(argv[1], "--replSet") == 0) {
        return stand_in(argc, argv);
    }
    self[n > 0 ? n : 0] = '\0';
    return cmocka_run_group_tests_name("real", tests, make_dir, drop_dir);
}
