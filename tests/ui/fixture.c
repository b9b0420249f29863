#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

int64_t fx_wall(void)
{
    return mst_time_parse("2026-11-22T14:03:22Z");
}

static struct mst_optime optime(int64_t back_ms, uint32_t i)
{
    return (struct mst_optime){{(uint32_t)((fx_wall() - back_ms) / 1000), i}, 41};
}

static struct mst_topo_member *member(struct fx *f, const char *name, enum mst_mstate state,
                                      enum mst_shown shown, int64_t lag_ms)
{
    struct mst_topo_view *v = &f->topo.v;
    struct mst_topo_member *m = &f->members[v->n];

    (void)mst_copy(m->name, sizeof m->name, name);
    (void)mst_copy(m->dial, sizeof m->dial, name);
    m->id = (int)v->n++;
    m->configured = true;
    m->priority = 1;
    m->votes = 1;
    m->builds_indexes = true;
    m->reach = MST_REACH_OK;
    m->reach_at_ms = FX_MONO - 3600000;
    m->hello_at_ms = FX_MONO - 400;
    m->hello_rtt_us = 1800;
    m->writable = shown == MST_SHOW_PRIMARY;
    m->secondary = state == MST_MS_SECONDARY;
    m->max_wire = 8;
    m->status_at_ms = FX_MONO - 700;
    m->state = state;
    m->term = 41;
    m->applied = m->durable = optime(lag_ms > 0 ? lag_ms : 0, 17);
    m->committed = optime(1000, 3);
    m->stats_at_ms = FX_MONO - 2500;
    (void)mst_copy(m->version, sizeof m->version, "4.2.8");
    (void)mst_copy(m->fcv, sizeof m->fcv, "4.2");
    m->uptime_s = 8040;
    m->connections = 118;
    m->ops_per_s = 3980;
    m->repl_per_s = 3900;
    m->rbid = 1;
    m->mem_resident_mb = 412;
    m->shown = shown;
    m->lag_ms = lag_ms;
    m->window_s = 112320 - (int64_t)v->n * 360;
    m->headroom_s = shown == MST_SHOW_PRIMARY ? -1 : 110000;
    m->can_win = state == MST_MS_SECONDARY;
    return m;
}

static void opinions(struct fx *f)
{
    struct mst_topo_view *v = &f->topo.v;

    for (size_t i = 0; i < v->n; i++) {
        for (size_t j = 0; j < v->n; j++) {
            v->members[i].sees[j] = (struct mst_opinion){.known = i != j,
                                                         .health = 1,
                                                         .state = v->members[j].state,
                                                         .ping_ms = j == 2 || i == 2 ? 38 : 2,
                                                         .heartbeat_age_ms = 900};
        }
    }
}

static void event(struct fx *f, int64_t back_ms, enum mst_severity s, const char *text)
{
    struct mst_event *e = &f->events[f->topo.v.n_events];

    e->seq = ++f->topo.v.n_events;
    e->wall_ms = fx_wall() - back_ms;
    e->mono_ms = FX_MONO - back_ms;
    e->severity = s;
    (void)mst_copy(e->text, sizeof e->text, text);
}

static void message(struct fx *f, int64_t back_ms, enum mst_severity s, const char *text)
{
    struct mst_message *m = &f->msg[f->messages.n];

    m->seq = ++f->messages.n;
    m->wall_ms = fx_wall() - back_ms;
    m->severity = s;
    (void)mst_copy(m->text, sizeof m->text, text);
}

static void reason(struct fx *f, enum mst_severity s, int who, int64_t since, const char *text)
{
    struct mst_reason *r = &f->topo.v.reasons[f->topo.v.n_reasons++];

    r->severity = s;
    r->member = who;
    r->since_ms = FX_MONO - since;
    (void)mst_copy(r->text, sizeof r->text, text);
}

static struct mst_backup *backup(struct fx *f, const char *id, enum mst_backup_state state,
                                 int64_t back_ms)
{
    struct mst_backup *b = &f->backups[f->bucket.n++];

    (void)mst_copy(b->id, sizeof b->id, id);
    (void)mst_copy(b->kind, sizeof b->kind, "full");
    b->state = state;
    b->started_wall_ms = fx_wall() - back_ms;
    b->finished_wall_ms = b->started_wall_ms + 1548000;
    b->first = optime(back_ms + 5000, 1);
    b->last = optime(back_ms - 1540000, 44);
    b->data_bytes = 442381631488ULL;
    b->stored_bytes = 130231042048ULL;
    b->documents = 433120417;
    b->namespaces = 38;
    (void)mst_copy(b->source, sizeof b->source, "db4:27017");
    (void)mst_copy(b->server_version, sizeof b->server_version, "4.2.8");
    (void)mst_copy(b->fcv, sizeof b->fcv, "4.2");
    return b;
}

static void fill_bucket(struct fx *f)
{
    struct mst_backup *b;

    (void)mst_copy(f->bucket.store, sizeof f->bucket.store, "local");
    (void)mst_copy(f->bucket.where, sizeof f->bucket.where, "directory /srv/backups");
    f->bucket.read_at_ms = FX_MONO - 12000;
    f->bucket.free_bytes = 871878361088ULL;
    f->bucket.total_bytes = 2199023255552ULL;
    f->bucket.backups = f->backups;
    f->bucket.as_of_wall_ms = fx_wall() - 12000;
    f->bucket.target = true;
    f->v.n_stores = 1;
    f->v.stores[0] = &f->bucket;
    f->bucket.backups_bytes = 4 * 130231042048ULL;
    f->bucket.per_day_bytes = 130231042048LL;
    f->bucket.days_left = 6;
    (void)mst_copy(f->bucket.kind, sizeof f->bucket.kind, "local");
    f->v.looks[0] = &f->looks[0];
    f->looks[0].read_at_ms = FX_MONO - 9000;
    b = backup(f, "2026-11-22T01-00-00Z-full", MST_BK_COMPLETE, 47002000);
    b->verified_level = 2;
    b->verified_ok = true;
    b->verified_wall_ms = fx_wall() - 39060000;
    (void)mst_copy(b->verified_text, sizeof b->verified_text, "1,944 objects, 121.3 GiB read back");
    b = backup(f, "2026-11-21T01-00-00Z-full", MST_BK_PARTIAL, 133402000);
    b->left_out = 2;
    b = backup(f, "2026-11-20T01-00-00Z-full", MST_BK_DAMAGED, 219802000);
    (void)mst_copy(b->problem, sizeof b->problem,
                   "object d/0004-1: its bytes do not have the SHA-256 of the manifest");
    b = backup(f, "2026-11-19T01-00-00Z-full", MST_BK_INCOMPLETE, 306202000);
    (void)mst_copy(b->problem, sizeof b->problem,
                   "no COMMIT: interrupted; 'muster clean' removes it");
    b->finished_wall_ms = 0;
}

static void fill_detail(struct fx *f)
{
    static const char *const names[] = {"shop.customers", "shop.events", "shop.orders",
                                        "shop.recent"};
    static const char *const keys[] = {"1/d/0001-1", "1/d/0001-2", "1/oplog-0001",
                                       "1/header",   "1/manifest", "COMMIT"};

    f->v.detail = &f->detail;
    (void)mst_copy(f->detail.id, sizeof f->detail.id, f->backups[0].id);
    f->detail.ns = f->ns;
    f->detail.objects = f->objects;
    for (size_t i = 0; i < MST_COUNT(names); i++) {
        (void)mst_copy(f->ns[i].ns, sizeof f->ns[i].ns, names[i]);
        (void)mst_copy(f->ns[i].type, sizeof f->ns[i].type, i == 3 ? "view" : "collection");
        f->ns[i].documents = 31000000 * (i + 1);
        f->ns[i].data_bytes = 210000000000ULL / (i + 1);
        f->ns[i].indexes = (uint32_t)i + 1;
        f->detail.n_ns++;
    }
    for (size_t i = 0; i < MST_COUNT(keys); i++) {
        (void)mst_copy(f->objects[i].key, sizeof f->objects[i].key, keys[i]);
        f->objects[i].bytes = i < 3 ? 67108864 : 4096;
        f->detail.n_objects++;
    }
}

static struct fx *base(void)
{
    struct fx *f = mst_xcalloc(1, sizeof *f);

    f->v.info = &f->info;
    f->v.topo = &f->topo;
    f->v.jobs = &f->jobs;
    f->v.bucket = &f->bucket;
    f->v.leavings = &f->leavings;
    f->v.messages = &f->messages;
    f->v.gen = 1;
    f->v.now_mono_ms = f->topo.v.now_mono_ms = FX_MONO;
    f->v.now_wall_ms = f->topo.v.now_wall_ms = fx_wall();
    f->topo.v.members = f->members;
    f->topo.v.events = f->events;
    f->topo.v.primary = -1;
    f->jobs.jobs = f->job;
    f->leavings.items = f->left;
    f->messages.items = f->msg;
    (void)mst_copy(f->info.set_label, sizeof f->info.set_label, "rs0@eu-west");
    (void)mst_copy(f->info.set_class, sizeof f->info.set_class, "PROD");
    (void)mst_copy(f->info.agent, sizeof f->info.agent, "private agent, pid 4711");
    f->info.may_act = f->info.may_switch = true;
    f->ticket_rc = MST_E_BUSY;
    return f;
}

struct fx *fx_starting(void)
{
    struct fx *f = base();

    f->topo.v.verdict = MST_V_STARTING;
    f->topo.v.term = -1;
    (void)mst_copy(f->topo.v.headline, sizeof f->topo.v.headline, "asking db1:27017, db2:27017");
    return f;
}

struct fx *fx_healthy(void)
{
    struct fx *f = base();
    struct mst_topo_view *v = &f->topo.v;
    struct mst_topo_member *m;

    (void)mst_copy(v->set_name, sizeof v->set_name, "rs0");
    v->set_name_known = true;
    v->verdict = MST_V_HEALTHY;
    v->term = 41;
    v->config_version = 12;
    v->config_at_ms = FX_MONO - 900;
    (void)mst_copy(v->headline, sizeof v->headline, "primary db1:27017, every member in its place");
    (void)mst_copy(v->if_primary_dies, sizeof v->if_primary_dies,
                   "db2 or db3 can win, writes stop 10-12 s, 0.2 s of writes at risk");
    m = member(f, "db1:27017", MST_MS_PRIMARY, MST_SHOW_PRIMARY, 0);
    m->priority = 2;
    m->ops_per_s = 4120;
    m->connections = 412;
    (void)mst_copy(m->tags, sizeof m->tags, "dc:eu-west-1");
    m = member(f, "db2:27017", MST_MS_SECONDARY, MST_SHOW_SECONDARY, 300);
    (void)mst_copy(m->sync_source, sizeof m->sync_source, "db1:27017");
    (void)mst_copy(m->tags, sizeof m->tags, "dc:eu-west-1");
    m = member(f, "db3:27017", MST_MS_SECONDARY, MST_SHOW_SECONDARY, 900);
    (void)mst_copy(m->sync_source, sizeof m->sync_source, "db1:27017");
    (void)mst_copy(m->tags, sizeof m->tags, "dc:eu-central-1");
    m->hello_rtt_us = 38000;
    m = member(f, "db4:27017", MST_MS_SECONDARY, MST_SHOW_SECONDARY, 400);
    (void)mst_copy(m->sync_source, sizeof m->sync_source, "db2:27017");
    (void)mst_copy(m->tags, sizeof m->tags, "dc:eu-west-1, use:backup");
    m->hidden = true;
    m->priority = m->votes = 0;
    m->can_win = false;
    (void)mst_copy(m->why_not, sizeof m->why_not, "priority 0");
    opinions(f);
    v->primary = 0;
    v->votes_total = v->votes_up = 3;
    v->votes_needed = 2;
    v->data_up = 4;
    v->write_majority = 2;
    v->tail_at_risk_ms = 200;
    event(f, 11082000, MST_SEV_WARN,
          "db1:27017 is PRIMARY, term 41, after 6.1 s without a primary");
    event(f, 3000000, MST_SEV_WARN, "db3:27017 lag 12.4 s > 10 s");
    event(f, 2940000, MST_SEV_INFO, "db3:27017 lag is below 10 s again");
    message(f, 2000000, MST_SEV_INFO, "job 1036 backup done: 2026-11-22T01-00-00Z-full");
    fill_bucket(f);
    return f;
}

struct fx *fx_running(void)
{
    static const char *const lines[] = {"14:02:11 source db4:27017: hidden, lag 0.4 s",
                                        "14:02:12 oplog from 1732283791:3",
                                        "14:03:20 shop.orders: 31,000,000 documents"};
    struct fx *f = fx_healthy();
    struct mst_job *j;

    for (uint64_t i = 0; i < 4; i++) {
        j = &f->job[f->jobs.n++];
        j->id = 1043 - i;
        j->kind = i == 2 ? MST_JOB_VERIFY : MST_JOB_BACKUP;
        (void)mst_copy(j->who, sizeof j->who, "anna");
        (void)mst_copy(j->target, sizeof j->target, "local");
        j->queued_wall_ms = fx_wall() - 420000;
        j->eta_ms = -1;
    }
    f->job[0].state = MST_JOB_QUEUED;
    (void)mst_copy(f->job[0].phase, sizeof f->job[0].phase, "after 1042");
    j = &f->job[1];
    j->state = MST_JOB_RUNNING;
    j->started_wall_ms = fx_wall() - 418000;
    j->done_bytes = 46921000000ULL;
    j->total_bytes = 90194000000ULL;
    j->items_done = 6;
    j->items_total = 12;
    j->rate_bps = 123731968;
    j->eta_ms = 350000;
    (void)mst_copy(j->backup_id, sizeof j->backup_id, "2026-11-22T13-56-24Z-full");
    (void)mst_copy(j->phase, sizeof j->phase, "reading shop.orders, 2 scans");
    memcpy(f->log, (char[3][200]){""}, sizeof f->log);
    for (size_t i = 0; i < MST_COUNT(lines); i++) {
        (void)mst_copy(f->log[i], sizeof f->log[i], lines[i]);
    }
    j->log = f->log;
    j->n_log = MST_COUNT(lines);
    j = &f->job[2];
    j->state = MST_JOB_FAILED;
    j->started_wall_ms = fx_wall() - 20000000;
    j->ended_wall_ms = fx_wall() - 18452000;
    (void)mst_copy(j->result, sizeof j->result,
                   "object d/0004-1 of 2026-11-20T01-00-00Z-full: wrong SHA-256");
    j->exit_status = 5;
    j = &f->job[3];
    j->state = MST_JOB_DONE;
    j->started_wall_ms = fx_wall() - 47002000;
    j->ended_wall_ms = fx_wall() - 45454000;
    j->done_bytes = j->total_bytes = 442381631488ULL;
    (void)mst_copy(j->backup_id, sizeof j->backup_id, f->backups[0].id);
    (void)mst_copy(j->result, sizeof j->result,
                   "2026-11-22T01-00-00Z-full complete, 121.3 GiB stored");
    return f;
}

struct fx *fx_election(void)
{
    struct fx *f = fx_healthy();
    struct mst_topo_view *v = &f->topo.v;
    struct mst_topo_member *m = &f->members[0];

    v->verdict = MST_V_NO_PRIMARY;
    v->primary = -1;
    v->no_primary_since_ms = FX_MONO - 4700;
    v->votes_up = 2;
    v->data_up = 3;
    v->if_primary_dies[0] = '\0';
    (void)mst_copy(
        v->headline, sizeof v->headline,
        "no primary for 4.7 s: 2 of 3 votes are up, an election is expected within 12 s");
    m->reach = MST_REACH_REFUSED;
    m->reach_at_ms = FX_MONO - 4600;
    (void)mst_copy(m->reach_text, sizeof m->reach_text,
                   "db1:27017 refuses connections: is mongod running there?");
    m->hello_at_ms = FX_MONO - 4900;
    m->status_at_ms = FX_MONO - 5200;
    m->shown = MST_SHOW_DOWN;
    m->writable = false;
    for (size_t i = 1; i < v->n; i++) {
        f->members[i].sees[0].health = 0;
        f->members[i].sync_source[0] = '\0';
        f->members[i].lag_ms = i == 2 ? 600 : 0;
        f->members[0].lag_ms = -1;
    }
    reason(f, MST_SEV_CRIT, -1, 4700, "no writable primary for 4.7 s");
    reason(f, MST_SEV_CRIT, 0, 4600, "db1:27017 is down: connection refused");
    event(f, 4700, MST_SEV_CRIT, "db1:27017 PRIMARY -> DOWN");
    return f;
}

struct fx *fx_no_majority(void)
{
    struct fx *f = fx_healthy();
    struct mst_topo_view *v = &f->topo.v;

    v->verdict = MST_V_NO_MAJORITY;
    (void)mst_copy(v->headline, sizeof v->headline,
                   "db1:27017 is primary but no majority confirms its writes: they can be lost");
    f->members[0].shown = MST_SHOW_PRIMARY_NO_MAJORITY;
    for (size_t i = 1; i < 3; i++) {
        f->members[i].shown = MST_SHOW_SILENT;
        f->members[i].reach = MST_REACH_SILENT;
        f->members[i].reach_at_ms = f->members[i].hello_at_ms = FX_MONO - 8200;
        f->members[i].status_at_ms = FX_MONO - 8900;
        f->members[0].sees[i].health = 0;
    }
    v->votes_up = 1;
    v->data_up = 2;
    reason(f, MST_SEV_CRIT, 0, 8000, "PRIMARY, no majority writes: 1 of 3 votes, 2 needed");
    reason(f, MST_SEV_WARN, 1, 8000, "db2:27017 no answer for 8.2 s");
    reason(f, MST_SEV_WARN, 2, 8000, "db3:27017 no answer for 8.2 s");
    return f;
}

struct fx *fx_silent(void)
{
    struct fx *f = fx_healthy();
    struct mst_topo_view *v = &f->topo.v;

    v->verdict = MST_V_DEGRADED;
    (void)mst_copy(v->headline, sizeof v->headline,
                   "db4:27017 gives no answer for 12 s; db3:27017 lags 9.8 s");
    f->members[2].lag_ms = 9800;
    f->members[3].shown = MST_SHOW_SILENT;
    f->members[3].reach = MST_REACH_SILENT;
    f->members[3].reach_at_ms = f->members[3].hello_at_ms = FX_MONO - 12000;
    f->members[3].status_at_ms = FX_MONO - 12600;
    (void)mst_copy(f->members[3].reach_text, sizeof f->members[3].reach_text,
                   "connected, but no answer for 12 s: frozen process, full disk or lost packets");
    reason(f, MST_SEV_WARN, 2, 40000, "db3:27017 lag 9.8 s > 5 s");
    reason(f, MST_SEV_WARN, 3, 12000, "db4:27017 no answer for 12 s");
    message(f, 12000, MST_SEV_WARN, "db4:27017 no answer for 2.0 s");
    return f;
}

static struct fx *unreachable(enum mst_verdict verdict, enum mst_reach reach, const char *headline,
                              const char *text)
{
    struct fx *f = base();
    struct mst_topo_view *v = &f->topo.v;

    v->verdict = verdict;
    v->term = -1;
    (void)mst_copy(v->headline, sizeof v->headline, headline);
    for (int i = 0; i < 2; i++) {
        struct mst_topo_member *m =
            member(f, i ? "db2:27017" : "db1:27017", MST_MS_UNKNOWN, MST_SHOW_UNKNOWN, -1);

        m->configured = false;
        m->reach = reach;
        m->reach_at_ms = FX_MONO - 2000;
        m->hello_at_ms = m->status_at_ms = m->stats_at_ms = 0;
        m->version[0] = '\0';
        m->term = m->window_s = m->headroom_s = m->rbid = -1;
        m->ops_per_s = -1;
        (void)mst_copy(m->reach_text, sizeof m->reach_text, text);
    }
    reason(f, MST_SEV_CRIT, -1, 2000, headline);
    return f;
}

struct fx *fx_wrong_set(void)
{
    return unreachable(MST_V_WRONG_SET, MST_REACH_WRONG_SET,
                       "the members belong to set 'rs1', the configuration says 'rs0'",
                       "belongs to set 'rs1': correct the URI or the set name");
}

struct fx *fx_auth(void)
{
    return unreachable(MST_V_AUTH, MST_REACH_AUTH,
                       "authentication failed for user 'muster' on every member",
                       "user 'muster' or its password is not accepted: check auth.view");
}

struct fx *fx_empty_bucket(void)
{
    struct fx *f = fx_healthy();

    f->bucket.n = 0;
    f->bucket.backups_bytes = 0;
    f->bucket.per_day_bytes = f->bucket.days_left = -1;
    return f;
}

static void second_store(struct fx *f)
{
    f->bucket.target = f->vault.target = true;
    f->bucket.as_of_wall_ms = f->vault.as_of_wall_ms = fx_wall() - 12000;
    (void)mst_copy(f->vault.store, sizeof f->vault.store, "vault");
    (void)mst_copy(f->vault.where, sizeof f->vault.where, "directory /mnt/vault");
    f->vault.read_at_ms = FX_MONO - 12000;
    f->vault.backups = f->in_vault;
    f->vault.n = 2;
    f->in_vault[0] = f->backups[0];
    f->in_vault[0].verified_wall_ms = 0;
    f->in_vault[1] = f->backups[1];
    f->v.stores[0] = &f->bucket;
    f->v.stores[1] = &f->vault;
    f->v.n_stores = 2;
}

struct fx *fx_copies(void)
{
    struct fx *f = fx_healthy();

    second_store(f);
    f->in_vault[1].state = MST_BK_DAMAGED;
    (void)mst_copy(f->in_vault[1].problem, sizeof f->in_vault[1].problem,
                   "verify found: d/0001-0: its SHA-256 differs from the manifest's");
    return f;
}

static void seal(struct mst_backup *b)
{
    b->sealed = b->is_signed = true;
    b->signature = MST_SIGNED_GOOD;
    (void)mst_copy(b->signer, sizeof b->signer, "db4 (7c01d2aa)");
}

struct fx *fx_s3(void)
{
    struct fx *f = fx_healthy();
    struct mst_bucket_part *b = &f->bucket;
    struct mst_look_part *l = &f->looks[0];

    fill_detail(f);
    seal(&f->backups[0]);
    seal(&f->backups[1]);
    (void)mst_copy(b->store, sizeof b->store, "offsite");
    (void)mst_copy(b->kind, sizeof b->kind, "s3");
    (void)mst_copy(b->region, sizeof b->region, "eu-west-1");
    (void)mst_copy(b->where, sizeof b->where, "bucket rs0-backups at Amazon S3, single writer");
    b->single_writer = true;
    b->free_bytes = b->total_bytes = 0;
    b->days_left = -1;
    b->foreign = 3;
    f->backups[1].foreign = 3;
    l->versions = 1;
    l->uploads = 2;
    l->since_wall_ms = fx_wall() - 3LL * 86400000;
    (void)mst_copy(l->who, sizeof l->who, "AKIAEXAMPLE (credentials file, section backup)");
    (void)mst_copy(f->info.key_remind, sizeof f->info.key_remind,
                   "no recipient is an escrow: when these keys are lost, so is every backup");
    (void)mst_copy(f->detail.storage_class, sizeof f->detail.storage_class, "mixed");
    for (size_t i = 0; i < f->detail.n_objects; i++) {
        (void)mst_copy(f->objects[i].storage_class, sizeof f->objects[i].storage_class,
                       i < 3 ? "STANDARD_IA" : "STANDARD");
        f->objects[i].modified_wall_ms = fx_wall() - 46000000;
    }
    f->detail.lock_known = true;
    f->detail.locked_until_ms = fx_wall() + 30LL * 86400000;
    (void)mst_copy(f->detail.lock_mode, sizeof f->detail.lock_mode, "GOVERNANCE");
    return f;
}

/* The same store, and nothing could be asked of it. */
struct fx *fx_s3_unknown(void)
{
    struct fx *f = fx_s3();
    struct mst_look_part *l = &f->looks[0];

    f->bucket.single_writer = false;
    f->bucket.allow_unsealed = true;
    l->versions = l->locks = -1;
    l->uploads = -1;
    l->since_wall_ms = 0;
    (void)mst_copy(l->problem, sizeof l->problem,
                   "cannot look at the bucket rs0-backups: HTTP 403 AccessDenied: the key needs "
                   "s3:GetBucketVersioning");
    f->detail.lock_known = false;
    (void)mst_copy(f->detail.lock_why, sizeof f->detail.lock_why, "HTTP 403 AccessDenied");
    return f;
}

struct fx *fx_one_dead(void)
{
    struct fx *f = fx_healthy();

    second_store(f);
    f->vault.n = 0;
    f->vault.as_of_wall_ms = 0;
    (void)mst_copy(f->vault.problem, sizeof f->vault.problem,
                   "the store vault: the directory /mnt/vault does not exist: make it, or mount "
                   "it");
    f->vault.problem_rc = MST_E_CONFIG;
    return f;
}

struct fx *fx_held(void)
{
    struct fx *f = fx_healthy();
    struct mst_backup *b = &f->backups[0];

    second_store(f);
    b->hold_until_ms = fx_wall() + 90LL * 86400000;
    (void)mst_copy(b->hold_text, sizeof b->hold_text, "until the auditors were here");
    (void)mst_copy(b->hold_by, sizeof b->hold_by, "ann");
    b->leftovers = 3;
    return f;
}

struct fx *fx_store_gone(void)
{
    struct fx *f = fx_healthy();

    f->bucket.cached = true;
    f->bucket.as_of_wall_ms = fx_wall() - 11040000;
    f->bucket.free_bytes = f->bucket.total_bytes = 0;
    (void)mst_copy(f->bucket.problem, sizeof f->bucket.problem,
                   "the store local: the directory /srv/backups does not exist: make it, or mount "
                   "it");
    f->bucket.problem_rc = MST_E_CONFIG;
    return f;
}

struct fx *fx_store_unread(void)
{
    struct fx *f = fx_store_gone();

    f->bucket.problem[0] = '\0';
    f->bucket.problem_rc = 0;
    f->bucket.read_at_ms = 0;
    f->bucket.loading = true;
    return f;
}

struct fx *fx_no_store(void)
{
    struct fx *f = fx_healthy();

    f->v.bucket = NULL;
    f->v.n_stores = 0;
    return f;
}

struct fx *fx_agent_lost(void)
{
    struct fx *f = fx_healthy();

    f->info.agent_lost_ms = FX_MONO - 9000;
    for (size_t i = 0; i < f->topo.v.n; i++) {
        f->members[i].hello_at_ms = FX_MONO - 9300;
        f->members[i].status_at_ms = FX_MONO - 9400;
    }
    return f;
}

#define EVIL \
    "\033]52;c;ZXZpbA==\a\033[2J\nroot\r\bx\t\xc2\x9b\xe2\x80\xae" \
    "cilbup\xe2\x80\x8b\xff"

struct fx *fx_hostile(void)
{
    struct fx *f = fx_running();
    struct mst_topo_view *v = &f->topo.v;

    (void)mst_copy(v->set_name, sizeof v->set_name, EVIL);
    (void)mst_copy(v->headline, sizeof v->headline, EVIL);
    (void)mst_copy(v->if_primary_dies, sizeof v->if_primary_dies, EVIL);
    (void)mst_copy(f->info.set_label, sizeof f->info.set_label, EVIL);
    (void)mst_copy(f->info.set_class, sizeof f->info.set_class, "\033[31m");
    v->verdict = MST_V_DEGRADED;
    for (size_t i = 0; i < v->n; i++) {
        (void)snprintf(f->members[i].name, sizeof f->members[i].name, "%zu%s", i, EVIL);
        (void)mst_copy(f->members[i].tags, sizeof f->members[i].tags, EVIL);
        (void)mst_copy(f->members[i].version, sizeof f->members[i].version, EVIL);
        (void)mst_copy(f->members[i].sync_source, sizeof f->members[i].sync_source, EVIL);
        (void)mst_copy(f->members[i].reach_text, sizeof f->members[i].reach_text, EVIL);
        f->members[i].reach = MST_REACH_PROTOCOL;
    }
    reason(f, MST_SEV_WARN, 1, 1000, EVIL);
    event(f, 1000, MST_SEV_WARN, EVIL);
    message(f, 1000, MST_SEV_CRIT, EVIL);
    for (size_t i = 0; i < f->jobs.n; i++) {
        (void)mst_copy(f->job[i].phase, sizeof f->job[i].phase, EVIL);
        (void)mst_copy(f->job[i].result, sizeof f->job[i].result, EVIL);
        (void)mst_copy(f->job[i].who, sizeof f->job[i].who, EVIL);
    }
    (void)mst_copy(f->log[0], sizeof f->log[0], EVIL);
    for (size_t i = 0; i < f->bucket.n; i++) {
        (void)mst_copy(f->backups[i].id, sizeof f->backups[i].id, EVIL);
        f->backups[i].id[0] = (char)(i + 1);
        (void)mst_copy(f->backups[i].problem, sizeof f->backups[i].problem, EVIL);
    }
    fill_detail(f);
    (void)mst_copy(f->ns[0].ns, sizeof f->ns[0].ns, EVIL);
    (void)mst_copy(f->objects[0].key, sizeof f->objects[0].key, EVIL);
    return f;
}

struct fx *fx_many(void)
{
    struct fx *f = fx_healthy();
    char text[80];

    for (int i = 5; i <= 20; i++) {
        (void)snprintf(text, sizeof text, "db%d.eu.example.net:27017", i);
        (void)member(f, text, MST_MS_SECONDARY, MST_SHOW_SECONDARY, 100 * i);
    }
    f->members[17].shown = MST_SHOW_RECOVERING;
    for (int i = 4; f->bucket.n < MST_COUNT(f->backups); i++) {
        (void)snprintf(text, sizeof text, "2026-11-%02uT01-00-00Z-full", (unsigned)(22 - i) % 30U);
        (void)backup(f, text, MST_BK_COMPLETE, 47002000 + (int64_t)i * 86400000);
    }
    fill_detail(f);
    f->leavings.n = 2;
    (void)mst_copy(f->left[0].what, sizeof f->left[0].what,
                   "old shop.orders kept by restore 12 (mst.o.1a2b3c4d.0)");
    (void)mst_copy(f->left[0].id, sizeof f->left[0].id, "restore-12");
    f->left[0].by_restore = true;
    f->left[0].since_wall_ms = fx_wall() - 7200000;
    (void)mst_copy(f->left[1].what, sizeof f->left[1].what,
                   "objects of a backup that was interrupted");
    (void)mst_copy(f->left[1].id, sizeof f->left[1].id, "2026-11-19T01-00-00Z-full");
    f->left[1].since_wall_ms = fx_wall() - 306202000;
    return f;
}

void fx_free(struct fx *f)
{
    free(f);
}
