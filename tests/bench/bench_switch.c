/* The write gap of a switch beside that of the bare command, as a client saw it. Prints lines
 * "NAME VALUE" for run.sh: bench_switch TIMES
 *
 * On one set, in turn, TIMES of each: a certified switchover to a chosen member, and a bare
 * replSetStepDown with the server's own hand-off. A client writes with w:majority all the time; the
 * gap is the longest time between two of its acknowledged writes around the act. With MUSTER_MONGOD
 * the set is a real one, else the simulator.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "conc/task.h"
#include "conc/thread.h"
#include "failover/run.h"
#include "monitor/monitor.h"
#include "testset.h"
#include "wire/client.h"

#define PERIOD_MS 2
#define QUIET_MS 1500 /* between two acts, so that their gaps do not meet */

struct bench {
    struct testset set;
    struct mst_task stop, task;
    struct mst_mutex mtx;
    int64_t last_us, longest_us; /* of the writer; longest since it was set to 0 */
    size_t writes, certified;
};

static void die(const char *what, const struct mst_err *err)
{
    (void)fprintf(stderr, "bench_switch: %s%s%s\n", what, err ? ": " : "", err ? err->msg : "");
    exit(1);
}

static bool ask(int port, const char *db, bson_t *cmd, int64_t *n, const char *path)
{
    struct sbx_client c = {.fd = -1};
    struct mst_err err = {0};
    bson_t reply;
    bool ok = sbx_client_connect(&c, "127.0.0.1", port, 20000, &err) == MST_OK;

    if (ok) {
        ok = sbx_client_command(&c, db, cmd, &reply, &err) == MST_OK &&
             (!path || sbx_doc_int(&reply, path, n));
        bson_destroy(&reply);
        sbx_client_close(&c);
    }
    bson_destroy(cmd);
    return ok;
}

/* --- the client that writes --- */

static bool write_one(struct sbx_client *c, int id)
{
    struct mst_err err = {0};
    bson_t *cmd = BCON_NEW("insert", "gap", "documents", "[", "{", "_id", BCON_INT32(id), "}", "]",
                           "writeConcern", "{", "w", "majority", "wtimeout", BCON_INT32(2000), "}");
    bson_t reply;
    const bool ok = sbx_client_command(c, "bench", cmd, &reply, &err) == MST_OK &&
                    !bson_has_field(&reply, "writeConcernError") &&
                    !bson_has_field(&reply, "writeErrors");

    bson_destroy(&reply);
    bson_destroy(cmd);
    return ok;
}

static void acked(struct bench *b)
{
    const int64_t now = mst_clock_mono_us();

    mst_mutex_lock(&b->mtx);
    if (b->last_us && now - b->last_us > b->longest_us) {
        b->longest_us = now - b->last_us;
    }
    b->last_us = now;
    b->writes++;
    mst_mutex_unlock(&b->mtx);
}

/* Tries each member in turn, as a driver does that looks for the primary. */
static void writer(void *arg)
{
    struct bench *b = arg;
    struct sbx_client c = {.fd = -1};
    size_t at = 0;

    for (int id = 0; !mst_task_cancelled(&b->stop); id++) {
        struct mst_err err = {0};

        if (c.fd < 0 &&
            sbx_client_connect(&c, "127.0.0.1", testset_port(&b->set, at), 2000, &err) != MST_OK) {
            c.fd = -1;
        }
        if (c.fd >= 0 && write_one(&c, id)) {
            acked(b);
        } else {
            if (c.fd >= 0) {
                sbx_client_close(&c);
            }
            c.fd = -1;
            at = (at + 1) % b->set.n;
        }
        (void)mst_task_sleep_ms(&b->stop, PERIOD_MS);
    }
    if (c.fd >= 0) {
        sbx_client_close(&c);
    }
}

static void gap_begin(struct bench *b)
{
    mst_mutex_lock(&b->mtx);
    b->longest_us = 0;
    mst_mutex_unlock(&b->mtx);
}

/* Until the client has written on for a while; the gap, ms. */
static double gap_end(struct bench *b)
{
    const int64_t end = mst_clock_mono_ms(NULL) + 60000;
    double ms;
    size_t was;

    mst_clock_sleep_ms(QUIET_MS);
    mst_mutex_lock(&b->mtx);
    was = b->writes;
    mst_mutex_unlock(&b->mtx);
    for (;;) {
        bool on;

        mst_mutex_lock(&b->mtx);
        on = b->writes > was + 20;
        ms = (double)b->longest_us / 1000;
        mst_mutex_unlock(&b->mtx);
        if (on) {
            return ms;
        }
        if (mst_clock_mono_ms(NULL) > end) {
            die("nobody takes writes any more", NULL);
        }
        mst_clock_sleep_ms(50);
    }
}

/* --- the two acts --- */

static enum mst_rc connect_member(void *arg, const char *member, bool login, const char *app,
                                  int64_t connect_ms, struct mst_task *task, struct mst_conn **out,
                                  struct mst_err *err)
{
    struct mst_conn_opts o = {
        .check_me = true, .set_name = "rs0", .app = app, .connect_ms = connect_ms, .task = task};

    (void)arg;
    (void)login;
    (void)mst_copy(o.name, sizeof(o.name), member);
    return mst_conn_open(&o, out, err);
}

/* From the primary of now to the next member. */
static void make_plan(struct bench *b, struct mst_fo_plan *plan)
{
    const char *seeds[1];
    char seed[64];
    struct mst_monitor_opts mo = {.set_name = "rs0", .n_seeds = 1, .seeds = seeds};
    struct mst_fo_ask fa = {.connect = connect_member, .samples = 1, .task = &b->task};
    struct mst_monitor *m = NULL;
    struct mst_monitor_view *v;
    struct mst_guard_facts f = {0};
    struct mst_err err = {0};
    const int64_t end = mst_clock_mono_ms(NULL) + 60000;

    (void)snprintf(seed, sizeof(seed), "127.0.0.1:%d", testset_port(&b->set, 0));
    seeds[0] = seed;
    if (mst_monitor_start(&mo, &m, &err) != MST_OK) {
        die("the monitor", &err);
    }
    for (;;) {
        v = mst_monitor_view(m);
        if (v->v.config_at_ms && v->v.primary >= 0 && v->v.verdict == MST_V_HEALTHY) {
            break;
        }
        mst_shared_unref(&v->shared);
        if (mst_clock_mono_ms(NULL) > end) {
            die("the set is not healthy", NULL);
        }
        mst_clock_sleep_ms(50);
    }
    fa.topo = &v->v;
    if (mst_fo_facts(&fa, &f, &err) != MST_OK) {
        die("facts", &err);
    }
    f.act = MST_GUARD_SWITCHOVER;
    f.after = MST_AFTER_REFUSE;
    f.catch_up_s = 10;
    f.step_down_s = f.freeze_s = 60;
    f.target = (f.primary + 1) % (int)f.n;
    if (mst_fo_plan_make(&f, "rs0", "bench", "bench", "here", plan, &err) != MST_OK) {
        die("no plan", &err);
    }
    mst_fo_facts_release(&f);
    mst_shared_unref(&v->shared);
    mst_monitor_stop(m);
}

/* The gap is over and everybody is thawed: what would be watched then is not measured here. */
static void enough(void *arg, const struct mst_fo *f, const struct mst_fo_picture *p)
{
    struct bench *b = arg;
    bool held = false;

    for (size_t i = 0; i < p->n; i++) {
        held = held || mst_fo_held_until(f, i) > p->now_ms;
    }
    if (f->state == MST_FO_WATCH && !held) {
        mst_task_cancel(&b->task);
    }
}

static double certified(struct bench *b)
{
    struct mst_fo_plan *plan = mst_xcalloc(1, sizeof(*plan));
    struct mst_fo *f = mst_xcalloc(1, sizeof(*f));
    struct mst_err err = {0};
    struct mst_fo_run_opts o = {
        .plan = plan, .connect = connect_member, .publish = enough, .arg = b, .task = &b->task};
    double ms;

    mst_task_release(&b->task);
    if (mst_task_init(&b->task, &err) != MST_OK) {
        die("a task", &err);
    }
    make_plan(b, plan);
    gap_begin(b);
    if (mst_fo_run(&o, f, &err) != MST_OK || f->winner != plan->target) {
        die(f->text, NULL);
    }
    ms = gap_end(b);
    b->certified += f->cert != MST_FO_CERT_NONE;
    free(f);
    free(plan);
    return ms;
}

static double bare(struct bench *b)
{
    const int64_t end = mst_clock_mono_ms(NULL) + 60000;
    const int old = testset_primary(&b->set, -1, 60000);
    double ms;

    if (old < 0) {
        die("no primary", NULL);
    }
    gap_begin(b);
    while (!ask(
        testset_port(&b->set, (size_t)old), "admin",
        BCON_NEW("replSetStepDown", BCON_INT32(60), "secondaryCatchUpPeriodSecs", BCON_INT32(10)),
        NULL, NULL)) { /* nobody caught up in that moment, say */
        if (mst_clock_mono_ms(NULL) > end) {
            die("the step down is refused again and again", NULL);
        }
        mst_clock_sleep_ms(200);
    }
    ms = gap_end(b);
    (void)ask(testset_port(&b->set, (size_t)old), "admin", BCON_NEW("replSetFreeze", BCON_INT32(0)),
              NULL, NULL);
    return ms;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    const long times = argc == 2 ? strtol(argv[1], NULL, 10) : 0;
    const struct testset_opts to = {.name = "bench_switch", .seed = 1};
    struct bench b = {.writes = 0};
    struct mst_thread thread = {0};
    struct mst_err err = {0};
    double *ours, *theirs;

    if (times < 1 || times > 1000) {
        (void)fprintf(stderr, "usage: %s TIMES\n", argv[0]);
        return 2;
    }
    ours = mst_xcalloc((size_t)times, sizeof(*ours));
    theirs = mst_xcalloc((size_t)times, sizeof(*theirs));
    mst_mongo_init();
    mst_mutex_init(&b.mtx);
    testset_start(&b.set, &to);
    if (mst_task_init(&b.stop, &err) != MST_OK || mst_task_init(&b.task, &err) != MST_OK ||
        testset_primary(&b.set, -1, 60000) < 0 ||
        mst_thread_start(&thread, "bench-writer", writer, &b, &err) != MST_OK) {
        die("cannot start", &err);
    }
    for (long i = 0; i < times; i++) {
        ours[i] = certified(&b);
        theirs[i] = bare(&b);
    }
    mst_task_cancel(&b.stop);
    mst_thread_join(&thread);
    qsort(ours, (size_t)times, sizeof(*ours), by_value);
    qsort(theirs, (size_t)times, sizeof(*theirs), by_value);
    (void)printf("set %s\nours_ms %.0f\nours_worst_ms %.0f\nours_certified %zu\nbare_ms %.0f\n"
                 "bare_worst_ms %.0f\n",
                 b.set.world ? "simulator" : "real", ours[times / 2], ours[times - 1], b.certified,
                 theirs[times / 2], theirs[times - 1]);
    testset_stop(&b.set);
    mst_task_release(&b.task);
    mst_task_release(&b.stop);
    mst_mutex_release(&b.mtx);
    free(ours);
    free(theirs);
    return 0;
}
