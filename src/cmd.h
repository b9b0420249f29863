/* cmd.h: what every command gets, and the table they stand in. */
#ifndef CMD_CMD_H
#define CMD_CMD_H

#include <stdbool.h>

#include "args.h"
#include "base/err.h"
#include "base/str.h"
#include "cfg/cfg.h"
#include "engine/engine.h"

struct cmd;

struct cmd_ctx {
    const struct cmd *cmd;
    const char *program; /* argv[0] */
    struct args args;
    struct mst_cfg *cfg; /* with CMD_CONFIG */
    bool json, plain, color;
    bool tty;        /* stdout is a terminal */
    bool agent;      /* the engine is behind a socket */
    int exit_status; /* a command that was carried out may still say "not healthy" */
};

typedef enum mst_rc cmd_fn(struct cmd_ctx *c, struct mst_err *err);

enum {
    CMD_CONFIG = 1, /* the configuration is read before it runs */
    CMD_HIDDEN = 2, /* not in the list */
    CMD_JSON = 4,   /* knows --json */
    CMD_AGENT = 16, /* starts an agent when none runs: its work outlives the terminal */
    CMD_PLAIN = 8,  /* knows --plain */
    CMD_BRIEF = 32  /* in the list by its name only */
};

struct cmd {
    const char *name; /* one or two words */
    cmd_fn *fn;
    int (*raw)(int argc, char **argv); /* takes the rest of the command line as it is */
    unsigned flags;
    size_t min_operands, max_operands;
    const char *operands; /* "BACKUP" */
    const struct arg_spec *opts;
    const char *summary;
    const char *help; /* more lines, or NULL */
};

const struct cmd *cmd_table(size_t *n);

/* Names of the commands' functions; one file of src each. */
enum mst_rc cmd_config_check(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_config_show(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_console(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_status(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_topology(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_watch(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_observe(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_events(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_backup(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_verify(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_bucket_ls(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_bucket_show(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_catalog_rebuild(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_restore(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_discard(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_recover(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_release_ttl(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_clean(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_import(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_switchover(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_stepdown(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_failback(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_apply(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_jobs(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_jobs_cancel(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_jobs_log(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_agent(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_agent_stop(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_agent_status(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_roles(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_key_new(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_key_list(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_key_show(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_key_check(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_key_add(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_key_remove(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_key_rotate(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_key_escrow(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_audit_verify(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_store_list(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_store_show(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_store_test(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_store_ls(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_store_du(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_store_usage(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_store_orphans(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_store_thaw(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_copy(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_hold(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_release(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_doc(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_export(struct cmd_ctx *c, struct mst_err *err);
enum mst_rc cmd_open(struct cmd_ctx *c, struct mst_err *err);

/* The engine that this command uses: in this process, or an agent. */
enum mst_rc cmd_engine(struct cmd_ctx *c, struct mst_engine **out,
                       struct mst_err *err) MST_MUST_CHECK;
/* Start an agent for this configuration that outlives us; MST_OK when it listens. */
enum mst_rc cmd_agent_start(const struct cmd_ctx *c, struct mst_err *err) MST_MUST_CHECK;
/* Ask on the terminal with the echo off. */
enum mst_rc cmd_ask(void *arg, const char *what, struct mst_secret *s, struct mst_err *err);
/* How a command line that means this set begins in another shell: "MUSTER_DIR=/srv/m muster
 * --config /etc/rs0.conf", quoted; "muster" by default. */
void cmd_lead(const struct cmd_ctx *c, struct mst_str *out);
/* Whole text to stdout; MST_E_IO when it cannot be written. */
enum mst_rc cmd_out(const char *text, struct mst_err *err) MST_MUST_CHECK;
/* First termination signal (SIGINT, SIGTERM, SIGHUP) or 0; cmd_signal_fd is readable then. */
int cmd_signal(void);
int cmd_signal_fd(void);

#endif
