/* Throughput and memory of a backup: SIZE bytes in COLLECTIONS collections of the simulator, read
 * by the real path into a local store and verified. Two processes, so that the memory that is
 * printed is the backup's alone: bench_backup BYTES COLLECTIONS SCANS FOLDER [sealed] */
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backup/backup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "catalog/keyobj.h"
#include "catalog/verify.h"
#include "mongo/mongo.h"
#include "sandbox/run/run.h"

static enum mst_rc dial(void *arg, const char *member, const char *app, struct mst_task *task,
                        struct mst_conn **out, struct mst_err *err)
{
    struct mst_conn_opts o = {.app = app, .task = task};

    (void)arg;
    (void)mst_copy(o.name, sizeof(o.name), member);
    return mst_conn_open(&o, out, err);
}

static int serve(uint64_t bytes, int colls, int to_parent)
{
    struct sbx_opts o = {
        .fast = true, .seed = 1, .fill_bytes = (int64_t)bytes, .fill_colls = colls};
    struct sbx_world *w;
    struct mst_err err = {0};
    int ports[4] = {0};

    if (sbx_world_start(&o, &w, &err) != MST_OK) {
        (void)fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    for (size_t i = 0; i < 3; i++) {
        ports[i] = sbx_world_port(w, i);
    }
    ports[3] = sbx_world_primary(w);
    if (write(to_parent, ports, sizeof(ports)) != (ssize_t)sizeof(ports)) {
        return 1;
    }
    for (;;) {
        (void)pause();
    }
}

static double rss_mib(void)
{
    struct rusage u;

    (void)getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_maxrss / 1024.0;
}

static double cpu_s(void)
{
    struct rusage u;

    (void)getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static enum mst_rc unlock(void *arg, const struct mst_key_object *k, struct mst_data_key *out,
                          struct mst_err *err)
{
    return mst_key_object_open(k, arg, out, err);
}

/* Sealed for a recipient of this run, and opened by it. */
static bool seal(struct mst_backup_opts *o, struct mst_catalog *c, struct mst_err *err)
{
    static struct mst_readers readers = {.n = 1};
    static struct mst_identity who;
    static struct mst_key_means means = {.identity = &who};

    if (mst_identity_new(&who, err) != MST_OK) {
        return false;
    }
    memcpy(readers.to[0].pub, who.pub, sizeof(readers.to[0].pub));
    o->readers = &readers;
    c->unlock = unlock;
    c->unlock_arg = &means;
    return true;
}

static int measure(const int ports[4], unsigned scans, const char *dir, bool sealed)
{
    static struct mst_topo_member m[3];
    struct mst_topo_view v = {.n = 3, .members = m, .primary = ports[3]};
    struct mst_store *store;
    struct mst_catalog c;
    struct mst_err err = {0};
    static struct mst_backup_result res;
    static struct mst_verify_result seen;
    struct mst_backup_opts o = {
        .catalog = &c, .connect = dial, .topo = &v, .scans = scans, .scratch_dir = dir};
    struct mst_verify_opts vo = {.id = "latest"};
    int64_t t0, t1, t2;
    double cpu;

    for (int i = 0; i < 3; i++) {
        (void)snprintf(m[i].name, sizeof(m[i].name), "127.0.0.1:%d", ports[i]);
        m[i].configured = m[i].builds_indexes = true;
        m[i].reach = MST_REACH_OK;
        m[i].shown = i == ports[3] ? MST_SHOW_PRIMARY : MST_SHOW_SECONDARY;
    }
    mst_mongo_init();
    if (mst_store_local_open("bench", dir, true, &store, &err) != MST_OK ||
        mst_catalog_init(&c, store, "", "rs0", &err) != MST_OK || (sealed && !seal(&o, &c, &err))) {
        (void)fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    t0 = mst_clock_mono_us();
    if (mst_backup_run(&o, NULL, &res, &err) != MST_OK) {
        (void)fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    t1 = mst_clock_mono_us();
    cpu = cpu_s();
    (void)printf("backup: %.1f MB of BSON, %llu documents, %u namespaces, %u scans: %.2f s, %.0f "
                 "MB/s, %.2f s of CPU, stored %.1f MB, peak RSS %.0f MiB\n",
                 (double)res.data_bytes / 1e6, (unsigned long long)res.documents, res.namespaces,
                 scans, (double)(t1 - t0) / 1e6, (double)res.data_bytes / (double)(t1 - t0), cpu,
                 (double)res.stored_bytes / 1e6, rss_mib());
    t1 = mst_clock_mono_us();
    if (mst_verify_run(&c, &vo, NULL, &seen, &err) != MST_OK) {
        (void)fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    t2 = mst_clock_mono_us();
    (void)printf("verify: %.2f s, %.0f MB/s, peak RSS %.0f MiB\n", (double)(t2 - t1) / 1e6,
                 (double)res.data_bytes / (double)(t2 - t1), rss_mib());
    mst_store_free(store);
    return 0;
}

int main(int argc, char **argv)
{
    int pipes[2], ports[4], status = 1;
    pid_t child;

    if ((argc != 5 && argc != 6) || pipe(pipes) != 0) {
        (void)fprintf(stderr, "usage: %s BYTES COLLECTIONS SCANS FOLDER [sealed]\n", argv[0]);
        return 2;
    }
    child = fork();
    if (child == 0) {
        _exit(serve(strtoull(argv[1], NULL, 10), (int)strtol(argv[2], NULL, 10), pipes[1]));
    }
    (void)close(pipes[1]);
    if (child > 0 && read(pipes[0], ports, sizeof(ports)) == (ssize_t)sizeof(ports)) {
        status = measure(ports, (unsigned)strtoul(argv[3], NULL, 10), argv[4], argc == 6);
    }
    if (child > 0) {
        (void)kill(child, SIGKILL);
        (void)waitpid(child, NULL, 0);
    }
    return status;
}
