#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/audit.h"
#include "base/file.h"
#include "base/str.h"

#define LINES 6

static char dir[64], dbpath[96], path[96];
static struct mst_db *db;

static int64_t fixed(void *arg)
{
    (void)arg;
    return INT64_C(1700000000123);
}
static const struct mst_clock clock_ = {.mono_ms = fixed, .utc_ms = fixed};

static void add(struct mst_audit *a, int n)
{
    char plan[32];
    struct mst_err err = {0};
    const struct mst_audit_event ev = {.who = "alice",
                                       .act = "restore",
                                       .target = "rs0",
                                       .plan = plan,
                                       .outcome = "begins",
                                       .text = "tab\there \"quote\",\"hash\":\"x\" \x1b[31m"};

    (void)snprintf(plan, sizeof(plan), "plan%d", n);
    assert_ok(mst_audit_add(a, &ev, &err), &err);
}

static int setup(void **state)
{
    struct mst_err err = {0};
    struct mst_audit *a;

    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/mst-audit-XXXXXX");
    assert_non_null(mkdtemp(dir));
    (void)snprintf(dbpath, sizeof(dbpath), "%s/muster.db", dir);
    (void)snprintf(path, sizeof(path), "%s/audit.jsonl", dir);
    assert_ok(mst_db_open(dbpath, &db, &err), &err);
    assert_ok(mst_audit_open(path, db, &clock_, &a, &err), &err);
    for (int i = 0; i < LINES; i++) {
        add(a, i);
    }
    mst_audit_close(a);
    return 0;
}

static int teardown(void **state)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    char p[128];

    (void)state;
    mst_db_close(db);
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(p, sizeof(p), "%s%s", dbpath, ends[i]);
        (void)unlink(p);
    }
    (void)unlink(path);
    return rmdir(dir);
}

/* The file as lines, and back. */
static char *lines[LINES + 2];
static size_t n_lines;

static void take(void)
{
    struct mst_buf b = {0};
    struct mst_err err = {0};
    char *p;

    assert_ok(mst_file_read(path, 1 << 20, &b, &err), &err);
    mst_buf_add(&b, "", 1);
    n_lines = 0;
    for (p = (char *)b.p; *p; p = strchr(p, '\n') + 1) {
        lines[n_lines++] = strndup(p, (size_t)(strchr(p, '\n') - p));
    }
    mst_buf_release(&b);
}

static void give(void)
{
    struct mst_str s = {0};
    struct mst_err err = {0};

    for (size_t i = 0; i < n_lines; i++) {
        mst_str_addf(&s, "%s\n", lines[i]);
        free(lines[i]);
    }
    assert_ok(mst_file_replace(path, 0600, mst_str_c(&s), s.len, &err), &err);
    mst_str_release(&s);
}

static void expect_bad(uint64_t line, const char *words)
{
    struct mst_audit_check c;
    struct mst_audit *a;
    struct mst_err err = {0};

    assert_rc(mst_audit_verify(path, db, &c, &err), MST_E_INTEGRITY, &err);
    if (c.bad_line != line || !strstr(err.msg, words)) {
        fail_msg("line %llu, wanted %llu \"%s\": %s", (unsigned long long)c.bad_line,
                 (unsigned long long)line, words, err.msg);
    }
    /* And nothing is appended to it. */
    assert_rc(mst_audit_open(path, db, &clock_, &a, &err), MST_E_INTEGRITY, &err);
}

static void a_whole_file_is_good_and_goes_on(void **state)
{
    struct mst_audit_check c;
    struct mst_audit *a;
    struct mst_err err = {0};
    struct stat st;

    (void)state;
    assert_ok(mst_audit_verify(path, db, &c, &err), &err);
    assert_int_equal(c.lines, LINES);
    assert_true(c.anchored);
    assert_string_equal(c.first, "2023-11-14T22:13:20.123Z");
    assert_ok(mst_audit_open(path, db, &clock_, &a, &err), &err);
    add(a, 9);
    mst_audit_close(a);
    assert_ok(mst_audit_verify(path, db, &c, &err), &err);
    assert_int_equal(c.lines, LINES + 1);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    take();
    for (size_t i = 0; i < n_lines; i++) { /* no control byte of a hostile text gets in */
        assert_null(strchr(lines[i], 27));
        free(lines[i]);
    }
}

static void every_changed_byte_is_found(void **state)
{
    struct mst_buf b = {0};
    struct mst_err err = {0};

    (void)state;
    assert_ok(mst_file_read(path, 1 << 20, &b, &err), &err);
    for (size_t i = 0; i < b.len; i += 7) {
        struct mst_audit_check c;

        b.p[i] ^= 1;
        assert_ok(mst_file_replace(path, 0600, b.p, b.len, &err), &err);
        assert_rc(mst_audit_verify(path, db, &c, &err), MST_E_INTEGRITY, &err);
        assert_in_range(c.bad_line, 1, LINES);
        b.p[i] ^= 1;
    }
    mst_buf_release(&b);
}

static void a_removed_line_is_found_wherever_it_was(void **state)
{
    (void)state;
    for (size_t gone = 0; gone < LINES - 1; gone++) {
        char *keep;

        take();
        keep = strdup(lines[gone]);
        free(lines[gone]);
        memmove(lines + gone, lines + gone + 1, (n_lines - gone - 1) * sizeof(lines[0]));
        n_lines--;
        give();
        expect_bad(gone + 1, "does not follow");
        take();
        memmove(lines + gone + 1, lines + gone, (n_lines - gone) * sizeof(lines[0]));
        lines[gone] = keep;
        n_lines++;
        give();
    }
}

static void the_last_line_removed_is_found(void **state)
{
    (void)state;
    take();
    free(lines[--n_lines]);
    give();
    expect_bad(LINES, "the last lines were removed");
    (void)unlink(path);
    expect_bad(1, "the last lines were removed");
}

static void an_inserted_line_is_found(void **state)
{
    (void)state;
    take();
    memmove(lines + 4, lines + 3, (n_lines - 3) * sizeof(lines[0]));
    lines[3] = strdup(lines[2]);
    n_lines++;
    give();
    expect_bad(4, "does not follow");
}

static void reordered_lines_are_found(void **state)
{
    char *t;

    (void)state;
    take();
    t = lines[2];
    lines[2] = lines[3];
    lines[3] = t;
    give();
    expect_bad(3, "does not follow");
}

static void a_line_cut_short_is_found(void **state)
{
    struct mst_buf b = {0};
    struct mst_err err = {0};

    (void)state;
    assert_ok(mst_file_read(path, 1 << 20, &b, &err), &err);
    assert_int_equal(truncate(path, (off_t)b.len - 5), 0);
    mst_buf_release(&b);
    expect_bad(LINES, "cut short");
}

static void lines_added_by_somebody_else_are_found(void **state)
{
    struct mst_err err = {0};

    (void)state;
    assert_ok(mst_db_run(db, &err, "UPDATE audit_head SET count = 2", ""), &err);
    expect_bad(2, "written anew");
    assert_ok(mst_db_run(db, &err, "DELETE FROM audit_head", ""), &err);
    expect_bad(1, "the state file knows none");
}

static void a_line_whose_row_was_lost_in_a_crash_is_adopted(void **state)
{
    struct mst_err err = {0};
    struct mst_audit_check c;
    struct mst_audit *a;

    (void)state;
    take();
    { /* the head as it was before the last line: its hash is the "prev" of that line */
        const char *prev = strstr(lines[LINES - 1], ",\"prev\":\"");
        char hash[65];

        assert_non_null(prev);
        (void)snprintf(hash, sizeof(hash), "%.64s", prev + 9);
        assert_ok(mst_db_run(db, &err, "UPDATE audit_head SET count = ?, hash = ?", "it",
                             (int64_t)LINES - 1, hash),
                  &err);
    }
    give();
    assert_ok(mst_audit_verify(path, db, &c, &err), &err);
    assert_ok(mst_audit_open(path, db, &clock_, &a, &err), &err);
    add(a, 7);
    mst_audit_close(a);
    assert_ok(mst_audit_verify(path, db, &c, &err), &err);
    assert_int_equal(c.lines, LINES + 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_whole_file_is_good_and_goes_on),
        T(every_changed_byte_is_found),
        T(a_removed_line_is_found_wherever_it_was),
        T(the_last_line_removed_is_found),
        T(an_inserted_line_is_found),
        T(reordered_lines_are_found),
        T(a_line_cut_short_is_found),
        T(lines_added_by_somebody_else_are_found),
        T(a_line_whose_row_was_lost_in_a_crash_is_adopted),
    };
    return cmocka_run_group_tests_name("audit", tests, NULL, NULL);
}
