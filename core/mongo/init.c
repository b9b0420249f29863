#include <mongoc/mongoc.h>

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
