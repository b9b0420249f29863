/* writer.h: the two forms of a dump behind one table of functions. Inside the module only.
 *
 * Order: begin, then for each namespace of the content start, docs, end (views too), the oplog the
 * same way with ns NULL, then finish, or abort at any time (nothing is left then).
 */
#ifndef MST_RESTORE_EXPORT_WRITER_H
#define MST_RESTORE_EXPORT_WRITER_H

#include "restore/export/content.h"
#include "restore/export/export.h"
#include "restore/export/out.h"

struct mst_dump_writer {
    enum mst_rc (*begin)(struct mst_dump_writer *w, const struct mst_content *c, bool oplog,
                         struct mst_err *err);
    enum mst_rc (*start)(struct mst_dump_writer *w, const struct mst_content_ns *ns,
                         struct mst_err *err);
    enum mst_rc (*doc)(struct mst_dump_writer *w, const uint8_t *doc, uint32_t n,
                       struct mst_err *err);
    enum mst_rc (*end)(struct mst_dump_writer *w, struct mst_err *err);
    enum mst_rc (*finish)(struct mst_dump_writer *w, struct mst_err *err);
    void (*abort)(struct mst_dump_writer *w);
    void (*free)(struct mst_dump_writer *w);
    const struct mst_export_opts *o;
    uint64_t stored;
};

/* The name must be free; nothing is made before begin. */
enum mst_rc mst_dump_writer_archive(const struct mst_export_opts *o, struct mst_dump_writer **out,
                                    struct mst_err *err) MST_MUST_CHECK;
enum mst_rc mst_dump_writer_dir(const struct mst_export_opts *o, struct mst_dump_writer **out,
                                struct mst_err *err) MST_MUST_CHECK;

/* The folder in which the result gets its name, and the name that it has before. */
struct mst_dump_place {
    const char *path; /* borrowed */
    int dir;          /* -1 none */
    char name[256], part[256];
    bool made; /* part is there, and ours */
};
/* Nothing is made. MST_E_IO, MST_E_USAGE. */
enum mst_rc mst_dump_place_open(struct mst_dump_place *p, const char *path,
                                struct mst_err *err) MST_MUST_CHECK;
/* By errno: why part could not be made. */
enum mst_rc mst_dump_place_refused(const struct mst_dump_place *p, struct mst_err *err);
void mst_dump_place_close(struct mst_dump_place *p);

#endif
