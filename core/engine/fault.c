/* Faults on request, for tests and drills: MUSTER_FAULT="kill=POINT:N" ends the process as kill -9
 * does at the N-th time it comes by, "stop=POINT:N" as SIGSTOP does (several of each, with commas);
 * "hold=MS" is how long a note in the oplog holds, "hang=list-STORE" makes that store never answer,
 * "ticket=MS" how long a ticket does; "clock=" is in base/clock.c. Nothing happens without it. */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/inner.h"

static const char *wanted(const char *key)
{
    const char *f = getenv("MUSTER_FAULT");
    const char *at = f ? strstr(f, key) : NULL;

    return at ? at + strlen(key) : NULL;
}

#define ITEMS 4 /* of one key */

/* Is it time for one of the items of this key? seen counts for each how often it was come by. */
static bool now(const char *key, const char *point, atomic_int seen[ITEMS])
{
    const char *w = wanted(key);
    const size_t n = strlen(point);
    bool yes = false;

    for (size_t i = 0; w && i < ITEMS; i++) {
        if (strncmp(w, point, n) == 0 && (w[n] == ':' || w[n] == ',' || w[n] == '\0')) {
            yes |= atomic_fetch_add(&seen[i], 1) + 1 ==
                   (w[n] == ':' ? (int)strtol(w + n + 1, NULL, 10) : 1);
        }
        w = strstr(w, key);
        w = w ? w + strlen(key) : NULL;
    }
    return yes;
}

void mst_fault_at(void *arg, const char *point)
{
    static atomic_int kills[ITEMS], stops[ITEMS];

    (void)arg;
    if (now("stop=", point, stops)) {
        (void)raise(SIGSTOP);
    }
    if (now("kill=", point, kills)) {
        (void)kill(getpid(), SIGKILL);
        for (;;) {
            (void)pause();
        }
    }
}

void mst_fault_hang(const char *point, const char *what)
{
    char name[96];
    const char *w = wanted("hang=");

    (void)snprintf(name, sizeof(name), "%s-%s", point, what);
    while (w && strncmp(w, name, strlen(name)) == 0) {
        (void)usleep(100000);
    }
}

enum mst_rc mst_fault_restore(void *arg, const char *point, struct mst_err *err)
{
    (void)err;
    mst_fault_at(arg, point);
    return MST_OK;
}

int64_t mst_fault_hold_ms(void)
{
    const char *w = wanted("hold=");

    return w ? strtoll(w, NULL, 10) : 0;
}

int64_t mst_fault_ticket_ms(void)
{
    const char *w = wanted("ticket=");

    return w ? strtoll(w, NULL, 10) : MST_TICKET_MS;
}
