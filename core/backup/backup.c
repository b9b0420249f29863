#include "backup/backup.h"

#include <sys/random.h>
#include <unistd.h>

#include "backup/internal.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

#define TAIL_OPEN_MS 60000
#define TAIL_END_MS 120000
#define LAG_LOOK_MS 2000
#define CLAIM_TRIES 120 /* seconds ahead that others may have taken */

/* --- shared by the files of this module ------------------------------------------------------- */

enum mst_rc run_fail(struct run *r, const struct mst_err *err)
{
    mst_mutex_lock(&r->mtx);
    if (r->failure.rc == MST_OK) {
        r->failure = *err;
    }
    mst_cond_broadcast(&r->cond);
    mst_mutex_unlock(&r->mtx);
    mst_task_cancel(&r->task);
    return err->rc;
}

bool run_stopped(struct run *r)
{
    if (mst_task_cancelled(r->outer)) {
        mst_task_cancel(&r->task);
    }
    return mst_task_cancelled(&r->task);
}

void run_at(struct run *r, const char *point)
{
    if (r->o->at) {
        r->o->at(r->o->at_arg, point);
    }
}

enum mst_rc run_connect(struct run *r, const char *what, struct mst_conn **out, struct mst_err *err)
{
    /* The control connection belongs to the caller's thread: its cancel must end it by itself. */
    struct mst_task *task = strcmp(what, "control") == 0 ? r->outer : &r->task;
    char app[64];

    (void)snprintf(app, sizeof(app), "muster backup %s", what);
    return r->o->connect(r->o->connect_arg, r->res->source.name, app, task, out, err);
}

bool run_left_out(const struct run *r, const char *ns)
{
    bool in = r->o->n_include == 0;

    for (size_t i = 0; i < r->o->n_include; i++) {
        in = in || mst_ns_match(r->o->include[i], ns);
    }
    for (size_t i = 0; i < r->o->n_exclude; i++) {
        in = in && !mst_ns_match(r->o->exclude[i], ns);
    }
    return !in;
}

void run_key(const struct run *r, const char *name, char out[MST_KEY_MAX])
{
    mst_catalog_key(r->o->catalog, r->h.id, r->attempt, name, out);
}

const struct mst_sealing *run_sealing(const struct run *r)
{
    return r->h.sealed ? &r->sealing : NULL;
}

/* --- steps ------------------------------------------------------------------------------------ */

/* Versions on which whole backups were made and restored on real servers. None was at hand yet; a
 * row is added with its first run. Everything else says so in header, manifest and result. */
static bool proven(const char *version)
{
    static const char *const rows[] = {NULL};

    for (size_t i = 0; rows[i]; i++) {
        if (strncmp(version, rows[i], strlen(rows[i])) == 0) {
            return true;
        }
    }
    return false;
}

/* Later than all in the bucket, and than those of runs beside this one that have written nothing
 * there yet. */
static enum mst_rc later_id(struct run *r, struct mst_err *err)
{
    _Atomic int64_t *given = r->o->given_ms;
    int64_t last = given ? atomic_load(given) : 0, ms = 0;
    char newest[MST_ID_MAX];

    if (mst_catalog_newest(r->o->catalog, &r->task, newest, err) != MST_OK) {
        return err->rc;
    }
    if (strcmp(newest, r->h.id) < 0) { /* a listing that does not show yet what was refused */
        (void)mst_copy(newest, sizeof(newest), r->h.id);
    }
    do {
        const int64_t now = r->h.started_wall_ms;

        if (mst_catalog_new_id(last && now < last + 1000 ? last + 1000 : now, newest, "full",
                               r->h.id, err) != MST_OK) {
            return err->rc;
        }
        MST_ASSERT(mst_catalog_id_ok(r->h.id, &ms, NULL));
    } while (given && !atomic_compare_exchange_strong(given, &last, ms));
    return MST_OK;
}

/* Another host may have begun in this second: whoever is refused takes the next one. */
static enum mst_rc new_id(struct run *r, const char *host, struct mst_err *err)
{
    struct mst_claim claim = {.wall_ms = r->h.started_wall_ms};
    enum mst_rc rc;
    int tries = 0;

    (void)mst_copy(claim.attempt, sizeof(claim.attempt), r->attempt);
    (void)snprintf(claim.by, sizeof(claim.by), "%.120s:%ld", host, (long)getpid());
    mst_task_phase(r->outer, "claiming its id in %.80s", mst_store_name(r->o->catalog->store));
    do {
        rc = later_id(r, err);
        if (rc == MST_OK) {
            (void)mst_copy(claim.id, sizeof(claim.id), r->h.id);
            rc = mst_catalog_claim(r->o->catalog, &claim, err);
        }
    } while (rc == MST_E_EXISTS && ++tries < CLAIM_TRIES);
    r->claimed = rc == MST_OK;
    return rc;
}

static enum mst_rc name_run(struct run *r, struct mst_err *err)
{
    char host[128] = "";
    uint8_t random[8];

    MST_ASSERT(getrandom(random, sizeof(random), 0) == (ssize_t)sizeof(random));
    (void)mst_hex(random, sizeof(random), r->attempt);
    (void)mst_copy(r->h.attempt, sizeof(r->h.attempt), r->attempt);
    (void)gethostname(host, sizeof(host) - 1);
    if (new_id(r, host, err) != MST_OK) {
        return err->rc;
    }
    (void)snprintf(r->comment, sizeof(r->comment), "muster backup %s %s %.48s:%ld", r->h.id,
                   r->attempt, host, (long)getpid());
    (void)mst_copy(r->res->id, sizeof(r->res->id), r->h.id);
    return MST_OK;
}

static enum mst_rc prepare(struct run *r, struct mst_err *err)
{
    mst_task_phase(r->outer, "choosing a source");
    if (mst_backup_choose(r->o->topo, &r->o->wish, &r->res->source, err) != MST_OK ||
        name_run(r, err) != MST_OK) {
        return err->rc;
    }
    mst_task_log(r->outer, "source %s: %s", r->res->source.name, r->res->source.why);
    if (r->o->on_source) {
        r->o->on_source(r->o->on_source_arg, r->res->source.name);
    }
    (void)mst_copy(r->h.source, sizeof(r->h.source), r->res->source.name);
    (void)mst_copy(r->h.source_why, sizeof(r->h.source_why), r->res->source.why);
    if (run_connect(r, "control", &r->control, err) != MST_OK) {
        return err->rc;
    }
    r->wire = mst_conn_wire(r->control);
    if (source_check(r, err) != MST_OK) {
        return err->rc;
    }
    facts_versions(r);
    r->h.unproven = !proven(r->h.server_version);
    source_kill_dead_cursors(r);
    r->rbid = source_rbid(r);
    mst_task_phase(r->outer, "finding the start point");
    return source_start_point(r, err);
}

/* Under the lock: the first failure of any thread. */
static enum mst_rc failed(const struct run *r, struct mst_err *err)
{
    if (r->failure.rc != MST_OK) {
        *err = r->failure;
    }
    return r->failure.rc;
}

/* Wait on cond until ready, a failure, a cancel or the deadline; the lock is held around ready. */
static enum mst_rc wait_for(struct run *r, bool (*ready)(const struct run *r), int64_t ms,
                            const char *what, struct mst_err *err)
{
    const int64_t end = mst_clock_mono_ms(NULL) + ms;
    enum mst_rc rc;
    bool yes;

    mst_mutex_lock(&r->mtx);
    while (!(yes = ready(r)) && r->failure.rc == MST_OK && !mst_task_cancelled(r->outer) &&
           mst_clock_mono_ms(NULL) < end) {
        (void)mst_cond_wait_ms(&r->cond, &r->mtx, 200);
    }
    rc = failed(r, err);
    mst_mutex_unlock(&r->mtx);
    if (rc != MST_OK) {
        return rc;
    }
    if (run_stopped(r)) {
        return mst_task_check(&r->task, err);
    }
    return yes ? MST_OK
               : mst_err_set(err, MST_E_TIMEOUT, "%s: %s did not happen within %lld s",
                             r->res->source.name, what, (long long)ms / 1000);
}

static bool tail_is_open(const struct run *r)
{
    return r->tail_open;
}

static bool tail_has_ended(const struct run *r)
{
    return r->tail_ended;
}

static enum mst_rc open_tail(struct run *r, struct mst_thread *tail, struct mst_err *err)
{
    run_at(r, "tail");
    mst_task_phase(r->outer, "opening the oplog");
    if (mst_thread_start(tail, "backup tail", tail_main, r, err) != MST_OK) {
        return err->rc;
    }
    return wait_for(r, tail_is_open, TAIL_OPEN_MS, "reading the first oplog entry", err);
}

/* Look at the source's lag now and then while the scans run. */
static void watch_lag(struct run *r, int64_t *next_ms)
{
    const int64_t now = mst_clock_mono_ms(NULL);
    const int64_t limit = r->o->lag_pause_ms > 0 ? r->o->lag_pause_ms : MST_BACKUP_LAG_MAX_MS;
    bool pause;

    if (now < *next_ms || mst_conn_broken(r->control)) {
        return;
    }
    *next_ms = now + LAG_LOOK_MS;
    pause = source_lag_ms(r) > limit;
    if (pause != atomic_load(&r->paused)) {
        atomic_store(&r->paused, pause);
        mst_task_log(r->outer,
                     pause ? "paused: %s lags more than %lld s"
                           : "goes on: %s lags less "
                             "than %lld s again",
                     r->res->source.name, (long long)limit / 1000);
    }
}

/* How many collections are read: known from the listing. */
static uint64_t to_scan(const struct run *r)
{
    uint64_t n = 0;

    for (size_t i = 0; i < r->n_ns; i++) {
        n += r->ns[i].state == MST_NS_SCANNED;
    }
    return n;
}

static enum mst_rc run_scans(struct run *r, struct mst_err *err)
{
    struct mst_thread threads[MST_BACKUP_SCANS_MAX] = {0};
    struct scan_start starts[MST_BACKUP_SCANS_MAX];
    unsigned n = r->o->scans ? r->o->scans : MST_BACKUP_SCANS_DEFAULT;
    int64_t next_ms = 0;
    bool running = true;
    enum mst_rc rc;

    n = n > MST_BACKUP_SCANS_MAX ? MST_BACKUP_SCANS_MAX : n;
    r->rate_start_ms = mst_clock_mono_ms(NULL);
    /* Sizes are known by database: with patterns, how much is left is not. */
    atomic_store(&r->outer->total_bytes, r->o->n_include || r->o->n_exclude ? 0 : r->estimate);
    mst_task_items(r->outer, to_scan(r));
    mst_mutex_lock(&r->mtx);
    r->scans_running = n;
    mst_mutex_unlock(&r->mtx);
    for (unsigned i = 0; i < n; i++) {
        starts[i].r = r;
        starts[i].number = i;
        if (mst_thread_start(&threads[i], "backup scan", scan_main, &starts[i], err) != MST_OK) {
            (void)run_fail(r, err);
            mst_mutex_lock(&r->mtx);
            r->scans_running -= n - i;
            mst_mutex_unlock(&r->mtx);
            break;
        }
    }
    while (running) {
        mst_mutex_lock(&r->mtx);
        running = r->scans_running > 0;
        if (running) {
            (void)mst_cond_wait_ms(&r->cond, &r->mtx, 200);
        }
        mst_mutex_unlock(&r->mtx);
        if (running && !run_stopped(r)) {
            watch_lag(r, &next_ms);
        }
    }
    for (unsigned i = 0; i < n; i++) {
        mst_thread_join(&threads[i]);
    }
    mst_mutex_lock(&r->mtx);
    rc = failed(r, err);
    mst_mutex_unlock(&r->mtx);
    return rc == MST_OK && run_stopped(r) ? mst_task_check(&r->task, err) : rc;
}

/* The control connection may have been lost while the scans went on; the points are checked again
 * anyway. */
static enum mst_rc control_again(struct run *r, struct mst_err *err)
{
    if (!mst_conn_broken(r->control)) {
        return MST_OK;
    }
    mst_conn_free(r->control);
    r->control = NULL;
    return run_connect(r, "control", &r->control, err);
}

static enum mst_rc end_point(struct run *r, struct mst_err *err)
{
    struct mst_optime newest;

    run_at(r, "end");
    mst_task_phase(r->outer, "reading the oplog to a majority point");
    if (control_again(r, err) != MST_OK || source_newest(r, &newest, err) != MST_OK) {
        return err->rc;
    }
    mst_mutex_lock(&r->mtx);
    r->tail_want = newest;
    r->tail_stop = true;
    mst_mutex_unlock(&r->mtx);
    if (wait_for(r, tail_has_ended, TAIL_END_MS, "reading the oplog to its end", err) != MST_OK) {
        return err->rc;
    }
    r->last = r->tail_last;
    if (!(r->o->plant & MST_PLANT_END_NOT_MAJORITY) &&
        source_majority(r, &r->last, err) != MST_OK) {
        return err->rc;
    }
    if (source_has(r, &r->first, "start", err) != MST_OK ||
        source_has(r, &r->last, "end", err) != MST_OK) {
        return err->rc;
    }
    if (r->rbid >= 0 && source_rbid(r) != r->rbid) {
        return mst_err_set(err, MST_E_STALE, "%s rolled back while it was read: start again",
                           r->res->source.name);
    }
    return MST_OK;
}

/* Every collection that the oplog speaks of is known, and every one that vanished was dropped. */
static enum mst_rc prove_collections(struct run *r, struct mst_err *err)
{
    for (size_t i = 0; i < r->n_ns; i++) {
        const struct entry *e = &r->ns[i];

        if (e->state == MST_NS_DROPPED && !(e->has_uuid && uuids_has(&r->dropped, e->uuid))) {
            return mst_err_set(err, MST_E_STALE,
                               "%s.%s was listed and could not be read later, and the oplog has no "
                               "drop of it: start again",
                               e->db, e->coll);
        }
    }
    for (size_t i = 0; i < r->touched.cap; i++) {
        const uint8_t *u = r->touched.v[i];

        if (r->touched.used[i] && !uuids_has(&r->listed, u) && !uuids_has(&r->created, u) &&
            !uuids_has(&r->dropped, u) && !(r->o->plant & MST_PLANT_TAIL_LATE)) {
            char hex[2 * MST_UUID_LEN + 1];

            return mst_err_set(err, MST_E_STALE,
                               "the oplog has writes to the collection %s (like %s), which was "
                               "neither listed nor made while the backup ran: start again",
                               mst_hex(u, MST_UUID_LEN, hex), r->touched_ns);
        }
    }
    return MST_OK;
}

/* --- the whole run ---------------------------------------------------------------------------- */

/* The key stands in the store before the first byte that is sealed with it. */
static enum mst_rc make_key(struct run *r, struct mst_err *err)
{
    if (!r->o->readers) {
        return MST_OK;
    }
    run_at(r, "key");
    mst_task_phase(r->outer, "making the data key");
    if (mst_keyobj_make(r->o->catalog, r->h.id, r->attempt, r->o->readers, &r->key, err) !=
        MST_OK) {
        return err->rc;
    }
    r->h.sealed = true;
    mst_data_key_id(&r->key, r->h.key_id);
    r->sealing.key = &r->key;
    r->sealing.set = r->h.set;
    return MST_OK;
}

static enum mst_rc work(struct run *r, struct mst_thread *tail, struct mst_err *err)
{
    const bool late = (r->o->plant & MST_PLANT_TAIL_LATE) != 0;

    if (prepare(r, err) != MST_OK || make_key(r, err) != MST_OK ||
        (!late && open_tail(r, tail, err) != MST_OK)) {
        return err->rc;
    }
    run_at(r, "list");
    if (listing_run(r, err) != MST_OK) {
        return err->rc;
    }
    run_at(r, "scan");
    if (late && (source_newest(r, &r->first, err) != MST_OK || open_tail(r, tail, err) != MST_OK)) {
        return err->rc;
    }
    if (run_scans(r, err) != MST_OK || end_point(r, err) != MST_OK ||
        prove_collections(r, err) != MST_OK) {
        return err->rc;
    }
    return close_backup(r, err);
}

static void tell(struct run *r, enum mst_rc rc, int64_t took_ms, const struct mst_err *err)
{
    struct mst_backup_result *res = r->res;
    char a[MST_HUMAN_MAX], b[MST_HUMAN_MAX], t[MST_HUMAN_MAX], left_out[48] = "";

    if (r->h.left_out) {
        (void)snprintf(left_out, sizeof(left_out), ", %u left out by name", r->h.left_out);
    }
    res->committed = rc == MST_OK;
    res->partial = r->h.left_out > 0;
    res->unproven = r->h.unproven;
    (void)mst_copy(res->set_id, sizeof(res->set_id), r->h.set_id);
    res->first = r->first;
    res->last = r->last;
    res->documents = r->h.documents;
    res->data_bytes = r->h.data_bytes;
    res->stored_bytes = r->h.stored_bytes;
    res->oplog_entries = r->tail_entries;
    res->namespaces = r->h.namespaces;
    res->left_out = r->h.left_out;
    res->objects = (uint32_t)r->n_objects;
    res->took_ms = (uint64_t)took_ms;
    if (rc == MST_OK) {
        (void)snprintf(
            res->text, sizeof(res->text),
            "%s %s: %llu %s, %s in %u %s stored as %s in %s%s%s%s%s%s", res->id,
            res->partial ? "PARTIAL" : "COMPLETE", (unsigned long long)res->documents,
            mst_text_noun(res->documents, "document", "documents"),
            mst_text_bytes(res->data_bytes, a), res->namespaces - res->left_out,
            mst_text_noun(res->namespaces - res->left_out, "namespace", "namespaces"),
            mst_text_bytes(res->stored_bytes, b), mst_text_duration(took_ms, t), left_out,
            r->h.sealed ? ", sealed" : "", r->o->catalog->signer ? ", signed" : "",
            res->unproven ? ", unproven on " : "", res->unproven ? r->h.server_version : "");

    } else if (*res->id) {
        (void)snprintf(res->text, sizeof(res->text), "%s is %s: %.200s", res->id,
                       rc == MST_E_UNKNOWN ? "of unknown outcome" : "no backup", err->msg);
    } else {
        (void)mst_copy(res->text, sizeof(res->text), err->msg);
    }
}

static void run_release(struct run *r)
{
    mst_conn_free(r->control);
    mst_data_key_release(&r->key);
    listing_release(r);
    free(r->objects);
    uuids_release(&r->listed);
    uuids_release(&r->touched);
    uuids_release(&r->created);
    uuids_release(&r->dropped);
    mst_cond_release(&r->cond);
    mst_mutex_release(&r->mtx);
    mst_task_release(&r->task);
    free(r);
}

enum mst_rc mst_backup_run(const struct mst_backup_opts *o, struct mst_task *task,
                           struct mst_backup_result *res, struct mst_err *err)
{
    struct run *r = mst_xcalloc(1, sizeof(*r));
    struct mst_thread tail = {0};
    struct mst_task own = {0};
    const int64_t start_ms = mst_clock_mono_ms(NULL);
    const bool no_task = task == NULL;
    enum mst_rc rc;

    memset(res, 0, sizeof(*res));
    if ((no_task && mst_task_init(&own, err) != MST_OK) || mst_task_init(&r->task, err) != MST_OK) {
        free(r);
        return err->rc;
    }
    mst_mutex_init(&r->mtx);
    mst_cond_init(&r->cond);
    r->o = o;
    r->res = res;
    r->outer = no_task ? &own : task;
    r->h.started_wall_ms = mst_clock_utc_ms(o->clock);
    r->rbid = -1;
    (void)mst_copy(r->h.kind, sizeof(r->h.kind), "full");
    (void)mst_copy(r->h.set, sizeof(r->h.set), o->catalog->set);
    (void)mst_copy(r->h.muster, sizeof(r->h.muster), o->muster ? o->muster : "");
    rc = work(r, &tail, err);
    if (rc != MST_OK) {
        mst_task_cancel(&r->task);
    }
    mst_thread_join(&tail);
    /* What stopped everything is the reason, not what it led to. */
    if (rc == MST_E_CANCELLED && r->failure.rc != MST_OK) {
        *err = r->failure;
        rc = err->rc;
    }
    if (rc != MST_OK && r->claimed && r->n_objects == 0) { /* nothing else stands there */
        struct mst_err ignored = {0};

        if (mst_catalog_unclaim(o->catalog, r->h.id, &ignored) != MST_OK) {
            mst_task_log(r->outer, "%s: %s", r->h.id, ignored.msg); /* listed as INCOMPLETE */
        }
    }
    tell(r, rc, mst_clock_mono_ms(NULL) - start_ms, err);
    run_release(r);
    if (no_task) {
        mst_task_release(&own);
    }
    return rc;
}
