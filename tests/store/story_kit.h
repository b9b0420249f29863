/* story_kit.h: what the stories through a bucket have in common. */
#ifndef MST_TEST_STORY_KIT_H
#define MST_TEST_STORY_KIT_H

#include "agents_kit.h"

/* The home's configuration with these lines instead of its stores. */
static inline void stores_are(const struct home *h, const char *lines)
{
    char path[128], line[512];
    struct mst_str s = {0};
    struct mst_err err = {0};
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/muster.conf", h->dir);
    f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        mst_str_add(&s, strncmp(line, "stores", 6) == 0 ? "" : line);
    }
    (void)fclose(f);
    mst_str_add(&s, lines);
    assert_ok(mst_file_replace(path, 0600, mst_str_c(&s), s.len, &err), &err);
    mst_str_release(&s);
}

/* Text that hardly compresses, so that there are objects of several parts. */
static inline void fill_large(struct kit *k, int docs, int words)
{
    uint32_t seed = 5;

    for (int at = 0; at < docs;) {
        struct mst_str s = {0};

        mst_str_add(&s, "{'insert': 'large', 'documents': [");
        for (int i = 0; i < 100; i++, at++) {
            mst_str_addf(&s, "%s{'_id': %d, 'pad': '", i ? ", " : "", at);
            for (int w = 0; w < words; w++) {
                seed = seed * 1664525U + 1013904223U;
                mst_str_addf(&s, "%08x", seed);
            }
            mst_str_add(&s, "'}");
        }
        mst_str_add(&s, "], 'writeConcern': {'w': 3}}");
        on_primary(k, mst_str_c(&s));
        mst_str_release(&s);
    }
}

static inline char *hash_of_shop(struct kit *k)
{
    static const char json[] = "{'dbHash': 1, 'collections': ['c0', 'c1', 'c2', 'large']}";
    bson_t reply;
    bson_iter_t it;
    char *out;

    assert_int_equal(kit_run(k, sbx_world_primary(k->w), "shop", &reply, json), 0);
    assert_true(bson_iter_init_find(&it, &reply, "md5"));
    out = mst_xstrdup(bson_iter_utf8(&it, NULL));
    bson_destroy(&reply);
    return out;
}

#endif
