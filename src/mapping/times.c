/* SPDX-License-Identifier: ISC */
/*
 * times.c: see times.h.
 */
#include "mapping/times.h"

#include <strings.h>

#define FRACTION_MAX 9

static const struct {
	const char *word;
	int shift;
} epochs[] = { { "epoch", 0 }, { "epoch_ms", 3 }, { "epoch_us", 6 }, { "epoch_ns", 9 } };

/* Each at most once, and a day whole: what is not there would be taken for the first, in silence. */
static bool names_a_day(struct str form)
{
	static const char *const parts[] = { "Yy", "mb", "de", "H", "M", "S", "f", "z" };

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		int count = 0;

		for (size_t at = 0; at + 1 < form.len; at++)
			if (form.p[at] == '%')
				count += strchr(parts[i], form.p[++at]) != NULL;
		if (count > 1 || (count == 0 && i < 3))
			return false;
	}
	return true;
}

bool time_form_read(struct str text, struct time_form *form)
{
	*form = (struct time_form){ .text = text, .shift = -1 };
	for (size_t i = 0; i < sizeof(epochs) / sizeof(epochs[0]); i++)
		if (str_is(text, epochs[i].word))
			form->shift = epochs[i].shift;
	if (form->shift >= 0)
		return true;
	for (size_t i = 0; i < text.len; i++)
		if (text.p[i] == '%' && (++i == text.len || !strchr("YmdHMSybefz%", text.p[i])))
			return false;
	return names_a_day(text);
}

/* --- since 1970 --- */

static bool rewrite_epoch(int shift, struct str time, struct buf *out)
{
	for (size_t i = 0; i < time.len; i++)
		if ((time.p[i] < '0' || time.p[i] > '9') && (shift > 0 || time.p[i] != '.'))
			return false;
	if (time.len <= (size_t)shift)
		return false;
	buf_add(out, time.p, time.len - (size_t)shift);
	if (shift > 0) {
		buf_add_char(out, '.');
		buf_add(out, time.p + time.len - shift, (size_t)shift);
	}
	return true;
}

/* --- by a form --- */

struct parts {
	int year, month, day, hour, minute, second;
	struct str fraction, offset;
};

/* Up to `digits` digits at *p, and at least one. */
static bool take_number(const char **p, const char *end, int digits, int *number)
{
	const char *begin = *p;

	*number = 0;
	while (*p < end && *p - begin < digits && **p >= '0' && **p <= '9')
		*number = *number * 10 + (*(*p)++ - '0');
	return *p > begin;
}

static bool take_month(const char **p, const char *end, int *month)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	if (end - *p < 3)
		return false;
	for (int i = 0; i < 12; i++)
		if (strncasecmp(*p, names + 3L * i, 3) == 0) {
			*month = i + 1;
			*p += 3;
			return true;
		}
	return false;
}

/* Bytes at *p, as many as are among `allowed`, at most `most`. */
static struct str take_run(const char **p, const char *end, const char *allowed, int most)
{
	const char *begin = *p;

	while (*p < end && *p - begin < most && **p && strchr(allowed, **p))
		(*p)++;
	return (struct str){ begin, (size_t)(*p - begin) };
}

static bool take_part(struct parts *parts, char conversion, const char **p, const char *end)
{
	switch (conversion) {
	case 'Y':
		return take_number(p, end, 4, &parts->year);
	case 'y':
		if (!take_number(p, end, 2, &parts->year))
			return false;
		parts->year += parts->year < 69 ? 2000 : 1900; /* as POSIX has it */
		return true;
	case 'm':
		return take_number(p, end, 2, &parts->month);
	case 'b':
		return take_month(p, end, &parts->month);
	case 'e':
		(void)take_run(p, end, " ", 1);
		return take_number(p, end, 2, &parts->day);
	case 'd':
		return take_number(p, end, 2, &parts->day);
	case 'H':
		return take_number(p, end, 2, &parts->hour);
	case 'M':
		return take_number(p, end, 2, &parts->minute);
	case 'S':
		return take_number(p, end, 2, &parts->second);
	case 'f':
		parts->fraction = take_run(p, end, "0123456789", FRACTION_MAX);
		return true;
	case 'z':
		parts->offset = take_run(p, end, "Zz+-:0123456789", 6);
		return parts->offset.len > 0;
	default:
		return *p < end && *(*p)++ == '%';
	}
}

static bool read_parts(struct str form, struct str time, struct parts *parts)
{
	const char *p = time.p, *end = time.p + time.len;

	for (size_t i = 0; i < form.len; i++) {
		if (form.p[i] == '%') {
			if (!take_part(parts, form.p[++i], &p, end))
				return false;
		} else if (p == end || *p++ != form.p[i]) {
			return false;
		}
	}
	return p == end;
}

static void add_number(struct buf *out, int number, int digits)
{
	char text[8];

	for (int i = digits; i > 0; number /= 10)
		text[--i] = (char)('0' + number % 10);
	buf_add(out, text, (size_t)digits);
}

bool time_form_rewrite(const struct time_form *form, struct str time, struct buf *out)
{
	struct parts parts = { 0 };

	if (form->shift >= 0)
		return rewrite_epoch(form->shift, time, out);
	if (!read_parts(form->text, time, &parts))
		return false;
	/* Whether such a day or hour exists is for the check to say. */
	add_number(out, parts.year, 4);
	buf_add_char(out, '-');
	add_number(out, parts.month, 2);
	buf_add_char(out, '-');
	add_number(out, parts.day, 2);
	buf_add_char(out, 'T');
	add_number(out, parts.hour, 2);
	buf_add_char(out, ':');
	add_number(out, parts.minute, 2);
	buf_add_char(out, ':');
	add_number(out, parts.second, 2);
	if (parts.fraction.len > 0) {
		buf_add_char(out, '.');
		buf_add_str(out, parts.fraction);
	}
	buf_add_str(out, parts.offset);
	return true;
}
