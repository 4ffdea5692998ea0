/* SPDX-License-Identifier: ISC */
/*
 * tickets.c: see tickets.h. POST /v3/media/{id}/ticket is in media_ticket.c, the download in media.c.
 *
 * A ticket is the number of a slot and 16 random bytes, so that it is found without a search. To make one, all slots are
 * looked at once: some microseconds, however many there are in use.
 */
#include "api/tickets.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "meta/pass_check.h"
#include "query/query.h"

#define SECRET_BYTES 16
#define SLOT_DIGITS 4

struct ticket {
	int64_t until_us; /* monotonic; 0: free */
	char account[ACCOUNT_ID_MAX + 1];
	struct pass pass;
	char file_id[ID_UUID_LEN + 1];
	char text[API_TICKET_LEN + 1];
};

struct api_tickets {
	struct ticket slots[API_TICKETS_MAX];
};

void api_tickets_free(struct api *app)
{
	free(app->tickets);
	app->tickets = NULL;
}

static bool is_valid(const struct ticket *ticket, int64_t now_us)
{
	return ticket->until_us > now_us;
}

/* A slot that is free, or API_TICKETS_MAX; *own: how many the account has. */
static size_t find_slot(const struct api_tickets *tickets, const char *account, size_t *own)
{
	int64_t now_us = clock_monotonic_us();
	size_t found = API_TICKETS_MAX;

	*own = 0;
	for (size_t i = 0; i < API_TICKETS_MAX; i++) {
		if (!is_valid(&tickets->slots[i], now_us))
			found = i;
		else
			*own += strcmp(tickets->slots[i].account, account) == 0;
	}
	return found;
}

static void write_text(char text[API_TICKET_LEN + 1], size_t slot)
{
	unsigned char secret[SECRET_BYTES];

	id_random(secret, sizeof(secret));
	(void)snprintf(text, API_TICKET_LEN + 1, "%04x", (unsigned)slot);
	str_write_hex(text + SLOT_DIGITS, secret, sizeof(secret));
}

static int take_slot(struct api *app, const char *account, size_t *slot, struct error *err)
{
	size_t own;

	if (!app->tickets)
		app->tickets = calloc(1, sizeof(*app->tickets));
	if (!app->tickets)
		return error_set(err, ERROR_NOMEM, "Out of memory for tickets");
	*slot = find_slot(app->tickets, account, &own);
	if (own >= API_TICKETS_ACCOUNT_MAX)
		return error_set(err, ERROR_LIMIT, "Account %s has %d unused tickets, which is all it may have",
		                 account, API_TICKETS_ACCOUNT_MAX);
	return *slot < API_TICKETS_MAX ? 0 : error_set(err, ERROR_NOMEM, "All %d tickets are in use", API_TICKETS_MAX);
}

int api_ticket_make(struct api *app, const char *account, const struct pass *pass, const char *file_id,
                    int64_t valid_us, char text[API_TICKET_LEN + 1], struct error *err)
{
	struct ticket *ticket;
	size_t slot = API_TICKETS_MAX;

	if (take_slot(app, account, &slot, err) != 0)
		return -1;
	ticket = &app->tickets->slots[slot];
	*ticket = (struct ticket){ .until_us = clock_monotonic_us() + valid_us, .pass = *pass };
	str_copy(ticket->account, sizeof(ticket->account), account);
	memcpy(ticket->file_id, file_id, ID_UUID_LEN);
	write_text(ticket->text, slot);
	memcpy(text, ticket->text, sizeof(ticket->text));
	return 0;
}

/* NULL unless `text` is a ticket that can be used. */
static struct ticket *find(const struct api *app, struct str text)
{
	char digits[SLOT_DIGITS + 1] = "";
	struct ticket *ticket;
	unsigned long slot;
	char *end;

	if (!app->tickets || text.len != API_TICKET_LEN)
		return NULL;
	memcpy(digits, text.p, SLOT_DIGITS);
	slot = strtoul(digits, &end, 16);
	if (*end != '\0' || slot >= API_TICKETS_MAX)
		return NULL;
	ticket = &app->tickets->slots[slot];
	if (!is_valid(ticket, clock_monotonic_us()) || CRYPTO_memcmp(ticket->text, text.p, API_TICKET_LEN) != 0)
		return NULL;
	return ticket;
}

int api_ticket_check(const struct api *app, struct str text, struct str file_id, struct account *account,
                     struct pass *pass, struct error *err)
{
	const struct ticket *ticket = find(app, text);

	if (!ticket || !id_equal(str_from(ticket->file_id), file_id))
		return error_set(err, ERROR_FORBIDDEN, "The ticket was used, has expired, or is not for this file.");
	int holds = pass_holds(app->meta, &ticket->pass, err);
	if (holds > 0 && accounts_get(app->meta, str_from(ticket->account), account, err) == 0) {
		*pass = ticket->pass;
		return 0;
	}
	if (holds != 0)
		return -1;
	return error_set(err, ERROR_FORBIDDEN,
	                 "The secret or key that the ticket was made with is not valid any more.");
}

bool api_ticket_use(const struct api *app, struct str text)
{
	struct ticket *ticket = find(app, text);

	if (ticket)
		OPENSSL_cleanse(ticket, sizeof(*ticket));
	return ticket != NULL;
}

bool api_ticket_of(const struct http_request *request, struct buf *text)
{
	struct query_params params = { 0 };
	struct error err;
	bool found = false;

	if (http_request_query(request).len > 0 &&
	    query_params_decode(&params, http_request_query(request), &err) == 0) {
		struct str ticket = query_params_get(&params, "ticket");

		found = ticket.p != NULL;
		buf_add_str(text, ticket);
	}
	query_params_free(&params);
	return found;
}
