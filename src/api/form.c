/* SPDX-License-Identifier: ISC */
/*
 * form.c: see form.h.
 */
#include "api/form.h"

#include "base/id.h"

#define FIELD STR_LITERAL("cdr=")

enum form_kind form_kind_of(struct str type)
{
	if (str_equal_nocase(type, STR_LITERAL("application/x-www-form-urlencoded")))
		return FORM_URL;
	return str_equal_nocase(type, STR_LITERAL("application/x-www-form-base64-encoded")) ? FORM_BASE64 : FORM_PLAIN;
}

static int no_memory(struct error *err)
{
	return error_set(err, ERROR_NOMEM, "Out of memory for a form");
}

int form_feed(struct form *form, struct str piece, size_t max_bytes, struct str *out, struct error *err)
{
	*out = piece;
	if (form->kind == FORM_PLAIN || (form->known && !form->is_form))
		return 0;
	buf_add_str(&form->held, piece);
	*out = (struct str){ NULL, 0 };
	if (form->held.failed)
		return no_memory(err);
	if (!form->known && form->held.len >= FIELD.len) {
		form->known = true;
		form->is_form = memcmp(form->held.data, FIELD.p, FIELD.len) == 0;
		if (!form->is_form)
			*out = buf_str(&form->held);
	}
	if (form->is_form && form->held.len > max_bytes)
		return error_set(err, ERROR_LIMIT, "The form's field cdr is longer than the %zu bytes allowed",
		                 max_bytes);
	return 0;
}

/* In place. A plus is a space, as in forms; FreeSWITCH encodes one as %2B. */
static struct str url_decode(struct str text, char *to)
{
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.p[i];
		int byte = c == '%' ? str_hex_byte(text.p + i + 1, text.p + text.len) : -1;

		i += byte < 0 ? 0 : 2;
		to[len++] = byte >= 0 ? (char)byte : c == '+' ? ' ' : c;
	}
	return (struct str){ to, len };
}

static int decode_base64(struct form *form, struct str value, struct str *out, struct error *err)
{
	struct buf decoded = { 0 };

	if (!id_base64_decode(&decoded, value)) {
		bool failed = decoded.failed;

		buf_free(&decoded);
		return failed ? no_memory(err) :
		                error_set(err, ERROR_INVALID, "The form's field cdr is not encoded in base64");
	}
	buf_free(&form->held);
	form->held = decoded;
	*out = buf_str(&form->held);
	return 0;
}

int form_finish(struct form *form, struct str *out, struct error *err)
{
	*out = (struct str){ NULL, 0 };
	if (form->kind == FORM_PLAIN || (form->known && !form->is_form))
		return 0;
	*out = buf_str(&form->held);
	if (!form->is_form)
		return 0;
	struct str value = { out->p + FIELD.len, out->len - FIELD.len };
	const char *next = value.len > 0 ? memchr(value.p, '&', value.len) : NULL;
	if (next)
		value.len = (size_t)(next - value.p);
	while (value.len > 0 && strchr("\r\n", value.p[value.len - 1]))
		value.len--;
	if (form->kind == FORM_BASE64)
		return decode_base64(form, value, out, err);
	*out = url_decode(value, form->held.data);
	return 0;
}

void form_free(struct form *form)
{
	buf_free(&form->held);
}
