/* SPDX-License-Identifier: ISC */
/*
 * store_model.c: a plain list of records that answers as the store must. See store_model.h.
 */
#include "store_model.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"

static struct str value_of(const struct sample *sample, uint8_t column)
{
	return sample->record.values[column];
}

static struct str account_of(const struct sample *sample)
{
	return value_of(sample, sample->record.product->account_column);
}

static uint64_t owner_of(const struct catalog_product *product, const struct account_key *account)
{
	return id_hash64(account->bytes, sizeof(account->bytes), product->number);
}

static uint64_t key_of(const struct sample *sample)
{
	const struct catalog_product *product = sample->record.product;
	struct str account = account_of(sample), id = value_of(sample, product->id_column);

	return id_hash64(id.p, id.len, id_hash64(account.p, account.len, product->number));
}

int32_t model_day(const struct model_record *record)
{
	return clock_day_of(record->now->time_us);
}

int32_t model_place_day(const struct model_place *position)
{
	return clock_day_of(position->time_us);
}

static bool is_same(const struct model_record *record, const struct sample *sample)
{
	const struct catalog_product *product = sample->record.product;

	return record->now->record.product == product &&
	       str_equal(value_of(record->now, product->id_column), value_of(sample, product->id_column)) &&
	       str_equal(account_of(record->now), account_of(sample));
}

/* In the sample's day; or else, where versions are compared, in the day before or after. */
static struct model_record *find(const struct model *model, const struct sample *sample, bool beside)
{
	uint64_t key = key_of(sample);
	struct model_record *found[3] = { NULL, NULL, NULL };

	for (size_t i = 0; i < model->count; i++) {
		struct model_record *record = model->records[i];

		if (model->keys[i] != key || record->gone || !is_same(record, sample))
			continue;
		int32_t days = model_day(record) - clock_day_of(sample->time_us);
		if (days >= -1 && days <= 1)
			found[days + 1] = record;
	}
	if (found[1] || !beside)
		return found[1];
	return found[0] ? found[0] : found[2];
}

/* Numbers of the samples are small. */
static bool number_of(struct str text, double *number)
{
	char copy[32], *end;

	if (text.len == 0 || text.len >= sizeof(copy))
		return false;
	memcpy(copy, text.p, text.len);
	copy[text.len] = '\0';
	*number = strtod(copy, &end);
	return *end == '\0' && (copy[0] == '-' || (copy[0] >= '0' && copy[0] <= '9'));
}

static bool is_older(const struct record *came, const struct record *stored, uint8_t column)
{
	struct str a = record_value(came, column), b = record_value(stored, column);
	uint8_t status = came->product->status_column;
	uint8_t rank = catalog_status_rank(came->product, record_value(came, status));
	uint8_t other = catalog_status_rank(came->product, record_value(stored, status));
	double number_a, number_b;
	int64_t us_a, us_b;

	if (number_of(a, &number_a) && number_of(b, &number_b) && number_a != number_b)
		return number_a < number_b;
	if (clock_parse_iso8601(a, &us_a) && clock_parse_iso8601(b, &us_b) && us_a != us_b)
		return us_a < us_b;
	return rank != 0 && other != 0 && rank < other;
}

static struct sample *merged(const struct record *came, const struct sample *stored, int64_t time_us, bool outdated)
{
	struct record record = stored->record;

	for (uint8_t i = 0; i < record.product->columns_count; i++)
		if (outdated ? record.values[i].len == 0 && came->values[i].len > 0 : came->values[i].p != NULL)
			record.values[i] = came->values[i];
	return sample_copy(&record, outdated ? stored->time_us : time_us);
}

enum store_put_result model_expect(const struct model *model, const struct sample *sample,
                                   const struct store_versions *versions, struct sample **stored)
{
	const struct record *came = &sample->record;
	const struct model_record *record = find(model, sample, versions);
	bool merges = versions && versions->merge;

	*stored = NULL;
	if (!record && came->product->partition_direction && record_partition(came) == CATALOG_NO_DIRECTION)
		return STORE_LACKS_DIRECTION;
	if (!record) {
		*stored = sample_copy(came, sample->time_us);
		return STORE_ACCEPTED;
	}
	struct sample *whole =
		merges ? merged(came, record->now, sample->time_us, false) : sample_copy(came, sample->time_us);
	if (record_equal(&record->now->record, &whole->record)) {
		free(whole);
		return STORE_DUPLICATE;
	}
	if (!versions || !is_older(came, &record->now->record, versions->column)) {
		*stored = whole;
		return STORE_UPDATED;
	}
	free(whole);
	if (merges) {
		whole = merged(came, record->now, 0, true);
		if (record_equal(&record->now->record, &whole->record))
			free(whole);
		else
			*stored = whole;
	}
	return STORE_OUTDATED;
}

static void *must(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

static struct model_record *add(struct model *model, const struct sample *sample)
{
	struct account_key account = record_account_key(&sample->record);

	if (model->count == model->cap) {
		model->cap = model->cap ? 2 * model->cap : 256;
		model->records = must(realloc(model->records, model->cap * sizeof(*model->records)));
		model->keys = must(realloc(model->keys, model->cap * sizeof(*model->keys)));
		model->owners = must(realloc(model->owners, model->cap * sizeof(*model->owners)));
	}
	struct model_record *record = must(calloc(1, sizeof(*record)));
	model->keys[model->count] = key_of(sample);
	model->owners[model->count] = owner_of(sample->record.product, &account);
	model->records[model->count++] = record;
	return record;
}

static void add_place(struct model_record *record, const struct model_place *position)
{
	record->positions = must(realloc(record->positions, (record->places_count + 1) * sizeof(*position)));
	record->positions[record->places_count++] = *position;
}

void model_put(struct model *model, struct sample *sample, const struct store_versions *versions, uint64_t seq)
{
	struct model_record *record = find(model, sample, versions);
	struct model_place position = { sample->time_us, seq, (uint8_t)record_partition(&sample->record) };
	const struct model_place *last = NULL;

	if (!record)
		record = add(model, sample);
	else
		last = &record->positions[record->places_count - 1];
	if (!last || last->time_us != position.time_us || last->direction != position.direction)
		add_place(record, &position);
	if (record->now && model_day(record) != model_place_day(&position)) {
		free(record->moved);
		record->moved = sample_copy(&sample->record, sample->time_us);
		record->places_moved = record->places_count;
	}
	if (record->now != record->committed)
		free(record->now);
	record->now = sample;
}

static void settle(struct model_record *record, struct sample *sample, size_t positions)
{
	if (record->now != record->committed && record->now != sample)
		free(record->now);
	if (record->committed != sample)
		free(record->committed);
	record->now = record->committed = sample;
	record->places_count = record->places_committed = positions;
	if (record->moved != sample)
		free(record->moved);
	record->moved = NULL;
}

void model_commit(struct model *model)
{
	for (size_t i = 0; i < model->count; i++) {
		struct model_record *record = model->records[i];

		settle(record, record->now, record->places_count);
	}
}

static void record_free(struct model_record *record)
{
	if (record->now != record->committed)
		free(record->now);
	free(record->committed);
	free(record->moved);
	free(record->positions);
	free(record);
}

/* Drops records that are nowhere. */
static void drop_unborn(struct model *model)
{
	size_t kept = 0;

	for (size_t i = 0; i < model->count; i++) {
		struct model_record *record = model->records[i];

		if (record->committed) {
			model->keys[kept] = model->keys[i];
			model->owners[kept] = model->owners[i];
			model->records[kept++] = record;
		} else {
			record_free(record);
		}
	}
	model->count = kept;
}

static void go_back(struct model_record *record)
{
	if (record->committed)
		settle(record, record->committed, record->places_committed);
}

void model_abort(struct model *model)
{
	for (size_t i = 0; i < model->count; i++)
		go_back(model->records[i]);
	drop_unborn(model);
}

static bool is_changed(const struct model_record *record)
{
	return record->now != record->committed;
}

bool model_may_tear(const struct model *model)
{
	for (size_t i = 0; i < model->count; i++)
		for (size_t j = 0; is_changed(model->records[i]) && j < model->count; j++)
			if (j != i && model->keys[j] == model->keys[i] && !model->records[j]->gone)
				return false;
	return true;
}

void model_tear(struct model *model, model_day_fn has_day, void *arg)
{
	for (size_t i = 0; i < model->count; i++) {
		struct model_record *record = model->records[i];

		if (!is_changed(record))
			continue;
		if (has_day(arg, model_day(record)))
			settle(record, record->now, record->places_count);
		else if (record->moved)
			settle(record, record->moved, record->places_moved);
		else
			go_back(record);
	}
	drop_unborn(model);
}

void model_remove_days_before(struct model *model, int32_t day)
{
	model->first_day = day;
	for (size_t i = 0; i < model->count; i++)
		model->records[i]->gone |= model_day(model->records[i]) < day;
}

size_t model_day_count(const struct model *model, int32_t day)
{
	size_t count = 0;

	for (size_t i = 0; i < model->count; i++) {
		const struct model_record *record = model->records[i];

		count += record->committed && !record->gone && clock_day_of(record->committed->time_us) == day;
	}
	return count;
}

const struct model_place *model_place_at(const struct model_record *record, uint64_t snapshot)
{
	const struct model_place *position = NULL;

	for (size_t i = 0; i < record->places_committed && record->positions[i].seq <= snapshot; i++)
		position = &record->positions[i];
	return position;
}

/* --- answers --- */

/* What a list is sorted by. */
struct item {
	const struct model_record *record;
	int32_t day;
	uint32_t account;
	struct model_place position;
};

static int compare_items(const void *a, const void *b)
{
	const struct item *left = a, *right = b;

	if (left->day != right->day)
		return left->day < right->day ? -1 : 1;
	if (left->account != right->account)
		return left->account < right->account ? -1 : 1;
	if (left->position.time_us != right->position.time_us)
		return left->position.time_us < right->position.time_us ? -1 : 1;
	return (left->position.seq > right->position.seq) - (left->position.seq < right->position.seq);
}

/* Sorts the items and keeps their records, in the same memory. */
static const struct model_record **records_of(struct item *items, size_t count)
{
	const struct model_record **records = must(malloc((count + 1) * sizeof(*records)));

	if (count > 0)
		qsort(items, count, sizeof(*items), compare_items);
	for (size_t i = 0; i < count; i++)
		records[i] = items[i].record;
	free(items);
	return records;
}

static bool is_of_account(const struct sample *sample, const struct account_key *account)
{
	struct account_key own = record_account_key(&sample->record);

	return account_key_equal(&own, account);
}

static bool account_index(const struct scan_query *query, const struct record *record, uint32_t *index)
{
	struct account_key account = record_account_key(record);

	for (size_t i = 0; i < query->accounts_count; i++)
		if (account_key_equal(&query->accounts[i], &account)) {
			*index = (uint32_t)i;
			return true;
		}
	return false;
}

const struct model_record **model_list(const struct model *model, const struct scan_query *query, size_t *count)
{
	struct item *items = must(malloc((model->count + 1) * sizeof(*items)));

	*count = 0;
	for (size_t i = 0; i < model->count; i++) {
		const struct model_record *record = model->records[i];
		const struct model_place *position = model_place_at(record, query->snapshot);
		struct item item = { .record = record };

		if (!record->committed || record->gone || !position ||
		    record->committed->record.product != query->product || model_place_day(position) < model->first_day)
			continue;
		item.position = *position;
		item.day = model_place_day(position);
		if (position->direction == query->direction && position->time_us >= query->from_us &&
		    position->time_us < query->to_us && account_index(query, &record->committed->record, &item.account))
			items[(*count)++] = item;
	}
	return records_of(items, *count);
}

bool model_passes(const struct model_record *record, const struct scan_query *query)
{
	for (size_t i = 0; i < query->filters_count; i++) {
		const struct scan_filter *filter = &query->filters[i];
		struct str value = value_of(record->committed, filter->column);
		bool plus = filter->match == SCAN_NUMBER && value.len > 0 && *value.p == '+';

		if (plus)
			value = (struct str){ value.p + 1, value.len - 1 };
		if (!(filter->match == SCAN_NOCASE ? str_equal_nocase(value, filter->value) :
		                                     str_equal(value, filter->value)))
			return false;
	}
	return !record->gone;
}

static bool has_id(const struct sample *sample, struct str id)
{
	const struct catalog_product *product = sample->record.product;

	for (uint8_t i = 0; i < product->lookup_count; i++)
		if (str_equal(value_of(sample, product->lookup[i]), id))
			return true;
	return false;
}

const struct model_record **model_find(const struct model *model, const struct catalog_product *product,
                                       const struct account_key *account, enum catalog_direction direction,
                                       struct str id, size_t *count)
{
	size_t room = 8; /* few have the same id */
	struct item *items = must(malloc(room * sizeof(*items)));
	uint64_t owner = owner_of(product, account);

	*count = 0;
	for (size_t i = 0; i < model->count; i++) {
		const struct model_record *record = model->records[i];
		struct item item = { .record = record };

		if (model->owners[i] != owner || !record->committed || record->gone ||
		    record->committed->record.product != product || !is_of_account(record->committed, account) ||
		    !has_id(record->committed, id))
			continue;
		item.position = record->positions[record->places_committed - 1];
		item.day = -model_place_day(&item.position);
		if (direction != CATALOG_NO_DIRECTION && item.position.direction != direction)
			continue;
		if (*count == room)
			items = must(realloc(items, (room *= 2) * sizeof(*items)));
		items[(*count)++] = item;
	}
	return records_of(items, *count);
}

void model_free(struct model *model)
{
	while (model->count > 0)
		record_free(model->records[--model->count]);
	free(model->records);
	free(model->keys);
	free(model->owners);
	*model = (struct model){ 0 };
}
