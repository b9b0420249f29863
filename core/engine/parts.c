/* Making and freeing the parts of a view, and the words of the interface. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/handle.h"
#include "jobq/jobq.h"

static void free_plain(struct mst_shared *s)
{
    free(s);
}

static void free_jobs(struct mst_shared *s)
{
    struct mst_jobs_part *p = (struct mst_jobs_part *)(void *)s;

    mst_jobs_free(p->jobs, p->n);
    free(p);
}

static void free_bucket(struct mst_shared *s)
{
    struct mst_bucket_part *p = (struct mst_bucket_part *)(void *)s;

    free(p->changes);
    free(p->backups);
    free(p);
}

static void free_detail(struct mst_shared *s)
{
    struct mst_detail_part *p = (struct mst_detail_part *)(void *)s;

    free(p->ns);
    free(p->objects);
    free(p);
}

static void free_leavings(struct mst_shared *s)
{
    struct mst_leavings_part *p = (struct mst_leavings_part *)(void *)s;

    free(p->items);
    free(p);
}

static void free_messages(struct mst_shared *s)
{
    struct mst_messages_part *p = (struct mst_messages_part *)(void *)s;

    free(p->items);
    free(p);
}

static void free_topo(struct mst_shared *s)
{
    struct mst_topo_part *p = (struct mst_topo_part *)(void *)s;

    mst_topo_view_release(&p->v);
    free(p);
}

static void free_view(struct mst_shared *s)
{
    struct mst_view *v = (struct mst_view *)(void *)s;

    mst_shared_unref((struct mst_shared *)v->info);
    mst_shared_unref((struct mst_shared *)v->topo);
    mst_shared_unref((struct mst_shared *)v->jobs);
    mst_shared_unref((struct mst_shared *)v->bucket);
    for (size_t i = 0; i < MST_VIEW_STORES; i++) {
        mst_shared_unref((struct mst_shared *)v->stores[i]);
        mst_shared_unref((struct mst_shared *)v->looks[i]);
    }
    mst_shared_unref((struct mst_shared *)v->detail);
    mst_shared_unref((struct mst_shared *)v->leavings);
    mst_shared_unref((struct mst_shared *)v->messages);
    mst_shared_unref((struct mst_shared *)v->move);
    free(v);
}

/* Every part begins with its count. */
static void *make(size_t size, void (*destroy)(struct mst_shared *))
{
    void *p = mst_xcalloc(1, size);

    mst_shared_init(p, destroy);
    return p;
}

struct mst_info_part *mst_info_new(void)
{
    return make(sizeof(struct mst_info_part), free_plain);
}

struct mst_jobs_part *mst_jobs_new_take(struct mst_job *jobs, size_t n)
{
    struct mst_jobs_part *p = make(sizeof(*p), free_jobs);

    p->jobs = jobs;
    p->n = n;
    return p;
}

struct mst_bucket_part *mst_bucket_new(void)
{
    return make(sizeof(struct mst_bucket_part), free_bucket);
}

struct mst_look_part *mst_look_new(void)
{
    struct mst_look_part *p = make(sizeof(*p), free_plain);

    p->versions = p->locks = -1;
    p->uploads = -1;
    return p;
}

struct mst_detail_part *mst_detail_new(void)
{
    return make(sizeof(struct mst_detail_part), free_detail);
}

struct mst_leavings_part *mst_leavings_new(size_t n)
{
    struct mst_leavings_part *p = make(sizeof(*p), free_leavings);

    p->items = mst_xcalloc(n + 1, sizeof(p->items[0]));
    p->n = n;
    return p;
}

struct mst_messages_part *mst_messages_new(size_t n)
{
    struct mst_messages_part *p = make(sizeof(*p), free_messages);

    p->items = mst_xcalloc(n + 1, sizeof(p->items[0]));
    p->n = n;
    return p;
}

struct mst_switch_part *mst_switch_new(void)
{
    return make(sizeof(struct mst_switch_part), free_plain);
}

struct mst_topo_part *mst_topo_part_new_take(const struct mst_topo_view *v)
{
    struct mst_topo_part *p = make(sizeof(*p), free_topo);

    p->v = *v;
    return p;
}

struct mst_view *mst_view_new(void)
{
    return make(sizeof(struct mst_view), free_view);
}

void mst_view_release(const struct mst_view *v)
{
    union {
        const struct mst_view *v;
        struct mst_shared *s;
    } u = {v}; /* the count is the one thing in a view that changes */

    mst_shared_unref(u.s);
}

/* --- the handle --- */

void mst_engine_close(struct mst_engine *e)
{
    if (e) {
        e->ops->close(e);
    }
}

int mst_engine_wake_fd(const struct mst_engine *e)
{
    return e->ops->wake_fd(e);
}

const struct mst_view *mst_engine_view(struct mst_engine *e)
{
    return e->ops->view(e);
}

enum mst_rc mst_engine_submit(struct mst_engine *e, const struct mst_cmd *cmd, uint64_t *job,
                              struct mst_err *err)
{
    return e->ops->submit(e, cmd, job, err);
}

enum mst_rc mst_engine_prepare(struct mst_engine *e, const struct mst_cmd *cmd, uint64_t *handle,
                               struct mst_err *err)
{
    return e->ops->prepare(e, cmd, handle, err);
}

enum mst_rc mst_engine_ticket(struct mst_engine *e, uint64_t handle, struct mst_ticket **out,
                              struct mst_err *err)
{
    return e->ops->ticket(e, handle, out, err);
}

enum mst_rc mst_engine_commit(struct mst_engine *e, const struct mst_ticket *t, const char *typed,
                              uint64_t *job, struct mst_err *err)
{
    return e->ops->commit(e, t, typed, job, err);
}

void mst_ticket_free(struct mst_ticket *t)
{
    if (t) {
        free(t->rules);
        free(t->steps);
        free(t->file);
        free(t);
    }
}

/* --- the equivalent command line --- */

#define MORE " ..."

struct line {
    char *p;
    size_t size, len;
    bool full;
};

/* Whole words only: half of one would be another act. What has no room ends as "...", which no
 * command takes. */
static void add(struct line *l, const char *option, const char *value)
{
    struct mst_str word = {0};

    if (option) {
        mst_str_addc(&word, ' ');
        mst_str_add(&word, option);
    }
    if (value) {
        mst_str_addc(&word, ' ');
        mst_str_add_shell(&word, value);
    }
    if (!l->full && l->len + word.len + sizeof(MORE) > l->size) {
        l->full = true;
        (void)mst_copy(l->p + l->len, l->size - l->len, MORE);
    } else if (!l->full) {
        (void)mst_copy(l->p + l->len, l->size - l->len, mst_str_c(&word));
        l->len += word.len;
    }
    mst_str_release(&word);
}

static void add_operands(struct line *l, const struct mst_cmd *cmd)
{
    if (cmd->key[0]) {
        add(l, NULL, cmd->key);
    }
    if (cmd->kind == MST_CMD_THAW && cmd->store[0]) {
        add(l, NULL, cmd->store);
    }
    if (cmd->kind != MST_CMD_BACKUP && cmd->backup[0]) {
        add(l, cmd->kind >= MST_CMD_KEY_ADD ? "--backup" : NULL, cmd->backup);
    }
    if (cmd->kind == MST_CMD_IMPORT) {
        add(l, NULL, cmd->path);
    }
}

/* The store is an operand of what asks only that store. */
static void add_store(struct line *l, const struct mst_cmd *cmd)
{
    const bool operand = cmd->kind == MST_CMD_STORE_TEST || cmd->kind == MST_CMD_ORPHANS;
    char text[MST_TIME_MAX];

    if (cmd->store[0] && cmd->kind != MST_CMD_THAW) { /* there it comes before the backup */
        add(l, operand ? NULL : cmd->kind == MST_CMD_COPY ? "--from" : "--store", cmd->store);
    }
    if (cmd->to_store[0]) {
        add(l, "--to", cmd->to_store);
    }
    if (cmd->kind == MST_CMD_HOLD) {
        add(l, "--until",
            cmd->until_ms == MST_HOLD_EVER ? "ever" : mst_time_iso(cmd->until_ms, text));
    }
    if (cmd->as_of_ms) {
        add(l, "--as-of", mst_time_iso(cmd->as_of_ms, text));
    }
    if (cmd->kind == MST_CMD_THAW) {
        (void)snprintf(text, sizeof(text), "%u", cmd->days);
        add(l, "--days", text);
    }
    if (cmd->kind == MST_CMD_ORPHANS && cmd->older_ms >= 0) {
        (void)snprintf(text, sizeof(text), "%llds", (long long)cmd->older_ms / 1000);
        add(l, "--older", text);
    }
}

/* In the order of enum mst_cmd_kind. */
static const char *const words[] = {"backup",
                                    "verify",
                                    "restore",
                                    "restore discard",
                                    "clean",
                                    "import",
                                    "jobs cancel",
                                    "bucket ls",
                                    "bucket show",
                                    "status",
                                    "restore recover",
                                    "restore release",
                                    "catalog rebuild",
                                    "switchover",
                                    "stepdown",
                                    "failback",
                                    "copy",
                                    "hold",
                                    "release",
                                    "store test",
                                    "store orphans --remove",
                                    "store thaw",
                                    "key add",
                                    "key remove",
                                    "key rotate",
                                    "store show"};

void mst_cmd_line(const struct mst_cmd *cmd, char *out, size_t size)
{
    static const char *const after[] = {"refuse", "visit", "stay"};
    struct line l = {.p = out, .size = size};
    char number[32];

    l.len = (size_t)snprintf(out, size, "muster %s", words[cmd->kind]);
    if (cmd->kind == MST_CMD_CANCEL) {
        (void)snprintf(number, sizeof(number), "%llu", (unsigned long long)cmd->job);
        add(&l, NULL, number);
    }
    add_operands(&l, cmd);
    if (cmd->member[0]) {
        add(&l, "--to", cmd->member);
    }
    if (cmd->after != MST_CMD_AFTER_REFUSE) {
        add(&l, "--after", after[cmd->after]);
    }
    for (size_t i = 0; i < cmd->n_overrides; i++) {
        add(&l, "--override", cmd->overrides[i]);
    }
    if (cmd->source[0]) {
        add(&l, "--source", cmd->source);
    }
    if (cmd->from_primary) {
        add(&l, "--from-primary", NULL);
    }
    if (cmd->scans > 0) {
        (void)snprintf(number, sizeof(number), "%u", cmd->scans);
        add(&l, "--scans", number);
    }
    if (cmd->rate_bps > 0) {
        (void)snprintf(number, sizeof(number), "%llu", (unsigned long long)cmd->rate_bps);
        add(&l, "--rate", number);
    }
    for (size_t i = 0; i < cmd->n_include; i++) {
        add(&l, "--include", cmd->include[i]);
    }
    for (size_t i = 0; i < cmd->n_exclude; i++) {
        add(&l, "--exclude", cmd->exclude[i]);
    }
    if (cmd->target_uri[0]) {
        add(&l, "--to", cmd->target_uri);
    }
    add_store(&l, cmd);
    if (cmd->dry_run) {
        add(&l, "--dry-run", NULL);
    }
    if (cmd->reason[0]) {
        add(&l, "--reason", cmd->reason);
    }
}
