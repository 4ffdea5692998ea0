/* SPDX-License-Identifier: ISC */
/*
 * credential_text.c: a hashed secret as text. See credentials.h.
 */
#include <string.h>

#include "base/id.h"
#include "meta/credentials.h"

#define PREFIX "$pbkdf2-sha256$"
#define FORM "must be " PREFIX "ITERATIONS$SALT$HASH"

/* Takes what stands before the next '$', or the rest. */
static struct str take_part(struct str *text)
{
	const char *end = text->len > 0 ? memchr(text->p, '$', text->len) : NULL;
	struct str part = { text->p, end ? (size_t)(end - text->p) : text->len };
	size_t taken = part.len + (end ? 1 : 0);

	*text = (struct str){ text->p + taken, text->len - taken };
	return part;
}

static int read_iterations(struct str text, int *iterations, struct error *err)
{
	int number = 0;

	for (size_t i = 0; i < text.len && number <= CREDENTIAL_TEXT_ITERATIONS_MAX; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return error_set(err, ERROR_INVALID, "secret_hash: iterations are no number; " FORM);
		number = 10 * number + (text.p[i] - '0');
	}
	*iterations = number;
	if (number >= CREDENTIAL_TEXT_ITERATIONS_MIN && number <= CREDENTIAL_TEXT_ITERATIONS_MAX)
		return 0;
	return error_set(err, ERROR_INVALID, "secret_hash: %.*s iterations, must be %d to %d",
	                 (int)(text.len < 20 ? text.len : 20), text.p, CREDENTIAL_TEXT_ITERATIONS_MIN,
	                 CREDENTIAL_TEXT_ITERATIONS_MAX);
}

static int read_bytes(const char *what, struct str text, uint8_t *out, size_t len, struct error *err)
{
	struct buf standard = { 0 }, bytes = { 0 };

	for (size_t i = 0; i < text.len; i++)
		buf_add_char(&standard, text.p[i] == '.' ? '+' : text.p[i]);
	bool decoded = id_base64_decode(&bytes, buf_str(&standard)) && bytes.len == len;
	if (decoded)
		memcpy(out, bytes.data, len);
	buf_free(&standard);
	buf_free(&bytes);
	if (decoded)
		return 0;
	return error_set(err, ERROR_INVALID, "secret_hash: the %s is not %zu bytes in base64", what, len);
}

int credential_from_text(struct credential *credential, struct str text, struct error *err)
{
	struct str rest = text;

	if (text.len < strlen(PREFIX) || memcmp(text.p, PREFIX, strlen(PREFIX)) != 0)
		return error_set(err, ERROR_INVALID, "secret_hash: " FORM);
	rest = (struct str){ text.p + strlen(PREFIX), text.len - strlen(PREFIX) };
	struct str iterations = take_part(&rest), salt = take_part(&rest);
	if (read_iterations(iterations, &credential->iterations, err) != 0 ||
	    read_bytes("salt", salt, credential->salt, sizeof(credential->salt), err) != 0)
		return -1;
	return read_bytes("hash", rest, credential->hash, sizeof(credential->hash), err);
}

/* Base64url, of which two characters are others here. */
static void add_bytes(struct buf *out, const uint8_t *bytes, size_t len)
{
	size_t at = out->len;

	id_base64url_encode(out, bytes, len);
	for (; !out->failed && at < out->len; at++)
		if (out->data[at] == '-' || out->data[at] == '_')
			out->data[at] = out->data[at] == '-' ? '.' : '/';
}

void credential_to_text(const struct credential *credential, struct buf *out)
{
	buf_addf(out, PREFIX "%d$", credential->iterations);
	add_bytes(out, credential->salt, sizeof(credential->salt));
	buf_add_char(out, '$');
	add_bytes(out, credential->hash, sizeof(credential->hash));
}
