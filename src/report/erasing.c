/* SPDX-License-Identifier: ISC */
/*
 * erasing.c: erases a person's number from reports. See reports_erase in report.h.
 *
 * Files are searched, because the records do not tell what they hold: a record in a file may have had another number
 * then.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "report/report_private.h"
#include "report/table.h"
#include "store/erase.h"

static bool shows_persons(const struct catalog_product *product)
{
	for (uint8_t i = 0; i < product->columns_count; i++) {
		enum catalog_kind kind = product->columns[i].kind;

		if (kind == CATALOG_NUMBER || kind == CATALOG_BODY || (kind == CATALOG_JSON && product->own))
			return true;
	}
	return false;
}

static bool params_have_it(const struct erase *erase, const struct report *report)
{
	for (size_t i = 0; i < report->params.count; i++)
		if (erase_is_in(erase, report->params.list[i].value))
			return true;
	return false;
}

/* Do its parameters have the number? The callback's URL does not count: it selects no records. */
static bool asks_for_it(const struct erase *erase, const struct report *report)
{
	for (size_t i = 0; i < report->params.count; i++)
		if (!str_is(report->params.list[i].name, "callback_url") &&
		    erase_is_in(erase, report->params.list[i].value))
			return true;
	return false;
}

/* --- which --- */

struct finding {
	struct reports *reports;
	const struct erase *erase;
	const struct account_key *accounts;
	size_t accounts_count;
	struct buf *ids;
	struct buf members;
	struct error *err;
	bool failed;
};

static int compare_keys(const void *a, const void *b)
{
	return account_key_compare(a, b);
}

static bool has_account(const struct finding *finding, const struct account_key *account)
{
	return bsearch(account, finding->accounts, finding->accounts_count, sizeof(*account), compare_keys) != NULL;
}

/* Does it read one of the accounts? */
static bool reads_them(struct finding *finding, const struct report *report)
{
	bool subaccounts = str_is(query_params_get(&report->params, "include_subaccounts"), "true");

	if (has_account(finding, &report->account_key) || has_account(finding, &report->creator_key))
		return true;
	if (!subaccounts)
		return false;
	buf_clear(&finding->members);
	if (accounts_keys_of_family(finding->reports->meta, &report->account_key, true, &finding->members,
	                            finding->err) < 0) {
		finding->failed = true;
		return false;
	}
	const struct account_key *members = (const struct account_key *)(const void *)finding->members.data;
	for (size_t i = 0; i < finding->members.len / sizeof(*members); i++)
		if (has_account(finding, &members[i]))
			return true;
	return false;
}

static bool find_one(void *arg, const struct report *report)
{
	struct finding *finding = arg;
	struct query_plan plan;
	bool wanted = reads_them(finding, report);

	/* a report that this build cannot read may hold it */
	if (wanted && report_make_plan(report, &plan))
		wanted = shows_persons(plan.product);
	if (wanted || (reads_them(finding, report) && params_have_it(finding->erase, report)))
		buf_add(finding->ids, report->id, sizeof(report->id));
	return !finding->failed;
}

int reports_find_to_erase(struct reports *reports, const struct erase *erase, const struct account_key *accounts,
                          size_t accounts_count, struct buf *ids, struct error *err)
{
	struct finding finding = { .reports = reports,
		                   .erase = erase,
		                   .accounts = accounts,
		                   .accounts_count = accounts_count,
		                   .ids = ids,
		                   .err = err };
	int result = reports_each(reports, NULL, INT64_MIN, INT64_MAX, find_one, &finding, err);

	buf_free(&finding.members);
	if (result < 0 || finding.failed)
		return -1;
	return ids->failed ? error_set(err, ERROR_NOMEM, "reports to erase: out of memory") : 0;
}

/* --- one of them --- */

/* The parameters without the number. */
static int change_params(const struct erase *erase, struct report *report, struct error *err)
{
	struct query_params fresh = { 0 };
	struct buf value = { 0 };
	int result = 0;

	for (size_t i = 0; i < report->params.count && result == 0; i++) {
		const struct query_param *param = &report->params.list[i];

		buf_clear(&value);
		erase_from_text(erase, param->value, &value);
		result = value.failed ? error_set(err, ERROR_NOMEM, "report %s: out of memory", report->id) :
		                        query_params_add(&fresh, param->name, buf_str(&value), err);
	}
	buf_free(&value);
	if (result == 0) {
		query_params_free(&report->params);
		report->params = fresh;
	} else {
		query_params_free(&fresh);
	}
	return result;
}

/* Does it show messages without their numbers? Then a search of its file finds nothing. */
static bool hides_numbers(const struct report *report)
{
	struct query_plan plan;
	uint64_t shown = 0, numbers = 0, bodies = 0;

	if (!report_make_plan(report, &plan))
		return true;
	struct record_view view = query_plan_view(&plan);
	if (plan.columns_count == 0)
		shown = record_view_columns(plan.product, &view);
	for (size_t i = 0; i < plan.columns_count; i++)
		shown |= UINT64_C(1) << plan.columns[i];
	for (uint8_t i = 0; i < plan.product->columns_count; i++) {
		numbers |= (uint64_t)(plan.product->columns[i].kind == CATALOG_NUMBER) << i;
		bodies |= (uint64_t)(plan.product->columns[i].kind == CATALOG_BODY) << i;
	}
	return (shown & bodies) && (shown & numbers) != numbers;
}

static enum archive_kind kind_of(const struct report *report)
{
	struct str compression = query_params_get(&report->params, "compression");

	if (report_is_parquet(report))
		return ARCHIVE_PARQUET;
	return str_is(compression, "gzip") ? ARCHIVE_GZIP : str_is(compression, "zstd") ? ARCHIVE_ZSTD : ARCHIVE_ZIP;
}

/* Does the file hold it? 1 when *holds is known, 0 when there is more to search, -1. An unreadable file counts as
 * holding it. */
static int search_file(const struct reports *reports, const struct report *report, const struct erase *erase,
                       struct report_search *search, int64_t deadline_us, bool *holds, struct error *err)
{
	struct buf path = { 0 };
	int result = 0;

	if (!search->reader) {
		report_file_path(reports, report->file_id, &path);
		result = buf_cstr(&path) ? report_search_begin(search, path.data, kind_of(report), err) :
		                           error_set(err, ERROR_NOMEM, "report %s: out of memory", report->id);
		buf_free(&path);
	}
	if (result == 0)
		result = report_search_step(search, erase, deadline_us, holds, err);
	if (result >= 0 || err->code == ERROR_NOMEM)
		return result;
	log_warn("report", "%s: taken to hold a number that is erased: %s", report->id, err->message);
	*holds = true;
	return 1;
}

static int look(struct reports *reports, const struct report *report, const struct erase *matcher, bool number,
                struct report_search *search, int64_t deadline_us, enum reports_has *has, struct error *err)
{
	bool holds = false;
	int known = 1;

	*has = REPORTS_HAS_NOTHING;
	if (params_have_it(matcher, report))
		*has = REPORTS_HAS_PARAMS;
	else if (report->has_file && number && !search->reader && hides_numbers(report))
		*has = REPORTS_HAS_PERHAPS;
	else if (report->has_file)
		known = search_file(reports, report, matcher, search, deadline_us, &holds, err);
	if (known == 0)
		*has = REPORTS_HAS_SEARCHING;
	else if (holds)
		*has = REPORTS_HAS_FILE;
	return known < 0 ? -1 : 0;
}

int reports_search(struct reports *reports, const char *id, const struct erase *matcher, bool number,
                   struct report_search *search, int64_t deadline_us, struct report *report, enum reports_has *has,
                   struct error *err)
{
	int found = table_get(reports->meta, str_from(id), report, err);

	int result = found;

	*has = REPORTS_HAS_NOTHING;
	if (found == 0)
		memset(report, 0, sizeof(*report));
	else if (found > 0)
		result = look(reports, report, matcher, number, search, deadline_us, has, err);
	if (found > 0 && (result != 0 || *has == REPORTS_HAS_SEARCHING))
		report_free(report);
	/* It, or its file, may have been removed during the search. */
	if (result != 0 || *has != REPORTS_HAS_SEARCHING)
		report_search_end(search);
	return result;
}

/* --- its file goes --- */

static void set_reason(struct report *report, const char *reason)
{
	buf_clear(&report->reason);
	buf_add_text(&report->reason, reason);
}

static int drop_file(struct reports *reports, struct report *report, struct error *err)
{
	int64_t was_us = report_due_us(reports, report);
	struct change change;

	report->has_file = false;
	set_reason(report, "The file was removed, as a person's number was erased from the records; "
	                   "a new report has the records as they are now");
	if (change_begin(&change, reports->meta, err) != 0 ||
	    change_end(&change, table_drop_file(&change, report, was_us, report_due_us(reports, report), err), err) !=
	            0)
		return -1;
	report_file_remove(reports, report->file_id);
	log_info("report", "%s of account %s: its file is removed, as a number was erased", report->id,
	         report->account);
	return 0;
}

static void set_pending(struct report *report, const char *why)
{
	report_set_state(report, REPORT_PENDING);
	report->remade = true;
	report->has_file = false;
	report->started_us = report->ended_us = 0;
	report->rows = report->bytes = 0;
	report->share = 0;
	report->first_us = report->last_us = 0;
	report->sha256[0] = '\0';
	report->sums_count = 0;
	buf_clear(&report->checkpoint);
	buf_clear(&report->reason);
	buf_addf(&report->reason, "Made anew, without charge, as %s", why);
}

int report_make_anew(struct reports *reports, struct report *report, const char *why, struct error *err)
{
	int64_t was_us = report_due_us(reports, report);
	struct report_job *job = report_queue_add(reports, report->creator, str_from(report->id));
	struct change change;

	if (!job)
		return error_set(err, ERROR_NOMEM, "report %s: out of memory", report->id);
	set_pending(report, why);
	if (change_begin(&change, reports->meta, err) != 0 ||
	    change_end(&change, table_requeue(&change, report, was_us, err), err) != 0) {
		report_queue_remove(reports, job);
		return -1;
	}
	report_file_remove(reports, report->file_id);
	log_info("report", "%s of account %s: made anew, as %s", report->id, report->account, why);
	report_scheduler_wake(reports);
	return 0;
}

static int put_params(struct reports *reports, struct report *report, struct erase *erase, struct error *err)
{
	return change_params(erase, report, err) == 0 ? table_write(reports->meta, report, err) : -1;
}

static int erase_ended(struct reports *reports, struct report *report, struct erase *erase, bool old_file,
                       struct report_search *search, int64_t deadline_us, enum reports_erased *done, struct error *err)
{
	bool asks = asks_for_it(erase, report), named = params_have_it(erase, report), holds = false;

	if (old_file && asks) {
		holds = true;
	} else if (old_file && !search->reader && hides_numbers(report)) {
		holds = true;
	} else if (old_file) {
		int known = search_file(reports, report, erase, search, deadline_us, &holds, err);

		if (known == 0)
			*done = REPORTS_SEARCHING;
		if (known <= 0)
			return known;
	}
	if (!named && !holds)
		return 0;
	if (erase_demand_catalog(erase, err) != 0 || (named && put_params(reports, report, erase, err) != 0))
		return -1;
	if (*done == REPORTS_NOTHING)
		*done = !holds ? REPORTS_PARAMS : asks ? REPORTS_FILE_GONE : REPORTS_MADE_ANEW;
	if (!holds)
		return 0;
	return asks ? drop_file(reports, report, err) :
	              report_make_anew(reports, report, "a person's number was erased from the records", err);
}

static int erase_one(struct reports *reports, const char *id, struct erase *erase, uint64_t snapshot,
                     struct report_search *search, int64_t deadline_us, enum reports_erased *done, struct error *err)
{
	struct report report;
	int found = table_get(reports->meta, str_from(id), &report, err);
	int result = 0;

	*done = REPORTS_NOTHING;
	if (found <= 0)
		return found;
	struct report_job *job = report_queue_find(reports, report.creator, str_from(id));

	if (job && params_have_it(erase, &report)) {
		*done = REPORTS_CANCELLED;
		result = report_job_cancel(reports, job, "Cancelled, as the number that it asks for was erased", err);
		report_free(&report);
		if (result != 0 || table_get(reports->meta, str_from(id), &report, err) <= 0)
			return result;
		job = NULL;
	}
	if (job && report.snapshot <= snapshot &&
	    (job->is_begun || (job->work && (job->work->maker || job->work->away)))) {
		*done = REPORTS_BEGUN_AGAIN;
		result = report_job_begin_again(reports, job, err);
	} else if (!job) {
		result = erase_ended(reports, &report, erase, report.has_file && report.snapshot <= snapshot, search,
		                     deadline_us, done, err);
	}
	report_free(&report);
	return result;
}

int reports_erase(struct reports *reports, const char *id, struct erase *erase, uint64_t snapshot,
                  struct report_search *search, int64_t deadline_us, enum reports_erased *done, struct error *err)
{
	int result = erase_one(reports, id, erase, snapshot, search, deadline_us, done, err);

	/* It, or its file, may have been removed during the search. */
	if (result != 0 || *done != REPORTS_SEARCHING)
		report_search_end(search);
	return result;
}
