/* source.c: what both kinds of source share. */
#include "restore/source.h"

#include <string.h>

#include "base/mem.h"

struct mst_src_coll *mst_src_add(struct mst_restore_source *s)
{
    struct mst_src_coll *c;

    /* Doubling at powers of two needs no capacity field. */
    if ((s->n & (s->n - 1)) == 0) {
        s->colls = mst_xrealloc(s->colls, (s->n ? s->n * 2 : 1) * sizeof *s->colls);
    }
    c = &s->colls[s->n++];
    memset(c, 0, sizeof *c);
    c->options = bson_new();
    c->indexes = bson_new();
    return c;
}

bool mst_src_past_end(const struct mst_restore_source *s, const bson_t *entry)
{
    struct mst_ts ts;

    return s->end.ts.t && mst_bson_ts(entry, "ts", &ts) && mst_ts_cmp(ts, s->end.ts) > 0;
}

void mst_restore_source_free(struct mst_restore_source *s)
{
    size_t i;

    if (!s) {
        return;
    }
    if (s->release) {
        s->release(s);
    }
    for (i = 0; i < s->n; i++) {
        bson_destroy(s->colls[i].options);
        bson_destroy(s->colls[i].indexes);
    }
    free(s->colls);
    free(s);
}
