/* Regular expressions: POSIX ones, with the classes of the server's dialect written out. */
#include <regex.h>
#include <string.h>

#include "base/str.h"
#include "query/query.h"

/* \d, \D and (?: are unknown to POSIX. */
static void translate(const char *p, struct mst_str *s)
{
    for (; *p; p++) {
        if (p[0] == '\\' && p[1] == 'd') {
            mst_str_add(s, "[0-9]");
            p++;
        } else if (p[0] == '\\' && p[1] == 'D') {
            mst_str_add(s, "[^0-9]");
            p++;
        } else if (p[0] == '\\' && p[1]) {
            mst_str_addn(s, p, 2);
            p++;
        } else if (strncmp(p, "(?:", 3) == 0) {
            mst_str_addc(s, '(');
            p += 2;
        } else {
            mst_str_addc(s, *p);
        }
    }
}

static bool compile(const char *pattern, const char *options, regex_t *rx)
{
    struct mst_str s = {0};
    int flags = REG_EXTENDED | REG_NOSUB, rc;

    flags |= strchr(options, 'i') ? REG_ICASE : 0;
    flags |= strchr(options, 'm') ? REG_NEWLINE : 0;
    translate(pattern, &s);
    rc = regcomp(rx, mst_str_c(&s), flags);
    mst_str_release(&s);
    return rc == 0;
}

bool sbx_regex_check(const char *pattern, struct sbx_why *why)
{
    regex_t rx;

    if (!compile(pattern, "", &rx)) {
        return sbx_why(why, 51091, "Regular expression is invalid: %s", pattern);
    }
    regfree(&rx);
    return true;
}

bool sbx_regex_match(const char *pattern, const char *options, const char *text)
{
    regex_t rx;
    bool yes;

    if (!compile(pattern, options, &rx)) {
        return false;
    }
    yes = regexec(&rx, text, 0, NULL, 0) == 0;
    regfree(&rx);
    return yes;
}
