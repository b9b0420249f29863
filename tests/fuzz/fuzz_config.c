/* The configuration file: whatever stands in it is a configuration or a list of lines "file:line:
 * what is wrong", and what was read can be shown and read again. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "cfg/load.h"
#include "cfg/options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The library loses the text of a string that no quote ends. */
const char *__lsan_default_suppressions(void); /* NOLINT */
const char *__lsan_default_suppressions(void)  /* NOLINT */
{
    return "leak:libconfig";
}

static enum mst_rc read_text(const void *p, size_t n, struct mst_str *shown)
{
    struct mst_cfg *cfg = mst_xcalloc(1, sizeof(*cfg));
    struct mst_str problems = {0};
    struct mst_err err = {0};
    char path[64];
    const int fd = memfd_create("muster.conf", MFD_CLOEXEC);
    enum mst_rc rc;

    MST_ASSERT(fd >= 0 && write(fd, p, n) == (ssize_t)n);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    (void)mst_copy(cfg->dir, sizeof(cfg->dir), "/etc/muster");
    mst_cfg_defaults(cfg);
    rc = mst_cfg_read(cfg, path, &problems, &err);
    if (rc == MST_OK) {
        MST_ASSERT(problems.len == 0);
        mst_cfg_show(cfg, shown);
    } else {
        MST_ASSERT(rc == MST_E_CONFIG && err.msg[0] && !strchr(err.msg, '\n'));
    }
    mst_str_release(&problems);
    mst_cfg_free(cfg);
    (void)close(fd);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mst_str shown = {0}, again = {0};
    char *text = mst_xstrndup((const char *)data, size);

    /* It opens other files: not from here. */
    if (!strstr(text, "@include") && read_text(text, strlen(text), &shown) == MST_OK) {
        MST_ASSERT(read_text(mst_str_c(&shown), shown.len, &again) == MST_OK);
        MST_ASSERT(strcmp(mst_str_c(&shown), mst_str_c(&again)) == 0);
    }
    free(text);
    mst_str_release(&shown);
    mst_str_release(&again);
    return 0;
}
