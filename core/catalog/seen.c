#include "catalog/seen.h"

#include <string.h>

#include "base/mem.h"

static bool on_row(void *arg, const struct mst_row *row)
{
    struct mst_seen *s = arg;

    (void)mst_copy(s->id, sizeof(s->id), mst_row_text(row, 0));
    s->counter = (uint64_t)mst_row_int(row, 1);
    return false;
}

enum mst_rc mst_seen_load(struct mst_db *db, const struct mst_cache_key *key, struct mst_seen *out,
                          struct mst_err *err)
{
    memset(out, 0, sizeof(*out));
    if (mst_db_query(db, on_row, out, err,
                     "SELECT backup, counter FROM seen_commits WHERE of_set = ? AND store = ?",
                     "tt", key->set, key->store) != MST_OK) {
        return err->rc;
    }
    return out->counter ? MST_OK
                        : mst_err_set(err, MST_E_NOTFOUND,
                                      "no signed backup was seen in the store %s", key->store);
}

enum mst_rc mst_seen_save(struct mst_db *db, const struct mst_cache_key *key, const char *id,
                          uint64_t counter, struct mst_err *err)
{
    return mst_db_run(
        db, err,
        "INSERT INTO seen_commits (of_set, store, backup, counter) VALUES (?, ?, ?, ?)"
        " ON CONFLICT(of_set, store) DO UPDATE SET backup = excluded.backup,"
        " counter = excluded.counter WHERE excluded.counter > counter",
        "ttti", key->set, key->store, id, (int64_t)counter);
}
