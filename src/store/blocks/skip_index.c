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

void skip_index_begin(struct skip_index_builder *builder, const struct catalog_product *product)
{
	builder->columns_count = 0;
	buf_clear(&builder->hashes);
	for (uint8_t i = 0; i < product->filters_count && builder->columns_count < BLOCK_SKIP_COLUMNS_MAX; i++) {
		uint8_t column = product->filters[i].column;

		if (product->partition_direction && column == product->direction_column)
			continue;
		struct skip_index_column *own = &builder->columns[builder->columns_count++];
		own->column = column;
		own->many = false;
		own->count = 0;
		memset(own->recent, 0, sizeof(own->recent));
	}
}

static bool is_at(const struct skip_index_column *column, size_t number, size_t offset, struct str value)
{
	return column->lengths[number] == value.len && memcmp(column->texts + offset, value.p, value.len) == 0;
}

/* Adds a value to the set, or finds it; false if it does not fit. */
static bool set_add(struct skip_index_column *column, struct str value)
{
	size_t offset = 0;

	for (uint8_t i = 0; i < column->count; i++) {
		if (is_at(column, i, offset, value))
			return true;
		offset += column->lengths[i];
	}
	if (column->count == BLOCK_SET_VALUES_MAX || offset + value.len > sizeof(column->texts))
		return false;
	memcpy(column->texts + offset, value.p, value.len);
	column->lengths[column->count++] = (uint16_t)value.len;
	return true;
}

static void add_hash(struct skip_index_builder *builder, struct skip_index_column *column, struct str value)
{
	uint64_t hash = value_hash(column->column, value), *recent = &column->recent[hash % BLOCK_RECENT_HASHES];

	if (*recent != hash)
		buf_add(&builder->hashes, &hash, sizeof(hash));
	*recent = hash;
}

/* From now on the column's values are hashed, those of its set first. */
static void leave_set(struct skip_index_builder *builder, struct skip_index_column *column)
{
	size_t offset = 0;

	for (uint8_t i = 0; i < column->count; i++) {
		add_hash(builder, column, (struct str){ column->texts + offset, column->lengths[i] });
		offset += column->lengths[i];
	}
	column->many = true;
}

void skip_index_add(struct skip_index_builder *builder, const struct record *record)
{
	for (size_t i = 0; i < builder->columns_count; i++) {
		struct skip_index_column *column = &builder->columns[i];
		struct str value = record->values[column->column];

		if (!value.p)
			value = STR_LITERAL("");
		if (!column->many && set_add(column, value))
			continue;
		if (!column->many)
			leave_set(builder, column);
		add_hash(builder, column, value);
	}
}

static void write_sets(const struct skip_index_builder *builder, struct buf *out)
{
	size_t position = out->len, sets = 0;

	buf_add_char(out, 0);
	for (size_t i = 0; i < builder->columns_count; i++) {
		const struct skip_index_column *column = &builder->columns[i];
		size_t offset = 0;

		if (column->many)
			continue;
		sets++;
		buf_add_char(out, (char)column->column);
		buf_add_char(out, (char)column->count);
		for (uint8_t v = 0; v < column->count; v++) {
			buf_add(out, &column->lengths[v], sizeof(column->lengths[v]));
			buf_add(out, column->texts + offset, column->lengths[v]);
			offset += column->lengths[v];
		}
	}
	if (!out->failed)
		out->data[position] = (char)sets;
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
	uint64_t covered = 0;

	for (size_t i = 0; i < builder->columns_count; i++)
		covered |= UINT64_C(1) << builder->columns[i].column;
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

/* Reads the sets; false if the part is damaged. What is left in *rest is the Bloom filter. */
static bool read_sets(struct str *rest, const struct scan_filter *filter, struct verdict *verdict)
{
	uint8_t sets, column, count;
	uint16_t len;
	uint64_t covered;

	if (!take(rest, &covered, sizeof(covered)) || !take(rest, &sets, 1))
		return false;
	*verdict = (struct verdict){ .covered = covered >> filter->column & 1 };
	while (sets-- > 0) {
		if (!take(rest, &column, 1) || !take(rest, &count, 1))
			return false;
		bool own = column == filter->column;
		if (own)
			*verdict = (struct verdict){ .covered = true, .has_set = true, .set_count = count };
		for (uint8_t i = 0; i < count; i++) {
			if (!take(rest, &len, sizeof(len)) || rest->len < len)
				return false;
			struct str value = { rest->p, len };
			if (own && scan_filter_passes(filter, value))
				verdict->passing++;
			take(rest, NULL, len);
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
