/* SPDX-License-Identifier: ISC */
/*
 * order.h: what is said between the front end that holds the catalog and a worker, another one that makes the file of a report
 * for it; private to report/.
 *
 *	holder  ---  POST REPORT_ORDER_PATH: a sealed order             --->  worker (worker.h)
 *	holder  <---  200, frames until the file is there, or cannot be  ---  worker
 *
 * An order is an envelope (base/envelope.h), whose plaintext is a value (lmdb/value.h): when it was written, for which
 * worker, by its URL, the build, the settings clickhouse, clickhouse_database and clickhouse_quorum, the report's id, its
 * row (row.c), and the keys of accounts. A worker takes it once: who reads it on its way has no use for it. A frame is a
 * letter, a length of 4 bytes, little-endian, and so many bytes. The connection is the order: when it ends, so does the
 * making.
 */
#ifndef CDRD_REPORT_ORDER_H
#define CDRD_REPORT_ORDER_H

#include "report/report_private.h"

#define REPORT_ORDER_MAX ((size_t)64 << 20) /* bytes of an order, most of them keys of accounts */
#define REPORT_FRAME_MAX ((size_t)256 << 10)
#define REPORT_FRAME_HEAD 5

enum report_frame {
	REPORT_FRAME_DATA = 'd',     /* the file's next bytes */
	REPORT_FRAME_PROGRESS = 'p', /* a struct maker_progress, every second */
	REPORT_FRAME_MADE = 'm',     /* the last one: the file is whole; the row of its report as it has ended */
	REPORT_FRAME_FAILED = 'f',   /* the last one: it cannot be made; why */
};

/* Writes a sealed order of the work, whose report, accounts and plan are there, for the front end of that URL. ERROR_NOMEM. */
MUST_CHECK int report_order_write(const struct report_work *work, const char *url, const struct config *config,
                                  const uint8_t *key, struct buf *out, struct error *err);

/* Those that were taken while they are valid; zeros at first. */
#define REPORT_ORDERS_MAX 16384 /* in five minutes or so */
struct report_orders {
	struct buf list;
};
void report_orders_free(struct report_orders *orders);

/* Fills report and accounts of the work, which is zeroed before, and freed by the caller in any case. ERROR_INVALID: it was not
 * sealed by a front end of this catalog a moment ago, for this one, or was taken before. ERROR_CONFLICT: that one is of another
 * version, or its records are elsewhere. ERROR_UNAVAILABLE: no more are noted among `orders` now. */
MUST_CHECK int report_order_read(struct report_work *work, const struct config *config, const uint8_t *key,
                                 struct report_orders *orders, struct str sealed, struct error *err);

void report_frame_add(struct buf *out, enum report_frame kind, struct str bytes);

/* Looks at the frame that `in` begins with: 1; 0: it is not whole yet; -1: it is none. Its length is REPORT_FRAME_HEAD and that of
 * the bytes, which borrow from `in`. */
int report_frame_look(struct str in, enum report_frame *kind, struct str *bytes);

void report_progress_write(struct buf *out, const struct maker_progress *progress);
bool report_progress_read(struct str bytes, struct maker_progress *progress);

#endif
