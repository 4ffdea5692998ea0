/* SPDX-License-Identifier: ISC */
/*
 * fuzz_archive.c: files of reports, and bytes as such files.
 *
 *	input = kind, parts, how, flip's place (2), flip; then the content, or the file itself
 *
 * What must hold: what parts were put into an archive is read from it, in whatever number of parts; after a flip, or of bytes
 * that nobody has archived, reading ends, with or without a fault that is told.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "report/archive.h"
#include "report/archive_reader.h"

#define HEAD 6
#define READ_MAX ((size_t)1 << 22)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char directory[] = "/tmp/cdrd-fuzz-archive-XXXXXX";
static char path[64];
static struct error err;

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void remove_all(void)
{
	(void)unlink(path);
	(void)rmdir(directory);
}

static void make_directory(void)
{
	must(mkdtemp(directory) != NULL && atexit(remove_all) == 0);
	(void)snprintf(path, sizeof(path), "%s/file", directory);
}

static void write_file(struct str bytes)
{
	FILE *file = fopen(path, "wb");

	must(file && fwrite(bytes.p, 1, bytes.len, file) == bytes.len && fclose(file) == 0);
}

static void flip(const uint8_t *data)
{
	size_t at = (size_t)data[3] | (size_t)data[4] << 8;
	int fd = open(path, O_RDWR | O_CLOEXEC);
	off_t size = lseek(fd, 0, SEEK_END);
	uint8_t byte = 0;

	must(fd >= 0 && size > 0 && pread(fd, &byte, 1, (off_t)(at % (size_t)size)) == 1);
	byte ^= data[5];
	must(pwrite(fd, &byte, 1, (off_t)(at % (size_t)size)) == 1 && close(fd) == 0);
}

static void make(enum archive_kind kind, size_t parts, struct str content)
{
	struct archive *archive =
		archive_new(path, &(struct archive_options){ .kind = kind, .name = STR_LITERAL("a.csv") }, &err);

	must(archive != NULL);
	for (size_t i = 0; i < parts; i++) {
		size_t from = content.len * i / parts, to = content.len * (i + 1) / parts;

		must(archive_put(archive, (struct str){ content.p + from, to - from }, 0, &err) == ARCHIVE_PUT);
	}
	must(archive_finish(archive, &err) == 0);
	archive_free(archive);
}

/* 0 at the end, -1. */
static int read_back(enum archive_kind kind, struct buf *content)
{
	struct archive_reader *reader = archive_reader_new(path, kind, &err);
	struct str piece;
	int more = reader ? 1 : -1;

	while (more > 0 && content->len < READ_MAX) {
		more = archive_reader_next(reader, &piece, &err);
		if (more > 0)
			buf_add_str(content, piece);
	}
	must(!content->failed && (more >= 0 || err.code == ERROR_CORRUPT));
	archive_reader_free(reader);
	return more;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf content = { 0 };

	if (size < HEAD)
		return 0;
	if (!path[0])
		make_directory();
	struct str rest = { (const char *)data + HEAD, size - HEAD };
	enum archive_kind kind = data[0] % (ARCHIVE_PARQUET + 1);
	if (data[2] % 2 == 0 && kind != ARCHIVE_PARQUET) {
		make(kind, 1 + data[1] % 8, rest);
		must(read_back(kind, &content) == 0 && str_equal(buf_str(&content), rest));
		flip(data);
		buf_clear(&content);
	} else {
		write_file(rest);
	}
	(void)read_back(kind, &content);
	buf_free(&content);
	return 0;
}
