#include "base/credential.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static const char scheme[] = "credential:";

bool mst_credential_is(const char *named)
{
    return strncmp(named, scheme, sizeof(scheme) - 1) == 0;
}

enum mst_rc mst_credential_path(const char *named, char out[MST_CREDENTIAL_PATH],
                                struct mst_err *err)
{
    const char *name = named + sizeof(scheme) - 1, *dir = getenv("CREDENTIALS_DIRECTORY");

    if (!mst_credential_is(named)) {
        return mst_copy(out, MST_CREDENTIAL_PATH, named)
                   ? MST_OK
                   : mst_err_set(err, MST_E_CONFIG, "the path of a secret file is too long");
    }
    if (!*name || strchr(name, '/') || name[0] == '.') {
        return mst_err_set(err, MST_E_CONFIG,
                           "%.100s names no credential: it must be like credential:NAME, as in "
                           "LoadCredential=NAME:...",
                           named);
    }
    if (!dir || dir[0] != '/') {
        return mst_err_set(
            err, MST_E_CONFIG,
            "%.100s is only there for a service: this process was started without "
            "CREDENTIALS_DIRECTORY; let the agent be a unit with LoadCredential=%.60s",
            named, name);
    }
    if ((size_t)snprintf(out, MST_CREDENTIAL_PATH, "%s/%s", dir, name) >= MST_CREDENTIAL_PATH) {
        return mst_err_set(err, MST_E_CONFIG, "the path of %.100s is too long", named);
    }
    return MST_OK;
}

bool mst_credential_private(const char *named, const struct stat *st)
{
    const mode_t may = mst_credential_is(named) && st->st_uid == 0 ? S_IRGRP : 0;

    return (st->st_mode & 077 & ~may) == 0;
}
