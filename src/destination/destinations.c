/* SPDX-License-Identifier: ISC */
/*
 * destinations.c: see destination.h. A row's key is the account's id (none for the operator), a NUL and the name; its value,
 * sealed, layout version 1:
 *
 *	[1, type, url, user, secret, region, created,
 *	 host_key, from, to]                    left out where all are empty, as by builds that did not know them
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/envelope.h"
#include "base/key_file.h"
#include "base/log.h"
#include "destination/destination_check.h"
#include "lmdb/value.h"
#include "meta/change.h"
#include "meta/rows.h"

#define ROW_VERSION 1
#define ROW_COUNT 6
#define ROW_COUNT_LONG 9
#define KEY_NAME "destination.key"
#define ROW_KEY_MAX (ACCOUNT_ID_MAX + 1 + DESTINATION_NAME_MAX)

struct destinations {
	const struct config *config;
	struct meta *meta;
	uint8_t key[ENVELOPE_KEY_BYTES];
};

static const char *const type_names[DESTINATION_TYPES] = {
	[DESTINATION_PUT] = "put",
	[DESTINATION_S3] = "s3",
	[DESTINATION_SFTP] = "sftp",
	[DESTINATION_SMTP] = "smtp",
};

const char *destination_type_name(enum destination_type type)
{
	return type_names[type];
}

struct destinations *destinations_new(const struct config *config, struct meta *meta, struct error *err)
{
	struct destinations *destinations = calloc(1, sizeof(*destinations));

	if (!destinations) {
		error_set(err, ERROR_NOMEM, "destinations: out of memory");
		return NULL;
	}
	destinations->config = config;
	destinations->meta = meta;
	if (key_file_load(config->data_dir, KEY_NAME, destinations->key, sizeof(destinations->key), true, err) == 0 &&
	    meta_check_key(meta, config->data_dir, KEY_NAME, destinations->key, sizeof(destinations->key), err) == 0)
		return destinations;
	free(destinations);
	return NULL;
}

void destinations_free(struct destinations *destinations)
{
	if (destinations)
		explicit_bzero(destinations->key, sizeof(destinations->key));
	free(destinations);
}

/* --- rows --- */

struct row_key {
	size_t len;
	char bytes[ROW_KEY_MAX];
};

/* `name` is no longer than DESTINATION_NAME_MAX. */
static struct row_key row_key(const char *account, struct str name)
{
	struct row_key key = { .len = strlen(account) + 1 };

	memcpy(key.bytes, account, key.len);
	if (name.len > 0)
		memcpy(key.bytes + key.len, name.p, name.len);
	key.len += name.len;
	return key;
}

static struct str key_str(const struct row_key *key)
{
	return (struct str){ key->bytes, key->len };
}

static void write_row(struct buf *out, const struct destination *destination)
{
	struct value_writer w;

	bool is_long = destination->host_key[0] || destination->from[0] || destination->to[0];

	value_begin(&w, out, ROW_VERSION, is_long ? ROW_COUNT_LONG : ROW_COUNT);
	value_put_int(&w, destination->type);
	value_put_str(&w, str_from(destination->url));
	value_put_str(&w, str_from(destination->user));
	value_put_str(&w, str_from(destination->secret));
	value_put_str(&w, str_from(destination->region));
	value_put_int(&w, destination->created_us);
	if (is_long) {
		value_put_str(&w, str_from(destination->host_key));
		value_put_str(&w, str_from(destination->from));
		value_put_str(&w, str_from(destination->to));
	}
}

static int read_row(const struct destinations *destinations, struct str key, struct str sealed,
                    struct destination *destination, struct error *err)
{
	const char *name = memchr(key.p, '\0', key.len);
	struct buf plain = { 0 };
	struct value_reader r;
	int result = envelope_open(destinations->key, key, sealed, &plain, err);

	memset(destination, 0, sizeof(*destination));
	if (result != 0 && err->code == ERROR_INVALID)
		error_set(err, ERROR_CORRUPT, "it was sealed with another " KEY_NAME ", or is damaged");
	if (result == 0) {
		size_t account_len = name ? (size_t)(name - key.p) : 0;

		value_open(&r, buf_str(&plain), ROW_VERSION);
		destination->type = (enum destination_type)value_int(&r, 0, DESTINATION_TYPES - 1);
		value_text(&r, destination->url, 0, DESTINATION_URL_MAX);
		value_text(&r, destination->user, 0, DESTINATION_USER_MAX);
		value_text(&r, destination->secret, 0, DESTINATION_KEY_MAX);
		value_text(&r, destination->region, 0, DESTINATION_REGION_MAX);
		destination->created_us = value_int(&r, INT64_MIN, INT64_MAX);
		if (r.left > 0) {
			value_text(&r, destination->host_key, 0, DESTINATION_HOST_KEY_MAX);
			value_text(&r, destination->from, 0, DESTINATION_ADDRESS_MAX);
			value_text(&r, destination->to, 0, DESTINATION_TO_MAX);
		}
		if (!value_close(&r) || !name || account_len > ACCOUNT_ID_MAX ||
		    key.len - account_len - 1 > DESTINATION_NAME_MAX) {
			result = error_set(err, value_error(&r), "its stored value cannot be read");
		} else {
			memcpy(destination->account, key.p, account_len);
			memcpy(destination->name, name + 1, key.len - account_len - 1);
		}
	}
	if (plain.data)
		explicit_bzero(plain.data, plain.len);
	buf_free(&plain);
	return result;
}

struct taking {
	const struct destinations *destinations;
	struct destination *destination;
};

static enum meta_next take_row(void *arg, struct str key, struct str value, struct error *err)
{
	struct taking *taking = arg;
	struct error why;

	if (read_row(taking->destinations, key, value, taking->destination, &why) == 0)
		return META_GO_ON;
	error_set(err, why.code, "destination: %s", why.message);
	return META_FAILED;
}

static int find_own(struct destinations *destinations, const char *account, struct str name,
                    struct destination *destination, struct error *err)
{
	struct row_key key;
	/* NOLINTNEXTLINE(ctuuninitvar): the destination is what this fills in. */
	struct taking taking = { destinations, destination };

	if (name.len == 0 || name.len > DESTINATION_NAME_MAX)
		return 0;
	key = row_key(account, name);
	return meta_find(destinations->meta, META_DB_DESTINATIONS, key_str(&key), take_row, &taking, err);
}

static int not_found(struct str name, struct error *err)
{
	return error_set(err, ERROR_NOT_FOUND, "destination %.*s: there is none",
	                 (int)(name.len < DESTINATION_NAME_MAX ? name.len : DESTINATION_NAME_MAX),
	                 name.p ? name.p : "");
}

int destinations_find(struct destinations *destinations, const char *account, struct str name,
                      struct destination *destination, struct error *err)
{
	int found = find_own(destinations, account, name, destination, err);

	if (found == 0)
		found = find_own(destinations, "", name, destination, err);
	return found == 0 ? not_found(name, err) : found < 0 ? -1 : 0;
}

struct giving {
	const struct destinations *destinations;
	struct row_key prefix; /* of an account; empty: of all */
	destinations_fn fn;
	void *arg;
};

static enum meta_next give_row(void *arg, struct str key, struct str value, struct error *err)
{
	const struct giving *giving = arg;
	struct destination destination;

	if (key.len < giving->prefix.len || memcmp(key.p, giving->prefix.bytes, giving->prefix.len) != 0)
		return META_STOP;
	if (read_row(giving->destinations, key, value, &destination, err) == 0)
		giving->fn(giving->arg, &destination);
	else if (err->code == ERROR_NOMEM)
		return META_FAILED;
	else
		log_error("destination", "%.*s: %s", STR_ARGS(key), err->message);
	return META_GO_ON;
}

int destinations_each(struct destinations *destinations, const char *account, destinations_fn fn, void *arg,
                      struct error *err)
{
	struct giving giving = { .destinations = destinations, .fn = fn, .arg = arg };

	if (account)
		giving.prefix = row_key(account, STR_LITERAL(""));
	return meta_each(destinations->meta, META_DB_DESTINATIONS, key_str(&giving.prefix), give_row, &giving, err);
}

/* --- a new one --- */

static void count_one(void *arg, const struct destination *destination)
{
	(void)destination;
	++*(int64_t *)arg;
}

static int check_room(struct destinations *destinations, const struct destination *destination, struct error *err)
{
	struct destination other;
	int64_t count = 0, most = destinations->config->destinations_per_account_max;
	int found = find_own(destinations, destination->account, str_from(destination->name), &other, err);

	if (found != 0)
		return found < 0 ? -1 : error_set(err, ERROR_CONFLICT, "destination %s: exists", destination->name);
	if (!destination->account[0])
		return 0;
	if (destinations_each(destinations, destination->account, count_one, &count, err) != 0)
		return -1;
	return count < most ? 0 :
	                      error_set(err, ERROR_LIMIT,
	                                "Account %s has %lld destinations, which is all it may have "
	                                "(destinations_per_account_max)",
	                                destination->account, (long long)count);
}

static int put(struct destinations *destinations, const struct destination *destination, struct error *err)
{
	struct row_key key = row_key(destination->account, str_from(destination->name));
	struct buf plain = { 0 }, sealed = { 0 };
	struct change change;
	int result;

	write_row(&plain, destination);
	result = plain.failed ? error_set(err, ERROR_NOMEM, "Out of memory for a destination") :
	                        envelope_make(destinations->key, key_str(&key), buf_str(&plain), &sealed, err);
	if (result == 0)
		result = change_begin(&change, destinations->meta, err);
	if (result == 0)
		result = change_end(
			&change, change_put(&change, META_DB_DESTINATIONS, key_str(&key), buf_str(&sealed), err), err);
	if (plain.data)
		explicit_bzero(plain.data, plain.len);
	buf_free(&plain);
	buf_free(&sealed);
	return result;
}

int destinations_add(struct destinations *destinations, const struct destination_request *request,
                     struct destination *destination, struct error *err)
{
	if (destination_fill(destination, request, err) != 0 || check_room(destinations, destination, err) != 0)
		return -1;
	return put(destinations, destination, err);
}

/* --- removing --- */

int destinations_remove(struct destinations *destinations, const char *account, struct str name, struct error *err)
{
	struct row_key key;
	struct change change;

	if (name.len == 0 || name.len > DESTINATION_NAME_MAX)
		return not_found(name, err);
	key = row_key(account, name);
	if (change_begin(&change, destinations->meta, err) != 0)
		return -1;
	int removed = change_remove(&change, META_DB_DESTINATIONS, key_str(&key), err);
	if (change_end(&change, removed < 0 ? -1 : 0, err) != 0)
		return -1;
	return removed > 0 ? 0 : not_found(name, err);
}

static enum meta_next take_key(void *arg, struct str key, struct str value, struct error *err)
{
	struct giving *giving = arg;
	struct buf *found = giving->arg;

	(void)value;
	(void)err;
	if (key.len <= giving->prefix.len || memcmp(key.p, giving->prefix.bytes, giving->prefix.len) != 0)
		return META_STOP;
	buf_add(found, key.p + giving->prefix.len, key.len - giving->prefix.len);
	return META_STOP;
}

int destinations_forget_account(struct destinations *destinations, const char *account, struct error *err)
{
	struct buf name = { 0 };
	struct giving giving = { .prefix = row_key(account, STR_LITERAL("")), .arg = &name };
	int result;

	do { /* they are few */
		buf_clear(&name);
		result = meta_each(destinations->meta, META_DB_DESTINATIONS, key_str(&giving.prefix), take_key, &giving,
		                   err);
		if (result == 0 && name.failed)
			result = error_set(err, ERROR_NOMEM, "destinations: out of memory");
		if (result == 0 && name.len > 0)
			result = destinations_remove(destinations, account, buf_str(&name), err);
	} while (result == 0 && name.len > 0);
	buf_free(&name);
	return result;
}
