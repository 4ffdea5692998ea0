/* SPDX-License-Identifier: ISC */
/*
 * command_import.c: `import`, imports records through the admin socket.
 *
 * One body is one batch of ingest/. It is fed as it arrives, and nothing is read from the socket meanwhile, so that the
 * client is throttled to the disk's speed. cdrctl sends each file as a separate import, whose name is only for the log,
 * many of them ahead of the answers: small files share commits.
 */
#include <stdlib.h>
#include <string.h>

#include "admin/command.h"
#include "admin/ingest_args.h"
#include "catalog/catalog.h"

#define PRODUCER "import" /* in quarantine entries */

static const struct format_row {
	const char *name;
	enum parse_format format;
} formats[] = {
	{ "ndjson", PARSE_NDJSON }, /* the default */
	{ "csv", PARSE_CSV },
	{ "json", PARSE_JSON_ARRAY },
	{ "msgpack", PARSE_MSGPACK },
};

struct import {
	struct admin_reply *reply;
	struct ingest_batch *batch;
	char *name;
	uint64_t bytes;
	bool finished; /* all that is accepted was fed */
};

static void import_free(struct import *import)
{
	free(import->name);
	free(import);
}

static void write_progress(struct import *import)
{
	struct ingest_summary summary;

	if (!admin_reply_progress_due(import->reply))
		return;
	ingest_batch_summary(import->batch, &summary);
	struct json *j = admin_reply_progress_begin(import->reply);
	json_member_uint(j, "done_bytes", import->bytes);
	ingest_summary_write(&summary, j);
	admin_reply_progress_end(import->reply);
}

static void finish(struct import *import)
{
	if (!import->finished)
		ingest_batch_finish(import->batch);
	import->finished = true;
}

static void on_room(void *arg)
{
	const struct import *import = arg;

	admin_reply_hold_body(import->reply, false);
}

static void on_data(void *arg, const char *data, size_t len)
{
	struct import *import = arg;

	if (import->finished)
		return;
	ingest_batch_feed(import->batch, data, len);
	import->bytes += len;
	write_progress(import);
	/* A full disk, or a file that can't be read further: the client gets the answer without sending the rest. */
	if (ingest_batch_is_over(import->batch))
		finish(import);
	else if (ingest_batch_must_wait(import->batch, on_room))
		admin_reply_hold_body(import->reply, true);
}

/* The next file is read while this one waits for its commit, which it then shares; but not after one that will fail. */
static void on_end(void *arg)
{
	struct import *import = arg;

	finish(import);
	if (!ingest_batch_is_over(import->batch))
		admin_reply_leave(import->reply);
}

static void on_done(void *arg, const struct ingest_summary *summary, struct buf *answer, const struct error *err)
{
	struct import *import = arg;

	if (err) {
		admin_reply_error(import->reply, err);
	} else {
		admin_reply_log(
			import->reply,
			"import of %s: %llu accepted, %llu updated, %llu duplicates, %llu outdated, %llu rejected",
			import->name, (unsigned long long)summary->accepted, (unsigned long long)summary->updated,
			(unsigned long long)summary->duplicates, (unsigned long long)summary->outdated,
			(unsigned long long)summary->rejected);
		json_raw(admin_reply_result(import->reply), buf_str(answer));
		admin_reply_send(import->reply);
	}
	import_free(import);
}

/* Records already put stay. */
static void on_close(void *arg)
{
	struct import *import = arg;

	admin_reply_log(import->reply, "import of %s: ends after %llu bytes, as %s", import->name,
	                (unsigned long long)import->bytes, admin_reply_close_reason(import->reply));
	ingest_batch_abandon(import->batch);
	import_free(import);
}

static int find_format(const struct args *args, enum parse_format *format, struct error *err)
{
	const char *name = args_get(args, "format");

	*format = formats[0].format;
	if (!name)
		return 0;
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (strcmp(formats[i].name, name) == 0) {
			*format = formats[i].format;
			return 0;
		}
	return error_set(err, ERROR_INVALID, "--format: \"%.64s\": must be ndjson, csv, json or msgpack", name);
}

static int check_product(const char *name, struct error *err)
{
	if (name && !catalog_product_find(str_from(name)))
		return error_set(err, ERROR_NOT_FOUND, "--product: \"%.64s\": no such product", name);
	return 0;
}

static struct import *import_new(const struct admin_context *context, const struct args *args,
                                 struct admin_reply *reply, struct error *err)
{
	const char *product = args_get(args, "product");
	struct ingest_settings settings = { 0 };
	enum parse_format format;

	if (find_format(args, &format, err) != 0 || check_product(product, err) != 0 ||
	    ingest_args_read(args, &settings, err) != 0)
		return NULL;
	if (settings.mapping[0])
		format = PARSE_MAPPED;
	struct import *import = calloc(1, sizeof(*import));
	if (!import || !(import->name = strdup(args_get(args, "file")))) {
		free(import);
		error_set(err, ERROR_NOMEM, "Out of memory for an import");
		return NULL;
	}
	import->reply = reply;
	import->batch = ingest_batch_new(context->ingest, format, PRODUCER, product, &settings, on_done, import, err);
	if (import->batch) {
		ingest_batch_fold_errors(import->batch);
		return import;
	}
	import_free(import);
	return NULL;
}

void admin_import(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	static const struct admin_body body = { on_data, on_end };
	struct error err;
	struct import *import = import_new(context, args, reply, &err);

	/* Declare the body before an error, so that the connection is closed after it. */
	admin_reply_body(reply, &body, import);
	if (!import) {
		admin_reply_error(reply, &err);
		return;
	}
	admin_reply_on_close(reply, on_close, import);
}
