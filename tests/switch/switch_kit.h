/* switch_kit.h: a replica set and the real program that moves its primary. The set is the
 * simulator, or with sw_setup_any the one fixture: a real one when MUSTER_MONGOD names a mongod. */
#ifndef MST_TEST_SWITCH_KIT_H
#define MST_TEST_SWITCH_KIT_H

#include "sandbox_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "runprog.h"
#include "testset.h"

#define SW_REAL_MS 400000 /* a real set's intervals are not divided by ten */

static struct kit kit;        /* w is NULL on a real set */
static struct testset sw_set; /* n is 0 where the simulator was asked for */
static char sw_dir[64], sw_env_dir[96], sw_fault[96];
static const char *sw_env[] = {
    sw_env_dir, sw_fault, "MUSTER_CONFIG=", "MUSTER_URI=", "NO_COLOR=1", NULL};

/* A set that has just begun is not calm, and its members are young: both said with a reason. */
#define SW_YOUNG \
    "--override", "P06=a set made for this test", "--override", "P28=a set made for this test"

static inline const char *sw_name(size_t member)
{
    static char names[8][32];

    (void)snprintf(names[member], sizeof(names[0]), "127.0.0.1:%d",
                   sw_set.n ? testset_port(&sw_set, member) : sbx_world_port(kit.w, member));
    return names[member];
}

static inline void sw_no_fault(void)
{
    (void)snprintf(sw_fault, sizeof(sw_fault), "MUSTER_FAULT=");
}

static inline void sw_config(const char *where, const char *more)
{
    struct mst_str s = {0};
    struct mst_err err = {0};
    char path[128];

    mst_str_add(&s, "set = { name = \"rs0\"; class = \"SANDBOX\"; acts = [\"switch\"];\n"
                    "  members = [");
    mst_str_addf(&s, "\"%s\"]; %s };\n", sw_name(0), more);
    (void)snprintf(path, sizeof(path), "%s/muster.conf", where);
    assert_ok(mst_file_replace(path, 0600, mst_str_c(&s), s.len, &err), &err);
    mst_str_release(&s);
}

static inline int sw_home(void)
{
    temp_dir(sw_dir, sizeof(sw_dir));
    (void)snprintf(sw_env_dir, sizeof(sw_env_dir), "MUSTER_DIR=%s", sw_dir);
    sw_config(sw_dir, "");
    sw_no_fault();
    return 0;
}

static inline int sw_setup_with(struct sbx_opts o)
{
    o.fast = true;
    o.seed = 1;
    kit_start(&kit, o);
    return sw_home();
}

/* For what a real set can do, too. */
static inline int sw_setup_any(void **state)
{
    const struct testset_opts o = {.name = "switch", .seed = 1};

    (void)state;
    testset_start(&sw_set, &o);
    kit.w = sw_set.world;
    return sw_home();
}

static inline int sw_primary(void)
{
    return sw_set.n ? testset_primary(&sw_set, -1, 60000) : sbx_world_primary(kit.w);
}

static inline int sw_setup(void **state)
{
    (void)state;
    return sw_setup_with((struct sbx_opts){.members = 3});
}

static inline int sw_teardown(void **state)
{
    struct ran r;

    (void)state;
    sw_no_fault();
    RUN(&r, sw_env, "agent", "stop", "--force");
    ran_release(&r);
    if (sw_set.n) {
        testset_stop(&sw_set);
        kit.w = NULL;
    } else {
        kit_stop(&kit);
    }
    temp_remove(sw_dir);
    return 0;
}

#define SW_RUN(r, ...) run_muster((r), (const char *const[]){__VA_ARGS__, NULL}, sw_env, SW_REAL_MS)

#define HAS(text, part) \
    do { \
        if (!strstr((text), (part))) { \
            fail_msg("\"%s\" is not in: %s", (part), (text)); \
        } \
    } while (0)

static inline void sw_expect(const struct ran *r, int status)
{
    if (r->status != status) { /* why stands at the end */
        fail_msg("status %d, wanted %d: %s%s", r->status, status,
                 mst_str_c(&r->out) + (r->out.len > 700 ? r->out.len - 700 : 0),
                 mst_str_c(&r->err));
    }
}

/* The phrase of a plan to this member. The note of one that died is waited for. */
static inline void sw_phrase(size_t to, char *out, size_t size)
{
    const int64_t end = mst_clock_mono_ms(NULL) + 20000;
    struct ran r;
    const char *at;

    for (;;) {
        RUN(&r, sw_env, "switchover", "--to", sw_name(to), SW_YOUNG, "--dry-run");
        if (r.status != 10 || !strstr(mst_str_c(&r.err), "P37") || mst_clock_mono_ms(NULL) > end) {
            break;
        }
        ran_release(&r);
        mst_clock_sleep_ms(200);
    }
    sw_expect(&r, 0);
    at = strstr(mst_str_c(&r.out), "phrase: ");
    assert_non_null(at);
    (void)snprintf(out, size, "%.*s", (int)strcspn(at + 8, "\n"), at + 8);
    ran_release(&r);
}

static inline void sw_move(size_t to, struct ran *r)
{
    char phrase[200];

    sw_phrase(to, phrase, sizeof(phrase));
    SW_RUN(r, "switchover", "--to", sw_name(to), SW_YOUNG, "--confirm", phrase);
}

static inline void sw_stop_agent(void)
{
    struct ran r;

    RUN(&r, sw_env, "agent", "stop", "--force");
    ran_release(&r);
}

/* Is it held off elections, by the server's own timer? No command of a real server tells. */
static inline bool sw_frozen(size_t member)
{
    if (!kit.w) {
        return false;
    }
    sbx_lock(kit.w);
    const bool yes = kit.w->members[member].no_stand_until > mst_clock_mono_ms(NULL);
    sbx_unlock(kit.w);
    return yes;
}

static inline void sw_status_until(struct ran *r, const char *part)
{
    const int64_t end = mst_clock_mono_ms(NULL) + 30000;

    for (;;) {
        RUN(r, sw_env, "status", "--plain");
        if (strstr(mst_str_c(&r->out), part)) {
            return;
        }
        if (mst_clock_mono_ms(NULL) > end) {
            fail_msg("\"%s\" is never in: %s", part, mst_str_c(&r->out));
        }
        ran_release(r);
        mst_clock_sleep_ms(100);
    }
}

#endif
