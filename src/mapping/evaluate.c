/* SPDX-License-Identifier: ISC */
/*
 * evaluate.c: runs a mapping's program on the values of a row. See mapping_private.h.
 *
 * A value is a text in the row, in the mapping, or in the arena, which has room for all that a row can need and so never
 * moves; if it is full, that is a fault of the row.
 */
#include <stdarg.h>
#include <stdio.h>

#include "base/json.h"
#include "mapping/mapping_private.h"

#define EMPTY ((struct str){ "", 0 })

static void value_fault(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void value_fault(struct run *run, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (!run->reason[0])
		vsnprintf(run->reason, sizeof(run->reason), format, args);
	va_end(args);
}

/* The text written to the arena from `begin` on. */
static struct str written(struct run *run, size_t begin)
{
	if (run->arena->failed) {
		value_fault(run, "The mapped values are longer than the %zu bytes allowed", run->arena->cap);
		return EMPTY;
	}
	return run->arena->len > begin ? (struct str){ run->arena->data + begin, run->arena->len - begin } : EMPTY;
}

/* --- changes of the value --- */

static struct str find_in(struct str value, struct str text)
{
	const char *found = value.len > 0 ? memmem(value.p, value.len, text.p, text.len) : NULL;

	return found ? (struct str){ found, (size_t)(value.p + value.len - found) } : (struct str){ NULL, 0 };
}

static bool begins_with(struct str value, struct str text)
{
	return value.len >= text.len && memcmp(value.p, text.p, text.len) == 0;
}

static struct str to_case(struct run *run, struct str value, char first, char last)
{
	size_t begin = run->arena->len;

	for (size_t i = 0; i < value.len; i++) {
		char c = value.p[i];

		buf_add_char(run->arena, c >= first && c <= last ? (char)(c ^ 0x20) : c);
	}
	return written(run, begin);
}

static struct str url_decode(struct run *run, struct str value)
{
	size_t begin = run->arena->len;

	if (value.len == 0 || !memchr(value.p, '%', value.len))
		return value;
	const char *end = value.p + value.len;

	for (const char *p = value.p; p < end; p++) {
		int byte = *p == '%' ? str_hex_byte(p + 1, end) : -1;

		buf_add_char(run->arena, byte >= 0 ? (char)byte : *p);
		p += byte >= 0 ? 2 : 0;
	}
	run->check_text = true;
	return written(run, begin);
}

/* What stands after a backslash at p, which it is moved to the end of. */
static char python_escape(const char **p, const char *end)
{
	int byte;

	switch (**p) {
	case 'n':
		return '\n';
	case 't':
		return '\t';
	case 'r':
		return '\r';
	case 'x':
		byte = str_hex_byte(*p + 1, end);
		*p += byte >= 0 ? 2 : 0;
		return (char)(byte >= 0 ? byte : 'x');
	default:
		return **p;
	}
}

/* b'...', '...' or the same with double quotes; anything else as it is. */
static struct str python_text(struct run *run, struct str value)
{
	size_t begin = run->arena->len;
	bool bytes = value.len > 2 && value.p[0] == 'b';

	if (value.len < 2)
		return value;
	struct str quoted = { value.p + bytes, value.len - bytes };
	if ((quoted.p[0] != '\'' && quoted.p[0] != '"') || quoted.p[quoted.len - 1] != quoted.p[0])
		return value;
	struct str inner = { quoted.p + 1, quoted.len - 2 };
	const char *end = inner.p + inner.len;
	if (inner.len == 0 || !memchr(inner.p, '\\', inner.len))
		return inner;
	for (const char *p = inner.p; p < end; p++) {
		bool escaped = *p == '\\' && p + 1 < end;

		p += escaped;
		buf_add_char(run->arena, escaped ? python_escape(&p, end) : *p);
	}
	run->check_text = true;
	return written(run, begin);
}

static struct str look_up(struct run *run, const struct step *step, struct str value)
{
	const struct lookup *table = &run->mapping->tables[step->at];
	const struct lookup_entry *entry =
		step->code == STEP_TABLE ? lookup_find(table, value) : lookup_find_prefix(table, value);

	if (entry)
		return entry->value;
	if (table->has_other)
		return table->other;
	if (value.len > 0)
		value_fault(run, "\"%.*s\": not in the table %.*s", MAPFILE_SHOWN(value), MAPFILE_SHOWN(table->name));
	return EMPTY;
}

static struct str take_time(struct run *run, const struct step *step, struct str value)
{
	const struct time_form *form = &run->mapping->times[step->at];
	size_t begin = run->arena->len;

	if (value.len == 0)
		return value;
	if (time_form_rewrite(form, value, run->arena))
		return written(run, begin);
	value_fault(run, "\"%.*s\": must be a time such as %.*s", MAPFILE_SHOWN(value), MAPFILE_SHOWN(form->text));
	return EMPTY;
}

static struct str take_price(struct run *run, const struct step *step)
{
	size_t begin = run->arena->len;
	struct decimal price;
	char reason[200];
	const char *why = tariff_price(&run->mapping->tables[step->at], &run->call, &price, reason, sizeof(reason));

	if (why) {
		value_fault(run, "%s", why);
		return EMPTY;
	}
	decimal_format(run->arena, price);
	return written(run, begin);
}

static struct str change(struct run *run, const struct step *step, struct str value)
{
	struct str found;
	size_t begin;

	switch (step->code) {
	case STEP_OR:
		return value.len > 0 ? value : run->values[step->at];
	case STEP_DEFAULT:
		return value.len > 0 ? value : step->text;
	case STEP_BLANK:
		return str_equal(value, step->text) ? EMPTY : value;
	case STEP_STRIP:
		if (begins_with(value, step->text))
			return (struct str){ value.p + step->text.len, value.len - step->text.len };
		return value;
	case STEP_BEFORE:
		found = find_in(value, step->text);
		return (struct str){ value.p, value.len - found.len };
	case STEP_AFTER:
		found = find_in(value, step->text);
		return found.p ? (struct str){ found.p + step->text.len, found.len - step->text.len } : EMPTY;
	case STEP_PREPEND:
		begin = run->arena->len;
		if (value.len == 0)
			return value;
		buf_add_str(run->arena, step->text);
		buf_add_str(run->arena, value);
		return written(run, begin);
	case STEP_LOWER:
		return to_case(run, value, 'A', 'Z');
	case STEP_UPPER:
		return to_case(run, value, 'a', 'z');
	case STEP_TRIM:
		return str_trim(value);
	case STEP_URL:
		return url_decode(run, value);
	case STEP_PYTHON:
		return python_text(run, value);
	case STEP_TABLE:
	case STEP_PREFIX:
		return look_up(run, step, value);
	default:
		return take_time(run, step, value);
	}
}

/* --- columns --- */

static void column_fault(struct run *run, uint8_t column)
{
	size_t at = run->faults_count;

	run->columns_at_fault |= UINT64_C(1) << column;
	if (at < PARSE_FAULTS_MAX) {
		memcpy(run->reasons[at], run->reason, sizeof(run->reason));
		run->faults[at] = (struct parse_fault){ run->record.product->columns[column].name.p, run->reasons[at] };
		run->faults_count++;
	}
	run->reason[0] = '\0';
}

static void set_column(struct run *run, uint8_t column, struct str value)
{
	if (value.len > run->limits->value_max_bytes)
		value_fault(run, "%zu bytes, at most %zu allowed", value.len, run->limits->value_max_bytes);
	else if (run->check_text && value.len > 0 && memchr(value.p, '\0', value.len))
		value_fault(run, "Contains a NUL character");
	else if (run->check_text && value.len > 0 && !json_is_utf8(value))
		value_fault(run, "Not valid UTF-8");
	if (run->reason[0])
		column_fault(run, column);
	else if (value.len > 0)
		run->record.values[column] = value;
}

/* --- values of parts --- */

static struct str close_parts(struct run *run)
{
	size_t begin = run->arena->len;

	if (!run->any_part)
		return EMPTY;
	buf_add_str(run->arena, buf_str(&run->parts));
	if (run->parts.failed)
		run->arena->failed = true;
	return written(run, begin);
}

/* --- the program --- */

static void begin_record(struct run *run, const struct step *step)
{
	record_clear(&run->record, step->product);
	run->updates = step->updates;
	run->reason[0] = '\0';
	run->call = (struct rate_call){ .number = { NULL, 0 } };
}

/* What a step does with the value, other than changing it; false if it is none of these. */
static bool use_value(struct run *run, const struct step *step, struct str value)
{
	switch (step->code) {
	case STEP_SET:
		set_column(run, (uint8_t)step->at, value);
		return true;
	case STEP_NUMBER:
		run->call.number = value;
		return true;
	case STEP_AMOUNT:
		run->call.amount = value;
		return true;
	case STEP_CLOCK:
		run->call.time = value;
		return true;
	case STEP_OPEN:
		buf_clear(&run->parts);
		run->any_part = false;
		return true;
	case STEP_APPEND:
		run->any_part |= value.len > 0;
		buf_add_str(&run->parts, value);
		return true;
	case STEP_ADD:
		buf_add_str(&run->parts, step->text);
		return true;
	default:
		return false;
	}
}

/* Tests of the value; false if the step is none. */
static bool test_value(const struct step *step, struct str value, bool *test)
{
	switch (step->code) {
	case STEP_TEST:
		*test = false;
		return true;
	case STEP_IS:
		*test |= str_equal(value, step->text);
		return true;
	case STEP_BEGINS:
		*test |= begins_with(value, step->text);
		return true;
	case STEP_IS_EMPTY:
		*test |= value.len == 0;
		return true;
	default:
		return false;
	}
}

enum run_result mapping_run(struct run *run)
{
	struct str value = EMPTY;
	bool test = false;

	run->faults_count = 0;
	run->columns_at_fault = 0;
	run->record.product = NULL;
	run->reason[0] = '\0';
	for (const struct step *step = run->mapping->steps;; step++) {
		switch (step->code) {
		case STEP_ELSE:
		case STEP_UNLESS:
			run->reason[0] = '\0'; /* a value that could not be made is just none */
			if (test == (step->code == STEP_UNLESS))
				step = &run->mapping->steps[step->to] - 1;
			break;
		case STEP_SKIP:
			return RUN_SKIP;
		case STEP_UNTAKEN:
			return RUN_UNTAKEN;
		case STEP_DONE:
			return RUN_RECORD;
		case STEP_RECORD:
			begin_record(run, step);
			break;
		case STEP_LOAD:
			value = run->values[step->at];
			break;
		case STEP_TEXT:
			value = step->text;
			break;
		case STEP_CLOSE:
			value = close_parts(run);
			break;
		case STEP_RATE:
			value = take_price(run, step);
			break;
		default:
			if (!use_value(run, step, value) && !test_value(step, value, &test))
				value = change(run, step, value);
		}
	}
}
