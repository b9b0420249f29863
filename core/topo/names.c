#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "topo/derive.h"

const char *mst_mstate_name(enum mst_mstate s)
{
    switch (s) {
    case MST_MS_STARTUP:
        return "STARTUP";
    case MST_MS_PRIMARY:
        return "PRIMARY";
    case MST_MS_SECONDARY:
        return "SECONDARY";
    case MST_MS_RECOVERING:
        return "RECOVERING";
    case MST_MS_STARTUP2:
        return "STARTUP2";
    case MST_MS_ARBITER:
        return "ARBITER";
    case MST_MS_DOWN:
        return "DOWN";
    case MST_MS_ROLLBACK:
        return "ROLLBACK";
    case MST_MS_REMOVED:
        return "REMOVED";
    case MST_MS_UNKNOWN:
    default:
        return "UNKNOWN";
    }
}

const char *mst_reach_word(enum mst_reach r)
{
    switch (r) {
    case MST_REACH_OK:
        return "ok";
    case MST_REACH_SILENT:
        return "silent";
    case MST_REACH_REFUSED:
        return "refused";
    case MST_REACH_TLS:
        return "TLS failed";
    case MST_REACH_HOSTNAME:
        return "wrong name";
    case MST_REACH_AUTH:
        return "login failed";
    case MST_REACH_WRONG_MEMBER:
        return "wrong member";
    case MST_REACH_WRONG_SET:
        return "wrong set";
    case MST_REACH_NOT_REPLSET:
        return "no set";
    case MST_REACH_MONGOS:
        return "mongos";
    case MST_REACH_UNINIT:
        return "no config";
    case MST_REACH_PROTOCOL:
        return "not MongoDB";
    case MST_REACH_NEVER:
    default:
        return "connecting";
    }
}

const char *mst_shown_word(enum mst_shown s)
{
    switch (s) {
    case MST_SHOW_PRIMARY:
        return "PRIMARY";
    case MST_SHOW_PRIMARY_NO_MAJORITY:
        return "NO MAJORITY";
    case MST_SHOW_ELECT:
        return "ELECT";
    case MST_SHOW_LEAVING:
        return "LEAVING";
    case MST_SHOW_SECONDARY:
        return "SECONDARY";
    case MST_SHOW_ARBITER:
        return "ARBITER";
    case MST_SHOW_RECOVERING:
        return "RECOVERING";
    case MST_SHOW_STARTUP:
        return "STARTUP";
    case MST_SHOW_ROLLBACK:
        return "ROLLBACK";
    case MST_SHOW_REMOVED:
        return "REMOVED";
    case MST_SHOW_SILENT:
        return "SILENT";
    case MST_SHOW_DOWN:
        return "DOWN";
    case MST_SHOW_UNREACHABLE:
        return "UNREACHABLE";
    case MST_SHOW_UNKNOWN:
    default:
        return "UNKNOWN";
    }
}

const char *mst_verdict_word(enum mst_verdict v)
{
    switch (v) {
    case MST_V_HEALTHY:
        return "HEALTHY";
    case MST_V_DEGRADED:
        return "DEGRADED";
    case MST_V_NO_MAJORITY:
        return "NO MAJORITY";
    case MST_V_NO_PRIMARY:
        return "NO PRIMARY";
    case MST_V_UNREACHABLE:
        return "UNREACHABLE";
    case MST_V_WRONG_SET:
        return "WRONG SET";
    case MST_V_AUTH:
        return "LOGIN FAILED";
    case MST_V_TLS:
        return "TLS FAILED";
    case MST_V_HOSTNAME:
        return "WRONG HOST NAME";
    case MST_V_WRONG_MEMBER:
        return "WRONG MEMBER";
    case MST_V_NOT_REPLSET:
        return "NOT A REPLICA SET";
    case MST_V_MONGOS:
        return "MONGOS";
    case MST_V_STARTING:
    default:
        return "STARTING";
    }
}

void mst_topo_view_release(struct mst_topo_view *v)
{
    if (v) {
        free(v->members);
        free(v->events);
        v->members = NULL;
        v->events = NULL;
        v->n = 0;
        v->n_events = 0;
    }
}

int mst_topo_find(const struct mst_topo_view *v, const char *name)
{
    for (size_t i = 0; i < v->n; i++) {
        if (strcasecmp(v->members[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

void mst_topo_put(char *out, size_t size, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(out, size, fmt, ap);
    va_end(ap);
}
