/* call.c: refusing and waiting, for command handlers. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "world/world.h"

struct code {
    int code;
    const char *name, *name_70; /* NULL: the same */
};

static const struct code codes[] = {
    {1, "InternalError", NULL},
    {2, "BadValue", NULL},
    {4, "NoSuchKey", NULL},
    {5, "GraphContainsCycle", NULL},
    {6, "HostUnreachable", NULL},
    {7, "HostNotFound", NULL},
    {8, "UnknownError", NULL},
    {9, "FailedToParse", NULL},
    {10, "CannotMutateObject", NULL},
    {11, "UserNotFound", NULL},
    {12, "UnsupportedFormat", NULL},
    {13, "Unauthorized", NULL},
    {14, "TypeMismatch", NULL},
    {15, "Overflow", NULL},
    {16, "InvalidLength", NULL},
    {17, "ProtocolError", NULL},
    {18, "AuthenticationFailed", NULL},
    {20, "IllegalOperation", NULL},
    {22, "InvalidBSON", NULL},
    {23, "AlreadyInitialized", NULL},
    {24, "LockTimeout", NULL},
    {26, "NamespaceNotFound", NULL},
    {27, "IndexNotFound", NULL},
    {28, "PathNotViable", NULL},
    {29, "NonExistentPath", NULL},
    {31, "RoleNotFound", NULL},
    {35, "CannotBackfillArray", NULL},
    {40, "ConflictingUpdateOperators", NULL},
    {43, "CursorNotFound", NULL},
    {48, "NamespaceExists", NULL},
    {50, "MaxTimeMSExpired", NULL},
    {52, "DollarPrefixedFieldName", NULL},
    {53, "InvalidIdField", NULL},
    {54, "NotSingleValueField", NULL},
    {55, "InvalidDBRef", NULL},
    {56, "EmptyFieldName", NULL},
    {57, "DottedFieldName", NULL},
    {59, "CommandNotFound", NULL},
    {61, "ShardKeyNotFound", NULL},
    {62, "OplogOperationUnsupported", NULL},
    {64, "WriteConcernFailed", NULL},
    {65, "MultipleErrorsOccurred", NULL},
    {66, "ImmutableField", NULL},
    {67, "CannotCreateIndex", NULL},
    {68, "IndexAlreadyExists", NULL},
    {70, "ShardNotFound", NULL},
    {71, "ReplicaSetNotFound", NULL},
    {72, "InvalidOptions", NULL},
    {73, "InvalidNamespace", NULL},
    {74, "NodeNotFound", NULL},
    {75, "WriteConcernLegacyOK", NULL},
    {76, "NoReplicationEnabled", NULL},
    {79, "UnknownReplWriteConcern", NULL},
    {82, "NoProgressMade", NULL},
    {85, "IndexOptionsConflict", NULL},
    {86, "IndexKeySpecsConflict", NULL},
    {89, "NetworkTimeout", NULL},
    {90, "CallbackCanceled", NULL},
    {91, "ShutdownInProgress", NULL},
    {93, "InvalidReplicaSetConfig", NULL},
    {94, "NotYetInitialized", NULL},
    {95, "NotSecondary", NULL},
    {96, "OperationFailed", NULL},
    {100, "CannotSatisfyWriteConcern", "UnsatisfiableWriteConcern"},
    {103, "NewReplicaSetConfigurationIncompatible", NULL},
    {104, "NodeNotElectable", NULL},
    {105, "IncompatibleShardingMetadata", NULL},
    {107, "LockFailed", NULL},
    {109, "ConfigurationInProgress", NULL},
    {112, "WriteConflict", NULL},
    {115, "CommandNotSupported", NULL},
    {116, "DocTooLargeForCapped", NULL},
    {117, "ConflictingOperationInProgress", NULL},
    {119, "InvalidSyncSource", NULL},
    {120, "OplogStartMissing", NULL},
    {121, "DocumentValidationFailure", NULL},
    {123, "NotAReplicaSet", NULL},
    {124, "IncompatibleElectionProtocol", NULL},
    {125, "CommandFailed", NULL},
    {127, "UnrecoverableRollbackError", NULL},
    {134, "ReadConcernMajorityNotAvailableYet", NULL},
    {136, "CappedPositionLost", NULL},
    {146, "ExceededMemoryLimit", NULL},
    {148, "ReadConcernMajorityNotEnabled", NULL},
    {160, "InvalidViewDefinition", NULL},
    {165, "ViewDepthLimitExceeded", NULL},
    {166, "CommandNotSupportedOnView", NULL},
    {167, "OptionNotSupportedOnView", NULL},
    {168, "InvalidPipelineOperator", NULL},
    {169, "CommandOnShardedViewNotSupportedOnMongod", NULL},
    {171, "CannotIndexParallelArrays", NULL},
    {175, "QueryPlanKilled", NULL},
    {189, "PrimarySteppedDown", NULL},
    {193, "CannotCreateCollection", NULL},
    {197, "InvalidIndexSpecificationOption", NULL},
    {202, "NetworkInterfaceExceededTimeLimit", NULL},
    {206, "NoSuchSession", NULL},
    {211, "KeyNotFound", NULL},
    {225, "TransactionTooOld", NULL},
    {238, "NotImplemented", NULL},
    {239, "SnapshotTooOld", NULL},
    {244, "TransactionAborted", NULL},
    {246, "SnapshotUnavailable", NULL},
    {251, "NoSuchTransaction", NULL},
    {256, "TransactionCommitted", NULL},
    {257, "TransactionTooLarge", NULL},
    {262, "ExceededTimeLimit", NULL},
    {263, "OperationNotSupportedInTransaction", NULL},
    {276, "IndexBuildAborted", NULL},
    {280, "ChangeStreamFatalError", NULL},
    {281, "UnknownFormatVersion", NULL},
    {290, "TransactionExceededLifetimeLimitSeconds", NULL},
    {308, "Location308", "CurrentConfigNotCommittedYet"},
    {352, "UnsupportedOpQueryCommand", NULL},
    {361, "APIDeprecationError", NULL},
    {9001, "SocketException", NULL},
    {10003, "CannotGrowDocumentInCappedNamespace", NULL},
    {10107, "NotMaster", "NotWritablePrimary"},
    {10334, "BSONObjectTooLarge", NULL},
    {11000, "DuplicateKey", NULL},
    {11600, "InterruptedAtShutdown", NULL},
    {11601, "Interrupted", NULL},
    {11602, "InterruptedDueToReplStateChange", NULL},
    {13297, "DatabaseDifferCase", NULL},
    {13435, "NotMasterNoSlaveOk", "NotPrimaryNoSecondaryOk"},
    {13436, "NotMasterOrSecondary", "NotPrimaryOrSecondary"},
    {14031, "OutOfDiskSpace", NULL},
};

const char *sbx_code_name(const struct sbx_profile *p, int code, char *buf)
{
    for (size_t i = 0; i < MST_COUNT(codes); i++) {
        if (codes[i].code == code) {
            return p->server != SBX_42 && codes[i].name_70 != NULL ? codes[i].name_70
                                                                   : codes[i].name;
        }
    }
    (void)snprintf(buf, 32, "Location%d", code);
    return buf;
}

void sbx_fail(struct sbx_call *c, int code, const char *fmt, ...)
{
    va_list ap;

    if (c->failed) {
        return;
    }
    c->failed = true;
    c->error_code = code;
    va_start(ap, fmt);
    (void)vsnprintf(c->errmsg, sizeof c->errmsg, fmt, ap);
    va_end(ap);
}

void sbx_fail_label(struct sbx_call *c, const char *label)
{
    bson_t array;

    if (c->error_extra == NULL) {
        c->error_extra = bson_new();
    }
    bson_append_array_begin(c->error_extra, "errorLabels", -1, &array);
    BSON_APPEND_UTF8(&array, "0", label);
    bson_append_array_end(c->error_extra, &array);
}

/* Why this call may not go on, 0 when it may. */
static int interrupted(const struct sbx_call *c)
{
    const struct sbx_conn *conn = c->conn;

    if (c->w->stopping || !c->m->alive ||
        (conn != NULL && (conn->dead || conn->generation != c->m->generation))) {
        return 11600;
    }
    return conn != NULL ? conn->killed_op : 0;
}

enum sbx_woke sbx_wait(struct sbx_call *c, int64_t deadline_mono_ms)
{
    struct sbx_world *w = c->w;
    bool late = false;

    if (interrupted(c) == 0) {
        const int64_t left = deadline_mono_ms - sbx_mono(w);
        if (deadline_mono_ms == INT64_MAX) {
            mst_cond_wait(&w->changed, &w->mu);
        } else if (left <= 0 || !mst_cond_wait_ms(&w->changed, &w->mu, left)) {
            late = true;
        }
    }
    while (c->m->frozen && interrupted(c) == 0) {
        mst_cond_wait(&w->changed, &w->mu);
    }
    const int code = interrupted(c);
    if (code != 0) {
        sbx_fail(c, code, "%s",
                 code == 11600 ? "interrupted at shutdown" : "operation was interrupted");
        return SBX_INTERRUPTED;
    }
    return late ? SBX_DEADLINE : SBX_WOKE;
}
