/* SPDX-License-Identifier: ISC */
/*
 * args.c: arguments read by a synopsis, from a command line or from JSON. See args.h.
 */
#include "admin/args.h"

#include <stdlib.h>
#include <string.h>

#include "admin/tree.h"

#define VALUES_MAX 4096

/* What messages call a parameter: "--parent" or "ID". */
static struct str shown_name(const struct args_param *param)
{
	return param->kind == ARGS_POSITIONAL ? param->value : param->option;
}

static size_t count_of(const struct args *args, const struct args_param *param)
{
	size_t count = 0;

	for (size_t i = 0; i < args->count; i++)
		count += args->values[i].param == param;
	return count;
}

static bool grow(struct args *args)
{
	size_t cap = args->cap > 0 ? args->cap * 2 : 8;
	struct args_value *values = realloc(args->values, cap * sizeof(*values));

	if (!values)
		return false;
	args->values = values;
	args->cap = cap;
	return true;
}

int args_add(struct args *args, const struct args_param *param, const char *text, struct error *err)
{
	struct str name = shown_name(param);

	if (!param->repeated && count_of(args, param) > 0)
		return error_set(err, ERROR_INVALID, "%.*s: given twice", STR_ARGS(name));
	if (args->count == VALUES_MAX)
		return error_set(err, ERROR_LIMIT, "%.*s: more than %d arguments", STR_ARGS(name), VALUES_MAX);
	if (args->count == args->cap && !grow(args))
		return error_set(err, ERROR_NOMEM, "Out of memory for arguments");
	args->values[args->count++] = (struct args_value){ param, text };
	return 0;
}

static int check_required(const struct args *args, struct error *err)
{
	for (size_t i = 0; i < args->synopsis->count; i++) {
		const struct args_param *param = &args->synopsis->params[i];

		if (param->required && count_of(args, param) == 0)
			return error_set(err, ERROR_INVALID, "%.*s is missing", STR_ARGS(shown_name(param)));
	}
	return 0;
}

/* --- from a command line --- */

struct argv_reader {
	struct args *args;
	int argc, at;
	char *const *argv;
	args_other_fn other;
	void *other_arg;
};

/* The positional that takes the next word; NULL when all have a value. */
static const struct args_param *next_positional(const struct args *args)
{
	for (size_t i = 0; i < args->synopsis->count; i++) {
		const struct args_param *param = &args->synopsis->params[i];

		if (param->kind == ARGS_POSITIONAL && (param->repeated || count_of(args, param) == 0))
			return param;
	}
	return NULL;
}

static int take_positional(struct argv_reader *reader, const char *word, struct error *err)
{
	const struct args_param *param = next_positional(reader->args);

	if (!param)
		return error_set(err, ERROR_INVALID, "\"%.64s\": one argument too many", word);
	return args_add(reader->args, param, word, err);
}

static int take_option(struct argv_reader *reader, const char *word, struct error *err)
{
	const char *equals = strchr(word, '=');
	struct str name = { word, equals ? (size_t)(equals - word) : strlen(word) };
	const struct args_param *param = args_find_option(reader->args->synopsis, name);
	const char *value = equals ? equals + 1 : NULL;

	if (!param && reader->other && reader->other(reader->other_arg, word))
		return 0;
	if (!param)
		return error_set(err, ERROR_INVALID, "%.64s: no such option", word);
	if (param->kind == ARGS_SWITCH && value)
		return error_set(err, ERROR_INVALID, "%.*s: takes no value", STR_ARGS(name));
	if (param->kind == ARGS_OPTION && !value && reader->at == reader->argc)
		return error_set(err, ERROR_INVALID, "%.*s: %.*s is missing", STR_ARGS(name), STR_ARGS(param->value));
	if (param->kind == ARGS_OPTION && !value)
		value = reader->argv[reader->at++];
	return args_add(reader->args, param, value, err);
}

int args_read_argv(struct args *args, const struct args_synopsis *synopsis, int argc, char *const *argv,
                   args_other_fn other, void *arg, struct error *err)
{
	struct argv_reader reader = { .args = args, .argc = argc, .argv = argv, .other = other, .other_arg = arg };
	bool options = true;

	*args = (struct args){ .synopsis = synopsis };
	while (reader.at < argc) {
		const char *word = argv[reader.at++];
		bool option = options && word[0] == '-' && word[1] != '\0';

		if (option && strcmp(word, "--") == 0)
			options = false;
		else if ((option ? take_option : take_positional)(&reader, word, err) != 0)
			return -1;
	}
	return check_required(args, err);
}

/* --- from JSON, and to it --- */

static const struct args_param *find_name(const struct args_synopsis *synopsis, const char *name)
{
	for (size_t i = 0; i < synopsis->count; i++)
		if (strcmp(synopsis->params[i].name, name) == 0)
			return &synopsis->params[i];
	return NULL;
}

static int take_text(struct args *args, const struct args_param *param, const struct tree *value, struct error *err)
{
	if (value->kind == TREE_TEXT || value->kind == TREE_NUMBER)
		return args_add(args, param, value->text, err);
	return error_set(err, ERROR_INVALID, "%s: must be a text%s", param->name,
	                 param->repeated ? " or an array of texts" : "");
}

static int take_value(struct args *args, const struct args_param *param, const struct tree *value, struct error *err)
{
	if (value->kind == TREE_NULL)
		return 0;
	if (param->kind == ARGS_SWITCH) {
		if (value->kind != TREE_TRUE && value->kind != TREE_FALSE)
			return error_set(err, ERROR_INVALID, "%s: must be true or false", param->name);
		return value->kind == TREE_TRUE ? args_add(args, param, NULL, err) : 0;
	}
	if (!param->repeated || value->kind != TREE_ARRAY)
		return take_text(args, param, value, err);
	TREE_EACH(element, value)
	if (take_text(args, param, element, err) != 0)
		return -1;
	return 0;
}

int args_read_json(struct args *args, const struct args_synopsis *synopsis, const struct tree *object,
                   struct error *err)
{
	*args = (struct args){ .synopsis = synopsis };
	if (object && object->kind != TREE_OBJECT)
		return error_set(err, ERROR_INVALID, "args: must be an object");
	TREE_EACH(member, object)
	{
		const struct args_param *param = find_name(synopsis, member->name);
		if (!param)
			return error_set(err, ERROR_INVALID, "%.64s: no such argument", member->name);
		if (take_value(args, param, member, err) != 0)
			return -1;
	}
	return check_required(args, err);
}

static void write_values(const struct args *args, const struct args_param *param, struct json *j)
{
	if (param->repeated)
		json_array_begin(j);
	for (size_t i = 0; i < args->count; i++) {
		if (args->values[i].param != param)
			continue;
		if (param->kind == ARGS_SWITCH)
			json_bool(j, true);
		else
			json_text(j, args->values[i].text);
	}
	if (param->repeated)
		json_array_end(j);
}

void args_write_json(const struct args *args, struct json *j)
{
	json_object_begin(j);
	for (size_t i = 0; i < args->synopsis->count; i++) {
		const struct args_param *param = &args->synopsis->params[i];

		if (count_of(args, param) == 0)
			continue;
		json_key(j, param->name);
		write_values(args, param, j);
	}
	json_object_end(j);
}

void args_free(struct args *args)
{
	free(args->values);
	*args = (struct args){ 0 };
}

/* --- what was given --- */

const char *args_get_at(const struct args *args, const char *name, size_t index)
{
	for (size_t i = 0; i < args->count; i++)
		if (strcmp(args->values[i].param->name, name) == 0 && index-- == 0)
			return args->values[i].text;
	return NULL;
}

const char *args_get(const struct args *args, const char *name)
{
	return args_get_at(args, name, 0);
}

size_t args_count(const struct args *args, const char *name)
{
	const struct args_param *param = find_name(args->synopsis, name);

	return param ? count_of(args, param) : 0;
}

static bool parse_number(const char *text, uint64_t *number)
{
	uint64_t value = 0;

	if (text[0] == '\0')
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value))
			return false;
	}
	*number = value;
	return true;
}

int args_get_number(const struct args *args, const char *name, uint64_t min, uint64_t max, uint64_t *number,
                    struct error *err)
{
	const char *text = args_get(args, name);
	uint64_t value;

	if (!text)
		return 0;
	if (!parse_number(text, &value) || value < min || value > max)
		return error_set(err, ERROR_INVALID, "%s: \"%.32s\": must be a number from %llu to %llu", name, text,
		                 (unsigned long long)min, (unsigned long long)max);
	*number = value;
	return 0;
}
