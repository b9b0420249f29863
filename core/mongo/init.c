#include <mongoc/mongoc.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "log/log.h"
#include "mongo/mongo.h"

static void driver_log(mongoc_log_level_t level, const char *domain, const char *message, void *arg)
{
    (void)arg;
    switch (level) {
    case MONGOC_LOG_LEVEL_ERROR:
    case MONGOC_LOG_LEVEL_CRITICAL:
    case MONGOC_LOG_LEVEL_WARNING: /* it warns about what its caller is told anyway */
        mst_log(MST_LOG_WARN, "mongoc", "%s: %s", domain, message);
        break;
    case MONGOC_LOG_LEVEL_MESSAGE:
    case MONGOC_LOG_LEVEL_INFO:
    case MONGOC_LOG_LEVEL_DEBUG:
    case MONGOC_LOG_LEVEL_TRACE:
    default:
        mst_log(MST_LOG_DEBUG, "mongoc", "%s: %s", domain, message);
        break;
    }
}

/* The driver's own constructor has made a shared-memory file for its counters, named by our pid. A
 * process that is killed would leave it behind, and a later one with that pid complain on stderr.
 * Nobody reads it: it loses its name before main begins, the mapping stays. */
__attribute__((constructor)) static void unname_counters(void)
{
    char name[32];

    (void)snprintf(name, sizeof(name), "/mongoc-%d", (int)getpid());
    (void)shm_unlink(name);
}

void mst_mongo_init(void)
{
    /* Before mongoc_init: it writes to stderr from its first line on. */
    mongoc_log_set_handler(driver_log, NULL);
    mongoc_init();
}

void mst_mongo_cleanup(void)
{
    mongoc_cleanup();
}
