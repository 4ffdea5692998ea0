/* SPDX-License-Identifier: ISC */
/*
 * fuzz_multipart.c: uploads in parts: what is kept of one, and what an S3 server may answer.
 *
 *	input = lines of what is kept, a line "===="; then answers: status / 4, tag's length, answer's length (2), both
 *
 * What must hold: whatever is kept and answered, steps ask for parts within the file; what is kept after a step leads to the
 * same step; and what is told of an answer is printable ASCII that keeps to its limit.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "callback/multipart.h"

#define FILE_BYTES 1000
#define PART_BYTES 300
#define ANSWER_HEAD 4
#define BETWEEN "====\n"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void check_step(struct multipart *multipart)
{
	struct transfer_request request = { 0 };
	struct buf sha256 = { 0 };
	struct error err;
	CURLU *url = curl_url();

	must(url && curl_url_set(url, CURLUPART_URL, "https://s3.example.com/reports/a.zip", 0) == CURLUE_OK);
	must(multipart_fill(multipart, url, &request, &sha256, &err) == 0);
	must(request.method != NULL && request.url != NULL && sha256.len > 0);
	if (request.is_part) {
		must(request.part_offset >= 0 && request.part_offset < FILE_BYTES && request.part_bytes > 0);
		must(request.part_bytes <= FILE_BYTES - request.part_offset);
	}
	buf_free(&sha256);
	curl_url_cleanup(url);
}

static void check_kept(const struct multipart *multipart)
{
	struct multipart again = { 0 };
	struct buf kept = { 0 };
	struct error err;

	multipart_keep(multipart, &kept);
	must(!kept.failed && multipart_begin(&again, multipart->upload, buf_str(&kept), PART_BYTES, &err) == 0);
	must(multipart->step == MULTIPART_ABORT || multipart->step == MULTIPART_COMPLETED ||
	     again.step == multipart->step);
	must(multipart->id.len == 0 || again.count == multipart->count);
	multipart_end(&again);
	buf_free(&kept);
}

static void check_reason(struct str answer)
{
	struct buf reason = { 0 };

	multipart_add_reason(&reason, answer, MULTIPART_REASON_MAX);
	must((reason.len > 0) == multipart_has_error(answer) && reason.len <= MULTIPART_REASON_MAX + 2);
	for (size_t i = 0; i < reason.len; i++)
		must(reason.data[i] >= ' ' && reason.data[i] <= '~');
	buf_free(&reason);
}

/* One step after another, as long as there are answers. */
static void answer_all(struct multipart *multipart, struct str rest)
{
	struct error err;

	while (multipart->step != MULTIPART_NONE && multipart->step != MULTIPART_COMPLETED && rest.len >= ANSWER_HEAD) {
		const uint8_t *head = (const uint8_t *)rest.p;
		struct transfer_result result = { .problem = "", .status = head[0] * 4L };
		size_t tag = head[1], answer = (size_t)head[2] | (size_t)head[3] << 8;

		rest = (struct str){ rest.p + ANSWER_HEAD, rest.len - ANSWER_HEAD };
		tag = tag < rest.len ? tag : rest.len;
		result.tag = (struct str){ rest.p, tag };
		rest = (struct str){ rest.p + tag, rest.len - tag };
		answer = answer < rest.len ? answer : rest.len;
		result.answer = (struct str){ rest.p, answer };
		rest = (struct str){ rest.p + answer, rest.len - answer };
		check_step(multipart);
		check_reason(result.answer);
		must(multipart_answered(multipart, &result, &err) == 0 || err.code == ERROR_CONFLICT);
		check_kept(multipart);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct upload upload = { .fd = -1, .size = FILE_BYTES, .destination.type = DESTINATION_S3 };
	const char *between = memmem(data, size, BETWEEN, strlen(BETWEEN));
	struct multipart multipart = { 0 };
	struct error err;

	if (!between)
		return 0;
	if (upload.sha256.len == 0)
		buf_add_text(&upload.sha256, "e3b0c442");
	/* as long as it is and no longer, for whoever reads past it */
	size_t kept_len = (size_t)(between - (const char *)data);
	char *kept = malloc(kept_len > 0 ? kept_len : 1);
	must(kept != NULL);
	memcpy(kept, data, kept_len);
	between += strlen(BETWEEN);
	must(multipart_begin(&multipart, &upload, (struct str){ kept, kept_len }, PART_BYTES, &err) == 0);
	answer_all(&multipart, (struct str){ between, (size_t)((const char *)data + size - between) });
	multipart_end(&multipart);
	free(kept);
	return 0;
}
