/* SPDX-License-Identifier: ISC */
/*
 * row.c: callbacks as they are stored. See row.h.
 */
#include "callback/row.h"

#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "callback/multipart.h"
#include "callback/secret.h"
#include "callback/url.h"
#include "destination/destination.h"
#include "lmdb/value.h"

#define ROW_VERSION 1
#define SHA256_TEXT_LEN 64

/* In the catalog's meta: the next number, as a key. */
#define NEXT_KEY STR_LITERAL("callback_next")

struct str callback_key_of(uint64_t number, struct callback_key *key)
{
	for (size_t i = 0; i < sizeof(key->bytes); i++)
		key->bytes[i] = (char)(number >> (56 - 8 * i));
	return (struct str){ key->bytes, sizeof(key->bytes) };
}

static uint64_t number_of(struct str key)
{
	uint64_t number = 0;

	if (key.len != sizeof(number))
		return 0;
	for (size_t i = 0; i < key.len; i++)
		number = number << 8 | (uint8_t)key.p[i];
	return number;
}

int callback_row_read(struct callback_row *row, struct str key, struct str bytes, struct error *err)
{
	struct value_reader r;

	*row = (struct callback_row){ .number = number_of(key) };
	value_open(&r, bytes, ROW_VERSION);
	row->id = value_str(&r, 1, CALLBACK_ID_MAX);
	row->account = value_str(&r, 1, ACCOUNT_ID_MAX);
	row->url = value_str(&r, 1, CALLBACK_URL_MAX);
	row->body = value_str(&r, 0, CALLBACK_BODY_MAX);
	row->created_us = value_int(&r, INT64_MIN, INT64_MAX);
	row->since_us = value_int(&r, INT64_MIN, INT64_MAX);
	row->attempts = value_int(&r, 0, INT64_MAX);
	row->next_us = value_int(&r, INT64_MIN, INT64_MAX);
	row->failed = value_int(&r, 0, 1) != 0;
	row->last_error = value_str(&r, 0, CALLBACK_ERROR_MAX);
	if (r.left > 0) {
		row->upload.destination = value_str(&r, 1, DESTINATION_NAME_MAX);
		row->upload.file = value_str(&r, ID_UUID_LEN, ID_UUID_LEN);
		row->upload.sha256 = value_str(&r, 1, SHA256_TEXT_LEN);
	}
	if (r.left > 0)
		row->parts = value_str(&r, 1, MULTIPART_TEXT_MAX);
	if (value_close(&r) && row->number != 0)
		return 0;
	return error_set(err, value_error(&r), "callback %llu: its stored value cannot be read",
	                 (unsigned long long)row->number);
}

enum meta_next callback_row_passed_over(const struct error *err)
{
	return err->code == ERROR_NOMEM ? META_FAILED : META_GO_ON;
}

int callback_row_url(const struct callback_row *row, struct callback_url *url, struct error *err)
{
	return row->upload.destination.len > 0 ? callback_url_parse_delivery(url, row->url, err) :
	                                         callback_url_parse(url, row->url, err);
}

static void row_write(struct buf *out, const struct callback_row *row)
{
	struct value_writer w;
	bool is_delivery = row->upload.destination.len > 0, has_parts = row->parts.len > 0;

	value_begin(&w, out, ROW_VERSION, 10 + (size_t)is_delivery * 3 + (size_t)has_parts);
	value_put_str(&w, row->id);
	value_put_str(&w, row->account);
	value_put_str(&w, row->url);
	value_put_bytes(&w, row->body);
	value_put_int(&w, row->created_us);
	value_put_int(&w, row->since_us);
	value_put_int(&w, row->attempts);
	value_put_int(&w, row->next_us);
	value_put_int(&w, row->failed);
	value_put_bytes(&w, row->last_error);
	if (is_delivery) {
		value_put_str(&w, row->upload.destination);
		value_put_str(&w, row->upload.file);
		value_put_str(&w, row->upload.sha256);
	}
	if (has_parts)
		value_put_bytes(&w, row->parts);
}

int callback_row_put(struct change *change, const struct callback_row *row, struct error *err)
{
	struct callback_key key;
	struct buf bytes = { 0 };

	row_write(&bytes, row);
	int result = bytes.failed ? error_set(err, ERROR_NOMEM, "callback: out of memory") :
	                            change_put(change, META_DB_CALLBACKS, callback_key_of(row->number, &key),
	                                       buf_str(&bytes), err);
	buf_free(&bytes);
	return result;
}

static int take_number(struct change *change, uint64_t *number, struct error *err)
{
	struct callback_key key;
	struct str value;
	int found = change_get(change, META_DB_VALUES, NEXT_KEY, &value, err);

	if (found < 0)
		return -1;
	*number = found ? number_of(value) : 1;
	if (*number == 0)
		return error_set(err, ERROR_CORRUPT, "catalog: callback_next cannot be read");
	return change_put(change, META_DB_VALUES, NEXT_KEY, callback_key_of(*number + 1, &key), err);
}

static int check_event(const struct callback_event *event, struct error *err)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

	if (event->id.len == 0 || event->id.len > CALLBACK_ID_MAX)
		return error_set(err, ERROR_INVALID, "callback's id: %zu bytes, must be 1 to %d", event->id.len,
		                 CALLBACK_ID_MAX);
	for (size_t i = 0; i < event->id.len; i++)
		if (!memchr(allowed, event->id.p[i], sizeof(allowed) - 1))
			return error_set(err, ERROR_INVALID, "callback's id: must be letters, digits, '-' and '_'");
	if (!id_is_account(event->account))
		return error_set(err, ERROR_INVALID, "callback's account: \"%.*s\" is no account's id",
		                 STR_ARGS(event->account));
	if (event->body.len > CALLBACK_BODY_MAX)
		return error_set(err, ERROR_LIMIT, "callback's body: %zu bytes, at most %zu allowed", event->body.len,
		                 CALLBACK_BODY_MAX);
	if (event->upload.destination.len == 0)
		return callback_url_check(event->url, err);
	struct callback_url url;
	int result = callback_url_parse_delivery(&url, event->url, err);
	if (result == 0)
		callback_url_free(&url);
	return result;
}

int callback_put(struct change *change, const struct callback_event *event, struct error *err)
{
	int64_t now_us = clock_now_us();
	struct callback_row row = {
		.id = event->id,
		.account = event->account,
		.url = event->url,
		.body = event->body,
		.upload = event->upload,
		.created_us = now_us,
		.since_us = now_us,
		.next_us = now_us,
		.last_error = STR_LITERAL(""),
	};

	if (check_event(event, err) != 0 || take_number(change, &row.number, err) != 0 ||
	    (event->upload.destination.len == 0 && secret_ensure(change, event->account, err) != 0))
		return -1;
	return callback_row_put(change, &row, err);
}
