/* SPDX-License-Identifier: ISC */
/*
 * table.h: the rows of reports in the catalog environment; private to report/.
 *
 * `reports` holds a row per job under its id. `report_index` has keys that begin with a letter:
 *
 *	a account's key(8) received(8) id(36)  -> nothing            an account's jobs in order of receipt
 *	t received(8) id(36)             -> nothing            everyone's
 *	q received(8) id(36)             -> nothing            jobs that have not ended
 *	d due(8) id(36)                  -> nothing            ended jobs, by when something of them expires
 *	f file id(36)                    -> id(36)             jobs by their files, while there are any
 *	k creator's key(8) key                 -> id(36) hash(8)     jobs by their idempotency keys
 *	m id(36)                         -> keys of accounts(8 each) the accounts that a job with subaccounts reads, once started
 *
 * Times are microseconds, big-endian with the sign flipped, so that keys sort by them.
 */
#ifndef CDRD_REPORT_TABLE_H
#define CDRD_REPORT_TABLE_H

#include "report/report.h"
#include "meta/rows.h"
#include "meta/change.h"

/* row.c */
void report_row_write(struct buf *out, const struct report *report);
MUST_CHECK int report_row_read(struct report *report, struct str id, struct str bytes, struct error *err);

/* --- changes; each 0 or -1 --- */

MUST_CHECK int table_put(struct change *change, const struct report *report, struct error *err);

/* As table_put, in a change of its own. */
MUST_CHECK int table_write(struct meta *meta, const struct report *report, struct error *err);

/* A new job: its row and what leads to it. */
MUST_CHECK int table_add(struct change *change, const struct report *report, uint64_t body_hash, struct error *err);

/* Notes the outcome of an attempt at a job's callback; does nothing when the job no longer exists. A
 * callbacks_outcome_fn without its `arg`. */
struct callback_info;
MUST_CHECK int table_note_callback(struct change *change, const struct callback_info *info, struct error *err);

MUST_CHECK int table_put_members(struct change *change, const struct report *report, struct str accounts,
                                 struct error *err);

/* Ends a job: writes its row, removes it from the queue; due again at `due_us`. */
MUST_CHECK int table_end(struct change *change, const struct report *report, int64_t due_us, struct error *err);

/* An ended job that was due at `was_us` loses its file and is due again; or is removed entirely. */
MUST_CHECK int table_drop_file(struct change *change, const struct report *report, int64_t was_us, int64_t due_us,
                               struct error *err);
/* Puts a job to be remade back into the queue. Its file stays indexed. */
MUST_CHECK int table_requeue(struct change *change, const struct report *report, int64_t was_us, struct error *err);
MUST_CHECK int table_move_due(struct change *change, const struct report *report, int64_t was_us, int64_t due_us,
                              struct error *err);
MUST_CHECK int table_remove(struct change *change, const struct report *report, int64_t was_us, struct error *err);

/* Removes an entry whose job is gone. */
MUST_CHECK int table_remove_due(struct change *change, struct str id, int64_t was_us, struct error *err);

/* --- reading: 1, 0 if there is none, -1 --- */

MUST_CHECK int table_get(struct meta *meta, struct str id, struct report *report, struct error *err);
MUST_CHECK int table_find_file(struct meta *meta, struct str file_id, char id[ID_UUID_LEN + 1], struct error *err);
MUST_CHECK int table_find_key(struct meta *meta, const struct account_key *creator, struct str key,
                              char id[ID_UUID_LEN + 1], uint64_t *body_hash, struct error *err);
MUST_CHECK int table_get_members(struct meta *meta, struct str id, struct buf *accounts, struct error *err);

struct table_due {
	char id[ID_UUID_LEN + 1];
	int64_t at_us;
};

/* The first `max` jobs due by `now_us`: their number, or -1. */
MUST_CHECK int table_find_due(struct meta *meta, int64_t now_us, struct table_due *due, int max, struct error *err);

/* Calls fn with each job that has not ended, oldest first, until it returns false. */
typedef bool (*table_queue_fn)(void *arg, struct str id);
MUST_CHECK int table_each_queued(struct meta *meta, table_queue_fn fn, void *arg, struct error *err);

/* As reports_each, without progress. */
MUST_CHECK int table_each(struct meta *meta, const struct account_key *account, int64_t from_us, int64_t to_us,
                          reports_fn fn, void *arg, struct error *err);

#endif
