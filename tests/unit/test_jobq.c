#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conc/queue.h"
#include "jobq/jobq.h"

static char dir[64], path[96];
static struct mst_db *db;

static int setup(void **state)
{
    struct mst_err err = {0};

    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/mst-jobq-XXXXXX");
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/muster.db", dir);
    assert_ok(mst_db_open(path, &db, &err), &err);
    return 0;
}

static int teardown(void **state)
{
    char p[128];

    (void)state;
    mst_db_close(db);
    for (size_t i = 0; i < 3; i++) {
        static const char *const ends[] = {"", "-wal", "-shm"};

        (void)snprintf(p, sizeof(p), "%s%s", path, ends[i]);
        (void)unlink(p);
    }
    return rmdir(dir);
}

static int64_t fake_ms = 1000000;

static int64_t fake(void *arg)
{
    (void)arg;
    return fake_ms;
}

static const struct mst_clock clock_ = {.mono_ms = fake, .utc_ms = fake};

static void items_are_named_by_what_they_are(void **state)
{
    struct mst_job j = {.kind = MST_JOB_BACKUP};
    char out[MST_JOB_ITEMS_MAX];

    (void)state;
    assert_string_equal(mst_job_items(&j, out), "");
    j.items_total = 12;
    j.items_done = 3;
    assert_string_equal(mst_job_items(&j, out), "3 of 12 collections");
    j.kind = MST_JOB_VERIFY;
    assert_string_equal(mst_job_items(&j, out), "3 of 12 objects");
    j.kind = MST_JOB_COPY;
    assert_string_equal(mst_job_items(&j, out), "3 of 12 objects");
    j.kind = MST_JOB_REBUILD;
    assert_string_equal(mst_job_items(&j, out), "3 of 12 backups");
    j.kind = MST_JOB_VERIFY;
    j.items_total = j.items_done = 1;
    assert_string_equal(mst_job_items(&j, out), "1 of 1 object");
}

/* Jobs of the tests wait for a word on a queue, so nothing depends on time. */
struct work {
    struct mst_queue *go, *seen;
    const char *name;
    enum mst_rc rc;
    bool until_cancel;
};

static enum mst_rc work_fn(void *arg, struct mst_task *task, struct mst_err *err)
{
    struct work *w = arg;
    char *word = NULL;

    mst_task_phase(task, "working");
    mst_task_log(task, "hello from %s", w->name);
    atomic_store(&task->total_bytes, 1000);
    atomic_store(&task->done_bytes, 250);
    if (mst_queue_push_take(w->seen, strdup(w->name), err) != MST_OK) {
        return err->rc;
    }
    if (w->until_cancel) {
        (void)mst_task_sleep_ms(task, 60000);
        return mst_task_check(task, err);
    }
    word = mst_queue_pop(w->go, 20000);
    free(word);
    return w->rc == MST_OK ? MST_OK : mst_err_set(err, w->rc, "it went wrong");
}

static struct mst_queue *go, *seen, *ended;

static void on_end(void *arg, const struct mst_job *job, const char *plan)
{
    struct mst_err err = {0};
    char *text = malloc(64);

    (void)arg;
    (void)snprintf(text, 64, "%llu %s %s", (unsigned long long)job->id,
                   mst_job_state_word(job->state), plan);
    (void)!mst_queue_push_take(ended, text, &err);
}

static struct mst_jobq *open_queue(unsigned workers, bool own)
{
    const struct mst_jobq_opts o = {.db = db,
                                    .workers = workers,
                                    .owner = "pid 7",
                                    .clock = &clock_,
                                    .ended = on_end,
                                    .own = own};
    struct mst_jobq *q;
    struct mst_err err = {0};

    go = mst_queue_new(16, NULL);
    seen = mst_queue_new(16, NULL);
    ended = mst_queue_new(16, NULL);
    assert_ok(mst_jobq_open(&o, &q, &err), &err);
    return q;
}

static void close_queue(struct mst_jobq *q)
{
    mst_jobq_close(q);
    mst_queue_free(go);
    mst_queue_free(seen);
    mst_queue_free(ended);
}

static uint64_t add_kind(struct mst_jobq *q, enum mst_job_kind kind, struct work *w, bool exclusive)
{
    const struct mst_job_spec spec = {.kind = kind,
                                      .exclusive = exclusive,
                                      .target = "rs0",
                                      .who = "me",
                                      .plan = "abcd",
                                      .fn = work_fn,
                                      .arg = w};
    struct mst_err err = {0};
    uint64_t id = 0;

    w->go = go;
    w->seen = seen;
    assert_ok(mst_jobq_add(q, &spec, &id, &err), &err);
    return id;
}

static uint64_t add(struct mst_jobq *q, struct work *w, bool exclusive)
{
    return add_kind(q, MST_JOB_BACKUP, w, exclusive);
}

static void expect(struct mst_queue *q, const char *want)
{
    char *got = mst_queue_pop(q, 20000);

    assert_non_null(got);
    assert_string_equal(got, want);
    free(got);
}

static void tell(void)
{
    struct mst_err err = {0};

    assert_ok(mst_queue_push_take(go, strdup("go"), &err), &err);
}

static void a_job_is_a_row_and_ends_with_its_result(void **state)
{
    struct mst_jobq *q = open_queue(1, true);
    struct work a = {.name = "a"}, b = {.name = "b", .rc = MST_E_NET};
    struct mst_err err = {0};
    struct mst_job *jobs;
    size_t n;

    (void)state;
    assert_int_equal(add(q, &a, false), 1);
    expect(seen, "a");
    assert_ok(mst_jobq_list(q, 10, &jobs, &n, &err), &err);
    assert_int_equal(n, 1);
    assert_int_equal(jobs[0].state, MST_JOB_RUNNING);
    assert_string_equal(jobs[0].phase, "working");
    assert_int_equal(jobs[0].done_bytes, 250);
    assert_int_equal(jobs[0].n_log, 1);
    assert_string_equal(jobs[0].log[0], "hello from a");
    mst_jobs_free(jobs, n);
    tell();
    expect(ended, "1 done abcd");
    assert_int_equal(add(q, &b, false), 2);
    tell();
    expect(ended, "2 failed abcd");
    assert_ok(mst_jobq_list(q, 10, &jobs, &n, &err), &err);
    assert_int_equal(n, 2);
    assert_int_equal(jobs[0].id, 2);
    assert_string_equal(jobs[0].result, "it went wrong");
    assert_int_equal(jobs[0].exit_status, 3);
    assert_int_equal(jobs[0].n_log, 1);
    assert_int_equal(jobs[1].exit_status, 0);
    assert_string_equal(jobs[1].target, "rs0");
    mst_jobs_free(jobs, n);
    close_queue(q);
}

static void rate_and_stall_are_measured_between_samples(void **state)
{
    struct mst_jobq *q = open_queue(1, true);
    struct work a = {.name = "a"};
    struct mst_err err = {0};
    struct mst_job *jobs;
    size_t n;

    (void)state;
    (void)add(q, &a, false);
    expect(seen, "a");
    fake_ms += 1000;
    assert_ok(mst_jobq_list(q, 10, &jobs, &n, &err), &err);
    assert_int_equal(jobs[0].rate_bps, 250);
    assert_int_equal(jobs[0].eta_ms, 3000);
    assert_int_equal(jobs[0].stalled_ms, 0);
    mst_jobs_free(jobs, n);
    fake_ms += 4000;
    assert_ok(mst_jobq_list(q, 10, &jobs, &n, &err), &err);
    assert_int_equal(jobs[0].stalled_ms, 4000);
    mst_jobs_free(jobs, n);
    tell();
    expect(ended, "1 done abcd");
    close_queue(q);
}

static void a_switch_moves_no_bytes_and_does_not_stall(void **state)
{
    struct mst_jobq *q = open_queue(1, true);
    struct work a = {.name = "a"};
    struct mst_err err = {0};
    struct mst_job *jobs;
    size_t n;

    (void)state;
    (void)add_kind(q, MST_JOB_SWITCH, &a, true);
    expect(seen, "a");
    fake_ms += 60000;
    assert_ok(mst_jobq_list(q, 10, &jobs, &n, &err), &err);
    assert_int_equal(jobs[0].stalled_ms, 0);
    mst_jobs_free(jobs, n);
    tell();
    expect(ended, "1 done abcd");
    close_queue(q);
}

static void exclusive_jobs_run_one_at_a_time_and_others_beside_them(void **state)
{
    struct mst_jobq *q = open_queue(3, true);
    struct work a = {.name = "a"}, b = {.name = "b"}, c = {.name = "c"};

    (void)state;
    (void)add(q, &a, true);
    expect(seen, "a");
    (void)add(q, &b, true);
    (void)add(q, &c, false);
    expect(seen, "c");
    tell();
    tell(); /* a and c, in any order; only then b starts */
    free(mst_queue_pop(ended, 20000));
    free(mst_queue_pop(ended, 20000));
    expect(seen, "b");
    tell();
    expect(ended, "2 done abcd");
    close_queue(q);
}

static void a_cancel_ends_what_runs_and_what_waits(void **state)
{
    struct mst_jobq *q = open_queue(1, true);
    struct work a = {.name = "a", .until_cancel = true}, b = {.name = "b"};
    struct mst_err err = {0};

    (void)state;
    (void)add(q, &a, false);
    expect(seen, "a");
    (void)add(q, &b, false);
    assert_ok(mst_jobq_cancel(q, 2, &err), &err);
    assert_ok(mst_jobq_cancel(q, 1, &err), &err);
    expect(ended, "1 cancelled abcd");
    expect(ended, "2 cancelled abcd");
    assert_null(mst_queue_pop(seen, 0)); /* b never ran */
    assert_rc(mst_jobq_cancel(q, 1, &err), MST_E_PRECOND, &err);
    assert_rc(mst_jobq_cancel(q, 99, &err), MST_E_NOTFOUND, &err);
    close_queue(q);
}

static void what_a_dead_process_left_is_interrupted(void **state)
{
    struct mst_jobq *q;
    struct mst_err err = {0};
    struct mst_job *jobs;
    size_t n;

    (void)state;
    assert_ok(mst_db_run(db, &err,
                         "INSERT INTO jobs (kind, state, owner, phase, queued_ms) VALUES "
                         "(0, 1, 'pid 5', 'scan', 1), (1, 0, 'pid 5', '', 2), (1, 3, 'x', '', 3)",
                         ""),
              &err);
    q = open_queue(1, true);
    assert_ok(mst_jobq_list(q, 10, &jobs, &n, &err), &err);
    assert_int_equal(n, 3);
    assert_int_equal(jobs[0].state, MST_JOB_DONE);
    assert_int_equal(jobs[1].state, MST_JOB_INTERRUPTED);
    assert_int_equal(jobs[2].state, MST_JOB_INTERRUPTED);
    assert_string_equal(jobs[2].result, "interrupted: pid 5 ended while it was running (scan)");
    mst_jobs_free(jobs, n);
    close_queue(q);
}

static void without_the_lock_nothing_is_added_and_nothing_marked(void **state)
{
    struct mst_jobq *q;
    struct mst_err err = {0};
    struct work a = {.name = "a"};
    struct mst_job_spec spec = {.fn = work_fn, .arg = &a};
    struct mst_job *jobs;
    uint64_t id, dead;
    size_t n;

    (void)state;
    assert_ok(
        mst_db_run(db, &err, "INSERT INTO jobs (kind, state, queued_ms) VALUES (0, 1, 1)", ""),
        &err);
    q = open_queue(1, false);
    assert_rc(mst_jobq_add(q, &spec, &id, &err), MST_E_BUSY, &err);
    assert_ok(mst_jobq_list(q, 10, &jobs, &n, &err), &err);
    assert_int_equal(jobs[0].state, MST_JOB_RUNNING);
    mst_jobs_free(jobs, n);
    assert_ok(mst_jobq_own(q, &dead, &err), &err);
    assert_int_equal(dead, 1);
    close_queue(q);
}

static void closing_cancels_what_is_there(void **state)
{
    struct mst_jobq *q = open_queue(1, true);
    struct work a = {.name = "a", .until_cancel = true}, b = {.name = "b"};
    struct mst_err err = {0};
    int64_t n;

    (void)state;
    (void)add(q, &a, false);
    expect(seen, "a");
    (void)add(q, &b, false);
    close_queue(q);
    assert_ok(mst_db_int(db, 0, &n, &err, "SELECT count(*) FROM jobs WHERE state = 5", ""), &err);
    assert_int_equal(n, 2);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_are_named_by_what_they_are),
        T(a_job_is_a_row_and_ends_with_its_result),
        T(rate_and_stall_are_measured_between_samples),
        T(a_switch_moves_no_bytes_and_does_not_stall),
        T(exclusive_jobs_run_one_at_a_time_and_others_beside_them),
        T(a_cancel_ends_what_runs_and_what_waits),
        T(what_a_dead_process_left_is_interrupted),
        T(without_the_lock_nothing_is_added_and_nothing_marked),
        T(closing_cancels_what_is_there),
    };
    return cmocka_run_group_tests_name("jobq", tests, NULL, NULL);
}
