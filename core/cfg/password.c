/* A password comes from a file, from a program that prints it, or from who sits at the terminal. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cfg/cfg.h"
#include "cfg/program.h"
#include "log/log.h"

#define OUTPUT_MAX ((size_t)64 * 1024)

enum mst_rc mst_cfg_command(const struct mst_cfg_list *cmd, const char *what,
                            struct mst_secret *out, struct mst_err *err)
{
    char *buf = mst_xmalloc(OUTPUT_MAX), *end;
    size_t len = 0, n = 0;
    enum mst_rc rc = mst_cfg_run(cmd, what, NULL, 0, buf, OUTPUT_MAX, &len, err);

    if (rc == MST_OK) {
        end = memchr(buf, '\n', len);
        n = end ? (size_t)(end - buf) : len;
        if (n == 0 || n > MST_SECRET_MAX) {
            rc = mst_err_set(err, MST_E_AUTH, "the %s %s printed %s first line", what, cmd->item[0],
                             n ? "too long a" : "an empty");
        } else {
            mst_secret_set(out, buf, n);
        }
    }
    mst_wipe(buf, OUTPUT_MAX);
    free(buf);
    return rc;
}

static enum mst_rc read_password(const struct mst_cfg_cred *cred, enum mst_cred_act act,
                                 mst_cfg_ask_fn *ask, void *arg, struct mst_secret *out,
                                 struct mst_err *err)
{
    char what[400];

    if (strcmp(cred->mechanism, "MONGODB-X509") == 0) {
        return MST_OK;
    }
    if (cred->password_file[0]) {
        return mst_secret_from_file(out, cred->password_file, err);
    }
    if (cred->password_command.n > 0) {
        return mst_cfg_command(&cred->password_command, "password command", out, err);
    }
    (void)snprintf(what, sizeof(what), "password of %s (%s)", cred->user, mst_cred_act_word(act));
    if (!ask) {
        return mst_err_set(err, MST_E_AUTH,
                           "the %s is asked on a terminal and there is none: use password_file or "
                           "password_command",
                           what);
    }
    return ask(arg, what, out, err);
}

enum mst_rc mst_cfg_password(const struct mst_cfg_cred *cred, enum mst_cred_act act,
                             mst_cfg_ask_fn *ask, void *arg, struct mst_secret *out,
                             struct mst_err *err)
{
    const enum mst_rc rc = read_password(cred, act, ask, arg, out, err);

    if (rc == MST_OK) {
        mst_log_redact(out); /* from here on no line shows it */
    }
    return rc;
}
