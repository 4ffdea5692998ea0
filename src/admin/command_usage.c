/* SPDX-License-Identifier: ISC */
/*
 * command_usage.c: `usage` and `account plan`.
 */
#include <stdlib.h>

#include "admin/command.h"
#include "base/clock.h"
#include "billing/billing.h"
#include "billing/statement.h"

#define NO_PLAN "-"

/* --- account plan --- */

void admin_account_plan(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	const char *id = args_get(args, "id"), *name = args_get(args, "plan");
	bool none = strcmp(name, NO_PLAN) == 0;
	struct error err;
	int result = 0;

	if (!none && !plans_find(billing_plans(context->billing), str_from(name)))
		result = error_set(&err, ERROR_NOT_FOUND, "plan %.40s: none of the plans that the setting plans has",
		                   name);
	if (result == 0)
		result = accounts_set_plan(context->meta, id, none ? "" : name, &err);
	if (result != 0) {
		admin_reply_error(reply, &err);
		return;
	}
	admin_reply_log(reply, "account %s has %s%s", id, none ? "no plan of its own" : "plan ", none ? "" : name);
	admin_reply_send(reply);
}

/* --- usage --- */

struct work {
	struct admin_reply *reply;
	struct statement *statement;
	int64_t from_us;
};

static void work_free(void *arg)
{
	struct work *work = arg;

	statement_free(work->statement);
	free(work);
}

static void write_line(struct json *j, const struct statement_line *line)
{
	json_object_begin(j);
	json_member_text(j, "account", line->account);
	json_member_text(j, "parent", line->parent);
	json_member_text(j, "charge", line->is_fee ? "fee" : "records");
	json_member_text(j, "for", line->what);
	json_member_uint(j, "requests", line->requests);
	json_member_uint(j, "items", line->items);
	json_member_text(j, "currency", line->currency);
	json_member_decimal(j, "total_price", line->total);
	json_object_end(j);
}

/* One line a currency, of which there are few. */
static void write_totals(struct json *j, const struct statement_line *lines, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct statement_line sum = { .is_fee = false };
		size_t first = 0;

		while (strcmp(lines[first].currency, lines[i].currency) != 0)
			first++;
		if (first < i)
			continue;
		for (size_t k = i; k < count; k++) {
			if (strcmp(lines[k].currency, lines[i].currency) != 0)
				continue;
			sum.requests += lines[k].requests;
			sum.items += lines[k].items;
			(void)decimal_add(&sum.total, lines[k].total); /* sums of 64 bits of lines cannot overflow */
		}
		json_object_begin(j);
		json_member_text(j, "currency", lines[i].currency);
		json_member_uint(j, "requests", sum.requests);
		json_member_uint(j, "items", sum.items);
		json_member_decimal(j, "total_price", sum.total);
		json_object_end(j);
	}
}

static void write_statement(struct json *j, const struct work *work)
{
	size_t count;
	const struct statement_line *lines = statement_lines(work->statement, &count);
	struct buf day = { 0 };

	clock_format_day(&day, clock_day_of(work->from_us));
	json_object_begin(j);
	json_member_str(j, "month", (struct str){ buf_str(&day).p, day.len > 3 ? day.len - 3 : 0 });
	json_key(j, "lines");
	json_array_begin(j);
	for (size_t i = 0; i < count; i++)
		write_line(j, &lines[i]);
	json_array_end(j);
	json_key(j, "totals");
	json_array_begin(j);
	write_totals(j, lines, count);
	json_array_end(j);
	json_object_end(j);
	buf_free(&day);
}

static void go_on(void *arg, int64_t deadline_us)
{
	struct work *work = arg;
	struct admin_reply *reply = work->reply;
	struct error err;

	switch (statement_step(work->statement, deadline_us, &err)) {
	case STATEMENT_MORE:
		admin_reply_later(reply, go_on, work);
		return;
	case STATEMENT_DONE:
		write_statement(admin_reply_result(reply), work);
		work_free(work);
		admin_reply_send(reply);
		return;
	case STATEMENT_FAILED:
		work_free(work);
		admin_reply_error(reply, &err);
		return;
	}
}

static struct work *begin(const struct admin_context *context, const struct args *args, struct admin_reply *reply,
                          struct error *err)
{
	const char *month = args_get(args, "month"), *account = args_get(args, "account");
	int64_t now_us = clock_now_us(), to_us;
	struct work *work = calloc(1, sizeof(*work));

	if (!work) {
		error_set(err, ERROR_NOMEM, "Out of memory for a statement");
		return NULL;
	}
	work->reply = reply;
	if (!statement_month(month, now_us, &work->from_us, &to_us))
		error_set(err, ERROR_INVALID, "--month %.40s: must be a month such as 2026-11", month);
	else if (billing_flush(context->billing, err) == 0)
		work->statement = statement_begin(context->meta, context->store, billing_plans(context->billing),
		                                  work->from_us, to_us, account, now_us, err);
	if (work->statement)
		return work;
	free(work);
	return NULL;
}

void admin_usage(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	struct error err;
	struct work *work = begin(context, args, reply, &err);

	if (!work) {
		admin_reply_error(reply, &err);
		return;
	}
	admin_reply_on_close(reply, work_free, work);
	admin_reply_later(reply, go_on, work);
}
