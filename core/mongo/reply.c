#include "base/mem.h"
#include "mongo/conn.h"

/* What a caller does next. Everything that is not here is MST_E_SERVER with the code in detail. */
static const struct {
    int code;
    enum mst_rc rc;
} table[] = {
    {MST_SC_UNAUTHORIZED, MST_E_AUTH},
    {MST_SC_AUTH_FAILED, MST_E_AUTH},
    {50, MST_E_TIMEOUT}, /* MaxTimeMSExpired */
    {91, MST_E_NET},     /* ShutdownInProgress */
    {11600, MST_E_NET},  /* InterruptedAtShutdown */
    {MST_SC_NOT_PRIMARY, MST_E_PRECOND},
    {189, MST_E_PRECOND},   /* PrimarySteppedDown */
    {10058, MST_E_PRECOND}, /* LegacyNotPrimary */
    {11602, MST_E_PRECOND}, /* InterruptedDueToReplStateChange */
    {13435, MST_E_PRECOND}, /* NotPrimaryNoSecondaryOk */
    {13436, MST_E_PRECOND}, /* NotPrimaryOrSecondary */
};

enum mst_rc mst_server_rc(int code)
{
    for (size_t i = 0; i < MST_COUNT(table); i++) {
        if (table[i].code == code) {
            return table[i].rc;
        }
    }
    return MST_E_SERVER;
}

enum mst_rc mst_reply_check(const char *name, const bson_t *cmd, const bson_t *reply,
                            struct mst_err *err)
{
    char text[300], code_name[64];
    bson_iter_t it;
    const char *what = bson_iter_init(&it, cmd) && bson_iter_next(&it) ? bson_iter_key(&it) : "?";
    const int code = (int)mst_bson_i64(reply, "code", 0);

    if (mst_bson_bool(reply, "ok", false)) {
        return MST_OK;
    }
    if (!bson_has_field(reply, "ok")) {
        return mst_err_set_detail(err, MST_E_INTEGRITY, MST_CD_PROTOCOL,
                                  "%s: %.40s: the reply has no field 'ok'", name, what);
    }
    if (!mst_bson_text(reply, "errmsg", text, sizeof(text))) {
        (void)mst_copy(text, sizeof(text), "no reason given");
    }
    if (mst_bson_text(reply, "codeName", code_name, sizeof(code_name))) {
        return mst_err_set_detail(err, mst_server_rc(code), code, "%s: %.40s: %s (%s, %d)", name,
                                  what, text, code_name, code);
    }
    return mst_err_set_detail(err, mst_server_rc(code), code, "%s: %.40s: %s (%d)", name, what,
                              text, code);
}

/* The server's rc, but a code that means nothing special stays a refused write. */
static enum mst_rc write_error(const bson_t *e, const char *what, struct mst_err *err)
{
    char text[300];
    const int code = (int)mst_bson_i64(e, "code", 0);

    if (!mst_bson_text(e, "errmsg", text, sizeof(text))) {
        (void)mst_copy(text, sizeof(text), "no reason given");
    }
    return mst_err_set_detail(err, code == MST_SC_WC_TIMEOUT ? MST_E_TIMEOUT : mst_server_rc(code),
                              code, "%s: %s (%d)", what, text, code);
}

enum mst_rc mst_reply_write_error(const bson_t *reply, struct mst_err *err)
{
    bson_iter_t it, at;
    bson_t doc;

    if (bson_iter_init_find(&it, reply, "writeErrors") && BSON_ITER_HOLDS_ARRAY(&it) &&
        bson_iter_recurse(&it, &at) && bson_iter_next(&at)) {
        char what[40];
        const uint8_t *p = NULL;
        uint32_t n = 0;

        if (!BSON_ITER_HOLDS_DOCUMENT(&at)) {
            return mst_err_set(err, MST_E_INTEGRITY, "a write error that is not a document");
        }
        bson_iter_document(&at, &n, &p);
        if (!p || !bson_init_static(&doc, p, n)) {
            return mst_err_set(err, MST_E_INTEGRITY, "a write error that is not valid");
        }
        (void)snprintf(what, sizeof(what), "write %lld failed",
                       (long long)mst_bson_i64(&doc, "index", -1));
        return write_error(&doc, what, err);
    }
    if (mst_bson_doc(reply, "writeConcernError", &doc)) {
        return write_error(&doc, "written, but the write concern is not met", err);
    }
    return MST_OK;
}
