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
	if (compile_is_repeated(section, line))
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
		else if (is_key(line, "update") && !compile_bool(compiler, line->value, &step.updates))
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

/* Faults and steps are those of a section as a whole, or of the file, until a line is taken. */
static void begin_whole(struct compiler *compiler, const char *path, int number)
{
	compiler->whole = (struct mapfile_line){ .path = path, .number = number };
	compiler->line = &compiler->whole;
}

static void take_rows(struct compiler *compiler, const struct mapfile_section *section, bool skip)
{
	uint32_t jumps[WHENS_MAX];
	size_t count;

	begin_whole(compiler, section->path, section->number);
	if (!take_whens(compiler, section, jumps, &count))
		return;
	if (skip) {
		for (const struct mapfile_line *line = section->lines; line; line = line->next)
			if (!is_key(line, "when"))
				mapfile_fault(&compiler->source, line->path, line->number,
				              "%.*s: a section [skip] has no lines but when", MAPFILE_SHOWN(line->key));
		compiler->line = &compiler->whole;
		(void)(count > 0 || compile_fault(compiler, "[skip] needs a when"));
	} else if (!begin_record(compiler, section) || !take_columns(compiler, section)) {
		return;
	}
	compiler->line = &compiler->whole;
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

	begin_whole(compiler, compiler->source.sections[0].path, 1);
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

	compile_settings(compiler, false);
	compile_check_settings(compiler);
	for (size_t i = 1; i < source->sections_count; i++)
		take_section(compiler, &source->sections[i], true);
	for (size_t i = 1; i < source->sections_count; i++)
		take_section(compiler, &source->sections[i], false);
	compile_settings(compiler, true);
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
