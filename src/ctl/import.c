/* SPDX-License-Identifier: ISC */
/*
 * import.c: `cdrctl import FILE...`, bodies to the daemon in chunks.
 *
 * Each file is an import of its own, over one connection: CSV files have a header line each, and a zip holds several. A
 * file's format and product are detected here unless options give them. Progress lines arrive while chunks are sent. If
 * the daemon answers early, with an error, the rest is not sent.
 */
#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/tree.h"
#include "base/clock.h"
#include "ctl/client.h"
#include "ctl/import_result.h"
#include "ctl/progress.h"
#include "ctl/sniff.h"
#include "ctl/source.h"

#define CHUNK_BYTES ((size_t)64 << 10)
#define HEADER_BYTES sizeof(uint32_t)

struct import {
	const struct ctl *ctl;
	struct client client;
	struct progress progress;
	uint64_t total_bytes; /* of all files; 0: one is no plain file */
	uint64_t sent_bytes;  /* of the files before */
	struct source *source;
	struct import_counts sum;  /* of the files before */
	struct import_counts file; /* of this one, so far */
	struct buf errors;         /* elements of the result's array */
	char chunk[HEADER_BYTES + CHUNK_BYTES];
};

/* Can it be opened, and how large is it? *known becomes false unless it is a plain file. A named pipe is not tried: its
 * writer would take the close as the end. */
static int look_at_file(struct import *import, const char *name, bool *known, struct error *err)
{
	struct stat file = { 0 };
	bool found = (strcmp(name, "-") == 0 ? fstat(STDIN_FILENO, &file) : stat(name, &file)) == 0;
	struct source *source = NULL;

	if (found && S_ISREG(file.st_mode))
		import->total_bytes += (uint64_t)file.st_size;
	else
		*known = false;
	if (found && S_ISFIFO(file.st_mode))
		return 0;
	source = source_open(name, err);
	if (!source)
		return -1;
	source_close(source);
	return 0;
}

/* Before anything is sent: can all files be opened, and how large are they together? */
static int look_at_files(struct import *import, struct error *err)
{
	const struct args *args = import->ctl->args;
	bool known = true;

	for (size_t i = 0; i < args_count(args, "file"); i++)
		if (look_at_file(import, args_get_at(args, "file", i), &known, err) != 0)
			return -1;
	if (!known)
		import->total_bytes = 0;
	return 0;
}

/* --- the conversation --- */

/* The next chunk, which is empty at the end of the file. */
static int read_chunk(struct import *import, struct str *chunk, struct error *err)
{
	size_t count = 0;
	int result = source_read(import->source, import->chunk + HEADER_BYTES, CHUNK_BYTES, &count, err);

	if (result < 0)
		return -1;
	uint32_t header = htobe32((uint32_t)count);
	memcpy(import->chunk, &header, HEADER_BYTES);
	*chunk = (struct str){ import->chunk, HEADER_BYTES + count };
	return result;
}

static void draw(struct import *import)
{
	struct progress_view view = {
		.done = import->sent_bytes + source_taken(import->source),
		.total = import->total_bytes,
		.bytes = true,
		.has_records = true,
		.records = import_counts_records(&import->sum) + import_counts_records(&import->file),
		.rejected = import->sum.of[IMPORT_REJECTED] + import->file.of[IMPORT_REJECTED],
	};

	progress_draw(&import->progress, &view);
}

/* 1 with the answer, 0 when it has not arrived yet, -1. */
static int take_lines(struct import *import, struct str *answer, struct error *err)
{
	struct client_line line;
	int result;

	while ((result = client_next_line(&import->client, &line, err)) > 0) {
		if (!line.progress) {
			*answer = line.result;
			return 1;
		}
		import_counts_read(&import->file, line.progress);
	}
	draw(import);
	if (result == 0)
		return 0;
	struct error why = *err;
	return error_set(err, why.code, "%s: %s", source_shown_name(import->source), why.message);
}

/* Sends what is left of *unsent and then, while there is more, the file. */
static int converse(struct import *import, struct str unsent, struct str *answer, struct error *err)
{
	bool more = true;

	for (;;) {
		int result = take_lines(import, answer, err);

		if (result != 0)
			return result < 0 ? -1 : 0;
		if (unsent.len == 0 && more && !import->client.cannot_send) {
			result = read_chunk(import, &unsent, err);
			more = result > 0;
			if (result < 0)
				return -1;
		}
		if (client_pump(&import->client, &unsent, err) != 0)
			return -1;
	}
}

/* --- the request --- */

static int add_option(struct args *args, const char *option, const char *value, struct error *err)
{
	return args_add(args, args_find_option(args->synopsis, str_from(option)), value, err);
}

/* Adds options that were not given, guessed from the file's first bytes and its name. */
static int add_guesses(struct import *import, struct args *args, struct error *err)
{
	struct source *source = import->source;
	struct str first, product = sniff_product(source_file_name(source));
	struct error why;

	if (args_count(args, "mapping") > 0)
		return 0;
	if (args_count(args, "format") == 0) {
		if (source_peek(source, &first, err) != 0)
			return -1;
		const char *format = sniff_format(first, args_get(args, "encoding"), &why);
		if (!format)
			return error_set(err, why.code, "%s: %s", source_shown_name(source), why.message);
		if (add_option(args, "--format", format, err) != 0)
			return -1;
	}
	if (args_count(args, "product") > 0 || product.len == 0)
		return 0;
	return add_option(args, "--product", product.p, err); /* the catalog's names are C strings */
}

static int write_request(struct import *import, struct buf *out, struct error *err)
{
	const struct args *all = import->ctl->args;
	struct args args = { .synopsis = all->synopsis };
	int result = 0;
	bool named = false;

	for (size_t i = 0; i < all->count && result == 0; i++) {
		bool file = strcmp(all->values[i].param->name, "file") == 0;

		if (!file || !named)
			result = args_add(&args, all->values[i].param,
			                  file ? source_shown_name(import->source) : all->values[i].text, err);
		named = named || file;
	}
	if (result == 0)
		result = add_guesses(import, &args, err);
	if (result == 0)
		client_write_request(out, import->ctl->spec->words, &args);
	args_free(&args);
	return result == 0 && out->failed ? error_set(err, ERROR_NOMEM, "Out of memory") : result;
}

/* --- files --- */

static int take_answer(struct import *import, struct str answer, int64_t elapsed_us, struct error *err)
{
	const char *name = source_shown_name(import->source);
	struct tree *tree = tree_parse(answer, err);

	if (!tree)
		return -1;
	import_counts_read(&import->file, tree);
	progress_clear(&import->progress);
	if (import->ctl->json) {
		import_add_errors(&import->errors, name, tree);
	} else {
		import_print_counts(name, &import->file, elapsed_us);
		import_print_errors(tree);
	}
	fflush(stdout);
	tree_free(tree);
	return 0;
}

static int import_one(struct import *import, struct error *err)
{
	int64_t started_us = clock_monotonic_us();
	struct buf request = { 0 };
	struct str answer;
	int result = -1;

	if (write_request(import, &request, err) == 0 && converse(import, buf_str(&request), &answer, err) == 0)
		result = take_answer(import, answer, clock_monotonic_us() - started_us + 1, err);
	import_counts_add(&import->sum, &import->file);
	import->file = (struct import_counts){ 0 };
	buf_free(&request);
	return result;
}

/* The files in a file; *count of them. */
static int import_file(struct import *import, const char *name, size_t *count, struct error *err)
{
	int result;

	import->source = source_open(name, err);
	if (!import->source)
		return -1;
	while ((result = source_next(import->source, err)) > 0) {
		++*count;
		if (import_one(import, err) != 0) {
			result = -1;
			break;
		}
	}
	import->sent_bytes += source_taken(import->source);
	source_close(import->source);
	import->source = NULL;
	return result;
}

/* --- all of them --- */

static int fail_rejected(const struct import *import, struct error *err)
{
	uint64_t rejected = import->sum.of[IMPORT_REJECTED];

	if (rejected == 0 || args_count(import->ctl->args, "allow_rejects") > 0)
		return 0;
	return error_set(err, ERROR_INVALID, "%llu record%s rejected; with --allow-rejects that is no failure",
	                 (unsigned long long)rejected, rejected == 1 ? " was" : "s were");
}

static int import_all(struct import *import, struct error *err)
{
	const struct args *args = import->ctl->args;
	size_t files = 0;

	if (look_at_files(import, err) != 0 || client_open(&import->client, import->ctl->socket, err) != 0)
		return -1;
	progress_begin(&import->progress);
	for (size_t i = 0; i < args_count(args, "file"); i++)
		if (import_file(import, args_get_at(args, "file", i), &files, err) != 0)
			return -1;
	if (import->ctl->json && import_print_result(import->ctl, &import->sum, &import->errors, err) != 0)
		return -1;
	if (!import->ctl->json && files > 1)
		import_print_counts("all", &import->sum, progress_elapsed_us(&import->progress));
	if (!import->ctl->json && import->sum.of[IMPORT_REJECTED] > 0)
		printf("Rejected records are kept for a while: see cdrctl quarantine list\n");
	return fail_rejected(import, err);
}

int ctl_import(const struct ctl *ctl, struct error *err)
{
	struct import *import = calloc(1, sizeof(*import));

	if (!import)
		return error_set(err, ERROR_NOMEM, "Out of memory for an import");
	import->ctl = ctl;
	import->client.fd = -1;
	int result = import_all(import, err);
	progress_clear(&import->progress);
	client_close(&import->client);
	source_close(import->source);
	buf_free(&import->errors);
	free(import);
	return result;
}
