/* SPDX-License-Identifier: ISC */
/*
 * skip_index.c: sets of values and a Bloom filter. See skip_index.h.
 *
 * A column begins as a set. Once its values are too many for one, their hashes are kept until the block is written, for
 * the Bloom filter: 12 bits a value and 8 probes give one false positive in 300.
 */
#include "store/blocks/skip_index.h"

#include <string.h>

#include "base/id.h"

#define FEW_VALUES 16    /* are a set in any case; more are only */
#define ROWS_PER_VALUE 8 /* where there are so many rows for each of them, on average */
#define FEW_SUMMED 64    /* numbers with more values are added up faster row by row than by their combinations */
#define BITS_PER_VALUE 12
#define PROBES 8
#define LOWERED_MAX 256 /* longer values are hashed as they are */

static uint64_t value_hash(uint8_t column, struct str value)
{
	char lowered[LOWERED_MAX];

	if (value.len > sizeof(lowered))
		return id_hash64(value.p, value.len, column);
	for (size_t i = 0; i < value.len; i++)
		lowered[i] = value.p[i] >= 'A' && value.p[i] <= 'Z' ? (char)(value.p[i] | 0x20) : value.p[i];
	return id_hash64(lowered, value.len, column);
}

/* Is a column worth a set though no filter names it? */
static bool is_aggregated(const struct catalog_column *column)
{
	return catalog_column_groups(column) || str_is(column->name, "total_price") || str_is(column->name, "price") ||
	       str_is(column->name, "duration");
}

static bool is_filter(const struct catalog_product *product, uint8_t column)
{
	for (uint8_t i = 0; i < product->filters_count; i++)
		if (product->filters[i].column == column)
			return true;
	return false;
}

static void choose_columns(struct skip_index_builder *builder, const struct catalog_product *product)
{
	builder->columns_count = 0;
	builder->product = product;
	for (uint8_t i = 0; i < product->columns_count && builder->columns_count < BLOCK_SKIP_COLUMNS_MAX; i++) {
		bool apart = product->partition_direction && i == product->direction_column;
		bool filters = !apart && is_filter(product, i);

		if (!filters && !is_aggregated(&product->columns[i]))
			continue;
		struct skip_index_column *own = &builder->columns[builder->columns_count++];
		own->column = i;
		own->filters = filters;
		own->summed = !filters && !catalog_column_groups(&product->columns[i]);
	}
}

/* Clears what is in use: blocks of a few rows are many. */
static void forget_values(struct skip_index_column *column)
{
	if (column->hashed)
		memset(column->recent, 0, sizeof(column->recent));
	if (column->count > 0)
		memset(column->slots, 0, sizeof(column->slots));
	column->many = column->hashed = false;
	column->count = column->last = 0;
	column->texts_len = 0;
}

void skip_index_begin(struct skip_index_builder *builder, const struct catalog_product *product)
{
	for (size_t i = 0; i < builder->columns_count; i++)
		forget_values(&builder->columns[i]);
	if (builder->product != product)
		choose_columns(builder, product);
	builder->rows = 0;
	buf_clear(&builder->hashes);
}

static bool has_value(const struct skip_index_column *column, uint8_t code, struct str value)
{
	return column->lengths[code] == value.len &&
	       memcmp(column->texts + column->offsets[code], value.p, value.len) == 0;
}

/* Adds a value to the set, or finds it: *code. False if it does not fit. */
static bool set_add(struct skip_index_column *column, struct str value, uint8_t *code)
{
	if (column->count > 0 && has_value(column, column->last, value)) {
		*code = column->last;
		return true;
	}
	size_t slot = id_hash64(value.p, value.len, 0) % BLOCK_SET_SLOTS;
	for (; column->slots[slot]; slot = (slot + 1) % BLOCK_SET_SLOTS)
		if (has_value(column, column->slots[slot] - 1, value)) {
			*code = column->last = column->slots[slot] - 1;
			return true;
		}
	if (column->count == BLOCK_SET_VALUES_MAX || column->texts_len + value.len > sizeof(column->texts))
		return false;
	memcpy(column->texts + column->texts_len, value.p, value.len);
	column->offsets[column->count] = column->texts_len;
	column->lengths[column->count] = (uint16_t)value.len;
	column->texts_len += (uint16_t)value.len;
	*code = column->last = column->count++;
	column->slots[slot] = column->count;
	return true;
}

static void add_hash(struct skip_index_builder *builder, struct skip_index_column *column, struct str value)
{
	uint64_t hash = value_hash(column->column, value), *recent = &column->recent[hash % BLOCK_RECENT_HASHES];

	if (*recent != hash)
		buf_add(&builder->hashes, &hash, sizeof(hash));
	*recent = hash;
	column->hashed = true;
}

/* The values of its set are hashed, for there are more. */
static void hash_set(struct skip_index_builder *builder, struct skip_index_column *column)
{
	for (uint8_t i = 0; column->filters && i < column->count; i++)
		add_hash(builder, column, skip_index_value(column, i));
}

void skip_index_add(struct skip_index_builder *builder, const struct record *record)
{
	for (size_t i = 0; i < builder->columns_count; i++) {
		struct skip_index_column *column = &builder->columns[i];
		struct str value = record->values[column->column];

		if (!value.p)
			value = STR_LITERAL("");
		if (!column->many && set_add(column, value, &column->codes[builder->rows]))
			continue;
		if (!column->many)
			hash_set(builder, column);
		column->many = true;
		if (column->filters)
			add_hash(builder, column, value);
	}
	builder->rows++;
}

bool skip_index_has_set(const struct skip_index_builder *builder, const struct skip_index_column *column)
{
	if (column->many || builder->rows < SKIP_INDEX_ROWS_MIN ||
	    (!column->filters && !skip_index_has_columns(builder)))
		return false;
	if (column->summed && column->count > FEW_SUMMED)
		return false;
	return column->count <= FEW_VALUES || column->count * ROWS_PER_VALUE <= builder->rows;
}

static void write_sets(const struct skip_index_builder *builder, struct buf *out)
{
	size_t position = out->len, sets = 0;

	buf_add_char(out, 0);
	for (size_t i = 0; i < builder->columns_count; i++) {
		const struct skip_index_column *column = &builder->columns[i];

		if (!skip_index_has_set(builder, column))
			continue;
		sets++;
		buf_add_char(out, (char)column->column);
		buf_add_char(out, (char)column->count);
		for (uint8_t v = 0; v < column->count; v++) {
			buf_add(out, &column->lengths[v], sizeof(column->lengths[v]));
			buf_add_str(out, skip_index_value(column, v));
		}
	}
	if (!out->failed)
		out->data[position] = (char)sets;
}

/* The columns that the part tells about, a bit each. Those with too many values for a set are hashed by now. */
static uint64_t cover(struct skip_index_builder *builder)
{
	uint64_t covered = 0;

	for (size_t i = 0; i < builder->columns_count && builder->rows >= SKIP_INDEX_ROWS_MIN; i++) {
		struct skip_index_column *column = &builder->columns[i];
		bool has_set = skip_index_has_set(builder, column);

		if (!has_set && !column->many)
			hash_set(builder, column);
		if (has_set || column->filters)
			covered |= UINT64_C(1) << column->column;
	}
	return covered;
}

/* The bits of a filter that stand for a value: (low half of its hash + n * high half, made odd) % bits for each n. */
struct probes {
	uint64_t at;
	uint64_t step;
	uint32_t bits;
};

static struct probes probes_of(uint64_t hash, uint32_t bits)
{
	return (struct probes){ (hash & UINT32_MAX) % bits, (hash >> 32 | 1) % bits, bits };
}

static uint64_t next_probe(struct probes *probes)
{
	uint64_t at = probes->at;

	probes->at += probes->step;
	if (probes->at >= probes->bits)
		probes->at -= probes->bits;
	return at;
}

void skip_index_write(struct skip_index_builder *builder, struct buf *out)
{
	uint64_t covered = cover(builder);

	if (covered == 0)
		return;
	buf_add(out, &covered, sizeof(covered));
	write_sets(builder, out);
	size_t count = builder->hashes.len / sizeof(uint64_t);
	uint32_t bits = (uint32_t)((count * BITS_PER_VALUE + 7) / 8 * 8);
	buf_add(out, &bits, sizeof(bits));
	if (bits == 0 || !buf_reserve(out, bits / 8))
		return;
	uint8_t *filter = (uint8_t *)out->data + out->len;
	memset(filter, 0, bits / 8);
	for (size_t i = 0; i < count; i++) {
		uint64_t hash;

		memcpy(&hash, builder->hashes.data + i * sizeof(hash), sizeof(hash));
		struct probes probes = probes_of(hash, bits);
		for (int n = 0; n < PROBES; n++) {
			uint64_t bit = next_probe(&probes);

			filter[bit / 8] |= (uint8_t)(1 << bit % 8);
		}
	}
	out->len += bits / 8;
}

void skip_index_free(struct skip_index_builder *builder)
{
	buf_free(&builder->hashes);
}

/* --- looking --- */

static bool take(struct str *rest, void *out, size_t len)
{
	if (rest->len < len)
		return false;
	if (out)
		memcpy(out, rest->p, len);
	rest->p += len;
	rest->len -= len;
	return true;
}

/* What a skip index says of one filter. */
struct verdict {
	bool covered;
	bool has_set;
	uint8_t set_count;
	uint8_t passing; /* of the set */
};

bool skip_index_next(struct str *values, struct str *value)
{
	uint16_t len;

	if (!take(values, &len, sizeof(len)) || values->len < len)
		return false;
	*value = (struct str){ values->p, len };
	return take(values, NULL, len);
}

/* Removes the next set from the front; false if it is damaged. */
static bool next_set(struct str *rest, struct skip_index_set *set)
{
	struct str value;

	if (!take(rest, &set->column, 1) || !take(rest, &set->count, 1))
		return false;
	set->values = *rest;
	for (uint8_t i = 0; i < set->count; i++)
		if (!skip_index_next(rest, &value))
			return false;
	set->values.len -= rest->len;
	return true;
}

size_t skip_index_sets(struct str skip, struct skip_index_set *sets, size_t max)
{
	uint64_t covered;
	uint8_t count;

	if (!take(&skip, &covered, sizeof(covered)) || !take(&skip, &count, 1) || count > max)
		return SIZE_MAX;
	for (uint8_t i = 0; i < count; i++)
		if (!next_set(&skip, &sets[i]))
			return SIZE_MAX;
	return count;
}

static void judge_set(struct skip_index_set set, const struct scan_filter *filter, struct verdict *verdict)
{
	struct str value;

	*verdict = (struct verdict){ .covered = true, .has_set = true, .set_count = set.count };
	while (skip_index_next(&set.values, &value))
		verdict->passing += scan_filter_passes(filter, value);
}

/* Reads the sets up to the filter's; false if the part is damaged. If there is none, the Bloom filter is left in *rest. */
static bool read_sets(struct str *rest, const struct scan_filter *filter, struct verdict *verdict)
{
	struct skip_index_set set;
	uint64_t covered;
	uint8_t sets;

	if (!take(rest, &covered, sizeof(covered)) || !take(rest, &sets, 1))
		return false;
	*verdict = (struct verdict){ .covered = covered >> filter->column & 1 };
	while (sets-- > 0) {
		if (!next_set(rest, &set))
			return false;
		if (set.column == filter->column) {
			judge_set(set, filter, verdict);
			break;
		}
	}
	return true;
}

static bool bloom_has(struct str bytes, uint32_t bits, uint64_t hash)
{
	struct probes probes = probes_of(hash, bits);

	for (int n = 0; n < PROBES; n++) {
		uint64_t bit = next_probe(&probes);

		if (!((uint8_t)bytes.p[bit / 8] & 1 << bit % 8))
			return false;
	}
	return true;
}

static bool bloom_may_have(struct str rest, const struct scan_filter *filter)
{
	struct str value = filter->value.p ? filter->value : STR_LITERAL("");
	char with_plus[LOWERED_MAX];
	uint32_t bits;

	if (!take(&rest, &bits, sizeof(bits)) || bits == 0 || rest.len < bits / 8 ||
	    (filter->match != SCAN_EXACTLY && value.len >= LOWERED_MAX))
		return true;
	if (bloom_has(rest, bits, value_hash(filter->column, value)))
		return true;
	if (filter->match != SCAN_NUMBER)
		return false;
	with_plus[0] = '+';
	memcpy(with_plus + 1, value.p, value.len);
	return bloom_has(rest, bits, value_hash(filter->column, (struct str){ with_plus, value.len + 1 }));
}

bool skip_index_may_pass(struct str skip, const struct scan_filter *filters, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct str rest = skip;
		struct verdict verdict;

		if (!read_sets(&rest, &filters[i], &verdict) || !verdict.covered)
			continue;
		if (verdict.has_set ? verdict.passing == 0 : !bloom_may_have(rest, &filters[i]))
			return false;
	}
	return true;
}

bool skip_index_all_pass(struct str skip, const struct scan_filter *filters, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct str rest = skip;
		struct verdict verdict;

		if (!read_sets(&rest, &filters[i], &verdict) || verdict.set_count == 0 ||
		    verdict.passing != verdict.set_count)
			return false;
	}
	return true;
}
