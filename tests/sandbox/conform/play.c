#include "play.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/scram.h"
#include "base/mem.h"

static struct { /* "07:9", or "07:9-14" */
    int file, from, to;
} skipped[256];
static int n_skipped = -1;

static void load_skipped(void)
{
    FILE *f = fopen(TEST_DATA "/conformance-skipped.txt", "r");
    char line[256];

    n_skipped = 0;
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        if (line[0] != '#' && line[0] != '\n' && n_skipped < (int)MST_COUNT(skipped)) {
            const int n = sscanf(line, "%d:%d-%d", &skipped[n_skipped].file,
                                 &skipped[n_skipped].from, &skipped[n_skipped].to);

            if (n == 2) {
                skipped[n_skipped].to = skipped[n_skipped].from;
            }
            n_skipped += n >= 2;
        }
    }
    if (f != NULL) {
        (void)fclose(f);
    }
}

bool play_skipped(const char *file, int line)
{
    const int number = (int)strtol(file, NULL, 10);

    if (n_skipped < 0) {
        load_skipped();
    }
    for (int i = 0; i < n_skipped; i++) {
        if (skipped[i].file == number && line >= skipped[i].from && line <= skipped[i].to) {
            return true;
        }
    }
    return false;
}

static uint8_t *seen_at(struct conf *conf, const char *file, int line, uint8_t *bit)
{
    const long number = strtol(file, NULL, 10);

    if (number < 0 || number >= CONF_FILES || line < 0 || line >= CONF_LINES) {
        fprintf(stderr, "no room for %s:%d\n", file, line);
        abort();
    }
    *bit = (uint8_t)(1u << (line % 8));
    return &conf->seen.bits[number][line / 8];
}

void play_sent(struct play *p, int line)
{
    uint8_t bit;

    *seen_at(p->conf, p->file, line, &bit) |= bit;
}

unsigned play_unlisted(struct conf *conf, const char *file)
{
    struct play p;
    unsigned n = 0;

    play_load(&p, conf, file);
    for (int i = 1; i <= p.n; i++) {
        uint8_t bit;

        if (p.lines[i - 1].has_command && (*seen_at(conf, file, i, &bit) & bit) == 0 &&
            !play_skipped(file, i)) {
            mst_str_addf(&conf->diffs, "%s:%d %s: neither replayed nor listed\n", file, i,
                         p.lines[i - 1].name);
            n++;
        }
    }
    play_release(&p);
    return n;
}

static bool sub(const bson_t *doc, const char *key, bson_t *out)
{
    bson_iter_t it;
    const uint8_t *p;
    uint32_t n;

    if (!bson_iter_init_find(&it, doc, key) || !BSON_ITER_HOLDS_DOCUMENT(&it)) {
        return false;
    }
    bson_iter_document(&it, &n, &p);
    return bson_init_static(out, p, n);
}

/* {"command": "isMaster"} is short for {"command": {"isMaster": 1}}. */
static void read_command(struct play_line *l)
{
    bson_iter_t it;

    if (bson_iter_init_find(&it, l->doc, "command") && BSON_ITER_HOLDS_UTF8(&it)) {
        bson_t *wide = bson_new(), one = BSON_INITIALIZER;

        BSON_APPEND_INT32(&one, bson_iter_utf8(&it, NULL), 1);
        BSON_APPEND_DOCUMENT(wide, "command", &one);
        bson_copy_to_excluding_noinit(l->doc, wide, "command", NULL);
        bson_destroy(&one);
        bson_destroy(l->doc);
        l->doc = wide;
    }
    l->has_command = sub(l->doc, "command", &l->command) && sub(l->doc, "reply", &l->reply);
    if (l->has_command && bson_iter_init(&it, &l->command) && bson_iter_next(&it)) {
        mst_copy(l->name, sizeof l->name, bson_iter_key(&it));
    }
}

void play_load(struct play *p, struct conf *conf, const char *file)
{
    char path[512];
    FILE *f;
    char *text = NULL;
    size_t cap = 0;

    memset(p, 0, sizeof *p);
    p->conf = conf;
    p->file = file;
    (void)snprintf(path, sizeof path, "%s/mongod-4.2.8/%s.jsonl", TEST_DATA, file);
    f = fopen(path, "r");
    if (f == NULL) {
        fprintf(stderr, "no %s\n", path);
        abort();
    }
    while (p->n < PLAY_LINES_MAX && getline(&text, &cap, f) > 0) {
        struct play_line *l = &p->lines[p->n++];
        bson_error_t e;
        bson_iter_t it;
        int64_t port = 0;

        l->doc = bson_new_from_json((const uint8_t *)text, -1, &e);
        if (l->doc == NULL) {
            fprintf(stderr, "%s:%d: %s\n", path, p->n, e.message);
            abort();
        }
        read_command(l);
        l->is_view = sub(l->doc, "view", &l->view);
        l->is_note = bson_has_field(l->doc, "note");
        if (sbx_doc_int(l->doc, "member", &port)) {
            l->member = (int)port;
        }
        if (bson_iter_init_find(&it, l->doc, "db") && BSON_ITER_HOLDS_UTF8(&it)) {
            mst_copy(l->db, sizeof l->db, bson_iter_utf8(&it, NULL));
        }
    }
    free(text);
    (void)fclose(f);
}

void play_release(struct play *p)
{
    for (int i = 0; i < PLAY_MEMBERS; i++) {
        play_hang_up(p, PLAY_FIRST_PORT + i);
    }
    for (int i = 0; i < p->n; i++) {
        bson_destroy(p->lines[i].doc);
        p->lines[i].doc = NULL;
    }
    p->n = 0;
}

void play_on(struct play *p, struct sbx_world *w, const int order[PLAY_MEMBERS])
{
    char want[64], got[64];

    p->w = w;
    p->conf->n_hosts = 0;
    for (size_t i = 0; i < w->n && i < PLAY_MEMBERS; i++) {
        p->index_of[order[i] - PLAY_FIRST_PORT] = i;
        (void)snprintf(want, sizeof want, "127.0.0.1:%d", order[i]);
        (void)snprintf(got, sizeof got, "127.0.0.1:%d", sbx_world_port(w, i));
        conf_host(p->conf, want, got);
    }
}

void play_hang_up(struct play *p, int port)
{
    const int i = port - PLAY_FIRST_PORT;

    if (p->open[i]) {
        sbx_client_close(&p->clients[i]);
        p->open[i] = false;
    }
}

static bool sasl(struct sbx_client *c, const char *step, int conversation, const char *payload,
                 char *out, size_t size, bool *done)
{
    bson_t cmd = BSON_INITIALIZER, reply;
    struct mst_err err = {0};
    bson_iter_t it;
    bool ok;

    BSON_APPEND_INT32(&cmd, step, 1);
    if (conversation == 0) {
        BSON_APPEND_UTF8(&cmd, "mechanism", "SCRAM-SHA-256");
    } else {
        BSON_APPEND_INT32(&cmd, "conversationId", conversation);
    }
    BSON_APPEND_BINARY(&cmd, "payload", BSON_SUBTYPE_BINARY, (const uint8_t *)payload,
                       (uint32_t)strlen(payload));
    ok = sbx_client_command(c, "admin", &cmd, &reply, &err) == MST_OK;
    if (ok && bson_iter_init_find(&it, &reply, "payload")) {
        bson_subtype_t type;
        uint32_t n;
        const uint8_t *p;

        bson_iter_binary(&it, &type, &n, &p);
        (void)snprintf(out, size, "%.*s", (int)n, (const char *)p);
    }
    *done = sbx_doc_true(&reply, "done");
    bson_destroy(&reply);
    bson_destroy(&cmd);
    return ok;
}

bool play_login(struct sbx_client *c, const char *user, const char *password)
{
    char bare[128], first[160], answer[512], proof[512], final[128];
    bool done = false;

    (void)snprintf(bare, sizeof bare, "n=%s,r=abcdefghijklmnop", user);
    (void)snprintf(first, sizeof first, "n,,%s", bare);
    return sasl(c, "saslStart", 0, first, answer, sizeof answer, &done) &&
           sbx_scram_client_final(SBX_SCRAM_SHA256, user, password, bare, answer, proof,
                                  sizeof proof, final, sizeof final) &&
           sasl(c, "saslContinue", 1, proof, answer, sizeof answer, &done) &&
           strcmp(answer, final) == 0 &&
           sasl(c, "saslContinue", 1, "", answer, sizeof answer, &done) && done;
}

struct sbx_client *play_client(struct play *p, int port)
{
    const int i = port - PLAY_FIRST_PORT;
    struct mst_err err = {0};

    if (!p->open[i]) {
        if (sbx_client_connect(&p->clients[i], "127.0.0.1", sbx_world_port(p->w, p->index_of[i]),
                               30000, &err) != MST_OK) {
            return NULL;
        }
        p->open[i] = true;
        if (p->user != NULL && !play_login(&p->clients[i], p->user, p->password)) {
            return NULL;
        }
    }
    return &p->clients[i];
}

/* serverStatus may leave sections out, but none of these that was recorded. */
static void check_status(struct play *p, const bson_t *recorded, const bson_t *reply)
{
    static const char *const must[] = {"host",
                                       "version",
                                       "process",
                                       "pid",
                                       "uptime",
                                       "uptimeMillis",
                                       "localTime",
                                       "connections",
                                       "flowControl",
                                       "globalLock.currentQueue",
                                       "network",
                                       "opLatencies",
                                       "opcounters",
                                       "opcountersRepl",
                                       "repl.rbid",
                                       "transactions",
                                       "mem.resident",
                                       "metrics.repl.apply.ops",
                                       "metrics.commands.serverStatus",
                                       "electionMetrics.stepUpCmd",
                                       "repl.lastWrite.majorityOpTime.ts"};

    for (size_t i = 0; i < MST_COUNT(must); i++) {
        if (sbx_doc_has(recorded, must[i]) && !sbx_doc_has(reply, must[i])) {
            conf_note(p->conf, "section %s is missing", must[i]);
        }
    }
    if (sbx_doc_has(reply, "locks") || sbx_doc_has(reply, "wiredTiger")) {
        conf_note(p->conf, "a section that is not modelled is served");
    }
}

static unsigned batch_size(const bson_t *reply)
{
    bson_iter_t it, at;
    unsigned n = 0;

    if (bson_iter_init(&it, reply) && bson_iter_find_descendant(&it, "cursor.firstBatch", &at) &&
        bson_iter_recurse(&at, &it)) {
        while (bson_iter_next(&it)) {
            n++;
        }
    }
    return n;
}

/* Runs it with its limit, then takes the limit out. */
static bool same_count(struct sbx_client *client, const struct play_line *l, bson_t *cmd)
{
    bson_t reply, all = BSON_INITIALIZER;
    struct mst_err err = {0};
    bool same;

    (void)!sbx_client_command(client, l->db, cmd, &reply, &err);
    same = batch_size(&reply) == batch_size(&l->reply);
    bson_destroy(&reply);
    bson_copy_to_excluding_noinit(cmd, &all, "limit", NULL);
    bson_destroy(cmd);
    bson_copy_to(&all, cmd);
    bson_destroy(&all);
    return same;
}

/* Of currentOp only clients' operations are compared: the envelope and what a driver ran. */
static void only_clients(const bson_t *reply, bson_t *out)
{
    bson_iter_t it, op, driver;
    bson_t list;
    unsigned n = 0;
    char key[12];

    bson_init(out);
    BSON_APPEND_ARRAY_BEGIN(out, "inprog", &list);
    if (bson_iter_init_find(&it, reply, "inprog") && bson_iter_recurse(&it, &op)) {
        while (bson_iter_next(&op)) {
            bson_iter_t in;

            if (bson_iter_recurse(&op, &in) && bson_iter_find(&in, "connectionId") &&
                !(bson_iter_recurse(&op, &in) &&
                  bson_iter_find_descendant(&in, "clientMetadata.driver.name", &driver) &&
                  strcmp(bson_iter_utf8(&driver, NULL), "NetworkInterfaceTL") == 0)) {
                (void)snprintf(key, sizeof key, "%u", n++);
                bson_append_iter(&list, key, -1, &op);
            }
        }
    }
    bson_append_array_end(out, &list);
    bson_copy_to_excluding_noinit(reply, out, "inprog", NULL);
}

bool play_line(struct play *p, int line)
{
    struct play_line *l = &p->lines[line - 1];
    struct sbx_client *client;
    bson_t cmd, reply;
    struct mst_err err = {0};
    enum mst_rc rc;
    bool same;

    if (!l->has_command) {
        return true;
    }
    p->commands++;
    if (play_skipped(p->file, line)) {
        p->skipped++;
        return true;
    }
    play_sent(p, line);
    client = play_client(p, l->member);
    if (client == NULL) {
        mst_str_addf(&p->conf->diffs, "%s:%d %s: no connection\n", p->file, line, l->name);
        p->conf->failed++;
        return false;
    }
    conf_translate(p->conf, &l->command, &cmd);
    /* Which documents a limit without a sort gives is nobody's promise, but in the oplog: they must
     * be among all. */
    p->conf->subset = strcmp(l->db, "local") != 0 && strcmp(l->name, "find") == 0 &&
                      bson_has_field(&cmd, "limit") && !bson_has_field(&cmd, "sort") &&
                      bson_has_field(&l->reply, "cursor");
    if (p->conf->subset && !same_count(client, l, &cmd)) {
        conf_note(p->conf, "another number of documents");
    }
    rc = sbx_client_command(client, l->db, &cmd, &reply, &err);
    if (rc != MST_OK && rc != MST_E_SERVER) {
        mst_str_addf(&p->conf->diffs, "%s:%d %s: %s\n", p->file, line, l->name, err.msg);
        p->conf->failed++;
        play_hang_up(p, l->member);
        same = false;
    } else {
        bson_t want;

        if (strcmp(l->name, "currentOp") == 0) {
            only_clients(&l->reply, &want);
        } else {
            bson_copy_to(&l->reply, &want);
        }
        same = conf_reply(p->conf, p->file, line, l->name, &l->command, &want, &reply);
        bson_destroy(&want);
        if (strcmp(l->name, "serverStatus") == 0 && rc == MST_OK) {
            check_status(p, &l->reply, &reply);
        }
    }
    bson_destroy(&reply);
    bson_destroy(&cmd);
    return same;
}

void play_lines(struct play *p, int from, int to)
{
    for (int i = from; i <= to && i <= p->n; i++) {
        (void)play_line(p, i);
    }
}
