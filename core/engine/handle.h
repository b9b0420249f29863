/* handle.h: what is behind a struct mst_engine: a table of functions with two makers, the engine in
 * this process and the agent behind a socket. For engine and ipc only. */
#ifndef MST_ENGINE_HANDLE_H
#define MST_ENGINE_HANDLE_H

#include "engine/engine.h"

struct mst_engine_ops {
    void (*close)(struct mst_engine *e);
    int (*wake_fd)(const struct mst_engine *e);
    const struct mst_view *(*view)(struct mst_engine *e);
    enum mst_rc (*submit)(struct mst_engine *e, const struct mst_cmd *cmd, uint64_t *job,
                          struct mst_err *err);
    enum mst_rc (*prepare)(struct mst_engine *e, const struct mst_cmd *cmd, uint64_t *handle,
                           struct mst_err *err);
    enum mst_rc (*ticket)(struct mst_engine *e, uint64_t handle, struct mst_ticket **out,
                          struct mst_err *err);
    enum mst_rc (*commit)(struct mst_engine *e, const struct mst_ticket *t, const char *typed,
                          uint64_t *job, struct mst_err *err);
};

struct mst_engine {
    const struct mst_engine_ops *ops;
};

/* Parts of a view; each returned part has one reference. */
struct mst_info_part *mst_info_new(void);
struct mst_jobs_part *mst_jobs_new_take(struct mst_job *jobs, size_t n);
struct mst_bucket_part *mst_bucket_new(void);
struct mst_look_part *mst_look_new(void); /* nothing is known */
struct mst_detail_part *mst_detail_new(void);
struct mst_leavings_part *mst_leavings_new(size_t n);
struct mst_messages_part *mst_messages_new(size_t n);
struct mst_switch_part *mst_switch_new(void);
/* v's arrays are freed with the part. */
struct mst_topo_part *mst_topo_part_new_take(const struct mst_topo_view *v);
/* References of the parts move into the view; gen and times are the caller's. */
struct mst_view *mst_view_new(void);

#endif
