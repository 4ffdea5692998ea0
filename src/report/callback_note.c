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

int table_note_callback(struct change *change, const struct callback_info *info, struct error *err)
{
	struct report report;
	struct str row;
	bool is_delivery = info->id.len == DELIVERY_PREFIX_LEN + ID_UUID_LEN &&
	                   memcmp(info->id.p, DELIVERY_PREFIX, DELIVERY_PREFIX_LEN) == 0;
	struct str id = info->id;

	if (is_delivery)
		id = (struct str){ id.p + DELIVERY_PREFIX_LEN, ID_UUID_LEN };
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
