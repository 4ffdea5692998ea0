/* SPDX-License-Identifier: ISC */
/*
 * account_row.c: an account as it is stored, and what is remembered of accounts. See account_row.h.
 */
#include <stdlib.h>
#include <string.h>

#include "meta/account_row.h"
#include "meta/meta_env.h"
#include "meta/pass.h"

#define ROW_VERSION 1
#define ROW_COUNT 6 /* elements before the secrets, without the version */
#define SECRET_COUNT (2 + CREDENTIAL_VALUE_COUNT)
#define PLAN_COUNT 2

void account_row_write(struct buf *out, const struct account_row *row)
{
	const struct account *account = &row->account;
	struct value_writer w;
	bool has_number = account_key_has_number(&account->key);

	value_begin(&w, out, ROW_VERSION,
	            ROW_COUNT + (size_t)account->secrets_count * SECRET_COUNT + 1 +
	                    (size_t)row->plans_count * PLAN_COUNT + 1 + has_number);
	value_put_str(&w, str_from(account->parent));
	value_put_str(&w, str_from(account->name));
	value_put_int(&w, account->disabled);
	value_put_int(&w, account->created_us);
	value_put_int(&w, row->secrets_made);
	value_put_int(&w, account->secrets_count);
	for (int i = 0; i < account->secrets_count; i++) {
		value_put_int(&w, account->secrets[i].number);
		value_put_int(&w, account->secrets[i].created_us);
		credential_write(&w, &row->credentials[i]);
	}
	value_put_int(&w, row->plans_count);
	for (int i = 0; i < row->plans_count; i++) {
		value_put_int(&w, row->plans[i].since_us);
		value_put_str(&w, str_from(row->plans[i].name));
	}
	value_put_int(&w, account->deleted_us);
	if (has_number)
		value_put_int(&w, (int64_t)account_key_number(&account->key));
}

/* `out` is zeroed and longer than `text`. */
static void copy_text(char *out, struct str text)
{
	memcpy(out, text.p, text.len);
}

static void read_plans(struct value_reader *r, struct account_row *row)
{
	row->plans_count = (int)value_int(r, 0, ACCOUNT_PLANS_MAX);
	for (int i = 0; i < row->plans_count; i++) {
		row->plans[i].since_us = value_int(r, INT64_MIN, INT64_MAX);
		copy_text(row->plans[i].name, value_str(r, 0, ACCOUNT_PLAN_MAX));
	}
	if (row->plans_count > 0)
		memcpy(row->account.plan, row->plans[row->plans_count - 1].name, sizeof(row->account.plan));
}

int account_row_read(struct account_row *row, struct str id, struct str bytes, struct error *err)
{
	struct account *account = &row->account;
	struct value_reader r;

	if (id.len == 0 || id.len > ACCOUNT_ID_MAX)
		return error_set(err, ERROR_CORRUPT, "an account's id: %zu bytes, must be 1 to %d", id.len,
		                 ACCOUNT_ID_MAX);
	*row = (struct account_row){ 0 };
	copy_text(account->id, id);
	value_open(&r, bytes, ROW_VERSION);
	copy_text(account->parent, value_str(&r, 0, ACCOUNT_ID_MAX));
	copy_text(account->name, value_str(&r, 0, ACCOUNT_NAME_MAX));
	account->disabled = value_int(&r, 0, 1) != 0;
	account->created_us = value_int(&r, INT64_MIN, INT64_MAX);
	row->secrets_made = (uint32_t)value_int(&r, 0, UINT32_MAX);
	account->secrets_count = (int)value_int(&r, 0, ACCOUNT_SECRETS_MAX);
	for (int i = 0; i < account->secrets_count; i++) {
		account->secrets[i].number = (uint32_t)value_int(&r, 1, UINT32_MAX);
		account->secrets[i].created_us = value_int(&r, INT64_MIN, INT64_MAX);
		credential_read(&r, &row->credentials[i]);
	}
	if (r.left > 0)
		read_plans(&r, row);
	if (r.left > 0)
		account->deleted_us = value_int(&r, 0, INT64_MAX);
	if (account_key_is_id(id))
		account->key = account_key_of_id(account->id);
	else
		account->key = account_key_of_number((uint64_t)value_int(&r, 1, (int64_t)ACCOUNT_KEY_NUMBER_MAX));
	if (value_close(&r))
		return 0;
	return error_set(err, value_error(&r), "account %s: its stored value cannot be read", account->id);
}

static void memory_free(void *data)
{
	struct accounts_memory *memory = data;

	credentials_cache_free(memory->credentials);
	free(memory);
}

struct accounts_memory *accounts_memory(struct meta *meta, struct error *err)
{
	struct meta_attachment *attachment = meta_attachment(meta);

	if (attachment->data)
		return attachment->data;
	struct accounts_memory *memory = calloc(1, sizeof(*memory));
	if (memory)
		memory->credentials = credentials_cache_new();
	if (!memory || !memory->credentials) {
		free(memory);
		error_set(err, ERROR_NOMEM, "cache of accounts: out of memory");
		return NULL;
	}
	memory->generation = 1;
	LIST_INIT(&memory->watches);
	*attachment = (struct meta_attachment){ .data = memory, .free = memory_free };
	return memory;
}

void accounts_memory_clear(struct meta *meta)
{
	struct accounts_memory *memory = meta_attachment(meta)->data;

	if (!memory)
		return;
	memory->generation++;
	credentials_cache_clear(memory->credentials);
	for (struct accounts_watch *watch = LIST_FIRST(&memory->watches); watch; watch = LIST_NEXT(watch, entry))
		watch->on_change(watch->arg);
}
