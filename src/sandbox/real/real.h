/* real.h: a replica set of real mongod processes on the loopback interface, with the verbs of the
 * simulator as far as processes allow: kill is SIGKILL, stop is SIGSTOP, cont is SIGCONT, start
 * runs the program again on the same data. What a process cannot do (partition, heal, lag) is
 * refused by name.
 *
 * One thread uses it. The processes die with sbx_real_free(); they also die when this process does.
 */
#ifndef SBX_REAL_REAL_H
#define SBX_REAL_REAL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

#define SBX_REAL_MAX 7

struct sbx_real_opts {
    const char *mongod;  /* path of the program */
    const char *dir;     /* data, logs; an existing folder of ours */
    const char *set;     /* replica set name */
    size_t n;            /* members, 1 to SBX_REAL_MAX */
    bool arbiter;        /* the last one is an arbiter */
    int base_port;       /* 0: free ones are picked */
    unsigned oplog_mb;   /* 0: 1024: P27 counts the hours that it reaches back */
    int64_t deadline_ms; /* for start and initiate; 0: 60 s */
};

struct sbx_real;

/* Start every process, initiate the set and wait for its primary. */
enum mst_rc sbx_real_start(const struct sbx_real_opts *o, struct sbx_real **out,
                           struct mst_err *err) MST_MUST_CHECK;
void sbx_real_free(struct sbx_real *r); /* SIGTERM, then SIGKILL; NULL allowed */
size_t sbx_real_count(const struct sbx_real *r);
int sbx_real_port(const struct sbx_real *r, size_t i);
/* "mongodb://127.0.0.1:p1,127.0.0.1:p2/?replicaSet=rs0" */
void sbx_real_uri(const struct sbx_real *r, struct mst_str *out);
/* member: an index, a port, or "127.0.0.1:port". MST_E_USAGE names an unknown verb or member. */
enum mst_rc sbx_real_verb(struct sbx_real *r, const char *verb, const char *member,
                          struct mst_err *err) MST_MUST_CHECK;
/* One line a member: port, pid, running, stopped or killed. */
void sbx_real_status(struct sbx_real *r, struct mst_str *out);

#endif
