/* runprog.h: run the built muster as a child and keep what it printed. */
#ifndef MST_TEST_RUNPROG_H
#define MST_TEST_RUNPROG_H

#include "base/str.h"

struct ran {
    int status; /* exit status; 128 + signal */
    struct mst_str out, err;
};

/* argv without the program, ended by NULL. env: "NAME=value" lines that replace or add, ended by
 * NULL; may be NULL. Ends the child after limit_ms (status -1). */
void run_muster(struct ran *r, const char *const *argv, const char *const *env, int limit_ms);
void ran_release(struct ran *r);
#define RUN(r, env, ...) run_muster((r), (const char *const[]){__VA_ARGS__, NULL}, (env), 60000)
/* mkdtemp below /tmp into out (at least 64 bytes); and removing it with all that is in it. */
void temp_dir(char *out, size_t size);
void temp_remove(const char *dir);

#endif
