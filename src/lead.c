/* How a command line of this very muster begins in another shell: the program, and what says which
 * set and which state, when that is not the default. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "cmd.h"

/* A plain name finds the same file by the search path. */
static bool on_path(const char *file, const char *name)
{
    const char *dirs = getenv("PATH");
    struct stat want, got;
    bool same = false;

    if (!dirs || stat(file, &want) != 0) {
        return false;
    }
    for (bool found = false; *dirs && !found;) {
        const size_t n = strcspn(dirs, ":");
        char *path = mst_xasprintf("%.*s/%s", (int)n, n ? dirs : ".", name);

        found = access(path, X_OK) == 0; /* the first one is the one that a shell takes */
        same = found && stat(path, &got) == 0 && got.st_dev == want.st_dev &&
               got.st_ino == want.st_ino;
        free(path);
        dirs += n + (dirs[n] == ':');
    }
    return same;
}

/* The other shell may stand in another directory. */
static void add_path(struct mst_str *out, const char *path)
{
    char *whole = realpath(path, NULL);

    mst_str_add_shell(out, whole ? whole : path);
    free(whole);
}

static void add_program(struct mst_str *out, const char *program)
{
    const char *slash = strrchr(program, '/');

    if (slash && !on_path(program, slash + 1)) {
        add_path(out, program);
    } else {
        mst_str_add_shell(out, slash ? slash + 1 : program);
    }
}

static const char *env(const char *name)
{
    const char *v = getenv(name);

    return v && *v ? v : NULL;
}

void cmd_lead(const struct cmd_ctx *c, struct mst_str *out)
{
    const char *dir = env("MUSTER_DIR"), *password = args_get(&c->args, "password-file");

    if (dir) {
        mst_str_add(out, "MUSTER_DIR=");
        mst_str_add_shell(out, dir);
        mst_str_addc(out, ' ');
    }
    add_program(out, c->program);
    if (c->cfg && c->cfg->path[0] && (args_has(&c->args, "config") || env("MUSTER_CONFIG"))) {
        mst_str_add(out, " --config ");
        mst_str_add_shell(out, c->cfg->path);
    }
    if (c->cfg && c->cfg->uri[0]) {
        mst_str_add(out, " --uri ");
        mst_str_add_shell(out, c->cfg->uri);
    }
    if (password) {
        mst_str_add(out, " --password-file ");
        add_path(out, password);
    }
    if (args_has(&c->args, "no-agent")) {
        mst_str_add(out, " --no-agent");
    }
}
