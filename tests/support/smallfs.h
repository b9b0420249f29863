/* smallfs.h: a file system of a few KiB that a test fills: a tmpfs in a mount namespace of its own.
 * Without the right to mount, nothing here works and the test is skipped. */
#ifndef MST_TEST_SMALLFS_H
#define MST_TEST_SMALLFS_H

#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

static bool small_may;

/* First thing in main, before there are threads. */
static inline void small_init(void)
{
    small_may = unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static inline void small_mount(const char *dir, unsigned kib)
{
    char options[64];

    (void)snprintf(options, sizeof(options), "size=%uk,mode=0700", kib);
    if (mount("muster-test", dir, "tmpfs", MS_NOSUID | MS_NODEV, options) != 0) {
        fail_msg("cannot mount at %s", dir);
    }
}

static inline void small_unmount(const char *dir)
{
    (void)umount2(dir, MNT_DETACH);
}

static inline int small_filler(const char *dir, int flags)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/filler", dir);
    return flags ? open(path, flags | O_CLOEXEC, 0600) : unlink(path);
}

/* To the last byte. */
static inline void small_fill(const char *dir)
{
    static const char block[4096];
    const int fd = small_filler(dir, O_WRONLY | O_CREAT | O_APPEND);
    size_t n = sizeof(block);

    while (fd >= 0 && n > 0) {
        n = write(fd, block, n) > 0 ? n : n / 2;
    }
    if (fd >= 0) {
        (void)close(fd);
    }
}

static inline void small_free(const char *dir)
{
    (void)small_filler(dir, 0);
}

#endif
