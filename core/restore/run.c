/* run.c: prepare and run: the steps in their order. */
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/mem.h"
#include "base/text.h"
#include "restore/plan.h"
#include "restore/swap.h"

const char *mst_restore_proof_word(enum mst_restore_proof p)
{
    static const char *const words[] = {"equal", "replayed", "not provable"};

    return words[p];
}

const char *mst_restore_outcome_text(const struct mst_restore_outcome *o, char out[MST_OUTCOME_MAX])
{
    const bool says_ops = o->proof == MST_PROOF_REPLAYED && o->ops > 0;
    char ops[60] = "";

    if (o->ops > 0 && !says_ops) {
        (void)snprintf(ops, sizeof ops, ", %llu %s replayed", (unsigned long long)o->ops,
                       mst_text_noun(o->ops, "operation", "operations"));
    }
    (void)snprintf(out, MST_OUTCOME_MAX, "%s%s%s, %llu %s%s, %u %s built%s",
                   says_ops ? "" : mst_restore_proof_word(o->proof),
                   o->why[0] && !says_ops ? ": " : "", o->why, (unsigned long long)o->documents,
                   mst_text_noun(o->documents, "document", "documents"), ops, o->indexes,
                   mst_text_noun(o->indexes, "index", "indexes"), o->held ? ", TTL held" : "");
    return out;
}

void mst_restore_result_release(struct mst_restore_result *r)
{
    if (r) {
        free(r->outcomes);
        r->outcomes = NULL;
        r->n = 0;
    }
}

static enum mst_rc new_run(char run[MST_RUN_HEX], struct mst_err *err)
{
    uint8_t b[4];

    if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b) {
        return mst_err_set_detail(err, MST_E_IO, errno, "no random bytes for a run's name");
    }
    (void)mst_hex(b, sizeof b, run);
    return MST_OK;
}

/* Look and decide; f is released by the caller in every case. */
static enum mst_rc look(const struct mst_restore_opts *o, struct mst_restore_source *s,
                        struct mst_conn *c, struct mst_task *task, const char *run,
                        struct mst_facts *f, struct mst_restore_plan **out, struct mst_err *err)
{
    if (mst_facts_look(o, s, c, task, f, err) != MST_OK) {
        return err->rc;
    }
    *out = mst_plan_decide(o, s, f, run);
    return MST_OK;
}

enum mst_rc mst_restore_prepare(const struct mst_restore_opts *o, struct mst_restore_source *s,
                                struct mst_task *task, struct mst_restore_plan **out,
                                struct mst_err *err)
{
    struct mst_conn *c = NULL;
    struct mst_facts f;
    char run[MST_RUN_HEX];
    enum mst_rc rc;

    memset(&f, 0, sizeof f);
    if (new_run(run, err) != MST_OK) {
        return err->rc;
    }
    mst_task_phase(task, "looking at source and target");
    rc = mst_rs_connect(o, "muster restore", task, &c, err);
    if (rc == MST_OK) {
        rc = look(o, s, c, task, run, &f, out, err);
    }
    mst_facts_release(&f);
    mst_conn_free(c);
    return rc;
}

static enum mst_rc stage_all(struct mst_rs *r, struct mst_err *err)
{
    size_t i, n = 0;
    enum mst_rc rc = MST_OK;

    mst_task_phase(r->task, "making staging collections");
    for (i = 0; rc == MST_OK && i < r->plan->n_items; i++) {
        const struct mst_restore_item *it = &r->plan->items[i];

        if (it->todo != MST_RD_VIEW && it->n < r->map.from_source) {
            r->map.c[it->n].wanted = true;
            n++;
            rc = mst_rs_at(r, "stage", err);
            if (rc == MST_OK) {
                rc = mst_stage_create(r, &r->map.c[it->n], it->n, err);
            }
        }
    }
    mst_task_items(r->task, n);
    return rc;
}

static void swap_list(const struct mst_rs *r, const struct mst_facts *f, struct mst_swap *s)
{
    size_t i;

    memset(s, 0, sizeof *s);
    (void)mst_copy(s->run, sizeof s->run, r->run);
    s->items = mst_xcalloc(r->plan->n_items + 1, sizeof *s->items);
    for (i = 0; i < r->plan->n_items; i++) {
        const struct mst_restore_item *it = &r->plan->items[i];
        const struct mst_tgt_coll *live = mst_tgt_find(f->live, f->n_live, it->db, it->coll);
        struct mst_swap_item *w = &s->items[s->n++];

        (void)mst_copy(w->db, sizeof w->db, it->db);
        (void)mst_copy(w->coll, sizeof w->coll, it->coll);
        w->n = it->n;
        w->view = it->todo == MST_RD_VIEW;
        w->has_live = it->has_live_uuid;
        w->live_is_view = it->live_is_view;
        memcpy(w->live_uuid, it->live_uuid, 16);
        w->before = live && live->view ? bson_copy(live->options) : NULL;
        if (w->view) {
            w->options = bson_copy(r->map.v[it->n - f->final.n].options);
        } else {
            memcpy(w->staged, r->map.c[it->n].staged_uuid, 16);
        }
    }
}

static void mark_swapped(struct mst_restore_result *res, const struct mst_swap_item *it)
{
    size_t i;

    for (i = 0; i < res->n; i++) {
        if (strcmp(res->outcomes[i].coll, it->coll) == 0 &&
            strcmp(res->outcomes[i].db, it->db) == 0) {
            res->outcomes[i].swapped = true;
        }
    }
}

/* Collections first, views last: swap_list has them in that order. */
static enum mst_rc swap_all(struct mst_rs *r, const struct mst_facts *f, bool *swapping,
                            struct mst_err *err)
{
    struct mst_swap s;
    size_t i, foreign = 0;
    char show[MST_NS_MAX], first[MST_NS_MAX] = "";
    enum mst_rc rc;

    mst_task_phase(r->task, "swapping");
    swap_list(r, f, &s);
    rc = mst_swap_journal(r, r->o->journal, &s, err);
    *swapping = rc == MST_OK; /* without its mark in the journal nothing is renamed */
    for (i = 0; rc == MST_OK && i < s.n; i++) {
        enum mst_swapped what = MST_SWAP_OLD;

        rc = mst_rs_point(r, "swap", err); /* a cancel comes too late here */
        rc = rc == MST_OK ? mst_rs_ours(r->o, err) : rc;
        if (rc == MST_OK) {
            rc = mst_swap_forward(r, r->run, &s.items[i], &what, err);
        }
        if (rc == MST_OK && what == MST_SWAP_NEW) {
            mark_swapped(r->res, &s.items[i]);
        } else if (rc == MST_OK) {
            mst_ns_show(s.items[i].db, s.items[i].coll, show);
            mst_task_log(r->task, "%s: a client made a collection of this name in the gap", show);
            if (!foreign++) {
                (void)mst_copy(first, sizeof first, show);
            }
        }
    }
    if (rc == MST_OK) {
        rc = mst_swap_close(r->o->journal, r->run, err);
    }
    mst_swap_release(&s);
    r->res->swapped = rc == MST_OK && !foreign;
    if (rc == MST_OK && foreign) {
        rc = mst_err_set(err, MST_E_INCOMPLETE,
                         "%zu %s not swapped, %.160s first: a client made one of the "
                         "same name in the gap; new and old stand beside it as mst.s.%s and "
                         "mst.o.%s",
                         foreign, mst_text_noun(foreign, "collection was", "collections were"),
                         first, r->run, r->run);
    }
    return rc;
}

/* After a failure before the swap; what cannot be removed is listed as leavings. */
static bool remove_staging(struct mst_rs *r)
{
    struct mst_restore_opts o = *r->o;
    struct mst_err ignored = {0};
    size_t n = 0;

    o.journal = NULL;
    o.ours = NULL; /* what carries our run's name is no other's, whoever acts now */
    return mst_restore_clean(&o, r->run, NULL, &n, &ignored) == MST_OK;
}

static void say_done(struct mst_rs *r)
{
    struct mst_restore_result *res = r->res;
    uint64_t held = 0, unproven = 0, kept = 0;
    char size[MST_HUMAN_MAX], aside[96] = "";
    size_t i;

    for (i = 0; i < res->n; i++) {
        held += res->outcomes[i].held;
        unproven += res->outcomes[i].proof == MST_PROOF_NOT_PROVABLE;
    }
    for (i = 0; i < r->plan->n_items; i++) {
        kept += r->plan->items[i].has_live_uuid;
    }
    if (kept) {
        (void)snprintf(aside, sizeof aside, "; what was there is kept as mst.o.%s until discard",
                       res->run);
    }
    res->left = kept || held;
    (void)snprintf(
        res->text, sizeof res->text, "%zu %s restored, %llu %s, %s, %llu %s replayed%s%s%s", res->n,
        mst_text_noun(res->n, "collection", "collections"), (unsigned long long)res->documents,
        mst_text_noun(res->documents, "document", "documents"), mst_text_bytes(res->bytes, size),
        (unsigned long long)res->ops, mst_text_noun(res->ops, "operation", "operations"),
        unproven ? ", not all provable" : "", aside, held ? "; TTL is held until release" : "");
}

static void say(struct mst_rs *r, enum mst_rc rc, bool swapping, bool wrote, bool cleaned)
{
    struct mst_restore_result *res = r->res;

    if (rc == MST_OK) {
        say_done(r);
        return;
    }
    res->left = swapping || (wrote && !cleaned);
    if (swapping) {
        (void)snprintf(res->text, sizeof res->text,
                       "stopped inside the swap of run %s: each collection is old or new once "
                       "recover has run",
                       res->run);
    } else {
        (void)snprintf(res->text, sizeof res->text, "nothing live was changed; %s%s",
                       !wrote    ? "nothing was written"
                       : cleaned ? "staging was removed"
                                 : "staging is left as mst.s.",
                       !wrote || cleaned ? "" : res->run);
    }
}

static enum mst_rc steps(struct mst_rs *r, const struct mst_facts *f, bool *swapping,
                         struct mst_err *err)
{
    enum mst_rc rc = mst_stage_try_all(r, &f->final, err);

    rc = rc == MST_OK ? stage_all(r, err) : rc;
    rc = rc == MST_OK ? mst_load_all(r, err) : rc;
    rc = rc == MST_OK ? mst_replay_all(r, err) : rc;
    rc = rc == MST_OK ? mst_index_all(r, err) : rc;
    rc = rc == MST_OK ? mst_compare_all(r, err) : rc;
    rc = rc == MST_OK ? mst_rs_at(r, "ready", err) : rc;
    rc = rc == MST_OK ? mst_rs_wait_majority(r, err) : rc; /* the last look before renames */
    return rc == MST_OK ? swap_all(r, f, swapping, err) : rc;
}

static enum mst_rc check_plan(struct mst_rs *r, struct mst_facts *f, struct mst_err *err)
{
    struct mst_restore_plan *now = NULL;
    enum mst_rc rc = look(r->o, r->s, r->c, r->task, r->run, f, &now, err);

    if (rc != MST_OK) {
        return rc;
    }
    if (strcmp(now->hash, r->plan->hash) != 0) {
        rc = mst_err_set(err, MST_E_STALE,
                         "the target or the backup changed since the plan was made");
    }
    mst_restore_plan_free(now);
    return rc;
}

enum mst_rc mst_restore_run(const struct mst_restore_opts *o, struct mst_restore_source *s,
                            const struct mst_restore_plan *plan, struct mst_task *task,
                            struct mst_restore_result *res, struct mst_err *err)
{
    bool crashed = false, swapping = false, wrote = false;
    struct mst_rs r = {.o = o,
                       .s = s,
                       .task = task,
                       .plan = plan,
                       .run = plan->run,
                       .res = res,
                       .crashed = &crashed};
    struct mst_facts f;
    enum mst_rc rc;

    memset(&f, 0, sizeof f);
    memset(res, 0, sizeof *res);
    (void)mst_copy(res->run, sizeof res->run, plan->run);
    if (plan->refused) {
        return mst_err_set(err, MST_E_PRECOND, "the plan is refused; nothing was written");
    }
    if (!o->journal) {
        return mst_err_set(err, MST_E_BUG, "a restore without a journal");
    }
    mst_task_phase(task, "reading the source back");
    rc = s->check(s, task, err);
    rc = rc == MST_OK ? mst_rs_connect(o, "muster restore", task, &r.c, err) : rc;
    rc = rc == MST_OK ? mst_rs_note_term(&r, err) : rc;
    rc = rc == MST_OK ? check_plan(&r, &f, err) : rc;
    if (rc == MST_OK) {
        if (task) {
            atomic_store(&task->done_bytes, 0); /* reading the source back has counted, too */
            atomic_store(&task->total_bytes, plan->need_bytes);
        }
        mst_map_init(&r.map, s);
        wrote = true;
        rc = steps(&r, &f, &swapping, err);
    }
    if (rc != MST_OK && !crashed) {
        rc = mst_rs_say_lost(&r, err);
    }
    if (swapping && rc != MST_OK && rc != MST_E_INCOMPLETE && !crashed) {
        mst_err_prefix(err, "inside the swap");
        rc = err->rc = rc == MST_E_STALE || rc == MST_E_PRECOND || rc == MST_E_CANCELLED
                           ? MST_E_INCOMPLETE
                           : rc;
    }
    say(&r, rc, swapping, wrote,
        rc != MST_OK && wrote && !swapping && !crashed && remove_staging(&r));
    mst_map_release(&r.map);
    mst_facts_release(&f);
    mst_conn_free(r.c);
    return rc;
}
