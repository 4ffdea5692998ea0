/* SPDX-License-Identifier: ISC */
/*
 * quarantine.h: records that ingest rejected, kept with the reason so that they can be mended and replayed.
 *
 * Entries are put into the open transaction and become durable with meta_commit. Numbers ascend and are
 * never reused. What is older than quarantine_keep, or over quarantine_max bytes, is dropped in slices, oldest first.
 */
#ifndef CDRD_META_QUARANTINE_H
#define CDRD_META_QUARANTINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"
#include "record/ingest_settings.h"
#include "record/parse.h"

struct meta;

struct quarantine_entry {
	uint64_t number;     /* 0 in a put */
	int64_t time_us;     /* when it was rejected */
	struct str producer; /* who sent it; "import" for the admin socket */
	struct str field;    /* at fault, the first of them, or empty */
	struct str reason;   /* of all faults */

	struct str account, id, product; /* as far as they could be read, else empty */

	/* What it takes to read it again as it was read: parse_write_body, a parser of the format and the settings. */
	enum parse_format format;
	struct str raw;          /* the record byte for byte as it was sent, but see `converted_from` */
	bool raw_cut;            /* the record was longer */
	struct str header;       /* of CSV */
	struct str product_name; /* of records that name none, or empty */
	struct ingest_settings settings;
	struct str
		converted_from; /* the encoding that raw and header were in before they were made UTF-8; empty: as sent */
};

/* On -1 all that waits for meta_commit is lost. */
MUST_CHECK int quarantine_put(struct meta *meta, const struct quarantine_entry *entry, struct error *err);

/* From `from` on, ascending; the entry's texts die when fn returns; false ends it. */
typedef bool (*quarantine_fn)(void *arg, const struct quarantine_entry *entry);
MUST_CHECK int quarantine_each(struct meta *meta, uint64_t from, quarantine_fn fn, void *arg, struct error *err);
/* The same from the newest on, descending. */
MUST_CHECK int quarantine_each_back(struct meta *meta, quarantine_fn fn, void *arg, struct error *err);

/* Durable at once. ERROR_NOT_FOUND if there is no such entry. */
MUST_CHECK int quarantine_drop(struct meta *meta, uint64_t number, struct error *err);

/* Drops those of `numbers` that exist, in one durable change. */
MUST_CHECK int quarantine_drop_each(struct meta *meta, const uint64_t *numbers, size_t count, struct error *err);

struct quarantine_limits {
	int64_t oldest_us; /* entries from before that are too old */
	int64_t newest_us; /* none can be from after that: it is noted as of then, so that it does not stay for years */
	uint64_t max_bytes;
};

/* Drops up to `max` entries that are too old or too many, durably; returns how many, or -1. *pushed_out (may be NULL)
 * of them went because there were too many. Where the oldest is from the future, the first `max` are looked at for such. */
MUST_CHECK int quarantine_expire(struct meta *meta, const struct quarantine_limits *limits, int max,
                                 uint64_t *pushed_out, struct error *err);

struct quarantine_stats {
	uint64_t entries;
	uint64_t bytes; /* of the pages that hold them */
};
MUST_CHECK int quarantine_stats(struct meta *meta, struct quarantine_stats *stats, struct error *err);

/* What is at the ends: when the oldest was rejected, and the number of the newest; both 0 if there is none. */
struct quarantine_ends {
	int64_t oldest_us;
	uint64_t newest;
};
MUST_CHECK int quarantine_ends(struct meta *meta, struct quarantine_ends *ends, struct error *err);

/* How old the oldest is; 0 if there is none, or it cannot be read. */
int64_t quarantine_age_us(struct meta *meta, int64_t now_us);

#endif
