/* SPDX-License-Identifier: ISC */
/*
 * args.h: a command's arguments, by its synopsis in commands.def; shared by the daemon and cdrctl.
 *
 *	ID [--name TEXT] [--all] [--set FIELD=VALUE...] [FILE...]
 *
 * NAME is positional, --name NAME an option with a value, --name a switch; parts in brackets are optional and parts
 * that end with dots repeat. cdrctl reads arguments from its command line and writes them as JSON; the daemon reads the
 * JSON. Both check them by the same synopsis. A parameter's name is in lower case, with _ for -: that of the option
 * ("set"), or of the positional ("id").
 *
 *	{"id":"abcd1234","name":"Acme","all":true,"set":["status=failed","to=447700900123"]}
 */
#ifndef CDRD_ADMIN_ARGS_H
#define CDRD_ADMIN_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/json.h"
#include "base/str.h"

struct tree;

#define ARGS_PARAMS_MAX 24
#define ARGS_NAME_MAX 31

enum args_kind { ARGS_POSITIONAL, ARGS_OPTION, ARGS_SWITCH };

struct args_param {
	enum args_kind kind;
	char name[ARGS_NAME_MAX + 1];
	struct str option; /* "--parent"; empty for a positional */
	struct str value;  /* the value's name: "ID"; empty for a switch */
	bool required;
	bool repeated;
};

struct args_synopsis {
	size_t count;
	struct args_param params[ARGS_PARAMS_MAX]; /* texts point into the synopsis that was read */
};

/* ERROR_INVALID says what is wrong with `text`, which must outlive *synopsis. Required positionals come before optional
 * ones, and a repeated one last. */
MUST_CHECK int args_synopsis_parse(struct args_synopsis *synopsis, const char *text, struct error *err);

/* NULL if there is none; `option` as typed: "--parent". */
const struct args_param *args_find_option(const struct args_synopsis *synopsis, struct str option);

struct args_value {
	const struct args_param *param;
	const char *text; /* NULL for a switch */
};

struct args {
	const struct args_synopsis *synopsis;
	struct args_value *values;
	size_t count;
	size_t cap;
};

/* Handles an option that the synopsis does not have; false if it is not one of the caller's either. */
typedef bool (*args_other_fn)(void *arg, const char *option);

/*
 * All three fill *args, which borrows from the synopsis and from argv or the tree; it must be freed even after a
 * failure. A command line may have options anywhere, --name=value as well as --name value, and -- before words that are
 * positional whatever they look like. JSON values may be texts or numbers, and arrays of these where a parameter
 * repeats. ERROR_INVALID names the argument at fault.
 */
MUST_CHECK int args_read_argv(struct args *args, const struct args_synopsis *synopsis, int argc, char *const *argv,
                              args_other_fn other, void *arg, struct error *err);
MUST_CHECK int args_read_json(struct args *args, const struct args_synopsis *synopsis, const struct tree *object,
                              struct error *err);
MUST_CHECK int args_add(struct args *args, const struct args_param *param, const char *text, struct error *err);
void args_free(struct args *args);

/* Writes the object. */
void args_write_json(const struct args *args, struct json *j);

/* The value of `name`, NULL if it was not given. `index` counts a repeated one's values. */
const char *args_get(const struct args *args, const char *name);
const char *args_get_at(const struct args *args, const char *name, size_t index);

/* How often it was given; for a switch, 1 or 0. */
size_t args_count(const struct args *args, const char *name);

/* Reads a whole number from min to max into *number, which is unchanged if there is none. */
MUST_CHECK int args_get_number(const struct args *args, const char *name, uint64_t min, uint64_t max, uint64_t *number,
                               struct error *err);

#endif
