/* follow.h: a job on the command line, from its start to its end. */
#ifndef CMD_FOLLOW_H
#define CMD_FOLLOW_H

#include "cmd.h"
#include "show.h"

enum show_form cmd_form(const struct cmd_ctx *c);
/* Wait for a newer view, a signal, or ms; false after a signal. */
bool cmd_wait(struct mst_engine *e, int64_t ms);
/* The first view in which every member was asked, or the one after three seconds. */
const struct mst_view *cmd_first_facts(struct mst_engine *e);
/* v, or a newer view once the store was read, or failed to be, within two seconds. */
const struct mst_view *cmd_store_facts(struct mst_engine *e, const struct mst_view *v);
/* Print progress until the job has ended: a bar on a terminal, lines on a pipe, objects with
 * --json. A signal cancels a job of this process, and leaves one of an agent running. The exit
 * status is the job's. */
enum mst_rc cmd_follow(struct cmd_ctx *c, struct mst_engine *e, uint64_t job,
                       struct mst_err *err) MST_MUST_CHECK;
/* What a plan must be, beside not refused; all may be NULL. */
struct cmd_expect {
    const char *plan_out; /* write the plan there and stop */
    const char *hash;     /* of the plan that was looked at: another one is MST_E_STALE */
    const char *code;     /* says the phrase */
};
enum mst_rc cmd_guarded_plan(struct cmd_ctx *c, const struct mst_cmd *cmd,
                             const struct cmd_expect *want, struct mst_err *err) MST_MUST_CHECK;
/* Prepare, show, ask for the phrase (--confirm, or on the terminal), commit, follow. */
enum mst_rc cmd_guarded(struct cmd_ctx *c, const struct mst_cmd *cmd,
                        struct mst_err *err) MST_MUST_CHECK;

/* A view whose stores (or the named one alone; NULL or "": all) were asked for after the call; *out
 * may be set with an error too: that of the first store that was not read. */
enum mst_rc cmd_fresh_stores(const struct cmd_ctx *c, struct mst_engine *e, const char *store,
                             const struct mst_view **out, struct mst_err *err) MST_MUST_CHECK;
/* Is there such a store? name "" or NULL: any. */
enum mst_rc cmd_store_named(const struct cmd_ctx *c, const char *name,
                            struct mst_err *err) MST_MUST_CHECK;

#endif
