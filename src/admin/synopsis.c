/* SPDX-License-Identifier: ISC */
/*
 * synopsis.c: reads a command's synopsis. See args.h for the form.
 *
 * Outside brackets, a word after --name is its value: a mandatory switch would carry no information.
 */
#include <ctype.h>
#include <string.h>

#include "admin/args.h"

static bool starts_with(struct str text, const char *beginning)
{
	size_t len = strlen(beginning);

	return text.len >= len && memcmp(text.p, beginning, len) == 0;
}

static void skip(struct str *text, size_t count)
{
	text->p += count;
	text->len -= count;
}

static void skip_spaces(struct str *text)
{
	while (text->len > 0 && text->p[0] == ' ')
		skip(text, 1);
}

static bool take_char(struct str *text, char c)
{
	if (text->len == 0 || text->p[0] != c)
		return false;
	skip(text, 1);
	return true;
}

/* Cuts off the text up to the next space or bracket. */
static struct str take_word(struct str *text)
{
	struct str word = { text->p, 0 };

	while (word.len < text->len && !strchr(" []", text->p[word.len]))
		word.len++;
	skip(text, word.len);
	return word;
}

static bool take_dots(struct str *word)
{
	if (word->len <= 3 || memcmp(word->p + word->len - 3, "...", 3) != 0)
		return false;
	word->len -= 3;
	return true;
}

static bool set_name(struct args_param *param)
{
	struct str text = param->value;

	if (param->kind != ARGS_POSITIONAL)
		text = (struct str){ param->option.p + 2, param->option.len - 2 };
	if (text.len == 0 || text.len > ARGS_NAME_MAX)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (!isalnum(c) && c != '-' && c != '_')
			return false;
		param->name[i] = c == '-' ? '_' : (char)tolower(c);
	}
	param->name[text.len] = '\0';
	return true;
}

/* Returns the fault, or NULL. */
static const char *take_param(struct args_param *param, struct str *rest)
{
	bool bracket = take_char(rest, '[');
	struct str word = take_word(rest);

	*param = (struct args_param){ .required = !bracket, .option = { "", 0 }, .value = { "", 0 } };
	if (starts_with(word, "--")) {
		param->option = word;
		skip_spaces(rest);
		if (!starts_with(*rest, "--"))
			param->value = take_word(rest);
		param->kind = param->value.len > 0 ? ARGS_OPTION : ARGS_SWITCH;
	} else {
		param->value = word;
	}
	param->repeated = take_dots(&param->value);
	if (bracket && !take_char(rest, ']'))
		return "a bracket that is not closed";
	if (param->kind == ARGS_SWITCH && !bracket)
		return "a switch without brackets";
	return set_name(param) ? NULL : "a name that is empty, too long or has other than letters, digits and -";
}

static bool is_taken(const struct args_synopsis *synopsis, const char *name)
{
	for (size_t i = 0; i < synopsis->count; i++)
		if (strcmp(synopsis->params[i].name, name) == 0)
			return true;
	return false;
}

/* May another positional follow the existing ones? */
static bool fits(const struct args_synopsis *synopsis, const struct args_param *param)
{
	if (param->kind != ARGS_POSITIONAL)
		return true;
	for (size_t i = 0; i < synopsis->count; i++) {
		const struct args_param *before = &synopsis->params[i];

		if (before->kind == ARGS_POSITIONAL && (before->repeated || (param->required && !before->required)))
			return false;
	}
	return true;
}

int args_synopsis_parse(struct args_synopsis *synopsis, const char *text, struct error *err)
{
	struct str rest = str_from(text);
	const char *fault = NULL;

	synopsis->count = 0;
	for (skip_spaces(&rest); rest.len > 0 && !fault; skip_spaces(&rest)) {
		struct args_param *param = &synopsis->params[synopsis->count];

		if (synopsis->count == ARGS_PARAMS_MAX)
			return error_set(err, ERROR_LIMIT, "synopsis \"%s\": more than %d parameters", text,
			                 ARGS_PARAMS_MAX);
		fault = take_param(param, &rest);
		if (!fault && is_taken(synopsis, param->name))
			fault = "a name twice";
		if (!fault && !fits(synopsis, param))
			fault = "a positional that could not be told from the one before it";
		synopsis->count++;
	}
	return fault ? error_set(err, ERROR_INVALID, "synopsis \"%s\": has %s", text, fault) : 0;
}

const struct args_param *args_find_option(const struct args_synopsis *synopsis, struct str option)
{
	for (size_t i = 0; i < synopsis->count; i++) {
		const struct args_param *param = &synopsis->params[i];

		if (param->kind != ARGS_POSITIONAL && str_equal(param->option, option))
			return param;
	}
	return NULL;
}
