/* place.c: where a dump gets its name. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "restore/export/writer.h"

enum mst_rc mst_dump_place_open(struct mst_dump_place *p, const char *path, struct mst_err *err)
{
    char *copy = mst_xstrdup(path), *slash;
    size_t n = strlen(copy);
    enum mst_rc rc = MST_OK;

    p->path = path;
    while (n > 1 && copy[n - 1] == '/') {
        copy[--n] = 0;
    }
    slash = strrchr(copy, '/');
    if (!n || strcmp(slash ? slash + 1 : copy, "..") == 0 ||
        strcmp(slash ? slash + 1 : copy, ".") == 0 ||
        !mst_copy(p->name, 250, slash ? slash + 1 : copy) || !*p->name) {
        rc = mst_err_set(err, MST_E_USAGE, "'%s' is no name for an export", path);
    } else {
        (void)snprintf(p->part, sizeof p->part, "%.249s.part", p->name);
        if (slash) {
            slash[slash == copy ? 1 : 0] = 0;
        }
        p->dir = open(slash ? copy : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        rc = p->dir >= 0 ? MST_OK : mst_out_failed("open the folder of", path, err);
    }
    free(copy);
    return rc;
}

enum mst_rc mst_dump_place_refused(const struct mst_dump_place *p, struct mst_err *err)
{
    return errno == EEXIST ? mst_err_set(err, MST_E_EXISTS,
                                         "%s.part is there: another export writes it, or one was "
                                         "killed; remove it then",
                                         p->path)
                           : mst_out_failed("create", p->path, err);
}

void mst_dump_place_close(struct mst_dump_place *p)
{
    if (p->dir >= 0) {
        (void)close(p->dir);
    }
    p->dir = -1;
}
