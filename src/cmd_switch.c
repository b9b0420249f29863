/* muster switchover, stepdown, failback, apply. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "follow.h"

#define PLAN_MAX (256 * 1024)

static enum mst_rc after(const struct cmd_ctx *c, struct mst_cmd *cmd, struct mst_err *err)
{
    static const char *const words[] = {"refuse", "visit", "stay"};
    const char *v = args_get(&c->args, "after");

    for (size_t i = 0; v && i < MST_COUNT(words); i++) {
        if (strcmp(v, words[i]) == 0) {
            cmd->after = (enum mst_cmd_after)i;
            return MST_OK;
        }
    }
    return v ? mst_err_set(err, MST_E_USAGE, "--after %s: it is refuse, visit or stay", v) : MST_OK;
}

static enum mst_rc fill(const struct cmd_ctx *c, struct mst_cmd *cmd, struct mst_err *err)
{
    const char *to = args_get(&c->args, "to"), *reason = args_get(&c->args, "reason"), *v;
    enum mst_rc rc = after(c, cmd, err);

    cmd->dry_run = args_has(&c->args, "dry-run");
    if (rc == MST_OK && to && !mst_copy(cmd->member, sizeof(cmd->member), to)) {
        rc = mst_err_set(err, MST_E_USAGE, "--to is too long");
    }
    mst_text_sanitise(cmd->member);
    if (reason) {
        (void)mst_copy(cmd->reason, sizeof(cmd->reason), reason);
        mst_text_sanitise(cmd->reason);
    }
    for (size_t i = 0; rc == MST_OK && (v = args_nth(&c->args, "override", i)) != NULL; i++) {
        if (i == MST_CMD_OVERRIDES) {
            rc = mst_err_set(err, MST_E_USAGE,
                             "--override is given more than %d times: that many "
                             "doubts are no time for a switch",
                             MST_CMD_OVERRIDES - 1);
        } else if (!mst_copy(cmd->overrides[i], sizeof(cmd->overrides[i]), v)) {
            rc = mst_err_set(err, MST_E_USAGE, "--override %.40s... is too long", v);
        } else {
            mst_text_sanitise(cmd->overrides[i]);
            cmd->n_overrides = i + 1;
        }
    }
    return rc;
}

static enum mst_rc guarded(struct cmd_ctx *c, enum mst_cmd_kind kind, struct mst_err *err)
{
    struct mst_cmd *cmd = mst_xcalloc(1, sizeof(*cmd));
    const struct cmd_expect e = {.plan_out = args_get(&c->args, "plan-out")};
    enum mst_rc rc = fill(c, cmd, err);

    cmd->kind = kind;
    if (rc == MST_OK && kind == MST_CMD_SWITCHOVER && !cmd->member[0]) {
        rc = mst_err_set(err, MST_E_USAGE, "name the new primary: --to MEMBER");
    }
    if (rc == MST_OK && kind == MST_CMD_FAILBACK &&
        !mst_copy(cmd->backup, sizeof(cmd->backup),
                  c->args.n_operands > 0 ? c->args.operands[0] : "latest")) {
        rc = mst_err_set(err, MST_E_USAGE, "that is no switch's name");
    }
    if (rc == MST_OK) {
        rc = cmd_guarded_plan(c, cmd, &e, err);
    }
    free(cmd);
    return rc;
}

enum mst_rc cmd_switchover(struct cmd_ctx *c, struct mst_err *err)
{
    return guarded(c, MST_CMD_SWITCHOVER, err);
}

enum mst_rc cmd_stepdown(struct cmd_ctx *c, struct mst_err *err)
{
    return guarded(c, MST_CMD_STEPDOWN, err);
}

enum mst_rc cmd_failback(struct cmd_ctx *c, struct mst_err *err)
{
    return guarded(c, MST_CMD_FAILBACK, err);
}

enum mst_rc cmd_apply(struct cmd_ctx *c, struct mst_err *err)
{
    const char *path = args_get(&c->args, "plan"), *code = args_get(&c->args, "code");
    struct mst_cmd *cmd = mst_xcalloc(1, sizeof(*cmd));
    struct mst_buf json = {0};
    char hash[17], right[8];
    struct cmd_expect e = {.hash = hash, .code = code};
    enum mst_rc rc = MST_OK;

    if (!path || !code) {
        rc = mst_err_set(err, MST_E_USAGE, "apply needs --plan FILE and --code CODE");
    }
    if (rc == MST_OK) {
        rc = mst_file_read(path, PLAN_MAX, &json, err);
    }
    if (rc == MST_OK) {
        rc = mst_engine_plan_read((const char *)json.p, json.len, cmd, hash, right, err);
        if (rc != MST_OK) {
            mst_err_prefix(err, "%s", path);
        }
    }
    if (rc == MST_OK && strcmp(right, code) != 0) {
        rc = mst_err_set(err, MST_E_PRECOND, "the code of %s is not %s: look at the plan again",
                         path, code);
    }
    if (rc == MST_OK) {
        rc = cmd_guarded_plan(c, cmd, &e, err);
    }
    mst_buf_release(&json);
    free(cmd);
    return rc;
}
