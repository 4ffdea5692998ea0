/* SPDX-License-Identifier: ISC */
/*
 * packing.c: see packing.h.
 */
#include "http/packing.h"

#include <isa-l/igzip_lib.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/task.h"

#define LEVEL 1         /* a page of 1000 records: 2 to 3 ms, and an eighth of its bytes */
#define LENGTH_MIN 1400 /* a body that fits into a packet gains nothing */
#define STEP_BYTES ((size_t)256 << 10)

struct packing {
	struct http_request *request;
	int status;
	const char *content_type;
	struct buf in; /* all of it */
	size_t at;
	struct buf out;
	struct task task;
	struct isal_zstream stream;
	uint8_t level_buf[ISAL_DEF_LVL1_DEFAULT];
};

/* --- does the client accept it? --- */

static struct str trim(struct str text)
{
	while (text.len > 0 && (text.p[0] == ' ' || text.p[0] == '\t'))
		text = (struct str){ text.p + 1, text.len - 1 };
	while (text.len > 0 && (text.p[text.len - 1] == ' ' || text.p[text.len - 1] == '\t'))
		text.len--;
	return text;
}

/* Cuts the part up to the next separator off *rest; p is NULL at the end. */
static struct str next_part(struct str *rest, char separator)
{
	const char *at = rest->p ? memchr(rest->p, separator, rest->len) : NULL;
	struct str part = { rest->p, at ? (size_t)(at - rest->p) : rest->len };

	*rest = at ? (struct str){ at + 1, rest->len - part.len - 1 } : (struct str){ NULL, 0 };
	return trim(part);
}

/* "q=0.25" in thousandths; 1000 if it is no weight. */
static int weight_of(struct str parameters)
{
	struct str parameter;
	int weight = 1000;

	while (parameters.p) {
		parameter = next_part(&parameters, ';');
		if (parameter.len < 3 || (parameter.p[0] | 0x20) != 'q' || parameter.p[1] != '=')
			continue;
		weight = parameter.p[2] == '1' ? 1000 : 0;
		for (size_t i = 4, worth = 100; i < parameter.len && i < 7 && weight < 1000; i++, worth /= 10)
			if (parameter.p[i] >= '0' && parameter.p[i] <= '9')
				weight += (parameter.p[i] - '0') * (int)worth;
	}
	return weight;
}

bool http_packing_is_preferred(struct str accept_encoding)
{
	int gzip = -1, any = -1, identity = -1;

	while (accept_encoding.p) {
		struct str rest = next_part(&accept_encoding, ',');
		struct str coding = next_part(&rest, ';');
		int weight = weight_of(rest);

		if (str_equal_nocase(coding, STR_LITERAL("gzip")) || str_equal_nocase(coding, STR_LITERAL("x-gzip")))
			gzip = weight;
		else if (str_equal_nocase(coding, STR_LITERAL("identity")))
			identity = weight;
		else if (str_is(coding, "*"))
			any = weight;
	}
	if (gzip < 0)
		gzip = any;
	return gzip > 0 && gzip >= identity;
}

static bool is_text(const char *content_type)
{
	return strncmp(content_type, "application/json", 16) == 0 || strncmp(content_type, "text/", 5) == 0;
}

bool http_packing_is_worth_it(const struct http_request *request, const char *content_type, size_t length)
{
	return length >= LENGTH_MIN && content_type && is_text(content_type) && request->route &&
	       !http_body_is_streamed(request);
}

/* --- compressing --- */

static void packing_free(void *arg)
{
	struct packing *packing = arg;

	task_cancel(&packing->task);
	buf_free(&packing->in);
	buf_free(&packing->out);
	free(packing);
}

/* Room for the most that ISA-L may make of a step's input. */
static bool make_room(struct packing *packing, size_t len)
{
	size_t bound = len + len / 8192 + 1024;

	if (!buf_reserve(&packing->out, bound))
		return false;
	packing->stream.next_out = (uint8_t *)packing->out.data + packing->out.len;
	packing->stream.avail_out = (uint32_t)bound;
	return true;
}

static bool step(struct packing *packing)
{
	struct isal_zstream *stream = &packing->stream;
	size_t left = packing->in.len - packing->at, len = left < STEP_BYTES ? left : STEP_BYTES;

	stream->next_in = (uint8_t *)packing->in.data + packing->at;
	stream->avail_in = (uint32_t)len;
	stream->end_of_stream = len == left;
	packing->at += len;
	do {
		if (!make_room(packing, len))
			return false;
		uint32_t room = stream->avail_out;

		if (isal_deflate(stream) != COMP_OK)
			return false;
		packing->out.len += room - stream->avail_out;
	} while (stream->avail_in > 0 || (stream->end_of_stream && stream->internal_state.state != ZSTATE_END));
	return true;
}

static void answer(struct packing *packing)
{
	struct http_request *request = packing->request;

	http_reply_header(request, "Content-Encoding", "gzip");
	request->on_close = NULL;
	http_reply_uncompressed(request, packing->status, packing->content_type, (struct str){ NULL, 0 },
	                        &packing->out);
	packing_free(packing);
}

/* Out of memory: the answer is sent uncompressed. */
static void give_up(struct packing *packing)
{
	packing->request->on_close = NULL;
	http_reply_uncompressed(packing->request, packing->status, packing->content_type, (struct str){ NULL, 0 },
	                        &packing->in);
	packing_free(packing);
}

static void on_slice(void *arg, int64_t deadline_us)
{
	struct packing *packing = arg;
	struct error err;
	bool right = true;

	do {
		right = step(packing);
	} while (right && packing->at < packing->in.len && clock_monotonic_us() < deadline_us);
	if (right && packing->at == packing->in.len)
		answer(packing);
	else if (!right || task_start(&packing->task, &err) < 0)
		give_up(packing);
}

/* A short body is compressed at once if the turn has time for it. */
static void begin(struct packing *packing)
{
	const char *user = packing->request->user_name.len > 0 ? buf_cstr(&packing->request->user_name) : NULL;
	struct error err;

	task_init(&packing->task, packing->request->connection->server->tasks, user ? user : "", TASK_ANSWERS, on_slice,
	          packing);
	http_request_on_close(packing->request, packing_free, packing);
	if (!task_try_now(&packing->task) && task_start(&packing->task, &err) < 0)
		give_up(packing);
}

bool http_packing_begin(struct http_request *request, int status, const char *content_type, struct str front,
                        struct buf *body)
{
	struct packing *packing = malloc(sizeof(*packing));

	if (!packing)
		return false;
	*packing = (struct packing){ .request = request, .status = status, .content_type = content_type };
	if (front.len > 0) {
		buf_add_str(&packing->in, front);
		buf_add_str(&packing->in, buf_str(body));
		if (packing->in.failed) {
			packing_free(packing);
			return false;
		}
		buf_free(body);
	} else {
		packing->in = *body;
		*body = (struct buf){ 0 };
	}
	isal_deflate_init(&packing->stream);
	packing->stream.level = LEVEL;
	packing->stream.level_buf = packing->level_buf;
	packing->stream.level_buf_size = sizeof(packing->level_buf);
	packing->stream.gzip_flag = IGZIP_GZIP;
	begin(packing);
	return true;
}
