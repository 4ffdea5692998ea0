/* SPDX-License-Identifier: ISC */
/*
 * asked_numbers.c: see asked_numbers.h.
 */
#include "daemon/asked_numbers.h"

#include <stdio.h>
#include <stdlib.h>

#define PATH "/front-ends/numbers"

struct store_asked {
	struct forwarder *forwarder;
	struct forward_own *request;
	struct buf answer;
	uint64_t from; /* 0: not given yet */
	const struct store_numbers_calls *calls;
	void *arg;
};

static void asked_free(struct store_asked *asked)
{
	buf_free(&asked->answer);
	free(asked);
}

static void on_came(void *arg, struct str piece)
{
	struct store_asked *asked = arg;
	struct store_numbers numbers;

	buf_add_str(&asked->answer, piece);
	if (asked->from > 0 || asked->answer.failed || asked->answer.len < STORE_NUMBERS_BYTES ||
	    !store_numbers_read((struct str){ asked->answer.data, STORE_NUMBERS_BYTES }, &numbers))
		return;
	asked->from = numbers.from;
	asked->calls->given(asked->arg, &numbers, NULL);
}

static void on_ended(void *arg, const struct error *err)
{
	struct store_asked *asked = arg;
	const struct store_numbers_calls *calls = asked->calls;
	void *calls_arg = asked->arg;
	bool is_given = asked->from > 0;
	bool has_settled = !asked->answer.failed && asked->answer.len == STORE_NUMBERS_BYTES + 1 &&
	                   asked->answer.data[STORE_NUMBERS_BYTES] == '1';
	struct error why;

	if (!err && !has_settled) {
		error_set(&why, ERROR_UNAVAILABLE, "the front end that holds the catalog has given a commit up");
		err = &why;
	}
	asked_free(asked);
	if (is_given)
		calls->ended(calls_arg, err);
	else
		calls->given(calls_arg, NULL, err ? err : &why);
}

static struct store_asked *begin(void *arg, const struct store_numbers_request *request,
                                 const struct store_numbers_calls *calls, void *calls_arg, struct error *err)
{
	static const struct forward_own_calls own_calls = { on_came, on_ended };
	struct store_asked *asked = calloc(1, sizeof(*asked));
	struct buf body = { 0 };

	if (!asked) {
		error_set(err, ERROR_NOMEM, "numbers for a commit: out of memory");
		return NULL;
	}
	asked->forwarder = arg;
	asked->calls = calls;
	asked->arg = calls_arg;
	store_numbers_write_request(&body, request);
	asked->request = forwarder_post(asked->forwarder, PATH, &body, &own_calls, asked, err);
	buf_free(&body);
	if (asked->request)
		return asked;
	asked_free(asked);
	return NULL;
}

/* Where this is lost, the other one gives the commit up when its time is over, or knows by the end of the first request. */
static void tell(const struct store_asked *asked, bool is_stored, const struct store_changed *changed)
{
	struct buf body = { 0 };
	char path[sizeof(PATH) + 32];
	struct error err;

	snprintf(path, sizeof(path), PATH "/%llu", (unsigned long long)asked->from);
	buf_add_char(&body, is_stored ? '1' : '0');
	if (is_stored)
		buf_add(&body, changed, sizeof(*changed));
	MAY_FAIL(forwarder_post(asked->forwarder, path, &body, NULL, NULL, &err) == NULL);
	buf_free(&body);
}

static void end(struct store_asked *asked, bool is_stored, const struct store_changed *changed)
{
	if (asked->from > 0)
		tell(asked, is_stored, changed);
	if (is_stored)
		return;
	forward_own_cancel(asked->request);
	asked_free(asked);
}

struct store_numbers_source asked_numbers_of(struct forwarder *forwarder)
{
	return (struct store_numbers_source){ .begin = begin, .end = end, .arg = forwarder };
}
