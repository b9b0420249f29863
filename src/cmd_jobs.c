/* muster jobs, jobs cancel, jobs log, audit verify. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "follow.h"

static enum mst_rc job_id(const struct cmd_ctx *c, uint64_t *out, struct mst_err *err)
{
    char *end;

    *out = strtoull(c->args.operands[0], &end, 10);
    return *end || *out == 0 || c->args.operands[0][0] == '-'
               ? mst_err_set(err, MST_E_USAGE, "%s is no job's number", c->args.operands[0])
               : MST_OK;
}

enum mst_rc cmd_jobs(struct cmd_ctx *c, struct mst_err *err)
{
    struct mst_engine *e = NULL;
    const struct mst_view *v;
    struct mst_str out = {0};
    enum mst_rc rc = cmd_engine(c, &e, err);

    if (rc != MST_OK) {
        return rc;
    }
    v = mst_engine_view(e);
    for (size_t i = 0; i < v->jobs->n; i++) {
        show_job(&v->jobs->jobs[i], v->now_wall_ms, c->json ? SHOW_JSON : SHOW_PLAIN, &out);
    }
    if (v->jobs->n == 0 && !c->json) {
        mst_str_add(&out, "no jobs yet\n");
    }
    rc = cmd_out(mst_str_c(&out), err);
    mst_str_release(&out);
    mst_view_release(v);
    mst_engine_close(e);
    return rc;
}

enum mst_rc cmd_jobs_cancel(struct cmd_ctx *c, struct mst_err *err)
{
    struct mst_cmd cmd = {.kind = MST_CMD_CANCEL};
    struct mst_engine *e = NULL;
    uint64_t none;
    enum mst_rc rc = job_id(c, &cmd.job, err);

    if (rc == MST_OK) {
        rc = cmd_engine(c, &e, err);
    }
    if (rc == MST_OK) {
        rc = mst_engine_submit(e, &cmd, &none, err);
    }
    mst_engine_close(e);
    return rc;
}

enum mst_rc cmd_jobs_log(struct cmd_ctx *c, struct mst_err *err)
{
    struct mst_engine *e = NULL;
    const struct mst_view *v;
    struct mst_str out = {0};
    uint64_t id;
    bool found = false;
    enum mst_rc rc = job_id(c, &id, err);

    if (rc == MST_OK) {
        rc = cmd_engine(c, &e, err);
    }
    if (rc != MST_OK) {
        return rc;
    }
    v = mst_engine_view(e);
    for (size_t i = 0; i < v->jobs->n; i++) {
        const struct mst_job *j = &v->jobs->jobs[i];

        if (j->id == id) {
            found = true;
            for (size_t n = 0; n < j->n_log; n++) {
                mst_str_addf(&out, "%s\n", j->log[n]);
            }
            show_job(j, v->now_wall_ms, SHOW_PLAIN, &out);
        }
    }
    rc = found ? cmd_out(mst_str_c(&out), err)
               : mst_err_set(err, MST_E_NOTFOUND, "there is no job %llu among the newest",
                             (unsigned long long)id);
    mst_str_release(&out);
    mst_view_release(v);
    mst_engine_close(e);
    return rc;
}

enum mst_rc cmd_audit_verify(struct cmd_ctx *c, struct mst_err *err)
{
    struct mst_str out = {0};
    enum mst_rc rc = mst_engine_audit_verify(c->cfg, &out, err);

    if (rc == MST_OK) {
        rc = cmd_out(mst_str_c(&out), err);
    }
    mst_str_release(&out);
    return rc;
}
