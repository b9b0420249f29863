#include "world/hooks.h"

#define HOOKS_MAX 8

static const struct sbx_hooks *hooks[HOOKS_MAX];
static size_t n_hooks;

void sbx_hook(const struct sbx_hooks *h)
{
    for (size_t i = 0; i < n_hooks; i++) {
        if (hooks[i] == h) {
            return;
        }
    }
    MST_ASSERT(n_hooks < HOOKS_MAX);
    hooks[n_hooks++] = h;
}

#define EACH(fn, ...) \
    for (size_t i_ = 0; i_ < n_hooks; i_++) { \
        if (hooks[i_]->fn != NULL) { \
            hooks[i_]->fn(__VA_ARGS__); \
        } \
    }

#define ALL(fn, ...) \
    for (size_t i_ = 0; i_ < n_hooks; i_++) { \
        if (hooks[i_]->fn != NULL && !hooks[i_]->fn(__VA_ARGS__)) { \
            return false; \
        } \
    } \
    return true;

bool sbx_hooks_accept(struct sbx_conn *conn)
{
    ALL(accept, conn)
}

void sbx_hooks_opened(struct sbx_conn *conn)
{
    EACH(opened, conn)
}

void sbx_hooks_closed(struct sbx_conn *conn)
{
    EACH(closed, conn)
}

bool sbx_hooks_allow(struct sbx_call *c, const struct sbx_cmd *cmd)
{
    ALL(allow, c, cmd)
}

bool sbx_hooks_begin(struct sbx_call *c, const struct sbx_cmd *cmd)
{
    ALL(begin, c, cmd)
}

void sbx_hooks_end(struct sbx_call *c, const struct sbx_cmd *cmd)
{
    EACH(end, c, cmd)
}

void sbx_hooks_hello(struct sbx_call *c)
{
    EACH(hello, c)
}

void sbx_hooks_stepped(struct sbx_member *m)
{
    EACH(stepped, m)
}

void sbx_hooks_leaving(struct sbx_member *m)
{
    EACH(leaving, m)
}

void sbx_hooks_died(struct sbx_member *m)
{
    EACH(died, m)
}

void sbx_hooks_tick(struct sbx_member *m, int64_t now)
{
    EACH(tick, m, now)
}
