/* Which member is read, and why not the others. Pure. */
#include "backup/backup.h"

#include "base/mem.h"
#include "base/str.h"

bool mst_ns_match(const char *pattern, const char *ns)
{
    const char *star = NULL, *retry = NULL;

    while (*ns) {
        if (*pattern == '*') {
            star = ++pattern;
            retry = ns;
        } else if (*pattern == *ns) {
            pattern++;
            ns++;
        } else if (star) {
            pattern = star;
            ns = ++retry;
        } else {
            return false;
        }
    }
    while (*pattern == '*') {
        pattern++;
    }
    return *pattern == '\0';
}

static bool has_tag(const char *tags, const char *want)
{
    const char *eq = strchr(want, '=');
    char text[160];
    size_t n;

    if (!eq) {
        return false;
    }
    (void)snprintf(text, sizeof(text), "%.*s:%s", (int)(eq - want), want, eq + 1);
    n = strlen(text);
    for (const char *p = tags; *p;) {
        if (strncmp(p, text, n) == 0 && (p[n] == '\0' || p[n] == ',')) {
            return true;
        }
        p = strchr(p, ',');
        if (!p) {
            return false;
        }
        p += strspn(p, ", ");
    }
    return false;
}

static bool wanted(const struct mst_topo_member *m, const struct mst_source_wish *w)
{
    if (!*w->name) {
        return true;
    }
    if (strncmp(w->name, "tag:", 4) == 0) {
        return has_tag(m->tags, w->name + 4);
    }
    return strcmp(m->name, w->name) == 0;
}

/* Why it cannot be the source; false when it can. */
static bool refused(const struct mst_topo_view *v, int i, const struct mst_source_wish *w,
                    int64_t lag_max, char *why, size_t size)
{
    const struct mst_topo_member *m = &v->members[i];
    const bool primary =
        m->shown == MST_SHOW_PRIMARY || m->shown == MST_SHOW_PRIMARY_NO_MAJORITY || i == v->primary;

    if (m->arbiter || m->is_arbiter_hello) {
        (void)snprintf(why, size, "is an arbiter");
    } else if (m->shown == MST_SHOW_PRIMARY_NO_MAJORITY) {
        (void)snprintf(why, size, "is a primary without a majority");
    } else if (primary && !w->from_primary) {
        (void)snprintf(why, size, "is the primary (allow it with --from-primary)");
    } else if (!primary && m->shown != MST_SHOW_SECONDARY) {
        (void)snprintf(why, size, "is %s", mst_shown_word(m->shown));
    } else if (m->delay_s > 0) {
        (void)snprintf(why, size, "is delayed by %lld s", (long long)m->delay_s);
    } else if (!m->builds_indexes && m->configured) {
        (void)snprintf(why, size, "has no indexes (buildIndexes false)");
    } else if (!primary && m->lag_ms < 0 && v->primary >= 0) {
        (void)snprintf(why, size, "has a lag that is not known%s%s",
                       m->status_missing[0] ? ": " : "", m->status_missing);
    } else if (!primary && m->lag_ms > lag_max) {
        (void)snprintf(why, size, "lags %lld.%lld s, more than %lld s", (long long)m->lag_ms / 1000,
                       (long long)m->lag_ms % 1000 / 100, (long long)lag_max / 1000);
    } else {
        return false;
    }
    return true;
}

/* Less is better: hidden, then low priority, then little lag, then the order of the set. */
static int better(const struct mst_topo_view *v, int a, int b)
{
    const struct mst_topo_member *x = &v->members[a], *y = &v->members[b];
    const bool px = a == v->primary, py = b == v->primary;

    if (px != py) {
        return px ? 1 : -1;
    }
    if (x->hidden != y->hidden) {
        return x->hidden ? -1 : 1;
    }
    if (x->priority < y->priority || x->priority > y->priority) {
        return x->priority < y->priority ? -1 : 1;
    }
    if (x->lag_ms != y->lag_ms) {
        return x->lag_ms < y->lag_ms ? -1 : 1;
    }
    return a < b ? -1 : 1;
}

static void say_why(const struct mst_topo_view *v, const struct mst_source_wish *w,
                    struct mst_source *out)
{
    const struct mst_topo_member *m = &v->members[out->member];
    const char *kind = out->member == v->primary ? "primary, as allowed"
                       : m->hidden               ? "hidden secondary"
                       : m->priority <= 0.0      ? "secondary of priority 0"
                                                 : "secondary";
    const char *by = !*w->name                          ? ""
                     : strncmp(w->name, "tag:", 4) == 0 ? ", tagged as asked"
                                                        : ", named";

    if (out->member != v->primary && m->lag_ms >= 0) {
        (void)snprintf(out->why, sizeof(out->why), "%s%s, lag %lld.%lld s", kind, by,
                       (long long)m->lag_ms / 1000, (long long)m->lag_ms % 1000 / 100);
    } else {
        (void)snprintf(out->why, sizeof(out->why), "%s%s", kind, by);
    }
}

/* Nobody can be the source. What is wrong with the whole set says more than its members one by
 * one, and has its own status. */
static enum mst_rc nobody(const struct mst_topo_view *v, const char *also, struct mst_err *err)
{
    switch (v->verdict) {
    case MST_V_UNREACHABLE:
        return mst_err_set(err, MST_E_NET, "nothing to read from: %s", v->headline);
    case MST_V_WRONG_SET:
    case MST_V_NOT_REPLSET:
    case MST_V_MONGOS:
        return mst_err_set(err, MST_E_CONFIG, "nothing to read from: %s", v->headline);
    case MST_V_AUTH:
        return mst_err_set(err, MST_E_AUTH, "nothing to read from: %s", v->headline);
    case MST_V_TLS:
    case MST_V_HOSTNAME:
    case MST_V_WRONG_MEMBER:
        return mst_err_set(err, MST_E_TLS, "nothing to read from: %s", v->headline);
    case MST_V_STARTING:
    case MST_V_HEALTHY:
    case MST_V_DEGRADED:
    case MST_V_NO_MAJORITY:
    case MST_V_NO_PRIMARY:
        break;
    }
    return mst_err_set(err, MST_E_PRECOND, "no member can be the source: %s", also);
}

enum mst_rc mst_backup_choose(const struct mst_topo_view *v, const struct mst_source_wish *wish,
                              struct mst_source *out, struct mst_err *err)
{
    const int64_t lag_max = wish->lag_max_ms > 0 ? wish->lag_max_ms : MST_BACKUP_LAG_MAX_MS;
    struct mst_str also = {.max = sizeof(out->also) - 1};
    size_t named = 0;

    memset(out, 0, sizeof(*out));
    out->member = -1;
    for (int i = 0; i < (int)v->n; i++) {
        char why[200];

        if (!wanted(&v->members[i], wish)) {
            continue;
        }
        named++;
        if (refused(v, i, wish, lag_max, why, sizeof(why))) {
            mst_str_addf(&also, "%s%s %s", also.len ? "; " : "", v->members[i].name, why);
        } else if (out->member < 0 || better(v, i, out->member) < 0) {
            out->member = i;
        }
    }
    (void)mst_copy(out->also, sizeof(out->also), mst_str_c(&also));
    mst_str_release(&also);
    if (!named) {
        return mst_err_set(err, MST_E_NOTFOUND, "no member of the set %s is '%s'", v->set_name,
                           wish->name);
    }
    if (out->member < 0) {
        return nobody(v, out->also, err);
    }
    (void)mst_copy(out->name, sizeof(out->name), v->members[out->member].name);
    say_why(v, wish, out);
    return MST_OK;
}
