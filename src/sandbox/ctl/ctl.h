/* ctl.h: what is done to the sandbox from outside: verbs, and a unix socket that takes them.
 *
 * Protocol: one line of words to the socket, then "ok" or "error" in the first line of the answer,
 * text behind it, end of file. Words have no blanks.
 */
#ifndef SBX_CTL_CTL_H
#define SBX_CTL_CTL_H

#include "base/err.h"
#include "base/str.h"

#define SBX_CTL_WORDS 8
#define SBX_CTL_FILE "ctl.sock"
#define SBX_CTL_VERBS \
    "kill, start, stop, cont, partition, oneway, heal, lag, slow, catchup, freeze, disk, drop, " \
    "status"

struct sbx_world;
struct sbx_ctl;

/* words[0] is one of SBX_CTL_VERBS. Members are named by index, port or host:port. MST_E_USAGE
 * names a wrong verb, number of words or member; MST_E_PRECOND says why a verb makes no sense now.
 * Text for people goes to out. */
enum mst_rc sbx_ctl_verb(struct sbx_world *w, const char *const *words, size_t n,
                         struct mst_str *out, struct mst_err *err) MST_MUST_CHECK;

typedef enum mst_rc sbx_ctl_fn(void *arg, const char *const *words, size_t n, struct mst_str *out,
                               struct mst_err *err);
/* Serve verbs on a socket in a folder of ours (removed when closed). A socket that nobody serves
 * any more is replaced; MST_E_BUSY when somebody does. */
enum mst_rc sbx_ctl_open(const char *path, sbx_ctl_fn *fn, void *arg, struct sbx_ctl **out,
                         struct mst_err *err) MST_MUST_CHECK;
void sbx_ctl_close(struct sbx_ctl *c);
/* Ask a running sandbox. MST_E_NET: none answers at this path. */
enum mst_rc sbx_ctl_ask(const char *path, const char *const *words, size_t n, struct mst_str *out,
                        struct mst_err *err) MST_MUST_CHECK;

#endif
