/*
 * erasing.c: a person's number out of reports. See reports_erase in report.h.
 *
 * Files are not searched: any of them may hold the number, also under a record that has another one by now.
 */
#include <string.h>

#include "base/log.h"
#include "report/report_private.h"
#include "report/table.h"
#include "store/erase.h"

static bool has_account(struct str accounts, const char *account)
{
	for (size_t at = 0; at + SCAN_ACCOUNT_LEN <= accounts.len; at += SCAN_ACCOUNT_LEN)
		if (memcmp(accounts.p + at, account, SCAN_ACCOUNT_LEN) == 0)
			return true;
	return false;
}

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

/* --- which --- */

struct finding {
	struct reports *reports;
	const struct erase *erase;
	struct str accounts;
	struct buf *ids;
	struct buf members;
	struct error *err;
	bool failed;
};

/* Does it read one of the accounts? */
static bool reads_them(struct finding *finding, const struct report *report)
{
	bool subaccounts = str_is(query_params_get(&report->params, "include_subaccounts"), "true");

	if (has_account(finding->accounts, report->account) || has_account(finding->accounts, report->creator))
		return true;
	if (!subaccounts)
		return false;
	buf_clear(&finding->members);
	if (report_find_accounts(finding->reports->store, report->account, true, &finding->members, finding->err) < 0) {
		finding->failed = true;
		return false;
	}
	for (size_t at = 0; at + SCAN_ACCOUNT_LEN <= finding->members.len; at += SCAN_ACCOUNT_LEN)
		if (has_account(finding->accounts, finding->members.data + at))
			return true;
	return false;
}

static bool find_one(void *arg, const struct report *report)
{
	struct finding *finding = arg;
	struct query_plan plan;
	bool wanted = reads_them(finding, report);

	/* what this build cannot read may hold it */
	if (wanted && report_make_plan(report, &plan))
		wanted = shows_persons(plan.product);
	if (wanted || (reads_them(finding, report) && params_have_it(finding->erase, report)))
		buf_add(finding->ids, report->id, sizeof(report->id));
	return !finding->failed;
}

int reports_find_to_erase(struct reports *reports, const struct erase *erase, struct str accounts, struct buf *ids,
                          struct error *err)
{
	struct finding finding = { .reports = reports, .erase = erase, .accounts = accounts, .ids = ids, .err = err };
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

static void tell_that_it_is_gone(struct report *report)
{
	buf_clear(&report->reason);
	buf_add_text(&report->reason, "The file was removed, as a person's number was erased from the records; "
	                              "a new report has the records as they are now");
}

static int erase_ended(struct reports *reports, struct report *report, struct erase *erase, bool file_goes,
                       enum reports_erased *done, struct error *err)
{
	int64_t was_us = report_due_us(reports, report);
	bool had_params = params_have_it(erase, report);
	struct change change;
	int result;

	if (!file_goes && !had_params)
		return 0;
	if (erase_demand_catalog(erase, err) != 0 || (had_params && change_params(erase, report, err) != 0))
		return -1;
	if (file_goes) {
		report->has_file = false;
		tell_that_it_is_gone(report);
	}
	if (change_begin(&change, reports->store, err) != 0)
		return -1;
	result = file_goes ? table_drop_file(&change, report, was_us, report_due_us(reports, report), err) :
	                     table_put(&change, report, err);
	if (change_end(&change, result, err) != 0)
		return -1;
	if (file_goes)
		report_file_remove(reports, report->file_id);
	if (*done == REPORTS_NOTHING)
		*done = file_goes ? REPORTS_FILE_GONE : REPORTS_PARAMS;
	log_info("report", "%s of account %s: %s", report->id, report->account,
	         file_goes ? "its file is removed, as a number was erased" : "a number was erased from its parameters");
	return 0;
}

int reports_erase(struct reports *reports, const char *id, struct erase *erase, int64_t erased_us,
                  enum reports_erased *done, struct error *err)
{
	struct report report;
	int found = table_get(reports->store, str_from(id), &report, err);
	int result = 0;

	*done = REPORTS_NOTHING;
	if (found <= 0)
		return found;
	struct report_job *job = report_queue_find(reports, report.creator, str_from(id));

	if (job && params_have_it(erase, &report)) {
		*done = REPORTS_CANCELLED;
		result = report_job_cancel(reports, job, "Cancelled, as the number that it asks for was erased", err);
		report_free(&report);
		if (result != 0 || table_get(reports->store, str_from(id), &report, err) <= 0)
			return result;
		job = NULL;
	}
	if (job && job->work && job->work->maker && report.started_us < erased_us) {
		*done = REPORTS_BEGUN_AGAIN;
		result = report_job_begin_again(reports, job, err);
	} else if (!job) {
		result = erase_ended(reports, &report, erase, report.has_file && report.started_us < erased_us, done, err);
	}
	report_free(&report);
	return result;
}
