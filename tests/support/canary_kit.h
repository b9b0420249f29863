/* canary_kit.h: secrets that are planted, and a search for them in whatever was heard.
 *
 * All that is seen goes into one record first and is searched at the end: a data key is known only
 * then. A canary is looked for as it is, in hex of both cases, in both alphabets of base64 at each
 * of its three places, and as it stands in a URL. None stands in the program of the test itself.
 */
#ifndef TEST_CANARY_KIT_H
#define TEST_CANARY_KIT_H

#include "test.h"

#include <ctype.h>
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "hash/hash.h"

#define CANARIES 24
#define CANARY_FORMS 10
#define CANARY_SKIP "canary.secret" /* files with this in their name hold one on purpose */
#define HEARD_MAX 8192

struct canary {
    const char *what;
    bool typed; /* by the user, where processes show it: only answers are searched */
    bool sent;  /* with every request: the libraries that send it keep it in ordinary memory */
    struct mst_buf form[CANARY_FORMS];
    size_t n;
};
enum heard_from { HEARD_TEXT, HEARD_PROCESS, HEARD_MEMORY };
struct heard {
    char *where;
    enum heard_from from;
    struct mst_buf b;
};
static struct canary canary_[CANARIES];
static size_t n_canary;
static struct heard heard_[HEARD_MAX];
static size_t n_heard, n_heard_processes;
static pthread_mutex_t heard_lock = PTHREAD_MUTEX_INITIALIZER;

static inline void canary_form(struct canary *c, const void *p, size_t n)
{
    assert_true(c->n < CANARY_FORMS);
    for (size_t i = 0; i < c->n; i++) {
        if (c->form[i].len == n && memcmp(c->form[i].p, p, n) == 0) {
            return;
        }
    }
    mst_buf_add(&c->form[c->n++], p, n);
}

/* The characters of base64 that are the secret's alone when `before` bytes stand in front of it. */
static inline void canary_base64(struct canary *c, const uint8_t *p, size_t n, size_t before,
                                 const char *last_two)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    const size_t first = (before * 8 + 5) / 6, end = (before + n) * 8 / 6;
    struct mst_buf out = {0};

    for (size_t i = first; i < end; i++) {
        unsigned v = 0;

        for (size_t bit = 6 * i; bit < 6 * i + 6; bit++) {
            const size_t byte = bit / 8 - before;

            v = v << 1 | (p[byte] >> (7 - bit % 8) & 1U);
        }
        mst_buf_add(&out, v < 62 ? &digits[v] : &last_two[v - 62], 1);
    }
    canary_form(c, out.p, out.len);
    mst_buf_release(&out);
}

static inline struct canary *canary_add(const char *what, const void *p, size_t n)
{
    struct canary *c = &canary_[n_canary++];
    struct mst_str url = {0};
    char *hex = mst_xmalloc(2 * n + 1);

    assert_true(n_canary <= CANARIES && n >= 12);
    c->what = what;
    canary_form(c, p, n);
    (void)mst_hex(p, n, hex);
    canary_form(c, hex, 2 * n);
    for (size_t i = 0; i < 2 * n; i++) {
        hex[i] = (char)toupper((unsigned char)hex[i]);
    }
    canary_form(c, hex, 2 * n);
    for (size_t before = 0; before < 3; before++) {
        canary_base64(c, p, n, before, "+/");
        canary_base64(c, p, n, before, "-_");
    }
    for (size_t i = 0; i < n; i++) {
        const unsigned char ch = ((const unsigned char *)p)[i];

        mst_str_addf(&url, isalnum(ch) || strchr("-._~", ch) ? "%c" : "%%%02X", ch);
    }
    canary_form(c, url.p, url.len);
    mst_str_release(&url);
    free(hex);
    return c;
}

/* --- what is heard ---------------------------------------------------------------------------- */

static inline void hear(const char *where, enum heard_from from, const void *p, size_t n)
{
    const bool process = from == HEARD_PROCESS;
    bool known = n == 0;

    (void)pthread_mutex_lock(&heard_lock);
    for (size_t i = n_heard; process && i > 0 && !known; i--) { /* processes are asked often */
        known = heard_[i - 1].from == from && heard_[i - 1].b.len == n &&
                memcmp(heard_[i - 1].b.p, p, n) == 0;
    }
    if (!known && n_heard < HEARD_MAX) {
        heard_[n_heard].where = mst_xstrdup(where);
        heard_[n_heard].from = from;
        mst_buf_add(&heard_[n_heard++].b, p, n);
        n_heard_processes += process;
    }
    (void)pthread_mutex_unlock(&heard_lock);
}

static inline void hear_file(const char *path, enum heard_from from)
{
    const size_t most = from == HEARD_PROCESS ? 65536 : (size_t)64 << 20;
    struct mst_buf b = {0};
    struct mst_err err = {0};

    if (mst_file_read(path, most, &b, &err) == MST_OK) {
        hear(path, from, b.p, b.len);
    }
    mst_buf_release(&b);
}

/* Every file below, and every name. */
static inline void hear_tree(const char *at)
{
    DIR *d = opendir(at);

    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        char path[1024];
        struct stat st;

        (void)snprintf(path, sizeof(path), "%s/%s", at, e->d_name);
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || lstat(path, &st) != 0) {
            continue;
        }
        hear("the name of a file", HEARD_TEXT, e->d_name, strlen(e->d_name));
        if (S_ISDIR(st.st_mode)) {
            hear_tree(path);
        } else if (S_ISREG(st.st_mode) && !strstr(path, CANARY_SKIP)) {
            hear_file(path, HEARD_TEXT);
        }
    }
    if (d) {
        (void)closedir(d);
    }
}

/* Its command line and its environment. */
static inline void hear_process(const char *pid)
{
    char path[300];

    (void)snprintf(path, sizeof(path), "/proc/%.20s/cmdline", pid);
    hear_file(path, HEARD_PROCESS);
    (void)snprintf(path, sizeof(path), "/proc/%.20s/environ", pid);
    hear_file(path, HEARD_PROCESS);
}

static inline void hear_processes(void (*each)(const char *pid))
{
    DIR *d = opendir("/proc");

    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        if (isdigit((unsigned char)e->d_name[0])) {
            hear_process(e->d_name);
            if (each) {
                each(e->d_name);
            }
        }
    }
    if (d) {
        (void)closedir(d);
    }
}

/* Does it run the program under test: by its path or, as an agent that was started on demand, by
 * its bare name and with this in its arguments? */
static inline bool canary_is_muster(const char *pid, const char *mine)
{
    char path[300];
    struct mst_buf b = {0};
    struct mst_err err = {0};
    bool is;

    (void)snprintf(path, sizeof(path), "/proc/%.20s/cmdline", pid);
    is = mst_file_read(path, 65536, &b, &err) == MST_OK &&
         ((b.len >= sizeof(TEST_MUSTER) && memcmp(b.p, TEST_MUSTER, sizeof(TEST_MUSTER)) == 0) ||
          (b.len >= sizeof("muster") && memcmp(b.p, "muster", sizeof("muster")) == 0 &&
           memmem(b.p, b.len, mine, strlen(mine))));
    mst_buf_release(&b);
    return is;
}

/* --- the search ------------------------------------------------------------------------------- */

static inline bool canary_in(const struct canary *c, const void *p, size_t n)
{
    for (size_t i = 0; i < c->n; i++) {
        if (memmem(p, n, c->form[i].p, c->form[i].len)) {
            return true;
        }
    }
    return false;
}

/* Fails with the names of what was found where; the secrets themselves are not printed. */
static inline void canary_search(void)
{
    struct mst_str found = {0};

    for (size_t c = 0; c < n_canary; c++) {
        for (size_t i = 0; i < n_heard; i++) {
            if (!(canary_[c].typed && heard_[i].from == HEARD_PROCESS) &&
                !(canary_[c].sent && heard_[i].from == HEARD_MEMORY) &&
                canary_in(&canary_[c], heard_[i].b.p, heard_[i].b.len)) {
                mst_str_addf(&found, "%s in %s\n", canary_[c].what, heard_[i].where);
            }
        }
    }
    assert_true(n_heard < HEARD_MAX);
    if (found.len) {
        print_error("%s", mst_str_c(&found));
        mst_str_release(&found);
        fail_msg("a secret was shown");
    }
}

static inline void canary_forget(void)
{
    for (size_t i = 0; i < n_heard; i++) {
        free(heard_[i].where);
        mst_buf_release(&heard_[i].b);
    }
    for (size_t c = 0; c < n_canary; c++) {
        for (size_t i = 0; i < canary_[c].n; i++) {
            mst_buf_release(&canary_[c].form[i]);
        }
    }
    n_heard = n_heard_processes = n_canary = 0;
}

#endif
