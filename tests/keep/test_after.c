/* What is done after a restore, through the engine: the list of what is left, discard, release of
 * held TTL indexes, and the end of a swap in which a process died. */
#include "keep_kit.h"

#include <stdlib.h>

#include "cfg/cfg.h"
#include "db/db.h"
#include "engine/engine.h"

struct after {
    struct keep k;
    struct mst_cfg *cfg;
    struct mst_engine *e;
    char backup[MST_ID_MAX];
};

static void open_engine(struct after *a)
{
    const struct mst_engine_opts o = {.cfg = a->cfg, .agent = true};
    struct mst_err err = {0};

    assert_ok(mst_engine_open(&o, &a->e, &err), &err);
}

static int begin(void **state)
{
    struct after *a = mst_xcalloc(1, sizeof *a);
    struct keep *k = &a->k;
    struct mst_backup_result b;
    struct mst_cfg_where where = {0};
    struct mst_err err = {0};
    char *path, *text;

    keep_start(k, (struct sbx_opts){.server = "4.2"});
    k->quiet = true;
    keep_do(k, "shop", "{'insert': 'orders', 'documents': [{'_id': 1}, {'_id': 2}]}");
    keep_do(k, "shop",
            "{'createIndexes': 'orders', 'indexes': [{'key': {'at': 1}, 'name': 'ttl', "
            "'expireAfterSeconds': 3600}]}");
    keep_do(k, "shop", "{'insert': 'plain', 'documents': [{'_id': 1}]}");
    keep_backup(k, &b);
    (void)mst_copy(a->backup, sizeof a->backup, b.id);
    path = mst_xasprintf("%s/muster.conf", k->dir);
    text = mst_xasprintf(
        "set = { name = \"rs0\"; class = \"SANDBOX\"; acts = [\"restore\", \"discard\", "
        "\"clean\"]; members = [\"%s\"]; };\nstores = ({ name = \"local\"; type = \"local\"; "
        "path = \"%s\"; });\nbackup = { store = \"local\"; };\n",
        k->names[0], k->dir);
    assert_ok(mst_file_replace(path, 0600, text, strlen(text), &err), &err);
    assert_int_equal(setenv("MUSTER_DIR", k->dir, 1), 0);
    where.config = path;
    assert_ok(mst_cfg_open(&where, &a->cfg, NULL, &err), &err);
    free(path);
    free(text);
    open_engine(a);
    *state = a;
    return 0;
}

static int end(void **state)
{
    struct after *a = *state;

    mst_engine_close(a->e);
    mst_cfg_free(a->cfg);
    keep_stop(&a->k);
    free(a);
    return 0;
}

/* Wait until the job has ended; its state, and a copy of its result. */
static enum mst_job_state ended(struct after *a, uint64_t job, char *result, size_t size)
{
    const int64_t until = mst_clock_mono_ms(NULL) + 60000;

    while (mst_clock_mono_ms(NULL) < until) {
        const struct mst_view *v = mst_engine_view(a->e);

        for (size_t i = 0; i < v->jobs->n; i++) {
            const struct mst_job *j = &v->jobs->jobs[i];

            if (j->id == job && j->ended_wall_ms) {
                const enum mst_job_state s = j->state;

                assert_string_equal(j->target, "rs0");
                assert_true(s != MST_JOB_DONE || j->items_done == j->items_total);
                assert_true(s != MST_JOB_DONE || j->items_total > 0 ||
                            (j->kind != MST_JOB_BACKUP && j->kind != MST_JOB_RESTORE &&
                             j->kind != MST_JOB_VERIFY));
                assert_true(s != MST_JOB_DONE || j->total_bytes == 0 ||
                            j->done_bytes == j->total_bytes);
                (void)mst_copy(result, size, j->result);
                mst_view_release(v);
                return s;
            }
        }
        mst_view_release(v);
        mst_clock_sleep_ms(20);
    }
    fail_msg("job %llu did not end", (unsigned long long)job);
    return MST_JOB_FAILED;
}

/* Prepare, type the phrase, wait for the end: the job's result. */
static void act(struct after *a, enum mst_cmd_kind kind, const char *id, const char *include,
                char *result, size_t size)
{
    struct mst_cmd cmd = {.kind = kind};
    struct mst_ticket *t = NULL;
    struct mst_err err = {0};
    uint64_t handle = 0, job = 0;
    enum mst_rc rc;

    (void)mst_copy(cmd.backup, sizeof cmd.backup, id);
    if (include) {
        cmd.n_include = 1;
        (void)mst_copy(cmd.include[0], sizeof cmd.include[0], include);
    }
    assert_ok(mst_engine_prepare(a->e, &cmd, &handle, &err), &err);
    while ((rc = mst_engine_ticket(a->e, handle, &t, &err)) == MST_E_BUSY) {
        mst_clock_sleep_ms(10);
    }
    assert_ok(rc, &err);
    assert_false(t->refused);
    assert_ok(mst_engine_commit(a->e, t, t->phrase, &job, &err), &err);
    mst_ticket_free(t);
    if (ended(a, job, result, size) != MST_JOB_DONE) {
        fail_msg("%s", result);
    }
}

/* The lines of leavings, listed after now. */
static size_t leavings(struct after *a, char *first, size_t size)
{
    const struct mst_cmd reload = {.kind = MST_CMD_BUCKET_RELOAD};
    const int64_t start = mst_clock_mono_ms(NULL);
    struct mst_err err = {0};
    uint64_t none;

    assert_ok(mst_engine_submit(a->e, &reload, &none, &err), &err);
    while (mst_clock_mono_ms(NULL) < start + 30000) {
        const struct mst_view *v = mst_engine_view(a->e);

        if (v->bucket && v->bucket->read_at_ms >= start) {
            const size_t n = v->leavings->n;

            (void)mst_copy(first, size, n ? v->leavings->items[0].what : "");
            mst_view_release(v);
            return n;
        }
        mst_view_release(v);
        mst_clock_sleep_ms(10);
    }
    fail_msg("the store was not listed");
    return 0;
}

static void run_of(const char *line, char run[MST_RUN_HEX])
{
    assert_int_equal(strncmp(line, "restore ", 8), 0);
    memcpy(run, line + 8, MST_RUN_HEX - 1);
    run[MST_RUN_HEX - 1] = 0;
}

static bool expires(struct keep *k)
{
    bson_t reply;
    char *text;
    bool yes;

    assert_int_equal(kit_run(&k->kit, keep_primary(k), "shop", &reply, "{'listIndexes': 'orders'}"),
                     0);
    text = bson_as_relaxed_extended_json(&reply, NULL);
    yes = strstr(text, "expireAfterSeconds") != NULL;
    bson_free(text);
    bson_destroy(&reply);
    return yes;
}

static void what_replaced_nothing_leaves_nothing(void **state)
{
    struct after *a = *state;
    char text[512];

    keep_do(&a->k, "shop", "{'drop': 'plain'}");
    act(a, MST_CMD_RESTORE, a->backup, "shop.plain", text, sizeof text);
    assert_null(strstr(text, "kept"));
    assert_int_equal(keep_count(&a->k, "shop", "plain"), 1);
    assert_int_equal(leavings(a, text, sizeof text), 0);
}

static void what_is_kept_is_listed_until_it_is_discarded(void **state)
{
    struct after *a = *state;
    char text[512], run[MST_RUN_HEX];

    act(a, MST_CMD_RESTORE, a->backup, "shop.plain", text, sizeof text);
    assert_non_null(strstr(text, "kept as mst.o."));
    assert_int_equal(leavings(a, text, sizeof text), 1);
    assert_non_null(strstr(text, "restore discard"));
    run_of(text, run);
    act(a, MST_CMD_DISCARD, run, NULL, text, sizeof text);
    assert_int_equal(keep_leavings(&a->k, true, NULL), 0);
    assert_int_equal(leavings(a, text, sizeof text), 0);
}

static void held_expiry_comes_back_when_it_is_released(void **state)
{
    struct after *a = *state;
    char text[512], run[MST_RUN_HEX];

    act(a, MST_CMD_RESTORE, a->backup, "shop.orders", text, sizeof text);
    assert_non_null(strstr(text, "TTL is held"));
    assert_false(expires(&a->k));
    assert_int_equal(leavings(a, text, sizeof text), 1);
    run_of(text, run);
    act(a, MST_CMD_DISCARD, run, NULL, text, sizeof text);
    assert_int_equal(leavings(a, text, sizeof text), 1);
    assert_non_null(strstr(text, "1 TTL index is held until 'muster restore release"));
    act(a, MST_CMD_RELEASE_TTL, run, NULL, text, sizeof text);
    assert_true(expires(&a->k));
    assert_int_equal(leavings(a, text, sizeof text), 0);
}

/* ---- a process that died ---- */

struct dead {
    struct after *a;
    const char *point;
};

static enum mst_rc die_at(void *arg, const char *point, struct mst_err *err)
{
    const struct dead *d = arg;

    return strcmp(point, d->point) == 0 ? mst_err_set(err, MST_E_UNKNOWN, "killed at %s", point)
                                        : MST_OK;
}

static enum mst_rc copy_step(void *arg, const char *run, const bson_t *step, struct mst_err *err)
{
    return mst_db_run(arg, err, "INSERT INTO restore_steps (run, step) VALUES (?, ?)", "tb", run,
                      (const void *)bson_get_data(step), (size_t)step->len);
}

static char db_path[512];

static int find_db(const char *path, const struct stat *st, int flag, struct FTW *f)
{
    (void)st;
    (void)flag;
    if (strcmp(path + f->base, "muster.db") == 0) {
        (void)mst_copy(db_path, sizeof db_path, path);
    }
    return 0;
}

/* A restore that stops as if killed, its journal in the state of the set. */
static void dies(struct after *a, const char *point, char run[MST_RUN_HEX])
{
    struct keep *k = &a->k;
    struct dead d = {.a = a, .point = point};
    const char *const include[] = {"shop.plain"};
    struct mst_restore_source *s = keep_source(k, a->backup);
    struct mst_restore_opts o;
    struct mst_restore_result res;
    struct mst_err err = {0};
    struct mst_db *db = NULL;

    keep_restore_opts(k, &o);
    o.n_include = 1;
    o.include = include;
    o.at = die_at;
    o.at_arg = &d;
    assert_rc(keep_restore(k, &o, s, &res, &err), MST_E_UNKNOWN, &err);
    (void)mst_copy(run, MST_RUN_HEX, res.run);
    mst_engine_close(a->e);
    a->e = NULL;
    db_path[0] = 0;
    (void)nftw(k->dir, find_db, 16, FTW_PHYS);
    assert_ok(mst_db_open(db_path, &db, &err), &err);
    if (strcmp(point, "compare") == 0) { /* what the engine writes down before the first write */
        bson_t *step = BCON_NEW("k", BCON_UTF8("run"), "to", BCON_UTF8(""));

        assert_ok(copy_step(db, run, step, &err), &err);
        bson_destroy(step);
    }
    assert_ok(k->journal.each(k->journal.arg, run, copy_step, db, &err), &err);
    mst_db_close(db);
    mst_restore_result_release(&res);
    mst_restore_source_free(s);
}

static void a_swap_that_died_is_ended_by_the_next_agent(void **state)
{
    struct after *a = *state;
    char text[512], run[MST_RUN_HEX];
    uint64_t job = 0;

    keep_do(&a->k, "shop", "{'insert': 'plain', 'documents': [{'_id': 'newer'}]}");
    dies(a, "between", run);
    assert_int_equal(keep_count(&a->k, "shop", "plain"), -1);
    open_engine(a);
    for (int i = 0; i < 1000 && !job; i++) {
        const struct mst_view *v = mst_engine_view(a->e);

        job = v->jobs->n && v->jobs->jobs[0].kind == MST_JOB_RECOVER ? v->jobs->jobs[0].id : 0;
        mst_view_release(v);
        mst_clock_sleep_ms(10);
    }
    assert_true(job > 0);
    if (ended(a, job, text, sizeof text) != MST_JOB_DONE) {
        fail_msg("%s", text);
    }
    assert_int_equal(keep_count(&a->k, "shop", "plain"), 1);
    assert_int_equal(leavings(a, text, sizeof text), 1);
    assert_non_null(strstr(text, "restore discard"));
    act(a, MST_CMD_DISCARD, run, NULL, text, sizeof text);
    assert_int_equal(leavings(a, text, sizeof text), 0);
}

static void staging_of_a_dead_restore_is_listed_and_cleaned(void **state)
{
    struct after *a = *state;
    char text[512], run[MST_RUN_HEX];

    dies(a, "compare", run);
    assert_true(keep_leavings(&a->k, false, NULL) > 0);
    open_engine(a);
    assert_int_equal(leavings(a, text, sizeof text), 1);
    assert_non_null(strstr(text, "muster clean"));
    act(a, MST_CMD_CLEAN, run, NULL, text, sizeof text);
    assert_int_equal(keep_leavings(&a->k, false, NULL), 0);
    assert_int_equal(leavings(a, text, sizeof text), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_replaced_nothing_leaves_nothing),
        cmocka_unit_test(what_is_kept_is_listed_until_it_is_discarded),
        cmocka_unit_test(held_expiry_comes_back_when_it_is_released),
        cmocka_unit_test(a_swap_that_died_is_ended_by_the_next_agent),
        cmocka_unit_test(staging_of_a_dead_restore_is_listed_and_cleaned),
    };

    return cmocka_run_group_tests_name("after", tests, begin, end);
}
