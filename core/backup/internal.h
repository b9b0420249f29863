/* internal.h: one run of a backup, shared by its files and threads.
 *
 * Threads: the caller's (control: points, listing, waiting, commit), one tail, the scans. What more
 * than one touches is guarded by mtx or atomic; the list of namespaces does not grow once the scans
 * run, and an entry belongs to the scan that took it.
 */
#ifndef MST_BACKUP_INTERNAL_H
#define MST_BACKUP_INTERNAL_H

#include <bson/bson.h>
#include <stdatomic.h>
#include <stdio.h>

#include "backup/backup.h"
#include "oplog/oplog.h"

#define CMD_MS 30000
#define SCAN_MS 120000
#define SHARED_SEGMENT_BYTES (UINT64_C(256) << 20) /* a new one is begun past this */

/* --- sets of UUIDs (uuids.c) --- */
struct uuids {
    uint8_t (*v)[MST_UUID_LEN];
    char *used;
    size_t n, cap;
};
void uuids_add(struct uuids *s, const uint8_t u[MST_UUID_LEN]);
bool uuids_has(const struct uuids *s, const uint8_t u[MST_UUID_LEN]);
void uuids_release(struct uuids *s);
bool uuid_of(const bson_t *b, const char *path, uint8_t out[MST_UUID_LEN]);

struct entry {       /* one namespace */
    char *db, *coll; /* as they are */
    char type[16];
    enum mst_ns_state state;
    bool has_uuid;
    uint8_t uuid[MST_UUID_LEN];
    long spool; /* where its options and indexes stand */
    uint64_t documents, data_bytes;
    struct mst_sum256 sum;
    struct mst_extent *extents;
    uint32_t n_extents;
};

struct run {
    const struct mst_backup_opts *o;
    struct mst_task *outer; /* the caller's: progress, cancel */
    struct mst_task task;   /* ours: cancelled when anything failed */
    struct mst_backup_result *res;
    struct mst_header h;
    char attempt[17];
    bool claimed;            /* the id is ours in the store */
    struct mst_data_key key; /* of a sealed one */
    struct mst_sealing sealing;
    char comment[160]; /* of every find */
    struct mst_conn *control;
    int wire;

    /* points */
    struct mst_optime first, apply, last;
    int64_t rbid; /* -1: may not be asked */

    /* listing */
    struct entry *ns;
    size_t n_ns, cap_ns;
    FILE *spool;
    uint64_t estimate;
    struct uuids listed;
    uint64_t skipped;

    struct mst_mutex mtx; /* guards the rest */
    struct mst_cond cond;
    struct mst_err failure; /* the first one */

    struct mst_man_object *objects;
    size_t n_objects, cap_objects;
    uint32_t next_segment;

    size_t next_ns;
    unsigned scans_running;
    atomic_bool paused;
    int64_t rate_start_ms;
    uint64_t rate_bytes;

    /* tail */
    bool tail_open, tail_ended, tail_stop;
    struct mst_optime tail_want, tail_last;
    uint64_t tail_entries;
    struct uuids touched, created, dropped;
    char touched_ns[256]; /* of the last one, for the message */
};

/* Remember the first failure and stop everybody. Returns its code. */
enum mst_rc run_fail(struct run *r, const struct mst_err *err);
bool run_stopped(struct run *r);
void run_at(struct run *r, const char *point);
enum mst_rc run_connect(struct run *r, const char *what, struct mst_conn **out,
                        struct mst_err *err);
bool run_left_out(const struct run *r, const char *ns);
/* With what its objects are sealed; NULL: they are not. */
const struct mst_sealing *run_sealing(const struct run *r);
void run_key(const struct run *r, const char *name, char out[MST_KEY_MAX]);

/* --- objects.c: segments with their place in the object table --- */
struct sink {
    struct run *r;
    enum mst_segment_role role;
    struct mst_segw *w;
    uint32_t number, part, index;
    uint64_t data_bytes, documents; /* of the open object */
    struct mst_optime first, last;
};
/* Open an object when none is, begin the next part when this one is full. */
enum mst_rc sink_ready(struct sink *s, struct mst_err *err);
enum mst_rc sink_add(struct sink *s, const void *doc, uint32_t n, struct mst_err *err);
enum mst_rc sink_close(struct sink *s, struct mst_err *err);
void sink_abort(struct sink *s);
bool sink_full(const struct sink *s);

/* --- source.c --- */
enum mst_rc source_check(struct run *r, struct mst_err *err);
enum mst_rc source_start_point(struct run *r, struct mst_err *err);
enum mst_rc source_newest(struct run *r, struct mst_optime *out, struct mst_err *err);
/* Is the entry {ts, t} (still) there? */
enum mst_rc source_has(struct run *r, const struct mst_optime *at, const char *what,
                       struct mst_err *err);
enum mst_rc source_majority(struct run *r, const struct mst_optime *at, struct mst_err *err);
int64_t source_rbid(struct run *r);
int64_t source_lag_ms(struct run *r);
void source_kill_dead_cursors(struct run *r);

/* --- facts.c --- */
enum mst_rc facts_write(struct run *r, struct mst_manw *w, struct mst_err *err);
void facts_versions(struct run *r);

/* --- listing.c --- */
enum mst_rc listing_run(struct run *r, struct mst_err *err);
enum mst_rc listing_manifest(struct run *r, struct mst_manw *w, struct mst_err *err);
void listing_release(struct run *r);

/* --- close.c --- */
enum mst_rc close_backup(struct run *r, struct mst_err *err);

/* --- tail.c, scan.c --- */
void tail_main(void *run);
struct scan_start {
    struct run *r;
    unsigned number;
};
void scan_main(void *start);

#endif
