/* SPDX-License-Identifier: ISC */
/*
 * body.c: from received bytes to content. See body.h.
 *
 * Two limits guard against decompression bombs: bytes_max on the output and, since ingest bodies may be of any size,
 * ratio_max on how many bytes one may expand to. The ratio counts only beyond RATIO_FREE_BYTES, because a short
 * repetitive body may well exceed it without harm.
 */
#include "http/body.h"

#include <inttypes.h>
#include <string.h>

#define RATIO_FREE_BYTES (UINT64_C(1) << 20)

void http_content_begin(struct http_content *content, const struct http_head *head)
{
	memset(content, 0, sizeof(*content));
	content->chunked = head->chunked;
	content->left = head->content_length;
	content->finished = !head->chunked && head->content_length == 0;
}

int http_content_decode(struct http_content *content, struct str encoding, uint64_t bytes_max, uint64_t ratio_max,
                        const char *setting, struct http_fault *fault)
{
	enum http_coding coding;

	content->bytes_max = bytes_max;
	content->ratio_max = ratio_max;
	content->setting = setting;
	if (!http_coding_parse(encoding, &coding))
		return http_fault_set(fault, 415, "Content-Encoding %.*s is not taken, only %s.",
		                      (int)(encoding.len < 64 ? encoding.len : 64), encoding.p, HTTP_CODINGS_TAKEN);
	/* A compressed one too: decompression will not make it shorter. */
	if (bytes_max > 0 && !content->chunked && content->left > bytes_max)
		return http_fault_set(fault, 413, "The body has %" PRIu64 " bytes, at most %" PRIu64 " allowed (%s).",
		                      content->left, bytes_max, setting);
	if (coding == HTTP_CODING_IDENTITY || content->finished)
		return 0;
	content->inflate = http_inflate_new(coding);
	if (!content->inflate)
		return http_fault_set(fault, 503, "There is not enough memory to decompress the body.");
	return 0;
}

bool http_content_drop(struct http_content *content, uint64_t bytes_max)
{
	http_content_free(content);
	content->pending = false;
	content->bytes_out = 0;
	content->bytes_max = bytes_max;
	content->setting = "body_max";
	return content->finished || content->chunked || content->left <= bytes_max;
}

void http_content_free(struct http_content *content)
{
	http_inflate_free(content->inflate);
	content->inflate = NULL;
}

/* --- frames --- */

/* PIECE: *run is content at the start of *in, which stays untouched until frame_take. */
static enum http_content_next frame_next(struct http_content *content, struct str *in, struct str *run,
                                         struct http_fault *fault)
{
	static const enum http_content_next results[] = {
		[HTTP_CHUNK_MORE] = HTTP_CONTENT_MORE,
		[HTTP_CHUNK_DATA] = HTTP_CONTENT_PIECE,
		[HTTP_CHUNK_END] = HTTP_CONTENT_END,
		[HTTP_CHUNK_FAULT] = HTTP_CONTENT_FAULT,
	};
	enum http_content_next result = HTTP_CONTENT_PIECE;
	uint64_t left = content->left;

	if (content->chunked) {
		result = results[http_chunked_next(&content->chunks, in, fault)];
		left = content->chunks.left;
	} else if (left == 0) {
		result = HTTP_CONTENT_END;
	} else if (in->len == 0) {
		result = HTTP_CONTENT_MORE;
	}
	content->finished = result == HTTP_CONTENT_END;
	*run = (struct str){ in->p, 0 };
	if (result == HTTP_CONTENT_PIECE)
		run->len = in->len < left ? in->len : (size_t)left;
	return result;
}

static void frame_take(struct http_content *content, struct str *in, size_t count)
{
	if (count == 0)
		return;
	in->p += count;
	in->len -= count;
	content->bytes_in += count;
	if (content->chunked)
		http_chunked_take(&content->chunks, count);
	else
		content->left -= count;
}

/* --- content --- */

static int broken_encoding(const struct http_content *content, const char *what, struct http_fault *fault)
{
	return http_fault_set(fault, 400, "The compressed body %s (after %" PRIu64 " bytes).", what, content->bytes_in);
}

static int check_limits(const struct http_content *content, struct http_fault *fault)
{
	if (content->bytes_max > 0 && content->bytes_out > content->bytes_max)
		return http_fault_set(fault, 413, "The body is longer than the %" PRIu64 " bytes allowed (%s).",
		                      content->bytes_max, content->setting);
	if (content->inflate && content->bytes_out > RATIO_FREE_BYTES &&
	    content->bytes_out / content->ratio_max > content->bytes_in)
		return http_fault_set(fault, 413,
		                      "The compressed body grows more than %" PRIu64 " times (inflate_ratio_max).",
		                      content->ratio_max);
	return 0;
}

static enum http_content_next next_plain(struct http_content *content, struct str *in, struct str *piece,
                                         struct http_fault *fault)
{
	enum http_content_next result = frame_next(content, in, piece, fault);

	if (result != HTTP_CONTENT_PIECE)
		return result;
	if (piece->len > HTTP_PIECE_MAX)
		piece->len = HTTP_PIECE_MAX;
	frame_take(content, in, piece->len);
	return HTTP_CONTENT_PIECE;
}

static enum http_content_next next_inflated(struct http_content *content, struct str *in, char *scratch,
                                            struct str *piece, struct http_fault *fault)
{
	for (;;) {
		struct str run, rest;
		const char *wrong;
		size_t made;
		enum http_content_next result = frame_next(content, in, &run, fault);

		if (result == HTTP_CONTENT_FAULT || (result == HTTP_CONTENT_MORE && !content->pending))
			return result;
		if (result == HTTP_CONTENT_END && !content->pending) {
			bool whole = content->bytes_in == 0 || http_inflate_complete(content->inflate);

			if (!whole)
				broken_encoding(content, "ends in the middle", fault);
			return whole ? HTTP_CONTENT_END : HTTP_CONTENT_FAULT;
		}
		rest = run;
		wrong = http_inflate_step(content->inflate, &rest, scratch, HTTP_PIECE_MAX, &made);
		if (wrong) {
			broken_encoding(content, wrong, fault);
			return HTTP_CONTENT_FAULT;
		}
		frame_take(content, in, run.len - rest.len);
		content->pending = made == HTTP_PIECE_MAX;
		*piece = (struct str){ scratch, made };
		if (made > 0)
			return HTTP_CONTENT_PIECE;
	}
}

enum http_content_next http_content_next(struct http_content *content, struct str *in, char *scratch, struct str *piece,
                                         struct http_fault *fault)
{
	enum http_content_next result = content->inflate ? next_inflated(content, in, scratch, piece, fault) :
	                                                   next_plain(content, in, piece, fault);

	if (result != HTTP_CONTENT_PIECE)
		return result;
	content->bytes_out += piece->len;
	return check_limits(content, fault) < 0 ? HTTP_CONTENT_FAULT : HTTP_CONTENT_PIECE;
}
