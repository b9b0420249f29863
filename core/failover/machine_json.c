#include "failover/machine_own.h"

static const char *exit_word(enum mst_fo_exit e)
{
    switch (e) {
    case MST_FO_RUNNING:
        return "running";
    case MST_FO_DONE:
        return "done";
    case MST_FO_REFUSED:
        return "refused";
    case MST_FO_LEFT:
        return "left";
    case MST_FO_ABORTED:
        return "aborted";
    case MST_FO_UNDONE:
        return "undone";
    case MST_FO_OTHER:
        return "other";
    case MST_FO_INCOMPLETE:
        return "incomplete";
    case MST_FO_UNSURE:
        return "unknown";
    case MST_FO_LOCKED:
        return "locked";
    case MST_FO_STALE:
        return "stale";
    }
    return "?";
}

static void add_name(struct mst_str *out, const char *key, const struct mst_fo *f, int i)
{
    mst_str_addf(out, ",\"%s\":", key);
    if (i < 0) {
        mst_str_add(out, "null");
    } else {
        mst_str_add_json(out, mst_fo_member(f, i));
    }
}

/* A number that is not known is null, not zero. */
static void add_num(struct mst_str *out, const char *key, bool known, int64_t v)
{
    if (known) {
        mst_str_addf(out, ",\"%s\":%lld", key, (long long)v);
    } else {
        mst_str_addf(out, ",\"%s\":null", key);
    }
}

static void add_optime(struct mst_str *out, const char *key, struct mst_optime o)
{
    mst_str_addf(out, ",\"%s\":", key);
    if (o.term < 0) {
        mst_str_add(out, "null");
    } else {
        mst_str_addf(out, "{\"t\":%u,\"i\":%u,\"term\":%lld}", o.ts.t, o.ts.i, (long long)o.term);
    }
}

static void add_certificate(const struct mst_fo *f, struct mst_str *out)
{
    static const char *const words[] = {"none", "optime", "continuity"};

    mst_str_addf(out, ",\"certificate\":{\"kind\":\"%s\"", words[f->cert]);
    add_optime(out, "old", f->cert_old);
    add_optime(out, "new", f->cert_target);
    mst_str_add(out, ",\"why\":");
    mst_str_add_json(out, f->cert_why);
    mst_str_addc(out, '}');
}

static void add_states(const struct mst_fo *f, struct mst_str *out)
{
    mst_str_add(out, ",\"states\":[");
    for (size_t i = 0; i < f->n_lines; i++) {
        const struct mst_fo_line *l = &f->lines[i];
        const int64_t end = l->to_ms != 0 ? l->to_ms : f->now_ms;

        mst_str_addf(out, "%s{\"state\":\"%s\",\"after_ms\":%lld,\"ms\":%lld,\"detail\":",
                     i > 0 ? "," : "", mst_fo_state_word(l->state),
                     (long long)(l->from_ms - f->begun_ms), (long long)(end - l->from_ms));
        mst_str_add_json(out, l->detail);
        mst_str_addc(out, '}');
    }
    mst_str_addc(out, ']');
}

static void add_holds(const struct mst_fo *f, int64_t now_wall_ms, struct mst_str *out)
{
    bool any = false;

    mst_str_add(out, ",\"holds\":[");
    for (size_t i = 0; i < f->plan->n; i++) {
        const int64_t until = f->hold[i].until_ms;

        if (until == 0) {
            continue;
        }
        mst_str_add(out, any ? ",{\"member\":" : "{\"member\":");
        mst_str_add_json(out, mst_fo_member(f, (int)i));
        mst_str_addf(out, ",\"until_wall_ms\":%lld}", (long long)(now_wall_ms + until - f->now_ms));
        any = true;
    }
    mst_str_addc(out, ']');
}

void mst_fo_json(const struct mst_fo *f, int64_t now_wall_ms, struct mst_str *out)
{
    const struct mst_fo_plan *p = f->plan;

    mst_str_addf(out, "{\"result\":\"%s\"", exit_word(f->exit));
    add_num(out, "exit", f->exit != MST_FO_RUNNING, f->exit);
    mst_str_addf(out, ",\"state\":\"%s\",\"text\":", mst_fo_state_word(f->state));
    mst_str_add_json(out, f->text);
    mst_str_add(out, ",\"set\":");
    mst_str_add_json(out, p->set_name);
    mst_str_add(out, ",\"code\":");
    mst_str_add_json(out, p->code);
    mst_str_addf(out, ",\"act\":\"%s\"", p->act == MST_GUARD_STEPDOWN ? "stepdown" : "switchover");
    add_name(out, "from", f, p->primary);
    add_name(out, "to", f, p->target);
    add_name(out, "winner", f, f->winner);
    add_num(out, "term_before", true, p->term);
    add_num(out, "term_after", f->new_term >= 0, f->new_term);
    add_num(out, "gap_ms", f->gap_ms >= 0, f->gap_ms);
    add_num(out, "writable_after_ms", f->first_writable_ms != 0 && f->t0_ms != 0,
            f->first_writable_ms - f->t0_ms);
    mst_str_add(out, ",\"probe_ms\":[");
    for (int i = 0; i < f->probes; i++) {
        mst_str_addf(out, "%s%lld", i > 0 ? "," : "", (long long)f->probe_ms[i]);
    }
    mst_str_addc(out, ']');
    add_certificate(f, out);
    add_states(f, out);
    add_holds(f, now_wall_ms, out);
    mst_str_add(out, ",\"problems\":[");
    for (size_t i = 0; i < f->n_problems; i++) {
        mst_str_add(out, i > 0 ? "," : "");
        mst_str_add_json(out, f->problems[i]);
    }
    mst_str_add(out, "]}");
}
