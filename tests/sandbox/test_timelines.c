/* Elections of a real 4.2.8 set come out the same way in the simulator: the same commands, answers
 * and sequences of states, from the same configuration, term and primary. */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "auth/auth.h"
#include "conform/play.h"
#include "conform/timeline.h"
#include "ctl/ctl.h"
#include "test.h"

#define FLOOR_REPLAYED 29
#define FLOOR_MOMENTS 35
#define FLOOR_OPINIONS 30
#define FLOOR_COMPARED 515
#define CEILING_EXCEPTED 90
#define PATIENCE_MS 20000

static struct conf conf;
static struct tally { /* what a scene says of itself */
    unsigned replayed, failed, moments, followed, compared, excepted;
    struct conf_seen seen;
} all;
static unsigned moments, followed;
static const int in_order[PLAY_MEMBERS] = {27117, 27118, 27119};

struct scene {
    struct sbx_world *w;
    struct play p;
    struct watcher k;
};

static void begin(struct scene *s, const struct sbx_opts *o, const char *file, const int *order)
{
    struct mst_err err = {0};

    conf_forget(&conf);
    conf.fast = o->fast;
    assert_ok(sbx_world_start(o, &s->w, &err), &err);
    play_load(&s->p, &conf, file);
    play_on(&s->p, s->w, order);
    watcher_start(&s->k, s->w);
}

static void end(struct scene *s, int from, int to)
{
    if (!timeline_await(&s->p, to + 1, PATIENCE_MS)) {
        conf.line = to;
        conf_note(&conf, "%s: the states after line %d never came", s->p.file, to);
        conf.failed++;
    }
    watcher_stop(&s->k);
    moments += timeline_check(&s->p, &s->k, from, to);
    followed += s->k.followed;
    watcher_release(&s->k);
    play_release(&s->p);
    sbx_world_stop(s->w);
    (void)fputs(mst_str_c(&conf.diffs), stdout);
    (void)fflush(stdout);
    mst_str_reset(&conf.diffs);
}

static void verb(struct scene *s, const char *what, int port)
{
    char member[8];
    const char *words[2] = {what, member};
    struct mst_str out = {0};
    struct mst_err err = {0};

    (void)snprintf(member, sizeof member, "%zu", s->p.index_of[port - PLAY_FIRST_PORT]);
    assert_ok(sbx_ctl_verb(s->w, words, 2, &out, &err), &err);
    mst_str_release(&out);
}

/* Was it sent on the heels of the command before? Then nothing is waited for. */
static bool at_once(const struct play *p, int line)
{
    int64_t now = 0, before = 0;

    (void)sbx_doc_int(p->lines[line - 1].doc, "at_ms", &now);
    for (int i = line - 1; i >= 1; i--) {
        if (p->lines[i - 1].has_command && !play_skipped(p->file, i)) {
            return sbx_doc_int(p->lines[i - 1].doc, "at_ms", &before) && now - before < 1000;
        }
    }
    return false;
}

/* Commands from..to, each when the members are what the recording says they were. */
static void paced(struct scene *s, int from, int to)
{
    for (int i = from; i <= to && i <= s->p.n; i++) {
        if (s->p.lines[i - 1].has_command && !play_skipped(s->p.file, i)) {
            if (!at_once(&s->p, i) && !timeline_await(&s->p, i, PATIENCE_MS)) {
                conf.line = i;
                conf_note(&conf, "%s: the states before line %d never came", s->p.file, i);
                conf.failed++;
            }
            (void)play_line(&s->p, i);
        }
    }
}

/* Who stands first is chance: in this recording it was not this one. */
static void stand_last(struct scene *s, int port)
{
    sbx_lock(s->w);
    s->w->members[s->p.index_of[port - PLAY_FIRST_PORT]].no_stand_until = sbx_mono(s->w) + 8000;
    sbx_unlock(s->w);
}

static bson_t *config(const char *json)
{
    bson_error_t e;
    bson_t *doc = bson_new_from_json((const uint8_t *)json, -1, &e);

    assert_non_null(doc);
    return doc;
}

static void a_killed_primary_is_succeeded_and_comes_back(void **state)
{
    struct scene s;

    (void)state;
    begin(&s, &(struct sbx_opts){.fast = true, .version = 5, .term = 6}, "09-primary-killed",
          in_order);
    stand_last(&s, 27119);
    verb(&s, "kill", 27117);
    paced(&s, 2, 8);
    verb(&s, "start", 27117);
    paced(&s, 9, 15);
    end(&s, 3, 15);
}

static void a_primary_without_a_majority_gives_up(void **state)
{
    struct scene s;

    (void)state;
    begin(&s, &(struct sbx_opts){.fast = true, .version = 5, .term = 7, .primary = 1},
          "10-majority-lost", in_order);
    verb(&s, "kill", 27117);
    verb(&s, "kill", 27119);
    paced(&s, 2, 9);
    end(&s, 2, 9);
}

static void a_set_of_one_reports_itself(void **state)
{
    static const int order[PLAY_MEMBERS] = {27118, 27117, 27119};
    bson_t *one = config("{\"_id\":\"rs0\",\"members\":[{\"_id\":1,\"host\":\"a:1\"}]}");
    struct scene s;

    (void)state;
    begin(&s, &(struct sbx_opts){.fast = true, .version = 30831, .term = 8, .config = one},
          "10-majority-lost", order);
    (void)play_line(&s.p, 13);
    (void)play_line(&s.p, 14);
    (void)fputs(mst_str_c(&conf.diffs), stdout);
    (void)fflush(stdout);
    watcher_stop(&s.k);
    watcher_release(&s.k);
    play_release(&s.p);
    sbx_world_stop(s.w);
    bson_destroy(one);
}

static bson_t *later_config(void)
{
    return config("{\"_id\":\"rs0\",\"members\":[{\"_id\":1,\"host\":\"a:1\"},"
                  "{\"_id\":10,\"host\":\"a:2\"},{\"_id\":11,\"host\":\"a:3\"}]}");
}

static void a_frozen_primary_steps_down_when_it_wakes(void **state)
{
    static const int order[PLAY_MEMBERS] = {27118, 27117, 27119};
    bson_t *three = later_config();
    struct scene s;

    (void)state;
    begin(&s, &(struct sbx_opts){.fast = true, .version = 30832, .term = 8, .config = three},
          "11-primary-frozen", order);
    (void)timeline_await(&s.p, 3, PATIENCE_MS);
    stand_last(&s, 27119);
    verb(&s, "stop", 27118);
    paced(&s, 4, 8);
    verb(&s, "cont", 27118);
    end(&s, 1, 16);
    bson_destroy(three);
}

static void a_frozen_heir_costs_an_election_timeout(void **state)
{
    struct scene s;
    struct mst_err err = {0};

    (void)state;
    begin(&s, &(struct sbx_opts){.fast = true}, "17-frozen-heir", in_order);
    sbx_lock(s.w);
    assert_ok(sbx_auth_add(s.w, "admin", "root", "s3cret", &err), &err);
    sbx_unlock(s.w);
    s.p.user = "root";
    s.p.password = "s3cret";
    paced(&s, 1, s.p.n);
    end(&s, 4, s.p.n);
}

static void a_step_down_hands_over_and_is_refused_without_a_caught_up_heir(void **state)
{
    struct scene s;

    (void)state;
    begin(&s, &(struct sbx_opts){.version = 5, .term = 3, .primary = 2}, "08-stepdown", in_order);
    (void)play_line(&s.p, 3);
    (void)timeline_await(&s.p, 9, PATIENCE_MS);
    verb(&s, "stop", 27118);
    verb(&s, "stop", 27119);
    paced(&s, 10, 12);
    end(&s, 4, 14);
}

static void an_arbiter_votes_and_holds_nothing(void **state)
{
    struct scene s;

    (void)state;
    begin(&s, &(struct sbx_opts){.members = 2, .arbiter = true, .fast = true, .uninitiated = true},
          "19-arbiter", in_order);
    (void)play_line(&s.p, 1);
    paced(&s, 14, 20);
    verb(&s, "kill", 27118);
    paced(&s, 22, 24);
    end(&s, 11, 24);
}

/* ---- the scenes play at once: they wait for the clock more than they work ---- */

static void (*const scenes[])(void **state) = {
    a_killed_primary_is_succeeded_and_comes_back,
    a_primary_without_a_majority_gives_up,
    a_set_of_one_reports_itself,
    a_frozen_primary_steps_down_when_it_wakes,
    a_frozen_heir_costs_an_election_timeout,
    a_step_down_hands_over_and_is_refused_without_a_caught_up_heir,
    an_arbiter_votes_and_holds_nothing,
};
#define SCENES (sizeof scenes / sizeof *scenes)
static struct {
    pid_t pid;
    int fd;
} players[SCENES];

static int play_scene(size_t i, int fd)
{
    const struct CMUnitTest test[] = {{"the scene", scenes[i], NULL, NULL, NULL}};
    int failed;

    cmocka_set_message_output(CM_OUTPUT_SUBUNIT); /* not mixed up with the parent's */
    conf_init(&conf, TEST_DATA "/conformance-exceptions.txt");
    failed = cmocka_run_group_tests_name(NULL, test, NULL, NULL);
    const struct tally t = {conf.replayed, conf.failed,   moments,  followed,
                            conf.compared, conf.excepted, conf.seen};
    const bool told = write(fd, &t, sizeof t) == (ssize_t)sizeof t;
    conf_release(&conf);
    return failed != 0 || !told;
}

/* Before anything has a thread. The output of a scene that fails is all that is shown of it. */
static void begin_all(void)
{
    for (size_t i = 0; i < SCENES; i++) {
        int fd[2];

        if (pipe(fd) != 0 || (players[i].pid = fork()) < 0) {
            abort();
        }
        if (players[i].pid == 0) {
            (void)close(fd[0]);
            exit(play_scene(i, fd[1]));
        }
        (void)close(fd[1]);
        players[i].fd = fd[0];
    }
}

static void a_scene(void **state)
{
    const size_t i = (size_t)(uintptr_t)*state;
    struct tally t = {0};
    int status = -1;
    const ssize_t n = read(players[i].fd, &t, sizeof t);

    (void)close(players[i].fd);
    assert_int_equal(waitpid(players[i].pid, &status, 0), players[i].pid);
    assert_int_equal(n, sizeof t);
    all.replayed += t.replayed;
    all.failed += t.failed;
    all.moments += t.moments;
    all.followed += t.followed;
    all.compared += t.compared;
    all.excepted += t.excepted;
    for (size_t f = 0; f < CONF_FILES; f++) {
        for (size_t b = 0; b < CONF_LINES / 8; b++) {
            all.seen.bits[f][b] |= t.seen.bits[f][b];
        }
    }
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(t.failed, 0);
}

static void what_was_compared_is_enough(void **state)
{
    (void)state;
    printf("replayed %u, failed %u; moments %u, opinions %u; values compared %u, excepted %u\n",
           all.replayed, all.failed, all.moments, all.followed, all.compared, all.excepted);
    (void)fflush(stdout);
    assert_true(all.replayed >= FLOOR_REPLAYED);
    assert_true(all.moments >= FLOOR_MOMENTS);
    assert_true(all.followed >= FLOOR_OPINIONS);
    assert_true(all.compared >= FLOOR_COMPARED);
    assert_true(all.excepted <= CEILING_EXCEPTED);
}

static void every_command_is_replayed_or_listed(void **state)
{
    static const char *const files[] = {"08-stepdown",      "09-primary-killed",
                                        "10-majority-lost", "11-primary-frozen",
                                        "17-frozen-heir",   "19-arbiter"};
    unsigned n = 0;

    (void)state;
    conf_init(&conf, TEST_DATA "/conformance-exceptions.txt");
    conf.seen = all.seen;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        n += play_unlisted(&conf, files[i]);
    }
    (void)fputs(mst_str_c(&conf.diffs), stdout);
    (void)fflush(stdout);
    conf_release(&conf);
    assert_int_equal(n, 0);
}

#define SCENE(i, fn) \
    { \
#fn, a_scene, NULL, NULL, (void *)(uintptr_t)(i) \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(0, a_killed_primary_is_succeeded_and_comes_back),
        SCENE(1, a_primary_without_a_majority_gives_up),
        SCENE(2, a_set_of_one_reports_itself),
        SCENE(3, a_frozen_primary_steps_down_when_it_wakes),
        SCENE(4, a_frozen_heir_costs_an_election_timeout),
        SCENE(5, a_step_down_hands_over_and_is_refused_without_a_caught_up_heir),
        SCENE(6, an_arbiter_votes_and_holds_nothing),
        cmocka_unit_test(every_command_is_replayed_or_listed),
        cmocka_unit_test(what_was_compared_is_enough)};

    begin_all();
    return cmocka_run_group_tests_name("timelines", tests, NULL, NULL);
}
