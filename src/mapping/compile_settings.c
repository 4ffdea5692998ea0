/* SPDX-License-Identifier: ISC */
/*
 * compile_settings.c: what stands before the first section of a mapping's file: the form of the rows, and how they are
 * read. See mapping_private.h.
 */
#include "base/clock.h"
#include "base/zone.h"
#include "mapping/mapfile.h"
#include "mapping/mapping_private.h"

/* --- settings --- */

static bool take_form(struct compiler *compiler, struct str value)
{
	static const char *const forms[] = { "", "csv", "json", "pairs", "pattern" };

	for (size_t i = 1; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (str_is(value, forms[i])) {
			compiler->mapping->form = (enum mapping_form)i;
			return true;
		}
	return compile_fault(compiler, "form: \"%.*s\": must be csv, json, pairs or pattern", MAPFILE_SHOWN(value));
}

bool compile_bool(struct compiler *compiler, struct str value, bool *to)
{
	*to = str_is(value, "yes");
	return *to || str_is(value, "no") ||
	       compile_fault(compiler, "%.*s: \"%.*s\": must be yes or no", STR_ARGS(compiler->line->key),
	                     MAPFILE_SHOWN(value));
}

static bool take_header(struct compiler *compiler, struct str value)
{
	return compile_bool(compiler, value, &compiler->mapping->header);
}

static bool take_multiline(struct compiler *compiler, struct str value)
{
	return compile_bool(compiler, value, &compiler->mapping->multiline);
}

static bool is_line_end(char c)
{
	return c == '\n' || c == '\r';
}

static bool take_unmatched(struct compiler *compiler, struct str value)
{
	compiler->mapping->skips_unmatched = str_is(value, "skip");
	return compiler->mapping->skips_unmatched || str_is(value, "reject") ||
	       compile_fault(compiler, "unmatched: \"%.*s\": must be skip or reject", MAPFILE_SHOWN(value));
}

static bool take_delimiter(struct compiler *compiler, struct str value)
{
	if (value.len != 1 || is_line_end(value.p[0]))
		return compile_fault(compiler, "delimiter: \"%.*s\": must be one character, such as , or \"\\t\"",
		                     MAPFILE_SHOWN(value));
	compiler->mapping->delimiter = value.p[0];
	return true;
}

static bool take_quote(struct compiler *compiler, struct str value)
{
	if (!str_is(value, "none") && (value.len != 1 || is_line_end(value.p[0])))
		return compile_fault(compiler, "quote: \"%.*s\": must be one character, or none", MAPFILE_SHOWN(value));
	compiler->mapping->quote = value.len == 1 ? value.p[0] : '\0';
	return true;
}

static bool take_names(struct compiler *compiler, struct str value)
{
	struct mapping *mapping = compiler->mapping;
	struct str word;
	bool quoted;

	while (mapfile_word(&mapping->pool, &value, &word, &quoted)) {
		if (mapping_find_field(mapping, word) != MAPPING_NO_FIELD)
			return compile_fault(compiler, "names: \"%.*s\" is there twice", MAPFILE_SHOWN(word));
		if (mapping_field(mapping, word) == MAPPING_NO_FIELD)
			return compile_fault(compiler, "names: more than %d", MAPPING_FIELDS_MAX);
	}
	mapping->named_count = mapping->fields_count;
	return true;
}

/* They are known after all else. */
static bool take_optional(struct compiler *compiler, struct str value)
{
	struct mapping *mapping = compiler->mapping;
	struct str word;
	bool quoted;

	while (mapfile_word(&mapping->pool, &value, &word, &quoted)) {
		uint16_t field = mapping_find_field(mapping, word);

		if (field == MAPPING_NO_FIELD)
			return compile_fault(compiler, "optional: \"%.*s\": the mapping has no such field",
			                     MAPFILE_SHOWN(word));
		mapping->optional[field] = true;
	}
	return true;
}

static bool take_start(struct compiler *compiler, struct str value)
{
	compiler->mapping->start = value;
	return true;
}

static bool take_sign(struct compiler *compiler, struct str value, struct str *to)
{
	*to = value;
	return value.len > 0 || compile_fault(compiler, "%.*s: must not be empty", STR_ARGS(compiler->line->key));
}

static bool take_separator(struct compiler *compiler, struct str value)
{
	return take_sign(compiler, value, &compiler->mapping->separator);
}

static bool take_equals(struct compiler *compiler, struct str value)
{
	return take_sign(compiler, value, &compiler->mapping->equals);
}

static bool take_about(struct compiler *compiler, struct str value)
{
	compiler->mapping->about = value;
	return true;
}

static bool take_time_zone(struct compiler *compiler, struct str value)
{
	int64_t now_us = clock_now_us();
	struct zone zone;
	struct error err;
	bool known = zone_load(&zone, value, now_us, now_us, &err) == 0 ||
	             err.code != ERROR_INVALID; /* where it cannot be looked up now, it is when it is needed */

	zone_free(&zone);
	compiler->mapping->time_zone = value;
	return known || compile_fault(compiler,
	                              "time_zone: \"%.*s\": must be a time zone's name, such as Europe/Berlin, "
	                              "or an offset, such as +02:00",
	                              MAPFILE_SHOWN(value));
}

static bool take_mode(struct compiler *compiler, struct str value)
{
	compiler->mapping->mode = value;
	return str_is(value, "replace") || str_is(value, "merge") ||
	       compile_fault(compiler, "mode: \"%.*s\": must be replace or merge", MAPFILE_SHOWN(value));
}

/* --- patterns --- */

/* `name` or `name:length` of `%{...}`. */
static bool take_field(struct compiler *compiler, struct str text, struct pattern_piece *piece)
{
	struct mapping *mapping = compiler->mapping;
	const char *colon = memchr(text.p, ':', text.len);
	struct str name = { text.p, colon ? (size_t)(colon - text.p) : text.len };

	*piece = (struct pattern_piece){ .is_field = true, .field = MAPPING_NO_FIELD, .length = MAPPING_NO_FIELD };
	if (name.len > 0) {
		piece->field = mapping_field(mapping, name);
		if (piece->field == MAPPING_NO_FIELD)
			return compile_fault(compiler, "pattern: more than %d fields", MAPPING_FIELDS_MAX);
	}
	if (!colon)
		return true;
	struct str length = { colon + 1, text.len - name.len - 1 };
	piece->length = mapping_find_field(mapping, length);
	return piece->length != MAPPING_NO_FIELD ||
	       compile_fault(compiler, "pattern: \"%.*s\", which has the length of \"%.*s\", must stand before it",
	                     MAPFILE_SHOWN(length), MAPFILE_SHOWN(name));
}

/* A constant of the pattern up to the next field; %% is a percent sign. */
static struct str take_constant(struct compiler *compiler, const char **at, const char *end)
{
	const char *p = *at;
	char *copy = pool_alloc(&compiler->mapping->pool, (size_t)(end - p) + 1);
	size_t len = 0;

	while (p < end && !(end - p > 1 && p[0] == '%' && p[1] == '{')) {
		p += end - p > 1 && p[0] == '%' && p[1] == '%';
		if (copy)
			copy[len++] = *p;
		p++;
	}
	*at = p;
	return (struct str){ copy, len };
}

static bool take_pieces(struct compiler *compiler, struct str value, struct pattern *pattern)
{
	const char *p = value.p, *end = value.p + value.len;

	while (p < end) {
		struct pattern_piece *piece = &pattern->pieces[pattern->count++];

		if (end - p > 1 && p[0] == '%' && p[1] == '{') {
			const char *close = memchr(p, '}', (size_t)(end - p));

			if (!close)
				return compile_fault(compiler, "pattern: a %%{ without its }");
			if (!take_field(compiler, (struct str){ p + 2, (size_t)(close - p - 2) }, piece))
				return false;
			p = close + 1;
			bool last = p == end;
			piece->text = last ? (struct str){ "", 0 } : take_constant(compiler, &p, end);
			if (!last && piece->text.len == 0 && piece->length == MAPPING_NO_FIELD)
				return compile_fault(compiler, "pattern: two fields with nothing between them");
		} else {
			piece->text = take_constant(compiler, &p, end);
		}
	}
	return pattern->count > 0 || compile_fault(compiler, "pattern: must not be empty");
}

static bool take_pattern(struct compiler *compiler, struct str value)
{
	struct mapping *mapping = compiler->mapping;
	struct pattern *pattern = &mapping->patterns[mapping->patterns_count];

	if (mapping->patterns_count == MAPPING_PATTERNS_MAX)
		return compile_fault(compiler, "pattern: more than %d", MAPPING_PATTERNS_MAX);
	*pattern = (struct pattern){ .pieces = pool_alloc(&mapping->pool, (value.len + 1) * sizeof(*pattern->pieces)) };
	if (!pattern->pieces)
		return false;
	mapping->patterns_count++;
	return take_pieces(compiler, value, pattern);
}

/* --- the table of settings --- */

static const struct setting {
	const char *key;
	bool (*take)(struct compiler *compiler, struct str value);
	bool raw;          /* the value is words, not one text */
	bool late;         /* after the sections */
	bool again;        /* may be given more than once */
	const char *forms; /* that have it: letters of csv, json, pAirs and paTtern; NULL: all */
} settings[] = {
	{ "form", take_form, false, false, false, NULL },
	{ "about", take_about, false, false, false, NULL },
	{ "time_zone", take_time_zone, false, false, false, NULL },
	{ "mode", take_mode, false, false, false, NULL },
	{ "header", take_header, false, false, false, "c" },
	{ "multiline", take_multiline, false, false, false, "c" },
	{ "delimiter", take_delimiter, false, false, false, "c" },
	{ "quote", take_quote, false, false, false, "c" },
	{ "names", take_names, true, false, false, "c" },
	{ "optional", take_optional, true, true, false, "c" },
	{ "start", take_start, false, false, false, "ja" },
	{ "separator", take_separator, false, false, false, "a" },
	{ "equals", take_equals, false, false, false, "a" },
	{ "pattern", take_pattern, false, false, true, "t" },
	{ "unmatched", take_unmatched, false, false, false, "t" },
};

static const struct setting *find_setting(struct str key)
{
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		if (str_is(key, settings[i].key))
			return &settings[i];
	return NULL;
}

bool compile_is_repeated(const struct mapfile_section *section, const struct mapfile_line *line)
{
	for (const struct mapfile_line *other = section->lines; other != line; other = other->next)
		if (str_equal(other->key, line->key))
			return true;
	return false;
}

static bool has_form(const struct mapping *mapping, const struct setting *setting)
{
	static const char letters[] = { 'x', 'c', 'j', 'a', 't' };

	return !setting->forms || strchr(setting->forms, letters[mapping->form]);
}

static void take_setting(struct compiler *compiler, const struct setting *setting, const struct mapfile_line *line)
{
	struct str text = line->value;

	compiler->line = line;
	if (!setting->again && compile_is_repeated(&compiler->source.sections[0], line))
		compile_fault(compiler, "%s: given twice", setting->key);
	else if (compiler->mapping->form != FORM_NONE && !has_form(compiler->mapping, setting))
		compile_fault(compiler, "%s: not of this form of rows", setting->key);
	else if (!setting->raw && !mapfile_text(&compiler->mapping->pool, line->value, &text))
		compile_fault(compiler, "%s: must be one text; a quote in it is written \\\"", setting->key);
	else
		(void)setting->take(compiler, text);
}

/* Those that apply after the sections, or all others. The form is the first. */
void compile_settings(struct compiler *compiler, bool late)
{
	const struct mapfile_section *top = &compiler->source.sections[0];

	for (int pass = late; pass < 2; pass++)
		for (const struct mapfile_line *line = top->lines; line; line = line->next) {
			const struct setting *setting = find_setting(line->key);
			bool is_form = setting && setting->take == take_form;

			compiler->line = line;
			if (!setting && pass == 1 && !late)
				compile_fault(compiler, "%.*s: unknown key", MAPFILE_SHOWN(line->key));
			else if (setting && setting->late == late && is_form == (pass == 0))
				take_setting(compiler, setting, line);
		}
}

void compile_check_settings(struct compiler *compiler)
{
	struct mapping *mapping = compiler->mapping;
	const char *path = compiler->source.sections[0].path;

	if (mapping->form == FORM_NONE)
		mapfile_fault(&compiler->source, path, 1, "form: missing; must be csv, json, pairs or pattern");
	if (mapping->form == FORM_CSV && mapping->header == (mapping->named_count > 0))
		mapfile_fault(&compiler->source, path, 1, "CSV has either names or header = yes");
	if (mapping->form == FORM_PATTERN && mapping->patterns_count == 0)
		mapfile_fault(&compiler->source, path, 1, "pattern: missing");
}
