/* The chain of COMMITs in one store and in several: what is missing is said, what never came to a
 * store is not. */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "catalog/trust.h"

#define OLD(sha, previous, counter, good) \
    { \
        sha, previous, counter, good, false, 0, "" \
    }
#define HERE(sha, previous, counter, highest) \
    { \
        sha, previous, counter, true, true, highest, "" \
    }
#define NONE OLD("", "", 0, false)

static void the_chain_is_a_table(void **state)
{
    static const struct {
        struct mst_link l[3];
        size_t i;
        const char *want;
    } rows[] = {
        {{OLD("a", "", 1, true), OLD("b", "a", 2, true), OLD("c", "b", 3, true)}, 2, ""},
        {{OLD("a", "", 1, true), OLD("b", "a", 2, true), OLD("c", "b", 3, true)}, 0, ""},
        {{OLD("a", "", 1, true), OLD("x", "a", 2, true), OLD("c", "b", 3, true)},
         2,
         "is missing here"},
        {{OLD("b", "a", 2, true), OLD("c", "b", 3, true), OLD("d", "c", 4, true)},
         0,
         "not here any more"},
        {{NONE, NONE, OLD("c", "b", 3, true)}, 2, "not here any more"},
        /* not judged */
        {{OLD("a", "", 1, true), OLD("b", "z", 2, false), OLD("c", "b", 3, true)}, 1, ""},
        {{OLD("a", "", 1, true), OLD("b", "b", 2, true), OLD("c", "b", 3, true)},
         1,
         "is missing here"},
        {{OLD("a", "", 1, true), OLD("c", "a", 3, true), NONE}, 1, ""}, /* numbers leave gaps */
        {{HERE("a", "", 1, 0), HERE("b", "a", 2, 1), HERE("c", "b", 3, 2)}, 2, ""},
        {{HERE("a", "", 1, 0), HERE("c", "a", 3, 1), NONE}, 1, ""},
        {{HERE("a", "", 1, 0), HERE("c", "a", 3, 2), NONE}, 1, "number 2 was in this store"},
        {{HERE("c", "", 3, 2), NONE, NONE}, 0, "number 2 was in this store"},
        {{HERE("a", "", 1, 0), HERE("c", "b", 3, 2), NONE}, 1, "is missing here"},
        {{NONE, {"c", "b", 3, true, false, 0, "local"}, NONE}, 1, "made for the store local"},
        {{OLD("b", "", 2, true), {"c", "b", 3, true, false, 0, "local"}, NONE}, 1, ""},
    };

    (void)state;
    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        char out[200];

        mst_chain_judge(rows[i].l, 3, rows[i].i, out);
        if (*rows[i].want ? !strstr(out, rows[i].want) : *out) {
            fail_msg("row %zu: '%s'", i, out);
        }
    }
}

/* --- two stores through the life of some backups ---------------------------------------------- */

#define BACKUPS 8

struct world {
    struct mst_commit made[BACKUPS + 1]; /* by number, from 1 */
    bool in[2][BACKUPS + 1];
    uint64_t seen[2];
    size_t n;
};
static const char *const names[] = {"local", "vault"};

static void link_of(const struct world *w, size_t store, size_t b, struct mst_link *l)
{
    memset(l, 0, sizeof(*l));
    (void)snprintf(l->sha, sizeof(l->sha), "c%zu", b);
    l->good = true;
    mst_chain_link(&w->made[b], names[store], l);
}

static void newest_of(const struct world *w, size_t store, struct mst_before *b)
{
    memset(b, 0, sizeof(*b));
    for (size_t k = 1; k <= w->n; k++) {
        if (w->in[store][k]) {
            (void)snprintf(b->id, sizeof(b->id), "%zu", k);
            (void)snprintf(b->sha, sizeof(b->sha), "c%zu", k);
            b->counter = w->made[k].counter;
        }
    }
}

/* A backup for the stores of this mask. */
static void back_up(struct world *w, unsigned mask)
{
    struct mst_before before[2];
    const char *of[2];
    uint64_t seen[2];
    size_t n = 0;

    for (size_t i = 0; i < 2; i++) {
        if (mask & (1U << i)) {
            newest_of(w, i, &before[n]);
            of[n] = names[i];
            seen[n++] = w->seen[i];
        }
    }
    mst_chain_join(before, of, seen, n, &w->made[w->n + 1]);
    w->n++;
    for (size_t i = 0; i < 2; i++) {
        w->in[i][w->n] = (mask & (1U << i)) != 0;
    }
}

static void look(struct world *w)
{
    for (size_t i = 0; i < 2; i++) {
        for (size_t k = 1; k <= w->n; k++) {
            if (w->in[i][k] && w->made[k].counter > w->seen[i]) {
                w->seen[i] = w->made[k].counter;
            }
        }
    }
}

/* B into both; L and V into one of two, in the other one it fails at its COMMIT; l, v for one
 * alone; ? the stores are listed; l-N and v-N removed there; v+N copied there. */
static void live(struct world *w, const char *story)
{
    memset(w, 0, sizeof(*w));
    for (const char *p = story; *p; p++) {
        const size_t store = *p == 'v' || *p == 'V';

        if (*p == 'B') {
            back_up(w, 3);
        } else if (*p == 'L' || *p == 'V') {
            back_up(w, 3);
            w->in[!store][w->n] = false;
        } else if (*p == '?') {
            look(w);
        } else if ((*p == 'l' || *p == 'v') && (p[1] == '-' || p[1] == '+')) {
            w->in[store][p[2] - '0'] = p[1] == '+';
            p += 2;
        } else if (*p == 'l' || *p == 'v') {
            back_up(w, 1U << store);
        }
    }
}

/* All sentences in a store, as "N:sentence". */
static void sentences(const struct world *w, size_t store, char *out, size_t size)
{
    struct mst_link links[BACKUPS];
    size_t of[BACKUPS], n = 0;

    out[0] = '\0';
    for (size_t k = 1; k <= w->n; k++) {
        if (w->in[store][k]) {
            of[n] = k;
            link_of(w, store, k, &links[n++]);
        }
    }
    for (size_t i = 0; i < n; i++) {
        char text[200];

        mst_chain_judge(links, n, i, text);
        if (*text) {
            (void)snprintf(out + strlen(out), size - strlen(out), "%zu:%s;", of[i], text);
        }
    }
}

static void what_never_came_is_told_from_what_was_removed(void **state)
{
    static const struct {
        const char *story, *local, *vault; /* "" or where a sentence must begin */
    } rows[] = {
        {"B B B", "", ""},
        {"B L B", "", ""}, /* the copy in vault failed */
        {"B L L L B", "", ""},
        {"L L B", "", ""}, /* vault was dead from the start */
        {"B V B", "", ""},
        {"L V L V B B", "", ""},
        {"B l B", "", ""}, /* one was asked for in local alone */
        {"l v l v B", "", ""},
        {"B L ? B v+2", "", ""}, /* copied there afterwards */
        {"B L B l-2", "3:the backup that was made before it", ""},
        {"B B B v-2", "", "3:the backup that was made before it"},
        {"B B B v-1", "", "2:the backups before it"},
        {"B B ? v-2 B", "", "3:number 2 was in this store before it was made"},
        {"B B ? l-2 v-2 B", "3:number 2", "3:number 2"},
        {"B ? v-1 B", "", "2:number 1 was in this store"},
        {"B B ? v-2 B B", "", "3:number 2"}, /* and it stays seen */
        {"B L ? B v-1", "", "3:the backups before it"},
        {"B L ? L B v-1", "", "4:the backups before it"},
        {"l l v+2", "", "2:it was made for the store local"},
        {"l l v+1v+2", "", ""},
        {"l l v+1", "", ""},
    };

    (void)state;
    for (size_t i = 0; i < MST_COUNT(rows); i++) {
        const char *const want[] = {rows[i].local, rows[i].vault};
        struct world w;

        live(&w, rows[i].story);
        for (size_t s = 0; s < 2; s++) {
            char out[800];

            sentences(&w, s, out, sizeof(out));
            if (*want[s] ? strncmp(out, want[s], strlen(want[s])) != 0 : *out) {
                fail_msg("%s: %s says '%s'", rows[i].story, names[s], out);
            }
        }
    }
}

/* Numbers rise in every store, whichever of them a backup came to. */
static void numbers_rise_in_every_store(void **state)
{
    struct world w;

    (void)state;
    live(&w, "B L V ? v-3 B l v B");
    for (size_t k = 2; k <= w.n; k++) {
        for (size_t i = 0; i < 2; i++) {
            for (size_t j = 1; w.in[i][k] && j < k; j++) {
                assert_true(!w.in[i][j] || w.made[j].counter < w.made[k].counter);
            }
        }
    }
}

static void the_places_of_a_commit_survive_a_round_trip(void **state)
{
    struct mst_commit c = {.counter = 9, .n_places = 2}, back;
    struct mst_sign_key key = {0};
    struct mst_str s = {0};
    struct mst_err err = {0};

    (void)state;
    assert_ok(mst_sign_key_new(&key, &err), &err);
    memset(c.header_sha, 'a', MST_SHA256_HEX - 1);
    memset(c.manifest_sha, 'b', MST_SHA256_HEX - 1);
    memset(c.places[0].previous, 'c', MST_SHA256_HEX - 1);
    (void)mst_copy(c.attempt, sizeof(c.attempt), "00112233445566aa");
    (void)mst_copy(c.places[0].store, sizeof(c.places[0].store), "a \"quoted\" name");
    (void)mst_copy(c.places[1].store, sizeof(c.places[1].store), "vault");
    c.places[0].highest = INT64_MAX;
    assert_ok(mst_commit_put(&c, &key, &s, &err), &err);
    assert_ok(mst_commit_get(s.p, s.len, &back, &err), &err);
    assert_int_equal(back.n_places, 2);
    assert_memory_equal(back.places, c.places, sizeof(c.places));
    assert_ok(mst_commit_put(&c, NULL, &s, &err), &err);
    assert_null(strstr(s.p, "stores")); /* nobody vouches for them */
    mst_str_release(&s);
    mst_sign_key_release(&key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_chain_is_a_table),
        cmocka_unit_test(what_never_came_is_told_from_what_was_removed),
        cmocka_unit_test(numbers_rise_in_every_store),
        cmocka_unit_test(the_places_of_a_commit_survive_a_round_trip),
    };

    return cmocka_run_group_tests_name("chain", tests, NULL, NULL);
}
