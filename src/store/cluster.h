/* SPDX-License-Identifier: ISC */
/*
 * cluster.h: records in a ClickHouse cluster, in place of days on this host: an engine (engine.h), and what it cannot do.
 * docs/CLUSTER.md tells of it.
 */
#ifndef CDRD_STORE_CLUSTER_H
#define CDRD_STORE_CLUSTER_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

#define CLUSTER_WHY_MAX 320

struct meta;
struct store;
struct store_ops;

/* --- numbers of changes, where several front ends take records in (store/cluster/spans.h) --- */

#define STORE_DOUBTS_MAX 16
#define STORE_CHANGED_BYTES 1024 /* a bit for each of the slots in which the feed notes that something has changed */

/* Rows of these versions may be there that nobody was told of. */
struct store_doubts {
	size_t count;
	struct store_doubt {
		uint64_t from, to;
	} list[STORE_DOUBTS_MAX];
};

/* What has changed by a commit. */
struct store_changed {
	uint8_t bits[STORE_CHANGED_BYTES];
};

/* For a commit: of which records, by hashes of their ids, and how many numbers it needs at most. */
struct store_numbers_request {
	const uint64_t *hashes;
	size_t count;
	uint64_t numbers;
	uint64_t
		catalog; /* all was checked with this transaction of the catalog, or a later one (meta_shared_number) */
	uint64_t rejected; /* and what was rejected with this one, or a later one; 0: nothing was */
};

/* What it is given. */
struct store_numbers {
	uint64_t from, to;
	struct store_doubts doubts;
};

/* Where a front end that does not hold the catalog has them from: the one that does. Called back from the loop alone. */
struct store_asked;
struct store_numbers_calls {
	void (*given)(void *arg, const struct store_numbers *numbers,
	              const struct error *err); /* with an error, it is the end */
	/* All is stored and has settled; or what was given is not valid any more, at any time, as nobody is there. It is
	 * the end. */
	void (*ended)(void *arg, const struct error *err);
};
struct store_numbers_source {
	/* The hashes live until the end. NULL with *err. */
	struct store_asked *(*begin)(void *arg, const struct store_numbers_request *request,
	                             const struct store_numbers_calls *calls, void *calls_arg, struct error *err);
	/* All is stored, and `ended` follows, from within where the other one cannot be told; or it is not, and nothing is
	 * called any more. */
	void (*end)(struct store_asked *asked, bool is_stored, const struct store_changed *changed);
	void *arg;
};

/* Of the one that has them: numbers for a commit of another front end, of which `granted`, and then `settled` with NULL or why
 * not, are called from the loop; after `settled`, the span is gone. NULL with *err. */
struct store_span;
struct store_span_calls {
	void (*granted)(void *arg, const struct store_numbers *numbers);
	void (*settled)(void *arg, const struct error *err);
};
MUST_CHECK struct store_span *store_span_begin(struct store *store, const struct store_numbers_request *request,
                                               const struct store_span_calls *calls, void *arg, struct error *err);

/* The commit whose numbers begin with `from` has stored all, or will not. False if there is none that is open. */
bool store_span_end(struct store *store, uint64_t from, bool is_stored, const struct store_changed *changed);

/* The other front end is not heard of any more: nothing is called. What may be on its way to servers is waited for. */
void store_span_leave(struct store_span *span);

/* Both as bytes, as front ends send them to each other. Read into: false if it is not what was written; `hashes` gets them, and
 * is the caller's to free. */
#define STORE_NUMBERS_BYTES (8 * (3 + 2 * STORE_DOUBTS_MAX))
void store_numbers_write_request(struct buf *out, const struct store_numbers_request *request);
MUST_CHECK bool store_numbers_read_request(struct str text, struct store_numbers_request *request, struct buf *hashes);
void store_numbers_write(struct buf *out, const struct store_numbers *numbers);
MUST_CHECK bool store_numbers_read(struct str text, struct store_numbers *numbers);

/* --- the engine --- */

/* For store_options.cluster; the texts are as of clickhouse_options. */
struct store_cluster {
	struct event_base *base;
	const char *hosts, *user, *password, *database, *ca_file;
	size_t quorum; /* replicas that must have a row before it is acknowledged; 0 and 1: the one that took it */
	int64_t patience_us; /* how long a query may take, with all its attempts */
	const struct store_numbers_source
		*numbers; /* of a front end that does not hold the catalog; or NULL. Is not copied */
};

extern const struct store_ops store_cluster_engine;

/* Of a front end that does not hold the catalog: takes over which days are being dropped, as its copy of the catalog has it now. */
MUST_CHECK int store_cluster_take_dropping(struct store *store, struct error *err);

/* A record was rejected, by the catalog as it is now, and the next commit decides about it, too. Does nothing for another
 * engine. */
void store_cluster_note_rejected(struct store *store);

/* Has the cluster shown its tables since the start? Until then nothing can be read. True without a cluster. */
bool store_cluster_is_known(const struct store *store);

/* Does the cluster not serve now? `why` then names the part that is missing. False without a cluster. */
bool store_cluster_is_missing(const struct store *store, char *why, size_t size);

/* For what reads or changes days by themselves: ERROR_INVALID where records are in a cluster. */
MUST_CHECK int store_needs_days(const struct store *store, const char *what, struct error *err);

/* For a start without a cluster, before store_open: ERROR_INVALID if records of this data directory are in one, as they
 * would not be found. */
MUST_CHECK int store_cluster_is_unused(struct meta *meta, const char *data_dir, struct error *err);

/* Makes the database and its tables on every shard, where they are not yet. Runs a loop of its own until it is done. */
MUST_CHECK int store_cluster_migrate(const struct store_cluster *options, struct error *err);

#endif
