/* bad_store.h: rows of bad input for a store in a bucket, through the real program. Every command
 * of a row ends with its status and one sentence that names the store and says what to do; nothing
 * on the screen moves a cursor or shows a secret; the good backup is as it was. */
#ifndef TEST_BAD_STORE_H
#define TEST_BAD_STORE_H

#include "bad_kit.h"

#define LS 1U
#define BACKUP 2U
#define VERIFY 4U
#define TEST 8U
#define ALL (LS | BACKUP | VERIFY | TEST)

struct bad_row {
    const char *what;
    const char *endpoint; /* NULL: the server's */
    const char *options;  /* of the store; NULL: the usual ones. '@': the folder of the test */
    void (*make)(void);   /* NULL: the options are what is bad */
    void (*mend)(void);
    int status;
    unsigned fails;  /* these commands, with the status and the sentence */
    unsigned works;  /* and these all the same */
    const char *why; /* its sentence from the reason on, HOST for the server's address */
};

static char bad_type[8], bad_endpoint[64], bad_usual[512], bad_host[64];
static const char *bad_secret;

static inline void bad_configure(const char *endpoint, const char *options)
{
    struct mst_str s = {0};

    mst_str_add(&s, "set = {\n  name = \"rs0\"; class = \"SANDBOX\"; acts = [\"clean\"];\n"
                    "  members = [");
    for (size_t i = 0; i < set.n; i++) {
        mst_str_addf(&s, "%s\"127.0.0.1:%d\"", i ? ", " : "", testset_port(&set, i));
    }
    mst_str_addf(&s, "];\n};\nstores = ({ name = \"far\"; type = \"%s\"; endpoint = \"%s\";\n  ",
                 bad_type, endpoint ? endpoint : bad_endpoint);
    expand(&s, options ? options : bad_usual);
    mst_str_add(&s, " });\nbackup = { store = \"far\"; };\n");
    put("muster.conf", 0600, mst_str_c(&s), s.len);
    mst_str_release(&s);
}

/* What was said, without what is another one each time: the port, and how often it was tried. */
static inline void bad_plain(const char *text, struct mst_str *out)
{
    while (*text) {
        const char *tries = strstr(text, " tries in "), *last = strstr(text, "the last: ");

        if (bad_host[0] && strncmp(text, bad_host, strlen(bad_host)) == 0) {
            mst_str_add(out, "HOST");
            text += strlen(bad_host);
        } else if (tries && last && tries - text == 1 && *text >= '0' && *text <= '9') {
            text = last + strlen("the last: ");
        } else {
            mst_str_addc(out, *text++);
        }
    }
}

static inline void bad_command(const struct bad_row *row, unsigned which, const char *const *argv)
{
    const bool fails = (row->fails & which) != 0;
    const int status = fails ? row->status : 0;
    struct mst_str said = {0}, why = {0}, last = {0};
    struct ran r;
    const char *at;

    run_muster(&r, argv, env, 60000);
    mst_str_addf(&last, "%s%s", mst_str_c(&r.out), mst_str_c(&r.err));
    bad_plain(mst_str_c(&last), &said);
    expand(&why, fails ? row->why : "");
    if (r.status != status) {
        fail_msg("%s: %s: status %d, wanted %d: %s", row->what, argv[0], r.status, status,
                 mst_str_c(&last));
    }
    at = strstr(mst_str_c(&said), mst_str_c(&why));
    if (!at) {
        fail_msg("%s: %s: \"%s\" is not in: %s", row->what, argv[0], mst_str_c(&why),
                 mst_str_c(&said));
    }
    if (strstr(mst_str_c(&last), bad_secret)) {
        fail_msg("%s: %s shows a secret: %s", row->what, argv[0], mst_str_c(&last));
    }
    assert_harmless(row->what, mst_str_c(&last));
    assert_one_sentence(row->what, mst_str_c(&r.err));
    ran_release(&r);
    mst_str_release(&said);
    mst_str_release(&why);
    mst_str_release(&last);
}

static inline void bad_run(const struct bad_row *row, unsigned which)
{
    const struct {
        unsigned which;
        const char *argv[4];
    } all[] = {{LS, {"bucket", "ls"}},
               {BACKUP, {"backup"}},
               {VERIFY, {"verify", good_id}},
               {TEST, {"store", "test"}}};

    for (size_t i = 0; i < MST_COUNT(all); i++) {
        if (all[i].which & which) {
            bad_command(row, all[i].which, all[i].argv);
        }
    }
}

static inline void bad_rows(const struct bad_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bad_configure(rows[i].endpoint, rows[i].options);
        if (rows[i].make) {
            rows[i].make();
        }
        bad_run(&rows[i], rows[i].fails | rows[i].works);
        if (rows[i].mend) {
            rows[i].mend();
        }
    }
}

/* The usual store again, and in it the backup from the beginning. */
static inline void bad_nothing_lost(void)
{
    const struct bad_row row = {.what = "the good backup afterwards", .works = VERIFY};

    bad_configure(NULL, NULL);
    bad_run(&row, VERIFY);
}

/* A set with two documents in it and a good backup in the usual store. */
static inline void bad_store_setup(void)
{
    const struct testset_opts o = {
        .name = "bad store", .needs = TESTSET_INSIDE | TESTSET_REFUSALS, .seed = 12};
    const struct bad_row row = {.what = "the good backup", .works = BACKUP};
    struct ran r;
    bson_t reply;
    const char *id;

    testset_start(&set, &o);
    kit.w = set.world;
    assert_int_equal(kit_run(&kit, sbx_world_primary(kit.w), "shop", &reply,
                             "{'insert': 'orders', 'documents': [{'_id': 1}, {'_id': 2}], "
                             "'writeConcern': {'w': 3}}"),
                     0);
    bson_destroy(&reply);
    bad_configure(NULL, NULL);
    bad_run(&row, BACKUP);
    RUN(&r, env, "bucket", "ls");
    id = strchr(mst_str_c(&r.out), '\n');
    assert_non_null(id);
    (void)snprintf(good_id, sizeof(good_id), "%.*s", (int)strcspn(id + 1, " "), id + 1);
    assert_non_null(strstr(mst_str_c(&r.out), "COMPLETE"));
    ran_release(&r);
}

static inline void bad_store_dir(void)
{
    temp_dir(dir, sizeof(dir));
    (void)snprintf(env_dir, sizeof(env_dir), "MUSTER_DIR=%s", dir);
    (void)setenv("TEST_MUSTER", TEST_MUSTER, 0);
}

#endif
