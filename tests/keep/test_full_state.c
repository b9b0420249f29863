/* What stands before an act cannot be written down: the audit line, the job's row, a step of the
 * journal. Then the act does not go on. */
#include "lost_kit.h"

#include "smallfs.h"

#include "cfg/cfg.h"
#include "engine/engine.h"

/* ---- a journal that fails at one step ---- */

struct torn {
    struct mst_restore_journal inner;
    int at, seen; /* the at-th step of the swap fails, from 1 */
    char kind[16];
};

static enum mst_rc torn_add(void *arg, const char *run, const bson_t *step, struct mst_err *err)
{
    struct torn *t = arg;

    if (++t->seen == t->at) {
        (void)mst_bson_text(step, "k", t->kind, sizeof t->kind);
        return mst_err_set(err, MST_E_IO, "the journal has no room");
    }
    return t->inner.add(t->inner.arg, run, step, err);
}

static enum mst_rc torn_each(void *arg, const char *run, mst_journal_step_fn *fn, void *fn_arg,
                             struct mst_err *err)
{
    const struct torn *t = arg;

    return t->inner.each(t->inner.arg, run, fn, fn_arg, err);
}

static enum mst_rc torn_forget(void *arg, const char *run, struct mst_err *err)
{
    const struct torn *t = arg;

    return t->inner.forget(t->inner.arg, run, err);
}

static void a_step_that_cannot_be_written_is_not_taken(void **state)
{
    struct keep k;
    struct mst_backup_result b;
    struct torn t = {.at = 0};
    struct mst_restore_journal journal = {&t, torn_add, torn_each, torn_forget};
    bool begun = false;
    int steps = 0;

    (void)state;
    lost_begin(&k, &b);
    lost_make_old(&k);
    t.inner = k.journal;
    while (strcmp(t.kind, "swapped") != 0) {
        struct mst_restore_opts o;
        struct mst_restore_result res;
        struct mst_restore_source *s = keep_source(&k, b.id);
        struct mst_str report = {0};
        struct mst_err err = {0};
        char(*runs)[MST_RUN_HEX] = NULL;
        size_t n = 0;

        t.at = ++steps;
        t.seen = 0;
        keep_restore_opts(&k, &o);
        o.journal = &journal;
        assert_rc(keep_restore(&k, &o, s, &res, &err), MST_E_IO, &err);
        t.at = 0;
        begun = strcmp(t.kind, "swapped") == 0;
        assert_ok(mst_restore_open_swaps(&k.journal, &runs, &n, &err), &err);
        assert_int_equal(n, begun);
        free(runs);
        lost_wholly(&k, begun); /* the end of the swap is written when all are new */
        if (begun) {
            assert_non_null(strstr(res.text, "stopped inside the swap"));
            assert_ok(mst_restore_recover(&o, NULL, MST_RECOVER_FINISH, &k.task, &n, &report, &err),
                      &err);
            assert_ok(mst_restore_discard(&o, res.run, &k.task, &n, &err), &err);
        } else {
            assert_non_null(strstr(res.text, "nothing live was changed; staging was removed"));
        }
        assert_int_equal(keep_leavings(&k, false, NULL) + keep_leavings(&k, true, NULL), 0);
        mst_str_release(&report);
        mst_restore_result_release(&res);
        mst_restore_source_free(s);
    }
    assert_int_equal(steps, 3); /* the list, the mark that renames may begin, their end */
    keep_stop(&k);
}

/* ---- a state directory without room ---- */

struct engine {
    struct keep k;
    struct mst_cfg *cfg;
    struct mst_engine *e;
    char state[96];
};

static void engine_open(struct engine *x)
{
    const struct mst_engine_opts o = {.agent = true};
    struct mst_engine_opts mine = o;
    struct mst_cfg_where where = {0};
    struct mst_err err = {0};
    char *path = mst_xasprintf("%s/muster.conf", x->k.dir);
    char *text = mst_xasprintf(
        "set = { name = \"rs0\"; class = \"SANDBOX\"; acts = [\"restore\", \"clean\"]; members = "
        "[\"%s\"]; };\nstores = ({ name = \"local\"; type = \"local\"; path = \"%s\"; });\n"
        "backup = { store = \"local\"; };\n",
        x->k.names[0], x->k.dir);

    assert_ok(mst_file_replace(path, 0600, text, strlen(text), &err), &err);
    assert_int_equal(setenv("MUSTER_DIR", x->k.dir, 1), 0);
    (void)snprintf(x->state, sizeof x->state, "%s/state", x->k.dir);
    assert_int_equal(mkdir(x->state, 0700), 0);
    small_mount(x->state, 1024);
    where.config = path;
    assert_ok(mst_cfg_open(&where, &x->cfg, NULL, &err), &err);
    mine.cfg = x->cfg;
    assert_ok(mst_engine_open(&mine, &x->e, &err), &err);
    free(path);
    free(text);
}

static size_t complete(struct engine *x)
{
    struct mst_backup *b = NULL;
    struct mst_err err = {0};
    size_t n = 0, found = 0;

    assert_ok(mst_catalog_list(&x->k.catalog, &x->k.task, &b, &n, &err), &err);
    for (size_t i = 0; i < n; i++) {
        found += b[i].state == MST_BK_COMPLETE;
    }
    free(b);
    return found;
}

static enum mst_job_state await(struct engine *x, uint64_t job)
{
    const int64_t until = mst_clock_mono_ms(NULL) + 60000;

    while (mst_clock_mono_ms(NULL) < until) {
        const struct mst_view *v = mst_engine_view(x->e);

        for (size_t i = 0; i < v->jobs->n; i++) {
            if (v->jobs->jobs[i].id == job && v->jobs->jobs[i].ended_wall_ms) {
                const enum mst_job_state s = v->jobs->jobs[i].state;

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

static enum mst_rc try_backup(struct engine *x, struct mst_err *err)
{
    const struct mst_cmd cmd = {.kind = MST_CMD_BACKUP};
    const size_t before = complete(x);
    uint64_t job = 0;
    bool done;

    memset(err, 0, sizeof *err);
    if (mst_engine_submit(x->e, &cmd, &job, err) != MST_OK) {
        assert_int_equal(complete(x), before);
        return err->rc;
    }
    done = await(x, job) == MST_JOB_DONE;
    assert_int_equal(complete(x), before + done);
    return MST_OK;
}

static enum mst_rc try_restore(struct engine *x, struct mst_err *err)
{
    const struct mst_cmd cmd = {.kind = MST_CMD_RESTORE, .backup = "latest"};
    struct mst_ticket *t = NULL;
    uint64_t handle = 0, job = 0;
    enum mst_rc rc;

    memset(err, 0, sizeof *err);
    assert_ok(mst_engine_prepare(x->e, &cmd, &handle, err), err);
    while ((rc = mst_engine_ticket(x->e, handle, &t, err)) == MST_E_BUSY) {
        mst_clock_sleep_ms(10);
    }
    assert_ok(rc, err);
    rc = mst_engine_commit(x->e, t, t->phrase, &job, err);
    mst_ticket_free(t);
    if (rc == MST_OK) {
        (void)await(x, job);
    }
    return rc;
}

static void without_room_for_its_rows_no_act_goes_on(void **state)
{
    struct engine *x = mst_xcalloc(1, sizeof *x);
    struct mst_backup_result b;
    struct mst_err err = {0};
    struct mst_str out = {0};
    int tries = 0;

    (void)state;
    if (!small_may) {
        free(x);
        skip();
    }
    lost_begin(&x->k, &b);
    lost_make_old(&x->k);
    engine_open(x);
    assert_ok(try_backup(x, &err), &err);
    lost_make_old(&x->k);
    small_fill(x->state);
    while (try_backup(x, &err) == MST_OK) { /* the last pages of the files have some room yet */
        assert_true(++tries < 40);
    }
    print_message("    %d tries, then: %s\n", tries, err.msg);
    assert_rc(err.rc, MST_E_IO, &err);
    assert_non_null(strstr(err.msg, "is full"));
    assert_non_null(strstr(err.msg, x->state));
    assert_rc(try_restore(x, &err), MST_E_IO, &err);
    assert_int_equal(keep_leavings(&x->k, false, NULL) + keep_leavings(&x->k, true, NULL), 0);
    lost_wholly(&x->k, false);
    small_free(x->state);
    assert_ok(try_backup(x, &err), &err);
    mst_engine_close(x->e);
    assert_ok(mst_engine_audit_verify(x->cfg, &out, &err), &err); /* no half line */
    mst_str_release(&out);
    mst_cfg_free(x->cfg);
    small_unmount(x->state);
    keep_stop(&x->k);
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_that_cannot_be_written_is_not_taken),
        cmocka_unit_test(without_room_for_its_rows_no_act_goes_on),
    };
    small_init();
    return cmocka_run_group_tests_name("full state", tests, NULL, NULL);
}
