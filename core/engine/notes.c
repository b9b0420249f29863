/* Who else acts on this set: the open notes in its oplog, read from the primary. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "engine/inner.h"
#include "excl/excl.h"
#include "log/log.h"

#define NO_PRIMARY 1

static enum mst_rc ask_primary(struct local *l, struct mst_excl_note **notes, size_t *n,
                               int64_t *now, struct mst_err *err)
{
    struct mst_monitor_view *m = mst_local_topo(l);
    struct mst_conn_opts o = {.check_me = true,
                              .set_name = l->wire.set_name,
                              .tls = l->wire.tls,
                              .cred = l->has_view_cred ? &l->view_cred : NULL,
                              .app = "muster-notes",
                              .connect_ms = 2000,
                              .task = &l->io_task};
    struct mst_conn *c = NULL;
    const int p = m->v.primary;
    enum mst_rc rc = mst_err_set_detail(err, MST_E_NET, NO_PRIMARY, "no primary");

    if (p >= 0) {
        (void)mst_copy(o.name, sizeof(o.name), m->v.members[p].name);
        (void)mst_copy(o.dial, sizeof(o.dial), m->v.members[p].dial);
        rc = MST_OK;
    }
    mst_shared_unref(&m->shared);
    if (rc == MST_OK) {
        rc = mst_conn_open(&o, &c, err);
    }
    if (rc == MST_OK) {
        rc = mst_excl_list(c, notes, n, now, err);
    }
    mst_conn_free(c);
    return rc;
}

/* Open, and the newest of its id. */
static bool open_one(const struct mst_excl_note *notes, size_t n, size_t i, int64_t now)
{
    if (notes[i].end || notes[i].until_wall_ms <= now) {
        return false;
    }
    for (size_t j = i + 1; j < n; j++) {
        if (strcmp(notes[j].id, notes[i].id) == 0) {
            return false;
        }
    }
    return true;
}

/* When its first note was written, by the oplog's clock. */
static int64_t begun_ms(const struct mst_excl_note *n)
{
    return (int64_t)(mst_ts_zero(n->first) ? n->ts.t : n->first.t) * 1000;
}

static void clean_copy(char *out, size_t size, const char *from)
{
    mst_text_clean(out, size, from, strlen(from));
}

/* What was seen stays until its own time is over. */
static void not_read(struct local *l, const struct mst_err *err)
{
    const int64_t now = mst_clock_mono_ms(NULL);
    size_t keep = 0;

    mst_mutex_lock(&l->mtx);
    for (size_t i = 0; i < l->n_notes; i++) {
        if (l->notes[i].until_mono_ms > now) {
            l->notes[keep++] = l->notes[i];
        }
    }
    l->notes_changed = l->notes_changed || keep != l->n_notes;
    l->n_notes = keep;
    if (err->detail != NO_PRIMARY && !l->notes_at_ms) { /* asked, in vain */
        l->notes_at_ms = mst_clock_mono_ms(NULL);
        l->notes_changed = true;
    }
    mst_mutex_unlock(&l->mtx);
    mst_log(MST_LOG_DEBUG, "engine", "notes: %s", err->msg);
}

void mst_notes_look(struct local *l)
{
    struct mst_excl_note *notes = NULL;
    struct mst_note found[8];
    size_t n = 0, n_found = 0;
    int64_t now = 0;
    struct mst_err err = {0};
    char own[sizeof(l->own_note)], agent[192];

    (void)snprintf(agent, sizeof(agent), "%s, %s", l->who, l->agent_text);
    memset(found, 0, sizeof(found));
    if (ask_primary(l, &notes, &n, &now, &err) != MST_OK) {
        free(notes);
        not_read(l, &err);
        return;
    }
    mst_mutex_lock(&l->mtx);
    memcpy(own, l->own_note, sizeof(own));
    mst_mutex_unlock(&l->mtx);
    for (size_t i = 0; i < n && n_found < MST_COUNT(found); i++) {
        /* One that we could not take back, for want of a primary, is nobody else's. */
        if (strcmp(notes[i].id, own) != 0 && strcmp(notes[i].agent, agent) != 0 &&
            open_one(notes, n, i, now)) {
            struct mst_note *f = &found[n_found++];

            clean_copy(f->act, sizeof(f->act), notes[i].act);
            clean_copy(f->agent, sizeof(f->agent), notes[i].agent);
            clean_copy(f->host, sizeof(f->host), notes[i].host);
            clean_copy(f->plan, sizeof(f->plan), notes[i].plan);
            clean_copy(f->target, sizeof(f->target), notes[i].target);
            /* By our steady clock: theirs, ours and the oplog's may be hours apart. */
            f->until_mono_ms = mst_clock_mono_ms(NULL) + notes[i].until_wall_ms - now;
            f->since_mono_ms = mst_clock_mono_ms(NULL) + begun_ms(&notes[i]) - now;
        }
    }
    free(notes);
    mst_mutex_lock(&l->mtx);
    l->notes_changed = l->notes_changed || l->notes_at_ms == 0 || n_found > 0 || l->n_notes > 0;
    memcpy(l->notes, found, sizeof(found));
    l->n_notes = n_found;
    l->notes_at_ms = mst_clock_mono_ms(NULL);
    mst_mutex_unlock(&l->mtx);
    mst_wake_signal(&l->stir);
}
