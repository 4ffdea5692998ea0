/*
 * cdrs.c: POST /v1/cdrs, records in. The body streams into a batch of ingest/, which is answered after its commit.
 *
 * What the body is, Content-Type says; JSON is an array or lines by its first byte. Clients that send a type which
 * says nothing (curl's default, say) are taken for JSON if the first byte is '{' or '['. `?product=NAME` names the
 * product of records that name none, as in a report file's CSV; the other parameters are the settings of
 * record/ingest_settings.h, which hold instead of the producer's.
 */
#include <stdlib.h>

#include "http/routes.h"

#define DISK_RETRY_SECONDS "30" /* beside 507 when the disk is nearly full: a person has to make room */
#define ACCEPTED "application/x-ndjson, application/json, application/msgpack, text/csv"

enum body_kind { KIND_JSON, KIND_NDJSON, KIND_MSGPACK, KIND_CSV, KIND_UNSAID };

static const struct media_row {
	const char *type;
	enum body_kind kind;
} media[] = {
	{ "application/x-ndjson", KIND_NDJSON },
	{ "application/json", KIND_JSON },
	{ "application/msgpack", KIND_MSGPACK },
	{ "application/x-msgpack", KIND_MSGPACK },
	{ "application/vnd.msgpack", KIND_MSGPACK },
	{ "text/csv", KIND_CSV },
	{ "", KIND_UNSAID },
	{ "application/octet-stream", KIND_UNSAID },
	{ "application/x-www-form-urlencoded", KIND_UNSAID }, /* curl --data-binary */
};

struct upload {
	struct http_request *request;
	const struct disk *disk;
	struct ingest *ingest;
	struct ingest_batch *batch; /* NULL until the format is known */
	enum body_kind kind;
	struct query_params params;
	struct ingest_settings settings;
};

static void upload_free(struct upload *upload)
{
	query_params_free(&upload->params);
	free(upload);
}

static void reply_unsupported(struct http_request *request)
{
	http_reply_header(request, "Accept-Post", ACCEPTED);
	http_reply_problem(request, 415, "Unsupported Media Type", "The body must be one of " ACCEPTED ".");
}

/* A client that has to wait for room is told how much is missing; what else fails must not tell of the machine. */
static void reply_error(struct http_request *request, const struct disk *disk, const struct error *err)
{
	struct error low;

	if (err->code != ERROR_FULL || !disk_is_low(disk)) {
		http_reply_error(request, err);
		return;
	}
	disk_fail_low(disk, &low);
	http_reply_header(request, "Retry-After", DISK_RETRY_SECONDS);
	http_reply_problem(request, 507, "Insufficient Storage", low.message);
}

static void on_done(void *arg, const struct ingest_summary *summary, struct buf *answer, const struct error *err)
{
	struct upload *upload = arg;

	(void)summary;
	if (err)
		reply_error(upload->request, upload->disk, err);
	else
		http_reply(upload->request, 200, "application/json", answer);
	upload_free(upload);
}

static void on_gone(void *arg)
{
	struct upload *upload = arg;

	if (upload->batch)
		ingest_batch_abandon(upload->batch);
	upload_free(upload);
}

/* --- the format --- */

static bool find_media(struct str header, enum body_kind *kind)
{
	const char *semicolon = header.len > 0 ? memchr(header.p, ';', header.len) : NULL;
	struct str type = { header.p, semicolon ? (size_t)(semicolon - header.p) : header.len };

	while (type.len > 0 && (type.p[type.len - 1] == ' ' || type.p[type.len - 1] == '\t'))
		type.len--;
	for (size_t i = 0; i < sizeof(media) / sizeof(media[0]); i++)
		if (str_equal_nocase(type, str_from(media[i].type))) {
			*kind = media[i].kind;
			return true;
		}
	return false;
}

/* Skips white space; false when there is nothing else, so that nothing can be said yet. */
static bool find_first(struct str *data)
{
	while (data->len > 0 && strchr(" \t\r\n", data->p[0]) && data->p[0] != '\0') {
		data->p++;
		data->len--;
	}
	return data->len > 0;
}

static enum parse_format format_of(enum body_kind kind, struct str beginning)
{
	switch (kind) {
	case KIND_NDJSON:
		return PARSE_NDJSON;
	case KIND_MSGPACK:
		return PARSE_MSGPACK;
	case KIND_CSV:
		return PARSE_CSV;
	default:
		(void)beginning;
		return PARSE_JSON;
	}
}

/* Makes the batch; false if the request was answered instead, with the upload gone. */
static bool begin_batch(struct upload *upload, struct str beginning)
{
	struct http_request *request = upload->request;
	struct str product = query_params_get(&upload->params, "product");
	struct buf name = { 0 };
	struct error err;

	if (product.p)
		buf_add_str(&name, product);
	upload->batch =
		ingest_batch_new(upload->ingest, format_of(upload->kind, beginning), http_request_producer(request),
	                         product.p ? buf_cstr(&name) : NULL, &upload->settings, on_done, upload, &err);
	buf_free(&name);
	if (upload->batch)
		return true;
	reply_error(request, upload->disk, &err);
	upload_free(upload);
	return false;
}

/* --- the query --- */

/* The place of a setting, or INGEST_SETTINGS_COUNT. */
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

static void take_param(struct upload *upload, const struct query_param *param, struct query_problems *problems)
{
	size_t setting = find_setting(param->name);
	struct error why;

	if (is_given_before(&upload->params, param))
		query_problems_add(problems, param->name, "Given more than once");
	else if (str_is(param->name, "product"))
		return;
	else if (setting == INGEST_SETTINGS_COUNT)
		query_problems_add(problems, param->name,
		                   "Unknown parameter; there are product, mode, version, time_zone and encoding");
	else if (ingest_settings_set(&upload->settings, setting, param->value, &why) != 0)
		query_problems_add(problems, param->name, "%s", why.message);
}

/* The producer's settings, and what the query says instead. False if the request was answered. */
static bool take_query(struct upload *upload, struct store *store)
{
	struct http_request *request = upload->request;
	struct query_problems problems;
	struct producer producer;
	struct error err;

	if (query_params_decode(&upload->params, http_request_query(request), &err) < 0 ||
	    producers_get(store, str_from(http_request_producer(request)), &producer, &err) != 0) {
		http_reply_error(request, &err);
		return false;
	}
	upload->settings = producer.settings;
	query_problems_clear(&problems);
	for (size_t i = 0; i < upload->params.count; i++)
		take_param(upload, &upload->params.list[i], &problems);
	if (problems.count > 0)
		http_reply_invalid(request, &problems);
	return problems.count == 0;
}

/* --- the stream --- */

static void on_data(void *arg, const char *data, size_t len)
{
	struct upload *upload = arg;
	struct str rest = { data, len };
	bool guess = upload->kind == KIND_JSON || upload->kind == KIND_UNSAID;
	struct error err;

	if (!upload->batch) {
		if (guess && !find_first(&rest))
			return;
		if (upload->kind == KIND_UNSAID && rest.p[0] != '{' && rest.p[0] != '[') {
			reply_unsupported(upload->request);
			upload_free(upload);
			return;
		}
		if (!begin_batch(upload, rest))
			return;
	}
	ingest_batch_feed(upload->batch, rest.p, rest.len);
	/* The client need not send the rest to hear of it. */
	if (ingest_batch_failed(upload->batch, &err)) {
		reply_error(upload->request, upload->disk, &err);
		on_gone(upload);
	}
}

static void on_end(void *arg)
{
	struct upload *upload = arg;

	/* An empty body is a batch of no records. */
	if (!upload->batch && !begin_batch(upload, STR_LITERAL("")))
		return;
	http_request_on_close(upload->request, on_gone, upload);
	ingest_batch_finish(upload->batch);
}

void http_cdrs_post(struct http_request *request, void *app)
{
	static const struct http_stream stream = { on_data, on_end, on_gone };
	struct http_app *shared = app;
	struct upload *upload;
	enum body_kind kind;
	struct error err;

	if (disk_is_low(shared->disk)) {
		disk_fail_low(shared->disk, &err);
		reply_error(request, shared->disk, &err);
		return;
	}
	if (!find_media(http_request_header(request, "Content-Type"), &kind)) {
		reply_unsupported(request);
		return;
	}
	upload = calloc(1, sizeof(*upload));
	if (!upload) {
		error_set(&err, ERROR_NOMEM, "Out of memory for an upload");
		http_reply_error(request, &err);
		return;
	}
	upload->request = request;
	upload->disk = shared->disk;
	upload->ingest = shared->ingest;
	upload->kind = kind;
	if (!take_query(upload, shared->store)) {
		upload_free(upload);
		return;
	}
	http_request_stream(request, &stream, upload);
}
