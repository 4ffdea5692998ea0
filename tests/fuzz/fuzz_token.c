/* SPDX-License-Identifier: ISC */
/*
 * fuzz_token.c: what clients keep for us and give back: cursors and their IVs, and sealed bytes such as a session's.
 *
 *	input = kind, flip's place (2), flip, account's last letter; then what is sealed, or a token as a client thinks it up
 *
 * What must hold: what was sealed opens again as it was; after one bit or letter of it, of the account or of the key was
 * changed it is refused, and so is any text that was not sealed.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/envelope.h"
#include "base/id.h"
#include "query/cursor.h"

#define HEAD 5

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct cursor_key key = { { 1, 2, 3 } };
static struct error err;

static void must(bool holds)
{
	if (!holds)
		abort();
}

static bool cursor_equal(const struct cursor *a, const struct cursor *b)
{
	return a->fingerprint == b->fingerprint && a->from_us == b->from_us && a->to_us == b->to_us &&
	       a->snapshot == b->snapshot && a->began_us == b->began_us && a->limit == b->limit &&
	       memcmp(a->position.words, b->position.words, sizeof(a->position.words)) == 0;
}

/* Changes one letter of a text. False if there is nothing to change. */
static bool change(struct buf *text, size_t at, uint8_t flip)
{
	if (text->len == 0 || flip == 0)
		return false;
	text->data[at % text->len] ^= (char)flip;
	return true;
}

static void refuse(const struct account_key *account, struct str token, struct str iv)
{
	struct cursor opened;

	must(cursor_open(&key, account, token, iv, &opened, &err) < 0);
	must(err.code == ERROR_INVALID);
}

static void seal_cursor(const uint8_t *data, size_t size)
{
	const struct account_key account = { "acct0001" };
	struct account_key other = account;
	struct buf token = { 0 }, iv = { 0 };
	struct cursor cursor = { 0 }, opened;

	memcpy(&cursor, data + HEAD, size - HEAD < sizeof(cursor) ? size - HEAD : sizeof(cursor));
	must(cursor_seal(&key, &account, &cursor, &token, &iv, &err) == 0);
	must(cursor_open(&key, &account, buf_str(&token), buf_str(&iv), &opened, &err) == 0);
	must(cursor_equal(&cursor, &opened));
	other.bytes[data[1] % ACCOUNT_KEY_LEN] ^= (char)data[4];
	if (data[4] != 0)
		refuse(&other, buf_str(&token), buf_str(&iv));
	refuse(&account, (struct str){ token.data, token.len - 1 - data[2] % (token.len - 1) }, buf_str(&iv));
	if (change(data[0] & 2 ? &iv : &token, (size_t)data[1] | (size_t)data[2] << 8, data[3]))
		refuse(&account, buf_str(&token), buf_str(&iv));
	buf_free(&token);
	buf_free(&iv);
}

static void seal_bytes(const uint8_t *data, size_t size)
{
	struct str plain = { (const char *)data + HEAD, size - HEAD }, context = STR_LITERAL("session");
	struct buf sealed = { 0 }, opened = { 0 };

	must(envelope_make(key.bytes, context, plain, &sealed, &err) == 0);
	must(sealed.len == ENVELOPE_NONCE_BYTES + plain.len + ENVELOPE_TAG_BYTES);
	must(envelope_open(key.bytes, context, buf_str(&sealed), &opened, &err) == 0);
	must(str_equal(buf_str(&opened), plain));
	buf_clear(&opened);
	must(envelope_open(key.bytes, STR_LITERAL("destination"), buf_str(&sealed), &opened, &err) < 0);
	if (change(&sealed, (size_t)data[1] | (size_t)data[2] << 8, data[3]))
		must(envelope_open(key.bytes, context, buf_str(&sealed), &opened, &err) < 0 && opened.len == 0);
	/* and what nobody sealed */
	must(envelope_open(key.bytes, context, plain, &opened, &err) < 0 && opened.len == 0);
	buf_free(&sealed);
	buf_free(&opened);
}

static void think_up(const uint8_t *data, size_t size)
{
	struct str text = { (const char *)data + HEAD, size - HEAD };
	size_t half = text.len * data[1] / 256;
	struct buf bytes = { 0 }, again = { 0 };

	refuse(&(struct account_key){ "acct0001" }, (struct str){ text.p, half },
	       (struct str){ text.p + half, text.len - half });
	if (id_base64url_decode(&bytes, text)) {
		id_base64url_encode(&again, bytes.data, bytes.len);
		must(str_equal(buf_str(&again), text));
	}
	must(bytes.len <= text.len);
	buf_free(&bytes);
	buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < HEAD)
		return 0;
	if (data[0] % 4 == 0)
		think_up(data, size);
	else if (data[0] % 4 == 1)
		seal_bytes(data, size);
	else
		seal_cursor(data, size);
	return 0;
}
