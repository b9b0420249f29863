#include "store/xml.h"

#include <string.h>

#include <expat.h>

#include "base/mem.h"

#define NAME_MAX_ 64U
#define PATH_MAX_ (MST_XML_DEPTH * (NAME_MAX_ + 1U))

struct reading {
    XML_Parser parser;
    mst_xml_fn *fn;
    void *arg;
    char path[PATH_MAX_];
    size_t at[MST_XML_DEPTH]; /* length of the path above each level */
    struct mst_str text[MST_XML_DEPTH];
    unsigned depth;
    const char *why; /* a limit */
    bool ended;      /* by fn */
};

static void stop(struct reading *r, const char *why)
{
    if (!r->why) {
        r->why = why;
    }
    (void)XML_StopParser(r->parser, XML_FALSE);
}

static void XMLCALL on_start(void *arg, const XML_Char *name, const XML_Char **attrs)
{
    struct reading *r = arg;
    const size_t len = strlen(r->path);

    (void)attrs;
    if (r->depth == MST_XML_DEPTH || strlen(name) >= NAME_MAX_) {
        stop(r, "too deep or with names too long");
        return;
    }
    r->at[r->depth] = len;
    mst_str_init(&r->text[r->depth], MST_XML_TEXT);
    r->depth++;
    (void)snprintf(r->path + len, sizeof(r->path) - len, "%s%s", len ? "/" : "", name);
}

static void XMLCALL on_end(void *arg, const XML_Char *name)
{
    struct reading *r = arg;
    struct mst_str *text;

    (void)name;
    if (r->why || r->ended || r->depth == 0) {
        return;
    }
    text = &r->text[--r->depth];
    if (!r->fn(r->arg, r->path, mst_str_c(text))) {
        r->ended = true;
        (void)XML_StopParser(r->parser, XML_FALSE);
    }
    mst_str_release(text);
    r->path[r->at[r->depth]] = '\0';
}

static void XMLCALL on_text(void *arg, const XML_Char *p, int n)
{
    struct reading *r = arg;

    if (r->depth == 0 || r->why || r->ended) {
        return;
    }
    if (r->text[r->depth - 1].len + (size_t)n >= MST_XML_TEXT) {
        stop(r, "with too much text in one place");
        return;
    }
    mst_str_addn(&r->text[r->depth - 1], p, (size_t)n);
}

static void XMLCALL on_doctype(void *arg, const XML_Char *name, const XML_Char *sysid,
                               const XML_Char *pubid, int internal)
{
    (void)name;
    (void)sysid;
    (void)pubid;
    (void)internal;
    stop(arg, "with a document type");
}

enum mst_rc mst_xml_parse(const void *p, size_t n, mst_xml_fn *fn, void *arg, struct mst_err *err)
{
    struct reading *r;
    const char *text = p;
    enum XML_Status status;
    enum mst_rc rc = MST_OK;

    for (; n > 0 && strchr(" \t\r\n", *text) && *text; n--) {
        text++; /* sent while a store was still at work */
    }
    if (n == 0) {
        return mst_err_set(err, MST_E_SERVER, "an empty answer");
    }
    if (n > MST_XML_MAX) {
        return mst_err_set(err, MST_E_SERVER, "an answer of more than %zu bytes", MST_XML_MAX);
    }
    r = mst_xcalloc(1, sizeof(*r));
    r->fn = fn;
    r->arg = arg;
    r->parser = XML_ParserCreate("UTF-8");
    MST_ASSERT(r->parser);
    XML_SetUserData(r->parser, r);
    XML_SetElementHandler(r->parser, on_start, on_end);
    XML_SetCharacterDataHandler(r->parser, on_text);
    XML_SetStartDoctypeDeclHandler(r->parser, on_doctype);
    status = XML_Parse(r->parser, text, (int)n, XML_TRUE);
    if (r->why) {
        rc = mst_err_set(err, MST_E_SERVER, "an answer %s", r->why);
    } else if (r->ended) {
        rc = mst_err_set(err, MST_E_LIMIT, "an answer with more than is taken");
    } else if (status != XML_STATUS_OK) {
        rc = mst_err_set(err, MST_E_SERVER, "an answer that is not XML (line %lu: %s)",
                         (unsigned long)XML_GetCurrentLineNumber(r->parser),
                         XML_ErrorString(XML_GetErrorCode(r->parser)));
    }
    while (r->depth > 0) {
        mst_str_release(&r->text[--r->depth]);
    }
    XML_ParserFree(r->parser);
    free(r);
    return rc;
}

void mst_xml_escape(struct mst_str *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '&') {
            mst_str_add(out, "&amp;");
        } else if (*text == '<') {
            mst_str_add(out, "&lt;");
        } else if (*text == '>') {
            mst_str_add(out, "&gt;");
        } else {
            mst_str_addc(out, *text);
        }
    }
}
