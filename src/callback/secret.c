/* SPDX-License-Identifier: ISC */
/*
 * secret.c: webhook secrets and signatures. See secret.h.
 *
 * Layout version 1 of a stored value, under the account's id: [1, secret, made_us, previous, previous_until_us];
 * `previous` is empty when there is none.
 */
#include "callback/secret.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "meta/rows.h"
#include "lmdb/value.h"

#define ROW_VERSION 1
#define SECRET_BYTES 32
#define PREFIX "whsec_"

struct secret_row {
	uint8_t secret[SECRET_BYTES];
	int64_t made_us;
	bool has_previous;
	uint8_t previous[SECRET_BYTES];
	int64_t previous_until_us;
};

static struct str bytes_str(const uint8_t *bytes, size_t len)
{
	return (struct str){ (const char *)bytes, len };
}

static void row_write(struct buf *out, const struct secret_row *row)
{
	struct value_writer w;

	value_begin(&w, out, ROW_VERSION, 4);
	value_put_bytes(&w, bytes_str(row->secret, SECRET_BYTES));
	value_put_int(&w, row->made_us);
	value_put_bytes(&w, bytes_str(row->previous, row->has_previous ? SECRET_BYTES : 0));
	value_put_int(&w, row->previous_until_us);
}

static int row_read(struct secret_row *row, struct str account, struct str bytes, struct error *err)
{
	struct value_reader r;

	*row = (struct secret_row){ 0 };
	value_open(&r, bytes, ROW_VERSION);
	struct str secret = value_str(&r, SECRET_BYTES, SECRET_BYTES);
	memcpy(row->secret, secret.p, secret.len);
	row->made_us = value_int(&r, INT64_MIN, INT64_MAX);
	struct str previous = value_str(&r, 0, SECRET_BYTES);
	row->has_previous = previous.len == SECRET_BYTES;
	memcpy(row->previous, previous.p, previous.len);
	row->previous_until_us = value_int(&r, INT64_MIN, INT64_MAX);
	if (value_close(&r))
		return 0;
	return error_set(err, value_error(&r), "webhook secret of %.*s: its stored value cannot be read",
	                 STR_ARGS(account));
}

/* 1 if there is one, 0 if not, -1. */
static int row_get(struct change *change, struct str account, struct secret_row *row, struct error *err)
{
	struct str value;
	int found = change_get(change, META_DB_WEBHOOKS, account, &value, err);

	if (found > 0 && row_read(row, account, value, err) != 0)
		return -1;
	return found;
}

static int row_put(struct change *change, struct str account, const struct secret_row *row, struct error *err)
{
	struct buf bytes = { 0 };

	row_write(&bytes, row);
	int result = bytes.failed ? error_set(err, ERROR_NOMEM, "webhook secret: out of memory") :
	                            change_put(change, META_DB_WEBHOOKS, account, buf_str(&bytes), err);
	buf_free(&bytes);
	return result;
}

static void row_renew(struct secret_row *row)
{
	id_random(row->secret, SECRET_BYTES);
	row->made_us = clock_now_us();
}

/* Reads the account's row, or makes one. */
static int row_ensure(struct change *change, struct str account, struct secret_row *row, struct error *err)
{
	int found = row_get(change, account, row, err);

	if (found != 0)
		return found > 0 ? 0 : -1;
	*row = (struct secret_row){ 0 };
	row_renew(row);
	return row_put(change, account, row, err);
}

int secret_ensure(struct change *change, struct str account, struct error *err)
{
	struct secret_row row;

	return row_ensure(change, account, &row, err);
}

static int row_rotate(struct change *change, struct str account, int64_t overlap_us, struct secret_row *row,
                      struct error *err)
{
	int found = row_get(change, account, row, err);

	if (found < 0)
		return -1;
	if (found > 0) {
		row->has_previous = overlap_us > 0;
		memcpy(row->previous, row->secret, SECRET_BYTES);
		row->previous_until_us = clock_now_us() + overlap_us;
	} else {
		*row = (struct secret_row){ 0 };
	}
	row_renew(row);
	return row_put(change, account, row, err);
}

static enum meta_next take_row(void *arg, struct str key, struct str value, struct error *err)
{
	return row_read(arg, key, value, err) == 0 ? META_GO_ON : META_FAILED;
}

static void format_secret(char out[CALLBACK_SECRET_LEN + 1], const uint8_t secret[SECRET_BYTES])
{
	memcpy(out, PREFIX, sizeof(PREFIX));
	EVP_EncodeBlock((unsigned char *)out + sizeof(PREFIX) - 1, secret, SECRET_BYTES);
}

static bool previous_signs(const struct secret_row *row, int64_t now_us)
{
	return row->has_previous && now_us < row->previous_until_us;
}

static void show(struct callback_secret *secret, const struct secret_row *row)
{
	*secret = (struct callback_secret){ .made_us = row->made_us };
	format_secret(secret->text, row->secret);
	if (previous_signs(row, clock_now_us())) {
		format_secret(secret->previous, row->previous);
		secret->previous_until_us = row->previous_until_us;
	}
}

int callback_secret_get(struct meta *meta, const char *account, bool rotate, int64_t overlap_us,
                        struct callback_secret *secret, struct error *err)
{
	struct account row_of_account;
	struct secret_row row;
	struct change change;
	struct str id = str_from(account);

	if (accounts_get(meta, id, &row_of_account, err) != 0)
		return -1;
	int found = rotate ? 0 : meta_find(meta, META_DB_WEBHOOKS, id, take_row, &row, err);
	if (found < 0)
		return -1;
	if (found == 0) {
		if (change_begin(&change, meta, err) != 0)
			return -1;
		int result =
			rotate ? row_rotate(&change, id, overlap_us, &row, err) : row_ensure(&change, id, &row, err);
		if (change_end(&change, result, err) != 0)
			return -1;
	}
	show(secret, &row);
	return 0;
}

int callback_secret_find(struct meta *meta, const char *account, struct callback_secret *secret, struct error *err)
{
	struct secret_row row;
	int found = meta_find(meta, META_DB_WEBHOOKS, str_from(account), take_row, &row, err);

	if (found > 0)
		show(secret, &row);
	return found;
}

static int add_signature(struct buf *out, const uint8_t secret[SECRET_BYTES], struct str content, struct error *err)
{
	uint8_t mac[EVP_MAX_MD_SIZE];
	char text[2 * EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (!HMAC(EVP_sha256(), secret, SECRET_BYTES, (const unsigned char *)content.p, content.len, mac, &len))
		return error_set(err, ERROR_NOMEM, "OpenSSL could not sign");
	EVP_EncodeBlock((unsigned char *)text, mac, (int)len);
	buf_addf(out, "%sv1,%s", out->len ? " " : "", text);
	return out->failed ? error_set(err, ERROR_NOMEM, "signature: out of memory") : 0;
}

static int sign_content(struct buf *out, const struct secret_row *row, int64_t time_us, struct str content,
                        struct error *err)
{
	if (add_signature(out, row->secret, content, err) != 0)
		return -1;
	return previous_signs(row, time_us) ? add_signature(out, row->previous, content, err) : 0;
}

int secret_sign(struct meta *meta, struct str account, struct str id, int64_t time_us, struct str body, struct buf *out,
                struct error *err)
{
	struct secret_row row;
	struct buf content = { 0 };
	int found = meta_find(meta, META_DB_WEBHOOKS, account, take_row, &row, err);

	if (found == 0)
		error_set(err, ERROR_NOT_FOUND, "account %.*s: has no webhook secret", STR_ARGS(account));
	if (found <= 0)
		return -1;
	buf_addf(&content, "%.*s.%lld.", STR_ARGS(id), (long long)(time_us / CLOCK_US_PER_SECOND));
	buf_add_str(&content, body);
	int result = content.failed ? error_set(err, ERROR_NOMEM, "signature: out of memory") :
	                              sign_content(out, &row, time_us, buf_str(&content), err);
	buf_free(&content);
	return result;
}
