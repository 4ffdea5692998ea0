/* SPDX-License-Identifier: ISC */
/*
 * test_store_model.c: the store against a plain model of it, through thousands of random operations.
 *
 * Records come in any order, are repeated, changed and moved while they are sealed, merged and removed, and the store
 * is closed, killed and opened; whatever is read meanwhile must be what the model says. A failure names its seed:
 *
 *	CDRD_TEST_SEED=17 CK_RUN_SUITE=store_model CK_FORK=no tests/unit/run
 *
 * Nothing depends on the clock, so that a seed repeats. CDRD_LONG_TESTS=yes (./runtests --long) runs many seeds,
 * CDRD_QUICK_TESTS=yes (./runtests) few.
 */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <sys/queue.h>

#include "base/clock.h"
#include "expect.h"
#include "hot_check.h"
#include "old_hot_rows.h"
#include "store/putting/moves.h"
#include "store/days_store.h"
#include "store/changes.h"
#include "store/verify.h"
#include "store_check.h"
#include "store_fixture.h"

Suite *suite_store_model(void);

#define SEEDS_SHORT 12
#define SEEDS_LONG 400
#define SEEDS_FEW 4 /* of each other engine, and where slow tests are left out */
#define SEEDS_CLUSTER 1
#define SEEDS_CLUSTER_LONG 40
#define STEPS 700
#define STEPS_CLUSTER 150
#define ACCOUNTS_MAX 30
#define FAMILY 6 /* accounts, of which a query is often about all */
#define SCANS 5
#define FIRST_DAY 20500
#define HOT_CHECK_STEPS 8          /* what is known of hot rows is checked in as many steps */
#define MAINTENANCE_CALLS_MAX 5000 /* more is a sign that it never ends */
#define MAP_BYTES ((size_t)256 << 20)
#define MAP_BYTES_TIGHT ((size_t)3 << 20)

static const char *const product_names[] = {
	"SMS", "SMS", "SMS", "VOICE-CALL", "VERIFY-V2", "IN-APP-VOICE", "SMS-TRAFFIC-CONTROL"
};

/* A record on its way, of which the engine has not said yet what became of it. */
struct put {
	LIST_ENTRY(put) link;
	struct run *run;
	struct sample *sample;
	struct store_versions versions;
	bool has_versions;
};

struct run {
	const struct test_engine *engine;
	uint64_t seed;
	unsigned step;
	char about[64];
	struct pick *pick;
	struct sampler sampler;
	struct fixture f;
	struct model model;
	char accounts[ACCOUNTS_MAX][ACCOUNT_ID_MAX + 1]; /* in the order of their keys */
	uint8_t by_size[ACCOUNTS_MAX];                   /* those with the most records first */
	uint32_t accounts_count;
	LIST_HEAD(, put) puts;
	bool is_moving; /* one of the puts may move a record */
	bool commits;   /* a commit is under way */
	bool aborts;
	struct check scans[SCANS];
	bool open[SCANS];
	int32_t first_day;
	int days;       /* from first_day on */
	bool tight;     /* the map is small: "no room" is to be expected */
	uint32_t burst; /* records put at a time, at most */
	uint32_t hour;  /* most times are in its hour; of 24 */
	uint32_t ids;   /* given out */
	size_t spans;
	size_t found;
	size_t results[STORE_LACKS_DIRECTION + 1];
	uint64_t torn; /* days that the last torn commit has committed, from first_day on */
	size_t torn_moves;
};

static bool fails(const struct run *run, int rc, const struct error *err)
{
	if (rc == 0)
		return false;
	if (run->aborts)
		return true;
	expect(run->tight && err->code == ERROR_FULL, "%s: %s", run->about, err->message);
	return true;
}

/* --- records in --- */

static const struct catalog_product *any_product(struct run *run)
{
	uint32_t count = sizeof(product_names) / sizeof(product_names[0]);

	return catalog_product_find(str_from(product_names[pick_below(run->pick, count)]));
}

static enum catalog_direction any_direction(struct run *run, const struct catalog_product *product)
{
	if (!product->partition_direction)
		return CATALOG_NO_DIRECTION;
	return pick_percent(run->pick, 70) ? CATALOG_OUTBOUND : CATALOG_INBOUND;
}

static int64_t any_time(struct run *run, int32_t day)
{
	int64_t time_us = clock_day_start_us(day);
	uint32_t kind = pick_below(run->pick, 20);

	if (kind == 0)
		return time_us + (pick_percent(run->pick, 50) ? 0 : CLOCK_US_PER_DAY - 1);
	if (kind < 14)
		time_us += run->hour * CLOCK_US_PER_HOUR + pick_below(run->pick, 3600) * CLOCK_US_PER_SECOND;
	else
		time_us += pick_below(run->pick, 86400) * CLOCK_US_PER_SECOND;
	return run->seed % 3 == 0 && kind % 2 ? time_us + pick_below(run->pick, 1000000) : time_us;
}

static int32_t any_day(struct run *run)
{
	return run->first_day + (int32_t)pick_below(run->pick, (uint32_t)run->days);
}

static const struct model_record *any_record(struct run *run)
{
	const struct model_record *record;

	if (run->model.count == 0)
		return NULL;
	record = run->model.records[pick_below(run->pick, (uint32_t)run->model.count)];
	return record->gone ? NULL : record;
}

/* By Zipf's law: the second has half of what the first has, the third a third of it. */
static uint32_t any_account(struct run *run)
{
	uint32_t total = 0, at = 0;

	for (uint32_t i = 0; i < run->accounts_count; i++)
		total += 10000 / (i + 1);
	uint32_t chosen = pick_below(run->pick, total);
	while (chosen >= 10000 / (at + 1))
		chosen -= 10000 / (at++ + 1);
	return run->by_size[at];
}

static struct sample *new_sample(struct run *run)
{
	const struct catalog_product *product = any_product(run);

	return sample_new(&run->sampler, product, run->accounts[any_account(run)], ++run->ids,
	                  any_direction(run, product), any_time(run, any_day(run)));
}

/* The same, changed, moved, or on another day. */
static struct sample *changed_sample(struct run *run, const struct model_record *record)
{
	const struct sample *old = record->now;
	uint32_t kind = pick_below(run->pick, 10);
	enum catalog_direction direction = record_partition(&old->record);
	int64_t time_us = old->time_us;

	if (kind >= 5 && kind < 8)
		time_us = any_time(run, model_day(record));
	if (kind == 8)
		time_us = any_time(run, any_day(run));
	if (kind == 7 || kind == 9)
		direction = any_direction(run, old->record.product);
	return sample_changed(&run->sampler, old, direction, time_us, kind < 2 ? 0 : pick_between(run->pick, 1, 4));
}

static void lose_uncommitted(struct run *run)
{
	model_abort(&run->model);
}

/* How it is put: as the daemon's own records are, or as a producer's. */
static const struct store_versions *any_versions(struct run *run, struct store_versions *versions,
                                                 const struct catalog_product *product)
{
	if (pick_percent(run->pick, 5))
		return NULL;
	*versions = (struct store_versions){ .merge = pick_percent(run->pick, 50) };
	versions->column = pick_percent(run->pick, 60) ? product->version_column : CATALOG_NONE;
	return versions;
}

static void put_free(struct put *put)
{
	LIST_REMOVE(put, link);
	free(put->sample);
	free(put);
}

static void on_put(void *arg, enum store_put_result result, const struct error *err)
{
	struct put *put = arg;
	struct run *run = put->run;
	const struct store_versions *versions = put->has_versions ? &put->versions : NULL;
	struct sample *stored;
	enum store_put_result wanted = model_expect(&run->model, put->sample, versions, &stored);

	if (fails(run, err ? -1 : 0, err)) {
		lose_uncommitted(run);
		free(stored);
	} else {
		expect(result == wanted, "%s: put of %.*s gave %d, wanted %d", run->about,
		       STR_ARGS(put->sample->record.values[put->sample->record.product->id_column]), result, wanted);
		run->results[result]++;
		if (stored)
			model_put(&run->model, stored, versions, run->engine->newest(run->f.store));
	}
	put_free(put);
}

static void put(struct run *run, struct sample *sample, const struct store_versions *versions)
{
	struct put *put = calloc(1, sizeof(*put));

	ck_assert_ptr_nonnull(put);
	*put = (struct put){ .run = run, .sample = sample, .has_versions = versions != NULL };
	if (versions)
		put->versions = *versions;
	LIST_INSERT_HEAD(&run->puts, put, link);
	store_put_begin(run->f.store, &sample->record, sample->time_us, versions ? &put->versions : NULL, on_put, put);
}

/* Has all that was put end. */
static void settle(struct run *run)
{
	if (run->engine->settle)
		run->engine->settle(run->f.store);
	expect(LIST_EMPTY(&run->puts), "%s: a put has not ended", run->about);
	run->is_moving = false;
}

static bool has_moved_since(const struct model_record *record, uint64_t snapshot)
{
	return model_place_at(record, snapshot) && record->positions[record->places_count - 1].seq > snapshot;
}

/* Has it moved since a scan began that is under way, or that may begin now? Then some engines know what it was at the place
 * that it has left, as it was when it left, but nothing of what has become of it since. */
static bool is_left_alone(const struct run *run, const struct model_record *record)
{
	bool is_left = has_moved_since(record, store_snapshot(run->f.store));

	for (unsigned i = 0; i < SCANS; i++)
		is_left |= run->open[i] && has_moved_since(record, run->scans[i].query.snapshot);
	return is_left && run->engine->forgets_moves;
}

static const struct model_record *record_to_change(struct run *run)
{
	if (run->engine->forgets_moves && run->is_moving)
		settle(run);
	const struct model_record *record = any_record(run);
	return record && !is_left_alone(run, record) ? record : NULL;
}

static void do_put(struct run *run)
{
	for (uint32_t left = pick_between(run->pick, 1, run->burst); left > 0; left--) {
		const struct model_record *old = pick_percent(run->pick, 30) ? record_to_change(run) : NULL;
		struct sample *sample = old ? changed_sample(run, old) : new_sample(run);
		struct store_versions own;
		const struct store_versions *versions = any_versions(run, &own, sample->record.product);

		if (versions && versions->merge && pick_percent(run->pick, 70)) {
			struct sample *part = sample_part(&run->sampler, sample);

			free(sample);
			sample = part;
		}
		run->is_moving |= old != NULL;
		put(run, sample, versions);
	}
	if (pick_percent(run->pick, 50))
		settle(run);
}

static void on_commit(void *arg, const struct error *err)
{
	struct run *run = arg;

	run->commits = false;
	if (fails(run, err ? -1 : 0, err))
		lose_uncommitted(run);
	else
		model_commit(&run->model);
}

/* A new process knows no more of a scan than its position. */
static void forget_scans(struct run *run)
{
	for (unsigned i = 0; i < SCANS; i++)
		if (run->open[i])
			check_forget(&run->scans[i]);
}

static void do_commit(struct run *run)
{
	if (run->engine->reads_ahead)
		forget_scans(run);
	run->commits = true;
	store_commit_begin(run->f.store, on_commit, run);
	while (run->commits)
		run->engine->turn(run->f.store);
	ck_assert_uint_eq(store_uncommitted(run->f.store), 0);
	if (run->engine == &days_test_engine && run->step % HOT_CHECK_STEPS == 0)
		hot_check(run->f.store, run->about);
}

static void do_abort(struct run *run)
{
	run->aborts = true;
	run->engine->ops->abort(run->f.store);
	run->aborts = false;
	lose_uncommitted(run);
}

/* --- maintenance --- */

static bool maintenance(struct run *run, bool least)
{
	struct error err = { 0 };
	bool more, dirty;

	if (fails(run, store_maintain(run->f.store, least ? 0 : INT64_MAX, &more, &dirty, &err), &err)) {
		if (store_uncommitted(run->f.store) == 0)
			lose_uncommitted(run);
		return false;
	}
	if (dirty && pick_percent(run->pick, 60))
		do_commit(run);
	return more;
}

static void do_slice(struct run *run)
{
	for (uint32_t left = pick_between(run->pick, 1, 3); left > 0; left--)
		maintenance(run, pick_percent(run->pick, 75));
}

static void do_all_maintenance(struct run *run)
{
	unsigned calls = 0;

	do_commit(run);
	while (maintenance(run, false)) {
		if (pick_percent(run->pick, 20) || run->f.store->uncommitted == 0)
			do_commit(run);
		expect(++calls < MAINTENANCE_CALLS_MAX, "%s: maintenance finds no end", run->about);
	}
	do_commit(run);
}

static void assert_all_sealed(struct run *run)
{
	size_t count;
	const int32_t *days = store_days(run->f.store, &count);

	for (size_t i = 0; i < count; i++) {
		struct store_day_stats stats;
		struct error err = { 0 };
		size_t wanted = model_day_count(&run->model, days[i]);

		expect(fixture_count_day(run->f.store, days[i], &stats, &err) == 0, "%s: %s", run->about, err.message);
		expect(stats.sealed_rows - stats.deleted_rows == wanted,
		       "%s: day %d has %llu sealed rows, %llu deleted, %llu hot or tombstones; wanted %zu", run->about,
		       days[i], (unsigned long long)stats.sealed_rows, (unsigned long long)stats.deleted_rows,
		       (unsigned long long)stats.hot_rows, wanted);
	}
}

static void do_seal_all(struct run *run)
{
	begin_sealing(run->f.store);
	if (pick_percent(run->pick, 30))
		return;
	do_all_maintenance(run);
	if (!run->tight)
		assert_all_sealed(run);
}

/* --- reading --- */

static char *copy_of(struct str value)
{
	char *copy = malloc(value.len + 1);

	ck_assert_ptr_nonnull(copy);
	if (value.len > 0)
		memcpy(copy, value.p, value.len);
	return copy;
}

static void change_case(struct run *run, char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (((text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z')) &&
		    pick_percent(run->pick, 50))
			text[i] ^= 0x20;
}

static void add_filter(struct run *run, struct check *check)
{
	const struct catalog_product *product = check->query.product;
	const struct model_record *record = any_record(run);
	struct scan_filter *filter = &check->filters[check->query.filters_count];
	struct str value;

	filter->column = product->filters_count > 0 && pick_percent(run->pick, 85) ?
	                         product->filters[pick_below(run->pick, product->filters_count)].column :
	                         (uint8_t)pick_below(run->pick, product->columns_count);
	filter->match = pick_percent(run->pick, 30) ? SCAN_NOCASE : SCAN_EXACTLY;
	if (product->columns[filter->column].kind == CATALOG_NUMBER)
		filter->match = SCAN_NUMBER;
	if (pick_percent(run->pick, 70) && record && record->now->record.product == product)
		value = record->now->record.values[filter->column];
	else
		value = pick_percent(run->pick, 15) ? STR_LITERAL("") :
		                                      sample_value(&run->sampler, product, filter->column);
	if (filter->match == SCAN_NUMBER && value.len > 0 && *value.p == '+')
		value = (struct str){ value.p + 1, value.len - 1 };
	char *copy = copy_of(value);
	if (filter->match == SCAN_NOCASE)
		change_case(run, copy, value.len);
	check->filter_values[check->query.filters_count++] = copy;
	filter->value = (struct str){ copy, value.len };
}

static void any_range(struct run *run, struct scan_query *query)
{
	const struct model_record *a = any_record(run), *b = any_record(run);

	query->from_us = clock_day_start_us(run->first_day);
	query->to_us = clock_day_start_us(run->first_day + run->days);
	if (pick_percent(run->pick, 40) || !a || !b)
		return;
	query->from_us = a->now->time_us;
	if (pick_percent(run->pick, 50))
		query->to_us = b->now->time_us;
	if (query->from_us > query->to_us) {
		int64_t swap = query->from_us;

		query->from_us = query->to_us;
		query->to_us = swap;
	}
	if (query->from_us == query->to_us)
		query->to_us++;
}

/* One, its family, or some. */
static void any_accounts(struct run *run, struct check *check)
{
	uint32_t account = any_account(run), kind = pick_below(run->pick, 4);

	for (uint32_t i = 0; i < run->accounts_count; i++)
		if (i == account || (kind == 0 && pick_percent(run->pick, 40)) ||
		    (kind > 1 && i / FAMILY == account / FAMILY))
			check->accounts[check->query.accounts_count++] = sample_account_key(run->accounts[i]);
}

static void any_query(struct run *run, struct check *check)
{
	*check = (struct check){ .engine = run->engine,
		                 .spans = pick_percent(run->pick, 50),
		                 .lines = pick_percent(run->pick, 40),
		                 .many_lines = pick_percent(run->pick, 50),
		                 .deflated_lines = pick_percent(run->pick, 50) };
	struct scan_query *query = &check->query;

	query->product = any_product(run);
	query->direction = any_direction(run, query->product);
	check->view.include_message = pick_percent(run->pick, 60);
	check->view.show_concatenated = pick_percent(run->pick, 50);
	query->snapshot = store_snapshot(run->f.store);
	any_range(run, query);
	any_accounts(run, check);
	while (query->filters_count < CHECK_FILTERS_MAX && pick_percent(run->pick, 35))
		add_filter(run, check);
	if (pick_percent(run->pick, 30))
		query->columns = pick_u64(run->pick) | UINT64_C(1) << pick_below(run->pick, 8);
}

static void end_scan(struct run *run, unsigned number)
{
	run->spans += run->scans[number].spans_given;
	check_end(&run->scans[number]);
	run->open[number] = false;
}

static size_t any_page(struct run *run)
{
	static const uint32_t sizes[] = { 1, 3, 20, 100, 1000, 100000 };

	return pick_between(run->pick, 1, sizes[pick_below(run->pick, sizeof(sizes) / sizeof(sizes[0]))]);
}

/* Goes on with a scan that is under way, or begins one. */
static void do_scan(struct run *run)
{
	unsigned number = pick_below(run->pick, SCANS);
	struct check *check = &run->scans[number];

	if (!run->open[number]) {
		any_query(run, check);
		check_begin(check, run->about, run->f.store, &run->model);
		run->open[number] = true;
	}
	check->store = run->f.store;
	if (check_page(check, any_page(run), pick_percent(run->pick, 40)))
		end_scan(run, number);
}

static void do_whole_scan(struct run *run)
{
	struct check check;
	size_t page = pick_percent(run->pick, 30) ? SIZE_MAX : any_page(run);

	any_query(run, &check);
	check_begin(&check, run->about, run->f.store, &run->model);
	if (page < check.count / 50)
		page = check.count / 50;
	while (!check_page(&check, page ? page : 1, pick_percent(run->pick, 40)))
		;
	run->spans += check.spans_given;
	check_end(&check);
}

static void do_count(struct run *run)
{
	struct check check;

	any_query(run, &check);
	check_begin(&check, run->about, run->f.store, &run->model);
	check_count(&check, pick_percent(run->pick, 40));
	check_end(&check);
}

static void write_id(void *arg, struct buf *out, const struct record *record)
{
	(void)arg;
	buf_add_str(out, record->values[record->product->id_column]);
}

/* All changes of an account, page by page: each record is there once. */
static void do_changes(struct run *run)
{
	const char *id = run->accounts[any_account(run)];
	struct account_key account = sample_account_key(id);
	struct changes_query query = { .product = any_product(run),
		                       .accounts = &account,
		                       .accounts_count = 1,
		                       .max = pick_between(run->pick, 1, 200),
		                       .write = write_id };
	struct error err = { 0 };
	struct changes_page page = { .more = true };
	size_t count = 0, wanted = 0;

	while (page.more) {
		struct changes *changes = changes_new(run->f.store, &query, &err);
		enum scan_end end = SCAN_PAUSED;

		while (end != SCAN_DONE) {
			if (end == SCAN_WAITS)
				run->engine->turn(run->f.store);
			expect(changes_run(changes, INT64_MAX, &end, &err) == 0, "%s: changes: %s", run->about,
			       err.message);
		}
		page = changes_page(changes);
		count += page.count;
		expect(page.up_to > query.since || !page.more, "%s: a page of changes leads nowhere", run->about);
		query.since = page.up_to;
		changes_free(changes);
	}
	for (size_t i = 0; i < run->model.count; i++) {
		const struct model_record *record = run->model.records[i];
		const struct catalog_product *product = query.product;

		wanted += !record->gone && record->committed && record->committed->record.product == product &&
		          str_is(record->committed->record.values[product->account_column], id);
	}
	expect(count == wanted, "%s: %zu changes of %.*s, wanted %zu", run->about, count, STR_ARGS(query.product->name),
	       wanted);
}

static void find(struct run *run, const struct catalog_product *product, struct str account, struct str id)
{
	struct account_key key = account_key_of(account, account.len);
	enum catalog_direction direction =
		pick_percent(run->pick, 50) ? any_direction(run, product) : CATALOG_NO_DIRECTION;

	run->found += check_find(run->about, run->engine, run->f.store, &run->model, product, &key, direction, id,
	                         pick_percent(run->pick, 80) ? 10000 : pick_between(run->pick, 1, 3));
}

static void do_find(struct run *run)
{
	const struct model_record *record = any_record(run);

	find(run, any_product(run), str_from(run->accounts[0]), STR_LITERAL("nobody-has-it"));
	if (!record)
		return;
	const struct record *own = &record->now->record;
	struct str id = own->values[own->product->lookup[pick_below(run->pick, own->product->lookup_count)]];
	bool other = pick_percent(run->pick, 10);
	find(run, other ? any_product(run) : own->product,
	     other ? str_from(run->accounts[any_account(run)]) : own->values[own->product->account_column],
	     id.len > 0 ? id : own->values[own->product->id_column]);
}

static void on_fault(void *arg, const char *fault)
{
	const struct run *run = arg;

	ck_abort_msg("%s: verify: %s", run->about, fault);
}

static void do_verify(struct run *run)
{
	struct error err = { 0 };
	struct verify *verify = verify_new(run->f.store, NULL, on_fault, run, &err);
	bool done = false;

	while (!done)
		expect(verify_step(verify, pick_percent(run->pick, 50) ? 0 : INT64_MAX, &done, &err) == 0, "%s: %s",
		       run->about, err.message);
	verify_free(verify);
}

/* --- ends and beginnings --- */

enum tampering {
	TAMPER_NOT,
	TAMPER_REMOVE,
	TAMPER_CUT,
	TAMPER_GARBAGE,
	TAMPER_OTHER_BOOT,
	TAMPER_SAME_BOOT,
	TAMPERINGS
};

#define STATE_CLEAN 2

/* The header of bloom_filter.c: magic(8) state(4) parts(4) boot id(16). */
static void tamper(struct run *run, const char *path, enum tampering how)
{
	uint8_t bytes[64];
	struct stat st;
	int fd = open(path, O_RDWR);

	if (fd < 0)
		return;
	ck_assert_int_eq(fstat(fd, &st), 0);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)pick_u64(run->pick);
	if (how == TAMPER_REMOVE)
		ck_assert_int_eq(unlink(path), 0);
	if (how == TAMPER_CUT)
		ck_assert_int_eq(ftruncate(fd, pick_below(run->pick, (uint32_t)st.st_size)), 0);
	if (how == TAMPER_GARBAGE)
		ck_assert_int_eq(pwrite(fd, bytes, sizeof(bytes), 0), sizeof(bytes));
	uint32_t state = 0;
	ck_assert_int_ge(pread(fd, &state, sizeof(state), 8), 0);
	if ((how == TAMPER_OTHER_BOOT || how == TAMPER_SAME_BOOT) && state == STATE_CLEAN)
		ck_assert_int_eq(pwrite(fd, "\1\0\0\0", 4, 8), 4);
	if (how == TAMPER_OTHER_BOOT) {
		ck_assert_int_eq(pwrite(fd, bytes, 16, 16), 16);
		for (long at = 4096; at < st.st_size; at += 4096) /* pages that a crash has lost */
			ck_assert_int_eq(pwrite(fd, "\0\0\0\0\0\0\0", 8, at), 8);
	}
	close(fd);
}

static void tamper_with_filters(struct run *run)
{
	size_t count;
	const int32_t *days = store_days(run->f.store, &count);
	int32_t copy[64];

	ck_assert_uint_lt(count, 64);
	if (count > 0)
		memcpy(copy, days, count * sizeof(*copy));
	fixture_stop(&run->f);
	for (size_t i = 0; i < count; i++) {
		struct buf path = { 0 };

		buf_addf(&path, "%s/days/", run->f.dir);
		clock_format_day(&path, copy[i]);
		buf_add_text(&path, "/ids.filter");
		tamper(run, buf_cstr(&path), (enum tampering)pick_below(run->pick, TAMPERINGS));
		buf_free(&path);
	}
}

/* Of what has not ended, nobody is told any more. */
static void forget_puts(struct run *run)
{
	while (!LIST_EMPTY(&run->puts))
		put_free(LIST_FIRST(&run->puts));
}

/* Of an engine that keeps what was committed somewhere else. */
static void do_reopen(struct run *run)
{
	forget_scans(run);
	fixture_restart(&run->f);
	forget_puts(run);
	lose_uncommitted(run);
	settle(run);
}

static void do_restart(struct run *run)
{
	forget_scans(run);
	if (pick_percent(run->pick, 50)) {
		do_commit(run);
		if (run->engine == &days_test_engine && !run->tight && pick_percent(run->pick, 40))
			old_hot_rows_make(run->f.store);
	}
	if (pick_percent(run->pick, 50)) {
		tamper_with_filters(run);
		fixture_start(&run->f);
	} else {
		fixture_restart(&run->f);
	}
	lose_uncommitted(run);
}

static void copy_file(const char *from, const char *to)
{
	char bytes[16384];
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT, 0600);
	ssize_t len;

	ck_assert(in >= 0 && out >= 0);
	while ((len = read(in, bytes, sizeof(bytes))) > 0)
		ck_assert_int_eq(write(out, bytes, (size_t)len), len);
	close(in);
	close(out);
}

static char copied_from[64], copied_to[80];

static int copy_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	char to[256];

	(void)st;
	(void)ftw;
	snprintf(to, sizeof(to), "%s%s", copied_to, path + strlen(copied_from));
	if (type == FTW_D)
		ck_assert_int_eq(mkdir(to, 0700), 0);
	else
		copy_file(path, to);
	return 0;
}

/* As after kill -9: continues with a copy of the files as they were with everything open. */
static void crash(struct run *run)
{
	forget_scans(run);
	snprintf(copied_from, sizeof(copied_from), "%s", run->f.dir);
	snprintf(copied_to, sizeof(copied_to), "%s+", run->f.dir);
	ck_assert_int_eq(nftw(copied_from, copy_entry, 8, FTW_PHYS), 0);
	fixture_close(&run->f);
	ck_assert_int_eq(rename(copied_to, copied_from), 0);
	fixture_start(&run->f);
}

static void do_crash(struct run *run)
{
	crash(run);
	lose_uncommitted(run);
}

/* --- a crash between the commits of days --- */

static bool has_day(void *arg, int32_t day)
{
	const struct run *run = arg;

	return run->torn >> (day - run->first_day) & 1;
}

/* Some days are committed, others not, as store_commit does it: what moves is on disk first. */
static void tear(struct run *run)
{
	struct store *store = run->f.store;
	struct error err = { 0 };

	run->torn = 0;
	expect(moves_write(store, &err) == 0, "%s: %s", run->about, err.message);
	for (size_t i = 0; i < store->days_count; i++) {
		struct day *day = store->days[i];

		if (!day->env.write || pick_percent(run->pick, 50))
			continue;
		expect(env_commit(&day->env, &err) == 0, "%s: %s", run->about, err.message);
		run->torn |= UINT64_C(1) << (day->number - run->first_day);
	}
}

static void put_moved(struct run *run)
{
	static const struct store_versions versions = { .merge = false, .column = CATALOG_NONE };
	const struct model_record *old = any_record(run);
	int32_t day = old ? model_day(old) + (pick_percent(run->pick, 50) ? 1 : -1) : 0;

	if (old && day >= run->first_day && day < run->first_day + run->days)
		put(run,
		    sample_changed(&run->sampler, old->now, any_direction(run, old->now->record.product),
		                   any_time(run, day), 1),
		    &versions);
}

static void do_torn_crash(struct run *run)
{
	bool moves = false;

	if (run->tight)
		return;
	do_commit(run);
	for (uint32_t left = pick_between(run->pick, 1, 12); left > 0; left--)
		put_moved(run);
	if (pick_percent(run->pick, 50))
		do_put(run);
	if (!model_may_tear(&run->model))
		return;
	tear(run);
	for (size_t i = 0; i < run->model.count; i++)
		moves |= run->model.records[i]->moved != NULL;
	model_tear(&run->model, has_day, run);
	crash(run);
	run->torn_moves += moves;
}

static void do_retention(struct run *run)
{
	if (run->tight || run->days < 2 || store_uncommitted(run->f.store) > 0)
		return;
	if (pick_percent(run->pick, 50))
		do_commit(run); /* what maintenance has written, or the day stays */
	size_t before, after;
	store_days(run->f.store, &before);
	int removed = store_remove_days_before(run->f.store, run->first_day + 1, 1);
	store_days(run->f.store, &after);
	ck_assert_uint_eq(before - (size_t)removed, after);
	settle(run);
	if (removed == 1 || run->engine->reopens) {
		run->first_day++;
		model_remove_days_before(&run->model, run->first_day);
	}
}

/* --- runs --- */

static bool any_engine(const struct test_engine *engine)
{
	(void)engine;
	return true;
}

/* What lies beside the seam. */
static bool of_days(const struct test_engine *engine)
{
	return engine == &days_test_engine;
}

static bool that_reopens(const struct test_engine *engine)
{
	return engine->reopens;
}

static const struct {
	void (*does)(struct run *run);
	unsigned weight;
	bool (*of)(const struct test_engine *engine);
} steps[] = {
	{ do_put, 300, any_engine },  { do_commit, 120, any_engine },      { do_abort, 8, any_engine },
	{ do_slice, 160, of_days },   { do_all_maintenance, 12, of_days }, { do_seal_all, 8, of_days },
	{ do_scan, 230, any_engine }, { do_find, 100, any_engine },        { do_restart, 12, of_days },
	{ do_crash, 5, of_days },     { do_whole_scan, 40, any_engine },   { do_retention, 3, any_engine },
	{ do_verify, 6, of_days },    { do_torn_crash, 8, of_days },       { do_changes, 10, any_engine },
	{ do_count, 20, any_engine }, { do_reopen, 12, that_reopens },
};

static void do_step(struct run *run)
{
	unsigned total = 0, at = 0;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		total += steps[i].weight;
	unsigned chosen = pick_below(run->pick, total);
	while (chosen >= steps[at].weight)
		chosen -= steps[at++].weight;
	if (steps[at].of(run->engine))
		steps[at].does(run);
}

/* Ids of all lengths: the number of one that has not 8 characters is their count. */
static void make_accounts(struct run *run)
{
	static const uint32_t counts[] = { 1, 4, 4, ACCOUNTS_MAX };
	static const char text[] = "An-id_of_64_characters-0123456789-abcdefghijklmnopqrstuvwxyz_ABC";

	run->accounts_count = counts[pick_below(run->pick, sizeof(counts) / sizeof(counts[0]))];
	uint32_t numbered = (run->accounts_count + 1) / 2;
	for (uint32_t i = 0; i < run->accounts_count; i++) {
		uint32_t len = i + 1 < numbered ? i + 1 + (i >= 7) : ACCOUNT_ID_MAX,
			 other = pick_below(run->pick, i + 1);

		if (i < numbered)
			snprintf(run->accounts[i], sizeof(run->accounts[i]), "%.*s", (int)len, text);
		else
			snprintf(run->accounts[i], sizeof(run->accounts[i]), "acct%04u", i);
		run->by_size[i] = run->by_size[other];
		run->by_size[other] = (uint8_t)i;
	}
}

static void begin(struct run *run, const struct test_engine *engine, uint64_t seed)
{
	static const uint32_t seal_rows[] = { 50, 120, 300, 1000, 6000, 16384 };

	*run = (struct run){ .engine = engine, .seed = seed, .first_day = FIRST_DAY };
	run->sampler.pick.state = seed * UINT64_C(0x2545f4914f6cdd1d);
	run->pick = &run->sampler.pick;
	run->sampler.styles = pick_u64(run->pick);
	run->sampler.wild = pick_percent(run->pick, 40);
	run->tight = seed % 6 == 5 && engine == &days_test_engine;
	make_accounts(run);
	run->days = run->tight ? 1 : (int)pick_between(run->pick, 1, 5);
	run->hour = pick_below(run->pick, 24);
	uint32_t rows = seal_rows[pick_below(run->pick, sizeof(seal_rows) / sizeof(seal_rows[0]))];
	run->burst = rows >= 6000 ? 120 : 25;
	fixture_directory(run->f.dir, sizeof(run->f.dir));
	run->f.options = (struct store_options){
		.engine = engine->ops,
		.data_dir = run->f.dir,
		.day_map_bytes = run->tight ? MAP_BYTES_TIGHT : MAP_BYTES,
		.days_open_max = (int)pick_between(run->pick, 1, 4),
		.seal_rows = rows,
		.seal_part_rows = pick_percent(run->pick, 50) ? pick_between(run->pick, 5, 60) : 0,
		.seal_age_us = pick_percent(run->pick, 50) ? 1 : INT64_C(1) << 50,
	};
	if (engine->begin)
		engine->begin(&run->f.options, seed);
	fixture_start(&run->f);
	settle(run);
}

/* Everything, once more, hot or sealed as it is. */
static void check_all(struct run *run)
{
	for (unsigned i = 0; i < SCANS; i++) {
		run->scans[i].store = run->f.store;
		while (run->open[i])
			if (check_page(&run->scans[i], 1000, false))
				end_scan(run, i);
	}
	for (size_t i = 0; i < 4 * sizeof(product_names) / sizeof(product_names[0]); i++) {
		do_whole_scan(run);
		do_count(run);
		do_changes(run);
	}
	for (size_t i = 0; i < run->model.count; i++) {
		const struct sample *sample = run->model.records[i]->now;
		const struct catalog_product *product = sample->record.product;

		if (i % 4 == 0)
			find(run, product, sample->record.values[product->account_column],
			     sample->record.values[product->id_column]);
	}
}

static void run_seed(const struct test_engine *engine, uint64_t seed)
{
	struct run run;

	begin(&run, engine, seed);
	unsigned run_steps = engine->reopens ? STEPS_CLUSTER : STEPS;
	for (run.step = 0; run.step < run_steps; run.step++) {
		snprintf(run.about, sizeof(run.about), "seed %llu, step %u", (unsigned long long)seed, run.step);
		do_step(&run);
	}
	check_all(&run);
	if (engine == &days_test_engine) {
		do_seal_all(&run);
		check_all(&run);
	}
	if (getenv("CDRD_TEST_SEED"))
		fprintf(stderr,
		        "seed %llu: %zu records, %zu whole blocks, %zu found by id, %zu updated, %zu duplicates, %zu outdated, "
		        "%zu without direction, %zu crashes while records moved\n",
		        (unsigned long long)seed, run.model.count, run.spans, run.found, run.results[STORE_UPDATED],
		        run.results[STORE_DUPLICATE], run.results[STORE_OUTDATED], run.results[STORE_LACKS_DIRECTION],
		        run.torn_moves);
	fixture_close(&run.f);
	forget_puts(&run);
	model_free(&run.model);
	if (engine->end)
		engine->end();
}

static bool environment_has(const char *name)
{
	const char *text = getenv(name);

	return text && *text;
}

/* The seed of the environment, or so many of them. */
static int seeds_end(void)
{
	if (getenv("CDRD_TEST_SEED"))
		return 1;
	return environment_has("CDRD_LONG_TESTS") ? SEEDS_LONG : SEEDS_SHORT;
}

/* A few that together do everything, retention included. */
static const unsigned few[SEEDS_FEW] = { 0, 1, 8, 10 };

static bool is_quick(void)
{
	return seeds_end() == SEEDS_SHORT && environment_has("CDRD_QUICK_TESTS");
}

START_TEST(every_answer_is_that_of_a_plain_list)
{
	const char *text = getenv("CDRD_TEST_SEED");

	run_seed(&days_test_engine, text ? strtoull(text, NULL, 10) : is_quick() ? few[_i] : (unsigned)_i);
}
END_TEST

static const struct test_engine *const other_engines[] = { &memory_test_engine };

#define OTHER_ENGINES (int)(sizeof(other_engines) / sizeof(other_engines[0]))

/* What is above the seam depends on nothing but the seam: not on files, and not on being answered at once. */
START_TEST(every_answer_of_another_engine_is_that_of_a_plain_list)
{
	const char *text = getenv("CDRD_TEST_SEED");

	int turn = _i / OTHER_ENGINES;
	unsigned seed = seeds_end() > SEEDS_SHORT ? (unsigned)turn : few[turn];

	run_seed(other_engines[_i % OTHER_ENGINES], text ? strtoull(text, NULL, 10) : seed);
}
END_TEST

/* As fast as servers answer. tests/cluster/test_model.py starts them. */
START_TEST(every_answer_of_a_cluster_is_that_of_a_plain_list)
{
	const char *text = getenv("CDRD_TEST_SEED");

	run_seed(&cluster_test_engine, text ? strtoull(text, NULL, 10) : (unsigned)_i);
}
END_TEST

START_TEST(engine_that_cannot_erase_says_so)
{
	struct store_options options = { .engine = memory_test_engine.ops };
	struct erase_scope scope = { .number = STR_LITERAL("447700900000") };
	struct store *store;
	struct error err = { 0 };

	ck_assert_int_eq(store_open(&store, &options, &err), 0);
	ck_assert_ptr_null(erase_new(store, &scope, &err));
	ck_assert_str_eq(err.message, "erasing: the storage engine \"memory\" cannot");
	store_close(store);
}
END_TEST

/* Of a cluster, each takes as long as many of the others. */
static int cluster_seeds_end(void)
{
	int count = seeds_end();

	return count > SEEDS_SHORT ? SEEDS_CLUSTER_LONG : count == SEEDS_SHORT ? SEEDS_CLUSTER : count;
}

static void add_cluster(Suite *suite)
{
	TCase *tests = tcase_create("cluster");

	tcase_add_loop_test(tests, every_answer_of_a_cluster_is_that_of_a_plain_list, 0, cluster_seeds_end());
	tcase_set_timeout(tests, 300);
	suite_add_tcase(suite, tests);
}

Suite *suite_store_model(void)
{
	Suite *suite = suite_create("store_model");
	TCase *tests = tcase_create("model"), *other = tcase_create("another engine");

	tcase_set_timeout(tests, 300);
	tcase_add_loop_test(tests, every_answer_is_that_of_a_plain_list, 0, is_quick() ? SEEDS_FEW : seeds_end());
	tcase_add_loop_test(other, every_answer_of_another_engine_is_that_of_a_plain_list, 0,
	                    OTHER_ENGINES * (seeds_end() == SEEDS_SHORT ? SEEDS_FEW : seeds_end()));
	tcase_add_test(other, engine_that_cannot_erase_says_so);
	tcase_set_timeout(other, 300);
	suite_add_tcase(suite, tests);
	suite_add_tcase(suite, other);
	if (getenv("CDRD_TEST_CLICKHOUSE"))
		add_cluster(suite);
	return suite;
}
