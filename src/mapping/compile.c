/* SPDX-License-Identifier: ISC */
/*
 * compile.c: a mapping's file to its program: the settings before the first section, and the sections.
 *
 *	form = csv
 *	names = accountcode src dst ...
 *	[skip]            rows that are no records: those of which all `when` are true
 *	[record NAME]     rows that are: the first section whose `when` are true takes a row
 *	[table NAME]      what a value stands for
 *	[rates NAME]      prices by prefix
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/zone.h"
#include "mapping/mapping_private.h"
#include "mapping/mapfile.h"

/* --- fields --- */

uint16_t mapping_find_field(const struct mapping *mapping, struct str name)
{
	for (uint16_t i = 0; i < mapping->fields_count; i++)
		if (str_equal(mapping->fields[i], name))
			return i;
	return MAPPING_NO_FIELD;
}

uint16_t mapping_field(struct mapping *mapping, struct str name)
{
	uint16_t field = mapping_find_field(mapping, name);

	if (field != MAPPING_NO_FIELD || mapping->fields_count == MAPPING_FIELDS_MAX)
		return field;
	mapping->fields[mapping->fields_count] = pool_str(&mapping->pool, name);
	return mapping->fields_count++;
}

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

static bool read_bool(struct compiler *compiler, struct str value, bool *to)
{
	*to = str_is(value, "yes");
	return *to || str_is(value, "no") ||
	       compile_fault(compiler, "%.*s: \"%.*s\": must be yes or no", STR_ARGS(compiler->line->key),
	                     MAPFILE_SHOWN(value));
}

static bool take_header(struct compiler *compiler, struct str value)
{
	return read_bool(compiler, value, &compiler->mapping->header);
}

static bool take_multiline(struct compiler *compiler, struct str value)
{
	return read_bool(compiler, value, &compiler->mapping->multiline);
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
	bool known = zone_load(&zone, value, now_us, now_us, &err) == 0;

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

static bool is_repeated(const struct mapfile_section *section, const struct mapfile_line *line)
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
	if (!setting->again && is_repeated(&compiler->source.sections[0], line))
		compile_fault(compiler, "%s: given twice", setting->key);
	else if (compiler->mapping->form != FORM_NONE && !has_form(compiler->mapping, setting))
		compile_fault(compiler, "%s: not of this form of rows", setting->key);
	else if (!setting->raw && !mapfile_text(&compiler->mapping->pool, line->value, &text))
		compile_fault(compiler, "%s: must be one text; a quote in it is written \\\"", setting->key);
	else
		(void)setting->take(compiler, text);
}

/* Those that apply after the sections, or all others. The form is the first. */
static void take_settings(struct compiler *compiler, bool late)
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

static void check_settings(struct compiler *compiler)
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

/* --- tables and rates --- */

static void fill_table(struct compiler *compiler, struct lookup *table, const struct mapfile_section *section)
{
	for (const struct mapfile_line *line = section->lines; line; line = line->next) {
		struct str text;

		compiler->line = line;
		if (!mapfile_text(&compiler->mapping->pool, line->value, &text)) {
			compile_fault(compiler, "must be one text; a quote in it is written \\\"");
		} else if (!line->quoted && str_is(line->key, "*")) {
			table->has_other = true;
			table->other = text;
		} else {
			struct lookup_entry *entry = lookup_add(table, line->key);

			if (entry)
				entry->value = text;
			else if (!compiler->mapping->pool.failed)
				compile_fault(compiler, "\"%.*s\": given twice", MAPFILE_SHOWN(line->key));
		}
	}
}

static bool is_asked(const struct mapfile_line *line)
{
	return !line->quoted &&
	       (str_is(line->key, "number") || str_is(line->key, "amount") || str_is(line->key, "time"));
}

static void fill_rates(struct compiler *compiler, struct lookup *table, const struct mapfile_section *section)
{
	for (const struct mapfile_line *line = section->lines; line; line = line->next)
		if (!is_asked(line))
			tariff_take(&compiler->source, table, line);
}

static uint32_t count_lines(const struct mapfile_section *section)
{
	uint32_t count = 0;

	for (const struct mapfile_line *line = section->lines; line; line = line->next)
		count++;
	return count;
}

static void take_table(struct compiler *compiler, const struct mapfile_section *section, bool rates)
{
	struct mapping *mapping = compiler->mapping;
	size_t at = mapping->tables_count;

	if (section->name.len == 0 || at == MAPPING_TABLES_MAX) {
		mapfile_fault(&compiler->source, section->path, section->number,
		              section->name.len == 0 ? "[%.*s] needs a name" : "[%.*s]: there are too many",
		              STR_ARGS(section->kind));
		return;
	}
	for (size_t i = 0; i < at; i++)
		if (str_equal(mapping->tables[i].name, section->name) && (compiler->rates[i] != NULL) == rates)
			mapfile_fault(&compiler->source, section->path, section->number, "[%.*s %.*s] is there twice",
			              STR_ARGS(section->kind), MAPFILE_SHOWN(section->name));
	mapping->tables_count++;
	compiler->rates[at] = rates ? section : NULL;
	lookup_begin(&mapping->tables[at], &mapping->pool, section->name, count_lines(section) + 1);
	if (rates)
		fill_rates(compiler, &mapping->tables[at], section);
	else
		fill_table(compiler, &mapping->tables[at], section);
}

/* --- records --- */

static bool is_key(const struct mapfile_line *line, const char *key)
{
	return !line->quoted && str_is(line->key, key);
}

#define WHENS_MAX 16

/* Its tests; *jumps are the steps that go to the section's end. False with a fault. */
static bool take_whens(struct compiler *compiler, const struct mapfile_section *section, uint32_t *jumps, size_t *count)
{
	*count = 0;
	for (const struct mapfile_line *line = section->lines; line; line = line->next) {
		compiler->line = line;
		if (!is_key(line, "when"))
			continue;
		if (*count == WHENS_MAX)
			return compile_fault(compiler, "when: more than %d in a section", WHENS_MAX);
		if (!compile_when(compiler, line->value, &jumps[*count]))
			return false;
		(*count)++;
	}
	return true;
}

static bool take_column(struct compiler *compiler, const struct mapfile_section *section,
                        const struct mapfile_line *line)
{
	uint8_t column = catalog_column_find(compiler->product, line->key);

	compiler->line = line;
	if (column == CATALOG_NONE)
		return compile_fault(compiler, "%.*s: not a column of %.*s", MAPFILE_SHOWN(line->key),
		                     STR_ARGS(compiler->product->name));
	if (compiler->product->columns[column].kind == CATALOG_JSON)
		return compile_fault(compiler, "%.*s: its values are JSON, which no mapping makes",
		                     MAPFILE_SHOWN(line->key));
	if (is_repeated(section, line))
		return compile_fault(compiler, "%.*s: given twice", MAPFILE_SHOWN(line->key));
	if (!compile_value(compiler, line->value))
		return false;
	struct step *step = compile_step(compiler, STEP_SET);
	if (step)
		step->at = column;
	return step != NULL;
}

/* The section's product, and whether its records change only what is stored. */
static bool begin_record(struct compiler *compiler, const struct mapfile_section *section)
{
	struct str name = { NULL, 0 };
	struct step step = { .code = STEP_RECORD };

	for (const struct mapfile_line *line = section->lines; line; line = line->next) {
		compiler->line = line;
		if (is_key(line, "product"))
			name = line->value;
		else if (is_key(line, "update") && !read_bool(compiler, line->value, &step.updates))
			return false;
	}
	step.product = compiler->product = catalog_product_find(name);
	if (!step.product || step.product->own) {
		mapfile_fault(&compiler->source, section->path, section->number,
		              name.p ? "product: \"%.*s\": no such product" : "product: missing%.*s",
		              MAPFILE_SHOWN(name));
		return false;
	}
	struct step *to = compile_step(compiler, STEP_RECORD);
	if (to)
		*to = step;
	return to != NULL;
}

static bool take_columns(struct compiler *compiler, const struct mapfile_section *section)
{
	bool done = true;

	for (const struct mapfile_line *line = section->lines; line; line = line->next)
		if (!is_key(line, "when") && !is_key(line, "product") && !is_key(line, "update"))
			done &= take_column(compiler, section, line);
	return done;
}

static void take_rows(struct compiler *compiler, const struct mapfile_section *section, bool skip)
{
	struct mapfile_line none = { .path = section->path, .number = section->number };
	uint32_t jumps[WHENS_MAX];
	size_t count;

	compiler->line = &none;
	if (!take_whens(compiler, section, jumps, &count))
		return;
	if (skip) {
		for (const struct mapfile_line *line = section->lines; line; line = line->next)
			if (!is_key(line, "when"))
				mapfile_fault(&compiler->source, line->path, line->number,
				              "%.*s: a section [skip] has no lines but when", MAPFILE_SHOWN(line->key));
		compiler->line = &none;
		(void)(count > 0 || compile_fault(compiler, "[skip] needs a when"));
	} else if (!begin_record(compiler, section) || !take_columns(compiler, section)) {
		return;
	}
	compiler->line = &none;
	(void)compile_step(compiler, skip ? STEP_SKIP : STEP_DONE);
	for (size_t i = 0; i < count; i++)
		compiler->steps[jumps[i]].to = compiler->steps_count;
}

/* --- all of it --- */

static void take_section(struct compiler *compiler, const struct mapfile_section *section, bool tables)
{
	bool is_table = str_is(section->kind, "table"), is_rates = str_is(section->kind, "rates");
	bool is_skip = str_is(section->kind, "skip"), is_record = str_is(section->kind, "record");

	if (tables && (is_table || is_rates))
		take_table(compiler, section, is_rates);
	else if (!tables && (is_skip || is_record))
		take_rows(compiler, section, is_skip);
	else if (!tables && !is_table && !is_rates)
		mapfile_fault(&compiler->source, section->path, section->number,
		              "[%.*s]: must be skip, record, table or rates", MAPFILE_SHOWN(section->kind));
}

static bool add_path(struct mapping *mapping, uint16_t field)
{
	struct str rest = mapping->fields[field];
	struct path_node *node = &mapping->paths;

	for (int depth = 0; rest.p; depth++) {
		const char *point = memchr(rest.p, '.', rest.len);
		struct str name = { rest.p, point ? (size_t)(point - rest.p) : rest.len };
		struct path_node *child = node->children;

		while (child && !str_equal(child->name, name))
			child = child->next;
		if (!child) {
			child = pool_alloc(&mapping->pool, sizeof(*child));
			if (!child)
				return true; /* the pool says so */
			*child = (struct path_node){ .name = name, .field = MAPPING_NO_FIELD, .next = node->children };
			node->children = child;
		}
		node = child;
		rest = point ? (struct str){ point + 1, rest.len - name.len - 1 } : (struct str){ NULL, 0 };
		if (depth == MAPPING_DEPTH_MAX)
			return false;
	}
	node->field = field;
	return true;
}

static void finish(struct compiler *compiler)
{
	struct mapping *mapping = compiler->mapping;
	struct mapfile_line none = { .path = compiler->source.sections[0].path, .number = 1 };

	compiler->line = &none;
	(void)compile_step(compiler, STEP_UNTAKEN);
	if (!compiler->product)
		compile_fault(compiler, "there is no section [record]");
	mapping->paths.field = MAPPING_NO_FIELD;
	for (uint16_t i = 0; mapping->form == FORM_JSON && i < mapping->fields_count; i++)
		if (!add_path(mapping, i))
			compile_fault(compiler, "\"%.*s\": more than %d levels", MAPFILE_SHOWN(mapping->fields[i]),
			              MAPPING_DEPTH_MAX);
	mapping->steps = pool_alloc(&mapping->pool, compiler->steps_count * sizeof(mapping->steps[0]));
	if (mapping->steps)
		memcpy(mapping->steps, compiler->steps, compiler->steps_count * sizeof(mapping->steps[0]));
	mapping->steps_count = compiler->steps_count;
}

static void compile_all(struct compiler *compiler)
{
	const struct mapfile *source = &compiler->source;

	take_settings(compiler, false);
	check_settings(compiler);
	for (size_t i = 1; i < source->sections_count; i++)
		take_section(compiler, &source->sections[i], true);
	for (size_t i = 1; i < source->sections_count; i++)
		take_section(compiler, &source->sections[i], false);
	take_settings(compiler, true);
	finish(compiler);
}

/* "/etc/cdrd/mappings/NAME.conf": NAME. */
static struct str name_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	struct str name = str_from(slash ? slash + 1 : path);

	if (name.len > 5 && memcmp(name.p + name.len - 5, ".conf", 5) == 0)
		name.len -= 5;
	return name;
}

static struct mapping *begin(const char *path)
{
	struct mapping *mapping = calloc(1, sizeof(*mapping));

	if (!mapping)
		return NULL;
	*mapping = (struct mapping){ .references = 1,
		                     .delimiter = ',',
		                     .quote = '"',
		                     .separator = STR_LITERAL(";"),
		                     .equals = STR_LITERAL("="),
		                     .about = STR_LITERAL("") };
	mapping->time_zone = mapping->mode = STR_LITERAL("");
	mapping->name = pool_str(&mapping->pool, name_of(path));
	return mapping;
}

static struct mapping *compile(const char *path, struct str text, const char *directory, struct config_faults *faults)
{
	size_t before = faults->count;
	struct compiler *compiler = calloc(1, sizeof(*compiler));
	struct mapping *mapping = compiler ? begin(path) : NULL;
	struct error err;

	if (mapping) {
		compiler->mapping = mapping;
		compiler->source = (struct mapfile){ .pool = &mapping->pool, .faults = faults, .directory = directory };
		mapfile_read(&compiler->source, path, text);
		compile_all(compiler);
	}
	free(compiler);
	if (!mapping || mapping->pool.failed) {
		(void)error_set(&err, ERROR_NOMEM, "%s: out of memory", path);
		config_faults_add(faults, &err);
	}
	if (faults->count == before)
		return mapping;
	mapping_release(mapping);
	return NULL;
}

struct mapping *mapping_compile(const char *path, struct str text, struct config_faults *faults)
{
	return compile(path, text, NULL, faults);
}

struct mapping *mapping_read(const char *path, struct config_faults *faults)
{
	const char *slash = strrchr(path, '/');
	struct buf text = { 0 }, directory = { 0 };
	struct mapping *mapping = NULL;
	struct error err;

	buf_add_str(&directory, slash ? (struct str){ path, (size_t)(slash - path) } : STR_LITERAL("."));
	if (!buf_cstr(&directory) || mapfile_load(path, &text, &err) != 0) {
		if (!directory.data)
			(void)error_set(&err, ERROR_NOMEM, "%s: out of memory", path);
		config_faults_add(faults, &err);
	} else {
		mapping = compile(path, buf_str(&text), directory.data, faults);
	}
	buf_free(&text);
	buf_free(&directory);
	return mapping;
}
