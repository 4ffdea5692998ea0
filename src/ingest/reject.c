/* SPDX-License-Identifier: ISC */
/*
 * reject.c: puts rejected records into quarantine, and removes them when they are too old or too many.
 *
 * A producer's mistakes must not fill the disk, nor the catalog's map, which accounts need. Expiry keeps
 * quarantine_max, dropping the oldest; a flood that outruns it is no longer kept once it is an eighth over, with a
 * warning a minute at most.
 */
#include "base/clock.h"
#include "base/log.h"
#include "ingest/ingest_private.h"
#include "ingest/repeats.h"
#include "record/pieces.h"
#include "store/clock_watch.h"
#include "store/erased.h"
#include "meta/quarantine.h"

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
	ingest->stats.quarantine_unkept++;
	if (ingest->unkept_warned_us && now_us - ingest->unkept_warned_us < WARN_EVERY_US)
		return;
	log_warn("ingest", "quarantine is full (%llu bytes allowed): %llu rejected records not kept, the last from %s",
	         (unsigned long long)limit_bytes(ingest->config), (unsigned long long)ingest->unkept, producer);
	ingest->unkept = 0;
	ingest->unkept_warned_us = now_us;
}

/* "REASON; FIELD: REASON; ..." of all faults; the first one's field is separate in the entry. */
static struct str reason_of(struct ingest *ingest, const struct parse_fault *faults, size_t count)
{
	struct buf *text = &ingest->reason;

	if (count == 1)
		return str_from(faults[0].reason);
	buf_clear(text);
	for (size_t i = 0; i < count; i++) {
		buf_add_text(text, i > 0 ? "; " : "");
		if (i > 0 && faults[i].field[0])
			buf_addf(text, "%s: ", faults[i].field);
		buf_add_text(text, faults[i].reason);
	}
	return text->failed ? str_from(faults[0].reason) : buf_str(text);
}

/* Does the record hold an erased number, as far as its account and time can be told? 1 or 0, -1 when out of memory. */
static int holds_erased(struct ingest *ingest, const struct parse_item *item, struct error *err)
{
	struct str account = { NULL, 0 };
	int64_t time_us = INT64_MIN;

	if (erased_count(ingest->store) == 0)
		return 0;
	if (item->record) {
		account = record_value(item->record, item->record->product->account_column);
		if (!clock_parse_iso8601(record_value(item->record, item->record->product->time_column), &time_us))
			time_us = INT64_MIN;
	}
	/* In msgpack a phone number may be an integer; the parser makes it text. */
	buf_clear(&ingest->raw);
	bool packed = item->format == PARSE_MSGPACK &&
	              parse_write_json(&ingest->raw, item->format, item->header, item->raw, NULL) &&
	              !ingest->raw.failed;
	if (ingest->raw.failed)
		return error_set(err, ERROR_NOMEM, "quarantine: out of memory");
	return erased_is_in_text(ingest->store, account, time_us, packed ? buf_str(&ingest->raw) : item->raw);
}

/* Finds the account and id of a record that no parser could read, as far as its fields can be told apart. */
static void find_columns(const struct parse_item *item, struct quarantine_entry *entry)
{
	const struct str name = STR_LITERAL("product");
	struct str product_name, values[3];

	pieces_find(item->format, item->header, item->raw, &name, 1, &product_name);
	const struct catalog_product *product =
		catalog_product_find(product_name.len > 0 ? product_name : entry->product_name);
	struct str names[] = { STR_LITERAL("account_id"), STR_LITERAL("id"), STR_LITERAL("message_id") };
	if (product) {
		entry->product = product->name;
		names[0] = product->columns[product->account_column].name;
		names[1] = product->columns[product->id_column].name;
		names[2] = names[1];
	}
	if (product && product->id_from_column != CATALOG_NONE)
		names[2] = product->columns[product->id_from_column].name;
	pieces_find(item->format, item->header, item->raw, names, 3, values);
	entry->account = values[0];
	entry->id = values[1].len > 0 ? values[1] : values[2];
}

static void take_columns(const struct parse_item *item, struct quarantine_entry *entry)
{
	const struct record *record = item->record;

	if (!record) {
		find_columns(item, entry);
		return;
	}
	entry->product = record->product->name;
	entry->account = record_value(record, record->product->account_column);
	entry->id = record_value(record, record->product->id_column);
	if (entry->id.len == 0)
		entry->id = record_value(record, record->product->id_from_column);
}

/* The bytes as they were sent. If they cannot be converted back for certain, keeps the UTF-8 text, which a replay reads
 * as such. */
static void take_bytes(struct ingest_batch *batch, const struct parse_item *item, struct quarantine_entry *entry)
{
	struct buf *raw = &batch->ingest->raw, *header = &batch->ingest->header;

	entry->raw = item->raw;
	entry->header = item->header;
	if (!batch->encoding)
		return;
	buf_clear(raw);
	buf_clear(header);
	if (encoding_restore(batch->encoding, item->raw, raw) &&
	    encoding_restore(batch->encoding, item->header, header)) {
		entry->raw = buf_str(raw);
		entry->header = buf_str(header);
		return;
	}
	entry->converted_from = str_from(batch->settings.encoding);
	entry->settings.encoding[0] = '\0';
}

/* 1, 0 or -1. */
static int is_repeated(struct ingest_batch *batch, const struct quarantine_entry *entry, struct error *err)
{
	if (!batch->may_repeat)
		return 0;
	if (!batch->repeats)
		batch->repeats = repeats_load(batch->ingest->meta, err);
	if (!batch->repeats)
		return -1;
	struct repeats_print print = repeats_print_of(entry);
	return ingest_holds(batch->ingest, &print) || repeats_has(batch->repeats, &print);
}

/* Erased numbers must not come back through quarantine: a record with one is reported as rejected, but not kept. */
int ingest_quarantine(struct ingest_batch *batch, uint64_t round, const struct parse_item *item,
                      const struct parse_fault *faults, size_t faults_count, struct error *err)
{
	struct ingest *ingest = batch->ingest;
	struct quarantine_stats stats;
	uint64_t limit = limit_bytes(ingest->config);

	if (!batch->producer)
		return 0; /* a replay: it is there already */
	int erased = holds_erased(ingest, item, err);
	if (erased < 0)
		return -1;
	if (erased > 0) {
		ingest->stats.erased_rejects++;
		return 0;
	}
	if (quarantine_stats(ingest->meta, &stats, err) != 0)
		return -1;
	if (stats.bytes + ingest->held_bytes > limit + limit / 8) {
		warn_unkept(ingest, batch->producer);
		return 0;
	}
	struct quarantine_entry entry = {
		.time_us = store_clock_stamp_us(ingest->store),
		.producer = str_from(batch->producer),
		.field = str_from(faults[0].field),
		.reason = reason_of(ingest, faults, faults_count),
		.format = item->format,
		.raw_cut = item->raw_cut,
		.product_name = str_from(batch->product_name),
		.settings = batch->settings,
	};
	take_columns(item, &entry);
	take_bytes(batch, item, &entry);
	int known = is_repeated(batch, &entry, err);
	if (known != 0)
		return known < 0 ? -1 : 0;
	ingest->round_records++;
	return meta_check_reached(ingest->meta, err) == 0 ? ingest_hold(batch, round, &entry, err) : -1;
}

void ingest_expiry_begin(struct ingest *ingest)
{
	struct timeval pause = { .tv_sec = EXPIRY_PAUSE_S };

	event_add(ingest->expiry_event, &pause);
}

/* Records dropped here were never replayed: an operator must be told. */
static void count_dropped(struct ingest *ingest, uint64_t dropped, uint64_t pushed_out)
{
	ingest->stats.quarantine_expired += dropped - pushed_out;
	ingest->stats.quarantine_pushed_out += pushed_out;
	if (dropped > pushed_out)
		log_info("ingest", "quarantine: %llu records went after quarantine_keep",
		         (unsigned long long)(dropped - pushed_out));
	if (pushed_out > 0)
		log_warn("ingest", "quarantine: %llu records had to make room (quarantine_max)",
		         (unsigned long long)pushed_out);
}

void ingest_on_expiry(evutil_socket_t fd, short what, void *arg)
{
	struct ingest *ingest = arg;
	const struct config *config = ingest->config;
	struct timeval busy_pause = { .tv_usec = EXPIRY_PAUSE_BUSY_US };
	uint64_t pushed_out = 0;
	struct error err;

	(void)fd;
	(void)what;
	/* While the clock is not trusted none is too old, but there can be too many. */
	bool may_expire = store_clock_allows_deletion(ingest->store);
	int64_t now_us = store_clock_stamp_us(ingest->store);
	struct quarantine_limits limits = {
		.oldest_us = may_expire ? clock_now_us() - config->quarantine_keep : INT64_MIN,
		.newest_us = may_expire ? now_us + CLOCK_WATCH_AHEAD_MAX_US : INT64_MAX,
		.max_bytes = limit_bytes(config),
	};
	int dropped = quarantine_expire(ingest->meta, &limits, EXPIRY_SLICE, &pushed_out, &err);
	if (dropped < 0)
		log_error("ingest", "quarantine: %s", err.message);
	else
		count_dropped(ingest, (uint64_t)dropped, pushed_out);
	if (dropped == EXPIRY_SLICE)
		event_add(ingest->expiry_event, &busy_pause);
	else
		ingest_expiry_begin(ingest);
}
