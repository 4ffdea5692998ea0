/* SPDX-License-Identifier: ISC */
/*
 * callback_note.c: the outcome of a job's callback, kept in the job's row for its status. See table.h.
 */
#include "base/log.h"
#include "callback/callback.h"
#include "report/report_private.h"
#include "report/table.h"

static void take(struct report_callback *note, const struct callback_info *info)
{
	note->attempts = info->attempts;
	note->delivered = info->state == CALLBACK_DELIVERED;
	note->next_us = info->state == CALLBACK_WAITING || info->state == CALLBACK_SENDING ? info->next_us : 0;
	if (info->last_us) {
		note->last_us = info->last_us;
		note->status = info->last_status;
	}
	buf_clear(&note->error);
	buf_add_str(&note->error, info->last_error);
}

/* Leaves the report's id; false if it is not a delivery's. */
static bool cut_prefix(struct str *id)
{
	if (id->len != DELIVERY_PREFIX_LEN + ID_UUID_LEN || memcmp(id->p, DELIVERY_PREFIX, DELIVERY_PREFIX_LEN) != 0)
		return false;
	*id = (struct str){ id->p + DELIVERY_PREFIX_LEN, ID_UUID_LEN };
	return true;
}

/* It is called within a transaction, so what is to be changed waits for the next tick. */
int report_find_delivered(void *arg, struct str id, struct buf *sha256, struct error *err)
{
	struct reports *reports = arg;
	struct report report;
	int found = cut_prefix(&id) ? table_get(reports->meta, id, &report, err) : 0;

	if (found <= 0)
		return found < 0 ? -1 : error_set(err, ERROR_NOT_FOUND, "its report has gone");
	int result = 0;
	if (!report.has_file) {
		result = error_set(err, ERROR_CONFLICT, "its report has no file%s",
		                   report_state_ended(report.state) ? "" : " at the moment: it is made anew");
	} else if (report_file_is_lost(reports, &report)) {
		report_note_lost(reports, &report);
		result = error_set(err, ERROR_CONFLICT,
		                   "its report's file was on a front end that is gone: it is made anew");
	}
	buf_add_text(sha256, report.sha256);
	report_free(&report);
	return result == 0 && sha256->failed ? error_set(err, ERROR_NOMEM, "out of memory") : result;
}

int table_note_callback(struct change *change, const struct callback_info *info, struct error *err)
{
	struct report report;
	struct str row;
	struct str id = info->id;
	bool is_delivery = cut_prefix(&id);
	int found = change_get(change, META_DB_REPORTS, id, &row, err);

	if (found <= 0)
		return found;
	if (report_row_read(&report, id, row, err) != 0) {
		if (err->code == ERROR_NOMEM)
			return -1;
		log_error("report", "%s", err->message); /* it must not keep outcomes from being saved */
		return 0;
	}
	struct report_callback *note = is_delivery ? &report.delivery : &report.callback;
	take(note, info);
	int result = note->error.failed ? error_set(err, ERROR_NOMEM, "report %s: out of memory", report.id) :
	                                  table_put(change, &report, err);
	report_free(&report);
	return result;
}
