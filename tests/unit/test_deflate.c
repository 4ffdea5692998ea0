/* SPDX-License-Identifier: ISC */
/*
 * test_deflate.c: what is compressed comes back, whatever it is; lines become small; codes are as they must be.
 */
#include <check.h>
#include <isa-l/igzip_lib.h>
#include <stdlib.h>

#include "base/buf.h"
#include "deflate/deflate.h"
#include "deflate/deflate_private.h"
#include "expect.h"
#include "pick.h"

Suite *suite_deflate(void);

#define ROUNDS 300
#define FLUSH "\0\0\xff\xff"
#define FLUSH_BYTES 4

static struct deflate *deflate;

static void setup(void)
{
	deflate = deflate_new();
	ck_assert_ptr_nonnull(deflate);
}

static void teardown(void)
{
	deflate_free(deflate);
}

/* In memory that ends where the content does, so that a sanitizer sees what reads past it. */
static struct buf compressed(struct str content)
{
	struct buf out = { 0 };
	char *copy = malloc(content.len ? content.len : 1);

	expect(copy, "out of memory");
	if (content.len > 0)
		memcpy(copy, content.p, content.len);
	expect(deflate_add(deflate, (struct str){ copy, content.len }, &out), "not compressed");
	free(copy);
	return out;
}

static void assert_inflates(struct str from, struct str wanted)
{
	struct inflate_state state;
	uint8_t *to = malloc(wanted.len + 1);

	expect(to, "out of memory");
	isal_inflate_init(&state);
	state.next_in = (uint8_t *)(uintptr_t)from.p;
	state.avail_in = (uint32_t)from.len;
	state.next_out = to;
	state.avail_out = (uint32_t)wanted.len + 1;
	int rc = isal_inflate(&state);
	expect(rc == ISAL_DECOMP_OK, "igzip says %d", rc);
	expect(state.total_out == wanted.len, "%u bytes of %zu come back", state.total_out, wanted.len);
	expect(wanted.len == 0 || memcmp(to, wanted.p, wanted.len) == 0, "%zu bytes come back changed", wanted.len);
	expect(from.len > FLUSH_BYTES && memcmp(from.p + from.len - FLUSH_BYTES, FLUSH, FLUSH_BYTES) == 0, "no flush");
	free(to);
}

/* The first bytes alone, as the store takes a row from a segment. Whether igzip says that all is well does not matter. */
static void assert_begins(struct str from, struct str wanted, size_t len)
{
	struct inflate_state state;
	uint8_t *to = malloc(len ? len : 1);

	expect(to, "out of memory");
	isal_inflate_init(&state);
	state.next_in = (uint8_t *)(uintptr_t)from.p;
	state.avail_in = (uint32_t)from.len;
	state.next_out = to;
	state.avail_out = (uint32_t)len;
	(void)isal_inflate_stateless(&state);
	expect(state.avail_out == 0, "%u of %zu bytes are missing", state.avail_out, len);
	expect(len == 0 || memcmp(to, wanted.p, len) == 0, "the first %zu bytes come back changed", len);
	free(to);
}

/* Compresses and inflates; returns how many bytes it took. */
static size_t assert_comes_back(struct str content)
{
	struct buf out = compressed(content);
	size_t len = out.len;

	assert_inflates(buf_str(&out), content);
	buf_free(&out);
	return len;
}

/* --- contents --- */

static void add_digits(struct buf *out, struct pick *pick, const char *digits, uint32_t count)
{
	size_t base = strlen(digits);

	while (count-- > 0)
		buf_add_char(out, digits[pick_below(pick, (uint32_t)base)]);
}

/* A line as records make them: constants, ids twice, numbers, a few words, a text of words. */
static void add_line(struct buf *out, struct pick *pick)
{
	static const char *const countries[] = { "\"GB\",\"United Kingdom\"", "\"DE\",\"Germany\"",
		                                 "\"FR\",\"France\"" };
	static const char *const words[] = { "code ", "Zo\xc3\xab ", "\"\"yes\"\", ", "your order is on its way ", "\n",
		                             "1" };
	struct buf id = { 0 };

	add_digits(&id, pick, "0123456789abcdef", 32);
	buf_add_text(out, "\"acc12345\",\"");
	buf_add_str(out, buf_str(&id));
	buf_add_text(out, "\",\"447700");
	add_digits(out, pick, "0123456789", pick_between(pick, 5, 8));
	buf_add_text(out, "\",\"\",");
	buf_add_text(out, countries[pick_below(pick, 3)]);
	buf_add_text(out, ",\"2024-06-17T11:");
	add_digits(out, pick, "012345", 2);
	buf_add_text(out, ":00+00:00\",\"");
	for (uint32_t count = pick_below(pick, 8); count > 0; count--)
		buf_add_text(out, words[pick_below(pick, 6)]);
	buf_add_text(out, "\",\"");
	buf_add_str(out, buf_str(&id));
	buf_add_text(out, "\"\n");
	buf_free(&id);
}

static void add_lines(struct buf *out, struct pick *pick, uint32_t count)
{
	while (count-- > 0)
		add_line(out, pick);
}

/* Pieces that make sources, edges and lengths of all kinds, with little sense. */
static void add_scraps(struct buf *out, struct pick *pick, uint32_t count)
{
	static const char *const scraps[] = {
		"\"",
		"\",\"",
		"\"\n\"",
		"\"\n",
		",",
		"\n",
		"\"\"",
		"a",
		"abcd",
		"0123456789abcdef",
		"the same text again and again and again and again, for more than a value has"
	};

	while (count-- > 0) {
		if (pick_percent(pick, 10))
			buf_add_char(out, (char)pick_below(pick, 256));
		else
			buf_add_text(out, scraps[pick_below(pick, 11)]);
	}
}

START_TEST(lines_come_back)
{
	struct pick pick = { 1 };

	for (int round = 0; round < ROUNDS; round++) {
		struct buf text = { 0 };

		add_lines(&text, &pick, pick_below(&pick, 200));
		assert_comes_back(buf_str(&text));
		buf_free(&text);
	}
}
END_TEST

START_TEST(anything_comes_back)
{
	struct pick pick = { 2 };

	for (int round = 0; round < ROUNDS; round++) {
		struct buf text = { 0 };

		add_scraps(&text, &pick, pick_below(&pick, round < ROUNDS / 2 ? 30 : 5000));
		assert_comes_back(buf_str(&text));
		buf_free(&text);
	}
}
END_TEST

START_TEST(every_length_of_a_line_comes_back)
{
	struct pick pick = { 3 };
	struct buf text = { 0 };

	add_lines(&text, &pick, 3);
	for (size_t len = 0; len <= text.len; len++)
		assert_comes_back((struct str){ text.data, len });
	buf_free(&text);
}
END_TEST

START_TEST(every_beginning_comes_back)
{
	struct pick pick = { 10 };

	for (int round = 0; round < 20; round++) {
		struct buf text = { 0 };

		if (round % 2)
			add_lines(&text, &pick, 12);
		else
			add_scraps(&text, &pick, 200);
		struct buf out = compressed(buf_str(&text));
		for (size_t len = 0; len <= text.len; len++)
			assert_begins(buf_str(&out), buf_str(&text), len);
		buf_free(&out);
		buf_free(&text);
	}
}
END_TEST

START_TEST(long_contents_come_back_in_pieces)
{
	struct pick pick = { 4 };
	struct buf text = { 0 };

	for (int i = 0; i < 8; i++) {
		add_lines(&text, &pick, 500);
		add_scraps(&text, &pick, 20000);
		assert_comes_back(buf_str(&text));
	}
	buf_clear(&text);
	for (int i = 0; i < 3 * PIECE_MAX; i++)
		buf_add_char(&text, 'a');
	size_t len = assert_comes_back(buf_str(&text));
	ck_assert_uint_lt(len, 2000);
	buf_free(&text);
}
END_TEST

START_TEST(what_cannot_be_compressed_is_stored)
{
	struct pick pick = { 5 };
	struct buf text = { 0 };

	for (int i = 0; i < 200000; i++)
		buf_add_char(&text, (char)pick_below(&pick, 256));
	size_t len = assert_comes_back(buf_str(&text));
	ck_assert_uint_le(len, text.len + 50);
	buf_free(&text);
}
END_TEST

START_TEST(lines_become_small)
{
	struct pick pick = { 6 };
	struct buf text = { 0 };
	double bits_of_line;

	/* What is random in a line: an id, 5 to 8 digits, a country, 2 digits; and a text of up to 7 words. */
	bits_of_line = 32 * 4 + 8 * 3.33 + 1.6 + 2 * 2.6 + 3 + 7 * 2.6;
	add_lines(&text, &pick, 200);
	size_t len = assert_comes_back(buf_str(&text));
	ck_assert_double_lt((double)len, 2 * 200 * bits_of_line / 8);
	buf_free(&text);
}
END_TEST

START_TEST(parts_can_be_laid_end_to_end)
{
	struct pick pick = { 7 };
	struct buf text = { 0 }, out = { 0 };

	for (int i = 0; i < 10; i++) {
		size_t begin = text.len;

		add_lines(&text, &pick, pick_below(&pick, 20));
		ck_assert(deflate_add(deflate, (struct str){ text.data + begin, text.len - begin }, &out));
	}
	assert_inflates(buf_str(&out), buf_str(&text));
	buf_free(&text);
	buf_free(&out);
}
END_TEST

START_TEST(stored_blocks_inflate_and_can_be_laid_end_to_end)
{
	static const size_t lens[] = { 0, 1, 65534, 65535, 65536, 200000 };
	struct pick pick = { 9 };
	struct buf text = { 0 }, out = { 0 };

	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		size_t begin = text.len;

		while (text.len < begin + lens[i])
			add_lines(&text, &pick, 100);
		text.len = begin + lens[i];
		ck_assert(deflate_add_stored((struct str){ text.data + begin, lens[i] }, &out));
		ck_assert(deflate_add(deflate, (struct str){ text.data + begin, lens[i] }, &out));
		struct buf again = { 0 };
		buf_add(&again, text.data + begin, lens[i]);
		buf_add_str(&text, buf_str(&again));
		buf_free(&again);
	}
	assert_inflates(buf_str(&out), buf_str(&text));
	buf_free(&text);
	buf_free(&out);
}
END_TEST

START_TEST(the_same_content_becomes_the_same_bytes)
{
	struct pick pick = { 8 };
	struct buf text = { 0 }, other = { 0 };

	add_lines(&text, &pick, 100);
	add_scraps(&other, &pick, 1000);
	struct buf first = compressed(buf_str(&text)), between = compressed(buf_str(&other));
	struct buf second = compressed(buf_str(&text));
	ck_assert(str_equal(buf_str(&first), buf_str(&second)));
	buf_free(&text);
	buf_free(&other);
	buf_free(&first);
	buf_free(&between);
	buf_free(&second);
}
END_TEST

/* --- codes --- */

/* A code that is complete and in the order of frequencies; returns the longest length. */
static unsigned assert_code(const uint32_t *frequencies, size_t count, unsigned bits_max)
{
	uint8_t lengths[SYMBOLS_MAX];
	unsigned longest = 0;
	uint32_t used = 0;

	deflate_code_lengths(frequencies, count, bits_max, lengths);
	for (size_t i = 0; i < count; i++) {
		expect(!lengths[i] == !frequencies[i], "symbol %zu of frequency %u has %u bits", i, frequencies[i],
		       lengths[i]);
		used += lengths[i] ? 1U << (bits_max - lengths[i]) : 0;
		longest = lengths[i] > longest ? lengths[i] : longest;
		for (size_t j = 0; j < i; j++)
			expect(frequencies[i] <= frequencies[j] || !frequencies[j] || lengths[i] <= lengths[j],
			       "%u is longer than %u", lengths[i], lengths[j]);
	}
	expect(longest <= bits_max, "%u bits of %u", longest, bits_max);
	expect(used == 1U << bits_max, "%u of %u", used, 1U << bits_max);
	return longest;
}

START_TEST(codes_are_complete_and_within_their_limit)
{
	struct pick pick = { 9 };

	for (int round = 0; round < 500; round++) {
		uint32_t frequencies[SYMBOLS_MAX];
		unsigned bits_max = pick_between(&pick, 9, BITS_MAX);
		uint32_t count = pick_between(&pick, 2, SYMBOLS_MAX), skew = pick_below(&pick, 16);

		for (uint32_t i = 0; i < count; i++)
			frequencies[i] = 1 + pick_below(&pick, 1U << pick_below(&pick, skew + 1));
		(void)assert_code(frequencies, count, bits_max);
	}
	uint32_t far_apart[42]; /* each byte of a frequency decides somewhere */

	for (uint32_t i = 0; i < 42; i++)
		far_apart[i] = UINT32_C(1) << (i * 17 % 21);
	(void)assert_code(far_apart, 42, BITS_MAX);
	uint32_t fibonacci[24] = { 1, 1 };
	for (int i = 2; i < 24; i++)
		fibonacci[i] = fibonacci[i - 1] + fibonacci[i - 2];
	ck_assert_uint_eq(assert_code(fibonacci, 24, BITS_MAX), BITS_MAX);
	ck_assert_uint_eq(assert_code(fibonacci, 24, 5), 5);
}
END_TEST

START_TEST(few_symbols_have_codes_too)
{
	uint32_t frequencies[3] = { 0, 0, 0 };
	uint8_t lengths[3];
	uint16_t codes[3];

	deflate_code_lengths(frequencies, 3, 7, lengths);
	ck_assert(!lengths[0] && !lengths[1] && !lengths[2]);
	frequencies[1] = 9;
	deflate_code_lengths(frequencies, 3, 7, lengths);
	ck_assert(!lengths[0] && lengths[1] == 1 && !lengths[2]);
	deflate_codes(lengths, 3, codes);
	ck_assert_uint_eq(codes[1], 0);
}
END_TEST

/* The example of RFC 1951, 3.2.2, with the bits turned round. */
START_TEST(codes_are_canonical)
{
	const uint8_t lengths[] = { 3, 3, 3, 3, 3, 2, 4, 4 };
	const uint16_t wanted[] = { 2, 6, 1, 5, 3, 0, 7, 15 };
	uint16_t codes[8];

	deflate_codes(lengths, 8, codes);
	for (int i = 0; i < 8; i++)
		ck_assert_uint_eq(codes[i], wanted[i]);
}
END_TEST

Suite *suite_deflate(void)
{
	Suite *suite = suite_create("deflate");
	TCase *contents = tcase_create("contents"), *codes = tcase_create("codes");

	tcase_add_checked_fixture(contents, setup, teardown);
	tcase_set_timeout(contents, 60);
	tcase_add_test(contents, lines_come_back);
	tcase_add_test(contents, anything_comes_back);
	tcase_add_test(contents, every_length_of_a_line_comes_back);
	tcase_add_test(contents, every_beginning_comes_back);
	tcase_add_test(contents, long_contents_come_back_in_pieces);
	tcase_add_test(contents, what_cannot_be_compressed_is_stored);
	tcase_add_test(contents, lines_become_small);
	tcase_add_test(contents, parts_can_be_laid_end_to_end);
	tcase_add_test(contents, stored_blocks_inflate_and_can_be_laid_end_to_end);
	tcase_add_test(contents, the_same_content_becomes_the_same_bytes);
	tcase_add_test(codes, codes_are_complete_and_within_their_limit);
	tcase_add_test(codes, few_symbols_have_codes_too);
	tcase_add_test(codes, codes_are_canonical);
	suite_add_tcase(suite, contents);
	suite_add_tcase(suite, codes);
	return suite;
}
