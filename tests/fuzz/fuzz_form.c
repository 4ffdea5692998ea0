/* SPDX-License-Identifier: ISC */
/*
 * fuzz_form.c: bodies that may be a form with one field, and forms that are.
 *
 *	input = kind, size of pieces; then a body
 *
 * What must hold: pieces make no difference; what is no form passes as it is; and a body that is put into a form comes out
 * of it again.
 */
#include <openssl/evp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/form.h"

#define HEAD 2
#define BYTES_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* False with *err if it is refused. */
static bool read_form(enum form_kind kind, struct str body, size_t piece, struct buf *content, struct error *err)
{
	struct form form = { .kind = kind };
	struct str out;
	bool taken = true;

	while (taken && body.len > 0) {
		struct str part = { body.p, body.len < piece ? body.len : piece };

		taken = form_feed(&form, part, BYTES_MAX, &out, err) == 0;
		if (taken)
			buf_add_str(content, out);
		body = (struct str){ body.p + part.len, body.len - part.len };
	}
	taken = taken && form_finish(&form, &out, err) == 0;
	if (taken)
		buf_add_str(content, out);
	form_free(&form);
	must(!content->failed);
	return taken;
}

static void check_body(enum form_kind kind, struct str body, size_t piece)
{
	const struct str field = STR_LITERAL("cdr=");
	struct buf whole = { 0 }, pieces = { 0 };
	struct error err = { 0 }, err_pieces = { 0 };
	bool taken = read_form(kind, body, body.len, &whole, &err);

	must(taken == read_form(kind, body, piece, &pieces, &err_pieces));
	must(taken ? str_equal(buf_str(&whole), buf_str(&pieces)) : err.code == err_pieces.code);
	must(taken || err.code == ERROR_LIMIT || err.code == ERROR_INVALID);
	if (kind == FORM_PLAIN || body.len < field.len || memcmp(body.p, field.p, field.len) != 0)
		must(taken && str_equal(buf_str(&whole), body));
	must(whole.len <= body.len);
	buf_free(&whole);
	buf_free(&pieces);
}

static void check_made(enum form_kind kind, struct str content, size_t piece)
{
	struct buf form = { 0 }, back = { 0 };
	struct error err;

	buf_add_text(&form, "cdr=");
	if (kind == FORM_BASE64 && buf_reserve(&form, content.len / 3 * 4 + 8))
		form.len += (size_t)EVP_EncodeBlock((unsigned char *)form.data + form.len,
		                                    (const unsigned char *)content.p, (int)content.len);
	for (size_t i = 0; kind == FORM_URL && i < content.len; i++)
		buf_addf(&form, "%%%02X", (unsigned)(uint8_t)content.p[i]);
	must(!form.failed);
	bool taken = read_form(kind, buf_str(&form), piece, &back, &err);
	must(taken == (form.len <= BYTES_MAX) &&
	     (taken ? str_equal(buf_str(&back), content) : err.code == ERROR_LIMIT));
	buf_free(&form);
	buf_free(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < HEAD)
		return 0;
	struct str body = { (const char *)data + HEAD, size - HEAD };
	enum form_kind kind = data[0] % 3;

	check_body(kind, body, 1 + data[1]);
	if (kind != FORM_PLAIN)
		check_made(kind, body, 1 + data[1]);
	return 0;
}
