/* member.c: --member: "priority=0,hidden,votes=0,delay=3600,tag.dc=east" or "arbiter". */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "run/inner.h"

struct spec {
    const char *word; /* --member's, for messages */
    bool arbiter, hidden;
    double priority;
    long long votes, delay_s;
    bson_t tags;
};

static enum mst_rc number(const char *text, double max, double *out, struct mst_err *err)
{
    char *end;

    errno = 0;
    *out = strtod(text, &end);
    if (end == text || *end != '\0' || errno != 0 || !(*out >= 0) || *out > max) {
        return mst_err_set(err, MST_E_USAGE, "--member: a number from 0 to %.0f, not %.40s", max,
                           text);
    }
    return MST_OK;
}

static enum mst_rc unknown(const char *key, struct mst_err *err)
{
    static const char *const known[] = {"priority", "votes",   "hidden",
                                        "delay",    "arbiter", "tag.NAME"};
    const char *near = mst_text_nearest(key, known, MST_COUNT(known));

    return mst_err_set(err, MST_E_USAGE,
                       "--member knows priority, votes, hidden, delay, arbiter and tag.NAME, not "
                       "%.40s%s%s",
                       key, near != NULL ? ": did you mean " : "", near != NULL ? near : "");
}

static enum mst_rc take(struct spec *s, const char *key, const char *value, struct mst_err *err)
{
    double n = 0;
    enum mst_rc rc = MST_OK;

    if (strcmp(key, "hidden") == 0 && value == NULL) {
        s->hidden = true;
    } else if (strcmp(key, "arbiter") == 0 && value == NULL) {
        s->arbiter = true;
    } else if (value == NULL) {
        rc = unknown(key, err);
    } else if (strcmp(key, "priority") == 0) {
        rc = number(value, 1000, &s->priority, err);
    } else if (strcmp(key, "votes") == 0) {
        rc = number(value, 1, &n, err);
        s->votes = (long long)n;
    } else if (strcmp(key, "delay") == 0) {
        rc = number(value, 366 * 86400, &n, err);
        s->delay_s = (long long)n;
    } else if (strncmp(key, "tag.", 4) == 0 && key[4] != '\0') {
        BSON_APPEND_UTF8(&s->tags, key + 4, value);
    } else {
        rc = unknown(key, err);
    }
    return rc;
}

static enum mst_rc read_spec(struct spec *s, struct mst_err *err)
{
    char *words = mst_xstrdup(s->word), *rest = words, *word;
    enum mst_rc rc = MST_OK;

    while (rc == MST_OK && (word = strsep(&rest, ",")) != NULL) {
        char *eq = strchr(word, '=');

        if (eq != NULL) {
            *eq = '\0';
        }
        if (word[0] != '\0') { /* "" is a member like any other */
            rc = take(s, word, eq != NULL ? eq + 1 : NULL, err);
        }
    }
    free(words);
    return rc;
}

static void append(const struct spec *s, int id, bson_t *members)
{
    char key[12], host[32];
    bson_t m;

    (void)snprintf(key, sizeof key, "%d", id);
    (void)snprintf(host, sizeof host, "member:%d", id + 1); /* a real one takes its place */
    BSON_APPEND_DOCUMENT_BEGIN(members, key, &m);
    BSON_APPEND_INT32(&m, "_id", id);
    BSON_APPEND_UTF8(&m, "host", host);
    BSON_APPEND_BOOL(&m, "arbiterOnly", s->arbiter);
    BSON_APPEND_BOOL(&m, "hidden", s->hidden);
    BSON_APPEND_DOUBLE(&m, "priority", s->priority);
    BSON_APPEND_DOCUMENT(&m, "tags", &s->tags);
    BSON_APPEND_INT64(&m, "slaveDelay", s->delay_s);
    BSON_APPEND_INT32(&m, "votes", (int32_t)s->votes);
    bson_append_document_end(members, &m);
}

enum mst_rc sbx_members_build(struct sbx_cli *cli, struct mst_err *err)
{
    double best = 0;
    bson_t members;
    enum mst_rc rc = MST_OK;

    if (cli->n_specs == 0) {
        return MST_OK;
    }
    bson_init(&cli->config);
    BSON_APPEND_UTF8(&cli->config, "_id", cli->opts.set != NULL ? cli->opts.set : "rs0");
    BSON_APPEND_ARRAY_BEGIN(&cli->config, "members", &members);
    for (int i = 0; i < cli->n_specs && rc == MST_OK; i++) {
        struct spec s = {.word = cli->specs[i], .priority = -1, .votes = 1};

        bson_init(&s.tags);
        rc = read_spec(&s, err);
        if (s.priority < 0) { /* not said: none for who may not stand */
            s.priority = s.arbiter || s.hidden || s.delay_s > 0 || s.votes == 0 ? 0 : 1;
        }
        append(&s, i, &members);
        if (s.priority > best) {
            best = s.priority;
            cli->opts.primary = i;
        }
        bson_destroy(&s.tags);
    }
    bson_append_array_end(&cli->config, &members);
    if (rc == MST_OK && best <= 0) {
        rc = mst_err_set(err, MST_E_USAGE, "--member: none of them may become primary");
    }
    cli->opts.config = &cli->config;
    return rc;
}
