/* SPDX-License-Identifier: ISC */
/*
 * charge.c: prices, and who is charged for what. See billing.h.
 */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "billing/billing_private.h"

bool billing_is_free(const struct catalog_product *product)
{
	return product->own;
}

void billing_quote(struct billing *billing, const struct account *account, uint64_t items, int64_t received_us,
                   struct billing_price *price)
{
	struct tenant *tenant = tenant_get(billing, account);
	const struct plan *plan = tenant ? tenant->plan : &billing->plans->list[billing->plans->fallback];
	uint64_t volume = tenant ? tenant_volume(tenant, received_us) : 0;

	memcpy(price->currency, plan->currency, sizeof(price->currency));
	price->items = items;
	price->volume = volume + items;
	plan_price(plan, volume, items, &price->unit, &price->total);
}

void billing_quote_nothing(struct billing *billing, const struct account *account, int64_t received_us,
                           struct billing_price *price)
{
	billing_quote(billing, account, 0, received_us, price);
}

static void count_request(struct billing *billing, const struct billing_price *price)
{
	billing->stats.requests++;
	billing->stats.items += price->items;
}

static void count_charge(struct billing *billing, const struct account *account, const struct billing_price *price)
{
	heavy_hitters_begin_day(&billing->accounts, clock_now_us());
	heavy_hitters_add(&billing->accounts, str_from(account->id), price->currency, price->total.units);
}

void billing_charge(struct billing *billing, const struct account *account, const struct billing_usage *usage,
                    const struct billing_price *price)
{
	struct tenant *tenant = tenant_find(billing, account->id);
	struct error err;

	count_request(billing, price);
	if (!billing->config->usage_records)
		return;
	if (usage_enqueue(billing, account, usage, price, &err) != 0) {
		billing->stats.lost++;
		log_error("billing", "%s", err.message);
		return;
	}
	count_charge(billing, account, price);
	if (tenant)
		tenant_add_volume(billing, tenant, price->items);
}

/* --- once --- */

void billing_page_id(const struct account *account, const struct cursor *cursor, char id[ID_UUID_LEN + 1])
{
	static const char digits[] = "0123456789abcdef";
	const uint64_t *position = cursor->position.words;
	/* The position's second word comes last and only if it is not zero, so that ids of pages charged earlier do not
	 * change. */
	uint64_t words[] = {
		cursor->fingerprint,
		(uint64_t)cursor->from_us,
		(uint64_t)cursor->to_us,
		cursor->snapshot,
		(uint64_t)cursor->began_us,
		position[0],
		position[2],
		position[3],
		cursor->limit,
		position[1],
	};
	size_t bytes_count = sizeof(words) - (position[1] == 0 ? sizeof(words[0]) : 0);
	uint64_t seed = id_hash64(account->id, strlen(account->id), 0);
	uint64_t hashes[2] = { id_hash64(words, bytes_count, seed), id_hash64(words, bytes_count, ~seed) };
	uint8_t bytes[16];

	memcpy(bytes, hashes, sizeof(bytes));
	bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x80); /* RFC 9562: version 8, a custom form */
	bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*id++ = '-';
		*id++ = digits[bytes[i] >> 4];
		*id++ = digits[bytes[i] & 15];
	}
	*id = '\0';
}

bool billing_charge_waits(const struct billing *billing, const struct account *account, const char *id)
{
	return usage_waits(billing, account, id);
}

struct scan *billing_find_charge(struct billing *billing, const struct account *account, const char *id,
                                 int64_t begun_us, const struct scan_sink *sink, struct error *err)
{
	const struct scan_find find = {
		.product = billing->product,
		.account = &account->key,
		.id = str_from(id),
		.columns = UINT64_C(1) << billing->columns[USAGE_ID],
		.first_day = clock_day_of(begun_us),
		.max = 1,
	};

	return scan_start_find(billing->store, &find, sink, err);
}

static bool take_charge(void *arg, const struct scan_row *row)
{
	(void)row;
	*(bool *)arg = true;
	return false;
}

int billing_is_charged(struct billing *billing, const struct account *account, const char *id, int64_t begun_us,
                       struct error *err)
{
	bool found = false;
	const struct scan_sink sink = { .on_record = take_charge, .arg = &found };
	enum scan_end end;

	if (billing_charge_waits(billing, account, id))
		return 1;
	struct scan *scan = billing_find_charge(billing, account, id, begun_us, &sink, err);
	int result = scan ? scan_step(scan, INT64_MAX, &end, err) : -1;

	scan_cancel(scan);
	if (result == 0 && end == SCAN_WAITS)
		result = error_set(err, ERROR_IO, "account %s: the store cannot tell at once what was charged",
		                   account->id);
	return result < 0 ? -1 : found;
}

/* --- reports --- */

static int charge_report(struct billing *billing, const struct account *account, const struct report *report,
                         struct error *err)
{
	struct billing_usage usage = {
		.id = report->id,
		.owner = report->account,
		.product = query_params_get(&report->params, "product"),
		.job_type = BILLING_REPORT,
		.status = report_state_name(report->state),
		.received_us = report->received_us,
		.started_us = report->started_us,
		.finished_us = report->ended_us,
		.params = &report->params,
	};
	struct tenant *tenant = tenant_get(billing, account);
	struct billing_price price;

	if (!tenant)
		return error_set(err, ERROR_NOMEM, "account %s: out of memory", account->id);
	billing_quote(billing, account, report->rows, report->received_us, &price);
	tenant_add_volume(billing, tenant, price.items);
	if (usage_put(billing, account, &usage, &price, err) == 0) {
		count_request(billing, &price);
		count_charge(billing, account, &price);
		return 0;
	}
	tenant->volumes[0].records -= price.items;
	return -1;
}

int billing_charge_report(void *arg, const struct report *report, struct error *err)
{
	struct billing *billing = arg;
	const struct catalog_product *product = catalog_product_find(query_params_get(&report->params, "product"));
	struct account account;
	int charged;

	if (!billing->config->usage_records || !report->has_file || (product && billing_is_free(product)))
		return 0;
	if (accounts_get(billing->meta, str_from(report->creator), &account, err) != 0)
		return -1;
	charged = billing_is_charged(billing, &account, report->id, report->received_us, err);
	if (charged != 0)
		return charged > 0 ? 0 : -1;
	return charge_report(billing, &account, report, err);
}
