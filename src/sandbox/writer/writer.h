/* writer.h: a thread that runs the shop at a steady rate, through elections, until it is stopped.
 */
#ifndef SBX_WRITER_WRITER_H
#define SBX_WRITER_WRITER_H

#include "writer/shop.h"

struct sbx_writer_opts {
    const char *const *seeds; /* "127.0.0.1:27101" */
    size_t n_seeds;
    unsigned per_s;     /* writes a second; 0: as fast as the set answers */
    unsigned customers; /* made at the start when the shop is new */
    uint64_t seed;
    bool ddl, majority;
    struct sbx_model *model; /* borrowed; NULL keeps none */
};

struct sbx_writer;

enum mst_rc sbx_writer_start(const struct sbx_writer_opts *o, struct sbx_writer **out,
                             struct mst_err *err) MST_MUST_CHECK;
void sbx_writer_stop(struct sbx_writer *w); /* waits for the act under way; frees; NULL allowed */
void sbx_writer_stats(struct sbx_writer *w, struct sbx_shop_stats *out);
/* The last failure, "" while writes succeed. */
void sbx_writer_problem(struct sbx_writer *w, char *out, size_t size);
void sbx_writer_pause(struct sbx_writer *w, bool on); /* returns once no act is under way */

#endif
