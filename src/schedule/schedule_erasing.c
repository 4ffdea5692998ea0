/* SPDX-License-Identifier: ISC */
/*
 * schedule_erasing.c: removes schedules that ask for a person's number when it is erased.
 */
#include <string.h>

#include "schedule/schedule_private.h"
#include "schedule/schedule_table.h"
#include "store/erase.h"

struct finding {
	struct str accounts;
	const struct erase *erase;
	struct buf ids; /* ID_UUID_LEN bytes each */
};

static bool has_account(struct str accounts, struct str account)
{
	for (size_t at = 0; at < accounts.len; at += strlen(accounts.p + at) + 1)
		if (str_is(account, accounts.p + at))
			return true;
	return false;
}

static bool find_one(void *arg, const struct schedule *schedule)
{
	struct finding *finding = arg;
	bool is_theirs = has_account(finding->accounts, str_from(schedule->account)) ||
	                 has_account(finding->accounts, query_params_get(&schedule->params, "account_id"));

	for (size_t i = 0; i < schedule->params.count && is_theirs; i++) {
		if (!erase_is_in(finding->erase, schedule->params.list[i].value))
			continue;
		buf_add(&finding->ids, schedule->id, ID_UUID_LEN);
		break;
	}
	return true;
}

int schedules_erase(struct schedules *schedules, struct str accounts, struct erase *erase, uint64_t *count,
                    struct error *err)
{
	struct finding finding = { .accounts = accounts, .erase = erase };
	int result = schedules_each(schedules, NULL, find_one, &finding, err);

	if (result == 0 && finding.ids.failed)
		result = error_set(err, ERROR_NOMEM, "schedules to erase: out of memory");
	*count = finding.ids.len / ID_UUID_LEN;
	if (result == 0 && *count > 0)
		result = erase_demand_catalog(erase, err);
	for (size_t at = 0; at < finding.ids.len && result == 0; at += ID_UUID_LEN)
		result = schedules_remove(schedules, (struct str){ finding.ids.data + at, ID_UUID_LEN }, err);
	buf_free(&finding.ids);
	return result;
}
