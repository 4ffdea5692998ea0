/* SPDX-License-Identifier: ISC */
/*
 * text.c: see text.h.
 */
#include "ctl/text.h"

#include <inttypes.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "admin/tree.h"

void text_init(void)
{
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): cdrctl has one thread. */
	setlocale(LC_CTYPE, "");
	if (MB_CUR_MAX == 1)
		/* NOLINTNEXTLINE(concurrency-mt-unsafe): cdrctl has one thread. */
		setlocale(LC_CTYPE, "C.UTF-8");
}

static bool is_trick(wchar_t c)
{
	return (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0x200e || c == 0x200f;
}

static int add_escape(struct buf *out, unsigned value, size_t digits)
{
	buf_addf(out, digits == 2 ? "\\x%02x" : "\\u%04x", value);
	return (int)(2 + digits);
}

int text_add(struct buf *out, const char *text)
{
	size_t left = strlen(text);
	int columns = 0;

	while (left > 0) {
		mbstate_t state = { 0 };
		wchar_t c;
		/* NOLINTNEXTLINE(concurrency-mt-unsafe): cdrctl has one thread. */
		size_t len = mbrtowc(&c, text, left, &state);
		bool broken = len == (size_t)-1 || len == (size_t)-2;
		int width = broken ? -1 : wcwidth(c);

		if (broken || width < 0 || is_trick(c)) {
			columns += broken || c < 0x100 ?
			                   add_escape(out, broken ? (unsigned char)*text : (unsigned)c, 2) :
			                   add_escape(out, (unsigned)c, 4);
			len = broken ? 1 : len;
		} else {
			buf_add(out, text, len);
			columns += width;
		}
		text += len;
		left -= len;
	}
	return columns;
}

size_t text_fit(const char *text, int columns)
{
	size_t fits = 0, left = strlen(text);
	wchar_t c;

	while (left > 0) {
		mbstate_t state = { 0 };
		/* NOLINTNEXTLINE(concurrency-mt-unsafe): cdrctl has one thread. */
		size_t len = mbrtowc(&c, text + fits, left, &state);
		bool broken = len == (size_t)-1 || len == (size_t)-2;
		int width = broken ? 1 : wcwidth(c);

		columns -= width > 0 ? width : 0;
		if (columns < 0)
			break;
		len = broken ? 1 : len;
		fits += len;
		left -= len;
	}
	return fits;
}

void text_add_count(struct buf *out, uint64_t count)
{
	if (count >= 1000) {
		text_add_count(out, count / 1000);
		buf_addf(out, ",%03u", (unsigned)(count % 1000));
	} else {
		buf_addf(out, "%u", (unsigned)count);
	}
}

void text_add_bytes(struct buf *out, double bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	size_t unit = 0;

	while (bytes >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		bytes /= 1024;
		unit++;
	}
	buf_addf(out, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
}

/* "2d 3h" */
static void add_duration(struct buf *out, uint64_t seconds)
{
	if (seconds >= 86400)
		buf_addf(out, "%" PRIu64 "d %" PRIu64 "h", seconds / 86400, seconds / 3600 % 24);
	else if (seconds >= 3600)
		buf_addf(out, "%" PRIu64 "h %" PRIu64 "m", seconds / 3600, seconds / 60 % 60);
	else if (seconds >= 60)
		buf_addf(out, "%" PRIu64 "m %" PRIu64 "s", seconds / 60, seconds % 60);
	else
		buf_addf(out, "%" PRIu64 "s", seconds);
}

void text_add_clock(struct buf *out, uint64_t seconds)
{
	if (seconds >= 3600)
		buf_addf(out, "%" PRIu64 ":%02u:%02u", seconds / 3600, (unsigned)(seconds / 60 % 60),
		         (unsigned)(seconds % 60));
	else
		buf_addf(out, "%" PRIu64 ":%02u", seconds / 60, (unsigned)(seconds % 60));
}

/* --- what a key says about its value --- */

static void add_bytes(struct buf *out, const struct tree *value)
{
	text_add_bytes(out, strtod(value->text, NULL));
}

static void add_seconds(struct buf *out, const struct tree *value)
{
	add_duration(out, strtoull(value->text, NULL, 10));
}

static void add_ms(struct buf *out, const struct tree *value)
{
	buf_addf(out, "%s ms", value->text);
}

static void add_us(struct buf *out, const struct tree *value)
{
	double us = strtod(value->text, NULL);

	buf_addf(out, us < 1000 ? "%.0f us" : "%.1f ms", us < 1000 ? us : us / 1000);
}

static const struct unit_row {
	const char *suffix;
	void (*add)(struct buf *out, const struct tree *value);
} units[] = {
	{ "_bytes", add_bytes },
	{ "_seconds", add_seconds },
	{ "_ms", add_ms },
	{ "_us", add_us },
};

static const struct unit_row *find_unit(const char *key)
{
	size_t len = strlen(key);

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		size_t suffix = strlen(units[i].suffix);

		if (len > suffix && strcmp(key + len - suffix, units[i].suffix) == 0)
			return &units[i];
	}
	return NULL;
}

int text_add_label(struct buf *out, const char *key, bool number)
{
	const struct unit_row *unit = number ? find_unit(key) : NULL;
	size_t len = strlen(key) - (unit ? strlen(unit->suffix) : 0);
	struct buf label = { 0 };

	buf_add(&label, key, len);
	int columns = text_add(out, buf_cstr(&label) ? label.data : "");
	buf_free(&label);
	return columns;
}

/* --- values --- */

static int add_json(struct buf *out, const struct tree *value)
{
	struct buf text = { 0 };
	struct json j = json_to(&text);

	tree_write(value, &j);
	const char *cstr = buf_cstr(&text);
	int columns = text_add(out, cstr ? cstr : "?");
	buf_free(&text);
	return columns;
}

static bool is_nested(const struct tree *value)
{
	return value->kind == TREE_OBJECT || value->kind == TREE_ARRAY;
}

static int add_array(struct buf *out, const struct tree *value)
{
	int columns = 0;

	TREE_EACH(element, value)
	if (is_nested(element))
		return add_json(out, value);
	TREE_EACH(element, value)
	{
		if (element != value->first)
			columns += text_add(out, ", ");
		columns += text_add_value(out, "", element);
	}
	return columns;
}

static int add_number(struct buf *out, const char *key, const struct tree *value)
{
	const struct unit_row *unit = find_unit(key);
	size_t before = out->len;

	if (!unit)
		return text_add(out, value->text);
	unit->add(out, value);
	return (int)(out->len - before);
}

static bool is_empty(const struct tree *value)
{
	return !value || value->kind == TREE_NULL || (value->kind == TREE_TEXT && !value->text[0]) ||
	       (is_nested(value) && value->count == 0);
}

int text_add_value(struct buf *out, const char *key, const struct tree *value)
{
	if (is_empty(value))
		return text_add(out, "-");
	switch (value->kind) {
	case TREE_TEXT:
		return text_add(out, value->text);
	case TREE_NUMBER:
		return add_number(out, key, value);
	case TREE_ARRAY:
		return add_array(out, value);
	case TREE_OBJECT:
		return add_json(out, value);
	default:
		return text_add(out, value->kind == TREE_TRUE ? "yes" : "no");
	}
}
