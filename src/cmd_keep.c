/* muster backup, verify, restore, import, clean. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "follow.h"
#include "work.h"

static enum mst_rc patterns(const struct cmd_ctx *c, const char *option, char (*out)[160],
                            size_t *n, struct mst_err *err)
{
    const char *v;

    for (*n = 0; (v = args_nth(&c->args, option, *n)) != NULL; (*n)++) {
        if (*n == MST_CMD_PATTERNS) {
            return mst_err_set(err, MST_E_USAGE, "--%s is given more than %d times", option,
                               MST_CMD_PATTERNS);
        }
        if (!mst_copy(out[*n], sizeof(out[0]), v)) {
            return mst_err_set(err, MST_E_USAGE, "--%s %s is too long", option, v);
        }
    }
    return MST_OK;
}

/* Options that several acts share. */
static enum mst_rc fill(const struct cmd_ctx *c, struct mst_cmd *cmd, struct mst_err *err)
{
    const char *to = args_get(&c->args, "to"), *reason = args_get(&c->args, "reason");
    const char *store = args_get(&c->args, "store");
    enum mst_rc rc = patterns(c, "include", cmd->include, &cmd->n_include, err);

    if (rc == MST_OK) {
        rc = patterns(c, "exclude", cmd->exclude, &cmd->n_exclude, err);
    }
    if (rc == MST_OK) {
        rc = args_size(&c->args, "rate", &cmd->rate_bps, err);
    }
    if (rc == MST_OK && to && mst_cfg_uri_has_password(to)) {
        rc = mst_err_set(err, MST_E_USAGE,
                         "the URI holds a password: take it out and name it in the configuration "
                         "(set.credentials.restore)");
    }
    if (rc == MST_OK && to && !mst_copy(cmd->target_uri, sizeof(cmd->target_uri), to)) {
        rc = mst_err_set(err, MST_E_USAGE, "--to is too long");
    }
    if (rc == MST_OK && store) {
        rc = cmd_store_named(c, store, err);
        (void)mst_copy(cmd->store, sizeof(cmd->store), store);
    }
    if (reason) {
        (void)mst_copy(cmd->reason, sizeof(cmd->reason), reason);
        mst_text_sanitise(cmd->reason);
    }
    cmd->dry_run = args_has(&c->args, "dry-run");
    return rc == MST_OK ? cmd_as_of(c, &cmd->as_of_ms, err) : rc;
}

static enum mst_rc submit_and_follow(struct cmd_ctx *c, const struct mst_cmd *cmd,
                                     struct mst_err *err)
{
    struct mst_engine *e = NULL;
    uint64_t job = 0;
    enum mst_rc rc = cmd_engine(c, &e, err);

    if (rc == MST_OK && cmd->kind == MST_CMD_BACKUP) {
        mst_view_release(cmd_first_facts(e)); /* the source is chosen from them */
    }
    if (rc == MST_OK) {
        rc = mst_engine_submit(e, cmd, &job, err);
    }
    if (rc == MST_OK) {
        rc = cmd_follow(c, e, job, err);
    }
    mst_engine_close(e);
    return rc;
}

enum mst_rc cmd_backup(struct cmd_ctx *c, struct mst_err *err)
{
    struct mst_cmd *cmd = mst_xcalloc(1, sizeof(*cmd));
    const char *source = args_get(&c->args, "source");
    int64_t scans;
    enum mst_rc rc = fill(c, cmd, err);

    cmd->kind = MST_CMD_BACKUP;
    cmd->from_primary = args_has(&c->args, "from-primary");
    if (rc == MST_OK) {
        rc = args_number(&c->args, "scans", 1, 16, 0, &scans, err);
    }
    if (rc == MST_OK) {
        cmd->scans = (unsigned)scans;
        (void)mst_copy(cmd->source, sizeof(cmd->source), source ? source : "");
        rc = submit_and_follow(c, cmd, err);
    }
    free(cmd);
    return rc;
}

static enum mst_rc of_backup(struct cmd_ctx *c, enum mst_cmd_kind kind, bool guarded,
                             struct mst_err *err)
{
    struct mst_cmd *cmd = mst_xcalloc(1, sizeof(*cmd));
    const char *id = c->args.n_operands > 0 ? c->args.operands[0] : "latest";
    enum mst_rc rc = fill(c, cmd, err);

    cmd->kind = kind;
    if (rc == MST_OK && !mst_copy(cmd->backup, sizeof(cmd->backup), id)) {
        rc = mst_err_set(err, MST_E_USAGE, "%s is no backup's id", id);
    }
    if (rc == MST_OK) {
        rc = guarded ? cmd_guarded(c, cmd, err) : submit_and_follow(c, cmd, err);
    }
    free(cmd);
    return rc;
}

enum mst_rc cmd_verify(struct cmd_ctx *c, struct mst_err *err)
{
    return of_backup(c, MST_CMD_VERIFY, false, err);
}

enum mst_rc cmd_restore(struct cmd_ctx *c, struct mst_err *err)
{
    return of_backup(c, MST_CMD_RESTORE, true, err);
}

enum mst_rc cmd_discard(struct cmd_ctx *c, struct mst_err *err)
{
    return of_backup(c, MST_CMD_DISCARD, true, err);
}

enum mst_rc cmd_recover(struct cmd_ctx *c, struct mst_err *err)
{
    return of_backup(c, MST_CMD_RECOVER, false, err);
}

enum mst_rc cmd_release_ttl(struct cmd_ctx *c, struct mst_err *err)
{
    return of_backup(c, MST_CMD_RELEASE_TTL, true, err);
}

enum mst_rc cmd_clean(struct cmd_ctx *c, struct mst_err *err)
{
    return of_backup(c, MST_CMD_CLEAN, true, err);
}

enum mst_rc cmd_import(struct cmd_ctx *c, struct mst_err *err)
{
    struct mst_cmd *cmd = mst_xcalloc(1, sizeof(*cmd));
    const char *path = c->args.operands[0];
    char cwd[512] = "";
    enum mst_rc rc = fill(c, cmd, err);

    cmd->kind = MST_CMD_IMPORT;
    /* The agent has another working directory. */
    if (rc == MST_OK && *path != '/' && !getcwd(cwd, sizeof(cwd))) {
        rc = mst_err_set(err, MST_E_USAGE, "the current directory has no name");
    }
    if (rc == MST_OK && (size_t)snprintf(cmd->path, sizeof(cmd->path), "%s%s%s", cwd,
                                         cwd[0] ? "/" : "", path) >= sizeof(cmd->path)) {
        rc = mst_err_set(err, MST_E_USAGE, "%s is too long", path);
    }
    if (rc == MST_OK) {
        rc = cmd_guarded(c, cmd, err);
    }
    free(cmd);
    return rc;
}
