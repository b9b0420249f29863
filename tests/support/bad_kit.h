/* bad_kit.h: rows of bad input: a set, a good backup in a store, and what every row must keep. */
#ifndef MST_TEST_BAD_KIT_H
#define MST_TEST_BAD_KIT_H

#include "sandbox_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/text.h"
#include "catalog/types.h"
#include "runprog.h"
#include "testset.h"

#define SECRET "s3cr3t"

static struct testset set;
static struct kit kit;
static char dir[64], env_dir[96], good_id[MST_ID_MAX];
static const char *env[] = {
    env_dir,      "MUSTER_CONFIG=", "MUSTER_URI=", "MUSTER_PASSWORD_FILE=", "MUSTER_NO_AGENT=1",
    "NO_COLOR=1", "LC_ALL=C.UTF-8", NULL};

/* --- what every row has in common --- */

/* What a row changes in the good configuration; '@' is the folder of the test. */
struct conf {
    const char *raw;     /* the whole file */
    const char *name;    /* set.name; "rs0" */
    const char *members; /* its elements; those of the set */
    const char *in_set;  /* more lines of set = { } */
    const char *store;   /* "@/store" */
    const char *more;    /* more lines of the file */
};

static inline void expand(struct mst_str *s, const char *text)
{
    for (; *text; text++) {
        if (text[0] == '@' && text[1] == '@') {
            mst_str_addc(s, *text++);
        } else if (*text == '@') {
            mst_str_add(s, dir);
        } else {
            mst_str_addc(s, *text);
        }
    }
}

static inline void put(const char *name, mode_t mode, const char *text, size_t n)
{
    char path[256];
    struct mst_err err = {0};

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    assert_ok(mst_file_replace(path, mode, text, n, &err), &err);
    assert_int_equal(chmod(path, mode), 0);
}

static inline void configure(const struct conf *c)
{
    struct mst_str s = {0};

    if (c->raw) {
        expand(&s, c->raw);
    } else {
        mst_str_addf(&s, "set = {\n  name = \"%s\";\n", c->name ? c->name : "rs0");
        expand(&s,
               c->in_set ? c->in_set : "  class = \"SANDBOX\"; acts = [\"restore\", \"clean\"];");
        mst_str_add(&s, "\n  members = [");
        for (size_t i = 0; !c->members && i < set.n; i++) {
            mst_str_addf(&s, "%s\"127.0.0.1:%d\"", i ? ", " : "", testset_port(&set, i));
        }
        expand(&s, c->members ? c->members : "");
        mst_str_add(&s, "];\n};\nstores = ({ name = \"local\"; type = \"local\"; path = \"");
        expand(&s, c->store ? c->store : "@/store");
        mst_str_add(&s, "\"; });\n");
        expand(&s, c->more ? c->more : "");
    }
    put("muster.conf", 0600, mst_str_c(&s), s.len);
    mst_str_release(&s);
}

/* Nothing that could move a cursor, colour or turn around a line, or is no UTF-8. */
static inline void assert_harmless(const char *what, const char *text)
{
    size_t n = strlen(text);

    for (size_t at = 0; at < n;) {
        uint32_t cp = 0;
        const size_t len = mst_text_decode(text + at, n - at, &cp);
        const bool bad = len == 0 || (cp < 0x20 && cp != '\n') || (cp >= 0x7f && cp < 0xa0) ||
                         (cp >= 0x200b && cp <= 0x200f) || (cp >= 0x202a && cp <= 0x202e) ||
                         (cp >= 0x2066 && cp <= 0x2069) || cp == 0x2028 || cp == 0x2029;

        if (bad) {
            fail_msg("%s: U+%04X at byte %zu of what was printed: %s", what, cp, at, text);
        }
        at += len;
    }
}

static inline void assert_json_lines(const char *what, const char *text)
{
    while (*text) {
        const size_t n = strcspn(text, "\n");
        bson_error_t bad;
        bson_t *b = bson_new_from_json((const uint8_t *)text, (ssize_t)n, &bad);

        if (!b) {
            fail_msg("%s: not JSON: %s: %.*s", what, bad.message, (int)n, text);
        }
        bson_destroy(b);
        text += n + (text[n] == '\n');
    }
}

/* The program's own complaint is one line. */
static inline void assert_one_sentence(const char *what, const char *err)
{
    const char *nl;

    /* The driver says this before main when a file of a dead process with this number is left. */
    if (strstr(err, "Falling back to malloc")) {
        err = strchr(err, '\n') + 1;
    }
    nl = strchr(err, '\n');
    if (*err && (!nl || nl[1] || strncmp(err, "muster: ", 8) != 0)) {
        fail_msg("%s: not one sentence: %s", what, err);
    }
}

struct row {
    const char *what;
    struct conf conf;
    const char *argv[8];
    int status;
    const char *says[3];
};

static inline void run_row(const struct row *row)
{
    struct ran r;
    struct mst_str all = {0};
    bool json = false;

    configure(&row->conf);
    run_muster(&r, row->argv, env, 60000);
    mst_str_addf(&all, "%s%s", mst_str_c(&r.out), mst_str_c(&r.err));
    if (r.status != row->status) {
        fail_msg("%s: status %d, wanted %d: %s", row->what, r.status, row->status, mst_str_c(&all));
    }
    for (size_t i = 0; i < MST_COUNT(row->says) && row->says[i]; i++) {
        struct mst_str want = {0};

        expand(&want, row->says[i]);
        if (!strstr(mst_str_c(&all), mst_str_c(&want))) {
            fail_msg("%s: \"%s\" is not in: %s", row->what, mst_str_c(&want), mst_str_c(&all));
        }
        mst_str_release(&want);
    }
    for (size_t i = 0; row->argv[i]; i++) {
        json = json || strcmp(row->argv[i], "--json") == 0;
    }
    if (strstr(mst_str_c(&all), SECRET)) {
        fail_msg("%s: the password was shown: %s", row->what, mst_str_c(&all));
    }
    assert_harmless(row->what, mst_str_c(&all));
    assert_one_sentence(row->what, mst_str_c(&r.err));
    if (json) {
        assert_json_lines(row->what, mst_str_c(&r.out));
    }
    mst_str_release(&all);
    ran_release(&r);
}

/* The good backup reads back whole, and the set has its documents. */
static inline void assert_nothing_lost(void)
{
    bson_t reply;
    const struct row verify = {"the good backup afterwards",
                               {.store = "@/store"},
                               {"verify", good_id, NULL},
                               0,
                               {"read back whole"}};

    run_row(&verify);
    assert_int_equal(kit_run(&kit, sbx_world_primary(kit.w), "shop", &reply, "{'count': 'orders'}"),
                     0);
    assert_int_equal(kit_int(&reply, "n"), 2);
    bson_destroy(&reply);
}

static inline void run_rows(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        run_row(&rows[i]);
    }
    assert_nothing_lost();
}

static inline void make_dir(const char *name, mode_t mode)
{
    char path[160];

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(chmod(path, mode), 0);
}

/* A set with two documents, and a good backup of it. */
static inline int bad_setup(void **state)
{
    const struct testset_opts o = {
        .name = "bad input", .needs = TESTSET_INSIDE | TESTSET_REFUSALS, .seed = 11};
    const struct row backup = {"the good backup", {0}, {"backup"}, 0, {"COMPLETE"}};
    const char *id;
    struct ran r;
    bson_t reply;

    (void)state;
    testset_start(&set, &o);
    kit.w = set.world;
    temp_dir(dir, sizeof(dir));
    (void)snprintf(env_dir, sizeof(env_dir), "MUSTER_DIR=%s", dir);
    make_dir("store", 0700);
    assert_int_equal(kit_run(&kit, sbx_world_primary(kit.w), "shop", &reply,
                             "{'insert': 'orders', 'documents': [{'_id': 1}, {'_id': 2}], "
                             "'writeConcern': {'w': 3}}"),
                     0);
    bson_destroy(&reply);
    run_row(&backup);
    RUN(&r, env, "bucket", "ls");
    id = strchr(mst_str_c(&r.out), '\n');
    assert_non_null(id);
    (void)snprintf(good_id, sizeof(good_id), "%.*s", (int)strcspn(id + 1, " "), id + 1);
    ran_release(&r);
    return 0;
}

static inline int bad_teardown(void **state)
{
    (void)state;
    testset_stop(&set);
    temp_remove(dir);
    return 0;
}

#endif
