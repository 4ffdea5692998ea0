/* SPDX-License-Identifier: ISC */
/*
 * position.h: where a record is kept: its partition, and its position within; private to store/.
 *
 *	account's key(8) product(1) direction(1) | time(8) seq(8)      integers big-endian, so that keys sort as numbers do
 *
 * Pure.
 */
#ifndef CDRD_STORE_BLOCKS_POSITION_H
#define CDRD_STORE_BLOCKS_POSITION_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "lmdb/env.h"
#include "store/scan.h"

#define PARTITION_LEN (ACCOUNT_KEY_LEN + 2)
#define ROW_KEY_LEN (PARTITION_LEN + 16)
#define NUMBER_KEY_LEN (PARTITION_LEN + 4)

struct partition {
	struct account_key account;
	uint8_t product;
	uint8_t direction;
};

struct position {
	int64_t time_us;
	uint64_t seq;
	uint8_t direction; /* of the partition: a newer version may move to the other one */
};

static inline void position_put_u64(uint8_t *out, uint64_t value)
{
	value = htobe64(value);
	memcpy(out, &value, sizeof(value));
}

static inline uint64_t position_get_u64(const uint8_t *in)
{
	uint64_t value;

	memcpy(&value, in, sizeof(value));
	return be64toh(value);
}

static inline struct partition partition_of(const struct account_key *account, uint8_t product, uint8_t direction)
{
	return (struct partition){ .account = *account, .product = product, .direction = direction };
}

static inline struct partition partition_of_record(const struct record *record)
{
	struct account_key account = record_account_key(record);

	return partition_of(&account, record->product->number, (uint8_t)record_partition(record));
}

static inline bool partition_equal(const struct partition *a, const struct partition *b)
{
	return account_key_equal(&a->account, &b->account) && a->product == b->product && a->direction == b->direction;
}

/* In the order of their keys. */
static inline int partition_compare(const struct partition *a, const struct partition *b)
{
	int order = account_key_compare(&a->account, &b->account);

	if (order == 0)
		order = a->product - b->product;
	return order ? order : a->direction - b->direction;
}

static inline void partition_write(uint8_t *out, const struct partition *partition)
{
	memcpy(out, partition->account.bytes, ACCOUNT_KEY_LEN);
	out[ACCOUNT_KEY_LEN] = partition->product;
	out[ACCOUNT_KEY_LEN + 1] = partition->direction;
}

static inline void partition_read(const uint8_t *in, struct partition *partition)
{
	memcpy(partition->account.bytes, in, ACCOUNT_KEY_LEN);
	partition->product = in[ACCOUNT_KEY_LEN];
	partition->direction = in[ACCOUNT_KEY_LEN + 1];
}

/* The row key, of hot rows of format 1. The position's direction, not the partition's, is written. */
static inline void row_key_write(uint8_t key[ROW_KEY_LEN], const struct partition *partition,
                                 const struct position *position)
{
	partition_write(key, partition);
	key[PARTITION_LEN - 1] = position->direction;
	position_put_u64(key + PARTITION_LEN, (uint64_t)position->time_us);
	position_put_u64(key + PARTITION_LEN + 8, position->seq);
}

/* False if the key is not of the length. */
static inline bool row_key_read(MDB_val key, struct partition *partition, struct position *position)
{
	const uint8_t *in = key.mv_data;

	if (key.mv_size != ROW_KEY_LEN)
		return false;
	partition_read(in, partition);
	position->direction = partition->direction;
	position->time_us = (int64_t)position_get_u64(in + PARTITION_LEN);
	position->seq = position_get_u64(in + PARTITION_LEN + 8);
	return true;
}

/* The key of a row in the log: seq(8) partition(10) time(8). */
static inline void log_key_write(uint8_t key[ROW_KEY_LEN], const struct partition *partition,
                                 const struct position *position)
{
	position_put_u64(key, position->seq);
	partition_write(key + 8, partition);
	key[8 + PARTITION_LEN - 1] = position->direction;
	position_put_u64(key + 8 + PARTITION_LEN, (uint64_t)position->time_us);
}

/* False if the key is not of the length. */
static inline bool log_key_read(MDB_val key, struct partition *partition, struct position *position)
{
	const uint8_t *in = key.mv_data;

	if (key.mv_size != ROW_KEY_LEN)
		return false;
	partition_read(in + 8, partition);
	position->direction = partition->direction;
	position->time_us = (int64_t)position_get_u64(in + 8 + PARTITION_LEN);
	position->seq = position_get_u64(in);
	return true;
}

/* The key of a numbered thing of a partition: a block, a run. */
static inline void number_key_write(uint8_t key[NUMBER_KEY_LEN], const struct partition *partition, uint32_t number)
{
	uint32_t big = htobe32(number);

	partition_write(key, partition);
	memcpy(key + PARTITION_LEN, &big, sizeof(big));
}

static inline bool number_key_read(MDB_val key, struct partition *partition, uint32_t *number)
{
	uint32_t big;

	if (key.mv_size != NUMBER_KEY_LEN)
		return false;
	partition_read(key.mv_data, partition);
	memcpy(&big, (const uint8_t *)key.mv_data + PARTITION_LEN, sizeof(big));
	*number = be32toh(big);
	return true;
}

static inline bool partition_has_key(const struct partition *partition, MDB_val key)
{
	uint8_t own[PARTITION_LEN];

	partition_write(own, partition);
	return key.mv_size >= PARTITION_LEN && memcmp(key.mv_data, own, PARTITION_LEN) == 0;
}

/* By time, then arrival. */
static inline int position_compare(const struct position *a, const struct position *b)
{
	if (a->time_us != b->time_us)
		return a->time_us < b->time_us ? -1 : 1;
	return (a->seq > b->seq) - (a->seq < b->seq);
}

static inline bool position_equal(const struct position *a, const struct position *b)
{
	return a->direction == b->direction && a->time_us == b->time_us && a->seq == b->seq;
}

#endif
