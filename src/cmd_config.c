/* muster config check|show, and the documents made from tables. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cmd.h"

enum mst_rc cmd_config_check(struct cmd_ctx *c, struct mst_err *err)
{
    const struct mst_cfg_where where = {.config = args_get(&c->args, "config"),
                                        .uri = args_get(&c->args, "uri"),
                                        .password_file = args_get(&c->args, "password-file")};
    struct mst_cfg *cfg = NULL;
    struct mst_str all = {0}, out = {0};
    enum mst_rc rc = mst_cfg_open(&where, &cfg, &all, err);

    if (rc != MST_OK) {
        const char *rest = strchr(mst_str_c(&all), '\n');

        /* The first one is reported as the error; the others stand before it. */
        if (rest && rest[1]) {
            (void)fputs(rest + 1, stderr);
        }
    } else {
        mst_str_addf(&out, "%s: ok, set %s, %zu %s, %zu %s\n", cfg->path[0] ? cfg->path : cfg->uri,
                     cfg->set.label[0] ? cfg->set.label : "(any)", cfg->set.members.n,
                     mst_text_noun(cfg->set.members.n, "seed", "seeds"), cfg->n_stores,
                     mst_text_noun(cfg->n_stores, "store", "stores"));
        rc = cmd_out(mst_str_c(&out), err);
    }
    mst_str_release(&all);
    mst_str_release(&out);
    mst_cfg_free(cfg);
    return rc;
}

enum mst_rc cmd_config_show(struct cmd_ctx *c, struct mst_err *err)
{
    struct mst_str out = {0};
    enum mst_rc rc;

    mst_cfg_show(c->cfg, &out);
    rc = cmd_out(mst_str_c(&out), err);
    mst_str_release(&out);
    return rc;
}

static void doc_errors(struct mst_str *out)
{
    mst_str_add(
        out,
        "# Exit statuses and errors\n\n"
        "Made from the table in `core/base/err.h` by `muster doc errors`; do not edit. A "
        "status never changes\nits meaning once released.\n\n"
        "| status | meaning |\n|---|---|\n"
        "| 0 | done, healthy |\n"
        "| 1 | not healthy, or the server refused the command |\n"
        "| 2 | usage or configuration |\n"
        "| 3 | unreachable, TLS failed, or no answer in time |\n"
        "| 4 | not authorised |\n"
        "| 5 | damaged, or larger than allowed |\n"
        "| 6 | local I/O |\n"
        "| 10 | a guarded act was refused before it began: nothing was changed |\n"
        "| 11 | stopped by whoever asked for it; what was done so far is said |\n"
        "| 12 | given up by itself, and clean: nothing was changed |\n"
        "| 13 | undone: it failed after a change and took it back |\n"
        "| 14 | another member won the election than was asked for |\n"
        "| 15 | incomplete: some of it was done, the result says what |\n"
        "| 16 | unknown: a reply was lost; look before you act again |\n"
        "| 17 | another act holds the lock of this set: it is named |\n"
        "| 18 | the facts moved since the plan was made, the agent is of another version, or the "
        "note in the oplog could not be renewed |\n"
        "| 70 | a bug of muster |\n\n"
        "| error | status | may be tried again | what to do |\n|---|---|---|---|\n");
    for (int rc = MST_OK + 1; rc < MST_RC_COUNT; rc++) {
        mst_str_addf(out, "| %s | %d | %s | %s |\n", mst_rc_name((enum mst_rc)rc),
                     mst_rc_exit((enum mst_rc)rc), mst_rc_retryable((enum mst_rc)rc) ? "yes" : "no",
                     mst_rc_hint((enum mst_rc)rc));
    }
}

enum mst_rc cmd_doc(struct cmd_ctx *c, struct mst_err *err)
{
    struct mst_str out = {0};
    enum mst_rc rc = MST_OK;

    if (strcmp(c->args.operands[0], "configuration") == 0) {
        mst_cfg_doc(&out);
    } else if (strcmp(c->args.operands[0], "errors") == 0) {
        doc_errors(&out);
    } else {
        rc = mst_err_set(err, MST_E_USAGE, "no document %s: configuration, errors",
                         c->args.operands[0]);
    }
    if (rc == MST_OK) {
        rc = cmd_out(mst_str_c(&out), err);
    }
    mst_str_release(&out);
    return rc;
}
