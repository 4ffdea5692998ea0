/* SPDX-License-Identifier: ISC */
/*
 * import.c: `cdrctl import FILE...`, bodies to the daemon in chunks.
 *
 * Each file is an import of its own, over one connection: CSV files have a header line each, and a zip holds several. A
 * file's format and product are detected here unless options give them. Files are sent ahead of the answers to those
 * before, so that small ones share commits; answers come in their order, and a file is told as imported when its own has
 * come. Progress lines arrive while chunks are sent, and are of the first file that has no answer. If the daemon answers
 * early, with an error, the rest is not sent.
 */
#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
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

#define AHEAD_MAX ((size_t)512)

/* A file that has no answer yet. */
struct sent {
	STAILQ_ENTRY(sent) link;
	int64_t begun_us; /* on the monotonic clock */
	char name[];      /* as it is shown */
};

struct import {
	const struct ctl *ctl;
	struct client client;
	bool client_failed;
	STAILQ_HEAD(, sent) sent; /* in order; the last one may be under way */
	size_t sent_count;
	bool is_sending;
	struct progress progress;
	uint64_t total_bytes; /* of all files; 0: one is no plain file */
	uint64_t sent_bytes;  /* of the files before */
	struct source *source;
	struct import_counts sum;  /* of the files that were answered */
	struct import_counts file; /* of the next one to be, so far */
	struct buf errors;         /* elements of the result's array */
	char chunk[HEADER_BYTES + CHUNK_BYTES];
};

static bool is_plain(const char *name, struct stat *file)
{
	bool found = (strcmp(name, "-") == 0 ? fstat(STDIN_FILENO, file) : stat(name, file)) == 0;

	return found && S_ISREG(file->st_mode);
}

/* Can it be opened, and how large is it? *known becomes false unless it is a plain file. A named pipe is not tried: its
 * writer would take the close as the end. */
static int look_at_file(struct import *import, const char *name, bool *known, struct error *err)
{
	struct stat file = { 0 };
	bool is_known = is_plain(name, &file);

	if (is_known)
		import->total_bytes += (uint64_t)file.st_size;
	*known = *known && is_known;
	if (S_ISFIFO(file.st_mode))
		return 0;
	struct source *source = source_open(name, err);
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
		.done = import->sent_bytes + (import->source ? source_taken(import->source) : 0),
		.total = import->total_bytes,
		.bytes = true,
		.has_records = true,
		.records = import_counts_records(&import->sum) + import_counts_records(&import->file),
		.rejected = import->sum.of[IMPORT_REJECTED] + import->file.of[IMPORT_REJECTED],
	};

	progress_draw(&import->progress, &view);
}

static struct sent *add_sent(struct import *import, struct error *err)
{
	const char *name = source_shown_name(import->source);
	struct sent *sent = malloc(sizeof(*sent) + strlen(name) + 1);

	if (!sent) {
		error_set(err, ERROR_NOMEM, "%s: out of memory", name);
		return NULL;
	}
	sent->begun_us = clock_monotonic_us();
	memcpy(sent->name, name, strlen(name) + 1);
	STAILQ_INSERT_TAIL(&import->sent, sent, link);
	import->sent_count++;
	return sent;
}

static void drop_first(struct import *import)
{
	struct sent *sent = STAILQ_FIRST(&import->sent);

	STAILQ_REMOVE_HEAD(&import->sent, link);
	import->sent_count--;
	free(sent);
}

/* That of the first file that has none. */
static int take_answer(struct import *import, struct str answer, struct error *err)
{
	const struct sent *sent = STAILQ_FIRST(&import->sent);
	struct tree *tree = sent ? tree_parse(answer, err) : NULL;

	if (!sent)
		return error_set(err, ERROR_INVALID, "the daemon answers what it was not asked");
	if (!tree)
		return -1;
	import_counts_read(&import->file, tree);
	import_counts_add(&import->sum, &import->file);
	progress_clear(&import->progress);
	if (import->ctl->json) {
		import_add_errors(&import->errors, sent->name, tree);
	} else {
		import_print_counts(sent->name, &import->file, clock_monotonic_us() - sent->begun_us + 1);
		import_print_errors(tree);
	}
	fflush(stdout);
	tree_free(tree);
	import->file = (struct import_counts){ 0 };
	drop_first(import);
	return 0;
}

/* Takes what has arrived. */
static int take_lines(struct import *import, struct error *err)
{
	struct client_line line;
	int result;

	while ((result = client_next_line(&import->client, &line, err)) > 0) {
		if (line.progress)
			import_counts_read(&import->file, line.progress);
		else if (take_answer(import, line.result, err) != 0)
			return -1;
	}
	draw(import);
	if (result == 0 || STAILQ_EMPTY(&import->sent))
		return result;
	struct error why = *err;
	return error_set(err, why.code, "%s: %s", STAILQ_FIRST(&import->sent)->name, why.message);
}

/* Sends some of *unsent, or waits, and takes what arrives. */
static int exchange(struct import *import, struct str *unsent, struct error *err)
{
	import->client_failed = client_pump(&import->client, unsent, err) != 0 || take_lines(import, err) != 0;
	return import->client_failed ? -1 : 0;
}

/* Waits until at most `count` files have no answer. */
static int await_answers(struct import *import, size_t count, struct error *err)
{
	struct str nothing = { NULL, 0 };

	while (import->sent_count > count)
		if (exchange(import, &nothing, err) != 0)
			return -1;
	return 0;
}

/* Sends the request and the file. */
static int send_file(struct import *import, struct str request, struct error *err)
{
	struct str unsent = request;
	int more = 1;

	while (unsent.len > 0 || more > 0) {
		if (unsent.len == 0)
			more = read_chunk(import, &unsent, err);
		if (more < 0 || exchange(import, &unsent, err) != 0)
			return -1;
	}
	return 0;
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

static int import_one(struct import *import, struct error *err)
{
	struct buf request = { 0 };
	int result = -1;

	if (await_answers(import, AHEAD_MAX - 1, err) == 0 && write_request(import, &request, err) == 0 &&
	    add_sent(import, err)) {
		import->is_sending = true;
		result = send_file(import, buf_str(&request), err);
		import->is_sending = result != 0;
	}
	buf_free(&request);
	return result;
}

/* The files in a file; *count of them. Others may write into what is no plain file once those before it are imported. */
static int import_file(struct import *import, const char *name, size_t *count, struct error *err)
{
	struct stat file = { 0 };
	int result;

	if (!is_plain(name, &file) && await_answers(import, 0, err) != 0)
		return -1;
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

/* All files; *count of them. What was sent is told of even if the next file cannot be read. */
static int import_files(struct import *import, size_t *count, struct error *err)
{
	const struct args *args = import->ctl->args;
	int result = 0;

	for (size_t i = 0; i < args_count(args, "file") && result == 0; i++)
		result = import_file(import, args_get_at(args, "file", i), count, err);
	if (result == 0)
		return await_answers(import, 0, err);
	struct error why = *err;
	if (!import->client_failed && await_answers(import, import->is_sending ? 1 : 0, err) == 0)
		*err = why;
	return -1;
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
	size_t files = 0;

	if (look_at_files(import, err) != 0 || client_open(&import->client, import->ctl->socket, err) != 0)
		return -1;
	progress_begin(&import->progress);
	if (import_files(import, &files, err) != 0)
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
	STAILQ_INIT(&import->sent);
	int result = import_all(import, err);
	progress_clear(&import->progress);
	client_close(&import->client);
	source_close(import->source);
	while (!STAILQ_EMPTY(&import->sent))
		drop_first(import);
	buf_free(&import->errors);
	free(import);
	return result;
}
