/* SPDX-License-Identifier: ISC */
/*
 * fuzz_config.c: configuration files, `-o` values, and the numbers in them.
 *
 * An input is a file; its first line, after a byte that chooses a setting, is also given by `-o`. What must hold: the file
 * is read to its end whatever is in it; each fault has its line; what was read is written as a file that reads back
 * without a fault and means the same; and a number that was read is written as a text that means it.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/config.h"
#include "base/config_value.h"

#define TEXT_MAX 128

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct error err;

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* Reads the bytes as a file. Returns the number of faults. */
static size_t read_file(struct config *config, struct str bytes)
{
	struct config_faults faults = { 0 };
	char path[64];
	int fd = memfd_create("cdrd.conf", MFD_CLOEXEC);

	must(fd >= 0 && write(fd, bytes.p, bytes.len) == (ssize_t)bytes.len);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	must(config_init(config, &err) == 0);
	must((config_read_file(config, path, &faults) == 0) == (faults.count == 0));
	size_t lines = 0;
	for (size_t i = 0; i < faults.lines.len; i++)
		lines += faults.lines.data[i] == '\n';
	must(lines >= faults.count);
	buf_free(&faults.lines);
	(void)close(fd);
	return faults.count;
}

static void round_trip(struct str bytes)
{
	struct config config, again;
	struct buf dump = { 0 }, dump_again = { 0 };

	(void)read_file(&config, bytes);
	config_dump(&config, &dump);
	must(read_file(&again, buf_str(&dump)) == 0);
	config_dump(&again, &dump_again);
	must(str_equal(buf_str(&dump), buf_str(&dump_again)));
	config_free(&config);
	config_free(&again);
	buf_free(&dump);
	buf_free(&dump_again);
}

static void convert(enum config_type type, const char *text)
{
	decimal_units number, again;
	struct buf out = { 0 };

	if (config_value_is_text(type) || !config_value_parse(type, text, &number))
		return;
	must(number >= INT64_MIN && number <= INT64_MAX);
	config_value_format(&out, type, (int64_t)number);
	must(config_value_parse(type, buf_cstr(&out), &again) && again == number);
	buf_free(&out);
}

/* The first line as a value, after one byte that says of which setting. */
static void set_value(struct str bytes)
{
	const struct config_row *row = &config_rows[(uint8_t)bytes.p[0] % config_rows_count];
	const char *line_end = memchr(bytes.p, '\n', bytes.len);
	size_t len = line_end ? (size_t)(line_end - bytes.p) : bytes.len;
	char text[TEXT_MAX];
	struct config config;

	len = len < TEXT_MAX ? len : TEXT_MAX - 1;
	memcpy(text, bytes.p, len);
	text[len] = '\0';
	const char *value = len > 0 ? text + 1 : text;
	must(config_init(&config, &err) == 0);
	must(config_set(&config, row->key, value, &err) == 0 || strncmp(err.message, row->key, strlen(row->key)) == 0);
	/* and as a key, which only a setting's name is */
	bool taken = config_set(&config, text, "1", &err) == 0;
	bool known = false;
	for (size_t i = 0; i < config_rows_count; i++)
		known = known || strcmp(config_rows[i].key, text) == 0;
	must(known || !taken);
	config_free(&config);
	for (size_t i = 0; i < config_rows_count; i++)
		if (i == 0 || config_rows[i].type != config_rows[i - 1].type)
			convert(config_rows[i].type, value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str bytes = { (const char *)data, size };

	if (size == 0)
		return 0;
	round_trip(bytes);
	set_value(bytes);
	return 0;
}
