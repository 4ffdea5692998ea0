/* SPDX-License-Identifier: ISC */
/*
 * console_session.c: see console_session.h.
 */
#include "api/console_session.h"

#include <endian.h>
#include <string.h>

#include "base/clock.h"
#include "base/envelope.h"
#include "meta/change.h"
#include "meta/rows.h"

#define COOKIE "cdrd_session"
#define CONTEXT STR_LITERAL("console session")
#define VERSION 1
#define ID_BYTES 16

/* In META_DB_VALUES: "session/TIME/ID" -> nothing. TIME is the microsecond at which the session's time is up, in 16
 * hexadecimal digits, so that those that can be forgotten come first; ID is in base64url. */
#define ENDED_PREFIX "session/"
#define TIME_DIGITS 16

/* What a token begins with; the credentials follow. */
struct token_head {
	uint8_t version;
	uint8_t id[ID_BYTES];
	uint64_t ends_us; /* little-endian */
} __attribute__((packed));

/* --- the cookie --- */

/* Its value, p NULL if there is none. */
static struct str find_cookie(const struct http_request *request)
{
	struct str rest = http_request_header(request, "Cookie");
	const size_t name_len = sizeof(COOKIE "=") - 1;

	while (rest.len > 0) {
		const char *end = memchr(rest.p, ';', rest.len);
		struct str pair = str_trim((struct str){ rest.p, end ? (size_t)(end - rest.p) : rest.len });

		if (pair.len > name_len && memcmp(pair.p, COOKIE "=", name_len) == 0)
			return (struct str){ pair.p + name_len, pair.len - name_len };
		rest = end ? (struct str){ end + 1, rest.len - (size_t)(end - rest.p) - 1 } : STR_LITERAL("");
	}
	return (struct str){ NULL, 0 };
}

static bool begins_with(struct str text, struct str prefix)
{
	return text.len >= prefix.len && memcmp(text.p, prefix.p, prefix.len) == 0;
}

/* Would a browser take the cookie over HTTP without TLS? It must for this machine itself, to which nobody listens. Only
 * the whole name counts: 127.example.net is not this machine. */
static bool is_loopback(struct str host)
{
	const char *port = host.len > 0 ? memrchr(host.p, ':', host.len) : NULL;

	if (port && !memchr(port, ']', host.len - (size_t)(port - host.p)))
		host.len = (size_t)(port - host.p);
	if (str_is(host, "localhost") || str_is(host, "[::1]"))
		return true;
	if (!begins_with(host, STR_LITERAL("127.")))
		return false;
	for (size_t i = 0; i < host.len; i++)
		if (host.p[i] != '.' && (host.p[i] < '0' || host.p[i] > '9'))
			return false;
	return true;
}

/* A proxy may put this machine's name in place of its own; the page's Origin tells that browsers use TLS. */
static bool may_go_without_tls(const struct http_request *request)
{
	return !http_request_is_tls(request) && is_loopback(http_request_header(request, "Host")) &&
	       !begins_with(http_request_header(request, "Origin"), STR_LITERAL("https://"));
}

static void set_cookie(struct http_request *request, struct str token, int64_t seconds)
{
	struct buf header = { 0 };

	buf_addf(&header, COOKIE "=%.*s; Path=/; Max-Age=%lld; HttpOnly; SameSite=Strict%s", STR_ARGS(token),
	         (long long)seconds, may_go_without_tls(request) ? "" : "; Secure");
	http_reply_header(request, "Set-Cookie", buf_cstr(&header));
	buf_free(&header);
}

void console_session_clear(struct http_request *request)
{
	set_cookie(request, STR_LITERAL(""), 0);
}

/* Was the request made by a script of our own page? */
static bool is_from_our_page(const struct http_request *request)
{
	struct str site = http_request_header(request, "Sec-Fetch-Site");

	return http_request_header(request, "X-Requested-With").p && (!site.p || str_is(site, "same-origin"));
}

/* --- sessions that are over before their time --- */

static void add_time_key(struct buf *key, int64_t time_us)
{
	buf_addf(key, ENDED_PREFIX "%0*llx", TIME_DIGITS, (unsigned long long)time_us);
}

static void add_ended_key(struct buf *key, const struct token_head *head)
{
	add_time_key(key, (int64_t)le64toh(head->ends_us));
	buf_add_char(key, '/');
	id_base64url_encode(key, head->id, ID_BYTES);
}

/* 1, 0 or -1. */
static int has_ended(const struct api *app, const struct token_head *head, struct error *err)
{
	struct buf key = { 0 };
	int found;

	add_ended_key(&key, head);
	found = key.failed ? error_set(err, ERROR_NOMEM, "Out of memory for a session") :
	                     meta_find(app->meta, META_DB_VALUES, buf_str(&key), NULL, NULL, err);
	buf_free(&key);
	return found;
}

#define SWEPT_MAX 16

/* The first of the sessions whose time is up. */
struct sweep {
	struct buf now; /* the key that separates them from the others */
	struct buf keys;
	size_t lens[SWEPT_MAX], count;
};

static enum meta_next take_old(void *arg, struct str key, struct str value, struct error *err)
{
	struct sweep *sweep = arg;

	(void)value;
	(void)err;
	if (key.len < sweep->now.len || memcmp(key.p, sweep->now.data, sweep->now.len) >= 0 ||
	    sweep->count == SWEPT_MAX)
		return META_STOP;
	buf_add_str(&sweep->keys, key);
	sweep->lens[sweep->count++] = key.len;
	return META_GO_ON;
}

static int remove_swept(struct change *change, const struct sweep *sweep, struct error *err)
{
	size_t at = 0;

	for (size_t i = 0; i < sweep->count && !sweep->keys.failed; at += sweep->lens[i++])
		if (change_remove(change, META_DB_VALUES, (struct str){ sweep->keys.data + at, sweep->lens[i] }, err) <
		    0)
			return -1;
	return 0;
}

/* Ends a session, and forgets some of those that would be over by now anyway. */
static int remember_ended(const struct api *app, const struct token_head *head, struct error *err)
{
	struct sweep sweep = { .count = 0 };
	struct buf key = { 0 };
	struct change change;
	int result;

	add_time_key(&sweep.now, clock_now_us());
	add_ended_key(&key, head);
	if (key.failed || sweep.now.failed)
		result = error_set(err, ERROR_NOMEM, "Out of memory for a session");
	else
		result = meta_each(app->meta, META_DB_VALUES, STR_LITERAL(ENDED_PREFIX), take_old, &sweep, err);
	if (result == 0)
		result = change_begin(&change, app->meta, err);
	if (result == 0) {
		if (change_put(&change, META_DB_VALUES, buf_str(&key), STR_LITERAL(""), err) != 0 ||
		    remove_swept(&change, &sweep, err) < 0)
			result = -1;
		result = change_end(&change, result, err);
	}
	buf_free(&key);
	buf_free(&sweep.now);
	buf_free(&sweep.keys);
	return result;
}

/* --- the token --- */

static int over(struct error *err)
{
	return error_set(err, ERROR_UNAUTHORIZED, "The session is over");
}

/* Opens the request's token into `plain`, which the caller overwrites and frees, and checks that it is not over. */
static int open_token(const struct http_request *request, const struct api *app, struct buf *plain,
                      struct token_head *head, struct error *err)
{
	struct buf sealed = { 0 };
	int result = over(err), ended;

	if (is_from_our_page(request) && id_base64url_decode(&sealed, find_cookie(request)))
		result = envelope_open(app->cursor_key.bytes, CONTEXT, buf_str(&sealed), plain, err);
	else if (sealed.failed)
		result = error_set(err, ERROR_NOMEM, "Out of memory for a session");
	buf_free(&sealed);
	if (result < 0)
		return err->code == ERROR_NOMEM ? -1 : over(err);
	if (plain->len < sizeof(*head))
		return over(err);
	memcpy(head, plain->data, sizeof(*head));
	if (head->version != VERSION || (int64_t)le64toh(head->ends_us) <= clock_now_us())
		return over(err);
	ended = has_ended(app, head, err);
	return ended > 0 ? over(err) : ended;
}

static void wipe(struct buf *plain)
{
	if (plain->data)
		explicit_bzero(plain->data, plain->len);
	buf_free(plain);
}

bool console_session_is_given(const struct http_request *request)
{
	return !http_request_header(request, "Authorization").p && find_cookie(request).p;
}

int console_session_check(struct http_request *request, const struct api *app,
                          int (*check)(struct http_request *request, struct str user, struct str secret, void *arg,
                                       struct error *err),
                          void *arg, struct error *err)
{
	struct buf plain = { 0 };
	struct token_head head;
	int result = open_token(request, app, &plain, &head, err);

	if (result == 0) {
		struct str both = { plain.data + sizeof(head), plain.len - sizeof(head) };
		const char *colon = memchr(both.p, ':', both.len);
		size_t user_len = colon ? (size_t)(colon - both.p) : 0;

		result = colon ? check(request, (struct str){ both.p, user_len },
		                       (struct str){ colon + 1, both.len - user_len - 1 }, arg, err) :
		                 over(err);
	}
	wipe(&plain);
	return result;
}

/* --- beginning and ending one --- */

static int make_token(const struct api *app, const struct token_head *head, struct str user, struct str secret,
                      struct buf *token, struct error *err)
{
	struct buf plain = { 0 }, sealed = { 0 };
	int result;

	buf_add(&plain, (const char *)head, sizeof(*head));
	buf_add_str(&plain, user);
	buf_add_char(&plain, ':');
	buf_add_str(&plain, secret);
	result = plain.failed ? error_set(err, ERROR_NOMEM, "Out of memory for a session") :
	                        envelope_make(app->cursor_key.bytes, CONTEXT, buf_str(&plain), &sealed, err);
	if (result == 0)
		id_base64url_encode(token, sealed.data, sealed.len);
	wipe(&plain);
	buf_free(&sealed);
	return token->failed ? error_set(err, ERROR_NOMEM, "Out of memory for a session") : result;
}

int console_session_begin(struct http_request *request, const struct api *app, struct str user, struct str secret,
                          struct error *err)
{
	int64_t length_us = app->config->console_session;
	struct token_head head = {
		.version = VERSION,
		.ends_us = htole64((uint64_t)(clock_now_us() + length_us)),
	};
	struct buf token = { 0 };
	int result;

	id_random(head.id, sizeof(head.id));
	result = make_token(app, &head, user, secret, &token, err);
	if (result == 0)
		set_cookie(request, buf_str(&token), length_us / CLOCK_US_PER_SECOND);
	buf_free(&token);
	return result;
}

int console_session_end(struct http_request *request, const struct api *app, struct error *err)
{
	struct buf plain = { 0 };
	struct token_head head;
	int result = open_token(request, app, &plain, &head, err);

	wipe(&plain);
	if (result == 0)
		result = remember_ended(app, &head, err);
	if (result == 0)
		console_session_clear(request);
	return result;
}
