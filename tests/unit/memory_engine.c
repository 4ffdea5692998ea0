/* SPDX-License-Identifier: ISC */
/*
 * memory_engine.c: a storage engine in memory, as small as one can be: an example, and proof that nothing above the
 * seam (store/engine.h) depends on files or on being answered at once.
 *
 * A list of records. Each has its newest version, the committed one, and the places (time and number) at which it has
 * stood: a scan shows it at the place that it had at the snapshot. Every read goes through the whole list. Every other
 * step of a scan has to wait for the next turn of the loop, as one would that asks over a socket.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "store/versions.h"
#include "store_sample.h"
#include "test_engine.h"

#define LOOK_EVERY 64 /* records between looks at the clock */

struct place_in_memory {
	int64_t time_us;
	uint64_t seq;
	enum catalog_direction direction;
};

struct memory_record {
	const struct catalog_product *product;
	struct account_key account;
	uint64_t id_hash; /* of its id; ids are compared where it is the same */
	struct sample *now;
	struct sample *committed;    /* NULL: not yet */
	uint64_t seq, seq_committed; /* of the newest change */
	struct place_in_memory *positions;
	size_t places_count, places_committed;
};

struct memory {
	struct store_head head;
	struct memory_record *records;
	size_t count;
	int32_t *days; /* ascending */
	size_t days_count;
	uint64_t last_seq, snapshot, aborts;
	size_t uncommitted;
	struct memory_scan *waiting; /* a list of those that wait */
};

static struct memory *memory_of(const struct store *store)
{
	return (struct memory *)(void *)(uintptr_t)store;
}

/* A test cannot continue without memory. */
static void *must(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

/* An array of so many things, with room for one more: it is doubled when it has a power of two, and is full. */
static void *room_for_one(void *array, size_t count, size_t size)
{
	return count & (count - 1) ? array : must(realloc(array, (count ? 2 * count : 1) * size));
}

static int open_memory(struct store **out, const struct store_options *options, struct error *err)
{
	struct memory *memory = must(calloc(1, sizeof(*memory)));

	(void)err;
	memory->head.ops = options->engine;
	*out = (struct store *)(void *)memory;
	return 0;
}

static void free_record(struct memory_record *record)
{
	if (record->committed != record->now)
		free(record->committed);
	free(record->now);
	free(record->positions);
}

static void close_memory(struct store *store)
{
	struct memory *memory = memory_of(store);

	for (size_t i = 0; i < memory->count; i++)
		free_record(&memory->records[i]);
	free(memory->records);
	free(memory->days);
	free(memory);
}

/* --- records in --- */

static struct str value_of(const struct record *record, uint8_t column)
{
	return record->values[column];
}

static struct str id_of(const struct record *record)
{
	return value_of(record, record->product->id_column);
}

/* The stored version, of the day or, where versions are compared, of the one before or after. */
static struct memory_record *find_stored(const struct memory *memory, const struct record *record, int64_t time_us,
                                         bool beside)
{
	struct memory_record *found[3] = { NULL, NULL, NULL }; /* the day before, the day, the day after */
	struct account_key account = record_account_key(record);
	uint64_t id_hash = id_hash64_of_id(id_of(record), 0);

	for (size_t i = 0; i < memory->count; i++) {
		struct memory_record *stored = &memory->records[i];

		if (stored->id_hash != id_hash || stored->product != record->product ||
		    !account_key_equal(&stored->account, &account) ||
		    !id_equal(id_of(&stored->now->record), id_of(record)))
			continue;
		int32_t days = clock_day_of(stored->now->time_us) - clock_day_of(time_us);
		if (days >= -1 && days <= 1 && !found[days + 1])
			found[days + 1] = stored;
	}
	if (found[1] || !beside)
		return found[1];
	return found[0] ? found[0] : found[2];
}

static void note_day(struct memory *memory, int32_t day)
{
	size_t at = 0;

	while (at < memory->days_count && memory->days[at] < day)
		at++;
	if (at < memory->days_count && memory->days[at] == day)
		return;
	memory->days = must(realloc(memory->days, (memory->days_count + 1) * sizeof(*memory->days)));
	memmove(memory->days + at + 1, memory->days + at, (memory->days_count - at) * sizeof(*memory->days));
	memory->days[at] = day;
	memory->days_count++;
}

static struct memory_record *add_record(struct memory *memory, const struct record *record)
{
	memory->records = room_for_one(memory->records, memory->count, sizeof(*memory->records));
	memory->records[memory->count] = (struct memory_record){
		.product = record->product,
		.account = record_account_key(record),
		.id_hash = id_hash64_of_id(id_of(record), 0),
	};
	return &memory->records[memory->count++];
}

/* Makes `version` what the record is. One that keeps time and direction keeps its place. */
static void change(struct memory *memory, struct memory_record *record, const struct record *version, int64_t time_us)
{
	struct sample *now = must(sample_copy(version, time_us));
	struct place_in_memory position = { time_us, ++memory->last_seq, record_partition(version) };
	const struct place_in_memory *last = record->places_count ? &record->positions[record->places_count - 1] : NULL;

	if (!last || last->time_us != time_us || last->direction != position.direction) {
		record->positions = must(realloc(record->positions, (record->places_count + 1) * sizeof(position)));
		record->positions[record->places_count++] = position;
	}
	if (record->now != record->committed)
		free(record->now);
	record->now = now;
	record->seq = position.seq;
	memory->uncommitted++;
	note_day(memory, clock_day_of(time_us));
}

/* A version that meets a stored one. */
static enum store_put_result meet(struct memory *memory, struct memory_record *stored, const struct record *came,
                                  int64_t time_us, const struct store_versions *versions)
{
	const struct record *old = &stored->now->record;
	bool merges = versions && versions->merge;
	bool outdated = versions && versions_is_older(came, old, versions->column);
	struct record merged = *came;

	if (merges ? versions_adds_nothing(came, old) : record_equal(old, came))
		return STORE_DUPLICATE;
	if (outdated && (!merges || !versions_fill(&merged, came, old)))
		return STORE_OUTDATED;
	if (merges && !outdated)
		versions_merge(&merged, came, old);
	change(memory, stored, &merged, outdated ? stored->now->time_us : time_us);
	return outdated ? STORE_OUTDATED : STORE_UPDATED;
}

static void put(struct store *store, const struct record *record, int64_t time_us,
                const struct store_versions *versions, store_put_fn done, void *arg)
{
	struct memory *memory = memory_of(store);
	struct memory_record *stored = find_stored(memory, record, time_us, versions != NULL);
	enum store_put_result result = STORE_ACCEPTED;

	if (stored)
		result = meet(memory, stored, record, time_us, versions);
	else if (record->product->partition_direction && record_partition(record) == CATALOG_NO_DIRECTION)
		result = STORE_LACKS_DIRECTION;
	else
		change(memory, add_record(memory, record), record, time_us);
	done(arg, result, NULL);
}

static void commit(struct store *store, store_commit_fn done, void *arg)
{
	struct memory *memory = memory_of(store);

	for (size_t i = 0; i < memory->count; i++) {
		struct memory_record *record = &memory->records[i];

		if (record->committed != record->now)
			free(record->committed);
		record->committed = record->now;
		record->seq_committed = record->seq;
		record->places_committed = record->places_count;
	}
	memory->snapshot = memory->last_seq;
	memory->uncommitted = 0;
	done(arg, NULL);
}

static void drop(struct store *store)
{
	struct memory *memory = memory_of(store);
	size_t kept = 0;

	for (size_t i = 0; i < memory->count; i++) {
		struct memory_record *record = &memory->records[i];

		if (!record->committed) {
			free_record(record);
			continue;
		}
		if (record->now != record->committed)
			free(record->now);
		record->now = record->committed;
		record->seq = record->seq_committed;
		record->places_count = record->places_committed;
		memory->records[kept++] = *record;
	}
	memory->count = kept;
	memory->uncommitted = 0;
	memory->aborts++;
}

static size_t uncommitted(const struct store *store)
{
	return memory_of(store)->uncommitted;
}

static uint64_t aborts(const struct store *store)
{
	return memory_of(store)->aborts;
}

static uint64_t snapshot(const struct store *store)
{
	return memory_of(store)->snapshot;
}

static uint64_t newest(const struct store *store)
{
	return memory_of(store)->last_seq;
}

/* --- days --- */

static const int32_t *days(const struct store *store, size_t *count)
{
	*count = memory_of(store)->days_count;
	return memory_of(store)->days;
}

static void remove_first_day(struct memory *memory)
{
	size_t kept = 0;

	for (size_t i = 0; i < memory->count; i++) {
		if (clock_day_of(memory->records[i].now->time_us) == memory->days[0])
			free_record(&memory->records[i]);
		else
			memory->records[kept++] = memory->records[i];
	}
	memory->count = kept;
	memory->days_count--;
	memmove(memory->days, memory->days + 1, memory->days_count * sizeof(*memory->days));
}

static int remove_days_before(struct store *store, int32_t day, int max)
{
	struct memory *memory = memory_of(store);
	int removed = 0;

	for (; removed < max && memory->days_count && memory->days[0] < day && !memory->uncommitted; removed++)
		remove_first_day(memory);
	return removed;
}

/* --- what a query may show, in order --- */

struct item {
	const struct memory_record *record;
	struct scan_at at;
};

struct list {
	struct item *items;
	size_t count;
};

static void list_add(struct list *list, const struct memory_record *record, uint32_t account,
                     const struct place_in_memory *position)
{
	list->items = room_for_one(list->items, list->count, sizeof(*list->items));
	list->items[list->count++] =
		(struct item){ record, { clock_day_of(position->time_us), account, position->time_us, position->seq } };
}

static int compare_at(const struct scan_at *a, const struct scan_at *b)
{
	if (a->day != b->day)
		return a->day < b->day ? -1 : 1;
	if (a->account != b->account)
		return a->account < b->account ? -1 : 1;
	if (a->time_us != b->time_us)
		return a->time_us < b->time_us ? -1 : 1;
	return (a->seq > b->seq) - (a->seq < b->seq);
}

static int in_order(const void *a, const void *b)
{
	return compare_at(&((const struct item *)a)->at, &((const struct item *)b)->at);
}

static int newest_day_first(const void *a, const void *b)
{
	const struct item *left = a, *right = b;

	if (left->at.day != right->at.day)
		return left->at.day > right->at.day ? -1 : 1;
	return in_order(a, b);
}

static int by_seq(const void *a, const void *b)
{
	const struct memory_record *left = ((const struct item *)a)->record, *right = ((const struct item *)b)->record;

	return (left->seq_committed > right->seq_committed) - (left->seq_committed < right->seq_committed);
}

static void list_sort(struct list *list, int (*compare)(const void *, const void *))
{
	if (list->count > 0)
		qsort(list->items, list->count, sizeof(*list->items), compare);
}

/* The number of the record's account in the list; -1 when it is not there, or when the product is another. */
static int account_of(const struct memory_record *record, const struct catalog_product *product,
                      const struct account_key *accounts, size_t count)
{
	if (!record->committed || record->product != product)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (account_key_equal(&record->account, &accounts[i]))
			return (int)i;
	return -1;
}

/* Where it stood at the snapshot; NULL: nowhere, or in a day that is gone. */
static const struct place_in_memory *place_at(const struct memory *memory, const struct memory_record *record,
                                              uint64_t at_seq)
{
	const struct place_in_memory *position = NULL;

	for (size_t i = 0; i < record->places_committed && record->positions[i].seq <= at_seq; i++)
		position = &record->positions[i];
	for (size_t i = 0; position && i < memory->days_count; i++)
		if (memory->days[i] == clock_day_of(position->time_us))
			return position;
	return NULL;
}

static struct list list_of_query(const struct memory *memory, const struct scan_query *query)
{
	struct list list = { NULL, 0 };

	for (size_t i = 0; i < memory->count; i++) {
		const struct memory_record *record = &memory->records[i];
		int account = account_of(record, query->product, query->accounts, query->accounts_count);
		const struct place_in_memory *position = account < 0 ? NULL : place_at(memory, record, query->snapshot);

		if (position && position->direction == query->direction && position->time_us >= query->from_us &&
		    position->time_us < query->to_us)
			list_add(&list, record, (uint32_t)account, position);
	}
	list_sort(&list, in_order);
	return list;
}

static bool has_id(const struct record *record, struct str id)
{
	for (size_t i = 0; i < record->product->lookup_count; i++)
		if (id_equal(value_of(record, record->product->lookup[i]), id))
			return true;
	return false;
}

static struct list list_of_find(const struct memory *memory, const struct scan_find *find)
{
	struct list list = { NULL, 0 };

	for (size_t i = 0; i < memory->count; i++) {
		const struct memory_record *record = &memory->records[i];
		bool owns = account_of(record, find->product, find->account, 1) == 0;
		const struct place_in_memory *position = owns ? place_at(memory, record, UINT64_MAX) : NULL;

		if (position && (!find->direction || position->direction == find->direction) &&
		    clock_day_of(position->time_us) >= find->first_day && has_id(&record->committed->record, find->id))
			list_add(&list, record, 0, position);
	}
	list_sort(&list, newest_day_first);
	return list;
}

/* --- scans --- */

struct memory_scan {
	struct scan base;
	struct memory *memory;
	struct scan_at at;
	struct scan_find find; /* product NULL: a scan of base.query */
	bool has_waited;
	bool waits; /* among memory->waiting */
	struct memory_scan *next;
};

static void wait_for_turn(struct memory_scan *scan)
{
	scan->waits = true;
	scan->next = scan->memory->waiting;
	scan->memory->waiting = scan;
}

static void stop_waiting(struct memory_scan *scan)
{
	struct memory_scan **at = &scan->memory->waiting;

	if (!scan->waits)
		return;
	while (*at != scan)
		at = &(*at)->next;
	*at = scan->next;
	scan->waits = false;
}

static void turn(struct store *store)
{
	struct memory *memory = memory_of(store);

	while (memory->waiting) {
		struct memory_scan *scan = memory->waiting;

		stop_waiting(scan);
		scan_ready(&scan->base); /* it may be gone after this */
	}
}

/* False: the sink has said stop. */
static bool give(struct memory_scan *scan, const struct item *item)
{
	const struct record *record = &item->record->committed->record;
	const struct scan_sink *sink = &scan->base.sink;
	struct scan_position after;
	struct buf line = { 0 };
	bool on;

	scan_at_write(&item->at, &after);
	if (sink->lines)
		(void)record_write_csv(&line, record, sink->lines);
	struct scan_row row = { record, sink->lines ? buf_str(&line) : (struct str){ NULL, 0 }, item->at.time_us,
		                item->at.seq, &after };

	on = sink->on_record(sink->arg, &row);
	buf_free(&line);
	return on;
}

static enum scan_end give_list(struct memory_scan *scan, const struct list *list, int64_t deadline_us)
{
	for (size_t i = 0, seen = 1; i < list->count; i++, seen++) {
		const struct item *item = &list->items[i];

		if (compare_at(&item->at, &scan->at) <= 0)
			continue;
		scan->at = item->at;
		if (scan_passes(&scan->base.query, &item->record->committed->record) && !give(scan, item))
			return SCAN_STOPPED;
		if (seen % LOOK_EVERY == 0 && i + 1 < list->count && clock_monotonic_us() >= deadline_us)
			return SCAN_PAUSED;
	}
	return SCAN_DONE;
}

static enum scan_end give_found(struct memory_scan *scan, const struct list *list)
{
	for (size_t i = 0; i < list->count && i < scan->find.max; i++)
		if (!give(scan, &list->items[i]))
			return SCAN_STOPPED;
	return SCAN_DONE;
}

static int step(struct scan *base, int64_t deadline_us, enum scan_end *end, struct error *err)
{
	struct memory_scan *scan = (struct memory_scan *)base;
	struct list list;

	(void)err;
	*end = SCAN_WAITS;
	if (scan->waits)
		return 0;
	scan->has_waited = !scan->has_waited;
	if (scan->has_waited) {
		wait_for_turn(scan);
		return 0;
	}
	list = scan->find.product ? list_of_find(scan->memory, &scan->find) : list_of_query(scan->memory, &base->query);
	*end = scan->find.product ? give_found(scan, &list) : give_list(scan, &list, deadline_us);
	free(list.items);
	return 0;
}

static void position(const struct scan *base, struct scan_position *position)
{
	scan_at_write(&((const struct memory_scan *)base)->at, position);
}

static void cancel(struct scan *base)
{
	stop_waiting((struct memory_scan *)base);
	free(base);
}

static struct memory_scan *new_scan(struct store *store, const struct scan_sink *sink)
{
	static const struct scan_ops ops = { step, position, cancel };
	struct memory_scan *scan = must(calloc(1, sizeof(*scan)));

	scan->base.ops = &ops;
	scan->base.sink = *sink;
	scan->memory = memory_of(store);
	return scan;
}

static struct scan *start_scan(struct store *store, const struct scan_query *query, const struct scan_position *from,
                               const struct scan_sink *sink, struct error *err)
{
	struct memory_scan *scan = new_scan(store, sink);

	(void)err;
	scan->base.query = *query;
	if (from)
		scan->at = scan_at_read(from);
	return &scan->base;
}

static struct scan *start_find(struct store *store, const struct scan_find *find, const struct scan_sink *sink,
                               struct error *err)
{
	struct memory_scan *scan = new_scan(store, sink);

	(void)err;
	scan->find = *find;
	return &scan->base;
}

/* As much as is easily told. */
static double share(const struct store *store, const struct scan_query *query, const struct scan_position *position)
{
	struct scan_at at = scan_at_read(position);

	(void)store;
	if (at.time_us <= query->from_us || query->to_us <= query->from_us)
		return 0;
	return (double)(at.time_us - query->from_us) / (double)(query->to_us - query->from_us);
}

/* --- changes --- */

struct memory_changes {
	struct changes base;
	struct memory *memory;
	struct changes_query query;
	struct changes_page page;
	struct buf *texts; /* page.count */
};

static int run(struct changes *base, int64_t deadline_us, enum scan_end *end, struct error *err)
{
	struct memory_changes *changes = (struct memory_changes *)base;
	const struct changes_query *query = &changes->query;
	struct list list = { NULL, 0 };

	(void)deadline_us;
	(void)err;
	for (size_t i = 0; i < changes->memory->count; i++) {
		const struct memory_record *record = &changes->memory->records[i];

		if (record->seq_committed > query->since &&
		    account_of(record, query->product, query->accounts, query->accounts_count) >= 0)
			list_add(&list, record, 0, &record->positions[0]);
	}
	list_sort(&list, by_seq);
	changes->page.more = list.count > query->max;
	changes->page.count = changes->page.more ? query->max : list.count;
	changes->texts = must(calloc(changes->page.count + 1, sizeof(struct buf)));
	for (size_t i = 0; i < changes->page.count; i++)
		query->write(query->arg, &changes->texts[i], &list.items[i].record->committed->record);
	changes->page.up_to = changes->page.more ? list.items[changes->page.count - 1].record->seq_committed :
	                                           changes->memory->snapshot;
	free(list.items);
	*end = SCAN_DONE;
	return 0;
}

static struct changes_page page(const struct changes *base)
{
	return ((const struct memory_changes *)base)->page;
}

static struct str text(const struct changes *base, size_t index)
{
	return buf_str(&((const struct memory_changes *)base)->texts[index]);
}

static void cancel_changes(struct changes *base)
{
	struct memory_changes *changes = (struct memory_changes *)base;

	for (size_t i = 0; changes->texts && i < changes->page.count; i++)
		buf_free(&changes->texts[i]);
	free(changes->texts);
	free(changes);
}

static struct changes *start_changes(struct store *store, const struct changes_query *query, struct error *err)
{
	static const struct changes_ops ops = { run, page, text, cancel_changes };
	struct memory_changes *changes = must(calloc(1, sizeof(*changes)));

	(void)err;
	*changes = (struct memory_changes){ .base = { &ops }, .memory = memory_of(store), .query = *query };
	return &changes->base;
}

static bool may_have_changes(const struct store *store, const struct catalog_product *product,
                             const struct account_key *account, uint64_t since)
{
	(void)product;
	(void)account;
	return memory_of(store)->last_seq > since;
}

/* --- the engine --- */

static const struct store_ops memory_engine = {
	.name = "memory",
	.open = open_memory,
	.close = close_memory,
	.put = put,
	.commit = commit,
	.abort = drop,
	.uncommitted = uncommitted,
	.aborts = aborts,
	.snapshot = snapshot,
	.scan = start_scan,
	.share = share,
	.find = start_find,
	.changes = start_changes,
	.may_have_changes = may_have_changes,
	.days = days,
	.remove_days_before = remove_days_before,
};

const struct test_engine memory_test_engine = {
	.ops = &memory_engine,
	.newest = newest,
	.at = scan_at_read,
	.turn = turn,
};
