/* SPDX-License-Identifier: ISC */
/*
 * fuzz_cron.c: when schedules run.
 *
 * An input is a line of cron fields, and a line that names a time zone. What must hold: what was read runs some day; its
 * moments ascend, and the last one before a moment is one of them.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "schedule/cron.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int64_t now_us = INT64_C(1718625600000000);
	const char *line_end = size > 0 ? memchr(data, '\n', size) : NULL;
	struct str text = { (const char *)data, line_end ? (size_t)(line_end - (const char *)data) : size };
	struct str zone = line_end ? (struct str){ line_end + 1, size - text.len - 1 } : STR_LITERAL("UTC");
	int64_t first_us, second_us, latest_us;
	struct cron cron;
	struct error err;

	if (cron_parse(&cron, text, &err) != 0) {
		must(err.code == ERROR_INVALID);
		return 0;
	}
	if (zone.len > 40 || cron_next(&cron, zone, now_us, &first_us, &err) != 0)
		return 0;
	must(cron_next(&cron, zone, first_us, &second_us, &err) == 0);
	must(now_us < first_us && first_us < second_us);
	must(cron_latest(&cron, zone, first_us, second_us - 1, &latest_us, &err) == 0 && latest_us == first_us);
	must(cron_latest(&cron, zone, first_us, second_us, &latest_us, &err) == 0 && latest_us == second_us);
	return 0;
}
