/* The proof: with a writer at work all the time, what a backup gives back is what the writer was
 * acknowledged at the backup's end {ts}, document by document.
 *
 * MUSTER_SEEDS=n     fixed seeds 1 to n on 4.2 and a fifth of them on 7.0 (2)
 * MUSTER_SEED=n      this one only, on both or on MUSTER_SERVER
 * MUSTER_PROOF=k/m   of these, every m-th from the k-th (0/1)
 * MUSTER_FRESH=n     and n new ones on each server, which are printed (0)
 * MUSTER_WRITES=n    fail when a fixed seed has fewer writes a second (0) */
#include "proof_kit.h"

#include <sys/random.h>

#define WINDOW_MIN 500
#define SLOW_MS 10
#define SLOW_BATCHES 70

static void at_point(void *arg, const char *point)
{
    struct proof *p = arg;

    if (strcmp(point, "list") == 0) {
        p->from_ms = mst_clock_mono_ms(NULL);
        sbx_writer_stats(p->writer, &p->from);
        p->acts_from = p->acts.writes;
        acts_before_listing(&p->acts);
    } else if (strcmp(point, "end") == 0) {
        p->to_ms = mst_clock_mono_ms(NULL);
        sbx_writer_stats(p->writer, &p->to);
        p->acts_to = p->acts.writes;
    }
}

static void at_scan(void *arg, const char *ns, const char *point)
{
    struct proof *p = arg;

    acts_at_scan(&p->acts, ns, point);
    if (strcmp(point, "batch") == 0 && atomic_fetch_add(&p->slowed, 1) < SLOW_BATCHES) {
        mst_clock_sleep_ms(SLOW_MS); /* not for ever: the writer may be faster than such a scan */
    }
}

struct total {
    unsigned seeds;
    uint64_t entries, least_entries, rate, least_rate, documents, replayed, doubles;
    uint64_t acts[ACTS][PHASES];
};

static uint64_t rate_of(const struct proof *p)
{
    const uint64_t n = p->to.writes - p->from.writes + p->acts_to - p->acts_from;
    const int64_t ms = p->to_ms - p->from_ms;

    return ms > 0 ? n * 1000 / (uint64_t)ms : 0;
}

/* Every kind of act before, during and after; a zero is a failure. */
static void count_acts(struct proof *p, const struct mst_backup_result *b, struct total *t)
{
    int i, f;

    if (*p->acts.problem) {
        fail_msg("%s", p->acts.problem);
    }
    for (i = 0; i < ACTS; i++) {
        for (f = 0; f < PHASES; f++) {
            const unsigned n = acts_count(&p->acts, i, f, b->first.ts, b->last.ts);

            if (!n) {
                fail_msg("no %s %s the scan of its collection", act_names[i], phase_names[f]);
            }
            t->acts[i][f] += n;
        }
    }
}

static void add_up(struct total *t, const struct mst_backup_result *b,
                   const struct mst_restore_result *res, uint64_t documents, uint64_t rate)
{
    t->least_entries =
        !t->seeds || b->oplog_entries < t->least_entries ? b->oplog_entries : t->least_entries;
    t->least_rate = !t->seeds || rate < t->least_rate ? rate : t->least_rate;
    t->seeds++;
    t->entries += b->oplog_entries;
    t->rate += rate;
    t->documents += documents;
    t->replayed += res->ops;
    t->doubles += res->doubles;
}

static void one_seed(const char *server, uint64_t seed, struct total *total)
{
    struct proof *p = mst_xcalloc(1, sizeof *p);
    const int64_t from = mst_clock_mono_ms(NULL);
    struct mst_backup_opts o;
    struct mst_backup_result b;
    struct mst_restore_result res;
    struct mst_err err = {0};
    struct tally t;
    char why[512];

    proof_begin(p, server, seed, 30 + (int)(seed % 31));
    keep_backup_opts(&p->keep, &o);
    o.at = at_point;
    o.scan_at = at_scan;
    o.at_arg = p;
    o.scans = 1 + (unsigned)(seed % 2);
    o.batch_docs = 8 + (uint32_t)(seed % 17);
    if (mst_backup_run(&o, &p->keep.task, &b, &err) != MST_OK) {
        fail_msg("server %s seed %llu: %s", server, (unsigned long long)seed, err.msg);
    }
    sbx_writer_pause(p->writer, true);
    take_defs(p);
    if (!restored_equals_model(p, b.id, &t, why, sizeof why, &res)) {
        fail_msg("server %s seed %llu: %s", server, (unsigned long long)seed, why);
    }
    print_message("  %s seed %llu: %llu writes/s, window %llu entries, %llu replayed, %llu "
                  "doubles, %llu updates without a document; %zu collections, %zu documents, %zu "
                  "definitions equal; %lld ms\n",
                  server, (unsigned long long)seed, (unsigned long long)rate_of(p),
                  (unsigned long long)b.oplog_entries, (unsigned long long)res.ops,
                  (unsigned long long)res.doubles, (unsigned long long)res.missing, t.collections,
                  t.documents, t.definitions, (long long)(mst_clock_mono_ms(NULL) - from));
    assert_true(b.oplog_entries >= WINDOW_MIN);
    assert_true(t.documents > 100);
    count_acts(p, &b, total);
    add_up(total, &b, &res, t.documents, rate_of(p));
    mst_restore_result_release(&res);
    proof_end(p);
    free(p);
}

/* ---- which seeds ---- */

static long number_of(const char *name, long otherwise)
{
    const char *env = getenv(name);

    return env ? strtol(env, NULL, 10) : otherwise;
}

static bool mine(unsigned i)
{
    const char *env = getenv("MUSTER_PROOF");
    const char *of = env ? strchr(env, '/') : NULL;
    const unsigned long m = of ? strtoul(of + 1, NULL, 10) : 1;

    return m < 2 || i % m == strtoul(env, NULL, 10);
}

/* One line for a person and for scripts/proof.sh, which adds up. */
static void print_total(const char *server, const char *kind, const struct total *t)
{
    char line[600];
    int n, i;

    if (!t->seeds) {
        return;
    }
    n = snprintf(line, sizeof line,
                 "proof %s %s seeds=%u entries=%llu least_entries=%llu "
                 "writes_per_s=%llu least_writes_per_s=%llu documents=%llu replayed=%llu "
                 "doubles=%llu",
                 server, kind, t->seeds, (unsigned long long)t->entries,
                 (unsigned long long)t->least_entries, (unsigned long long)(t->rate / t->seeds),
                 (unsigned long long)t->least_rate, (unsigned long long)t->documents,
                 (unsigned long long)t->replayed, (unsigned long long)t->doubles);
    for (i = 0; i < ACTS; i++) {
        n +=
            snprintf(line + n, sizeof line - (size_t)n, " %s=%llu,%llu,%llu", act_names[i],
                     (unsigned long long)t->acts[i][BEFORE], (unsigned long long)t->acts[i][DURING],
                     (unsigned long long)t->acts[i][AFTER]);
    }
    print_message("%s\n", line);
}

static void seeds_on(const char *server, unsigned from, unsigned count)
{
    const char *only = getenv("MUSTER_SEED"), *where = getenv("MUSTER_SERVER");
    struct total fixed = {0}, fresh = {0};
    unsigned i;

    if (where && strcmp(where, server) != 0) {
        return;
    }
    if (only) {
        one_seed(server, strtoull(only, NULL, 10), &fixed);
        print_total(server, "chosen", &fixed);
        return;
    }
    for (i = 0; i < count; i++) {
        if (mine(i)) {
            one_seed(server, from + i, &fixed);
        }
    }
    print_total(server, "fixed", &fixed);
    if ((long)fixed.least_rate < number_of("MUSTER_WRITES", 0) && fixed.seeds) {
        fail_msg("a seed had only %llu writes/s", (unsigned long long)fixed.least_rate);
    }
    for (i = 0; (long)i < number_of("MUSTER_FRESH", 0); i++) {
        uint32_t seed;

        MST_ASSERT(getrandom(&seed, sizeof seed, 0) == (ssize_t)sizeof seed);
        print_message("  a new seed: again with MUSTER_SEED=%u MUSTER_SERVER=%s\n", seed, server);
        one_seed(server, seed, &fresh);
    }
    print_total(server, "fresh", &fresh);
}

static unsigned seeds_wanted(void)
{
    const long n = number_of("MUSTER_SEEDS", 2);

    return n > 0 && n < 1000 ? (unsigned)n : 2;
}

static void a_restored_set_is_what_the_writer_was_told(void **state)
{
    (void)state;
    seeds_on("4.2", 1, seeds_wanted());
}

static void the_newer_profile_proves_it_too(void **state)
{
    (void)state;
    seeds_on("7.0", 101, (seeds_wanted() + 4) / 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_restored_set_is_what_the_writer_was_told),
        cmocka_unit_test(the_newer_profile_proves_it_too),
    };

    mst_mongo_init();
    return cmocka_run_group_tests_name("proof", tests, NULL, NULL);
}
