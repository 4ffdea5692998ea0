/* SPDX-License-Identifier: ISC */
/*
 * expression.c: values and tests of a mapping's file to steps. See mapping_private.h.
 *
 *	{uniqueid}-{sequence}                    fields between constants
 *	{channel | after "/" | before "-"}       a field, changed
 *	{rate voice}                             a price
 *	{event} is "Sent SMS" or "Sent MMS"      a test
 *
 * Constants may stand in quotes, and must where they have blanks at their ends, braces or comment signs.
 */
#include <stdarg.h>
#include <stdio.h>

#include "mapping/mapping_private.h"
#include "mapping/mapfile.h"

bool compile_fault(struct compiler *compiler, const char *format, ...)
{
	char what[300];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	mapfile_fault(&compiler->source, compiler->line->path, compiler->line->number, "%s", what);
	return false;
}

struct step *compile_step(struct compiler *compiler, enum step_code code)
{
	if (compiler->steps_count == MAPPING_STEPS_MAX) {
		compile_fault(compiler, "the mapping has more than %d steps", MAPPING_STEPS_MAX);
		return NULL;
	}
	struct step *step = &compiler->steps[compiler->steps_count++];
	*step = (struct step){ .code = code };
	return step;
}

static bool add_text_step(struct compiler *compiler, enum step_code code, struct str text)
{
	struct step *step = compile_step(compiler, code);

	if (step)
		step->text = text;
	return step != NULL;
}

static bool add_at_step(struct compiler *compiler, enum step_code code, size_t at)
{
	struct step *step = compile_step(compiler, code);

	if (step)
		step->at = (uint16_t)at;
	return step != NULL;
}

/* --- fields --- */

static bool add_field(struct compiler *compiler, enum step_code code, struct str name)
{
	struct mapping *mapping = compiler->mapping;
	bool is_known = mapping->form == FORM_JSON || mapping->form == FORM_PAIRS ||
	                (mapping->form == FORM_CSV && mapping->header);
	uint16_t field = is_known ? mapping_field(mapping, name) : mapping_find_field(mapping, name);

	if (field == MAPPING_NO_FIELD && is_known)
		return compile_fault(compiler, "more than %d fields", MAPPING_FIELDS_MAX);
	if (field == MAPPING_NO_FIELD)
		return compile_fault(compiler, "\"%.*s\": no such field; %s names them", MAPFILE_SHOWN(name),
		                     mapping->form == FORM_CSV ? "names" : "pattern");
	mapping->used[field] = true;
	return add_at_step(compiler, code, field);
}

/* --- changes --- */

static bool find_table(struct compiler *compiler, struct str name, bool rates, size_t *index)
{
	for (size_t i = 0; i < compiler->mapping->tables_count; i++)
		if (str_equal(compiler->mapping->tables[i].name, name) && (compiler->rates[i] != NULL) == rates) {
			*index = i;
			return true;
		}
	return compile_fault(compiler, "\"%.*s\": there is no section [%s %.*s]", MAPFILE_SHOWN(name),
	                     rates ? "rates" : "table", MAPFILE_SHOWN(name));
}

static bool add_table(struct compiler *compiler, enum step_code code, struct str name)
{
	size_t index;

	return find_table(compiler, name, false, &index) && add_at_step(compiler, code, index);
}

static bool add_time(struct compiler *compiler, struct str text)
{
	struct mapping *mapping = compiler->mapping;
	size_t i = 0;

	while (i < mapping->times_count && !str_equal(mapping->times[i].text, text))
		i++;
	if (i == MAPPING_TIMES_MAX)
		return compile_fault(compiler, "more than %d forms of times", MAPPING_TIMES_MAX);
	if (!time_form_read(text, &mapping->times[i]))
		return compile_fault(
			compiler,
			"\"%.*s\": must be a form such as \"%%Y-%%m-%%d %%H:%%M:%%S\", of %%Y %%m %%d %%H %%M "
			"%%S %%y %%b %%e %%f %%z, each once, with a year, a month and a day, or epoch, epoch_ms, "
			"epoch_us or epoch_ns",
			MAPFILE_SHOWN(text));
	mapping->times[i].text = text;
	mapping->times_count += i == mapping->times_count;
	return add_at_step(compiler, STEP_TIME, i);
}

/* What an argument of a change is. */
enum argument { ARGUMENT_NONE, ARGUMENT_FIELD, ARGUMENT_TEXT, ARGUMENT_TABLE, ARGUMENT_TIME };

static const struct change {
	const char *name;
	enum step_code code;
	enum argument argument;
} changes[] = {
	{ "or", STEP_OR, ARGUMENT_FIELD },          { "default", STEP_DEFAULT, ARGUMENT_TEXT },
	{ "blank", STEP_BLANK, ARGUMENT_TEXT },     { "strip", STEP_STRIP, ARGUMENT_TEXT },
	{ "before", STEP_BEFORE, ARGUMENT_TEXT },   { "after", STEP_AFTER, ARGUMENT_TEXT },
	{ "prepend", STEP_PREPEND, ARGUMENT_TEXT }, { "lower", STEP_LOWER, ARGUMENT_NONE },
	{ "upper", STEP_UPPER, ARGUMENT_NONE },     { "trim", STEP_TRIM, ARGUMENT_NONE },
	{ "urldecode", STEP_URL, ARGUMENT_NONE },   { "python", STEP_PYTHON, ARGUMENT_NONE },
	{ "table", STEP_TABLE, ARGUMENT_TABLE },    { "prefix", STEP_PREFIX, ARGUMENT_TABLE },
	{ "time", STEP_TIME, ARGUMENT_TIME },
};

static bool add_change(struct compiler *compiler, const struct change *change, struct str argument)
{
	switch (change->argument) {
	case ARGUMENT_FIELD:
		return add_field(compiler, change->code, argument);
	case ARGUMENT_TABLE:
		return add_table(compiler, change->code, argument);
	case ARGUMENT_TIME:
		return add_time(compiler, argument);
	default:
		if (argument.len == 0 && change->argument == ARGUMENT_TEXT && change->code != STEP_PREPEND)
			return compile_fault(compiler, "%s: must be followed by a text", change->name);
		return add_text_step(compiler, change->code, argument);
	}
}

static bool compile_change(struct compiler *compiler, struct str text)
{
	struct pool *pool = compiler->source.pool;
	struct str rest = text, name, argument = { "", 0 }, more;
	bool quoted;

	if (!mapfile_word(pool, &rest, &name, &quoted))
		return compile_fault(compiler, "nothing between | and | or }");
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		if (quoted || !str_is(name, changes[i].name))
			continue;
		bool wants = changes[i].argument != ARGUMENT_NONE;
		if (wants != mapfile_word(pool, &rest, &argument, &quoted) || mapfile_word(pool, &rest, &more, &quoted))
			return compile_fault(compiler, "%s: must be followed by %s", changes[i].name,
			                     wants ? "one word, or a text in quotes" : "nothing");
		return add_change(compiler, &changes[i], argument);
	}
	return compile_fault(
		compiler,
		"\"%.*s\": must be one of or, default, blank, strip, before, after, prepend, lower, upper, "
		"trim, urldecode, python, table, prefix and time",
		MAPFILE_SHOWN(name));
}

/* --- prices --- */

static struct mapfile_line *find_line(const struct mapfile_section *section, const char *key)
{
	for (struct mapfile_line *line = section->lines; line; line = line->next)
		if (!line->quoted && str_is(line->key, key))
			return line;
	return NULL;
}

/* The value of the section's key, and a step that takes it. A key that is missing is a fault if it must be there. */
static bool add_asked(struct compiler *compiler, const struct mapfile_section *section, const char *key,
                      enum step_code code, bool required)
{
	const struct mapfile_line *here = compiler->line, *line = find_line(section, key);

	if (!line)
		return required ? compile_fault(compiler, "[rates %.*s] has no line \"%s = ...\"",
		                                STR_ARGS(section->name), key) :
		                  add_text_step(compiler, STEP_TEXT, STR_LITERAL("")) && compile_step(compiler, code);
	compiler->line = line;
	bool done = compile_value(compiler, line->value) && compile_step(compiler, code);
	compiler->line = here;
	return done;
}

static bool add_price(struct compiler *compiler, struct str rest)
{
	struct str name, more;
	bool quoted;
	size_t index;

	if (!mapfile_word(compiler->source.pool, &rest, &name, &quoted) ||
	    mapfile_word(compiler->source.pool, &rest, &more, &quoted))
		return compile_fault(compiler, "rate: must be followed by the name of a section [rates NAME]");
	if (compiler->in_rates)
		return compile_fault(compiler, "a rate within a section of rates");
	if (!find_table(compiler, name, true, &index))
		return false;
	compiler->in_rates = true;
	const struct mapfile_section *section = compiler->rates[index];
	bool done = add_asked(compiler, section, "number", STEP_NUMBER, true) &&
	            add_asked(compiler, section, "amount", STEP_AMOUNT, false) &&
	            add_asked(compiler, section, "time", STEP_CLOCK, true) && add_at_step(compiler, STEP_RATE, index);
	compiler->in_rates = false;
	return done;
}

/* --- what stands in braces --- */

/* The end of the part at p: a | or }, outside of quotes. NULL if there is none. */
static const char *part_end(const char *p, const char *end)
{
	bool in_quotes = false;

	for (; p < end; p++) {
		if (in_quotes && *p == '\\' && p + 1 < end)
			p++;
		else if (*p == '"')
			in_quotes = !in_quotes;
		else if (!in_quotes && (*p == '|' || *p == '}'))
			return p;
	}
	return NULL;
}

static bool compile_source(struct compiler *compiler, struct str text)
{
	struct str rest = text, name, more, price;
	bool quoted;

	if (!mapfile_word(compiler->source.pool, &rest, &name, &quoted))
		return compile_fault(compiler, "nothing between { and | or }");
	price = rest;
	if (!mapfile_word(compiler->source.pool, &rest, &more, &quoted))
		return add_field(compiler, STEP_LOAD, name);
	if (str_is(name, "rate"))
		return add_price(compiler, price);
	return compile_fault(compiler, "\"%.*s\": a field's name with blanks must stand in quotes",
	                     MAPFILE_SHOWN(text));
}

/* `{field | change ...}` at *at, which is then after it. */
static bool compile_braces(struct compiler *compiler, const char **at, const char *end)
{
	const char *p = *at + 1;

	for (bool first = true;; first = false) {
		const char *stop = part_end(p, end);

		if (!stop)
			return compile_fault(compiler, "a { without its }, or a quote that is not closed");
		struct str part = str_trim((struct str){ p, (size_t)(stop - p) });
		if (!(first ? compile_source(compiler, part) : compile_change(compiler, part)))
			return false;
		p = stop + 1;
		if (*stop == '}')
			break;
	}
	*at = p;
	return true;
}

/* --- values --- */

/* The constant at *at, which is then after it; false if it has no end. */
static bool take_constant(struct compiler *compiler, const char **at, const char *end, struct str *text)
{
	const char *p = *at;

	if (*p == '"') {
		*at = mapfile_unquote(compiler->source.pool, p + 1, end, text);
		return *at || compile_fault(compiler, "a quote that is not closed");
	}
	while (p < end && *p != '{' && *p != '"')
		p++;
	*text = (struct str){ *at, (size_t)(p - *at) };
	*at = p;
	return true;
}

static bool compile_parts(struct compiler *compiler, const char *p, const char *end)
{
	if (!compile_step(compiler, STEP_OPEN))
		return false;
	while (p < end) {
		struct str text = { NULL, 0 };

		if (*p == '{') {
			if (!compile_braces(compiler, &p, end) || !compile_step(compiler, STEP_APPEND))
				return false;
		} else if (!take_constant(compiler, &p, end, &text) || !add_text_step(compiler, STEP_ADD, text)) {
			return false;
		}
	}
	return compile_step(compiler, STEP_CLOSE) != NULL;
}

bool compile_value(struct compiler *compiler, struct str text)
{
	const char *p = text.p, *end = text.p + text.len;
	struct str constant = { "", 0 };

	if (text.len > 0 && *p == '{') { /* mostly there is just one field */
		uint32_t begin = compiler->steps_count;

		if (!compile_braces(compiler, &p, end))
			return false;
		if (p == end)
			return true;
		compiler->steps_count = begin;
		return compile_parts(compiler, text.p, end);
	}
	if (text.len > 0 && !take_constant(compiler, &p, end, &constant))
		return false;
	return p == end ? add_text_step(compiler, STEP_TEXT, constant) : compile_parts(compiler, text.p, end);
}

/* --- tests --- */

/* `"A" or "B" or ...` */
static bool compile_choices(struct compiler *compiler, enum step_code code, struct str rest)
{
	struct str word;
	bool quoted;

	do {
		if (!mapfile_word(compiler->source.pool, &rest, &word, &quoted))
			return compile_fault(compiler, "a text is missing at the end");
		if (!rest.p)
			return compile_fault(compiler, "a quote that is not closed");
		if (!quoted && code == STEP_IS && str_is(word, "empty")) {
			if (!compile_step(compiler, STEP_IS_EMPTY))
				return false;
		} else if (!add_text_step(compiler, code, word)) {
			return false;
		}
		if (!mapfile_word(compiler->source.pool, &rest, &word, &quoted))
			return true;
	} while (!quoted && str_is(word, "or"));
	return compile_fault(compiler, "\"%.*s\": must be or; texts with blanks must stand in quotes",
	                     MAPFILE_SHOWN(word));
}

bool compile_when(struct compiler *compiler, struct str text, uint32_t *jump)
{
	struct pool *pool = compiler->source.pool;
	struct str rest, word, next;
	const char *p = text.p, *end = text.p + text.len;
	enum step_code code = STEP_IS;
	bool quoted, negative = false;

	if (!compile_step(compiler, STEP_TEST))
		return false;
	if (text.len == 0 || *p != '{')
		return compile_fault(compiler, "must begin with a field in braces");
	if (!compile_braces(compiler, &p, end))
		return false;
	rest = next = (struct str){ p, (size_t)(end - p) };
	if (!mapfile_word(pool, &rest, &word, &quoted) || quoted || !(str_is(word, "is") || str_is(word, "begins")))
		return compile_fault(compiler, "the field must be followed by is, is not, or begins with");
	if (str_is(word, "begins"))
		code = STEP_BEGINS;
	next = rest;
	bool more = mapfile_word(pool, &next, &word, &quoted) && !quoted;
	if (code == STEP_BEGINS && !(more && str_is(word, "with")))
		return compile_fault(compiler, "begins must be followed by with");
	negative = code == STEP_IS && more && str_is(word, "not");
	if (!compile_choices(compiler, code, code == STEP_BEGINS || negative ? next : rest))
		return false;
	*jump = compiler->steps_count;
	return compile_step(compiler, negative ? STEP_UNLESS : STEP_ELSE) != NULL;
}
