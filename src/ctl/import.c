/*
 * import.c: `cdrctl import FILE...`, bodies to the daemon in chunks.
 *
 * Each file is an import of its own, over one connection: CSV files have a header line each. While chunks go out,
 * progress lines come in. If the daemon answers before the end, with an error, the rest is not sent.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/tree.h"
#include "base/clock.h"
#include "ctl/client.h"
#include "ctl/ctl.h"
#include "ctl/progress.h"
#include "ctl/text.h"

#define CHUNK_BYTES ((size_t)64 << 10)
#define HEADER_BYTES sizeof(uint32_t)

static const char *const count_keys[] = { "accepted", "updated", "duplicates", "rejected" };
enum count { ACCEPTED, UPDATED, DUPLICATES, REJECTED, COUNTS };

struct counts {
	uint64_t of[COUNTS];
};

struct import {
	const struct ctl *ctl;
	struct client client;
	struct progress progress;
	uint64_t total_bytes; /* of all files; 0: one is no plain file */
	uint64_t sent_bytes;
	struct counts sum;  /* of the files before */
	struct counts file; /* of this one, so far */
	struct buf errors;  /* elements of the result's array */
	char chunk[HEADER_BYTES + CHUNK_BYTES];
};

static uint64_t records_of(const struct counts *counts)
{
	uint64_t records = 0;
	for (int i = 0; i < COUNTS; i++)
		records += counts->of[i];
	return records;
}

static void add_counts(struct counts *sum, const struct counts *more)
{
	for (int i = 0; i < COUNTS; i++)
		sum->of[i] += more->of[i];
}

static void read_counts(struct counts *counts, yajl_val object)
{
	for (int i = 0; i < COUNTS; i++) {
		yajl_val value = tree_get(object, count_keys[i]);
		counts->of[i] = YAJL_IS_NUMBER(value) ? strtoull(value->u.number.r, NULL, 10) : 0;
	}
}

/* --- files --- */

static bool is_stdin(const char *name)
{
	return strcmp(name, "-") == 0;
}

static int open_file(const char *name, struct error *err)
{
	struct stat file;
	if (is_stdin(name))
		return STDIN_FILENO;
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_set_errno(err, errno, "%s", name);
	if (fstat(fd, &file) == 0 && S_ISDIR(file.st_mode)) {
		close(fd);
		return error_set(err, ERROR_INVALID, "%s: is a directory", name);
	}
	return fd;
}

static void close_file(int fd)
{
	if (fd != STDIN_FILENO)
		close(fd);
}

/* Before anything is sent: can all files be opened, and how large are they together? */
static int look_at_files(struct import *import, struct error *err)
{
	const struct args *args = import->ctl->args;
	bool known = true;
	for (size_t i = 0; i < args_count(args, "file"); i++) {
		struct stat file;
		int fd = open_file(args_get_at(args, "file", i), err);
		if (fd < 0)
			return -1;
		known = known && fstat(fd, &file) == 0 && S_ISREG(file.st_mode);
		import->total_bytes += known ? (uint64_t)file.st_size : 0;
		close_file(fd);
	}
	if (!known)
		import->total_bytes = 0;
	return 0;
}

/* The next chunk, which is empty at the end of the file. */
static int read_chunk(struct import *import, int fd, const char *name, struct str *chunk, struct error *err)
{
	ssize_t count;
	do
		count = read(fd, import->chunk + HEADER_BYTES, CHUNK_BYTES);
	while (count < 0 && errno == EINTR);
	if (count < 0)
		return error_set_errno(err, errno, "%s", name);
	uint32_t header = htobe32((uint32_t)count);
	memcpy(import->chunk, &header, HEADER_BYTES);
	*chunk = (struct str){ import->chunk, HEADER_BYTES + (size_t)count };
	import->sent_bytes += (uint64_t)count;
	return count > 0;
}

/* --- the conversation --- */

static void draw(struct import *import)
{
	struct progress_view view = {
		.done = import->sent_bytes,
		.total = import->total_bytes,
		.bytes = true,
		.has_records = true,
		.records = records_of(&import->sum) + records_of(&import->file),
		.rejected = import->sum.of[REJECTED] + import->file.of[REJECTED],
	};
	progress_draw(&import->progress, &view);
}

/* 1 with the answer, 0 when it has not come yet, -1. */
static int take_lines(struct import *import, struct str *answer, struct error *err)
{
	struct client_line line;
	int result;
	while ((result = client_next_line(&import->client, &line, err)) > 0) {
		if (!line.progress) {
			*answer = line.result;
			return 1;
		}
		read_counts(&import->file, line.progress);
	}
	draw(import);
	return result;
}

/* Sends what is left of *unsent and then, while there is more, the file. */
static int converse(struct import *import, int fd, const char *name, struct str unsent, struct str *answer,
                    struct error *err)
{
	bool more = true;
	for (;;) {
		int result = take_lines(import, answer, err);
		if (result != 0)
			return result < 0 ? -1 : 0;
		if (unsent.len == 0 && more && !import->client.cannot_send) {
			result = read_chunk(import, fd, name, &unsent, err);
			more = result > 0;
			if (result < 0)
				return -1;
		}
		if (client_pump(&import->client, &unsent, err) != 0)
			return -1;
	}
}

static int write_request(struct import *import, const char *name, struct buf *out, struct error *err)
{
	const struct args *all = import->ctl->args;
	struct args args = { .synopsis = all->synopsis };
	int result = 0;
	bool named = false;
	for (size_t i = 0; i < all->count && result == 0; i++) {
		bool file = strcmp(all->values[i].param->name, "file") == 0;
		if (!file || !named)
			result = args_add(&args, all->values[i].param, file ? name : all->values[i].text, err);
		named = named || file;
	}
	client_write_request(out, import->ctl->spec->words, &args);
	args_free(&args);
	return result == 0 && out->failed ? error_set(err, ERROR_NOMEM, "Out of memory") : result;
}

/* --- the summary --- */

static void print_error(yajl_val error)
{
	static const char *const keys[] = { "line", "field", "reason" };
	struct buf text = { 0 };
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		yajl_val value = tree_get(error, keys[i]);
		if (!value || (YAJL_IS_STRING(value) && !value->u.string[0]))
			continue;
		buf_add_text(&text, i == 0 ? "  line " : ": ");
		text_add_value(&text, "", value);
	}
	printf("%.*s\n", STR_ARGS(buf_str(&text)));
	buf_free(&text);
}

static void print_summary(const char *name, const struct counts *counts, int64_t elapsed_us)
{
	struct buf text = { 0 };
	uint64_t records = records_of(counts);
	double seconds = (double)elapsed_us / (double)CLOCK_US_PER_SECOND;
	buf_addf(&text, "%s: ", name);
	text_add_count(&text, records);
	buf_addf(&text, " record%s in %.1f s (", records == 1 ? "" : "s", seconds);
	text_add_count(&text, (uint64_t)((double)records / seconds));
	buf_add_text(&text, "/s)");
	for (int i = 0; i < COUNTS; i++) {
		buf_add_text(&text, i == 0 ? ": " : ", ");
		text_add_count(&text, counts->of[i]);
		buf_addf(&text, " %s", count_keys[i]);
	}
	printf("%.*s\n", STR_ARGS(buf_str(&text)));
	buf_free(&text);
}

static void keep_error(struct import *import, const char *name, yajl_val error)
{
	struct json j = json_to(&import->errors);
	j.comma = import->errors.len > 0;
	json_object_begin(&j);
	json_key(&j, "file");
	json_text(&j, name);
	for (size_t i = 0; YAJL_IS_OBJECT(error) && i < error->u.object.len; i++) {
		json_key(&j, error->u.object.keys[i]);
		tree_write(error->u.object.values[i], &j);
	}
	json_object_end(&j);
}

static int take_answer(struct import *import, const char *name, struct str answer, int64_t elapsed_us,
                       struct error *err)
{
	yajl_val tree = tree_parse(answer, err);
	if (!tree)
		return -1;
	read_counts(&import->file, tree);
	progress_clear(&import->progress);
	if (!import->ctl->json)
		print_summary(name, &import->file, elapsed_us);
	yajl_val errors = tree_get(tree, "errors");
	size_t listed = YAJL_IS_ARRAY(errors) ? errors->u.array.len : 0;
	for (size_t i = 0; i < listed; i++) {
		if (import->ctl->json)
			keep_error(import, name, errors->u.array.values[i]);
		else
			print_error(errors->u.array.values[i]);
	}
	if (!import->ctl->json && import->file.of[REJECTED] > listed)
		printf("  and %llu more\n", (unsigned long long)(import->file.of[REJECTED] - listed));
	fflush(stdout);
	yajl_tree_free(tree);
	return 0;
}

static int import_file(struct import *import, const char *name, struct error *err)
{
	int64_t started_us = clock_monotonic_us();
	struct buf request = { 0 };
	struct str answer;
	int result = -1;
	int fd = open_file(name, err);
	if (fd < 0)
		return -1;
	const char *shown = is_stdin(name) ? "standard input" : name;
	if (write_request(import, name, &request, err) == 0 &&
	    converse(import, fd, shown, buf_str(&request), &answer, err) == 0)
		result = take_answer(import, shown, answer, clock_monotonic_us() - started_us + 1, err);
	add_counts(&import->sum, &import->file);
	import->file = (struct counts){ 0 };
	buf_free(&request);
	close_file(fd);
	return result;
}

static int print_all(const struct import *import, struct error *err)
{
	struct buf text = { 0 };
	struct json j = json_to(&text);
	json_object_begin(&j);
	for (int i = 0; i < COUNTS; i++) {
		json_key(&j, count_keys[i]);
		json_uint(&j, import->sum.of[i]);
	}
	json_key(&j, "errors");
	json_array_begin(&j);
	if (import->errors.len > 0)
		json_raw(&j, buf_str(&import->errors));
	json_array_end(&j);
	json_object_end(&j);
	if (text.failed || import->errors.failed || !buf_cstr(&text))
		return error_set(err, ERROR_NOMEM, "Out of memory for the result");
	int result = ctl_print(import->ctl, buf_str(&text), err);
	buf_free(&text);
	return result;
}

static int import_all(struct import *import, struct error *err)
{
	const struct args *args = import->ctl->args;
	size_t count = args_count(args, "file");
	if (look_at_files(import, err) != 0 || client_open(&import->client, import->ctl->socket, err) != 0)
		return -1;
	progress_begin(&import->progress);
	for (size_t i = 0; i < count; i++)
		if (import_file(import, args_get_at(args, "file", i), err) != 0)
			return -1;
	if (import->ctl->json)
		return print_all(import, err);
	if (count > 1)
		print_summary("all", &import->sum, progress_elapsed_us(&import->progress));
	if (import->sum.of[REJECTED] > 0)
		printf("Rejected records are kept for a while: see cdrctl quarantine list\n");
	return 0;
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
	buf_free(&import->errors);
	free(import);
	return result;
}
