/* sessions.h: config.transactions, as every member keeps it for itself. */
#ifndef SBX_DATA_SESSIONS_H
#define SBX_DATA_SESSIONS_H

#include "data/data.h"

#define SBX_TRANSACTIONS_NS "config.transactions"

/* An entry that a member wrote or applied: when it carries lsid and txnNumber, the session's record
 * is put up to date. For log_write and for the application of entries; never logged itself. */
void sbx_data_note_session(struct sbx_data *d, struct sbx_doc entry);

#endif
