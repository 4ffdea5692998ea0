/* SPDX-License-Identifier: ISC */
/*
 * main.c: cdrctl. It finds the command in the table that it shares with the daemon, reads the arguments by the
 * command's synopsis, sends both and shows the result. A new command needs nothing here, unless it does more than that.
 */
#include <config.h>

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/tree.h"
#include "base/config.h"
#include "ctl/client.h"
#include "ctl/ctl.h"
#include "ctl/nearest.h"
#include "ctl/progress.h"
#include "ctl/render.h"
#include "ctl/secret_file.h"
#include "ctl/text.h"
#include "ctl/usage.h"

enum { EXIT_USAGE = 2 };

/* Commands that are more than a request and an answer. */
static const struct special_row {
	const char *words;
	int (*run)(const struct ctl *ctl, struct error *err);
} specials[] = {
	{ "account import", ctl_account_import },
	{ "account list", ctl_account_list },
	{ "backup", ctl_backup },
	{ "erase", ctl_erase },
	{ "import", ctl_import },
	{ "mapping try", ctl_mapping_try },
	{ "quarantine replay", ctl_quarantine_replay },
	{ "quarantine show", ctl_quarantine_show },
	{ "reconcile", ctl_reconcile },
	{ "reconcile get", ctl_reconcile_get },
	{ "restore", ctl_restore },
	{ "schema clickhouse", ctl_schema_clickhouse },
	{ "schema postgresql", ctl_schema_postgresql },
	{ "summary", ctl_summary },
	{ "top", ctl_top },
};

struct options {
	const char *socket;
	bool json, help, version, completion;
	const char *unknown; /* the last word that looks like an option and is none of ours */
};

/* --- a command's run --- */

/* A NUL in a text, which a tree cannot hold, is shown as its symbol. */
static void replace_nuls(char *json)
{
	for (char *c = json; *c; c++) {
		if (*c != '\\')
			continue;
		if (strncmp(c, "\\u0000", 6) == 0)
			memcpy(c, "\\u2400", 6);
		c++;
	}
}

struct tree *ctl_tree(struct str result, struct error *err)
{
	struct buf copy = { 0 };
	struct tree *tree = NULL;

	buf_add_str(&copy, result);
	if (buf_cstr(&copy)) {
		replace_nuls(copy.data);
		tree = tree_parse(buf_str(&copy), err);
	} else {
		error_set(err, ERROR_NOMEM, "Out of memory for the result");
	}
	buf_free(&copy);
	return tree;
}

static int print_rendered(FILE *file, struct str result, bool csv, struct error *err)
{
	struct buf out = { 0 };
	struct tree *tree = ctl_tree(result, err);

	if (tree)
		(csv ? render_csv : render)(&out, tree);
	if (out.failed)
		error_set(err, ERROR_NOMEM, "Out of memory for the result");
	else if (out.len > 0)
		fwrite(out.data, 1, out.len, file);
	bool failed = !tree || out.failed;
	tree_free(tree);
	buf_free(&out);
	return failed ? -1 : 0;
}

int ctl_print_to(FILE *out, const struct ctl *ctl, struct str result, struct error *err)
{
	if (!ctl->json)
		return print_rendered(out, result, args_count(ctl->args, "csv") > 0, err);
	fprintf(out, "%.*s\n", STR_ARGS(result));
	return 0;
}

int ctl_print(const struct ctl *ctl, struct str result, struct error *err)
{
	return ctl_print_to(stdout, ctl, result, err);
}

/* *result has no p if there is none; there may be one with an error. */
static int wait_for_answer(struct client *client, struct str unsent, struct str *result, struct error *err)
{
	struct progress progress;
	struct client_line line;
	int got;

	progress_begin(&progress);
	while ((got = client_next_line(client, &line, err)) >= 0) {
		if (got > 0 && !line.progress)
			break;
		if (got > 0)
			progress_draw_line(&progress, line.progress);
		else if (client_pump(client, &unsent, err) != 0)
			got = -1;
		if (got < 0)
			break;
	}
	progress_clear(&progress);
	*result = line.result;
	return got > 0 ? 0 : -1;
}

/* Refuses texts that would reach the daemon changed. */
static int check_texts(const struct args *args, struct error *err)
{
	for (size_t i = 0; i < args->count; i++) {
		const struct args_value *value = &args->values[i];

		if (value->text && !json_is_utf8(str_from(value->text)))
			return error_set(err, ERROR_INVALID, "%s: not valid UTF-8", value->param->name);
	}
	return 0;
}

/* The body's chunks: one with all of it, and the empty one. */
static void add_chunks(struct buf *request, struct str body)
{
	uint32_t length = htobe32((uint32_t)body.len), none = 0;

	if (body.len > 0) {
		buf_add(request, &length, sizeof(length));
		buf_add_str(request, body);
	}
	buf_add(request, &none, sizeof(none));
}

int ctl_run_body(const struct ctl *ctl, struct str body, ctl_take_fn take, void *arg, struct error *err)
{
	struct client client;
	struct buf request = { 0 };
	struct str answer;
	int result = -1;

	if (check_texts(ctl->args, err) != 0)
		return -1;
	client_write_request(&request, ctl->spec->words, ctl->args);
	if (body.p)
		add_chunks(&request, body);
	if (request.failed)
		error_set(err, ERROR_NOMEM, "Out of memory for the request");
	else if (client_open(&client, ctl->socket, err) == 0) {
		result = wait_for_answer(&client, buf_str(&request), &answer, err);
		if (answer.p && take(arg, ctl, answer, err) != 0)
			result = -1;
		client_close(&client);
	}
	buf_free(&request);
	return result;
}

int ctl_run(const struct ctl *ctl, ctl_take_fn take, void *arg, struct error *err)
{
	return ctl_run_body(ctl, (struct str){ NULL, 0 }, take, arg, err);
}

int ctl_print_answer(void *arg, const struct ctl *ctl, struct str result, struct error *err)
{
	(void)arg;
	return ctl_print(ctl, result, err);
}

static int run_plain(const struct ctl *ctl, struct error *err)
{
	return ctl_run(ctl, ctl_print_answer, NULL, err);
}

static int run(const struct ctl *ctl)
{
	int (*fn)(const struct ctl *, struct error *) = run_plain;
	struct error err = { 0 };

	for (size_t i = 0; i < sizeof(specials) / sizeof(specials[0]); i++)
		if (strcmp(specials[i].words, ctl->spec->words) == 0)
			fn = specials[i].run;
	int result = fn(ctl, &err);
	bool written = fflush(stdout) == 0 && !ferror(stdout);
	if (result == 0 && written)
		return EXIT_SUCCESS;
	if (result == 0)
		error_set(&err, ERROR_IO, "cannot write the result");
	struct buf text = { 0 };
	text_add(&text, err.message); /* it may quote a record */
	fprintf(stderr, "cdrctl: %.*s\n", STR_ARGS(buf_str(&text)));
	buf_free(&text);
	return EXIT_FAILURE;
}

/* --- the command line --- */

/* Options without a value, which may stand anywhere. */
static bool take_switch(void *arg, const char *word)
{
	struct options *options = arg;

	if (strcmp(word, "--json") == 0)
		options->json = true;
	else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
		options->help = true;
	else if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0)
		options->version = true;
	else if (strcmp(word, "--completion") == 0)
		options->completion = true; /* for the build */
	else {
		options->unknown = word;
		return false;
	}
	return true;
}

/* Takes the options before the command. Returns the place of its first word, or -1 after a message. */
static int take_options(struct options *options, int argc, char *const *argv)
{
	int at = 1;

	for (; at < argc && argv[at][0] == '-'; at++) {
		const char *word = argv[at];
		bool socket = strcmp(word, "-s") == 0 || strcmp(word, "--socket") == 0;

		if (socket && at + 1 < argc)
			options->socket = argv[++at];
		else if (strncmp(word, "--socket=", 9) == 0)
			options->socket = word + 9;
		else if (socket || !take_switch(options, word)) {
			fprintf(stderr, "cdrctl: %s: %s\n", word,
			        socket ? "the path of SOCKET is missing" : "no such option; see cdrctl --help");
			return -1;
		}
	}
	return at;
}

/* "; did you mean key?", if there is a command that begins with the first `known` words and has such a one next. */
static void print_meant(int known, char *const *argv)
{
	struct nearest nearest = { .typed = str_from(argv[known]) };

	for (size_t i = 0; i < command_specs_count; i++) {
		struct str words = str_from(command_specs[i].words), word = { NULL, 0 };
		int at = 0;

		if (!command_spec_begins(&command_specs[i], known, argv))
			continue;
		while (at <= known && str_next(&words, ' ', &word))
			at++;
		if (at == known + 1)
			nearest_try(&nearest, word);
	}
	if (nearest.word.p)
		fprintf(stderr, "; did you mean %.*s?", STR_ARGS(nearest.word));
}

/* The same of an option of a command, which was not taken. */
static void print_meant_option(const struct args_synopsis *synopsis, const char *typed)
{
	struct nearest nearest = { .typed = { typed, strcspn(typed, "=") } };

	if (strncmp(typed, "-s", 2) == 0 || strncmp(typed, "--socket", 8) == 0) {
		fprintf(stderr, "; -s and --socket stand before the command");
		return;
	}
	for (size_t i = 0; i < synopsis->count; i++)
		if (synopsis->params[i].kind != ARGS_POSITIONAL)
			nearest_try(&nearest, synopsis->params[i].option);
	nearest_try(&nearest, STR_LITERAL("--json"));
	nearest_try(&nearest, STR_LITERAL("--help"));
	if (nearest.word.p)
		fprintf(stderr, "; did you mean %.*s?", STR_ARGS(nearest.word));
}

/* Handles words that are no command: an incomplete one, or none at all. */
static int wrong_words(const struct options *options, int argc, char *const *argv)
{
	int known = argc;
	bool begins = false;

	for (; known > 0 && !begins; known -= !begins)
		for (size_t i = 0; i < command_specs_count; i++)
			begins = begins || command_spec_begins(&command_specs[i], known, argv);
	if (options->help && known == argc) {
		usage_print(stdout, options->socket, argc, argv);
		return EXIT_SUCCESS;
	}
	if (argc == 0)
		fprintf(stderr, "cdrctl: a command is missing; see cdrctl --help\n");
	else if (known == argc)
		fprintf(stderr, "cdrctl: %s: the command is not complete\n", argv[argc - 1]);
	else {
		fprintf(stderr, "cdrctl: %s: no such command", argv[known]);
		print_meant(known, argv);
		fprintf(stderr, "%s\n", known == 0 ? "; see cdrctl --help" : "");
	}
	if (known > 0)
		usage_print(stderr, options->socket, known, argv);
	return EXIT_USAGE;
}

static int run_command(struct options *options, const struct command_spec *spec, int argc, char *const *argv)
{
	struct args_synopsis synopsis;
	struct args args = { 0 };
	struct buf secret = { 0 };
	struct error err;
	int result = args_synopsis_parse(&synopsis, spec->arguments, &err);

	if (result == 0)
		result = args_read_argv(&args, &synopsis, argc, argv, take_switch, options, &err);
	if (options->help) {
		usage_print_command(stdout, spec);
		args_free(&args);
		return EXIT_SUCCESS;
	}
	if (result == 0)
		result = secret_file_take(&args, &secret, &err);
	if (result != 0) {
		fprintf(stderr, "cdrctl: %s: %s", spec->words, err.message);
		if (options->unknown)
			print_meant_option(&synopsis, options->unknown);
		fprintf(stderr, "\n");
		usage_print_line(stderr, spec);
		args_free(&args);
		buf_free(&secret);
		return EXIT_USAGE;
	}
	struct ctl ctl = { options->socket, options->json, spec, &args };
	int status = run(&ctl);
	args_free(&args);
	buf_free(&secret);
	return status;
}

static int run_words(struct options *options, int argc, char *const *argv)
{
	int used;

	if (argc > 0 && strcmp(argv[0], "help") == 0) {
		options->help = true;
		argc--;
		argv++;
	}
	if (options->version) {
		printf("cdrctl %s\n", PACKAGE_VERSION);
		return EXIT_SUCCESS;
	}
	if (options->completion) {
		usage_print_completion(stdout);
		return EXIT_SUCCESS;
	}
	/* `cdrctl account --help` is help on all of them. */
	int words = 0;
	while (words < argc && argv[words][0] != '-')
		words++;
	const struct command_spec *spec = command_spec_match(words, argv, &used);
	if (spec)
		return run_command(options, spec, argc - used, argv + used);
	for (int i = words; i < argc; i++)
		take_switch(options, argv[i]);
	return wrong_words(options, words, argv);
}

int main(int argc, char **argv)
{
	struct config config;
	struct options options = { 0 };
	struct error err;

	text_init();
	if (config_init(&config, &err) != 0) {
		fprintf(stderr, "cdrctl: %s\n", err.message);
		return EXIT_FAILURE;
	}
	options.socket = config.admin_socket;
	int at = take_options(&options, argc, argv);
	int status = at < 0 ? EXIT_USAGE : run_words(&options, argc - at, argv + at);
	config_free(&config);
	return status;
}
