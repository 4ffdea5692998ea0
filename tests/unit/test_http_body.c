/* SPDX-License-Identifier: ISC */
/*
 * test_http_body.c: what struct http_content promises: framing, compression and limits of a request's body.
 */
#include <check.h>
#include <isa-l/igzip_lib.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/buf.h"
#include "http/body.h"

#define RATIO_MAX 100

static struct buf packed, content; /* of the test under way */

static void set_up(void)
{
	packed = content = (struct buf){ 0 };
}

static void tear_down(void)
{
	buf_free(&packed);
	buf_free(&content);
}

/* --- compressing --- */

static void add_gzip(struct buf *out, const void *data, size_t len)
{
	struct isal_zstream stream;

	isal_deflate_stateless_init(&stream);
	stream.gzip_flag = IGZIP_GZIP;
	stream.end_of_stream = 1;
	stream.next_in = (uint8_t *)(uintptr_t)data;
	stream.avail_in = (uint32_t)len;
	ck_assert(buf_reserve(out, len + 1000));
	stream.next_out = (uint8_t *)out->data + out->len;
	stream.avail_out = (uint32_t)(out->cap - out->len);
	ck_assert_int_eq(isal_deflate_stateless(&stream), COMP_OK);
	out->len += stream.total_out;
}

static void add_zstd(struct buf *out, const void *data, size_t len)
{
	size_t bound = ZSTD_compressBound(len);

	ck_assert(buf_reserve(out, bound));
	out->len += ZSTD_compress(out->data + out->len, bound, data, len, 1);
}

static const struct {
	const char *name;
	void (*add)(struct buf *out, const void *data, size_t len);
} codings[] = { { "gzip", add_gzip }, { "zstd", add_zstd } };

/* --- reading a body --- */

struct outcome {
	enum http_content_next end;
	struct http_fault fault;
	size_t left; /* bytes after the body */
};

/* Reads a body of `data` that comes in pieces of `step` bytes into `content`. */
static struct outcome read_body(struct http_content *body, struct str data, size_t step)
{
	struct outcome outcome = { .end = HTTP_CONTENT_MORE };
	char *scratch = malloc(HTTP_PIECE_MAX);
	size_t given = 0;

	while (outcome.end == HTTP_CONTENT_MORE || outcome.end == HTTP_CONTENT_PIECE) {
		size_t count = data.len - given < step ? data.len - given : step;
		struct str in = { data.p + given, count }, piece;

		outcome.end = http_content_next(body, &in, scratch, &piece, &outcome.fault);
		given += count - in.len;
		if (outcome.end == HTTP_CONTENT_PIECE) {
			ck_assert_uint_gt(piece.len, 0);
			ck_assert_uint_le(piece.len, HTTP_PIECE_MAX);
			buf_add_str(&content, piece);
		} else if (outcome.end == HTTP_CONTENT_MORE && given == data.len) {
			break;
		}
	}
	outcome.left = data.len - given;
	free(scratch);
	http_content_free(body);
	return outcome;
}

static struct http_content begin(size_t length, bool chunked)
{
	struct http_head head = { .content_length = length, .chunked = chunked };
	struct http_content body;

	http_content_begin(&body, &head);
	return body;
}

static struct outcome read_packed(const char *coding, size_t bytes_max, size_t step)
{
	struct http_content body = begin(packed.len, false);
	struct outcome outcome;

	ck_assert_int_eq(http_content_decode(&body, str_from(coding), bytes_max, RATIO_MAX, "body_max", &outcome.fault),
	                 0);
	return read_body(&body, buf_str(&packed), step);
}

static void add_lines(struct buf *out, int count)
{
	for (int i = 0; i < count; i++)
		buf_addf(out, "{\"id\":\"%d\"}\n", i * 7919);
}

/* --- tests --- */

START_TEST(body_ends_at_its_length)
{
	struct http_content body = begin(5, false);
	struct outcome outcome = read_body(&body, STR_LITERAL("helloGET /"), (size_t)_i);

	ck_assert_int_eq(outcome.end, HTTP_CONTENT_END);
	ck_assert_uint_eq(outcome.left, 5);
	ck_assert_str_eq(buf_cstr(&content), "hello");
}
END_TEST

START_TEST(chunked_body_ends_at_its_last_chunk)
{
	struct http_content body = begin(0, true);
	struct outcome outcome = read_body(&body, STR_LITERAL("2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\nGET /"), (size_t)_i);

	ck_assert_int_eq(outcome.end, HTTP_CONTENT_END);
	ck_assert_uint_eq(outcome.left, 5);
	ck_assert_str_eq(buf_cstr(&content), "hello");
}
END_TEST

START_TEST(absent_body_is_finished_from_the_start)
{
	struct http_content body = begin(0, false);

	ck_assert(body.finished);
}
END_TEST

START_TEST(compressed_body_comes_out_however_it_is_cut)
{
	static const size_t steps[] = { 1, 7, 1000, 1 << 20 };
	struct buf plain = { 0 };

	add_lines(&plain, 20000);
	codings[_i].add(&packed, plain.data, plain.len);
	for (size_t i = 0; i < 4; i++) {
		buf_clear(&content);
		struct outcome outcome = read_packed(codings[_i].name, 0, steps[i]);

		ck_assert_int_eq(outcome.end, HTTP_CONTENT_END);
		ck_assert_uint_eq(content.len, plain.len);
		ck_assert_int_eq(memcmp(content.data, plain.data, plain.len), 0);
	}
	buf_free(&plain);
}
END_TEST

START_TEST(members_in_a_row_are_one_body)
{
	static const size_t steps[] = { 1, 13, 1 << 20 };

	for (int i = 0; i < 100; i++)
		codings[_i].add(&packed, "line\n", 5);
	for (size_t i = 0; i < 3; i++) {
		buf_clear(&content);
		ck_assert_int_eq(read_packed(codings[_i].name, 0, steps[i]).end, HTTP_CONTENT_END);
		ck_assert_uint_eq(content.len, 500);
	}
}
END_TEST

/* What `gzip FILE` and other tools write: all optional parts of the header (RFC 1952, 2.3). */
START_TEST(gzip_header_may_be_long_and_cut_anywhere)
{
	static const unsigned char header[] = "\x1f\x8b\x08\x1c\0\0\0\0\0\x03" /* FEXTRA, FNAME, FCOMMENT */
					      "\x05\0extra"
					      "name\0"
					      "a comment";

	for (int member = 0; member < 2; member++) {
		size_t at = packed.len;

		add_gzip(&packed, "line\n", 5);
		struct buf data = { 0 };
		buf_add(&data, packed.data + at + 10, packed.len - at - 10);
		packed.len = at;
		buf_add(&packed, header, sizeof(header)); /* with the comment's NUL */
		buf_add_str(&packed, buf_str(&data));
		buf_free(&data);
	}
	ck_assert_int_eq(read_packed("gzip", 0, (size_t)_i).end, HTTP_CONTENT_END);
	ck_assert_str_eq(buf_cstr(&content), "line\nline\n");
}
END_TEST

START_TEST(output_of_exactly_a_piece_ends_the_body)
{
	char *plain = calloc(1, HTTP_PIECE_MAX);

	codings[_i].add(&packed, plain, HTTP_PIECE_MAX);
	ck_assert_int_eq(read_packed(codings[_i].name, 0, packed.len).end, HTTP_CONTENT_END);
	ck_assert_uint_eq(content.len, HTTP_PIECE_MAX);
	free(plain);
}
END_TEST

START_TEST(compressed_body_that_is_cut_is_400)
{
	add_lines(&content, 1000);
	codings[_i].add(&packed, content.data, content.len);
	for (size_t missing = 1; missing < 20; missing++) {
		packed.len--;
		buf_clear(&content);
		struct outcome outcome = read_packed(codings[_i].name, 0, 1000);

		ck_assert_int_eq(outcome.end, HTTP_CONTENT_FAULT);
		ck_assert_int_eq(outcome.fault.status, 400);
	}
}
END_TEST

START_TEST(nonsense_for_compression_is_400)
{
	buf_add_text(&packed, "nonsense that is no compressed data at all");
	ck_assert_int_eq(read_packed(codings[_i].name, 0, 1000).fault.status, 400);
	ck_assert_uint_eq(content.len, 0);
}
END_TEST

START_TEST(bytes_after_compressed_data_are_400)
{
	codings[_i].add(&packed, "line\n", 5);
	buf_add_text(&packed, "and something else after it");
	ck_assert_int_eq(read_packed(codings[_i].name, 0, 1000).fault.status, 400);
}
END_TEST

START_TEST(decompression_bomb_is_413)
{
	char *zeros = calloc(16, 1 << 20);

	codings[_i].add(&packed, zeros, 16 << 20);
	struct outcome outcome = read_packed(codings[_i].name, 0, 1000);

	ck_assert_int_eq(outcome.end, HTTP_CONTENT_FAULT);
	ck_assert_int_eq(outcome.fault.status, 413);
	ck_assert_uint_le(content.len, (1 << 20) + HTTP_PIECE_MAX + 1000 * RATIO_MAX);
	free(zeros);
}
END_TEST

START_TEST(limit_counts_decompressed_bytes)
{
	char *zeros = calloc(1, 1001);

	codings[_i].add(&packed, zeros, 1000);
	ck_assert_int_eq(read_packed(codings[_i].name, 1000, 1000).end, HTTP_CONTENT_END);
	buf_clear(&packed);
	codings[_i].add(&packed, zeros, 1001);
	ck_assert_int_eq(read_packed(codings[_i].name, 1000, 1000).fault.status, 413);
	free(zeros);
}
END_TEST

START_TEST(announced_length_beyond_the_limit_is_413_at_once)
{
	struct http_content body = begin(1001, false);
	struct http_fault fault;

	ck_assert_int_eq(http_content_decode(&body, STR_LITERAL(""), 1000, RATIO_MAX, "body_max", &fault), -1);
	ck_assert_int_eq(fault.status, 413);
	ck_assert_str_eq(fault.detail, "The body has 1001 bytes, at most 1000 allowed (body_max).");
}
END_TEST

START_TEST(chunks_beyond_the_limit_are_413)
{
	struct http_content body = begin(0, true);
	struct http_fault fault;

	ck_assert_int_eq(http_content_decode(&body, STR_LITERAL("identity"), 4, RATIO_MAX, "body_max", &fault), 0);
	ck_assert_int_eq(read_body(&body, STR_LITERAL("2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"), 100).fault.status, 413);
}
END_TEST

START_TEST(unknown_coding_is_415)
{
	static const char *const unknown[] = { "br", "deflate", "gzip, zstd", "gzipp" };
	struct http_content body = begin(10, false);
	struct http_fault fault;

	ck_assert_int_eq(http_content_decode(&body, str_from(unknown[_i]), 0, RATIO_MAX, "body_max", &fault), -1);
	ck_assert_int_eq(fault.status, 415);
}
END_TEST

START_TEST(zstd_window_beyond_8_mib_is_refused)
{
	ZSTD_CCtx *context = ZSTD_createCCtx();
	size_t size = 9 << 20, bound = ZSTD_compressBound(size);
	char *plain = calloc(1, size);

	/* Without the content's size in the header the window stays what was asked for. */
	ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, 24);
	ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
	ck_assert(buf_reserve(&packed, bound));
	packed.len = ZSTD_compress2(context, packed.data, bound, plain, size);
	struct outcome outcome = read_packed("zstd", 0, 1000);

	ck_assert_int_eq(outcome.fault.status, 400);
	ck_assert_ptr_nonnull(strstr(outcome.fault.detail, "window"));
	ZSTD_freeCCtx(context);
	free(plain);
}
END_TEST

/* "hello" in the format of zstd 0.7, alone and after a frame of today: libzstd would read it. */
START_TEST(format_of_zstd_before_0_8_is_refused)
{
	static const char old[] = "\x27\xb5\x2f\xfd\0\x50\x40\0\5hello\xc0\0";

	for (int frames = 0; frames < 2; frames++) {
		buf_clear(&packed);
		if (frames > 0)
			add_zstd(&packed, "hello", 5);
		buf_add(&packed, old, sizeof(old)); /* its last byte is the 0 at the end */
		struct outcome outcome = read_packed("zstd", 0, (size_t)_i);

		ck_assert_int_eq(outcome.fault.status, 400);
	}
}
END_TEST

START_TEST(rest_is_dropped_without_decompressing_up_to_a_limit)
{
	struct http_content body = begin(42, false);
	struct http_fault fault;

	buf_add_text(&packed, "nonsense that is no compressed data at all");
	ck_assert_uint_eq(packed.len, 42);
	ck_assert_int_eq(http_content_decode(&body, STR_LITERAL("gzip"), 0, RATIO_MAX, "ingest_body_max", &fault), 0);
	ck_assert(http_content_drop(&body, 42));
	ck_assert_int_eq(read_body(&body, buf_str(&packed), 5).end, HTTP_CONTENT_END);
	body = begin(43, false);
	ck_assert(!http_content_drop(&body, 42));
}
END_TEST

Suite *suite_http_body(void);

Suite *suite_http_body(void)
{
	Suite *suite = suite_create("http_body");
	TCase *framing = tcase_create("framing");
	TCase *coding = tcase_create("coding");
	TCase *limits = tcase_create("limits");

	tcase_add_checked_fixture(framing, set_up, tear_down);
	tcase_add_loop_test(framing, body_ends_at_its_length, 1, 12);
	tcase_add_loop_test(framing, chunked_body_ends_at_its_last_chunk, 1, 30);
	tcase_add_test(framing, absent_body_is_finished_from_the_start);
	tcase_add_test(framing, rest_is_dropped_without_decompressing_up_to_a_limit);
	tcase_add_checked_fixture(coding, set_up, tear_down);
	tcase_add_loop_test(coding, compressed_body_comes_out_however_it_is_cut, 0, 2);
	tcase_add_loop_test(coding, members_in_a_row_are_one_body, 0, 2);
	tcase_add_loop_test(coding, gzip_header_may_be_long_and_cut_anywhere, 1, 50);
	tcase_add_loop_test(coding, output_of_exactly_a_piece_ends_the_body, 0, 2);
	tcase_add_loop_test(coding, compressed_body_that_is_cut_is_400, 0, 2);
	tcase_add_loop_test(coding, nonsense_for_compression_is_400, 0, 2);
	tcase_add_loop_test(coding, bytes_after_compressed_data_are_400, 0, 2);
	tcase_add_loop_test(coding, unknown_coding_is_415, 0, 4);
	tcase_add_test(coding, zstd_window_beyond_8_mib_is_refused);
	tcase_add_loop_test(coding, format_of_zstd_before_0_8_is_refused, 1, 40);
	tcase_add_checked_fixture(limits, set_up, tear_down);
	tcase_add_loop_test(limits, decompression_bomb_is_413, 0, 2);
	tcase_add_loop_test(limits, limit_counts_decompressed_bytes, 0, 2);
	tcase_add_test(limits, announced_length_beyond_the_limit_is_413_at_once);
	tcase_add_test(limits, chunks_beyond_the_limit_are_413);
	suite_add_tcase(suite, framing);
	suite_add_tcase(suite, coding);
	suite_add_tcase(suite, limits);
	return suite;
}
