#include "show.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "json.h"
#include "show_store.h"

int show_exit(enum mst_verdict v)
{
    switch (v) {
    case MST_V_HEALTHY:
        return 0;
    case MST_V_DEGRADED:
    case MST_V_NO_MAJORITY:
    case MST_V_NO_PRIMARY:
        return 1;
    case MST_V_WRONG_SET:
    case MST_V_NOT_REPLSET:
    case MST_V_MONGOS:
        return 2;
    case MST_V_AUTH:
        return 4;
    case MST_V_STARTING:
    case MST_V_UNREACHABLE:
    case MST_V_TLS:
    case MST_V_HOSTNAME:
    case MST_V_WRONG_MEMBER:
        break;
    }
    return 3;
}

bool show_settled(const struct mst_topo_view *t)
{
    bool somebody = false;

    if (t->verdict == MST_V_STARTING || t->n == 0) {
        return false;
    }
    for (size_t i = 0; i < t->n; i++) {
        const struct mst_topo_member *m = &t->members[i];

        if (m->reach == MST_REACH_NEVER) {
            return false;
        }
        somebody = somebody || m->reach == MST_REACH_OK;
        if (m->reach == MST_REACH_OK && !m->arbiter && !m->is_arbiter_hello &&
            ((m->status_at_ms == 0 && !m->status_missing[0]) ||
             (m->stats_at_ms == 0 && !m->stats_missing[0]))) {
            return false;
        }
    }
    return !somebody || t->config_at_ms != 0 || t->config_missing[0];
}

#define DAY_MS 86400000

/* Newest answer of any kind: how old the picture of a member is. */
static int64_t newest_at(const struct mst_topo_member *m)
{
    int64_t at = m->hello_at_ms;

    at = m->status_at_ms > at ? m->status_at_ms : at;
    return m->stats_at_ms > at ? m->stats_at_ms : at;
}

static char *age_text(const struct mst_topo_view *t, int64_t at, char *buf)
{
    const int64_t age = t->now_mono_ms - at;

    return mst_text_duration(at ? (age > 0 ? age : 0) : -1, buf);
}

static const char *set_of(const struct mst_view *v)
{
    return v->info->set_label[0]    ? v->info->set_label
           : v->topo->v.set_name[0] ? v->topo->v.set_name
                                    : "(name not known)";
}

/* --- JSON --- */

static void json_optime(struct mst_str *s, const char *name, const struct mst_optime *o)
{
    char text[64];

    if (mst_ts_zero(o->ts)) {
        js_text(s, name, "");
        return;
    }
    (void)snprintf(text, sizeof(text), "%u.%u/%lld", o->ts.t, o->ts.i, (long long)o->term);
    js_text(s, name, text);
}

static void json_member(struct mst_str *s, const struct mst_topo_view *t,
                        const struct mst_topo_member *m)
{
    js_text(s, "name", m->name);
    js_text(s, "dial", m->dial);
    js_known(s, "id", m->id);
    js_text(s, "state", mst_shown_word(m->shown));
    js_text(s, "reach", mst_reach_word(m->reach));
    js_text(s, "reach_text", m->reach_text);
    js_bool(s, "writable", m->writable && m->reach == MST_REACH_OK);
    js_age(s, "hello_age_ms", t->now_mono_ms, m->hello_at_ms);
    js_known(s, "hello_rtt_us", m->hello_at_ms ? m->hello_rtt_us : -1);
    js_age(s, "status_age_ms", t->now_mono_ms, m->status_at_ms);
    js_text(s, "status_missing", m->status_missing);
    js_age(s, "stats_age_ms", t->now_mono_ms, m->stats_at_ms);
    js_text(s, "stats_missing", m->stats_missing);
    js_known(s, "term", m->term);
    json_optime(s, "applied", &m->applied);
    json_optime(s, "durable", &m->durable);
    json_optime(s, "committed", &m->committed);
    js_known(s, "lag_ms", m->lag_ms);
    js_known(s, "window_s", m->window_s);
    js_known(s, "headroom_s", m->headroom_s);
    js_text(s, "sync_source", m->sync_source);
    js_time(s, "elected", m->election_wall_ms);
    js_num(s, "priority", m->configured ? m->priority : -1);
    js_known(s, "votes", m->configured ? m->votes : -1);
    js_bool(s, "hidden", m->hidden);
    js_bool(s, "arbiter", m->arbiter);
    js_known(s, "delay_s", m->configured ? m->delay_s : -1);
    js_text(s, "tags", m->tags);
    js_text(s, "version", m->version);
    js_text(s, "fcv", m->fcv);
    js_known(s, "uptime_s", m->stats_at_ms ? m->uptime_s : -1);
    js_known(s, "connections", m->stats_at_ms ? m->connections : -1);
    js_num(s, "ops_per_s", m->ops_per_s);
    js_num(s, "repl_per_s", m->repl_per_s);
    js_known(s, "rbid", m->rbid);
    js_bool(s, "can_win", m->can_win);
    js_text(s, "why_not", m->why_not);
}

static void json_reasons(struct mst_str *s, const struct mst_topo_view *t)
{
    js_open(s, "reasons", '[');
    for (size_t i = 0; i < t->n_reasons; i++) {
        const struct mst_reason *r = &t->reasons[i];

        js_open(s, NULL, '{');
        js_text(s, "severity", show_severity(r->severity));
        js_text(s, "text", r->text);
        js_age(s, "since_ms", t->now_mono_ms, r->since_ms);
        js_text(s, "member",
                r->member >= 0 && (size_t)r->member < t->n ? t->members[r->member].name : "");
        js_close(s, '}');
    }
    js_close(s, ']');
}

static void json_head(struct mst_str *s, const struct mst_view *v)
{
    const struct mst_topo_view *t = &v->topo->v;

    js_text(s, "set", t->set_name);
    js_text(s, "label", v->info->set_label);
    js_text(s, "class", v->info->set_class);
    js_text(s, "note", v->info->set_note);
    js_text(s, "verdict", mst_verdict_word(t->verdict));
    js_text(s, "headline", t->headline);
    js_text(s, "primary", t->primary >= 0 ? t->members[t->primary].name : "");
    js_known(s, "term", t->term);
    js_known(s, "config_version", t->config_at_ms ? t->config_version : -1);
    js_bool(s, "config_forced", t->config_forced);
    js_bool(s, "sharded", t->sharded);
    js_int(s, "votes_total", t->votes_total);
    js_int(s, "votes_up", t->votes_up);
    js_int(s, "votes_needed", t->votes_needed);
    js_known(s, "data_up", t->data_up);
    js_known(s, "write_majority", t->write_majority);
    js_known(s, "no_primary_for_ms",
             t->no_primary_since_ms ? t->now_mono_ms - t->no_primary_since_ms : -1);
    js_known(s, "tail_at_risk_ms", t->tail_at_risk_ms);
    js_text(s, "if_primary_dies", t->if_primary_dies);
    json_reasons(s, t);
}

static bool recently_interrupted(const struct mst_view *v, const struct mst_job *j)
{
    return j->state == MST_JOB_INTERRUPTED && v->now_wall_ms - j->ended_wall_ms < DAY_MS;
}

/* Who else acts, what dead processes left, and jobs that they did not end; newest first. */
static void json_others(const struct mst_view *v, struct mst_str *s)
{
    js_open(s, "open_acts", '[');
    for (size_t i = 0; i < v->info->n_notes; i++) {
        const struct mst_note *n = &v->info->notes[i];

        js_open(s, NULL, '{');
        js_text(s, "act", n->act);
        js_text(s, "agent", n->agent);
        js_text(s, "host", n->host);
        js_text(s, "plan", n->plan);
        js_text(s, "target", n->target);
        js_time(s, "since", v->now_wall_ms + n->since_mono_ms - v->now_mono_ms);
        js_time(s, "until", v->now_wall_ms + n->until_mono_ms - v->now_mono_ms);
        js_close(s, '}');
    }
    js_close(s, ']');
    js_open(s, "interrupted_jobs", '[');
    for (size_t i = 0; i < v->jobs->n; i++) {
        if (recently_interrupted(v, &v->jobs->jobs[i])) {
            js_open(s, NULL, '{');
            js_int(s, "id", (int64_t)v->jobs->jobs[i].id);
            js_text(s, "result", v->jobs->jobs[i].result);
            js_close(s, '}');
        }
    }
    js_close(s, ']');
    js_open(s, "leavings", '[');
    for (size_t i = 0; i < v->leavings->n; i++) {
        js_open(s, NULL, '{');
        js_text(s, "id", v->leavings->items[i].id);
        js_text(s, "text", v->leavings->items[i].what);
        js_close(s, '}');
    }
    js_close(s, ']');
}

static void json_status(const struct mst_view *v, struct mst_str *s)
{
    const struct mst_topo_view *t = &v->topo->v;

    js_begin(s, "status", t->now_wall_ms);
    json_head(s, v);
    js_open(s, "members", '[');
    for (size_t i = 0; i < t->n; i++) {
        js_open(s, NULL, '{');
        json_member(s, t, &t->members[i]);
        js_close(s, '}');
    }
    js_close(s, ']');
    json_others(v, s);
    show_store_json(v->bucket, v->now_wall_ms, s);
    js_end(s);
}

static void text_others(const struct mst_view *v, const char *end, struct mst_str *s)
{
    show_store(v->bucket, v->now_wall_ms, end, s);
    for (size_t i = 0; i < v->n_stores; i++) {
        if (v->stores[i] != v->bucket && v->stores[i]->problem[0]) {
            mst_str_addf(s, "another store cannot be read: %s%s", v->stores[i]->problem, end);
        }
    }
    for (size_t i = 0; i < v->info->n_notes; i++) {
        const struct mst_note *n = &v->info->notes[i];
        const int64_t left = n->until_mono_ms - v->now_mono_ms;
        const int64_t age = v->now_mono_ms - n->since_mono_ms;
        char t[MST_HUMAN_MAX], u[MST_HUMAN_MAX];

        mst_str_addf(s, "another acts on this set: %s%s%s by %s on %s", n->act,
                     n->target[0] ? " to " : "", n->target, n->agent, n->host);
        if (n->plan[0]) {
            mst_str_addf(s, " (plan %s)", n->plan);
        }
        mst_str_addf(s, ", since %s, for at least %s more%s",
                     mst_text_duration(age > 0 ? age : 0, u),
                     mst_text_duration(left > 0 ? left : 0, t), end);
    }
    for (size_t i = 0; i < v->jobs->n; i++) {
        const struct mst_job *j = &v->jobs->jobs[i];

        if (recently_interrupted(v, j)) {
            mst_str_addf(s, "job %llu (%s) was interrupted: %s%s", (unsigned long long)j->id,
                         mst_job_kind_word(j->kind), j->result, end);
        }
    }
    for (size_t i = 0; i < v->leavings->n; i++) {
        mst_str_addf(s, "left: %s%s", v->leavings->items[i].what, end);
    }
}

/* --- sentences --- */

static void plain_member(const struct mst_topo_view *t, const struct mst_topo_member *m,
                         struct mst_str *s)
{
    char lag[MST_HUMAN_MAX], age[MST_HUMAN_MAX];

    mst_str_addf(s, "member %s: %s", m->name, mst_shown_word(m->shown));
    if (m->lag_ms >= 0 && m->shown == MST_SHOW_SECONDARY) {
        mst_str_addf(s, ", lag %s", mst_text_duration(m->lag_ms, lag));
    }
    if (m->version[0]) {
        mst_str_addf(s, ", version %s", m->version);
    }
    mst_str_addf(s, newest_at(m) ? ", answered %s ago.\n" : ", never answered.\n",
                 age_text(t, newest_at(m), age));
    if (m->reach_text[0]) {
        mst_str_addf(s, "  %s.\n", m->reach_text);
    }
    if (m->status_missing[0]) {
        mst_str_addf(s, "  replication status is missing: %s.\n", m->status_missing);
    }
    if (m->stats_missing[0]) {
        mst_str_addf(s, "  server statistics are missing: %s.\n", m->stats_missing);
    }
}

static void plain_reasons(const struct mst_topo_view *t, struct mst_str *s)
{
    char since[MST_HUMAN_MAX];

    for (size_t i = 0; i < t->n_reasons; i++) {
        const struct mst_reason *r = &t->reasons[i];

        mst_str_addf(s, "%s: %s", show_severity(r->severity), r->text);
        if (r->since_ms) {
            mst_str_addf(s, ", for %s", mst_text_duration(t->now_mono_ms - r->since_ms, since));
        }
        mst_str_add(s, ".\n");
    }
}

static void plain_status(const struct mst_view *v, struct mst_str *s)
{
    const struct mst_topo_view *t = &v->topo->v;
    char time[MST_TIME_MAX];

    mst_str_addf(s, "set %s%s%s, %s.\n", set_of(v), v->info->set_class[0] ? ", class " : "",
                 v->info->set_class, mst_time_iso(t->now_wall_ms, time));
    if (v->info->set_note[0]) {
        mst_str_addf(s, "note: %s.\n", v->info->set_note);
    }
    mst_str_addf(s, "health: %s. %s.\n", mst_verdict_word(t->verdict), t->headline);
    if (t->primary >= 0) {
        mst_str_addf(s, "primary: %s, term %lld.\n", t->members[t->primary].name,
                     (long long)t->term);
    } else {
        mst_str_add(s, "primary: none.\n");
    }
    if (t->votes_total > 0) {
        mst_str_addf(s, "majority: %s, %d of %d votes, %d needed.\n",
                     t->votes_up >= t->votes_needed ? "yes" : "no", t->votes_up, t->votes_total,
                     t->votes_needed);
    }
    plain_reasons(t, s);
    if (t->if_primary_dies[0]) {
        mst_str_addf(s, "if the primary dies: %s.\n", t->if_primary_dies);
    }
    for (size_t i = 0; i < t->n; i++) {
        plain_member(t, &t->members[i], s);
    }
    text_others(v, ".\n", s);
}

/* --- tables --- */

static const char *paint(bool color, enum mst_verdict v)
{
    return !color              ? ""
           : show_exit(v) == 0 ? "\x1b[36m"
           : show_exit(v) == 1 ? "\x1b[33m"
                               : "\x1b[1;35m";
}

static int name_width(const struct mst_topo_view *t)
{
    size_t w = 6;

    for (size_t i = 0; i < t->n; i++) {
        const size_t n = mst_text_cols(t->members[i].name, strlen(t->members[i].name));

        w = n > w ? n : w;
    }
    return (int)(w > 40 ? 40 : w);
}

static void table_members(const struct mst_topo_view *t, struct mst_str *s)
{
    const int w = name_width(t);

    mst_str_addf(s, "  %-*s  %-12s %8s %8s %9s  %s\n", w, "member", "state", "lag", "age",
                 "version", "remarks");
    for (size_t i = 0; i < t->n; i++) {
        const struct mst_topo_member *m = &t->members[i];
        char lag[MST_HUMAN_MAX], age[MST_HUMAN_MAX];
        const char *why = m->reach_text[0]       ? m->reach_text
                          : m->status_missing[0] ? m->status_missing
                                                 : m->stats_missing;

        mst_str_addf(s, "  %-*s  %-12s %8s %8s %9s  %s%s%s%s\n", w, m->name,
                     mst_shown_word(m->shown),
                     m->shown == MST_SHOW_SECONDARY ? mst_text_duration(m->lag_ms, lag) : "-",
                     age_text(t, newest_at(m), age), m->version[0] ? m->version : "-",
                     m->hidden ? "hidden " : "", m->delay_s > 0 ? "delayed " : "",
                     m->configured && m->votes == 0 ? "no vote " : "", why);
    }
}

static void table_status(const struct mst_view *v, bool color, struct mst_str *s)
{
    const struct mst_topo_view *t = &v->topo->v;

    mst_str_addf(s, "%s%s%s%s  %s%s%s  %s\n", set_of(v), v->info->set_class[0] ? " (" : "",
                 v->info->set_class, v->info->set_class[0] ? ")" : "", paint(color, t->verdict),
                 mst_verdict_word(t->verdict), color ? "\x1b[0m" : "", t->headline);
    if (v->info->set_note[0]) {
        mst_str_addf(s, "note: %s\n", v->info->set_note);
    }
    table_members(t, s);
    for (size_t i = 0; i < t->n_reasons; i++) {
        mst_str_addf(s, "%c %s\n", t->reasons[i].severity == MST_SEV_CRIT ? 'X' : '!',
                     t->reasons[i].text);
    }
    if (t->if_primary_dies[0]) {
        mst_str_addf(s, "if the primary dies: %s\n", t->if_primary_dies);
    }
    text_others(v, "\n", s);
}

void show_status(const struct mst_view *v, enum show_form form, bool color, struct mst_str *out)
{
    switch (form) {
    case SHOW_TABLE:
        table_status(v, color, out);
        break;
    case SHOW_PLAIN:
        plain_status(v, out);
        break;
    case SHOW_JSON:
        json_status(v, out);
        break;
    }
}

static void table_topology(const struct mst_topo_view *t, struct mst_str *s)
{
    const int w = name_width(t);

    mst_str_addf(s, "%-*s  %-12s %4s %5s %9s %9s  %s\n", w, "member", "state", "prio", "votes",
                 "window", "headroom", "source, tags");
    for (size_t i = 0; i < t->n; i++) {
        const struct mst_topo_member *m = &t->members[i];
        char window[MST_HUMAN_MAX], room[MST_HUMAN_MAX];

        mst_str_addf(s, "%-*s  %-12s %4g %5d %9s %9s  %s%s%s%s%s\n", w, m->name,
                     mst_shown_word(m->shown), m->priority, m->votes,
                     mst_text_duration(m->window_s < 0 ? -1 : m->window_s * 1000, window),
                     mst_text_duration(m->headroom_s < 0 ? -1 : m->headroom_s * 1000, room),
                     m->sync_source[0] ? "from " : "", m->sync_source, m->tags[0] ? " {" : "",
                     m->tags, m->tags[0] ? "}" : "");
        if (m->reach_text[0]) {
            mst_str_addf(s, "%-*s  %s\n", w, "", m->reach_text);
        }
    }
    mst_str_add(s, "\nwho sees whom (rows look at columns)\n");
    for (size_t i = 0; i < t->n; i++) {
        mst_str_addf(s, "%-*s ", w, t->members[i].name);
        for (size_t j = 0; j < t->n; j++) {
            const struct mst_opinion *o = &t->members[i].sees[j];

            mst_str_addf(s, " %-9.9s",
                         i == j       ? "-"
                         : !o->known  ? "?"
                         : !o->health ? "down"
                                      : mst_mstate_name(o->state));
        }
        mst_str_addc(s, '\n');
    }
}

void show_topology(const struct mst_view *v, enum show_form form, struct mst_str *out)
{
    const struct mst_topo_view *t = &v->topo->v;

    if (form == SHOW_TABLE) {
        mst_str_addf(out, "%s  %s, configuration %lld\n", set_of(v), t->headline,
                     (long long)t->config_version);
        table_topology(t, out);
        return;
    }
    for (size_t i = 0; i < t->n; i++) {
        if (form == SHOW_PLAIN) {
            plain_member(t, &t->members[i], out);
        } else {
            js_begin(out, "member", t->now_wall_ms);
            js_text(out, "set", t->set_name);
            json_member(out, t, &t->members[i]);
            js_open(out, "sees", '[');
            for (size_t j = 0; j < t->n; j++) {
                const struct mst_opinion *o = &t->members[i].sees[j];

                if (i == j || !o->known) {
                    continue;
                }
                js_open(out, NULL, '{');
                js_text(out, "name", t->members[j].name);
                js_bool(out, "up", o->health == 1);
                js_text(out, "state", mst_mstate_name(o->state));
                js_known(out, "ping_ms", o->ping_ms);
                js_known(out, "heartbeat_age_ms", o->heartbeat_age_ms);
                js_close(out, '}');
            }
            js_close(out, ']');
            js_end(out);
        }
    }
}
