/* SPDX-License-Identifier: ISC */
/*
 * params.c: from a query string to names and values.
 *
 *	name=value&name=value    application/x-www-form-urlencoded: %xx is a byte, a plus a space
 *
 * Decoded texts are stored one after another in params->text, which each name and value borrows from. NULs and bytes
 * that are not UTF-8 are refused here, so that no later code needs to check for them.
 */
#include "query/query.h"

#include "base/json.h"

/* Makes room in params->text and updates all that borrows from it. */
static bool text_reserve(struct query_params *params, size_t more)
{
	const struct buf *text = &params->text;
	uintptr_t was = (uintptr_t)text->data;

	if (!buf_reserve(&params->text, more))
		return false;
	if ((uintptr_t)text->data == was)
		return true;
	for (size_t i = 0; i < params->count; i++) {
		struct query_param *param = &params->list[i];

		param->name.p = text->data + ((uintptr_t)param->name.p - was);
		param->value.p = text->data + ((uintptr_t)param->value.p - was);
	}
	return true;
}

/* Appends one decoded part; there is room for it, as no part gets longer. */
static int decode_part(struct query_params *params, struct str raw, struct str *out, struct error *err)
{
	struct buf *text = &params->text;
	size_t start = text->len;

	for (size_t i = 0; i < raw.len; i++) {
		char c = raw.p[i];

		if (c == '+') {
			c = ' ';
		} else if (c == '%') {
			int byte = str_hex_byte(raw.p + i + 1, raw.p + raw.len);

			if (byte < 0)
				return error_set(err, ERROR_INVALID, "The query has a broken %% escape");
			c = (char)byte;
			i += 2;
		}
		if (c == '\0')
			return error_set(err, ERROR_INVALID, "The query has a NUL");
		buf_add_char(text, c);
	}
	*out = (struct str){ text->data + start, text->len - start };
	if (!json_is_utf8(*out))
		return error_set(err, ERROR_INVALID, "The query has bytes that are not UTF-8");
	return 0;
}

static int check_count(const struct query_params *params, struct error *err)
{
	if (params->count < QUERY_PARAMS_MAX)
		return 0;
	return error_set(err, ERROR_INVALID, "More than %d parameters", QUERY_PARAMS_MAX);
}

static int decode_pair(struct query_params *params, struct str pair, struct error *err)
{
	const char *equals = memchr(pair.p, '=', pair.len);
	size_t name_len = equals ? (size_t)(equals - pair.p) : pair.len;
	size_t value_at = equals ? name_len + 1 : pair.len;
	struct query_param *param = &params->list[params->count];

	if (check_count(params, err) < 0 ||
	    decode_part(params, (struct str){ pair.p, name_len }, &param->name, err) < 0 ||
	    decode_part(params, (struct str){ pair.p + value_at, pair.len - value_at }, &param->value, err) < 0)
		return -1;
	params->count++;
	return 0;
}

int query_params_decode(struct query_params *params, struct str query_string, struct error *err)
{
	struct str rest = query_string;

	if (!text_reserve(params, query_string.len + 1))
		return error_set(err, ERROR_NOMEM, "Out of memory for the query's parameters");
	while (rest.len > 0) {
		const char *end = memchr(rest.p, '&', rest.len);
		size_t len = end ? (size_t)(end - rest.p) : rest.len;
		size_t step = end ? len + 1 : len;

		if (len > 0 && decode_pair(params, (struct str){ rest.p, len }, err) < 0)
			return -1;
		rest.p += step;
		rest.len -= step;
	}
	return 0;
}

int query_params_add(struct query_params *params, struct str name, struct str value, struct error *err)
{
	struct buf *text = &params->text;

	if (check_count(params, err) < 0)
		return -1;
	if (!text_reserve(params, name.len + value.len + 1))
		return error_set(err, ERROR_NOMEM, "Out of memory for parameters");
	params->list[params->count++] = (struct query_param){
		.name = { text->data + text->len, name.len },
		.value = { text->data + text->len + name.len, value.len },
	};
	buf_add_str(text, name);
	buf_add_str(text, value);
	/* a name or value that could not be written whole is not an empty one */
	return text->failed ? error_set(err, ERROR_NOMEM, "Out of memory for parameters") : 0;
}

struct str query_params_get(const struct query_params *params, const char *name)
{
	struct str wanted = str_from(name);

	for (size_t i = params->count; i-- > 0;) {
		if (str_equal(params->list[i].name, wanted))
			return params->list[i].value;
	}
	return (struct str){ NULL, 0 };
}

void query_params_free(struct query_params *params)
{
	buf_free(&params->text);
	params->count = 0;
}
