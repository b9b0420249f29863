/* forows.h: tables of cases for the machine of a switch. */
#ifndef FOROWS_H
#define FOROWS_H

#include <string.h>

#include "fosim.h"

struct row {
    const char *name;
    void (*plan)(struct fs_sim *s);
    enum mst_fo_exit exit;
    enum mst_fo_state through; /* it was in this state, */
    enum mst_fo_state never;   /* and never in this */
    const char *text;          /* is said at the end; NULL anything */
    enum mst_fo_cert cert;
};
#define ANY MST_FO_STATES

static inline void run_rows(struct fs_sim *s, const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct row *r = &rows[i];

        fs_init(s, 3);
        r->plan(s);
        fs_run(s);
        fs_must(s, r->exit, r->name);
        if ((r->through != ANY && !s->was[r->through]) || (r->never != ANY && s->was[r->never])) {
            fs_trace(s);
            fail_msg("%s: went another way", r->name);
        }
        if (r->text != NULL && strstr(s->f.text, r->text) == NULL) {
            fail_msg("%s: '%s' lacks '%s'", r->name, s->f.text, r->text);
        }
        if (r->cert != s->f.cert) {
            fs_trace(s);
            fail_msg("%s: certificate %d, wanted %d: %s", r->name, (int)s->f.cert, (int)r->cert,
                     s->f.cert_why);
        }
    }
}

#endif
