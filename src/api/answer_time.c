/* SPDX-License-Identifier: ISC */
/*
 * answer_time.c: see answer_time.h.
 */
#include "api/answer_time.h"

#include "base/clock.h"

void api_write_time(struct json *json, const char *key, int64_t time_us)
{
	struct buf text = { 0 };

	clock_format_record(&text, time_us - time_us % CLOCK_US_PER_SECOND);
	json_member_str(json, key, buf_str(&text));
	if (text.failed)
		json->out->failed = true;
	buf_free(&text);
}
