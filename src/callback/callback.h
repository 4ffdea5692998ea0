/* SPDX-License-Identifier: ISC */
/*
 * callback.h: telling an account's server that something has ended.
 *
 * A callback is a JSON body to be POSTed to a URL, signed as the Standard Webhooks specification says
 * (https://www.standardwebhooks.com), at least once. callback_put stores it in the catalog transaction that ends the
 * job; from then on it is tried, with growing delays and over restarts, until the server answers 2xx or callback_keep
 * has passed. Callbacks that were given up stay listed for callback_failed_keep and can be retried by hand.
 *
 *	callback_put(&change, &event, &err);  with the job's own rows
 *	change_end(&change, result, &err);
 *	callbacks_wake(callbacks);
 *
 * Nothing here blocks: names are resolved by evdns and the transfers run in libcurl's multi interface, both on the
 * loop's thread. Addresses that are not public are refused unless callback_allow lists them; see address.h.
 */
#ifndef CDRD_CALLBACK_CALLBACK_H
#define CDRD_CALLBACK_CALLBACK_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/config.h"
#include "base/error.h"
#include "base/str.h"
#include "meta/accounts.h"
#include "meta/change.h"
#include "store/store.h"

#define CALLBACK_ID_MAX 64
#define CALLBACK_URL_MAX 16384 /* some hold a token of several kilobytes */
#define CALLBACK_BODY_MAX ((size_t)256 << 10)
#define CALLBACK_ERROR_MAX 255
#define CALLBACK_SECRET_LEN 50 /* "whsec_" and base64 of 32 bytes */

struct callbacks;
struct destinations;

/*
 * Starts delivering what waits in the store. config and store stay the caller's; settings are read when needed, so that
 * a reload takes effect. ERROR_INVALID when callback_allow or callback_ca_file cannot be used.
 */
MUST_CHECK struct callbacks *callbacks_new(struct event_base *base, const struct config *config, struct meta *meta,
                                           struct store *store, struct error *err);

/* Aborts transfers in progress; after the next start they are made again. Call it when callbacks_wake will not be
 * called any more: it may run the loop once, without waiting. Does nothing on NULL. */
void callbacks_free(struct callbacks *callbacks);

/*
 * May this be a callback's URL? Pure. http or https with a host, no user name, no fragment, printable ASCII, at most
 * CALLBACK_URL_MAX bytes. ERROR_INVALID with a message that begins with "callback_url: ". Whether the host's address is
 * allowed is known only at connecting.
 */
MUST_CHECK int callback_url_check(struct str url, struct error *err);

/* Is it a valid list for callback_allow, of networks, addresses and host names? Pure; ERROR_INVALID names the first
 * wrong word. */
MUST_CHECK int callback_allow_check(const char *allow, struct error *err);

/* The same for another setting with such a list. */
MUST_CHECK int callback_networks_check(const char *setting, const char *allow, struct error *err);

/* The id of a delivery begins so. */
#define CALLBACK_DELIVERY_PREFIX "delivery_"
bool callback_is_delivery(struct str id);

/* A file to be sent to the URL: a delivery. The body is then a link to the file, for those who get mail, or empty. */
struct callback_upload {
	struct str destination; /* its name (destination/destination.h); empty: no delivery */
	struct str file;        /* in data_dir/reports */
	struct str sha256;      /* of it, in hexadecimal */
};

struct callback_event {
	struct str account; /* whose secret signs */
	struct str id;      /* the webhook-id, the same in every attempt: 1 to CALLBACK_ID_MAX of A-Z a-z 0-9 - _ */
	struct str url;
	struct str body; /* JSON */
	struct callback_upload upload;
};

/* Stores an event to be delivered, and the account's secret if it has none yet, as part of the change. The texts must
 * not borrow from what change_get returned. */
MUST_CHECK int callback_put(struct change *change, const struct callback_event *event, struct error *err);

/*
 * Puts, durably, a small event of the account to be sent to `url` now, and wakes the callbacks: a test, which is tried once
 * and no more. Its id begins with CALLBACK_TEST_PREFIX. ERROR_INVALID as callback_url_check; ERROR_CONFLICT while
 * callbacks are held; ERROR_LIMIT when CALLBACK_TESTS_MAX of the account, or very many of all, have not ended yet.
 */
#define CALLBACK_TEST_PREFIX "test_"
#define CALLBACK_TESTS_MAX 5
MUST_CHECK int callbacks_test(struct callbacks *callbacks, const char *account, struct str url,
                              char id[CALLBACK_ID_MAX + 1], struct error *err);

/*
 * The same of a destination that the account may use: a small file is delivered there, once. ERROR_NOT_FOUND if there is none
 * of that name.
 */
MUST_CHECK int callbacks_test_destination(struct callbacks *callbacks, const char *account, struct str name,
                                          char id[CALLBACK_ID_MAX + 1], struct error *err);

/* Is it the id of such a test? */
bool callback_is_test(struct str id);

/*
 * Asked before each attempt at a delivery, by its id: is its file whole, as it may be remade meanwhile? Fills *sha256 with
 * that of the file as it is now. Set it before the loop runs.
 */
typedef int (*callbacks_file_fn)(void *arg, struct str id, struct buf *sha256, struct error *err);
void callbacks_ask_for_file(struct callbacks *callbacks, callbacks_file_fn fn, void *arg);

/* Where deliveries go; without, none can be made. It stays the caller's. Set it before the loop runs. */
void callbacks_deliver_to(struct callbacks *callbacks, struct destinations *destinations);

/* Was this process started as a courier (courier.h)? Then it shall do nothing but return callback_courier_main(). */
bool callback_courier_is_meant(int argc, char **argv);
int callback_courier_main(void);

/* Looks for events put and committed since the last time. */
void callbacks_wake(struct callbacks *callbacks);

/* --- holding: hold.c --- */

#define CALLBACK_HELD_NAME "callbacks.held" /* in data_dir: the copy that `cdrctl restore` made */

enum callback_hold { CALLBACK_NOT_HELD, CALLBACK_HELD_BY_SETTING, CALLBACK_HELD_BY_RESTORE };

/* Are callbacks held, and why? Held ones wait, however long that takes. */
enum callback_hold callbacks_held(const struct callbacks *callbacks);

/* For people: why they are held and how to end it; "no" for CALLBACK_NOT_HELD. */
const char *callback_hold_reason(enum callback_hold hold);

/* The marker's path, appended to `path`. */
MUST_CHECK int callback_hold_path(const char *data_dir, struct buf *path, struct error *err);

/* Durably puts the marker into a data directory that no daemon uses. */
MUST_CHECK int callback_hold_mark(const char *data_dir, struct error *err);

/* Removes the marker and sends what waits. ERROR_CONFLICT while the setting holds them. */
MUST_CHECK int callbacks_resume(struct callbacks *callbacks, struct error *err);

/* The configuration was read again. */
void callbacks_reload(struct callbacks *callbacks);

/*
 * Erases a person's number (store/erase.h) from the bodies of callbacks of these accounts (ids, each with its NUL) that
 * are not delivered; *count: of how many.
 */
struct erase;
MUST_CHECK int callbacks_erase(struct meta *meta, struct str accounts, struct erase *erase, uint64_t *count,
                               struct error *err);

enum callback_state {
	CALLBACK_WAITING, /* for its next attempt, or for its turn */
	CALLBACK_SENDING,
	CALLBACK_FAILED, /* given up */
	CALLBACK_DELIVERED,
};

const char *callback_state_name(enum callback_state state);

/* The texts are not NUL terminated and die when the function that got them returns. */
struct callback_info {
	struct str id;
	struct str account;
	struct str url;
	enum callback_state state;
	int64_t attempts;
	int64_t created_us;
	int64_t next_us;       /* of the next attempt; of its removal when given up */
	struct str last_error; /* "" when there was no attempt yet, or the last one succeeded */
	int64_t last_us;       /* of the end of the last attempt since the start; 0: there was none */
	long last_status;      /* of that attempt: of HTTP, 0 if there was no answer */
};

/* --- attempts: attempts.c --- */

#define CALLBACK_ATTEMPTS_MAX 50 /* of an account are kept */
#define CALLBACK_ATTEMPT_URL_MAX 256

/* One attempt that has ended. The texts are not NUL terminated and die when the function that got them returns. */
struct callback_attempt {
	uint64_t number; /* of the account's attempts, from 1 on */
	struct str id;   /* of the callback */
	int64_t time_us; /* of its end */
	int64_t duration_us;
	int64_t nth;               /* of the callback's attempts, from 1 on */
	enum callback_state state; /* after it: waiting for the next one, given up, delivered */
	long status;               /* of HTTP, 0 if there was no answer */
	int64_t next_us;           /* of the next attempt, 0 if there is none */
	struct str error;          /* "" if it succeeded */
	struct str url;            /* without its query; only its beginning if it is long */
};

/* Calls fn with the newest attempts at the account's callbacks, newest first, of those whose number is below `before`, until
 * it returns false. */
typedef bool (*callback_attempts_fn)(void *arg, const struct callback_attempt *attempt);
MUST_CHECK int callback_attempts_each(struct meta *meta, const char *account, uint64_t before, callback_attempts_fn fn,
                                      void *arg, struct error *err);

/*
 * Called with the outcome of an attempt, within the change that saves it, so that the module which requested the
 * callback can note it in its own rows. -1 makes it all be retried a second later: only when out of memory or disk. Set
 * it before the loop runs.
 */
typedef int (*callbacks_outcome_fn)(void *arg, struct change *change, const struct callback_info *info,
                                    struct error *err);
void callbacks_on_outcome(struct callbacks *callbacks, callbacks_outcome_fn fn, void *arg);

/* Calls fn with each callback that is not delivered, oldest first, until fn returns false. */
typedef bool (*callbacks_fn)(void *arg, const struct callback_info *info);
MUST_CHECK int callbacks_each(struct callbacks *callbacks, callbacks_fn fn, void *arg, struct error *err);

/* As callbacks_each, but only those whose id or body has what the matcher looks for (store/erase.h). */
struct erase;
MUST_CHECK int callbacks_find(struct callbacks *callbacks, const struct erase *matcher, callbacks_fn fn, void *arg,
                              struct error *err);

/*
 * Tries the callbacks with this id ("all": each that is not delivered) at once, those given up for another
 * callback_keep; *count: how many there were. Those being sent are left alone. ERROR_NOT_FOUND if there is none.
 */
MUST_CHECK int callbacks_retry(struct callbacks *callbacks, struct str id, size_t *count, struct error *err);

struct callbacks_stats {
	uint64_t waiting;  /* now, for a time or a turn */
	uint64_t sending;  /* now */
	uint64_t failed;   /* now, given up and still listed */
	uint64_t held;     /* now, 1 if nothing is sent (callbacks_held) */
	uint64_t attempts; /* since the start, as all below */
	uint64_t delivered;
	uint64_t attempts_failed;
	uint64_t given_up;
	uint64_t refused; /* attempts whose address is not allowed */
	struct {
		uint64_t waiting;      /* now, or being sent */
		uint64_t failed;       /* now, given up and still listed */
		int64_t oldest_age_us; /* of the former; 0: there is none */
		uint64_t attempts;     /* since the start, as all below */
		uint64_t attempts_failed;
		uint64_t delivered;
		uint64_t given_up;
	} deliveries; /* of all these, those that are deliveries and no tests */
};

void callbacks_get_stats(const struct callbacks *callbacks, struct callbacks_stats *stats);

struct callback_secret {
	char text[CALLBACK_SECRET_LEN + 1];     /* whsec_... */
	char previous[CALLBACK_SECRET_LEN + 1]; /* "", or the previous one, which also signs until previous_until_us */
	int64_t made_us;
	int64_t previous_until_us;
};

/*
 * The account's secret, made if there is none yet; blocks for the fsync then. With `rotate` a new one replaces it, and
 * the old one also signs for `overlap_us`. ERROR_NOT_FOUND if there is no such account.
 */
MUST_CHECK int callback_secret_get(struct meta *meta, const char *account, bool rotate, int64_t overlap_us,
                                   struct callback_secret *secret, struct error *err);

/* The same without making one: 1, 0 if there is none yet, -1. */
MUST_CHECK int callback_secret_find(struct meta *meta, const char *account, struct callback_secret *secret,
                                    struct error *err);

#endif
