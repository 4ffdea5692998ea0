/* SPDX-License-Identifier: ISC */
/*
 * test_sift.c: what is chosen of a compressed text comes back from its deflate by zlib, whatever was chosen; what is no such
 * deflate is refused.
 */
#include <check.h>
#include <stdlib.h>
#include <zlib.h>

#include "deflate/deflate.h"
#include "deflate/sift.h"
#include "expect.h"
#include "pick.h"

Suite *suite_sift(void);

#define ROUNDS 300
#define LINES_MAX 160

static struct deflate *compressor;
static struct deflate_sift *sift;

static void setup(void)
{
	compressor = deflate_new();
	sift = deflate_sift_new();
	ck_assert(compressor && sift);
}

static void teardown(void)
{
	deflate_free(compressor);
	deflate_sift_free(sift);
}

static void add_digits(struct buf *out, struct pick *pick, uint32_t count)
{
	while (count-- > 0)
		buf_add_char(out, "0123456789abcdef"[pick_below(pick, 16)]);
}

/* A line like a record's: values that repeat, from far away too, an id twice, runs of one byte, now and then one of its own. */
static void add_line(struct buf *out, struct pick *pick)
{
	static const char *const words[] = {
		"Germany",       "United Kingdom", "delivered", "undelivered",
		"Zo\xc3\xab AB", "0.03540",        "",          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	};
	struct buf id = { 0 };

	add_digits(&id, pick, 32);
	buf_add_text(out, "\"acc12345\",\"");
	buf_add_str(out, buf_str(&id));
	for (uint32_t count = pick_percent(pick, 90) ? 4 : pick_below(pick, 9); count > 0; count--) {
		buf_add_text(out, "\",\"");
		buf_add_text(out, words[pick_below(pick, 8)]);
	}
	if (pick_percent(pick, 5))
		add_digits(out, pick, pick_below(pick, 400));
	if (pick_percent(pick, 3))
		buf_add_char(out, (char)pick_below(pick, 256));
	buf_add_text(out, "\",\"");
	buf_add_str(out, buf_str(&id));
	buf_add_text(out, "\"\n");
	buf_free(&id);
}

/* Parts of a text, of which no two are neighbours. */
struct parts {
	struct str pieces[DEFLATE_SIFT_PIECES_MAX];
	size_t count;
	struct buf content; /* of all of them */
};

static void add_part(struct parts *parts, const char *begin, const char *end)
{
	struct str *last = parts->count > 0 ? &parts->pieces[parts->count - 1] : NULL;

	if (last && last->p + last->len == begin)
		last->len += (size_t)(end - begin);
	else if (parts->count < DEFLATE_SIFT_PIECES_MAX)
		parts->pieces[parts->count++] = (struct str){ begin, (size_t)(end - begin) };
	else
		return;
	buf_add(&parts->content, begin, (size_t)(end - begin));
}

/* Whole lines, so many of a hundred. */
static struct parts choose_lines(struct str text, struct pick *pick, uint32_t percent)
{
	struct parts parts = { .count = 0 };
	const char *end = text.p + text.len, *next;

	for (const char *at = text.p; at < end; at = next) {
		next = memchr(at, '\n', (size_t)(end - at));
		next = next ? next + 1 : end;
		if (pick_percent(pick, percent))
			add_part(&parts, at, next);
	}
	return parts;
}

/* Anything from here to there. */
static struct parts choose_bytes(struct str text, struct pick *pick)
{
	struct parts parts = { .count = 0 };
	uint32_t step = pick_between(pick, 1, (uint32_t)text.len);

	for (size_t at = pick_below(pick, step); at < text.len; at += pick_below(pick, step) + 1) {
		size_t len = 1 + pick_below(pick, step);

		len = len < text.len - at ? len : text.len - at;
		add_part(&parts, text.p + at, text.p + at + len);
		at += len;
	}
	return parts;
}

static void assert_inflates(struct str from, struct str wanted)
{
	struct z_stream_s state = { .next_in = (Bytef *)(uintptr_t)from.p, .avail_in = (uInt)from.len };
	char *to = malloc(wanted.len + 1);

	expect(to && inflateInit2(&state, -MAX_WBITS) == Z_OK, "out of memory");
	state.next_out = (Bytef *)to;
	state.avail_out = (uInt)wanted.len + 1;
	int rc = inflate(&state, Z_SYNC_FLUSH);
	expect(rc == Z_OK, "zlib says %d, %s", rc, state.msg ? state.msg : "nothing");
	expect(state.avail_in == 0, "%u bytes are left", state.avail_in);
	expect(state.total_out == wanted.len, "%lu bytes come back, not %zu", state.total_out, wanted.len);
	expect(memcmp(to, wanted.p, wanted.len) == 0, "%zu bytes come back changed", wanted.len);
	expect(from.len >= 4 && memcmp(from.p + from.len - 4, "\0\0\xff\xff", 4) == 0, "no flush");
	(void)inflateEnd(&state);
	free(to);
}

/* Reads what was compressed, into memory that ends where its room does. NULL if it is refused. */
static char *read_text(struct str compressed, size_t len)
{
	char *text = malloc(len + DEFLATE_SIFT_SLACK);

	expect(text, "out of memory");
	if (deflate_sift_read(sift, compressed, text, len))
		return text;
	free(text);
	return NULL;
}

/* The parts of `text` alone are what is written; returns how many bytes they take. */
static size_t assert_sifts(struct parts *parts)
{
	struct buf out = { 0 };

	if (parts->count > 0) {
		buf_add_text(&out, "before");
		expect(deflate_sift_write(sift, parts->pieces, parts->count, &out), "%zu parts are refused",
		       parts->count);
		expect(memcmp(out.data, "before", 6) == 0, "what was there is gone");
		assert_inflates((struct str){ out.data + 6, out.len - 6 }, buf_str(&parts->content));
	}
	size_t len = out.len;
	buf_free(&out);
	buf_free(&parts->content);
	return len;
}

static struct buf make_text(struct pick *pick, uint32_t lines)
{
	struct buf text = { 0 };

	while (lines-- > 0)
		add_line(&text, pick);
	return text;
}

static struct buf compressed_from(struct str text)
{
	struct buf out = { 0 };

	expect(deflate_add(compressor, text, &out), "not compressed");
	return out;
}

START_TEST(lines_that_are_chosen_come_back)
{
	struct pick pick = { 1 };

	for (int round = 0; round < ROUNDS; round++) {
		struct buf text = make_text(&pick, 20 + pick_below(&pick, LINES_MAX));
		struct buf compressed = compressed_from(buf_str(&text));
		char *read = read_text(buf_str(&compressed), text.len);

		expect(read, "%zu bytes are refused", text.len);
		expect(memcmp(read, text.data, text.len) == 0, "they are not what was compressed");
		for (uint32_t percent = 1; percent <= 100; percent += 33) {
			struct parts parts = choose_lines((struct str){ read, text.len }, &pick, percent);

			(void)assert_sifts(&parts);
		}
		free(read);
		buf_free(&compressed);
		buf_free(&text);
	}
}
END_TEST

START_TEST(bytes_that_are_chosen_come_back)
{
	struct pick pick = { 2 };

	for (int round = 0; round < ROUNDS; round++) {
		struct buf text = make_text(&pick, 10 + pick_below(&pick, LINES_MAX));
		struct buf compressed = compressed_from(buf_str(&text));
		char *read = read_text(buf_str(&compressed), text.len);

		expect(read, "%zu bytes are refused", text.len);
		for (int choice = 0; choice < 4; choice++) {
			struct parts parts = choose_bytes((struct str){ read, text.len }, &pick);

			(void)assert_sifts(&parts);
		}
		free(read);
		buf_free(&compressed);
		buf_free(&text);
	}
}
END_TEST

/* Matches that reach into themselves lead from one dropped byte to the next, thousands of times. */
START_TEST(what_repeats_itself_is_sifted)
{
	struct pick pick = { 7 };

	for (int round = 0; round < 40; round++) {
		uint32_t period = 1 + (uint32_t)round % 7;
		struct buf text = make_text(&pick, 3);

		for (uint32_t i = 0; i < 30000; i++)
			buf_add_char(&text, "abcdefg"[i % period]);
		struct buf compressed = compressed_from(buf_str(&text));
		char *read = read_text(buf_str(&compressed), text.len);

		expect(read, "%zu bytes are refused", text.len);
		struct parts parts = choose_bytes((struct str){ read, text.len }, &pick);
		(void)assert_sifts(&parts);
		free(read);
		buf_free(&compressed);
		buf_free(&text);
	}
}
END_TEST

/* Two blocks or three, as each has at most 65535 bytes. */
START_TEST(texts_of_many_blocks_are_sifted)
{
	struct pick pick = { 3 };

	for (int round = 0; round < 20; round++) {
		struct buf text = make_text(&pick, 700);
		struct str part = { text.data, 66000 + pick_below(&pick, (uint32_t)(DEFLATE_SIFT_TEXT_MAX - 66000)) };
		struct buf compressed = compressed_from(part);
		char *read = read_text(buf_str(&compressed), part.len);

		expect(read, "%zu bytes are refused", part.len);
		struct parts parts = round % 2 ? choose_lines((struct str){ read, part.len }, &pick, 93) :
		                                 choose_bytes((struct str){ read, part.len }, &pick);
		(void)assert_sifts(&parts);
		free(read);
		buf_free(&compressed);
		buf_free(&text);
	}
}
END_TEST

/* As zlib compresses: codes of up to 15 bits, matches of three bytes, codes of its own or the fixed ones, and every other time a
 * second block that reaches back into the first. */
START_TEST(what_others_have_compressed_is_sifted_or_refused)
{
	struct pick pick = { 4 };
	int sifted = 0;

	for (int round = 0; round < ROUNDS; round++) {
		struct buf text = make_text(&pick, 1 + pick_below(&pick, LINES_MAX)), out = { 0 };
		struct z_stream_s state = { .next_in = (Bytef *)text.data, .avail_in = (uInt)text.len };

		expect(deflateInit2(&state, 1 + round % 9, Z_DEFLATED, -MAX_WBITS, 9,
		                    round % 5 ? Z_DEFAULT_STRATEGY : Z_FIXED) == Z_OK &&
		               buf_reserve(&out, text.len + 1000),
		       "out of memory");
		state.next_out = (Bytef *)out.data;
		state.avail_out = (uInt)text.len + 1000;
		state.avail_in = (uInt)(round % 2 ? text.len / 2 : text.len);
		expect(round % 2 == 0 || deflate(&state, Z_BLOCK) == Z_OK, "zlib fails");
		state.avail_in = (uInt)(text.len - state.total_in);
		expect(deflate(&state, Z_FULL_FLUSH) == Z_OK, "zlib fails");
		out.len = state.total_out;
		char *read = read_text(buf_str(&out), text.len);
		if (read) {
			struct parts parts = choose_lines((struct str){ read, text.len }, &pick, 80);
			struct buf sifted_out = { 0 };

			expect(memcmp(read, text.data, text.len) == 0, "%zu bytes are read wrongly", text.len);
			/* a later block of zlib's may lack the code of a byte: that is refused */
			if (parts.count > 0 && deflate_sift_write(sift, parts.pieces, parts.count, &sifted_out)) {
				assert_inflates(buf_str(&sifted_out), buf_str(&parts.content));
				sifted++;
			}
			buf_free(&sifted_out);
			buf_free(&parts.content);
		}
		(void)deflateEnd(&state);
		free(read);
		buf_free(&out);
		buf_free(&text);
	}
	ck_assert_int_gt(sifted, ROUNDS / 10);
}
END_TEST

START_TEST(what_is_damaged_harms_nothing)
{
	struct pick pick = { 5 };
	struct buf text = make_text(&pick, 100), compressed = compressed_from(buf_str(&text));

	for (int round = 0; round < 3000; round++) {
		struct buf damaged = { 0 };
		size_t len = pick_percent(&pick, 50) ? compressed.len : pick_below(&pick, (uint32_t)compressed.len);

		buf_add(&damaged, compressed.data, len);
		for (uint32_t count = pick_below(&pick, 4); count > 0 && len > 0; count--)
			damaged.data[pick_below(&pick, (uint32_t)len)] ^= (char)(1 << pick_below(&pick, 8));
		char *read = len > 0 ? read_text(buf_str(&damaged), text.len) : NULL;
		if (read) {
			struct parts parts = choose_lines((struct str){ read, text.len }, &pick, 50);
			struct buf out = { 0 };

			(void)(parts.count > 0 && deflate_sift_write(sift, parts.pieces, parts.count, &out));
			buf_free(&out);
			buf_free(&parts.content);
		}
		free(read);
		buf_free(&damaged);
	}
	expect(!read_text(buf_str(&compressed), text.len - 1), "a shorter text is taken");
	expect(!read_text(buf_str(&compressed), text.len + 1), "a longer text is taken");
	buf_free(&compressed);
	buf_free(&text);
}
END_TEST

/* Nine of ten lines take little more than nine tenths of what all take. */
START_TEST(what_is_chosen_stays_small)
{
	struct pick pick = { 6 };
	struct buf text = make_text(&pick, 128), compressed = compressed_from(buf_str(&text));
	char *read = read_text(buf_str(&compressed), text.len);

	expect(read, "%zu bytes are refused", text.len);
	struct parts parts = choose_lines((struct str){ read, text.len }, &pick, 90);
	size_t wanted = compressed.len * parts.content.len / text.len, len = assert_sifts(&parts);

	expect(len < wanted * 108 / 100, "%zu bytes, of %zu in all", len, compressed.len);
	free(read);
	buf_free(&compressed);
	buf_free(&text);
}
END_TEST

/* Blocks that no compressor in use writes, bit by bit. */
struct bits {
	uint8_t bytes[4096];
	size_t count;
};

static void put_bits(struct bits *bits, unsigned value, unsigned count)
{
	for (; count > 0; count--, value >>= 1, bits->count++)
		bits->bytes[bits->count / 8] |= (uint8_t)((value & 1) << bits->count % 8);
}

static void put_code(struct bits *bits, unsigned code, unsigned count)
{
	while (count-- > 0)
		put_bits(bits, code >> count, 1);
}

static void put_empty_block(struct bits *bits)
{
	put_bits(bits, 0, 3);
	bits->count = (bits->count + 7) / 8 * 8;
	put_bits(bits, 0xffff0000, 32);
}

/* A symbol of one of the fixed codes. */
static void put_fixed(struct bits *bits, unsigned symbol)
{
	if (symbol < 144)
		put_code(bits, 0x30 + symbol, 8);
	else if (symbol < 256)
		put_code(bits, 0x190 + symbol - 144, 9);
	else if (symbol < 280)
		put_code(bits, symbol - 256, 7);
	else
		put_code(bits, 0xc0 + symbol - 280, 8);
}

/* The codes of what comes up in the next test: a, b, x in two bits, z in three, the end and symbol 284 in four, distances
 * of 1 and of 257 to 384 in one. */
static void begin_block_of_few(struct bits *bits)
{
	static const unsigned order[] = { 16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1 };
	static const struct {
		unsigned symbol, code;
	} all[] = { { 'a', 2 }, { 'b', 2 }, { 'x', 2 }, { 'z', 3 }, { 256, 4 }, { 284, 4 }, { 285, 1 }, { 301, 1 } };
	unsigned at = 0;

	put_bits(bits, 4, 3);
	put_bits(bits, 285 - 257, 5);
	put_bits(bits, 17 - 1, 5);
	put_bits(bits, sizeof(order) / sizeof(order[0]) - 4, 4);
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		put_bits(bits, order[i] == 0 ? 1 : order[i] <= 4 ? 3 : 0, 3);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++, at++) {
		for (; at < all[i].symbol; at++)
			put_code(bits, 0, 1);
		put_code(bits, 3 + all[i].code, 3);
	}
}

START_TEST(length_of_258_that_is_written_as_227_and_31_is_sifted)
{
	struct bits bits = { .count = 0 };
	struct parts parts = { .count = 0 };

	begin_block_of_few(&bits);
	for (unsigned i = 0; i < 300; i++)
		put_code(&bits, i * i % 7 < 3 ? 0 : 1, 2);
	for (unsigned i = 0; i < 20; i++)
		put_code(&bits, 2, 2);
	put_code(&bits, 15, 4); /* 284, of which 258 is the last length, at a distance of 320 */
	put_bits(&bits, 31, 5);
	put_code(&bits, 1, 1);
	put_bits(&bits, 320 - 257, 7);
	for (unsigned i = 0; i < 4; i++)
		put_code(&bits, 6, 3);
	put_code(&bits, 14, 4);
	put_empty_block(&bits);
	char *read = read_text((struct str){ (const char *)bits.bytes, bits.count / 8 }, 582);
	ck_assert(read);
	add_part(&parts, read, read + 300);
	add_part(&parts, read + 320, read + 582);
	(void)assert_sifts(&parts);
	free(read);
}
END_TEST

START_TEST(empty_block_after_the_longest_text_is_sifted)
{
	struct bits bits = { .count = 0 };
	struct parts parts = { .count = 0 };
	size_t len = 1;

	put_bits(&bits, 2, 3);
	put_fixed(&bits, 'a');
	for (; len + 258 <= DEFLATE_SIFT_TEXT_MAX; len += 258) {
		put_fixed(&bits, 285);
		put_code(&bits, 0, 5);
	}
	for (; len < DEFLATE_SIFT_TEXT_MAX; len++)
		put_fixed(&bits, 'b');
	put_fixed(&bits, 256);
	put_bits(&bits, 2, 3);
	put_fixed(&bits, 256);
	put_empty_block(&bits);
	char *read = read_text((struct str){ (const char *)bits.bytes, bits.count / 8 }, len);
	ck_assert(read);
	add_part(&parts, read, read + 100);
	add_part(&parts, read + 200, read + len);
	(void)assert_sifts(&parts);
	free(read);
}
END_TEST

Suite *suite_sift(void)
{
	Suite *suite = suite_create("sift");
	TCase *tests = tcase_create("sift");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, lines_that_are_chosen_come_back);
	tcase_add_test(tests, bytes_that_are_chosen_come_back);
	tcase_add_test(tests, what_repeats_itself_is_sifted);
	tcase_add_test(tests, texts_of_many_blocks_are_sifted);
	tcase_add_test(tests, what_others_have_compressed_is_sifted_or_refused);
	tcase_add_test(tests, length_of_258_that_is_written_as_227_and_31_is_sifted);
	tcase_add_test(tests, empty_block_after_the_longest_text_is_sifted);
	tcase_add_test(tests, what_is_damaged_harms_nothing);
	tcase_add_test(tests, what_is_chosen_stays_small);
	suite_add_tcase(suite, tests);
	return suite;
}
