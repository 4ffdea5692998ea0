/* SPDX-License-Identifier: ISC */
/*
 * command_move.c: `move`, of all records to a cluster (store/takeover.h).
 *
 * The daemon moves by itself; with --to and --finish the command waits beside it until that has got somewhere, and who
 * interrupts it stops nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "admin/job.h"
#include "base/clock.h"
#include "meta/accounts.h"
#include "store/takeover.h"

#define NEXT_WITHOUT_CLUSTER "set store = lmdb, and restart the daemon; drop the cluster's database before another move"
#define LOOK_US (CLOCK_US_PER_SECOND / 4)
#define FAILS_US (15 * CLOCK_US_PER_SECOND) /* without anything copied: then whoever waits is told */

struct watching {
	struct admin_job job;
	const struct admin_context *context;
	struct event *timer;
	bool finishes;
	struct takeover_state state;
	uint64_t copied;
	int64_t copied_us; /* monotonic: when there was no failure, or more was copied */
};

static const char *const phases[] = { "none", "copies", "follows", "compares", "done", "given up" };

/* --- what it shows --- */

static void write_sums(struct json *j, const char *name, const struct catalog_product *product,
                       const struct takeover_sums *sums)
{
	static const char *const amounts[] = { "duration", "total_price", "price" };
	struct buf text = { 0 };
	size_t at = 0;

	buf_addf(&text, "%llu records", (unsigned long long)sums->rows);
	for (size_t i = 0; i < sizeof(amounts) / sizeof(amounts[0]); i++) {
		if (catalog_column_find(product, str_from(amounts[i])) == CATALOG_NONE)
			continue;
		buf_addf(&text, ", %s ", amounts[i]);
		decimal_format(&text, sums->amounts[at++]);
	}
	buf_addf(&text, ", sum of their numbers %llu", (unsigned long long)sums->numbers);
	if (text.failed)
		j->out->failed = true;
	json_member_str(j, name, buf_str(&text));
	buf_free(&text);
}

static void write_difference(struct json *j, struct meta *meta, const struct takeover_difference *difference)
{
	struct accounts_text account = accounts_key_text(meta, &difference->account);
	struct buf day = { 0 };

	clock_format_day(&day, difference->day);
	if (day.failed)
		j->out->failed = true;
	json_object_begin(j);
	json_member_str(j, "product", difference->product->name);
	json_member_text(j, "account", account.text);
	json_member_str(j, "day", buf_str(&day));
	write_sums(j, "here", difference->product, &difference->here);
	write_sums(j, "in_cluster", difference->product, &difference->there);
	json_object_end(j);
	buf_free(&day);
}

static void write_state(struct json *j, const struct admin_context *context)
{
	struct takeover_state state;
	size_t count;
	const struct takeover_difference *differences = takeover_differences(context->store, &count);

	takeover_state(context->store, &state);
	json_object_begin(j);
	json_member_text(j, "state", phases[state.phase]);
	json_member_uint(j, "rows_copied", state.copied);
	json_member_uint(j, "days", state.days);
	json_member_uint(j, "days_total", state.days_total);
	json_member_uint(j, "changes_behind", state.behind);
	json_member_bool(j, "records_refused", state.is_held);
	if (state.failure.code != ERROR_NONE)
		json_member_text(j, "waits_for", state.failure.message);
	if (state.phase == TAKEOVER_FOLLOWS && !state.finishes && !state.was_compared)
		json_member_text(j, "next", "cdrctl move --finish");
	if (state.phase == TAKEOVER_IS_DONE)
		json_member_text(j, "next", "set store = clickhouse, and restart the daemon");
	if (state.phase == TAKEOVER_IS_GIVEN_UP)
		json_member_text(j, "next", NEXT_WITHOUT_CLUSTER);
	if (state.was_compared) {
		json_member_uint(j, "differences_count", state.differences);
		json_key(j, "differences");
		json_array_begin(j);
		for (size_t i = 0; i < count; i++)
			write_difference(j, context->meta, &differences[i]);
		json_array_end(j);
	}
	json_object_end(j);
}

/* --- waiting beside it --- */

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct watching *watching = arg;

	(void)fd;
	(void)what;
	admin_job_go_on(&watching->job);
}

static bool is_there(const struct watching *watching)
{
	const struct takeover_state *state = &watching->state;

	if (state->phase == TAKEOVER_NONE || state->phase >= TAKEOVER_IS_DONE)
		return true;
	return watching->finishes ? !state->finishes : state->phase == TAKEOVER_FOLLOWS;
}

/* Has it failed for long? */
static bool fails(struct watching *watching)
{
	const struct takeover_state *state = &watching->state;
	int64_t now_us = clock_monotonic_us();

	if (state->failure.code == ERROR_NONE || state->copied != watching->copied || watching->copied_us == 0)
		watching->copied_us = now_us;
	watching->copied = state->copied;
	return now_us - watching->copied_us > FAILS_US;
}

static int step(void *arg, int64_t deadline_us, bool *done, struct error *err)
{
	static const struct timeval pause = { 0, LOOK_US };
	struct watching *watching = arg;

	(void)deadline_us;
	(void)err;
	takeover_state(watching->context->store, &watching->state);
	*done = is_there(watching) || fails(watching);
	watching->job.waits = !*done;
	if (!*done)
		evtimer_add(watching->timer, &pause);
	return 0;
}

static void write_progress(void *arg, struct json *j)
{
	const struct watching *watching = arg;

	json_member_uint(j, "done", watching->state.days);
	json_member_uint(j, "total", watching->state.days_total);
	json_member_uint(j, "records", watching->state.copied);
}

static void set_why_not(struct error *err, const struct takeover_state *state)
{
	if (state->differences > 0)
		error_set(err, ERROR_CONFLICT,
		          "move: counts or sums of %llu accounts and days differ: nothing is moved",
		          (unsigned long long)state->differences);
	else
		error_set(err, ERROR_UNAVAILABLE, "move: not finished%s%.250s", state->failure.code ? ": " : "",
		          state->failure.code ? state->failure.message : "");
}

static void write_result(void *arg, struct admin_reply *reply)
{
	const struct watching *watching = arg;
	const struct takeover_state *state = &watching->state;
	struct error err = { .code = ERROR_NONE };

	if (!is_there(watching))
		err = state->failure;
	else if (watching->finishes && state->phase != TAKEOVER_IS_DONE)
		set_why_not(&err, state);
	write_state(err.code == ERROR_NONE ? admin_reply_result(reply) : admin_reply_result_with_error(reply, &err),
	            watching->context);
}

static void watching_free(void *arg)
{
	struct watching *watching = arg;

	event_free(watching->timer);
	free(watching);
}

static void watch(const struct admin_context *context, bool finishes, struct admin_reply *reply)
{
	static const struct admin_job_kind kind = { step, write_progress, write_result, watching_free };
	struct watching *watching = calloc(1, sizeof(*watching));
	struct error err;

	if (watching)
		watching->timer = evtimer_new(context->base, on_timer, watching);
	if (!watching || !watching->timer) {
		free(watching);
		error_set(&err, ERROR_NOMEM, "move: out of memory");
		admin_reply_error(reply, &err);
		return;
	}
	watching->context = context;
	watching->finishes = finishes;
	admin_job_begin(&watching->job, &kind, reply);
}

/* --- the command --- */

static int stop(const struct admin_context *context, bool loses, struct admin_reply *reply, struct error *err)
{
	struct takeover_state state;
	struct json *j;
	uint64_t lost;

	takeover_state(context->store, &state);
	if (takeover_stop(context->store, loses, &lost, err) != 0)
		return -1;
	admin_reply_log(reply, "the move to the cluster is given up, with %llu rows copied",
	                (unsigned long long)state.copied);
	j = admin_reply_result(reply);
	json_object_begin(j);
	json_member_uint(j, "rows_left_in_cluster", state.copied);
	if (lost > 0)
		json_member_uint(j, "changes_in_cluster_alone", lost);
	takeover_state(context->store, &state);
	json_member_text(j, "next",
	                 state.phase == TAKEOVER_IS_GIVEN_UP ? NEXT_WITHOUT_CLUSTER :
	                                                       "drop the cluster's database before another move");
	json_object_end(j);
	admin_reply_send(reply);
	return 0;
}

static int begin(const struct admin_context *context, const char *to, struct admin_reply *reply, struct error *err)
{
	if (strcmp(to, "clickhouse") != 0)
		return error_set(err, ERROR_INVALID, "move: --to \"%.64s\": must be clickhouse", to);
	if (takeover_begin(context->store, err) != 0)
		return -1;
	admin_reply_log(reply, "records are moved to the cluster");
	watch(context, false, reply);
	return 0;
}

static int finish(const struct admin_context *context, struct admin_reply *reply, struct error *err)
{
	if (takeover_finish(context->store, err) != 0)
		return -1;
	admin_reply_log(reply, "the move to the cluster is to be finished");
	watch(context, true, reply);
	return 0;
}

void admin_move(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	const char *to = args_get(args, "to");
	bool finishes = args_count(args, "finish") > 0, stops = args_count(args, "stop") > 0;
	struct error err;
	int result = 0;

	if ((to != NULL) + finishes + stops > 1)
		result = error_set(&err, ERROR_INVALID, "move: one of --to, --finish and --stop");
	else if (to)
		result = begin(context, to, reply, &err);
	else if (finishes)
		result = finish(context, reply, &err);
	else if (stops)
		result = stop(context, args_count(args, "lose_records") > 0, reply, &err);
	else {
		write_state(admin_reply_result(reply), context);
		admin_reply_send(reply);
	}
	if (result != 0)
		admin_reply_error(reply, &err);
}
