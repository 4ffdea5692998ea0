/* SPDX-License-Identifier: ISC */
/*
 * hot_addresses.c: see hot_addresses.h.
 */
#include "store/days/hot_addresses.h"

#include <stdlib.h>
#include <string.h>

#define CAP_MIN 4096
#define CAP_MAX ((size_t)1 << 22) /* of a day: 16 MiB */
#define SHRINK_BELOW 8            /* of so many places one is needed */
#define PAGE_LEAF 0x02

struct page_head {
	uint64_t number;
	uint16_t pad, flags;
	uint16_t offsets_end, rows_begin;
};

struct node {
	uint32_t value_bytes;
	uint16_t flags; /* the value is in pages of its own, and such */
	uint16_t key_bytes;
};

static uint16_t read_u16(const char *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

/* The page of an offset in the map, if it is one of rows, or NULL. */
static const char *page_of(const struct hot_addresses *addresses, const struct env *env, size_t offset,
                           struct page_head *head)
{
	size_t number = offset / addresses->page_bytes;
	const char *page = (const char *)env->map + number * addresses->page_bytes;

	if (offset >= env->map_bytes)
		return NULL;
	memcpy(head, page, sizeof(*head));
	bool is_leaf = head->number == number && head->flags == PAGE_LEAF && head->offsets_end <= addresses->page_bytes;
	return is_leaf ? page : NULL;
}

/* Is there a row at an offset of a page? */
static bool read_node(const struct hot_addresses *addresses, const char *page, size_t offset, struct node *node)
{
	size_t room = addresses->page_bytes - offset;

	if (offset >= addresses->page_bytes || room < sizeof(*node) + ROW_KEY_LEN)
		return false;
	memcpy(node, page + offset, sizeof(*node));
	return node->flags == 0 && node->key_bytes == ROW_KEY_LEN &&
	       node->value_bytes <= room - sizeof(*node) - ROW_KEY_LEN;
}

/* Where a page has no row, there may be what is left of one. */
static bool has_offset(const char *page, const struct page_head *head, size_t offset)
{
	for (size_t i = sizeof(*head); i < head->offsets_end; i += sizeof(uint16_t))
		if (read_u16(page + i) == offset)
			return true;
	return false;
}

bool hot_addresses_read(const struct hot_addresses *addresses, const struct env *env, uint64_t seq,
                        const uint8_t key[ROW_KEY_LEN], MDB_val *val)
{
	size_t offset = addresses->cap ? 2 * (size_t)addresses->offsets[seq & (addresses->cap - 1)] : 0;
	struct page_head head;
	struct node node;
	const char *page = offset && env->map ? page_of(addresses, env, offset, &head) : NULL;

	offset &= addresses->page_bytes - 1;
	if (!page || !read_node(addresses, page, offset, &node) || !has_offset(page, &head, offset) ||
	    memcmp(page + offset + sizeof(node), key, ROW_KEY_LEN) != 0)
		return false;
	*val = env_val(page + offset + sizeof(node) + ROW_KEY_LEN, node.value_bytes);
	return true;
}

/* Room for so many rows. What is known is forgotten where it grows, or where few of its places are needed any more. */
static bool reserve(struct hot_addresses *addresses, uint64_t rows)
{
	size_t cap = addresses->cap && rows >= addresses->cap / SHRINK_BELOW ? addresses->cap : CAP_MIN;

	while (cap < rows && cap < CAP_MAX)
		cap *= 2;
	if (cap == addresses->cap)
		return true;
	free(addresses->offsets);
	addresses->offsets = calloc(cap, sizeof(*addresses->offsets));
	addresses->cap = addresses->offsets ? cap : 0;
	return addresses->offsets;
}

/* The number of the row at an offset of a page; 0 if it has pages of its own. */
static uint64_t seq_at(const struct hot_addresses *addresses, const char *page, size_t offset)
{
	struct partition partition;
	struct position position;
	struct node node;

	if (!read_node(addresses, page, offset, &node) ||
	    !log_key_read(env_val(page + offset + sizeof(node), ROW_KEY_LEN), &partition, &position))
		return 0;
	return position.seq;
}

static void note(struct hot_addresses *addresses, uint64_t seq, size_t at)
{
	if (seq != 0 && at / 2 <= UINT32_MAX)
		addresses->offsets[seq & (addresses->cap - 1)] = (uint32_t)(at / 2);
}

/* Most pages have all rows from the first number to the last: of these, only the two are looked at. */
static uint64_t note_page(struct hot_addresses *addresses, const char *page, const struct page_head *head,
                          size_t page_at)
{
	const size_t begin = sizeof(*head), count = (head->offsets_end - begin) / sizeof(uint16_t);
	const char *offsets = page + begin;
	uint64_t first = seq_at(addresses, page, read_u16(offsets));
	uint64_t last = seq_at(addresses, page, read_u16(offsets + (count - 1) * sizeof(uint16_t)));
	bool has_all = first != 0 && last - first == count - 1;

	for (size_t i = 0; i < count; i++) {
		size_t offset = read_u16(offsets + i * sizeof(uint16_t));

		note(addresses, has_all ? first + i : seq_at(addresses, page, offset), page_at + offset);
	}
	return last;
}

uint64_t hot_addresses_learn(struct hot_addresses *addresses, const struct env *env, MDB_txn *txn, MDB_val val,
                             uint64_t rows)
{
	size_t at = (size_t)((uintptr_t)val.mv_data - (uintptr_t)env->map);
	struct page_head head;
	MDB_stat stat;

	if (!env->map || at >= env->map_bytes || txn == env->write || mdb_txn_id(txn) < addresses->altered_in)
		return 0;
	if (addresses->page_bytes == 0 && mdb_env_stat(env->mdb, &stat) == 0)
		addresses->page_bytes = stat.ms_psize;
	if (addresses->page_bytes == 0 || !reserve(addresses, rows))
		return 0;
	const char *page = page_of(addresses, env, at, &head);
	if (!page || head.offsets_end < sizeof(head) + sizeof(uint16_t))
		return 0;
	return note_page(addresses, page, &head, at & ~(addresses->page_bytes - 1));
}

void hot_addresses_begin(struct hot_addresses *addresses, const struct hot_addresses *before, uint64_t newest)
{
	*addresses = (struct hot_addresses){
		.altered_in = before->altered_in,
		.newest = newest > before->newest ? newest : before->newest,
	};
}

void hot_addresses_put(struct hot_addresses *addresses, const struct env *env, uint64_t seq)
{
	if (seq <= addresses->newest)
		hot_addresses_remove(addresses, env, seq);
	else
		addresses->newest = seq;
}

void hot_addresses_remove(struct hot_addresses *addresses, const struct env *env, uint64_t seq)
{
	addresses->altered_in = mdb_txn_id(env->write);
	if (addresses->cap)
		addresses->offsets[seq & (addresses->cap - 1)] = 0;
}

void hot_addresses_free(struct hot_addresses *addresses)
{
	free(addresses->offsets);
	*addresses = (struct hot_addresses){ .altered_in = addresses->altered_in, .newest = addresses->newest };
}
