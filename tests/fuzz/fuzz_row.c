/* SPDX-License-Identifier: ISC */
/*
 * fuzz_row.c: rows as they stand on disk: hot rows, tombstones, keys, accounts.
 *
 *	input = kind, product; then the row, or for some kinds values to make one of, a length before each
 *
 * What must hold: bytes that are no row are told to be none; what is read lies within the row, and is written and read
 * again as the same; a row that was made of values holds them.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "catalog/catalog.h"
#include "meta/account_row.h"
#include "store/days/day.h"

#define HEAD 2

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct error err;

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void check_same(const struct record *record, uint64_t seq)
{
	struct buf row = { 0 };
	struct record again;
	uint64_t seq_again, seq_alone;

	record_pack(&row, record, seq);
	must(record_unpack(&again, record->product, buf_str(&row), &seq_again, &err) == 0);
	must(seq_again == seq && record_equal(record, &again));
	must(record_changed_seq(buf_str(&row), &seq_alone) && seq_alone == seq);
	buf_free(&row);
}

static void read_record(const struct catalog_product *product, struct str row)
{
	const struct day day = { .number = 20500 };
	struct partition partition = { .product = product->number };
	struct record record;
	struct day_tombstone tombstone;
	uint64_t seq;

	if (record_unpack(&record, product, row, &seq, &err) == 0) {
		for (uint8_t i = 0; i < product->columns_count; i++)
			must(!record.values[i].p || (record.values[i].p >= row.p &&
			                             record.values[i].p + record.values[i].len <= row.p + row.len));
		check_same(&record, seq);
	} else {
		must(err.code == ERROR_CORRUPT);
	}
	int found = day_row_read(&day, &partition, env_val(row.p, row.len), &record, &err);
	must((found == 0) == day_tombstone_read(env_val(row.p, row.len), &tombstone));
}

static void make_record(const struct catalog_product *product, struct str bytes)
{
	struct record record;

	record_clear(&record, product);
	for (uint8_t i = 0; i < product->columns_count && bytes.len > 0; i++) {
		size_t len = (size_t)(uint8_t)bytes.p[0] * (bytes.len % 7 == 0 ? 40U : 1U);

		bytes = (struct str){ bytes.p + 1, bytes.len - 1 };
		len = len < bytes.len ? len : bytes.len;
		record.values[i] = (struct str){ bytes.p, len };
		bytes = (struct str){ bytes.p + len, bytes.len - len };
	}
	check_same(&record, bytes.len * UINT64_C(0x123456789abcd));
}

static void read_tombstone(struct str bytes)
{
	uint8_t row[DAY_GHOST_MAX];
	struct day_tombstone tombstone, again;

	if (!day_tombstone_read(env_val(bytes.p, bytes.len), &tombstone))
		return;
	size_t len = day_tombstone_write(row, &tombstone);
	must(len <= sizeof(row) && day_tombstone_read(env_val(row, len), &again));
	must(again.until == tombstone.until && position_equal(&again.to, &tombstone.to));
}

static void read_keys(struct str bytes)
{
	MDB_val val = env_val(bytes.p, bytes.len);
	struct partition partition;
	struct position position;
	struct day_block block;
	uint32_t number;
	uint8_t key[ROW_KEY_LEN];

	if (row_key_read(val, &partition, &position)) {
		row_key_write(key, &partition, &position);
		must(memcmp(key, bytes.p, bytes.len) == 0);
	}
	if (log_key_read(val, &partition, &position)) {
		log_key_write(key, &partition, &position);
		must(memcmp(key, bytes.p, bytes.len) == 0);
	}
	if (number_key_read(val, &partition, &number)) {
		number_key_write(key, &partition, number);
		must(memcmp(key, bytes.p, bytes.len) == 0);
	}
	must(day_block_read(val, &block) == (bytes.len == sizeof(block)));
}

static void read_account(struct str bytes)
{
	static struct account_row row, again;
	struct buf first = { 0 }, second = { 0 };

	if (account_row_read(&row, STR_LITERAL("acct0001"), bytes, &err) != 0) {
		must(err.code == ERROR_CORRUPT);
		return;
	}
	account_row_write(&first, &row);
	must(account_row_read(&again, STR_LITERAL("acct0001"), buf_str(&first), &err) == 0);
	account_row_write(&second, &again);
	must(str_equal(buf_str(&first), buf_str(&second)));
	buf_free(&first);
	buf_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "SMS", "VOICE-CALL", "MESSAGES", "VERIFY-V2", "REPORTS-USAGE" };

	if (size < HEAD)
		return 0;
	const struct catalog_product *product =
		catalog_product_find(str_from(names[data[1] % (sizeof(names) / sizeof(names[0]))]));
	struct str row = { (const char *)data + HEAD, size - HEAD };

	switch (data[0] % 5) {
	case 0:
		read_record(product, row);
		break;
	case 1:
		make_record(product, row);
		break;
	case 2:
		read_tombstone(row);
		break;
	case 3:
		read_keys(row);
		break;
	default:
		read_account(row);
	}
	return 0;
}
