/* probe_own.h: shared by the files of the probe. */
#ifndef MST_STORE_PROBE_OWN_H
#define MST_STORE_PROBE_OWN_H

#include "store/probe.h"

struct probe {
    struct mst_store *s;
    const struct mst_probe_opts *o;
    struct mst_task *task;
    struct mst_probe_result *res;
    char small[MST_KEY_MAX], large[MST_KEY_MAX], locked[MST_KEY_MAX];
    unsigned char *data; /* CHUNK */
    bool deletes_versions;
    bool unknown; /* what the store can do could not be asked */
    struct mst_err first;
};

bool probe_passed(struct probe *p, const char *what, const char *text);
bool probe_failed(struct probe *p, const char *what, const struct mst_err *err);
bool probe_check(struct probe *p, const char *what, enum mst_rc rc, struct mst_err *err,
                 const char *text);
bool probe_other(struct probe *p, const char *what, const char *why);
void probe_open(struct probe *p, const char *what, const char *why);
void probe_cannot(struct probe *p, const char *what, const char *why);
void probe_warn(struct probe *p, const char *what, const char *text);
void probe_left(struct probe *p, const char *key, int64_t until_ms);

/* ---- probe_more.c ---- */
/* The store is asked what it can do, unless a write has done that already. */
void probe_learn(struct probe *p);
/* The store itself does not refuse a name that is taken: said, with what muster makes of it. */
bool probe_overwrites(struct probe *p);
void probe_tags(struct probe *p);
void probe_keeps(struct probe *p); /* versions and locks */
void probe_privileges(struct probe *p);
/* What the test wrote, for good, where the key may do that. */
void probe_versions_away(struct probe *p);

#endif
