/* SPDX-License-Identifier: ISC */
/*
 * test_archive.c: archives hold what was put into them, whatever the parts, and resume where they were cut back to.
 */
#include <check.h>
#include <fcntl.h>
#include <isa-l/crc.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "expect.h"
#include "record/record.h"
#include "report/archive_private.h"
#include "report/crc_append.h"
#include "report_unpack.h"

Suite *suite_archive(void);

#define NAME "report_SMS_abcd1234_20241126.csv"
#define TIME_US (INT64_C(1732622400) * CLOCK_US_PER_SECOND) /* 2024-11-26T12:00:00Z */

static char path[64];
static struct archive *archive;
static struct buf content; /* what was put */
static struct buf file;
static struct buf unpacked;
static struct error err;

#define ASSERT_PUT(call) ck_assert_msg((call) == ARCHIVE_PUT, "%s: %s", #call, err.message)

static void setup(void)
{
	int fd;

	snprintf(path, sizeof(path), "/tmp/cdrd-test-archive-XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	close(fd);
}

static void teardown(void)
{
	archive_free(archive);
	archive = NULL;
	unlink(path);
	buf_free(&content);
	buf_free(&file);
	buf_free(&unpacked);
}

static struct archive_options options_of(enum archive_kind kind)
{
	return (struct archive_options){ .kind = kind, .name = STR_LITERAL(NAME), .time_us = TIME_US };
}

static void begin(enum archive_kind kind)
{
	struct archive_options options = options_of(kind);

	buf_clear(&content);
	archive = archive_new(path, &options, &err);
	ck_assert_msg(archive != NULL, "%s", err.message);
}

static void make_rows(struct buf *out, int first, int count)
{
	for (int i = first; i < first + count; i++)
		buf_addf(out, "\"abcd1234\",\"%08x-%d\",\"4477009%05d\",\"delivered\"\n", (unsigned)i * 2654435761U, i,
		         i * 7 % 99999);
}

static void put_rows(int first, int count)
{
	struct buf rows = { 0 };

	make_rows(&rows, first, count);
	ASSERT_PUT(archive_put(archive, buf_str(&rows), 0, &err));
	buf_add(&content, rows.data, rows.len);
	buf_free(&rows);
}

/* As a sealed block comes. */
static void put_part(int first, int count)
{
	struct buf rows = { 0 }, deflate = { 0 };
	void *compressor = archive_deflate_new();
	struct archive_part part;

	make_rows(&rows, first, count);
	ck_assert(archive_deflate(compressor, buf_str(&rows), &deflate));
	part = (struct archive_part){
		.deflate = buf_str(&deflate),
		.content_bytes = (uint32_t)rows.len,
		.content_crc32 = (uint32_t)crc32(0, (const Bytef *)rows.data, (uInt)rows.len),
	};
	ASSERT_PUT(archive_put_part(archive, &part, 0, INT64_MAX, &err));
	buf_add(&content, rows.data, rows.len);
	archive_deflate_free(compressor);
	buf_free(&rows);
	buf_free(&deflate);
}

static void finish(void)
{
	ASSERT_OK(archive_finish(archive, &err));
	ASSERT_OK(archive_sync(archive, &err));
	unpack_read_file(path, &file);
	ck_assert_uint_eq(file.len, archive_state(archive)->bytes);
}

static void assert_content(enum archive_kind kind)
{
	buf_clear(&unpacked);
	if (kind == ARCHIVE_ZIP)
		unpack_zip(&file, &unpacked);
	else if (kind == ARCHIVE_GZIP)
		unpack_inflate(buf_str(&file), 31, &unpacked);
	else
		unpack_zstd(&file, &unpacked);
	ck_assert_uint_eq(unpacked.len, content.len);
	ck_assert_mem_eq(buf_str(&unpacked).p, buf_str(&content).p, content.len);
}

START_TEST(parts_of_both_kinds_come_back_in_order)
{
	begin((enum archive_kind)_i);
	put_rows(0, 1);
	put_part(1, 3000);
	put_part(3001, 1);
	put_rows(3002, 5000);
	put_part(8002, 2000);
	finish();
	assert_content((enum archive_kind)_i);
}
END_TEST

START_TEST(archive_without_content_is_valid)
{
	begin((enum archive_kind)_i);
	finish();
	assert_content((enum archive_kind)_i);
}
END_TEST

START_TEST(content_that_cannot_be_compressed_comes_back)
{
	struct buf noise = { 0 };
	uint32_t x = 1;

	for (int i = 0; i < 300000; i++) {
		x = x * 1664525 + 1013904223;
		buf_add_char(&noise, (char)(x >> 24));
	}
	begin((enum archive_kind)_i);
	ASSERT_PUT(archive_put(archive, buf_str(&noise), 0, &err));
	ASSERT_PUT(archive_put(archive, STR_LITERAL("\n"), 0, &err));
	buf_add(&content, noise.data, noise.len);
	buf_add_char(&content, '\n');
	finish();
	assert_content((enum archive_kind)_i);
	buf_free(&noise);
}
END_TEST

START_TEST(sha256_is_that_of_the_file)
{
	uint8_t sum[ARCHIVE_SHA256_BYTES];
	char hex[65];

	begin((enum archive_kind)_i);
	put_rows(0, 100);
	put_part(100, 100);
	finish();
	ASSERT_OK(archive_sha256(archive, sum, &err));
	unpack_sha256(&file, hex);
	for (int i = 0; i < ARCHIVE_SHA256_BYTES; i++) {
		char two[3];

		snprintf(two, sizeof(two), "%02x", sum[i]);
		ck_assert_mem_eq(hex + (ptrdiff_t)2 * i, two, 2);
	}
}
END_TEST

START_TEST(cut_back_archive_goes_on_to_the_same_bytes)
{
	struct archive_options options = options_of((enum archive_kind)_i);
	uint8_t sum[ARCHIVE_SHA256_BYTES];
	struct archive_state state;
	struct buf whole = { 0 };
	int ready;

	begin(options.kind);
	put_rows(0, 5000);
	put_part(5000, 5000);
	state = *archive_state(archive);
	ASSERT_OK(archive_sha256(archive, sum, &err));
	put_rows(10000, 100);
	put_part(10100, 100);
	finish();
	buf_add(&whole, file.data, file.len);
	archive_free(archive);

	archive = archive_open(path, &options, &state, sum, &err);
	ck_assert_msg(archive != NULL, "%s", err.message);
	while ((ready = archive_catch_up(archive, 0, &err)) == 0)
		;
	ck_assert_msg(ready == 1, "%s", err.message);
	put_rows(10000, 100);
	put_part(10100, 100);
	finish();
	ck_assert_uint_eq(file.len, whole.len);
	ck_assert_mem_eq(file.data, whole.data, whole.len);
	buf_free(&whole);
}
END_TEST

static struct archive *open_again(const struct archive_state *state, const uint8_t *sum)
{
	struct archive_options options = options_of(ARCHIVE_ZIP);

	archive_free(archive);
	archive = NULL;
	return archive_open(path, &options, state, sum, &err);
}

static uint64_t size_of_file(void)
{
	struct stat st;

	ck_assert_int_eq(stat(path, &st), 0);
	return (uint64_t)st.st_size;
}

START_TEST(small_parts_are_written_together)
{
	begin(ARCHIVE_ZIP);
	uint64_t before = size_of_file();
	put_rows(0, 10);
	put_rows(10, 10);
	ck_assert_uint_eq(size_of_file(), before);
	ck_assert_uint_gt(archive_state(archive)->bytes, before);
	ASSERT_OK(archive_sync(archive, &err));
	ck_assert_uint_eq(size_of_file(), archive_state(archive)->bytes);
}
END_TEST

START_TEST(changed_file_is_refused)
{
	uint8_t sum[ARCHIVE_SHA256_BYTES];
	struct archive_state state;
	int fd;

	begin(ARCHIVE_ZIP);
	put_rows(0, 1000);
	ASSERT_OK(archive_sync(archive, &err));
	state = *archive_state(archive);
	ASSERT_OK(archive_sha256(archive, sum, &err));

	fd = open(path, O_WRONLY);
	ck_assert_int_eq(pwrite(fd, "!", 1, 200), 1);
	archive = open_again(&state, sum);
	ck_assert_ptr_nonnull(archive);
	ck_assert_int_eq(archive_catch_up(archive, INT64_MAX, &err), -1);
	ck_assert_int_eq(err.code, ERROR_CORRUPT);

	ck_assert_int_eq(ftruncate(fd, 100), 0);
	ck_assert_ptr_null(open_again(&state, sum));
	ck_assert_int_eq(err.code, ERROR_CORRUPT);

	close(fd);
	unlink(path);
	ck_assert_ptr_null(open_again(&state, sum));
	ck_assert_int_eq(err.code, ERROR_CORRUPT);
}
END_TEST

START_TEST(no_part_makes_the_file_longer_than_allowed)
{
	struct buf rows = { 0 };
	uint64_t before, needed;

	make_rows(&rows, 0, 1000);
	begin((enum archive_kind)_i);
	ASSERT_PUT(archive_put(archive, buf_str(&rows), 0, &err));
	finish();
	needed = file.len;
	archive_free(archive);

	begin((enum archive_kind)_i);
	before = archive_state(archive)->bytes;
	ck_assert_int_eq(archive_put(archive, buf_str(&rows), needed - 1, &err), ARCHIVE_NO_ROOM);
	ck_assert_uint_eq(archive_state(archive)->bytes, before);
	ASSERT_PUT(archive_put(archive, buf_str(&rows), needed, &err));
	buf_add(&content, rows.data, rows.len);
	finish();
	ck_assert_uint_eq(file.len, needed);
	assert_content((enum archive_kind)_i);
	buf_free(&rows);
}
END_TEST

START_TEST(damaged_part_is_refused_where_it_is_inflated)
{
	struct archive_part part = { .deflate = STR_LITERAL("\x4a\x04\x00\x00\x00\xff\xff"), .content_bytes = 1 };

	begin(ARCHIVE_ZSTD);
	ck_assert_int_eq(archive_put_part(archive, &part, 0, INT64_MAX, &err), ARCHIVE_FAILED);
	ck_assert_int_eq(err.code, ERROR_CORRUPT);
	part.content_crc32 = (uint32_t)crc32(0, (const Bytef *)"a", 1);
	ASSERT_PUT(archive_put_part(archive, &part, 0, INT64_MAX, &err));
}
END_TEST

/* As another process has it. See archive_deflate.c for what this is about. */
START_TEST(deflate_does_not_depend_on_where_its_memory_is)
{
	enum { COMPRESSORS = 1500 };
	struct buf rows = { 0 }, first = { 0 }, other = { 0 };
	void *compressors[COMPRESSORS];

	record_write_csv_header(&rows, catalog_product_find(STR_LITERAL("SMS")), &(struct record_view){ 0 });
	for (int i = 0; i < COMPRESSORS; i++) {
		struct buf *out = i == 0 ? &first : &other;

		compressors[i] = archive_deflate_new();
		buf_clear(out);
		ck_assert(archive_deflate(compressors[i], buf_str(&rows), out));
		ck_assert_msg(str_equal(buf_str(out), buf_str(&first)), "compressor %d made other bytes", i);
	}
	for (int i = 0; i < COMPRESSORS; i++)
		archive_deflate_free(compressors[i]);
	buf_free(&rows);
	buf_free(&first);
	buf_free(&other);
}
END_TEST

START_TEST(gzip_names_and_dates_the_file)
{
	begin(ARCHIVE_GZIP);
	finish();
	ck_assert_uint_eq(unpack_number(&file, 4, 4), TIME_US / CLOCK_US_PER_SECOND);
	ck_assert_str_eq(file.data + 10, NAME);
}
END_TEST

START_TEST(zip_names_and_dates_the_file)
{
	begin(ARCHIVE_ZIP);
	finish();
	ck_assert_uint_eq(unpack_number(&file, 10, 2), 12 << 11);
	ck_assert_uint_eq(unpack_number(&file, 12, 2), (2024 - 1980) << 9 | 11 << 5 | 26);
	ck_assert_mem_eq(file.data + 30, NAME, strlen(NAME));
}
END_TEST

/* 4.4 GiB of spaces: a part of 64 MiB, again and again. */
static void put_many_spaces(void)
{
	size_t len = (size_t)64 << 20;
	char *spaces = malloc(len);
	struct buf deflate = { 0 };
	void *compressor = archive_deflate_new();
	struct archive_part part;

	memset(spaces, ' ', len);
	ck_assert(archive_deflate(compressor, (struct str){ spaces, len }, &deflate));
	part = (struct archive_part){
		.deflate = buf_str(&deflate),
		.content_bytes = (uint32_t)len,
		.content_crc32 = (uint32_t)crc32(0, (const Bytef *)spaces, (uInt)len),
	};
	for (int i = 0; i < 70; i++)
		ASSERT_PUT(archive_put_part(archive, &part, 0, INT64_MAX, &err));
	archive_deflate_free(compressor);
	buf_free(&deflate);
	free(spaces);
}

START_TEST(zip_of_more_than_4_gib_has_zip64_sizes)
{
	uint64_t bytes = UINT64_C(70) * (64 << 20);
	size_t locator, zip64, central, extra, descriptor;

	begin(ARCHIVE_ZIP);
	put_many_spaces();
	finish();
	locator = file.len - 22 - 20;
	ck_assert_uint_eq(unpack_number(&file, locator, 4), 0x07064b50);
	zip64 = unpack_number(&file, locator + 8, 8);
	ck_assert_uint_eq(unpack_number(&file, zip64, 4), 0x06064b50);
	ck_assert_uint_eq(zip64 + 56, locator);
	central = unpack_number(&file, zip64 + 48, 8);
	ck_assert_uint_eq(unpack_number(&file, central, 4), 0x02014b50);
	ck_assert_uint_eq(unpack_number(&file, central + 20, 8), UINT64_MAX);
	extra = central + 46 + strlen(NAME);
	ck_assert_uint_eq(unpack_number(&file, extra, 4), 16 << 16 | 1);
	ck_assert_uint_eq(unpack_number(&file, extra + 4, 8), bytes);
	descriptor = 30 + strlen(NAME) + unpack_number(&file, extra + 12, 8);
	ck_assert_uint_eq(descriptor + 24, central);
	ck_assert_uint_eq(unpack_number(&file, descriptor + 16, 8), bytes);
}
END_TEST

START_TEST(full_disk_is_said)
{
	struct archive_options options = options_of(ARCHIVE_ZIP);

	if (access("/dev/full", W_OK) != 0)
		return;
	ck_assert_ptr_null(archive_new("/dev/full", &options, &err));
	ck_assert_int_eq(err.code, ERROR_FULL);
}
END_TEST

START_TEST(finished_file_has_no_disk_space_after_its_end)
{
	struct buf bytes = { 0 };
	uint64_t random = 1;
	struct stat st;

	begin(ARCHIVE_ZIP);
	for (size_t i = 0; i < (1 << 20) / sizeof(random); i++) {
		random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
		buf_add(&bytes, &random, sizeof(random));
	}
	for (int i = 0; i < 9; i++)
		ASSERT_PUT(archive_put(archive, buf_str(&bytes), 0, &err));
	ASSERT_OK(archive_finish(archive, &err));
	ASSERT_OK(archive_sync(archive, &err));
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_gt(st.st_size, 8 << 20);
	ck_assert_int_lt((int64_t)st.st_blocks * 512, (int64_t)st.st_size + (1 << 20));
	buf_free(&bytes);
}
END_TEST

/* Up to two digits of a length, and around where it has one more. */
START_TEST(crcs_of_content_and_a_part_make_that_of_both)
{
	static const size_t lengths[] = { 65535, 65536, 65537, 1000000, (1 << 24) - 1, 1 << 24, (1 << 24) + 1 };
	static struct crc_append append;
	size_t shorts = 4160, count = shorts + sizeof(lengths) / sizeof(lengths[0]);
	uint8_t *bytes = malloc((1 << 24) + 1);
	uint32_t crc = 0;

	ck_assert_ptr_nonnull(bytes);
	for (size_t i = 0; i < (1 << 24) + 1; i++)
		bytes[i] = (uint8_t)(i * i >> 3);
	for (size_t i = 0; i < count; i++) {
		size_t len = i < shorts ? i : lengths[i - shorts];
		uint32_t part = crc32_gzip_refl(0, bytes, len);
		uint32_t wanted = crc32_gzip_refl(crc, bytes, len);

		crc = crc_append(&append, crc, part, len);
		ck_assert_msg(crc == wanted, "%zu bytes: %08x, wanted %08x", len, crc, wanted);
	}
	free(bytes);
}
END_TEST

Suite *suite_archive(void)
{
	Suite *s = suite_create("archive");
	TCase *each = tcase_create("each kind");
	TCase *one = tcase_create("one kind");

	tcase_add_checked_fixture(each, setup, teardown);
	tcase_add_loop_test(each, parts_of_both_kinds_come_back_in_order, ARCHIVE_ZIP, ARCHIVE_ZSTD + 1);
	tcase_add_loop_test(each, archive_without_content_is_valid, ARCHIVE_ZIP, ARCHIVE_ZSTD + 1);
	tcase_add_loop_test(each, content_that_cannot_be_compressed_comes_back, ARCHIVE_ZIP, ARCHIVE_ZSTD + 1);
	tcase_add_loop_test(each, sha256_is_that_of_the_file, ARCHIVE_ZIP, ARCHIVE_ZSTD + 1);
	tcase_add_loop_test(each, cut_back_archive_goes_on_to_the_same_bytes, ARCHIVE_ZIP, ARCHIVE_ZSTD + 1);
	tcase_add_loop_test(each, no_part_makes_the_file_longer_than_allowed, ARCHIVE_ZIP, ARCHIVE_ZSTD + 1);
	suite_add_tcase(s, each);
	tcase_add_checked_fixture(one, setup, teardown);
	tcase_add_test(one, small_parts_are_written_together);
	tcase_add_test(one, changed_file_is_refused);
	tcase_add_test(one, damaged_part_is_refused_where_it_is_inflated);
	tcase_add_test(one, deflate_does_not_depend_on_where_its_memory_is);
	tcase_add_test(one, gzip_names_and_dates_the_file);
	tcase_add_test(one, zip_names_and_dates_the_file);
	tcase_add_test(one, zip_of_more_than_4_gib_has_zip64_sizes);
	tcase_add_test(one, full_disk_is_said);
	tcase_add_test(one, finished_file_has_no_disk_space_after_its_end);
	tcase_add_test(one, crcs_of_content_and_a_part_make_that_of_both);
	suite_add_tcase(s, one);
	return s;
}
