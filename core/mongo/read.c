#include <math.h>

#include "base/mem.h"
#include "base/text.h"
#include "mongo/mongo.h"

static bool find(const bson_t *b, const char *path, bson_iter_t *out)
{
    bson_iter_t it;

    if (!strchr(path, '.')) {
        return bson_iter_init_find(out, b, path);
    }
    return bson_iter_init(&it, b) && bson_iter_find_descendant(&it, path, out);
}

bool mst_bson_ts(const bson_t *b, const char *path, struct mst_ts *out)
{
    bson_iter_t it;

    if (!find(b, path, &it) || !BSON_ITER_HOLDS_TIMESTAMP(&it)) {
        return false;
    }
    bson_iter_timestamp(&it, &out->t, &out->i);
    return true;
}

bool mst_bson_optime(const bson_t *b, const char *path, struct mst_optime *out)
{
    bson_t doc;
    struct mst_ts ts;

    if (!mst_bson_doc(b, path, &doc) || !mst_bson_ts(&doc, "ts", &ts)) {
        return false;
    }
    out->ts = ts;
    out->term = mst_bson_i64(&doc, "t", -1);
    return true;
}

/* A double outside of int64 must not be converted. */
static int64_t from_double(double d, int64_t otherwise)
{
    return isfinite(d) && d > -9.2e18 && d < 9.2e18 ? (int64_t)d : otherwise;
}

int64_t mst_bson_i64(const bson_t *b, const char *path, int64_t otherwise)
{
    bson_iter_t it;

    if (!find(b, path, &it)) {
        return otherwise;
    }
    if (BSON_ITER_HOLDS_INT32(&it)) {
        return bson_iter_int32(&it);
    }
    if (BSON_ITER_HOLDS_INT64(&it)) {
        return bson_iter_int64(&it);
    }
    if (BSON_ITER_HOLDS_DOUBLE(&it)) {
        return from_double(bson_iter_double(&it), otherwise);
    }
    return otherwise;
}

double mst_bson_f64(const bson_t *b, const char *path, double otherwise)
{
    bson_iter_t it;

    if (!find(b, path, &it)) {
        return otherwise;
    }
    if (BSON_ITER_HOLDS_DOUBLE(&it)) {
        const double d = bson_iter_double(&it);

        return isfinite(d) ? d : otherwise;
    }
    return BSON_ITER_HOLDS_INT32(&it)   ? (double)bson_iter_int32(&it)
           : BSON_ITER_HOLDS_INT64(&it) ? (double)bson_iter_int64(&it)
                                        : otherwise;
}

bool mst_bson_bool(const bson_t *b, const char *path, bool otherwise)
{
    bson_iter_t it;

    if (!find(b, path, &it)) {
        return otherwise;
    }
    if (BSON_ITER_HOLDS_BOOL(&it)) {
        return bson_iter_bool(&it);
    }
    return BSON_ITER_HOLDS_NUMBER(&it) ? mst_bson_f64(b, path, 0) != 0 : otherwise;
}

int64_t mst_bson_date(const bson_t *b, const char *path, int64_t otherwise)
{
    bson_iter_t it;

    return find(b, path, &it) && BSON_ITER_HOLDS_DATE_TIME(&it) ? bson_iter_date_time(&it)
                                                                : otherwise;
}

bool mst_bson_text(const bson_t *b, const char *path, char *out, size_t size)
{
    bson_iter_t it;
    uint32_t n = 0;
    const char *s;

    out[0] = '\0';
    if (!find(b, path, &it) || !BSON_ITER_HOLDS_UTF8(&it)) {
        return false;
    }
    s = bson_iter_utf8(&it, &n);
    mst_text_clean(out, size, s, n);
    return true;
}

bool mst_bson_doc(const bson_t *b, const char *path, bson_t *out)
{
    bson_iter_t it;
    const uint8_t *p = NULL;
    uint32_t n = 0;

    if (!find(b, path, &it)) {
        return false;
    }
    if (BSON_ITER_HOLDS_DOCUMENT(&it)) {
        bson_iter_document(&it, &n, &p);
    } else if (BSON_ITER_HOLDS_ARRAY(&it)) {
        bson_iter_array(&it, &n, &p);
    }
    return p && bson_init_static(out, p, n);
}
