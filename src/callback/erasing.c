/* SPDX-License-Identifier: ISC */
/*
 * erasing.c: erases a person's number from waiting callbacks, which repeat a report's parameters.
 */
#include <string.h>

#include "callback/callbacks_private.h"
#include "callback/row.h"
#include "meta/rows.h"
#include "store/erase.h"

/* The numbers of callbacks to change. */
struct finding {
	struct str accounts;
	const struct erase *erase;
	struct buf numbers;
};

static bool has_account(struct str accounts, struct str account)
{
	for (size_t at = 0; at < accounts.len; at += strlen(accounts.p + at) + 1)
		if (str_is(account, accounts.p + at))
			return true;
	return false;
}

static enum meta_next find_row(void *arg, struct str key, struct str value, struct error *err)
{
	struct finding *finding = arg;
	struct callback_row row;

	if (callback_row_read(&row, key, value, err) != 0)
		return callback_row_passed_over(err);
	if (has_account(finding->accounts, row.account) && erase_is_in(finding->erase, row.body))
		buf_add(&finding->numbers, &row.number, sizeof(row.number));
	return META_GO_ON;
}

static int change_row(struct change *change, uint64_t number, const struct erase *erase, struct error *err)
{
	struct callback_key key;
	struct callback_row row = { 0 };
	struct str key_text = callback_key_of(number, &key), value;
	struct buf body = { 0 }, copy = { 0 };
	int result = change_get(change, META_DB_CALLBACKS, key_text, &value, err);

	if (result <= 0)
		return result;
	/* The row's texts must not point into the page that is written to. */
	buf_add_str(&copy, value);
	result = copy.failed ? error_set(err, ERROR_NOMEM, "callback: out of memory") :
	                       callback_row_read(&row, key_text, buf_str(&copy), err);
	if (result == 0) {
		erase_from_text(erase, row.body, &body);
		row.body = buf_str(&body);
		result = body.failed ? error_set(err, ERROR_NOMEM, "callback: out of memory") :
		                       callback_row_put(change, &row, err);
	}
	buf_free(&body);
	buf_free(&copy);
	return result;
}

static int change_all(struct meta *meta, const struct finding *finding, struct erase *erase, struct error *err)
{
	const uint64_t *numbers = (const uint64_t *)(const void *)finding->numbers.data;
	struct change change;
	int result = 0;

	if (erase_demand_catalog(erase, err) != 0 || change_begin(&change, meta, err) != 0)
		return -1;
	for (size_t i = 0; i < finding->numbers.len / sizeof(*numbers) && result == 0; i++)
		result = change_row(&change, numbers[i], erase, err);
	return change_end(&change, result, err);
}

struct looking {
	const struct erase *matcher;
	callbacks_fn fn;
	void *arg;
};

static enum meta_next look_at_row(void *arg, struct str key, struct str value, struct error *err)
{
	const struct looking *looking = arg;
	struct callback_row row;

	if (callback_row_read(&row, key, value, err) != 0)
		return callback_row_passed_over(err);
	if (!erase_is_in(looking->matcher, row.body) && !erase_is_in(looking->matcher, row.id))
		return META_GO_ON;
	struct callback_info info = {
		.id = row.id,
		.account = row.account,
		.url = row.url,
		.attempts = row.attempts,
		.created_us = row.created_us,
		.next_us = row.next_us,
		.last_error = row.last_error,
	};
	return looking->fn(looking->arg, &info) ? META_GO_ON : META_STOP;
}

int callbacks_find(struct callbacks *callbacks, const struct erase *matcher, callbacks_fn fn, void *arg,
                   struct error *err)
{
	struct looking looking = { matcher, fn, arg };

	return meta_each(callbacks->meta, META_DB_CALLBACKS, STR_LITERAL(""), look_at_row, &looking, err);
}

int callbacks_erase(struct meta *meta, struct str accounts, struct erase *erase, uint64_t *count, struct error *err)
{
	struct finding finding = { .accounts = accounts, .erase = erase };
	int result = meta_each(meta, META_DB_CALLBACKS, STR_LITERAL(""), find_row, &finding, err);

	if (result == 0 && finding.numbers.failed)
		result = error_set(err, ERROR_NOMEM, "callbacks to erase: out of memory");
	*count = finding.numbers.len / sizeof(uint64_t);
	if (result == 0 && *count > 0)
		result = change_all(meta, &finding, erase, err);
	buf_free(&finding.numbers);
	return result;
}
