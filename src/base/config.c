/* SPDX-License-Identifier: ISC */
/*
 * config.c: the table of settings, and the functions that set, reload and write them by it.
 *
 * The rows come from settings.def; a value is reached through its row's offset in struct config. The forms of values
 * are in config_value.c, files in config_file.c.
 */
#include "base/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config_value.h"

const struct config_row config_rows[] = {
#define SETTING(type, key, fallback, min, max, reload, help) \
	{ type, #key, fallback, min, max, reload, help, offsetof(struct config, key) },
#include "base/settings.def"
#undef SETTING
};

const size_t config_rows_count = sizeof(config_rows) / sizeof(config_rows[0]);

/* Keys are compared with room to spare; settings.def has none near this length. */
#define KEY_LEN_MAX 63

static char **text_of(struct config *config, const struct config_row *row)
{
	return (char **)(void *)((char *)config + row->offset);
}

static int64_t *number_of(struct config *config, const struct config_row *row)
{
	return (int64_t *)(void *)((char *)config + row->offset);
}

static const char *text_in(const struct config *config, const struct config_row *row)
{
	return *(char *const *)(const void *)((const char *)config + row->offset);
}

static int64_t number_in(const struct config *config, const struct config_row *row)
{
	return *(const int64_t *)(const void *)((const char *)config + row->offset);
}

static const struct config_row *find_row(const char *key)
{
	for (size_t i = 0; i < config_rows_count; i++) {
		if (strcmp(config_rows[i].key, key) == 0)
			return &config_rows[i];
	}
	return NULL;
}

static size_t smallest(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

/* How many characters must be inserted, deleted or replaced to turn `key` into `known` (Levenshtein). */
static size_t edit_distance(const char *known, const char *key)
{
	size_t row[KEY_LEN_MAX + 1]; /* distances from the part of `key` seen to every start of `known` */
	size_t known_len = strnlen(known, KEY_LEN_MAX);

	for (size_t i = 0; i <= known_len; i++)
		row[i] = i;
	for (; *key; key++) {
		size_t diagonal = row[0]++;

		for (size_t i = 1; i <= known_len; i++) {
			size_t above = row[i];

			row[i] = smallest(above + 1, row[i - 1] + 1, diagonal + (known[i - 1] != *key));
			diagonal = above;
		}
	}
	return row[known_len];
}

/* NULL if none is near enough to be meant: at most a third of it, and three characters, may differ. */
static const char *nearest_key(const char *key)
{
	const char *nearest = NULL;
	size_t length = strlen(key);
	size_t least = length / 3 < 3 ? length / 3 + 1 : 4;

	for (size_t i = 0; i < config_rows_count; i++) {
		size_t distance = edit_distance(config_rows[i].key, key);

		if (distance < least) {
			least = distance;
			nearest = config_rows[i].key;
		}
	}
	return nearest;
}

/* Fills the error with the wrong value and what its row allows; returns -1. */
static int refuse(const struct config_row *row, const char *value, const char *problem, struct error *err)
{
	char allowed[128] = "";

	if (row->type == CONFIG_CHOICE)
		(void)snprintf(allowed, sizeof(allowed), ": %s", row->max);
	else if (*row->min && *row->max)
		(void)snprintf(allowed, sizeof(allowed), "; %s to %s allowed", row->min, row->max);
	else if (*row->min || *row->max)
		(void)snprintf(allowed, sizeof(allowed), "; at %s %s allowed", *row->min ? "least" : "most",
		               *row->min ? row->min : row->max);
	return error_set(err, ERROR_INVALID, "%s: \"%.200s\" is not %s%s", row->key, value, problem, allowed);
}

/* Is the number within the row's bounds? A bound that does not parse allows nothing. */
static bool within_bounds(const struct config_row *row, decimal_units number)
{
	decimal_units bound;

	if (*row->min && (!config_value_parse(row->type, row->min, &bound) || number < bound))
		return false;
	return !*row->max || (config_value_parse(row->type, row->max, &bound) && number <= bound);
}

/* Checks a value against its row; *number is set for types that mean one. */
static int check_value(const struct config_row *row, const char *value, decimal_units *number, struct error *err)
{
	bool has_form;

	if (row->type == CONFIG_TEXT)
		has_form = config_value_fits_line(value);
	else if (row->type == CONFIG_CHOICE)
		has_form = config_value_is_choice(row->max, value);
	else
		has_form = config_value_parse(row->type, value, number);
	if (!has_form)
		return refuse(row, value, config_value_form(row->type), err);
	if (row->type != CONFIG_TEXT && row->type != CONFIG_CHOICE && !within_bounds(row, *number))
		return refuse(row, value, "within bounds", err);
	return 0;
}

static int replace_text(struct config *config, const struct config_row *row, const char *value, struct error *err)
{
	char *copy = strdup(value);

	if (!copy)
		return error_set(err, ERROR_NOMEM, "%s: out of memory", row->key);
	free(*text_of(config, row));
	*text_of(config, row) = copy;
	return 0;
}

static int refuse_key(const char *key, struct error *err)
{
	const char *near = nearest_key(key);

	if (near)
		return error_set(err, ERROR_INVALID, "%.100s: no such setting, did you mean %s?", key, near);
	return error_set(err, ERROR_INVALID, "%.100s: no such setting; cdrd.conf(5) lists them", key);
}

int config_set(struct config *config, const char *key, const char *value, struct error *err)
{
	const struct config_row *row = find_row(key);

	decimal_units number = 0;

	if (!row)
		return refuse_key(key, err);
	if (check_value(row, value, &number, err) != 0)
		return -1;
	if (config_value_is_text(row->type))
		return replace_text(config, row, value, err);
	*number_of(config, row) = (int64_t)number;
	return 0;
}

void config_faults_add(struct config_faults *faults, const struct error *err)
{
	faults->count++;
	buf_addf(&faults->lines, "%s\n", err->message);
	(void)buf_cstr(&faults->lines); /* ends it with a NUL, or fails */
}

int config_init(struct config *config, struct error *err)
{
	*config = (struct config){ 0 };
	for (size_t i = 0; i < config_rows_count; i++) {
		if (config_set(config, config_rows[i].key, config_rows[i].fallback, err) != 0) {
			config_free(config);
			return -1;
		}
	}
	return 0;
}

static bool differs(const struct config *a, const struct config *b, const struct config_row *row)
{
	if (config_value_is_text(row->type))
		return strcmp(text_in(a, row), text_in(b, row)) != 0;
	return number_in(a, row) != number_in(b, row);
}

int config_reload(struct config *config, const struct config *fresh, struct buf *ignored, struct error *err)
{
	for (size_t i = 0; i < config_rows_count; i++) {
		const struct config_row *row = &config_rows[i];

		if (!differs(config, fresh, row))
			continue;
		if (!row->reload) {
			buf_addf(ignored, "%s%s", ignored->len > 0 ? ", " : "", row->key);
		} else if (!config_value_is_text(row->type)) {
			*number_of(config, row) = number_in(fresh, row);
		} else if (replace_text(config, row, text_in(fresh, row), err) != 0) {
			return -1;
		}
	}
	return 0;
}

void config_dump(const struct config *config, struct buf *out)
{
	for (size_t i = 0; i < config_rows_count; i++) {
		const struct config_row *row = &config_rows[i];

		buf_addf(out, "%s = ", row->key);
		if (config_value_is_text(row->type))
			buf_add_text(out, text_in(config, row));
		else
			config_value_format(out, row->type, number_in(config, row));
		buf_add_char(out, '\n');
	}
}

void config_free(struct config *config)
{
	for (size_t i = 0; i < config_rows_count; i++) {
		if (config_value_is_text(config_rows[i].type))
			free(*text_of(config, &config_rows[i]));
	}
	*config = (struct config){ 0 };
}
