/* SPDX-License-Identifier: ISC */
/*
 * multipart.c: the steps of an upload in parts. See multipart.h.
 *
 * What is kept: lines of the file's SHA-256, the size of a part, the upload's id, and the tags of the parts that are sent.
 */
#include "callback/multipart.h"

#include <inttypes.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HTTP_NOT_FOUND 404
#define ID_MAX 2048
#define TAG_MAX 200
#define FILE_BYTES_MAX ((int64_t)5 << 40) /* S3 takes no larger ones */
#define CREATE_QUERY "uploads="           /* libcurl signs a parameter without "=" wrongly */

/* --- texts --- */

/* What stands between <name> and </name>. */
static struct str find_element(struct str xml, const char *name)
{
	char begin[32], end[32];

	(void)snprintf(begin, sizeof(begin), "<%s>", name);
	(void)snprintf(end, sizeof(end), "</%s>", name);
	const char *at = xml.len > 0 ? memmem(xml.p, xml.len, begin, strlen(begin)) : NULL;
	if (!at)
		return (struct str){ "", 0 };
	at += strlen(begin);
	const char *to = memmem(at, (size_t)(xml.p + xml.len - at), end, strlen(end));
	return to ? (struct str){ at, (size_t)(to - at) } : (struct str){ "", 0 };
}

bool multipart_has_error(struct str answer)
{
	return answer.len > 0 && memmem(answer.p, answer.len, "<Error>", strlen("<Error>"));
}

/* Printable ASCII: it goes to a log, a header and a page. */
static void add_shown(struct buf *out, const char *between, struct str text, size_t most)
{
	if (text.len > 0)
		buf_add_text(out, between);
	for (size_t i = 0; i < text.len && out->len < most; i++)
		buf_add_char(out, text.p[i] >= ' ' && text.p[i] <= '~' ? text.p[i] : '?');
}

void multipart_add_reason(struct buf *out, struct str answer, size_t most)
{
	struct str code = find_element(answer, "Code");

	if (!multipart_has_error(answer))
		return;
	most += out->len;
	add_shown(out, ", ", code.len > 0 ? code : STR_LITERAL("an error without a code"), most);
	add_shown(out, ": ", find_element(answer, "Message"), most);
}

/* Can it be kept in a line, and stand in XML as it is? */
static bool is_plain(struct str text, size_t len_max)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.p[i] <= ' ' || text.p[i] > '~' || strchr("<>&", text.p[i]))
			return false;
	return text.len > 0 && text.len <= len_max;
}

/* Takes a line off the text; empty at its end. */
static struct str take_line(struct str *text)
{
	const char *end = text->len > 0 ? memchr(text->p, '\n', text->len) : NULL;
	struct str line = { text->p, end ? (size_t)(end - text->p) : 0 };

	if (end)
		*text = (struct str){ end + 1, text->len - line.len - 1 };
	return line;
}

void multipart_keep(const struct multipart *multipart, struct buf *out)
{
	if (multipart->id.len == 0)
		return;
	buf_add_str(out, buf_str(&multipart->sha256));
	buf_addf(out, "\n%" PRId64 "\n", multipart->part_bytes);
	buf_add_str(out, buf_str(&multipart->id));
	buf_add_char(out, '\n');
	buf_add_str(out, buf_str(&multipart->tags));
}

/* The size of a part; 0 if the line is none. */
static int64_t read_size(struct str line)
{
	int64_t size = 0;

	for (size_t i = 0; i < line.len; i++) {
		if (line.p[i] < '0' || line.p[i] > '9' || size > FILE_BYTES_MAX / 10)
			return 0;
		size = size * 10 + (line.p[i] - '0');
	}
	return size;
}

static void read_kept(struct multipart *multipart, struct str kept)
{
	buf_add_str(&multipart->sha256, take_line(&kept));
	multipart->part_bytes = read_size(take_line(&kept));
	buf_add_str(&multipart->id, take_line(&kept));
	for (struct str tag; (tag = take_line(&kept)).len > 0; multipart->count++) {
		buf_add_str(&multipart->tags, tag);
		buf_add_text(&multipart->tags, "\n");
	}
}

/* --- steps --- */

static int64_t offset_of(const struct multipart *multipart)
{
	return (int64_t)multipart->count * multipart->part_bytes;
}

static enum multipart_step next_part(const struct multipart *multipart)
{
	return offset_of(multipart) < multipart->upload->size ? MULTIPART_PART : MULTIPART_COMPLETE;
}

/* No upload is begun. */
static void begin_anew(struct multipart *multipart)
{
	const struct upload *upload = multipart->upload;
	int64_t least = upload->size / MULTIPART_PARTS_MAX + 1;

	buf_clear(&multipart->id);
	buf_clear(&multipart->tags);
	buf_clear(&multipart->sha256);
	buf_add_str(&multipart->sha256, buf_str(&upload->sha256));
	multipart->count = 0;
	multipart->part_bytes = multipart->part_bytes_wanted > least ? multipart->part_bytes_wanted : least;
	multipart->step = upload->destination.type == DESTINATION_S3 && upload->size > multipart->part_bytes ?
	                          MULTIPART_CREATE :
	                          MULTIPART_NONE;
}

int multipart_begin(struct multipart *multipart, const struct upload *upload, struct str kept, int64_t part_bytes,
                    struct error *err)
{
	multipart->upload = upload;
	multipart->part_bytes_wanted = part_bytes;
	if (kept.len > 0 && upload->destination.type == DESTINATION_S3)
		read_kept(multipart, kept);
	if (multipart->id.len == 0 || multipart->part_bytes <= 0)
		begin_anew(multipart);
	else if (!str_equal(buf_str(&multipart->sha256), buf_str(&upload->sha256)))
		multipart->step = MULTIPART_ABORT; /* the file was made anew */
	else
		multipart->step = next_part(multipart);
	return multipart->id.failed || multipart->tags.failed || multipart->sha256.failed ?
	               error_set(err, ERROR_NOMEM, "out of memory") :
	               0;
}

bool multipart_give_up(struct multipart *multipart)
{
	if (multipart->id.len == 0)
		return false;
	multipart->step = MULTIPART_ABORT;
	return true;
}

/* --- requests --- */

/* Parameters in the order of their names, as libcurl signs them as they stand. */
static bool add_query(const struct multipart *multipart, struct buf *query)
{
	if (multipart->step == MULTIPART_CREATE) {
		buf_add_text(query, CREATE_QUERY);
		return buf_cstr(query) != NULL;
	}
	char *id = curl_easy_escape(NULL, multipart->id.data, (int)multipart->id.len);
	if (!id)
		return false;
	if (multipart->step == MULTIPART_PART)
		buf_addf(query, "partNumber=%zu&", multipart->count + 1);
	buf_addf(query, "uploadId=%s", id);
	curl_free(id);
	return buf_cstr(query) != NULL;
}

static void write_body(struct multipart *multipart)
{
	struct str tags = buf_str(&multipart->tags), tag;
	struct buf *body = &multipart->body;

	buf_clear(body);
	if (multipart->step != MULTIPART_COMPLETE)
		return;
	buf_add_text(body, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
	for (size_t i = 1; (tag = take_line(&tags)).len > 0; i++)
		buf_addf(body, "<Part><PartNumber>%zu</PartNumber><ETag>%.*s</ETag></Part>", i, STR_ARGS(tag));
	buf_add_text(body, "</CompleteMultipartUpload>");
}

/* A part's would have to be read for it, all at once: TLS and the tag protect it. */
static void add_sha256(const struct multipart *multipart, struct buf *sha256)
{
	uint8_t digest[SHA256_DIGEST_LENGTH];
	char text[2 * sizeof(digest) + 1];

	if (multipart->step == MULTIPART_PART) {
		buf_add_text(sha256, "UNSIGNED-PAYLOAD");
		return;
	}
	SHA256((const uint8_t *)multipart->body.data, multipart->body.len, digest);
	str_write_hex(text, digest, sizeof(digest));
	buf_add_text(sha256, text);
}

/* As one text: a query that is set alone gets its percent-encodings in lower case, which S3 signs in upper case. */
static int set_url(struct multipart *multipart, CURLU *url)
{
	struct buf text = { 0 };
	char *file = NULL;

	if (multipart->url)
		curl_url_cleanup(multipart->url);
	multipart->url = curl_url();
	if (multipart->url && curl_url_get(url, CURLUPART_URL, &file, 0) == CURLUE_OK)
		buf_addf(&text, "%s?", file);
	curl_free(file);
	int result = text.len > 0 && add_query(multipart, &text) &&
	                             curl_url_set(multipart->url, CURLUPART_URL, text.data, 0) == CURLUE_OK ?
	                     0 :
	                     -1;
	buf_free(&text);
	return result;
}

int multipart_fill(struct multipart *multipart, CURLU *url, struct transfer_request *request, struct buf *sha256,
                   struct error *err)
{
	static const char *const methods[] = {
		[MULTIPART_ABORT] = "DELETE",
		[MULTIPART_CREATE] = "POST",
		[MULTIPART_PART] = "PUT",
		[MULTIPART_COMPLETE] = "POST",
	};
	int64_t offset = offset_of(multipart), left = multipart->upload->size - offset;

	write_body(multipart);
	add_sha256(multipart, sha256);
	if (set_url(multipart, url) != 0 || multipart->body.failed || sha256->failed)
		return error_set(err, ERROR_NOMEM, "out of memory");
	request->method = methods[multipart->step];
	request->url = multipart->url;
	request->body = buf_str(&multipart->body);
	request->is_part = multipart->step == MULTIPART_PART;
	request->part_offset = offset;
	request->part_bytes = left < multipart->part_bytes ? left : multipart->part_bytes;
	return 0;
}

/* --- answers --- */

static int take_id(struct multipart *multipart, struct str answer, struct error *err)
{
	struct str id = find_element(answer, "UploadId");

	if (!is_plain(id, ID_MAX))
		return error_set(err, ERROR_CONFLICT, "the server's answer has no id of an upload");
	buf_add_str(&multipart->id, id);
	multipart->step = MULTIPART_PART;
	return multipart->id.failed ? error_set(err, ERROR_NOMEM, "out of memory") : 0;
}

static int take_tag(struct multipart *multipart, struct str tag, struct error *err)
{
	if (!is_plain(tag, TAG_MAX))
		return error_set(err, ERROR_CONFLICT, "the server's answer to part %zu has no ETag",
		                 multipart->count + 1);
	buf_add_str(&multipart->tags, tag);
	buf_add_text(&multipart->tags, "\n");
	multipart->count++;
	multipart->step = next_part(multipart);
	return multipart->tags.failed ? error_set(err, ERROR_NOMEM, "out of memory") : 0;
}

static int refused(struct multipart *multipart, const struct transfer_result *result, struct error *err)
{
	struct buf reason = { 0 };
	char what[48] = "upload in parts";

	if (multipart->step == MULTIPART_PART)
		(void)snprintf(what, sizeof(what), "part %zu", multipart->count + 1);
	multipart_add_reason(&reason, result->answer, MULTIPART_REASON_MAX);
	error_set(err, ERROR_CONFLICT, "%s: HTTP status %ld%.*s", what, result->status, STR_ARGS(buf_str(&reason)));
	buf_free(&reason);
	if (result->status == HTTP_NOT_FOUND && multipart->step != MULTIPART_CREATE)
		begin_anew(multipart); /* the server has forgotten the upload, or has completed it */
	return -1;
}

int multipart_answered(struct multipart *multipart, const struct transfer_result *result, struct error *err)
{
	bool is_gone = multipart->step == MULTIPART_ABORT && result->status == HTTP_NOT_FOUND;

	if (!is_gone && (result->status / 100 != 2 || multipart_has_error(result->answer)))
		return refused(multipart, result, err);
	switch (multipart->step) {
	case MULTIPART_CREATE:
		return take_id(multipart, result->answer, err);
	case MULTIPART_PART:
		return take_tag(multipart, result->tag, err);
	case MULTIPART_ABORT:
		begin_anew(multipart);
		return 0;
	default:
		multipart->step = MULTIPART_COMPLETED;
		return 0;
	}
}

void multipart_end(struct multipart *multipart)
{
	if (multipart->url)
		curl_url_cleanup(multipart->url);
	buf_free(&multipart->id);
	buf_free(&multipart->tags);
	buf_free(&multipart->sha256);
	buf_free(&multipart->body);
}
