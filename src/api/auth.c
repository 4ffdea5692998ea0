/* SPDX-License-Identifier: ISC */
/*
 * auth.c: see auth.h.
 *
 * Checking wrong credentials costs milliseconds, so overload is checked first, and an address that has sent wrong ones
 * waits for its answers (login.h).
 */
#include "api/auth.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "api/client_certificate.h"
#include "api/console_session.h"
#include "api/login.h"
#include "api/revoked.h"
#include "api/tickets.h"
#include "base/clock.h"
#include "meta/api_keys.h"

#define SHED_RETRY_SECONDS "2"

/* Who makes a request; one of the two is "". */
struct user {
	struct account account;
	struct grant {
		bool is_limited; /* by a key: to what follows */
		bool subaccounts;
		unsigned scopes;
		uint64_t products[4]; /* a bit for the number of each */
	} grant;
	char producer[PRODUCER_NAME_MAX + 1];
};
static_assert(sizeof(struct user) <= HTTP_USER_ROOM, "a request has room for it");

const struct account *api_account(const struct http_request *request)
{
	const struct user *user = http_request_user(request);

	return &user->account;
}

const char *api_producer(const struct http_request *request)
{
	const struct user *user = http_request_user(request);

	return user->producer;
}

/* --- overload --- */

static bool is_shed(struct http_request *request, const struct api *app)
{
	static const char *const details[] = {
		[LOAD_SHEDDING_MEMORY] = "The server is short of memory; try again later.",
		[LOAD_SHEDDING_LAG] = "The server has too much to do; try again later.",
	};
	struct load_shedding *guard = limits_load_shedding(app->limits);
	enum load_shedding_cause cause = load_shedding_cause(guard);

	if (cause == LOAD_SHEDDING_NONE)
		return false;
	load_shedding_count_shed(guard);
	http_reply_header(request, "Retry-After", SHED_RETRY_SECONDS);
	http_reply_problem(request, 503, "Service Unavailable", details[cause]);
	return true;
}

/* --- what a key may do --- */

static void grant_set(struct grant *grant, const struct api_key *key)
{
	*grant = (struct grant){ .is_limited = true, .subaccounts = key->subaccounts, .scopes = key->scopes };
	for (size_t i = 0; i < catalog_products_count; i++) {
		const struct catalog_product *product = &catalog_products[i];

		if (api_key_has_product(key, product->name))
			grant->products[product->number / 64] |= UINT64_C(1) << product->number % 64;
	}
}

static const struct grant *grant_of(const struct http_request *request)
{
	const struct user *user = http_request_user(request);

	return &user->grant;
}

bool api_key_allows_subaccounts(const struct http_request *request)
{
	return !grant_of(request)->is_limited || grant_of(request)->subaccounts;
}

unsigned api_key_scopes(const struct http_request *request)
{
	return grant_of(request)->is_limited ? grant_of(request)->scopes : API_SCOPE_RECORDS | API_SCOPE_REPORTS;
}

bool api_key_allows(const struct http_request *request, const struct catalog_product *product, struct str account,
                    bool include_subaccounts)
{
	const struct grant *grant = grant_of(request);

	if (!grant->is_limited)
		return true;
	if (!product || !(grant->products[product->number / 64] >> product->number % 64 & 1))
		return false;
	return grant->subaccounts || (!include_subaccounts && str_is(account, api_account(request)->id));
}

/* Notes the first use of a key from each network on each day: the place to see that one has got about. */
static void note_use(struct http_request *request, const struct api *app, const struct api_key *key)
{
	char text[IP_TEXT_LEN], line[API_KEY_ID_LEN + ACCOUNT_ID_MAX + IP_TEXT_LEN + 72];

	if (!key_uses_first(limits_key_uses(app->limits), key->id, http_request_ip(request), clock_now_us()))
		return;
	ip_format(text, http_request_ip(request));
	snprintf(line, sizeof(line), "key %s of account %s was used from %s, the first time today from there", key->id,
	         key->account, text);
	audit_write(app->audit, &(struct audit_entry){ .action = "key use", .text = line });
}

static int check_key(struct http_request *request, struct str name, struct str text, struct api *app, struct error *err)
{
	struct user *user = http_request_user_room(request);
	struct api_key key;
	struct pass pass;

	if (api_keys_check(app->meta, name, text, http_request_ip(request), &user->account, &key, &pass, err) != 0)
		return -1;
	api_set_pass(request, app, &pass);
	grant_set(&user->grant, &key);
	note_use(request, app, &key);
	http_request_name_user(request, "key:", str_from(key.id));
	return 0;
}

/* --- credentials --- */

static int check_account(struct http_request *request, struct str name, struct str secret, void *arg, struct error *err)
{
	struct api *app = arg;
	struct user *user = http_request_user_room(request);
	struct pass pass;

	if (api_key_has_form(secret))
		return check_key(request, name, secret, app, err);
	if (accounts_check(app->meta, name, secret, &user->account, &pass, err) < 0)
		return -1;
	api_set_pass(request, app, &pass);
	http_request_name_user(request, "", str_from(user->account.id));
	return 0;
}

static int check_producer(struct http_request *request, struct str name, struct str secret, void *arg,
                          struct error *err)
{
	struct api *app = arg;
	struct user *user = http_request_user_room(request);
	struct pass pass;

	if (name.len > PRODUCER_NAME_MAX)
		return error_set(err, ERROR_UNAUTHORIZED, "A producer's name has at most %d characters",
		                 PRODUCER_NAME_MAX);
	if (producers_check(app->meta, name, secret, &pass, err) < 0 ||
	    client_certificate_check(request, app->config, "producers", name, err) < 0)
		return -1;
	api_set_pass(request, app, &pass);
	memcpy(user->producer, name.p, name.len);
	user->producer[name.len] = '\0';
	http_request_name_user(request, "producer:", name);
	return 0;
}

/* By the session of the console if one is given, else by Basic credentials. */
static int check_customer(struct http_request *request, struct api *app, struct error *err)
{
	if (!console_session_is_given(request))
		return http_request_check_basic(request, check_account, app, err);
	if (console_session_check(request, app, check_account, app, err) == 0)
		return 0;
	if (err->code == ERROR_UNAUTHORIZED)
		console_session_clear(request);
	return -1;
}

static int check_carrier(struct http_request *request, struct api *app, struct error *err)
{
	return http_request_check_basic(request, check_producer, app, err);
}

/* Another front end may hold the catalog by now, and know what this one does not. */
static bool is_outdated(struct http_request *request, const struct api *app)
{
	struct error err;

	if (meta_check_current(app->meta, &err) == 0)
		return false;
	http_reply_error(request, &err);
	return true;
}

static bool is_turned_away(struct http_request *request, const struct api *app)
{
	return is_shed(request, app) || is_outdated(request, app);
}

/* check() is one of these two. */
static bool authenticate(struct http_request *request, struct api *app,
                         int (*check)(struct http_request *request, struct api *app, struct error *err))
{
	struct error err;

	if (is_turned_away(request, app) || !login_may_try(request, limits_logins(app->limits)))
		return false;
	if (check(request, app, &err) == 0)
		return true;
	login_refuse(request, app->base, app->config, limits_logins(app->limits), &err);
	return false;
}

/* With a scope, of a key or, as it may do everything, of a secret. */
static bool authenticate_for(struct http_request *request, void *app, unsigned scopes, const char *name)
{
	struct buf detail = { 0 };

	if (!authenticate(request, app, check_customer))
		return false;
	if (!grant_of(request)->is_limited || grant_of(request)->scopes & scopes)
		return true;
	if (name)
		buf_addf(&detail, "The key does not have the scope %s.", name);
	else
		buf_add_text(&detail, "This needs a secret of the account; a key will not do.");
	http_reply_problem(request, 403, "Forbidden", buf_cstr(&detail));
	buf_free(&detail);
	return false;
}

bool api_auth_account(struct http_request *request, void *app)
{
	return authenticate_for(request, app, 0, NULL);
}

bool api_auth_records(struct http_request *request, void *app)
{
	return authenticate_for(request, app, API_SCOPE_RECORDS, "records");
}

bool api_auth_reports(struct http_request *request, void *app)
{
	return authenticate_for(request, app, API_SCOPE_REPORTS, "reports");
}

bool api_auth_any(struct http_request *request, void *app)
{
	return authenticate_for(request, app, API_SCOPE_RECORDS | API_SCOPE_REPORTS, "records");
}

bool api_auth_session(struct http_request *request, void *app)
{
	bool gives_any = console_session_is_given(request) || http_request_header(request, "Authorization").p;

	return !gives_any || api_auth_any(request, app);
}

bool api_is_producers(struct http_request *request, struct api *app)
{
	struct error err;

	return check_carrier(request, app, &err) == 0;
}

bool api_auth_producer(struct http_request *request, void *app)
{
	return authenticate(request, app, check_carrier);
}

/* --- tickets --- */

void api_reply_invalid_ticket(struct http_request *request, const char *detail)
{
	http_reply_problem(request, 403, "Invalid ticket", detail);
}

static bool check_ticket(struct http_request *request, struct api *app, struct str ticket)
{
	struct user *user = http_request_user_room(request);
	struct pass pass;
	struct error err;

	if (api_ticket_check(app, ticket, http_request_segment(request), &user->account, &pass, &err) == 0) {
		api_set_pass(request, app, &pass);
		http_request_name_user(request, "ticket:", str_from(user->account.id));
		return true;
	}
	if (err.code == ERROR_FORBIDDEN)
		api_reply_invalid_ticket(request, err.message);
	else
		http_reply_error(request, &err);
	return false;
}

bool api_auth_download(struct http_request *request, void *app)
{
	struct buf ticket = { 0 };
	bool let_in;

	if (api_ticket_of(request, &ticket))
		let_in = !is_turned_away(request, app) && check_ticket(request, app, buf_str(&ticket));
	else
		let_in = api_auth_reports(request, app);
	buf_free(&ticket);
	return let_in;
}
