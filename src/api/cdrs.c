/* SPDX-License-Identifier: ISC */
/*
 * cdrs.c: POST /v1/cdrs, records in. The body streams into a batch of ingest/, which is answered after its commit.
 *
 * Content-Type says what the body is; JSON's first byte says whether it is an array or lines. A body whose type says
 * nothing (curl's default, say) is taken for JSON if its first byte is '{' or '['. `?product=NAME` names the product of
 * records that name none, as in a report file's CSV; the other parameters are the settings of record/ingest_settings.h,
 * which override the producer's. With a mapping among these, the body is what the mapping says, of whatever type.
 */
#include <stdlib.h>

#include "http/parser.h"
#include "api/form.h"
#include "api/invalid.h"
#include "api/routes.h"

#define DISK_RETRY_SECONDS "30" /* with 507 when the disk is nearly full: a person has to make room */
#define FORM_FACTOR 3           /* bytes that one is encoded in at most */
#define ACCEPTED "application/x-ndjson, application/json, application/msgpack, text/csv"

enum body_kind { KIND_JSON, KIND_NDJSON, KIND_MSGPACK, KIND_CSV, KIND_UNSAID, KIND_MAPPED };

static const struct media_row {
	const char *type;
	enum body_kind kind;
} media[] = {
	{ "application/x-ndjson", KIND_NDJSON },
	{ "application/ndjson", KIND_NDJSON },
	{ "application/jsonl", KIND_NDJSON },
	{ "application/x-jsonl", KIND_NDJSON },
	{ "application/jsonlines", KIND_NDJSON },
	{ "application/x-jsonlines", KIND_NDJSON },
	{ "application/json-lines", KIND_NDJSON },
	{ "application/x-json-lines", KIND_NDJSON },
	{ "text/jsonl", KIND_NDJSON },
	{ "text/x-ndjson", KIND_NDJSON },
	{ "application/json", KIND_JSON },
	{ "text/json", KIND_JSON },
	{ "text/x-json", KIND_JSON },
	{ "application/x-json", KIND_JSON },
	{ "application/msgpack", KIND_MSGPACK },
	{ "application/x-msgpack", KIND_MSGPACK },
	{ "application/vnd.msgpack", KIND_MSGPACK },
	{ "text/csv", KIND_CSV },
	{ "application/csv", KIND_CSV },
	{ "text/x-csv", KIND_CSV },
	{ "", KIND_UNSAID },
	{ "text/plain", KIND_UNSAID },
	{ "application/octet-stream", KIND_UNSAID },
	{ "application/x-www-form-urlencoded", KIND_UNSAID }, /* curl --data-binary */
};

struct upload {
	LIST_ENTRY(upload) link;
	struct http_request *request;
	const struct disk *disk;
	struct ingest *ingest;
	struct ingest_batch *batch;
	size_t form_max_bytes;
	struct form form; /* of a mapping's body */
	enum body_kind kind;
	bool begun;       /* KIND_UNSAID: the first byte was seen */
	bool finished;    /* all of it that is accepted was fed */
	int fault_status; /* of the HTTP fault that ended it early; 0: none */
	struct query_params params;
	struct ingest_settings settings;
};

static void upload_free(struct upload *upload)
{
	LIST_REMOVE(upload, link);
	query_params_free(&upload->params);
	form_free(&upload->form);
	free(upload);
}

static void reply_unsupported(struct http_request *request)
{
	http_reply_header(request, "Accept-Post", ACCEPTED);
	http_reply_problem(request, 415, "Unsupported Media Type", "The body must be one of " ACCEPTED ".");
}

/* A client that must wait for room learns how much is missing; other errors must not reveal anything about the
 * machine. */
static void reply_error(struct http_request *request, const struct disk *disk, const struct error *err,
                        struct str members)
{
	struct error low;

	if (err->code == ERROR_INVALID) {
		http_reply_problem_with(request, 400, "Unreadable body", err->message, members);
	} else if (err->code != ERROR_FULL || !disk_is_low(disk)) {
		http_reply_error_with(request, err, members);
	} else {
		disk_fail_low(disk, &low);
		http_reply_header(request, "Retry-After", DISK_RETRY_SECONDS);
		http_reply_problem_with(request, 507, "Insufficient Storage", low.message, members);
	}
}

/* What a JSON object has between its braces. */
static struct str members_of(const struct buf *object)
{
	struct str text = buf_str(object);

	return text.len > 2 ? (struct str){ text.p + 1, text.len - 2 } : (struct str){ NULL, 0 };
}

static void on_done(void *arg, const struct ingest_summary *summary, struct buf *answer, const struct error *err)
{
	struct upload *upload = arg;
	int status = upload->fault_status;

	(void)summary;
	if (!err)
		http_reply(upload->request, 200, "application/json", answer);
	else if (status != 0)
		http_reply_problem_with(upload->request, status, http_status_phrase(status), err->message,
		                        members_of(answer));
	else
		reply_error(upload->request, upload->disk, err, members_of(answer));
	upload_free(upload);
}

static void on_gone(void *arg)
{
	struct upload *upload = arg;

	if (upload->batch)
		ingest_batch_abandon(upload->batch);
	upload_free(upload);
}

void api_cdrs_end_all(struct api *app, const struct error *why)
{
	struct upload *upload;

	while ((upload = LIST_FIRST(&app->uploads))) {
		struct http_request *request = upload->request;

		on_gone(upload);
		http_reply_error(request, why);
	}
}

/* --- the format --- */

/* A Content-Type without its parameters. */
static struct str media_type(struct str header)
{
	const char *semicolon = header.len > 0 ? memchr(header.p, ';', header.len) : NULL;
	struct str type = { header.p, semicolon ? (size_t)(semicolon - header.p) : header.len };

	while (type.len > 0 && (type.p[type.len - 1] == ' ' || type.p[type.len - 1] == '\t'))
		type.len--;
	return type;
}

static bool find_media(struct str type, enum body_kind *kind)
{
	for (size_t i = 0; i < sizeof(media) / sizeof(media[0]); i++)
		if (str_equal_nocase(type, str_from(media[i].type))) {
			*kind = media[i].kind;
			return true;
		}
	return false;
}

static enum parse_format format_of(enum body_kind kind)
{
	static const enum parse_format formats[] = {
		[KIND_JSON] = PARSE_JSON, [KIND_NDJSON] = PARSE_NDJSON, [KIND_MSGPACK] = PARSE_MSGPACK,
		[KIND_CSV] = PARSE_CSV,   [KIND_UNSAID] = PARSE_JSON,   [KIND_MAPPED] = PARSE_MAPPED,
	};

	return formats[kind];
}

/* Makes the batch; false if the request was answered instead. */
static bool begin_batch(struct upload *upload)
{
	struct http_request *request = upload->request;
	struct str product = query_params_get(&upload->params, "product");
	struct buf name = { 0 };
	struct error err;

	if (product.p)
		buf_add_str(&name, product);
	upload->batch = ingest_batch_new(upload->ingest, format_of(upload->kind), api_producer(request),
	                                 product.p ? buf_cstr(&name) : NULL, &upload->settings, on_done, upload, &err);
	buf_free(&name);
	if (!upload->batch && err.code == ERROR_INVALID) /* a parameter of the query is wrong */
		http_reply_error(request, &err);
	else if (!upload->batch)
		reply_error(request, upload->disk, &err, (struct str){ NULL, 0 });
	return upload->batch != NULL;
}

/* --- the query --- */

/* The index of a setting, or INGEST_SETTINGS_COUNT. */
static size_t find_setting(struct str name)
{
	size_t i = 0;

	while (i < INGEST_SETTINGS_COUNT && !str_is(name, ingest_settings_name(i)))
		i++;
	return i;
}

static bool is_given_before(const struct query_params *params, const struct query_param *param)
{
	for (const struct query_param *other = params->list; other < param; other++)
		if (str_equal(other->name, param->name))
			return true;
	return false;
}

/* The parameter uuid, also of mod_json_cdr, says nothing that the body does not say. */
static bool takes_uuid(const struct upload *upload)
{
	return upload->settings.mapping[0] || query_params_get(&upload->params, "mapping").len > 0;
}

/*
 * mod_json_cdr appends `?uuid=...` to its URL, even if that has a query, so that the mapping's name seems to have it.
 * No name does.
 */
static struct str without_uuid(struct str name, struct str value)
{
	const char *mark = str_is(name, "mapping") && value.len > 0 ? memchr(value.p, '?', value.len) : NULL;

	return mark ? (struct str){ value.p, (size_t)(mark - value.p) } : value;
}

static void take_param(struct upload *upload, const struct query_param *param, struct query_problems *problems)
{
	size_t setting = find_setting(param->name);
	struct error why;

	if (is_given_before(&upload->params, param))
		query_problems_add(problems, param->name, "Given more than once");
	else if (str_is(param->name, "product") || (str_is(param->name, "uuid") && takes_uuid(upload)))
		return;
	else if (setting == INGEST_SETTINGS_COUNT)
		query_problems_add(
			problems, param->name,
			"Unknown parameter; there are product, mode, version, time_zone, encoding, mapping and account_id");
	else if (ingest_settings_set(&upload->settings, setting, without_uuid(param->name, param->value), &why) != 0)
		query_problems_add(problems, param->name, "%s", why.message);
}

/* The producer's settings, overridden by the query's. False if the request was answered. */
static bool take_query(struct upload *upload, struct meta *meta)
{
	struct http_request *request = upload->request;
	struct query_problems problems;
	struct producer producer;
	struct error err;

	if (query_params_decode(&upload->params, http_request_query(request), &err) < 0 ||
	    producers_get(meta, str_from(api_producer(request)), &producer, &err) != 0) {
		http_reply_error(request, &err);
		return false;
	}
	upload->settings = producer.settings;
	query_problems_clear(&problems);
	for (size_t i = 0; i < upload->params.count; i++)
		take_param(upload, &upload->params.list[i], &problems);
	if (upload->settings.account_id[0] && !upload->settings.mapping[0] &&
	    query_params_get(&upload->params, "account_id").p)
		query_problems_add(&problems, STR_LITERAL("account_id"), "Only for bodies of a mapping");
	if (problems.count > 0)
		api_reply_invalid(request, &problems);
	return problems.count == 0;
}

/* --- the stream --- */

/* Is the body's first byte, white space and a byte order mark apart, one that JSON may begin with? True before there is
 * one. */
static bool may_be_json(struct upload *upload, const char *data, size_t len)
{
	for (size_t i = 0; i < len && !upload->begun; i++) {
		if (data[i] && strchr(" \t\r\n\xef\xbb\xbf", data[i]))
			continue;
		upload->begun = true;
		return data[i] == '{' || data[i] == '[';
	}
	return true;
}

static void finish(struct upload *upload)
{
	upload->finished = true;
	http_request_on_close(upload->request, on_gone, upload);
	ingest_batch_finish(upload->batch);
}

/* Ends the body before its end. */
static void stop(struct upload *upload, const struct error *why)
{
	upload->finished = true;
	upload->fault_status = why->code == ERROR_LIMIT ? 413 : 0;
	http_request_on_close(upload->request, on_gone, upload);
	ingest_batch_stop(upload->batch, why);
}

static void on_room(void *arg)
{
	const struct upload *upload = arg;

	http_request_hold_body(upload->request, false);
}

static void feed(struct upload *upload, struct str text)
{
	if (text.len > 0)
		ingest_batch_feed(upload->batch, text.p, text.len);
	/* The client gets its answer without sending the rest. */
	if (ingest_batch_is_over(upload->batch))
		finish(upload);
	else if (ingest_batch_must_wait(upload->batch, on_room))
		http_request_hold_body(upload->request, true);
}

static void on_data(void *arg, const char *data, size_t len)
{
	struct upload *upload = arg;

	if (upload->finished)
		return;
	if (upload->kind == KIND_UNSAID && !may_be_json(upload, data, len)) {
		reply_unsupported(upload->request);
		on_gone(upload);
		return;
	}
	struct str text;
	struct error err;
	if (form_feed(&upload->form, (struct str){ data, len }, upload->form_max_bytes, &text, &err) != 0)
		stop(upload, &err);
	else
		feed(upload, text);
}

static void on_end(void *arg)
{
	struct upload *upload = arg;
	struct str text;
	struct error err;

	if (upload->finished)
		return;
	if (form_finish(&upload->form, &text, &err) != 0)
		stop(upload, &err);
	else
		feed(upload, text);
	if (!upload->finished)
		finish(upload);
}

/* The answer also tells what became of the records before the fault. */
static void on_fault(void *arg, const struct http_fault *fault)
{
	struct upload *upload = arg;
	size_t len = strlen(fault->detail);
	struct error why;

	if (upload->finished)
		return;
	upload->finished = true;
	upload->fault_status = fault->status;
	if (len > 0 && fault->detail[len - 1] == '.')
		len--; /* the sentence goes on */
	error_set(&why, ERROR_INVALID, "%.*s", (int)len, fault->detail);
	ingest_batch_stop(upload->batch, &why);
}

/* What the body is; false if the request was answered. */
static bool take_type(struct upload *upload, struct str type)
{
	bool known = find_media(type, &upload->kind);

	if (upload->settings.mapping[0]) {
		upload->kind = KIND_MAPPED;
		upload->form.kind = form_kind_of(type);
	} else if (!known) {
		reply_unsupported(upload->request);
		return false;
	}
	return true;
}

void api_cdrs_post(struct http_request *request, void *app)
{
	static const struct http_stream stream = { on_data, on_end, on_gone, on_fault };
	struct api *shared = app;
	struct str type = media_type(http_request_header(request, "Content-Type"));
	struct upload *upload;
	struct error err;

	if (disk_is_low(shared->disk)) {
		disk_fail_low(shared->disk, &err);
		reply_error(request, shared->disk, &err, (struct str){ NULL, 0 });
		return;
	}
	upload = calloc(1, sizeof(*upload));
	if (!upload) {
		error_set(&err, ERROR_NOMEM, "Out of memory for an upload");
		http_reply_error(request, &err);
		return;
	}
	LIST_INSERT_HEAD(&shared->uploads, upload, link);
	upload->request = request;
	upload->disk = shared->disk;
	upload->ingest = shared->ingest;
	upload->form_max_bytes = FORM_FACTOR * (size_t)shared->config->line_max;
	if (!take_query(upload, shared->meta) || !take_type(upload, type) || !begin_batch(upload)) {
		upload_free(upload);
		return;
	}
	http_request_stream(request, &stream, upload);
}
