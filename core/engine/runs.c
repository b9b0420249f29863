#include "engine/runs.h"

#include <bson/bson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "mongo/mongo.h"

struct all {
    struct mst_run_state *s;
    size_t n, cap;
};

static struct mst_run_state *of(struct all *a, const char *run)
{
    for (size_t i = 0; i < a->n; i++) {
        if (strcmp(a->s[i].run, run) == 0) {
            return &a->s[i];
        }
    }
    mst_grow((void **)&a->s, &a->cap, a->n + 1, sizeof(a->s[0]));
    memset(&a->s[a->n], 0, sizeof(a->s[0]));
    (void)mst_copy(a->s[a->n].run, sizeof(a->s[0].run), run);
    return &a->s[a->n++];
}

/* Did one of these items replace a collection? */
static bool replaces(const bson_t *step)
{
    bson_iter_t it, list, item;

    if (!bson_iter_init_find(&it, step, "items") || !bson_iter_recurse(&it, &list)) {
        return false;
    }
    while (bson_iter_next(&list)) {
        if (bson_iter_recurse(&list, &item) && bson_iter_find(&item, "live")) {
            return true;
        }
    }
    return false;
}

static enum mst_rc on_step(void *arg, const char *run, const bson_t *step, struct mst_err *err)
{
    struct mst_run_state *s = of(arg, run);
    char kind[16];

    (void)err;
    (void)mst_bson_text(step, "k", kind, sizeof(kind));
    if (strcmp(kind, "run") == 0) {
        (void)mst_bson_text(step, "to", s->to, sizeof(s->to));
    } else if (strcmp(kind, "swap") == 0) {
        s->kept = s->kept || replaces(step);
    } else if (strcmp(kind, "begin") == 0) {
        s->open = true;
    } else if (strcmp(kind, "swapped") == 0) {
        s->open = false;
        s->swapped = true;
    } else if (strcmp(kind, "held") == 0) {
        s->held++;
    } else if (strcmp(kind, "released") == 0) {
        s->held = 0;
    } else if (strcmp(kind, "discarded") == 0) {
        s->discarded = true;
    } else if (strcmp(kind, "cleaned") == 0) {
        s->cleaned = true;
    }
    return MST_OK;
}

enum mst_rc mst_runs_read(struct local *l, const char *run, struct mst_run_state **out, size_t *n,
                          struct mst_err *err)
{
    struct mst_restore_journal j;
    struct all a = {0};
    enum mst_rc rc = MST_OK;

    if (l->db) {
        mst_state_journal(l, &j);
        rc = j.each(j.arg, run, on_step, &a, err);
    }
    for (size_t i = 0; i < a.n; i++) {
        a.s[i].kept = a.s[i].kept && (a.s[i].open || a.s[i].swapped) && !a.s[i].discarded;
    }
    *out = a.s;
    *n = a.n;
    return rc;
}

bool mst_runs_find(struct local *l, const char *run, struct mst_run_state *out)
{
    struct mst_run_state *s = NULL;
    struct mst_err ignore = {0};
    size_t n = 0;
    const bool found = mst_runs_read(l, run, &s, &n, &ignore) == MST_OK && n == 1;

    if (found) {
        *out = s[0];
    }
    free(s);
    return found;
}

struct was {
    const char *db;
    int64_t n;
    char *out;
    bool found;
};

static enum mst_rc on_was(void *arg, const char *run, const bson_t *step, struct mst_err *err)
{
    struct was *w = arg;
    bson_iter_t it, list, item;
    char kind[16], db[64];

    (void)run;
    (void)err;
    if (!mst_bson_text(step, "k", kind, sizeof(kind)) || strcmp(kind, "swap") != 0 ||
        !bson_iter_init_find(&it, step, "items") || !bson_iter_recurse(&it, &list)) {
        return MST_OK;
    }
    while (bson_iter_next(&list)) {
        const uint8_t *p = NULL;
        uint32_t n = 0;
        bson_t d;

        if (!BSON_ITER_HOLDS_DOCUMENT(&list)) {
            continue;
        }
        bson_iter_document(&list, &n, &p);
        if (bson_init_static(&d, p, n) && bson_has_field(&d, "live") &&
            mst_bson_text(&d, "db", db, sizeof(db)) && strcmp(db, w->db) == 0 &&
            bson_iter_init_find(&item, &d, "n") && bson_iter_as_int64(&item) == w->n) {
            w->found = mst_bson_text(&d, "coll", w->out, MST_COLL_MAX);
        }
    }
    return MST_OK;
}

bool mst_runs_was(struct local *l, const char *run, const char *db, const char *kept,
                  char out[MST_COLL_MAX])
{
    const char *dot = strrchr(kept, '.');
    struct was w = {.db = db, .n = dot ? strtoll(dot + 1, NULL, 10) : -1, .out = out};
    struct mst_restore_journal j;
    struct mst_err ignore = {0};

    if (!l->db) {
        return false;
    }
    mst_state_journal(l, &j);
    return j.each(j.arg, run, on_was, &w, &ignore) == MST_OK && w.found;
}

static enum mst_rc add(struct local *l, const char *run, const bson_t *step, struct mst_err *err)
{
    struct mst_restore_journal j;

    mst_state_journal(l, &j);
    return j.add(j.arg, run, step, err);
}

enum mst_rc mst_runs_begin(struct local *l, const char *run, const char *to, struct mst_err *err)
{
    bson_t *step = BCON_NEW("k", BCON_UTF8("run"), "to", BCON_UTF8(to));
    const enum mst_rc rc = add(l, run, step, err);

    bson_destroy(step);
    return rc;
}

enum mst_rc mst_runs_forget(struct local *l, const char *run, struct mst_err *err)
{
    struct mst_restore_journal j;

    mst_state_journal(l, &j);
    return j.forget(j.arg, run, err);
}

enum mst_rc mst_runs_mark(struct local *l, const char *run, const char *word, struct mst_err *err)
{
    struct mst_run_state s;
    bson_t *step;
    enum mst_rc rc = MST_OK;

    if (!mst_runs_find(l, run, &s)) {
        return MST_OK; /* of another state directory */
    }
    if (word) {
        step = BCON_NEW("k", BCON_UTF8(word));
        rc = add(l, run, step, err);
        bson_destroy(step);
    }
    if (rc == MST_OK && mst_runs_find(l, run, &s) && !s.open && !s.kept &&
        (s.cleaned || (s.swapped && s.held == 0))) {
        rc = mst_runs_forget(l, run, err);
    }
    return rc;
}

static void say(const struct mst_run_state *s, struct mst_leaving_line *item)
{
    char *out = item->what;
    const size_t size = sizeof(item->what);

    (void)mst_copy(item->id, sizeof(item->id), s->run);
    item->by_restore = s->kept && !s->open;
    if (s->open) {
        (void)snprintf(out, size,
                       "restore %s stopped inside its swap: 'muster restore recover %s' ends it",
                       s->run, s->run);
    } else if (!s->swapped) {
        (void)snprintf(out, size,
                       "restore %s was interrupted, nothing live was changed: 'muster clean %s' "
                       "drops its staging collections",
                       s->run, s->run);
    } else if (s->kept) {
        (void)snprintf(out, size,
                       "restore %s: old collections are kept until 'muster restore discard %s'%s",
                       s->run, s->run, s->held ? "; its TTL indexes do not expire yet" : "");
    } else {
        (void)snprintf(out, size, "restore %s: %zu TTL %s held until 'muster restore release %s'",
                       s->run, s->held, mst_text_noun(s->held, "index is", "indexes are"), s->run);
    }
}

size_t mst_runs_lines(struct local *l, int64_t running, struct mst_leaving_line **out)
{
    struct mst_run_state *s = NULL;
    struct mst_err ignore = {0};
    size_t n = 0, k = 0;

    *out = NULL;
    if (mst_runs_read(l, NULL, &s, &n, &ignore) != MST_OK) {
        return 0;
    }
    *out = mst_xcalloc(n + 1, sizeof((*out)[0]));
    for (size_t i = n; i-- > 0;) {
        if (!s[i].swapped && running > 0) {
            running--;
        } else if (!s[i].swapped || s[i].kept || s[i].held) {
            say(&s[i], &(*out)[k++]);
        }
    }
    free(s);
    return k;
}

void mst_runs_recover(struct local *l)
{
    struct mst_run_state *s = NULL;
    struct mst_err err = {0};
    size_t n = 0;
    enum mst_rc rc = mst_runs_read(l, NULL, &s, &n, &err);

    for (size_t i = 0; rc == MST_OK && i < n; i++) {
        struct mst_cmd *cmd = mst_xcalloc(1, sizeof(*cmd));
        uint64_t job;

        cmd->kind = MST_CMD_RECOVER;
        (void)mst_copy(cmd->backup, sizeof(cmd->backup), s[i].run);
        if (s[i].open && mst_act_submit(&l->base, cmd, &job, &err) == MST_OK) {
            mst_say(l, MST_SEV_WARN, "restore %s stopped inside its swap: job %llu ends it",
                    s[i].run, (unsigned long long)job);
        } else if (s[i].open) {
            mst_say(l, MST_SEV_CRIT, "restore %s stopped inside its swap and is not ended: %s",
                    s[i].run, err.msg);
        }
        free(cmd);
    }
    free(s);
}
