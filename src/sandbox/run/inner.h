/* inner.h: between the files of run. */
#ifndef SBX_RUN_INNER_H
#define SBX_RUN_INNER_H

#include "base/str.h"
#include "run/run.h"

#define SBX_USERS_MAX 16
#define SBX_CONF_FILE "muster.conf"
#define SBX_PID_FILE "sandbox.pid"

/* The command line of `muster sandbox start`. */
struct sbx_cli {
    char dir[400];
    struct sbx_opts opts;
    struct sbx_tls_options tls;
    const char *users[SBX_USERS_MAX];
    const char *refused[SBX_USERS_MAX];
    const char *specs[SBX_VOTERS_MAX]; /* --member, in their order */
    int n_specs;
    bson_t config;      /* made of them */
    const char *mongod; /* real servers */
    long long rate;     /* of the writer; -1: not said */
    bool daemon, have_tls, quiet;
};

enum mst_rc sbx_fill(struct sbx_world *w, int64_t bytes, int colls, uint64_t seed,
                     struct mst_err *err) MST_MUST_CHECK;
/* The folder where a sandbox lives unless --dir says otherwise. */
enum mst_rc sbx_default_dir(char *out, size_t size, struct mst_err *err) MST_MUST_CHECK;
enum mst_rc sbx_cli_parse(struct sbx_cli *cli, int argc, char **argv,
                          struct mst_err *err) MST_MUST_CHECK;
/* The configuration that the --member options make, and who is primary first. */
enum mst_rc sbx_members_build(struct sbx_cli *cli, struct mst_err *err) MST_MUST_CHECK;
const char *sbx_cli_help(void);
/* muster.conf for a set with these members; one that the sandbox did not write is not touched. */
enum mst_rc sbx_conf_write(const struct sbx_cli *cli, const int *ports, size_t n,
                           struct mst_err *err) MST_MUST_CHECK;
/* Run until a signal or the verb quit. */
enum mst_rc sbx_start(struct sbx_cli *cli, struct mst_err *err) MST_MUST_CHECK;

#endif
