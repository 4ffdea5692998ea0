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
	struct telling *telling; /* that all is stored; or NULL */
};

/* That all is stored. Lives until that has been answered, which may be after the commit has settled. */
struct telling {
	struct store_asked *asked; /* NULL: it has ended */
};

static void asked_free(struct store_asked *asked)
{
	if (asked->telling)
		asked->telling->asked = NULL;
	buf_free(&asked->answer);
	free(asked);
}

static bool on_came(void *arg, struct str piece)
{
	struct store_asked *asked = arg;
	struct store_numbers numbers;

	buf_add_str(&asked->answer, piece);
	if (asked->from > 0 || asked->answer.failed || asked->answer.len < STORE_NUMBERS_BYTES ||
	    !store_numbers_read((struct str){ asked->answer.data, STORE_NUMBERS_BYTES }, &numbers))
		return true;
	asked->from = numbers.from;
	asked->calls->given(asked->arg, &numbers, NULL);
	return true;
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

	if (!err && !(is_given && has_settled)) {
		error_set(&why, ERROR_UNAVAILABLE, "the front end that holds the catalog has given a commit up");
		err = &why;
	}
	asked_free(asked);
	if (is_given)
		calls->ended(calls_arg, err);
	else
		calls->given(calls_arg, NULL, err);
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

/* --- how it ends --- */

static int tell(const struct store_asked *asked, bool is_stored, const struct store_changed *changed,
                const struct forward_own_calls *calls, void *arg, struct error *err)
{
	struct buf body = { 0 };
	char path[sizeof(PATH) + 32];

	snprintf(path, sizeof(path), PATH "/%llu", (unsigned long long)asked->from);
	buf_add_char(&body, is_stored ? '1' : '0');
	if (is_stored)
		buf_add(&body, changed, sizeof(*changed));
	int result = forwarder_post(asked->forwarder, path, &body, calls, arg, err) ? 0 : -1;
	buf_free(&body);
	return result;
}

/* The other one does not know that all is stored: without this, both would wait, and everybody's answers with them. It gives the
 * commit up when the first request is gone. */
static void fail(struct store_asked *asked, const struct error *err)
{
	const struct store_numbers_calls *calls = asked->calls;
	void *arg = asked->arg;

	forward_own_cancel(asked->request);
	asked_free(asked);
	calls->ended(arg, err);
}

static bool on_told_more(void *arg, struct str piece)
{
	(void)arg;
	(void)piece;
	return true;
}

static void on_told(void *arg, const struct error *err)
{
	struct telling *telling = arg;
	struct store_asked *asked = telling->asked;

	if (asked)
		asked->telling = NULL;
	free(telling);
	if (asked && err)
		fail(asked, err);
}

static void tell_stored(struct store_asked *asked, const struct store_changed *changed)
{
	static const struct forward_own_calls calls = { on_told_more, on_told };
	struct telling *telling = malloc(sizeof(*telling));
	struct error err;

	if (telling) {
		telling->asked = asked;
		asked->telling = telling;
		if (tell(asked, true, changed, &calls, telling, &err) == 0)
			return;
		asked->telling = NULL;
		free(telling);
	} else {
		error_set(&err, ERROR_NOMEM, "the end of a commit: out of memory");
	}
	fail(asked, &err);
}

static void end(struct store_asked *asked, bool is_stored, const struct store_changed *changed)
{
	struct error err;

	if (is_stored) {
		tell_stored(asked, changed);
		return;
	}
	/* Where this is lost, the other one knows by the end of the first request. */
	if (asked->from > 0)
		MAY_FAIL(tell(asked, false, NULL, NULL, NULL, &err) != 0);
	forward_own_cancel(asked->request);
	asked_free(asked);
}

struct store_numbers_source asked_numbers_of(struct forwarder *forwarder)
{
	return (struct store_numbers_source){ .begin = begin, .end = end, .arg = forwarder };
}
