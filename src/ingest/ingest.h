/*
 * ingest.h: batches of records in, acknowledged after they are on disk.
 *
 * A batch is one request's (or one import's) records. Pieces of its body are parsed as they come, checked, and put
 * into the store's open transactions; when the body has ended the batch waits for the commit that all batches of the
 * same turn of the loop (or commit_delay) share. Large bodies are committed on the way, every commit_records_max
 * records. Rejected records go to quarantine in the same commit.
 */
#ifndef CDRD_INGEST_INGEST_H
#define CDRD_INGEST_INGEST_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/config.h"
#include "base/error.h"
#include "record/parse.h"
#include "store/store.h"

struct ingest;
struct ingest_batch;

/* `config` and `store` stay the caller's and must outlive it. NULL when out of memory. */
struct ingest *ingest_new(struct event_base *base, const struct config *config, struct store *store);

/* Commits what waits and answers it. Does nothing on NULL. */
void ingest_free(struct ingest *ingest);

struct ingest_summary {
	uint64_t accepted, updated, duplicates, rejected;
};

/* Called once when everything of the batch is on disk (err NULL) or could not be written (err set: nothing of it is
 * acknowledged). `answer` is the JSON of the issue: {"accepted",...,"errors":[...]}. The batch is gone afterwards. */
typedef void (*ingest_done_fn)(void *arg, const struct ingest_summary *summary, struct buf *answer,
                               const struct error *err);

/* `producer` is copied; it stands in quarantine entries. NULL for records that are in quarantine already: what is
 * rejected of them is not put there again. `product_name` as in parser_new. */
struct ingest_batch *ingest_batch_new(struct ingest *ingest, enum parse_format format, const char *producer,
                                      const char *product_name, ingest_done_fn done, void *arg, struct error *err);

/* Takes the next piece. Faults of records are counted, not returned. */
void ingest_batch_feed(struct ingest_batch *batch, const char *data, size_t len);

/* The body is complete; `done` follows after the commit, never from within this call. */
void ingest_batch_finish(struct ingest_batch *batch);

/* The client is gone: what was put stays and is committed, `done` is not called. */
void ingest_batch_abandon(struct ingest_batch *batch);

/* Counts so far, for an import's progress. */
void ingest_batch_summary(const struct ingest_batch *batch, struct ingest_summary *summary);

struct ingest_stats {
	struct ingest_summary total;
	uint64_t commits;
	int64_t commit_us_max; /* the longest commit since start */
};
void ingest_stats(const struct ingest *ingest, struct ingest_stats *stats);

#endif
