/* SPDX-License-Identifier: ISC */
/*
 * media.c: GET and HEAD /v3/media/{file_id}, a report's file, whole or from where a broken download stopped.
 *
 * Byte ranges are those of RFC 9110, 14: one range is served; several at once are answered with the whole file, as is a
 * range whose If-Range no longer matches; a range without any byte of the file, however large its numbers, is 416. HEAD
 * ignores ranges. A ticket in place of credentials (tickets.h) is used up by the first answer to a GET. The ETag is the
 * file's SHA-256, so it is strong and does not change.
 */
#include <sys/stat.h>
#include <unistd.h>

#include "api/reports.h"
#include "api/tickets.h"

#define CONTENT_TYPE "application/octet-stream"
#define CONTENT_TYPE_PARQUET "application/vnd.apache.parquet"
#define ID_SHOWN 64

struct range {
	uint64_t first;
	uint64_t length;
};

enum range_kind { RANGE_NONE, RANGE_PART, RANGE_BEYOND };

/* Reads digits off *text; false if there are none. Larger numbers than any file's size become the largest. */
static bool take_number(struct str *text, uint64_t *number)
{
	size_t digits = 0;

	*number = 0;
	while (digits < text->len && text->p[digits] >= '0' && text->p[digits] <= '9') {
		uint64_t digit = (uint64_t)(text->p[digits++] - '0');

		*number = *number > (UINT64_MAX - digit) / 10 ? UINT64_MAX : *number * 10 + digit;
	}
	text->p += digits;
	text->len -= digits;
	return digits > 0;
}

static bool take_char(struct str *text, char c)
{
	if (text->len == 0 || text->p[0] != c)
		return false;
	text->p++;
	text->len--;
	return true;
}

/* bytes=-500: the last 500 */
static enum range_kind read_suffix(struct str text, uint64_t size, struct range *range)
{
	uint64_t count;

	if (!take_number(&text, &count) || text.len > 0)
		return RANGE_NONE;
	if (count == 0 || size == 0)
		return RANGE_BEYOND;
	range->length = count < size ? count : size;
	range->first = size - range->length;
	return RANGE_PART;
}

/* bytes=500-999, bytes=500- ; any other form counts as no range at all. */
static enum range_kind read_range(struct str text, uint64_t size, struct range *range)
{
	static const struct str unit = { "bytes=", 6 };
	uint64_t last = size - 1;

	if (text.len < unit.len || !str_equal_nocase((struct str){ text.p, unit.len }, unit))
		return RANGE_NONE;
	text.p += unit.len;
	text.len -= unit.len;
	if (take_char(&text, '-'))
		return read_suffix(text, size, range);
	if (!take_number(&text, &range->first) || !take_char(&text, '-'))
		return RANGE_NONE;
	if (text.len > 0 && (!take_number(&text, &last) || text.len > 0 || last < range->first))
		return RANGE_NONE;
	if (range->first >= size)
		return RANGE_BEYOND;
	range->length = (last < size ? last : size - 1) - range->first + 1;
	return RANGE_PART;
}

/* Is `etag` in the list of If-None-Match? Weak comparison; "*" is any. */
static bool etag_listed(struct str list, struct str etag)
{
	if (str_is(list, "*"))
		return true;
	return list.len >= etag.len && memmem(list.p, list.len, etag.p, etag.len) != NULL;
}

static void add_headers(struct http_request *request, const struct api_file *file, const char *etag)
{
	struct buf disposition = { 0 };

	buf_add_text(&disposition, "attachment; filename=\"");
	buf_add_str(&disposition, buf_str(&file->name));
	buf_add_char(&disposition, '"');
	http_reply_header(request, "Content-Disposition", buf_cstr(&disposition));
	http_reply_header(request, "ETag", etag);
	http_reply_header(request, "Accept-Ranges", "bytes");
	http_reply_header(request, "Cache-Control", "private, no-transform");
	buf_free(&disposition);
}

static void reply_beyond(struct http_request *request, uint64_t size)
{
	char range[48];

	(void)snprintf(range, sizeof(range), "bytes */%llu", (unsigned long long)size);
	http_reply_header(request, "Content-Range", range);
	http_reply_problem(request, 416, "Range Not Satisfiable", "The range holds no byte of the file.");
}

/* Counts as a download of the account until its last byte is sent. Takes over `fd`. */
static void send_bytes(struct http_request *request, const struct api *app, const struct api_file *file, int status,
                       int fd, uint64_t offset, uint64_t length)
{
	void *download = limits_use_begin(app->limits, api_account(request), LIMITS_DOWNLOADS);

	http_reply_file(request, status, file->type, fd, offset, length, limits_use_end, download);
}

static void reply_part(struct http_request *request, const struct api *app, const struct api_file *file, int fd,
                       const struct range *range, uint64_t size)
{
	char text[96];

	(void)snprintf(text, sizeof(text), "bytes %llu-%llu/%llu", (unsigned long long)range->first,
	               (unsigned long long)(range->first + range->length - 1), (unsigned long long)size);
	http_reply_header(request, "Content-Range", text);
	send_bytes(request, app, file, 206, fd, range->first, range->length);
}

/* Takes over `fd`. */
static void reply_file(struct http_request *request, const struct api *app, const struct api_file *file, int fd,
                       uint64_t size)
{
	struct str if_range = http_request_header(request, "If-Range");
	struct str wanted = http_request_header(request, "Range");
	struct range range = { 0 };
	enum range_kind kind = RANGE_NONE;
	char etag[MAKER_SHA256_LEN + 3];

	(void)snprintf(etag, sizeof(etag), "\"%s\"", file->sha256);
	if (wanted.p && !http_request_is_head(request) && (!if_range.p || str_is(if_range, etag)))
		kind = read_range(wanted, size, &range);
	if (kind == RANGE_BEYOND) {
		close(fd);
		reply_beyond(request, size);
		return;
	}
	add_headers(request, file, etag);
	if (etag_listed(http_request_header(request, "If-None-Match"), str_from(etag))) {
		close(fd);
		http_reply(request, 304, NULL, NULL);
	} else if (kind == RANGE_PART) {
		reply_part(request, app, file, fd, &range, size);
	} else {
		send_bytes(request, app, file, 200, fd, 0, size);
	}
}

static void reply_unknown(struct http_request *request)
{
	struct str id = http_request_segment(request);
	struct buf detail = { 0 };

	if (id.len > ID_SHOWN)
		id.len = ID_SHOWN;
	buf_addf(&detail, "File %.*s does not exist, or you do not have access.", STR_ARGS(id));
	http_reply_problem(request, 404, "Invalid file ID", buf_cstr(&detail));
	buf_free(&detail);
}

/* The download begins: a ticket that it is made with is used. A HEAD downloads nothing. */
static bool may_begin(const struct http_request *request, const struct api *app)
{
	struct buf ticket = { 0 };
	bool may = http_request_is_head(request) || !api_ticket_of(request, &ticket) ||
	           api_ticket_use(app, buf_str(&ticket));

	buf_free(&ticket);
	return may;
}

static int open_file(const struct api *app, const struct api_file *file, struct error *err)
{
	return file->of_reconcile ? reconcile_open_file(app->reconciles, file->job, file->class, err) :
	                            reports_open_file(app->reports, &file->report, err);
}

static void open_and_reply(struct http_request *request, const struct api *app, const struct api_file *file)
{
	struct error err;
	struct stat st;
	int fd = open_file(app, file, &err);

	if (fd < 0) {
		http_reply_error(request, &err);
	} else if (fstat(fd, &st) != 0 || (uint64_t)st.st_size != file->bytes) {
		close(fd);
		error_set(&err, ERROR_CORRUPT, "file %s: has not the length it should have", file->id);
		http_reply_error(request, &err);
	} else if (!may_begin(request, app)) {
		close(fd);
		api_reply_invalid_ticket(request, "The ticket was used meanwhile.");
	} else {
		reply_file(request, app, file, fd, file->bytes);
	}
}

/* 1; 0: there is none, or the account may not have it; -1. */
static int find_of_report(const struct http_request *request, const struct api *app, struct api_file *file,
                          struct error *err)
{
	struct report *report = &file->report;

	if (reports_get_file(app->reports, http_request_segment(request), report, err) < 0) {
		*report = (struct report){ 0 };
		return err->code == ERROR_NOT_FOUND ? 0 : -1;
	}
	memcpy(file->id, report->file_id, sizeof(file->id));
	memcpy(file->sha256, report->sha256, sizeof(file->sha256));
	file->bytes = report->bytes;
	report_file_name(report, &file->name);
	file->type = report_is_parquet(report) ? CONTENT_TYPE_PARQUET : CONTENT_TYPE;
	int visible = api_report_is_visible(request, app, report, err);

	if (visible > 0 && !report->has_file)
		return error_set(err, ERROR_UNAVAILABLE, "The file is being made anew");
	return visible;
}

static int find_of_reconcile(const struct http_request *request, const struct api *app, struct api_file *file,
                             struct error *err)
{
	int visible = api_reconcile_file(request, app, &file->job, &file->class, err);

	if (visible <= 0)
		return visible;
	const struct reconcile_file *made = &file->job->files[file->class];
	file->of_reconcile = true;
	memcpy(file->id, made->id, sizeof(file->id));
	memcpy(file->sha256, made->made.sha256, sizeof(file->sha256));
	file->bytes = made->made.bytes;
	reconcile_file_name(file->job, file->class, &file->name);
	file->type = CONTENT_TYPE;
	return 1;
}

void api_file_free(struct api_file *file)
{
	buf_free(&file->name);
	report_free(&file->report);
}

bool api_media_find(struct http_request *request, const struct api *app, struct api_file *file)
{
	struct error err;

	*file = (struct api_file){ .bytes = 0 };
	int visible = find_of_report(request, app, file, &err);
	if (visible == 0 && !file->id[0])
		visible = find_of_reconcile(request, app, file, &err);
	if (visible > 0)
		return true;
	if (visible < 0)
		http_reply_error(request, &err);
	else
		reply_unknown(request);
	api_file_free(file);
	return false;
}

void api_media_get(struct http_request *request, void *arg)
{
	const struct api *app = arg;
	struct api_file file;

	if (!api_media_find(request, app, &file))
		return;
	open_and_reply(request, app, &file);
	api_file_free(&file);
}
