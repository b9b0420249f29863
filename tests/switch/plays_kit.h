/* plays_kit.h: many switches side by side, each on a set of its own with an agent that stands still
 * in one state: what happens to it there is the test's. Side by side, because a switch mostly
 * waits. */
#ifndef MST_TEST_PLAYS_KIT_H
#define MST_TEST_PLAYS_KIT_H

#include "agents_kit.h"

#define PLAYS_MAX 12
#define END_MS 200000

struct play {
    const char *state; /* where its agent stands still */
    size_t to;         /* the new primary, 1 when not said */
    bool stay;         /* --after stay */
    struct kit kit;
    struct home home;
    struct beside run; /* muster switchover, on a terminal */
    pid_t agent;
    char fault[128];
    char names[3][32];
};

static struct play *plays[PLAYS_MAX];
static size_t n_plays;
static char plays_store[64];

static inline int plays_setup(void **state)
{
    (void)state;
    n_plays = 0;
    temp_dir(plays_store, sizeof(plays_store));
    return 0;
}

static inline int plays_teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_plays; i++) {
        if (plays[i]->run.pid > 0) {
            beside_kill(&plays[i]->run);
        }
        home_end(&plays[i]->home);
        kit_stop(&plays[i]->kit);
        free(plays[i]);
    }
    temp_remove(plays_store);
    return 0;
}

/* A set, and an agent that stands still where it enters `state` (NULL: nowhere); more: further
 * words of MUSTER_FAULT. */
static inline struct play *play_add_on(const char *state, const char *more, struct sbx_opts o)
{
    struct play *p = mst_xcalloc(1, sizeof(*p));

    assert_true(n_plays < PLAYS_MAX);
    plays[n_plays++] = p;
    p->state = state;
    p->to = 1;
    o.fast = true;
    o.seed = n_plays;
    kit_start(&p->kit, o);
    home_make(&p->home, &p->kit, plays_store);
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(p->names[i], sizeof(p->names[i]), "127.0.0.1:%d",
                       sbx_world_port(p->kit.w, i));
    }
    (void)snprintf(p->fault, sizeof(p->fault), "%s%s%s%s", state ? "stop=" : "", state ? state : "",
                   state && more ? "," : "", more ? more : "");
    p->agent = agent_with(&p->home, p->fault);
    return p;
}

static inline struct play *play_add(const char *state, const char *more)
{
    return play_add_on(state, more, (struct sbx_opts){0});
}

/* A set that has just begun is not calm, and its members are young: both said with a reason. */
#define YOUNG \
    "--override", "P06=a set made for this test", "--override", "P28=a set made for this test"

static inline void play_begin(struct play *p)
{
    BESIDE(&p->run, &p->home, true, "switchover", "--to", p->names[p->to], YOUNG, "--after",
           p->stay ? "stay" : "refuse");
}

/* Types the phrase that it asks for. */
static inline void play_type(struct play *p)
{
    static const char before[] = "type \"";
    const char *at;
    size_t n;

    beside_says(&p->run, "to go on: ");
    at = strstr(mst_str_c(&p->run.out), before);
    assert_non_null(at);
    at += strlen(before);
    n = strcspn(at, "\"");
    assert_int_equal(write(p->run.fd, at, n), n);
    assert_int_equal(write(p->run.fd, "\n", 1), 1);
}

/* Until its agent stands still: where, for whoever reads of a failure. */
static inline void play_stands(struct play *p, const char *where)
{
    const int64_t end = mst_clock_mono_ms(NULL) + 90000;

    while (process_state(p->agent) != 'T') {
        if (mst_clock_mono_ms(NULL) > end) {
            fail_msg("it never came to %s: %s", where, beside_tail(&p->run));
        }
        (void)beside_read(&p->run, 20);
    }
}

/* All of them, up to where their agents stand still. */
static inline void plays_run(void)
{
    for (size_t i = 0; i < n_plays; i++) {
        play_begin(plays[i]);
    }
    for (size_t i = 0; i < n_plays; i++) {
        play_type(plays[i]);
    }
    for (size_t i = 0; i < n_plays; i++) {
        if (plays[i]->state) {
            play_stands(plays[i], plays[i]->state);
        }
    }
}

static inline void play_goes_on(struct play *p)
{
    assert_int_equal(kill(p->agent, SIGCONT), 0);
}

/* Its client ends by itself; the exit status. */
static inline int play_end(struct play *p)
{
    const int status = beside_end_within(&p->run, END_MS);

    p->run.pid = 0;
    return status;
}

/* What `muster jobs` says of it once its end is there. */
static inline void play_job(struct play *p, struct ran *r)
{
    const int64_t end = mst_clock_mono_ms(NULL) + END_MS;

    for (;;) {
        RUN(r, p->home.env, "jobs", "--plain");
        if (r->status == 0 && strstr(mst_str_c(&r->out), "job 1 switch: ") &&
            !strstr(mst_str_c(&r->out), "job 1 switch: running") &&
            !strstr(mst_str_c(&r->out), "job 1 switch: cancelling")) {
            return;
        }
        if (mst_clock_mono_ms(NULL) > end) {
            fail_msg("stopped in %s, it does not end: %s%s", p->state ? p->state : "nothing",
                     mst_str_c(&r->out), mst_str_c(&r->err));
        }
        ran_release(r);
        mst_clock_sleep_ms(200);
    }
}

/* By the server's own timer; a member that is down is not asked. */
static inline void play_nobody_frozen(struct play *p)
{
    for (size_t i = 0; i < 3; i++) {
        int64_t left;

        sbx_lock(p->kit.w);
        left = p->kit.w->members[i].no_stand_until - mst_clock_mono_ms(NULL);
        sbx_unlock(p->kit.w);
        if (left > 0) {
            fail_msg("stopped in %s: member %zu is held for %lld ms more", p->state, i,
                     (long long)left);
        }
    }
}

#endif
