/* SPDX-License-Identifier: ISC */
/*
 * reconcile.c: `cdrctl reconcile FILE`, which sends a carrier's file and waits for the result, and `cdrctl reconcile get`.
 *
 * Files arrive as admin/command_reconcile.c sends them, and are written with the caller's permissions.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/specs.h"
#include "admin/tree.h"
#include "ctl/client.h"
#include "ctl/ctl.h"
#include "ctl/progress.h"
#include "ctl/source.h"
#include "ctl/text.h"

#define CHUNK_BYTES ((size_t)64 << 10)
#define HEADER_BYTES sizeof(uint32_t)

static int confused(struct error *err)
{
	return error_set(err, ERROR_INVALID, "cannot make sense of the daemon's answer");
}

/* --- files from the daemon --- */

struct receiving {
	struct client client;
	const char *dir;
	int fd; /* of the file that is being written, or -1 */
	struct buf path;
	struct str unsent;
};

static int write_all(struct receiving *receiving, struct str data, struct error *err)
{
	while (data.len > 0) {
		ssize_t done = write(receiving->fd, data.p, data.len);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return error_set_errno(err, errno, "%s: write", receiving->path.data);
		data.p += done;
		data.len -= (size_t)done;
	}
	return 0;
}

static int begin_file(struct receiving *receiving, const char *name, struct error *err)
{
	if (receiving->fd >= 0 || !name || !name[0] || name[0] == '.' || strchr(name, '/'))
		return confused(err);
	buf_clear(&receiving->path);
	buf_addf(&receiving->path, "%s/%s", receiving->dir, name);
	if (!buf_cstr(&receiving->path))
		return error_set(err, ERROR_NOMEM, "Out of memory for a file");
	receiving->fd = open(receiving->path.data, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	return receiving->fd >= 0 ? 0 : error_set_errno(err, errno, "%s: open", receiving->path.data);
}

static int end_file(struct receiving *receiving, struct error *err)
{
	int fd = receiving->fd;

	receiving->fd = -1;
	return close(fd) == 0 ? 0 : error_set_errno(err, errno, "%s: close", receiving->path.data);
}

static int take_data(struct receiving *receiving, uint64_t bytes, struct error *err)
{
	if (receiving->fd < 0)
		return confused(err);
	if (bytes == 0)
		return end_file(receiving, err);
	while (bytes > 0) {
		struct str data = client_take_bytes(&receiving->client, (size_t)bytes);

		if (data.len == 0 && client_pump(&receiving->client, &receiving->unsent, err) != 0)
			return -1;
		if (data.len > 0 && write_all(receiving, data, err) != 0)
			return -1;
		bytes -= data.len;
	}
	return 0;
}

static int take_line(struct receiving *receiving, const struct tree *line, struct error *err)
{
	const struct tree *file = tree_get(line, "file"), *data = tree_get(line, "data");

	if (file)
		return begin_file(receiving, tree_text(file), err);
	return data ? take_data(receiving, tree_uint(data), err) : confused(err);
}

static int receive(struct receiving *receiving, struct error *err)
{
	struct client_line line;

	for (;;) {
		int got = client_next_line(&receiving->client, &line, err);

		if (got < 0 || (got == 0 && client_pump(&receiving->client, &receiving->unsent, err) != 0))
			return -1;
		if (got > 0 && line.is_answer)
			return 0;
		if (got > 0 && line.other && take_line(receiving, line.other, err) != 0)
			return -1;
	}
}

static int write_get(struct buf *request, const char *id, const char *dir, struct error *err)
{
	const struct command_spec *spec = command_spec_find("reconcile get");
	struct args_synopsis synopsis;
	struct args args = { .synopsis = &synopsis };
	int result = args_synopsis_parse(&synopsis, spec->arguments, err);

	if (result == 0)
		result = args_add(&args, &synopsis.params[0], id, err);
	if (result == 0)
		result = args_add(&args, &synopsis.params[1], dir, err);
	if (result == 0)
		client_write_request(request, spec->words, &args);
	args_free(&args);
	return result == 0 && request->failed ? error_set(err, ERROR_NOMEM, "Out of memory for the request") : result;
}

/* Has the files of a reconciliation written into `dir`, which is made if need be. */
static int get_files(const struct ctl *ctl, const char *id, const char *dir, struct error *err)
{
	struct receiving receiving = { .client = { .fd = -1 }, .dir = dir, .fd = -1 };
	struct buf request = { 0 };
	int result = write_get(&request, id, dir, err);

	if (result == 0 && mkdir(dir, 0777) != 0 && errno != EEXIST)
		result = error_set_errno(err, errno, "%s: make directory", dir);
	if (result == 0)
		result = client_open(&receiving.client, ctl->socket, err);
	if (result == 0) {
		receiving.unsent = buf_str(&request);
		receiving.client.own_lines = true;
		result = receive(&receiving, err);
		client_close(&receiving.client);
	}
	if (receiving.fd >= 0) { /* nobody should take the beginning for the whole */
		close(receiving.fd);
		unlink(receiving.path.data);
	}
	buf_free(&receiving.path);
	buf_free(&request);
	return result;
}

int ctl_reconcile_get(const struct ctl *ctl, struct error *err)
{
	return get_files(ctl, args_get(ctl->args, "id"), args_get(ctl->args, "dir"), err);
}

/* --- the result --- */

static const char *text_of(const struct tree *object, const char *key)
{
	const char *text = tree_text(tree_get(object, key));

	return text ? text : "";
}

static unsigned long long number_of(const struct tree *object, const char *key)
{
	return (unsigned long long)tree_uint(tree_get(object, key));
}

static void print_sum(const struct tree *sum)
{
	printf("    %-4s %-4s %10llu %20s %10llu %20s %20s\n", text_of(sum, "currency"), text_of(sum, "country"),
	       number_of(sum, "rows_ours"), text_of(sum, "sum_ours"), number_of(sum, "rows_theirs"),
	       text_of(sum, "sum_theirs"), text_of(sum, "difference"));
}

static void print_class(const struct tree *class)
{
	const struct tree *sums = tree_get(class, "sums");

	printf("%s: %llu\n", text_of(class, "class"), number_of(class, "rows"));
	TREE_EACH(sum, sums)
	print_sum(sum);
	if (number_of(class, "unsummed") > 0)
		printf("    %llu prices are in no sum\n", number_of(class, "unsummed"));
}

static void print_result(const struct tree *status)
{
	const struct tree *result = tree_get(status, "result");

	printf("%s %s: %llu records of ours, %llu rows of the carrier's", text_of(status, "product"),
	       text_of(status, "month"), number_of(result, "rows_ours"), number_of(result, "rows_theirs"));
	printf("; %llu skipped, %llu of another product or direction, %llu duplicates\n", number_of(result, "skipped"),
	       number_of(result, "other"), number_of(result, "duplicates"));
	printf("price differs: %llu, duration: %llu, status: %llu\n\n", number_of(result, "price_differs"),
	       number_of(result, "duration_differs"), number_of(result, "status_differs"));
	printf("    %-4s %-4s %10s %20s %10s %20s %20s\n", "", "", "our rows", "our sum", "their rows", "their sum",
	       "difference");
	TREE_EACH(class, tree_get(result, "classes"))
	print_class(class);
	printf("\nreconciliation %s\n", text_of(status, "request_id"));
}

static int take_answer(const struct ctl *ctl, struct str answer, struct error *err)
{
	const char *dir = args_get(ctl->args, "output");
	struct tree *status = tree_parse(answer, err);
	int result = 0;

	if (!status)
		return -1;
	if (dir)
		result = get_files(ctl, text_of(status, "request_id"), dir, err);
	if (ctl->json && result == 0)
		result = ctl_print(ctl, answer, err);
	else if (result == 0)
		print_result(status);
	tree_free(status);
	return result;
}

/* --- the carrier's file --- */

struct sending {
	struct client client;
	struct progress progress;
	struct source *source;
	struct str unsent;
	bool more;
	char chunk[HEADER_BYTES + CHUNK_BYTES];
};

/* The next chunk, which is empty at the end of the file. */
static int read_chunk(struct sending *sending, struct error *err)
{
	size_t count = 0;
	int result = source_read(sending->source, sending->chunk + HEADER_BYTES, CHUNK_BYTES, &count, err);
	uint32_t header = htobe32((uint32_t)count);

	if (result < 0)
		return -1;
	memcpy(sending->chunk, &header, HEADER_BYTES);
	sending->unsent = (struct str){ sending->chunk, HEADER_BYTES + count };
	sending->more = result > 0;
	return 0;
}

static int converse(struct sending *sending, struct str *answer, struct error *err)
{
	struct client_line line;
	int got;

	for (;;) {
		while ((got = client_next_line(&sending->client, &line, err)) > 0) {
			if (!line.progress) {
				*answer = line.result;
				return 0;
			}
			if (!sending->more)
				progress_draw_line(&sending->progress, line.progress);
		}
		if (got < 0)
			return -1;
		if (sending->unsent.len == 0 && sending->more && !sending->client.cannot_send &&
		    read_chunk(sending, err) != 0)
			return -1;
		if (client_pump(&sending->client, &sending->unsent, err) != 0)
			return -1;
	}
}

/* The first file, of a zip. All options but the one that is for us alone. */
static int write_request(const struct ctl *ctl, struct buf *request, struct error *err)
{
	struct args args = { .synopsis = ctl->args->synopsis };
	int result = 0;

	for (size_t i = 0; i < ctl->args->count && result == 0; i++) {
		const struct args_value *value = &ctl->args->values[i];

		if (strcmp(value->param->name, "output") != 0)
			result = args_add(&args, value->param, value->text, err);
	}
	if (result == 0)
		client_write_request(request, ctl->spec->words, &args);
	args_free(&args);
	return result == 0 && request->failed ? error_set(err, ERROR_NOMEM, "Out of memory for the request") : result;
}

static int run(const struct ctl *ctl, struct sending *sending, struct buf *request, struct error *err)
{
	const char *file = args_get(ctl->args, "file");
	struct str answer = { NULL, 0 };
	int result;

	sending->source = source_open(file, err);
	if (!sending->source)
		return -1;
	result = source_next(sending->source, err);
	if (result == 0)
		return error_set(err, ERROR_INVALID, "%s: there is no file in it", file);
	if (result < 0 || write_request(ctl, request, err) != 0 || client_open(&sending->client, ctl->socket, err) != 0)
		return -1;
	sending->unsent = buf_str(request);
	sending->more = true;
	progress_begin(&sending->progress);
	result = converse(sending, &answer, err);
	progress_clear(&sending->progress);
	return result == 0 ? take_answer(ctl, answer, err) : -1;
}

int ctl_reconcile(const struct ctl *ctl, struct error *err)
{
	struct sending *sending = calloc(1, sizeof(*sending));
	struct buf request = { 0 };

	if (!sending)
		return error_set(err, ERROR_NOMEM, "Out of memory for a file");
	sending->client.fd = -1;
	int result = run(ctl, sending, &request, err);
	client_close(&sending->client);
	source_close(sending->source);
	buf_free(&request);
	free(sending);
	return result;
}
