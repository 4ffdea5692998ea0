/* SPDX-License-Identifier: ISC */
/*
 * test_event.c: an event that an account sends to itself, to see whether its receiver understands callbacks, and a small file
 * that it delivers to a destination. They are stored, signed, guarded and counted as all callbacks are.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/json.h"
#include "callback/callbacks_private.h"
#include "callback/upload.h"

#define TESTS_MAX 1000 /* of all accounts: each looks through them */

bool callback_is_test(struct str id)
{
	static const struct str prefix = { CALLBACK_TEST_PREFIX, sizeof(CALLBACK_TEST_PREFIX) - 1 };

	return id.len > prefix.len && memcmp(id.p, prefix.p, prefix.len) == 0;
}

/* Those that are done and wait to be saved are not under way. */
static int check_count(const struct callbacks *callbacks, const char *account, struct error *err)
{
	const struct callback *callback;
	size_t all = 0, own = 0;

	LIST_FOREACH(callback, &callbacks->tests, test) {
		all++;
		own += str_is(str_from(account), callback->account) && callback->phase != CALLBACK_PHASE_DONE;
	}
	if (own >= CALLBACK_TESTS_MAX)
		return error_set(err, ERROR_LIMIT,
		                 "Account %s has %d test callbacks under way, which is all it may have", account,
		                 CALLBACK_TESTS_MAX);
	return all < TESTS_MAX ? 0 : error_set(err, ERROR_LIMIT, "%d test callbacks are under way", TESTS_MAX);
}

static void write_body(struct buf *body, const char *id, const char *account)
{
	struct json json = json_to(body);
	struct buf time = { 0 };
	int64_t now_us = clock_now_us();

	clock_format_record(&time, now_us - now_us % CLOCK_US_PER_SECOND);
	json_object_begin(&json);
	json_member_text(&json, "type", "test");
	json_member_text(&json, "id", id);
	json_member_text(&json, "account_id", account);
	json_member_str(&json, "time", buf_str(&time));
	json_object_end(&json);
	body->failed = body->failed || time.failed;
	buf_free(&time);
}

static int put(struct callbacks *callbacks, const struct callback_event *event, struct error *err)
{
	struct change change;

	if (change_begin(&change, callbacks->meta, err) != 0)
		return -1;
	return change_end(&change, callback_put(&change, event, err), err);
}

/* May a test be made now? Gives it an id. */
static int begin_test(const struct callbacks *callbacks, const char *account, char id[CALLBACK_ID_MAX + 1],
                      struct error *err)
{
	char uuid[ID_UUID_LEN + 1];

	if (callbacks_held(callbacks) != CALLBACK_NOT_HELD)
		return error_set(err, ERROR_CONFLICT, "Callbacks are held at the moment: nothing is sent");
	if (check_count(callbacks, account, err) != 0)
		return -1;
	id_uuid(uuid);
	(void)snprintf(id, CALLBACK_ID_MAX + 1, CALLBACK_TEST_PREFIX "%s", uuid);
	return 0;
}

int callbacks_test_destination(struct callbacks *callbacks, const char *account, struct str name,
                               char id[CALLBACK_ID_MAX + 1], struct error *err)
{
	struct buf url = { 0 };
	struct destination destination;
	char sha256[UPLOAD_SHA256_LEN + 1];

	if (destinations_find(callbacks->destinations, account, name, &destination, err) != 0 ||
	    begin_test(callbacks, account, id, err) != 0)
		return -1;
	buf_addf(&url, "%s" UPLOAD_TEST_NAME, destination.url);
	explicit_bzero(&destination, sizeof(destination));
	upload_test_sha256(sha256);
	struct callback_event event = {
		.account = str_from(account),
		.id = str_from(id),
		.url = buf_str(&url),
		.body = STR_LITERAL(""),
		.upload = { name, STR_LITERAL(UPLOAD_TEST_FILE), str_from(sha256) },
	};
	int result = url.failed ? error_set(err, ERROR_NOMEM, "test of a destination: out of memory") :
	                          put(callbacks, &event, err);
	buf_free(&url);
	if (result == 0)
		callbacks_wake(callbacks);
	return result;
}

int callbacks_test(struct callbacks *callbacks, const char *account, struct str url, char id[CALLBACK_ID_MAX + 1],
                   struct error *err)
{
	struct buf body = { 0 };

	if (callback_url_check(url, err) != 0 || begin_test(callbacks, account, id, err) != 0)
		return -1;
	write_body(&body, id, account);
	struct callback_event event = {
		.account = str_from(account),
		.id = str_from(id),
		.url = url,
		.body = buf_str(&body),
	};
	int result =
		body.failed ? error_set(err, ERROR_NOMEM, "test callback: out of memory") : put(callbacks, &event, err);
	buf_free(&body);
	if (result == 0)
		callbacks_wake(callbacks);
	return result;
}
