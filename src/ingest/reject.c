/*
 * reject.c: rejected records into quarantine, and out of it again when they are too old or too many.
 *
 * What a producer sends wrongly must not fill the disk, nor the catalog's map, in which accounts have to find room.
 * Expiry keeps quarantine_max, dropping the oldest; a flood that outruns it is no longer kept once it is
 * an eighth over, with a warning a minute at most.
 */
#include "base/clock.h"
#include "base/log.h"
#include "ingest/ingest_private.h"
#include "store/clock_watch.h"
#include "store/erased.h"
#include "store/quarantine.h"

#define WARN_EVERY_US (60 * CLOCK_US_PER_SECOND)
#define EXPIRY_SLICE 500 /* entries; a few milliseconds and an fsync */
#define EXPIRY_PAUSE_S 30
#define EXPIRY_PAUSE_BUSY_US 100000 /* after a slice that was full */

static uint64_t limit_bytes(const struct config *config)
{
	int64_t half_map = config->catalog_map_size / 2;
	return (uint64_t)(config->quarantine_max < half_map ? config->quarantine_max : half_map);
}

static void warn_unkept(struct ingest *ingest, const char *producer)
{
	int64_t now_us = clock_monotonic_us();
	ingest->unkept++;
	if (ingest->unkept_warned_us && now_us - ingest->unkept_warned_us < WARN_EVERY_US)
		return;
	log_warn("ingest", "quarantine is full (%llu bytes allowed): %llu rejected records not kept, the last from %s",
	         (unsigned long long)limit_bytes(ingest->config), (unsigned long long)ingest->unkept, producer);
	ingest->unkept = 0;
	ingest->unkept_warned_us = now_us;
}

/*
 * The record as a JSON object that can be replayed. As it was sent, unless that was no JSON or does not name its
 * product. Of one that the parser found fault with the record may lack what the fault is about.
 */
static struct str raw_of(struct ingest_batch *batch, const struct parse_item *item)
{
	struct buf *raw = &batch->ingest->raw;
	bool json = item->format == PARSE_NDJSON || item->format == PARSE_JSON_ARRAY;
	bool written = true;
	if (json && (item->faults_count > 0 || !batch->product_name))
		return item->raw;
	buf_clear(raw);
	if (item->faults_count == 0)
		record_write_raw_json(raw, item->record);
	else
		written = parse_write_json(raw, item->format, item->header, item->raw, batch->product_name);
	return raw->failed || !written ? item->raw : buf_str(raw);
}

/* Does it hold a number that was erased, as far as can be told whose record it is, and of when? */
static bool holds_erased(const struct ingest *ingest, const struct parse_item *item)
{
	struct str account = { NULL, 0 };
	int64_t time_us = INT64_MIN;
	if (erased_count(ingest->store) == 0)
		return false;
	if (item->record) {
		account = record_value(item->record, item->record->product->account_column);
		if (!clock_parse_iso8601(record_value(item->record, item->record->product->time_column), &time_us))
			time_us = INT64_MIN;
	}
	return erased_is_in_text(ingest->store, account, time_us, item->raw);
}

/* What was erased must not come back by way of quarantine: a record that holds it is rejected and told of, not kept. */
int ingest_quarantine(struct ingest_batch *batch, const struct parse_item *item, const struct check_fault *fault,
                      struct error *err)
{
	struct ingest *ingest = batch->ingest;
	struct quarantine_stats stats;
	uint64_t limit = limit_bytes(ingest->config);
	if (!batch->producer)
		return 0; /* a replay: it is there already */
	if (holds_erased(ingest, item)) {
		ingest->stats.erased_rejects++;
		return 0;
	}
	if (quarantine_stats(ingest->store, &stats, err) != 0)
		return -1;
	if (stats.bytes > limit + limit / 8) {
		warn_unkept(ingest, batch->producer);
		return 0;
	}
	struct quarantine_entry entry = {
		.time_us = clock_now_us(),
		.producer = str_from(batch->producer),
		.field = str_from(fault->field),
		.reason = str_from(fault->reason),
		.raw = raw_of(batch, item),
	};
	ingest->round_records++;
	return quarantine_put(ingest->store, &entry, err);
}

void ingest_expiry_begin(struct ingest *ingest)
{
	struct timeval pause = { .tv_sec = EXPIRY_PAUSE_S };
	event_add(ingest->expiry_event, &pause);
}

void ingest_on_expiry(evutil_socket_t fd, short what, void *arg)
{
	struct ingest *ingest = arg;
	const struct config *config = ingest->config;
	struct timeval busy_pause = { .tv_usec = EXPIRY_PAUSE_BUSY_US };
	struct error err;
	(void)fd;
	(void)what;
	/* While the clock is not believed none is too old, but there can be too many. */
	bool may_expire = store_clock_allows_deletion(ingest->store);
	int64_t oldest_us = may_expire ? clock_now_us() - config->quarantine_keep : INT64_MIN;
	int dropped = quarantine_expire(ingest->store, oldest_us, limit_bytes(config), EXPIRY_SLICE, &err);
	if (dropped < 0)
		log_error("ingest", "quarantine: %s", err.message);
	if (dropped == EXPIRY_SLICE)
		event_add(ingest->expiry_event, &busy_pause);
	else
		ingest_expiry_begin(ingest);
}
