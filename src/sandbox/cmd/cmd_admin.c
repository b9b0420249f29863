/* cmd_admin.c: facts about a member's program and machine. */
#include <gnu/libc-version.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "auth/auth.h"
#include "base/mem.h"
#include "cmd/cmd.h"
#include "cmd/facts.h"
#include "wire/client.h"

void sbx_facts_host(const struct sbx_member *m, char *out, size_t size)
{
    char name[256] = "localhost";

    (void)gethostname(name, sizeof name - 1);
    (void)snprintf(out, size, "%s:%d", name, m->port);
}

static void build_info(struct sbx_call *c)
{
    const struct sbx_profile *p = c->w->profile;
    bson_t list;
    char num[12];

    BSON_APPEND_UTF8(c->reply, "version", p->version);
    BSON_APPEND_UTF8(c->reply, "gitVersion", "simulated by muster sandbox");
    BSON_APPEND_ARRAY_BEGIN(c->reply, "modules", &list);
    bson_append_array_end(c->reply, &list);
    BSON_APPEND_UTF8(c->reply, "allocator", "system");
    BSON_APPEND_UTF8(c->reply, "javascriptEngine", "none");
    BSON_APPEND_UTF8(c->reply, "sysInfo", "deprecated");
    BSON_APPEND_ARRAY_BEGIN(c->reply, "versionArray", &list);
    for (int i = 0; i < 4; i++) {
        (void)snprintf(num, sizeof num, "%d", i);
        BSON_APPEND_INT32(&list, num, p->version_array[i]);
    }
    bson_append_array_end(c->reply, &list);
    BSON_APPEND_INT32(c->reply, "bits", 64);
    BSON_APPEND_BOOL(c->reply, "debug", false);
    BSON_APPEND_INT32(c->reply, "maxBsonObjectSize", 16 * 1024 * 1024);
    BSON_APPEND_ARRAY_BEGIN(c->reply, "storageEngines", &list);
    BSON_APPEND_UTF8(&list, "0", "wiredTiger");
    bson_append_array_end(c->reply, &list);
}

static void cmd_line(struct sbx_call *c)
{
    char port[12], mb[24];
    const char *argv[16] = {"mongod",    "--port", port,          "--bind_ip", "127.0.0.1",
                            "--replSet", NULL,     "--oplogSize", mb};
    const int64_t oplog_mb = (int64_t)(c->w->oplog_bytes >> 20);
    bson_t list, parsed, part;
    int n = 9;

    (void)snprintf(port, sizeof port, "%d", c->m->port);
    (void)snprintf(mb, sizeof mb, "%lld", (long long)oplog_mb);
    argv[6] = c->w->config.set;
    if (sbx_auth_enabled(c->w)) {
        argv[n++] = "--auth";
    }
    BSON_APPEND_ARRAY_BEGIN(c->reply, "argv", &list);
    for (int i = 0; i < n; i++) {
        char key[12];

        (void)snprintf(key, sizeof key, "%d", i);
        BSON_APPEND_UTF8(&list, key, argv[i]);
    }
    bson_append_array_end(c->reply, &list);
    BSON_APPEND_DOCUMENT_BEGIN(c->reply, "parsed", &parsed);
    BSON_APPEND_DOCUMENT_BEGIN(&parsed, "net", &part);
    BSON_APPEND_UTF8(&part, "bindIp", "127.0.0.1");
    BSON_APPEND_INT32(&part, "port", c->m->port);
    bson_append_document_end(&parsed, &part);
    BSON_APPEND_DOCUMENT_BEGIN(&parsed, "replication", &part);
    BSON_APPEND_INT32(&part, "oplogSizeMB", (int32_t)oplog_mb);
    BSON_APPEND_UTF8(&part, "replSet", c->w->config.set);
    bson_append_document_end(&parsed, &part);
    if (sbx_auth_enabled(c->w)) {
        BSON_APPEND_DOCUMENT_BEGIN(&parsed, "security", &part);
        BSON_APPEND_UTF8(&part, "authorization", "enabled");
        bson_append_document_end(&parsed, &part);
    }
    bson_append_document_end(c->reply, &parsed);
}

static void host_info(struct sbx_call *c)
{
    const int64_t page = sysconf(_SC_PAGESIZE), pages = sysconf(_SC_PHYS_PAGES);
    struct rlimit files = {0};
    struct utsname u;
    char host[300];
    bson_t part;

    memset(&u, 0, sizeof u);
    (void)uname(&u);
    (void)getrlimit(RLIMIT_NOFILE, &files);
    sbx_facts_host(c->m, host, sizeof host);
    BSON_APPEND_DOCUMENT_BEGIN(c->reply, "system", &part);
    BSON_APPEND_DATE_TIME(&part, "currentTime", sbx_utc(c->w));
    BSON_APPEND_UTF8(&part, "hostname", host);
    BSON_APPEND_INT32(&part, "cpuAddrSize", 64);
    BSON_APPEND_INT32(&part, "memSizeMB", (int32_t)(page * pages >> 20));
    BSON_APPEND_INT32(&part, "memLimitMB", (int32_t)(page * pages >> 20));
    BSON_APPEND_INT32(&part, "numCores", (int32_t)sysconf(_SC_NPROCESSORS_ONLN));
    BSON_APPEND_UTF8(&part, "cpuArch", u.machine);
    BSON_APPEND_BOOL(&part, "numaEnabled", false);
    bson_append_document_end(c->reply, &part);
    BSON_APPEND_DOCUMENT_BEGIN(c->reply, "os", &part);
    BSON_APPEND_UTF8(&part, "type", u.sysname);
    BSON_APPEND_UTF8(&part, "name", u.sysname);
    BSON_APPEND_UTF8(&part, "version", u.release);
    bson_append_document_end(c->reply, &part);
    BSON_APPEND_DOCUMENT_BEGIN(c->reply, "extra", &part);
    BSON_APPEND_UTF8(&part, "versionString", u.version);
    BSON_APPEND_UTF8(&part, "libcVersion", gnu_get_libc_version());
    BSON_APPEND_UTF8(&part, "kernelVersion", u.release);
    BSON_APPEND_INT64(&part, "pageSize", page);
    BSON_APPEND_INT32(&part, "numPages", (int32_t)pages);
    BSON_APPEND_INT32(&part, "maxOpenFiles", (int32_t)files.rlim_cur);
    bson_append_document_end(c->reply, &part);
}

static void whats_my_uri(struct sbx_call *c)
{
    BSON_APPEND_UTF8(c->reply, "you", c->conn != NULL ? c->conn->peer : "");
}

static void get_parameter(struct sbx_call *c)
{
    bson_iter_t it;
    bool found = false;

    bson_iter_init(&it, c->cmd);
    (void)bson_iter_next(&it); /* the command itself */
    while (bson_iter_next(&it)) {
        const char *key = bson_iter_key(&it);

        if (strcmp(key, "featureCompatibilityVersion") == 0) {
            bson_t v;

            BSON_APPEND_DOCUMENT_BEGIN(c->reply, key, &v);
            BSON_APPEND_UTF8(&v, "version", c->w->profile->fcv);
            bson_append_document_end(c->reply, &v);
            found = true;
        } else if (strcmp(key, "transactionLifetimeLimitSeconds") == 0) {
            BSON_APPEND_INT32(c->reply, key, c->w->txn_lifetime_s != 0 ? c->w->txn_lifetime_s : 60);
            found = true;
        } else {
            found = sbx_parameter_append(c, key, key, c->reply) || found;
        }
    }
    if (!found) {
        c->error_plain = true;
        sbx_fail(c, 0, "no option found to get");
    }
}

static void get_log(struct sbx_call *c)
{
    const char *which = sbx_doc_str(c->cmd, "getLog");
    bson_t list;

    if (which != NULL && strcmp(which, "*") == 0) {
        BSON_APPEND_ARRAY_BEGIN(c->reply, "names", &list);
        BSON_APPEND_UTF8(&list, "0", "startupWarnings");
    } else if (which != NULL && strcmp(which, "startupWarnings") == 0) {
        BSON_APPEND_INT32(c->reply, "totalLinesWritten", 0);
        BSON_APPEND_ARRAY_BEGIN(c->reply, "log", &list);
    } else {
        c->error_plain = true;
        sbx_fail(c, 0, "no RamLog named: %.64s", which != NULL ? which : "");
        return;
    }
    bson_append_array_end(c->reply, &list);
}

/* Known to the server, not to the simulator: said by name, never answered as if it had run. */
static void refused(struct sbx_call *c)
{
    sbx_fail(c, 115, "%s is not served by the sandbox", c->name);
}

const struct sbx_cmd sbx_cmds_admin[] = {
    {"buildInfo", build_info, SBX_CMD_NO_AUTH | SBX_CMD_ARBITER, NULL},
    {"buildinfo", build_info, SBX_CMD_NO_AUTH | SBX_CMD_ARBITER, NULL},
    {"getCmdLineOpts", cmd_line, SBX_CMD_ADMIN | SBX_CMD_ARBITER, NULL},
    {"hostInfo", host_info, SBX_CMD_ARBITER, NULL},
    {"whatsmyuri", whats_my_uri, SBX_CMD_NO_AUTH | SBX_CMD_ARBITER, NULL},
    {"getParameter", get_parameter, SBX_CMD_ADMIN | SBX_CMD_ARBITER, NULL},
    {"getLog", get_log, SBX_CMD_ADMIN | SBX_CMD_ARBITER, NULL},
    {"serverStatus", sbx_facts_status, SBX_CMD_ARBITER, NULL},
    {"currentOp", sbx_facts_current_op, SBX_CMD_ADMIN | SBX_CMD_ARBITER, NULL},
    {"killOp", sbx_facts_kill_op, SBX_CMD_ADMIN | SBX_CMD_ARBITER, NULL},
    {0}};

const struct sbx_cmd sbx_cmds_refused[] = {
    {"replSetMaintenance", refused, SBX_CMD_ADMIN, NULL},
    {"replSetSyncFrom", refused, SBX_CMD_ADMIN, NULL},
    {"setFeatureCompatibilityVersion", refused, SBX_CMD_ADMIN, NULL},
    {"validate", refused, 0, NULL},
    {"compact", refused, 0, NULL},
    {"reIndex", refused, 0, NULL},
    {"cloneCollectionAsCapped", refused, 0, NULL},
    {"mapReduce", refused, 0, NULL},
    {"explain", refused, 0, NULL},
    {"top", refused, SBX_CMD_ADMIN, NULL},
    {"shutdown", refused, SBX_CMD_ADMIN, NULL},
    {"logRotate", refused, SBX_CMD_ADMIN, NULL},
    {"prepareTransaction", refused, 0, NULL},
    {0}};
