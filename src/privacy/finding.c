/* SPDX-License-Identifier: ISC */
/*
 * finding.c: see finding.h. Ids are looked up account by account and product by product, since there is no other index;
 * numbers are searched for in all days.
 */
#include "privacy/finding.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "meta/accounts.h"
#include "store/erase.h"
#include "store/erased.h"
#include "store/number_search.h"
#include "meta/quarantine.h"
#include "privacy/entry.h"

#define ENTRIES_MAX 256 /* of quarantine, checked in a slice */
#define ID_MAX 255

enum stage {
	STAGE_RECORDS,
	STAGE_QUARANTINE,
	STAGE_REPORTS,
	STAGE_SCHEDULES,
	STAGE_RECONCILIATIONS,
	STAGE_CALLBACKS,
	STAGE_ERASURES,
	STAGE_DONE
};

struct finding {
	struct finding_context context;
	char account[ACCOUNT_ID_MAX + 1]; /* "" for all */
	struct account_key account_key;
	struct str sought; /* the number or the id, in `text` */
	struct buf text;
	char id[ID_MAX + 1];    /* "" for a number */
	char lower[ID_MAX + 1]; /* an id that is no UUID in the usual, lower case, if that differs */
	uint64_t max;
	finding_fn fn;
	void (*on_ready)(void *arg);
	void *arg;

	enum stage stage;
	struct erase *matcher; /* for texts */
	struct number_search *numbers;
	struct buf accounts; /* to look for the id in, struct account_key each */
	size_t lookup;       /* the current account and product */
	bool is_lower;       /* looking for `lower` rather than `id` */
	struct scan *scan;   /* for the id; NULL: not begun */
	bool waits;          /* a step has nothing to do before a server has answered */
	uint64_t entry;      /* of quarantine, checked last */
	int looks;
	struct buf reports; /* ids */
	bool reports_listed;
	size_t report;
	struct report_search search;
	struct finding_counts counts;
};

/* --- its life --- */

/* NULL for all. */
static const struct account_key *only_account(const struct finding *finding)
{
	return finding->account[0] ? &finding->account_key : NULL;
}

static bool take_account(void *arg, const struct account *account)
{
	struct finding *finding = arg;

	buf_add(&finding->accounts, &account->key, sizeof(account->key));
	return !finding->accounts.failed;
}

/* Adds an item; false when there is no room for more. */
static bool give(struct finding *finding, const struct finding_item *item)
{
	if (finding->counts.found == finding->max) {
		finding->counts.truncated = true;
		return false;
	}
	finding->counts.found++;
	finding->fn(finding->arg, item);
	return true;
}

/* "to, from" */
static void add_columns(struct buf *out, const struct catalog_product *product, uint64_t columns)
{
	for (; columns; columns &= columns - 1)
		buf_addf(out, "%s%.*s", out->len > 0 ? ", " : "",
		         STR_ARGS(product->columns[__builtin_ctzll(columns)].name));
}

static bool give_record(void *arg, const struct record *record, int64_t time_us, uint64_t columns)
{
	const struct catalog_product *product = record->product;
	struct buf where = { 0 };

	add_columns(&where, product, columns);
	struct finding_item item = {
		.kind = "record",
		.account = record_value(record, product->account_column),
		.product = product->name,
		.id = record_value(record, product->id_column),
		.time_us = time_us,
		.where = buf_str(&where),
		.record = record,
	};
	bool more = give(arg, &item);
	buf_free(&where);
	return more;
}

static int check_account(struct finding *finding, const char *account, struct error *err)
{
	struct account found;

	if (accounts_get(finding->context.meta, str_from(account), &found, err) != 0)
		return -1;
	memcpy(finding->account, found.id, sizeof(finding->account));
	finding->account_key = found.key;
	return 0;
}

static int take_id(struct finding *finding, const char *id, struct error *err)
{
	size_t len = strlen(id);

	if (len == 0 || len > ERASE_NUMBER_MAX)
		return error_set(err, ERROR_INVALID, "id: %zu bytes, must be 1 to %d", len, ERASE_NUMBER_MAX);
	memcpy(finding->id, id, len);
	for (size_t i = 0; i < len; i++)
		finding->lower[i] = (char)tolower((unsigned char)id[i]);
	if (strcmp(finding->lower, finding->id) == 0 || id_is_uuid(str_from(id)))
		finding->lower[0] = '\0';
	if (finding->account[0])
		buf_add(&finding->accounts, &finding->account_key, sizeof(finding->account_key));
	else if (accounts_each(finding->context.meta, take_account, finding, err) != 0)
		return -1;
	return finding->accounts.failed ? error_set(err, ERROR_NOMEM, "find: out of memory") : 0;
}

static void on_ready(void *arg)
{
	struct finding *finding = arg;

	finding->waits = false;
	if (finding->on_ready)
		finding->on_ready(finding->arg); /* it may be gone after this */
}

bool finding_waits(const struct finding *finding)
{
	return finding->waits;
}

static int begin(struct finding *finding, const struct finding_request *request, struct error *err)
{
	if (!request->number == !request->id)
		return error_set(err, ERROR_INVALID, "find: either --number or --id");
	if (request->account && check_account(finding, request->account, err) != 0)
		return -1;
	buf_add_text(&finding->text, request->number ? request->number : request->id);
	if (!buf_cstr(&finding->text))
		return error_set(err, ERROR_NOMEM, "find: out of memory");
	finding->sought = buf_str(&finding->text);
	if (request->id && take_id(finding, request->id, err) != 0)
		return -1;
	finding->matcher = erase_new_matcher(finding->sought, err);
	if (!finding->matcher)
		return -1;
	if (request->id)
		return 0;
	finding->numbers = number_search_new(finding->context.store, only_account(finding), finding->sought,
	                                     give_record, on_ready, finding, err);
	return finding->numbers ? 0 : -1;
}

struct finding *finding_new(const struct finding_context *context, const struct finding_request *request, finding_fn fn,
                            void *arg, struct error *err)
{
	struct finding *finding = calloc(1, sizeof(*finding));

	if (!finding) {
		error_set(err, ERROR_NOMEM, "find: out of memory");
		return NULL;
	}
	finding->context = *context;
	finding->max = request->max;
	finding->fn = fn;
	finding->on_ready = request->on_ready;
	finding->arg = arg;
	if (begin(finding, request, err) == 0)
		return finding;
	finding_free(finding);
	return NULL;
}

void finding_free(struct finding *finding)
{
	if (!finding)
		return;
	number_search_free(finding->numbers);
	scan_cancel(finding->scan);
	erase_free(finding->matcher);
	report_search_end(&finding->search);
	buf_free(&finding->text);
	buf_free(&finding->accounts);
	buf_free(&finding->reports);
	free(finding);
}

void finding_counts(const struct finding *finding, struct finding_counts *counts)
{
	*counts = finding->counts;
}

/* --- records --- */

static bool give_found(void *arg, const struct scan_row *row)
{
	struct finding *finding = arg;
	const struct record *record = row->record;
	const struct catalog_product *product = record->product;
	uint64_t columns = 0;

	for (size_t i = 0; i < product->lookup_count; i++) {
		struct str value = record->values[product->lookup[i]];

		if (id_equal(value, str_from(finding->id)) || (finding->lower[0] && str_is(value, finding->lower)))
			columns |= UINT64_C(1) << product->lookup[i];
	}
	return give_record(arg, record, row->time_us, columns);
}

static struct scan *begin_find(struct finding *finding, struct error *err)
{
	size_t products = catalog_products_count;
	const struct account_key *accounts = (const struct account_key *)(const void *)finding->accounts.data;
	const struct scan_find find = {
		.product = &catalog_products[finding->lookup % products],
		.account = &accounts[finding->lookup / products],
		.id = str_from(finding->is_lower ? finding->lower : finding->id),
		.first_day = INT32_MIN,
		.max = (size_t)(finding->max - finding->counts.found) + 1,
	};
	const struct scan_sink sink = { .on_record = give_found, .on_ready = on_ready, .arg = finding };

	return scan_start_find(finding->context.store, &find, &sink, err);
}

/* The look-up of one account, product and spelling of the id has ended. */
static void end_find(struct finding *finding)
{
	scan_cancel(finding->scan);
	finding->scan = NULL;
	finding->is_lower = !finding->is_lower && finding->lower[0];
	if (!finding->is_lower)
		finding->lookup++;
}

static int step_ids(struct finding *finding, int64_t deadline_us, bool *done, struct error *err)
{
	size_t total = finding->accounts.len / sizeof(struct account_key) * catalog_products_count;
	enum scan_end end;

	*done = finding->lookup == total;
	if (*done)
		return 0;
	if (!finding->scan)
		finding->scan = begin_find(finding, err);
	if (!finding->scan || scan_step(finding->scan, deadline_us, &end, err) != 0)
		return -1;
	finding->waits = end == SCAN_WAITS;
	if (end == SCAN_PAUSED || finding->waits)
		return 0;
	end_find(finding);
	finding->counts.steps_done = finding->lookup / catalog_products_count;
	finding->counts.steps_total = total / catalog_products_count;
	return 0;
}

static int step_numbers(struct finding *finding, int64_t deadline_us, bool *done, struct error *err)
{
	struct number_search_counts counts;

	if (number_search_step(finding->numbers, deadline_us, done, err) != 0)
		return -1;
	finding->waits = number_search_waits(finding->numbers);
	number_search_counts(finding->numbers, &counts);
	finding->counts.steps_done = counts.days_done;
	finding->counts.steps_total = counts.days_total;
	return 0;
}

/* --- everything else --- */

static bool look_at_entry(void *arg, const struct quarantine_entry *entry)
{
	struct finding *finding = arg;
	char number[24];

	finding->entry = entry->number;
	finding->looks++;
	bool other = finding->account[0] && entry->account.len > 0 && !str_is(entry->account, finding->account);
	if (other || !entry_has(entry, finding->matcher))
		return finding->looks < ENTRIES_MAX;
	(void)snprintf(number, sizeof(number), "%llu", (unsigned long long)entry->number);
	struct finding_item item = {
		.kind = "quarantine",
		.account = entry->account,
		.product = entry->product,
		.id = str_from(number),
		.time_us = entry->time_us,
		.where = entry->reason,
		.text = entry->raw,
	};
	return give(finding, &item) && finding->looks < ENTRIES_MAX;
}

static int step_quarantine(struct finding *finding, bool *done, struct error *err)
{
	finding->looks = 0;
	if (quarantine_each(finding->context.meta, finding->entry + 1, look_at_entry, finding, err) != 0)
		return -1;
	*done = finding->looks < ENTRIES_MAX;
	return 0;
}

static bool take_report(void *arg, const struct report *report)
{
	struct finding *finding = arg;

	buf_add(&finding->reports, report->id, sizeof(report->id));
	return !finding->reports.failed;
}

static void give_report(struct finding *finding, const struct report *report, const char *where)
{
	struct finding_item item = {
		.kind = "report",
		.account = str_from(report->account),
		.product = query_params_get(&report->params, "product"),
		.id = str_from(report->id),
		.time_us = report->received_us,
		.where = str_from(where),
	};

	give(finding, &item);
}

static int step_reports(struct finding *finding, int64_t deadline_us, bool *done, struct error *err)
{
	static const char *const places[] = {
		[REPORTS_HAS_PARAMS] = "parameters",
		[REPORTS_HAS_FILE] = "file",
		[REPORTS_HAS_PERHAPS] = "file, perhaps: it shows no numbers",
	};
	const size_t len = ID_UUID_LEN + 1;
	struct report report;
	enum reports_has has;

	if (!finding->reports_listed) {
		if (reports_each(finding->context.reports, only_account(finding), INT64_MIN, INT64_MAX, take_report,
		                 finding, err) != 0)
			return -1;
		if (finding->reports.failed)
			return error_set(err, ERROR_NOMEM, "find: out of memory");
		finding->reports_listed = true;
	}
	finding->counts.steps_done = finding->report;
	finding->counts.steps_total = finding->reports.len / len;
	*done = finding->report == finding->counts.steps_total;
	if (*done)
		return 0;
	const char *id = finding->reports.data + finding->report * len;
	if (reports_search(finding->context.reports, id, finding->matcher, !finding->id[0], &finding->search,
	                   deadline_us, &report, &has, err) != 0)
		return -1;
	if (has == REPORTS_HAS_SEARCHING)
		return 0;
	finding->report++;
	if (finding->id[0] && (strcmp(report.id, finding->id) == 0 || strcmp(report.file_id, finding->id) == 0))
		give_report(finding, &report, "id");
	else if (has != REPORTS_HAS_NOTHING)
		give_report(finding, &report, places[has]);
	report_free(&report);
	return 0;
}

static bool schedule_has_it(const struct finding *finding, const struct schedule *schedule)
{
	struct str id = str_from(finding->id);

	if (id.len > 0 && str_equal_nocase(str_from(schedule->id), id))
		return true;
	for (size_t i = 0; i < schedule->params.count; i++)
		if (erase_is_in(finding->matcher, schedule->params.list[i].value))
			return true;
	return false;
}

static bool take_schedule(void *arg, const struct schedule *schedule)
{
	struct finding *finding = arg;

	if (!schedule_has_it(finding, schedule))
		return true;
	struct finding_item item = {
		.kind = "schedule",
		.account = str_from(schedule->account),
		.product = query_params_get(&schedule->params, "product"),
		.id = str_from(schedule->id),
		.time_us = schedule->created_us,
		.where = STR_LITERAL("parameters"),
	};
	return give(finding, &item);
}

/* Its files are not searched: an erasure of the account removes them, whatever they hold. One of an operator may be of all
 * accounts. */
static bool take_reconciliation(void *arg, const struct reconciliation *job)
{
	struct finding *finding = arg;
	const char *account = job->request.account;

	if (finding->id[0] ? !str_equal_nocase(str_from(job->id), str_from(finding->id)) :
	                     finding->account[0] && account[0] && !job->request.include_subaccounts &&
	                             strcmp(account, finding->account) != 0)
		return true;
	struct finding_item item = {
		.kind = "reconciliation",
		.account = str_from(account),
		.product = query_params_get(&job->params, "product"),
		.id = str_from(job->id),
		.time_us = job->received_us,
		.where = finding->id[0] ? STR_LITERAL("id") : STR_LITERAL("not searched: its files may hold it"),
	};
	return give(finding, &item);
}

static bool take_callback(void *arg, const struct callback_info *info)
{
	struct finding *finding = arg;

	if (finding->account[0] && !str_is(info->account, finding->account))
		return true;
	struct finding_item item = {
		.kind = "callback",
		.account = info->account,
		.id = info->id,
		.time_us = info->created_us,
		.where = STR_LITERAL("waits"),
	};
	return give(finding, &item);
}

static bool take_erasure(void *arg, const struct erased_entry *entry)
{
	struct finding *finding = arg;
	struct siphash hash = erased_hash(finding->context.store, finding->sought);
	char id[ACCOUNT_ID_MAX + 1];
	struct error err;

	if (memcmp(&hash, &entry->hash, sizeof(hash)) != 0 ||
	    (finding->account[0] && !account_key_equal(&finding->account_key, &entry->account)) ||
	    accounts_id_of_key(finding->context.meta, &entry->account, id, &err) <= 0)
		return true;
	struct finding_item item = {
		.kind = "erasure",
		.account = str_from(id),
		.time_us = entry->erased_us,
		.where = entry->until_us == ERASED_LASTS ? STR_LITERAL("lasting") : STR_LITERAL("up to then"),
	};
	return give(finding, &item);
}

/* --- the course --- */

static int step(struct finding *finding, int64_t deadline_us, bool *done, struct error *err)
{
	*done = true;
	switch (finding->stage) {
	case STAGE_RECORDS:
		return finding->id[0] ? step_ids(finding, deadline_us, done, err) :
		                        step_numbers(finding, deadline_us, done, err);
	case STAGE_QUARANTINE:
		return step_quarantine(finding, done, err);
	case STAGE_REPORTS:
		return step_reports(finding, deadline_us, done, err);
	case STAGE_SCHEDULES:
		return schedules_each(finding->context.schedules, finding->account[0] ? finding->account : NULL,
		                      take_schedule, finding, err);
	case STAGE_RECONCILIATIONS:
		reconciles_each(finding->context.reconciles, take_reconciliation, finding);
		return 0;
	case STAGE_CALLBACKS:
		return callbacks_find(finding->context.callbacks, finding->matcher, take_callback, finding, err);
	case STAGE_ERASURES:
		return finding->id[0] ? 0 : erased_each(finding->context.store, take_erasure, finding, err);
	case STAGE_DONE:
		break;
	}
	return 0;
}

int finding_step(struct finding *finding, int64_t deadline_us, bool *done, struct error *err)
{
	do {
		bool stage_done;

		if (step(finding, deadline_us, &stage_done, err) != 0)
			return -1;
		if (stage_done && finding->stage < STAGE_DONE) {
			finding->stage++;
			finding->counts.steps_done = finding->counts.steps_total = 0;
		}
		*done = finding->stage == STAGE_DONE || finding->counts.truncated;
	} while (!*done && !finding->waits && clock_monotonic_us() < deadline_us);
	return 0;
}
