/* SPDX-License-Identifier: ISC */
/*
 * top_lines.c: an overview and its accounts as lines of text. See top.h.
 */
#include <stdlib.h>
#include <string.h>

#include "ctl/text.h"
#include "ctl/top.h"

#define LABEL_COLUMNS 12
#define BAR_COLUMNS 20
#define BACKUP_OLD_S (2 * UINT64_C(86400)) /* the unit's timer makes one every night */

/* --- values of the overview --- */

static const struct tree *member(const struct top *top, const char *section, const char *name)
{
	return tree_get(section ? tree_get(top->overview, section) : top->overview, name);
}

static uint64_t number(const struct top *top, const char *section, const char *name)
{
	return tree_uint(member(top, section, name));
}

static double fraction(const struct top *top, const char *section, const char *name)
{
	const struct tree *value = member(top, section, name);

	return tree_is(value, TREE_NUMBER) ? strtod(value->text, NULL) : 0;
}

static bool is_true(const struct top *top, const char *section, const char *name)
{
	return tree_is(member(top, section, name), TREE_TRUE);
}

/* Adds the value as it is shown elsewhere, with its unit. */
static void add(struct buf *out, const struct top *top, const char *section, const char *name)
{
	(void)text_add_value(out, name, member(top, section, name));
}

static void add_count(struct buf *out, const struct top *top, const char *section, const char *name, const char *what)
{
	text_add_count(out, number(top, section, name));
	buf_addf(out, " %s", what);
}

static void add_rate(struct buf *out, const struct top *top, const char *name)
{
	buf_addf(out, "%.1f", fraction(top, "rates", name));
}

/* --- the facts --- */

static void write_process(struct buf *out, const struct top *top)
{
	add(out, top, NULL, "version");
	buf_add_text(out, ", up ");
	add(out, top, NULL, "uptime_seconds");
	buf_addf(out, ", cpu %.0f%%, memory ", top->cpu_percent);
	add(out, top, NULL, "memory_bytes");
	buf_add_text(out, ", ");
	add(out, top, NULL, "data_dir");
}

static void write_requests(struct buf *out, const struct top *top)
{
	add_rate(out, top, "requests");
	buf_add_text(out, "/s: pages ");
	add_rate(out, top, "pages");
	buf_add_text(out, ", ids ");
	add_rate(out, top, "ids");
	buf_add_text(out, ", changes ");
	add_rate(out, top, "changes");
	buf_add_text(out, ", summaries ");
	add_rate(out, top, "summaries");
	buf_add_text(out, "; ");
	add_count(out, top, "loop", "connections", "open");
}

static void write_records(struct buf *out, const struct top *top)
{
	add_rate(out, top, "records");
	buf_add_text(out, "/s, ");
	text_add_bytes(out, fraction(top, "rates", "ingest_bytes"));
	buf_add_text(out, "/s; rejected ");
	add_rate(out, top, "rejected");
	buf_add_text(out, "/s");
}

static void write_loop(struct buf *out, const struct top *top)
{
	buf_add_text(out, "late by ");
	add(out, top, "loop", "lag_median_us");
	buf_add_text(out, " (median), ");
	add(out, top, "loop", "lag_99th_us");
	buf_add_text(out, " (99%), at most ");
	add(out, top, "loop", "lag_longest_lately_us");
	buf_add_text(out, " lately");
}

static void write_disk(struct buf *out, const struct top *top)
{
	double size = fraction(top, "disk", "size_bytes");
	double used = size > 0 ? 1 - fraction(top, "disk", "free_bytes") / size : 0;
	const char *low_at = tree_text(member(top, "disk", "low_at"));

	buf_add_char(out, '[');
	for (int i = 0; i < BAR_COLUMNS; i++)
		buf_add_char(out, i < (int)(used * BAR_COLUMNS + 0.5) ? '|' : ' ');
	buf_addf(out, "] %.0f%% of ", 100 * used);
	add(out, top, "disk", "size_bytes");
	buf_add_text(out, ", free ");
	add(out, top, "disk", "free_bytes");
	if (is_true(top, "disk", "low"))
		buf_add_text(out, ", too little: ingest is refused");
	else if (low_at)
		buf_addf(out, ", low %.10s", low_at);
}

static bool disk_alarms(const struct top *top)
{
	return is_true(top, "disk", "low");
}

static void write_sealing(struct buf *out, const struct top *top)
{
	add_count(out, top, "store", "hot_rows", "rows to seal, ");
	add_rate(out, top, "sealed_rows");
	buf_add_text(out, "/s; ");
	add_count(out, top, "store", "days", "days, ");
	add_count(out, top, "store", "days_open", "open");
	if (is_true(top, "store", "sealing_lags"))
		buf_add_text(out, "; it lags");
}

static bool sealing_alarms(const struct top *top)
{
	return is_true(top, "store", "sealing_lags");
}

static void write_reports(struct buf *out, const struct top *top)
{
	add_count(out, top, "reports", "pending", "pending, ");
	add_count(out, top, "reports", "processing", "processing, ");
	add_rate(out, top, "report_rows");
	buf_add_text(out, " rows/s");
}

static void write_callbacks(struct buf *out, const struct top *top)
{
	const char *held = tree_text(member(top, "callbacks", "held"));

	add_count(out, top, "callbacks", "waiting", "waiting, ");
	add_count(out, top, "callbacks", "sending", "sending, ");
	add_count(out, top, "callbacks", "failed", "failed");
	if (held && strcmp(held, "no") != 0)
		buf_addf(out, "; held: %s", held);
}

static bool callbacks_alarm(const struct top *top)
{
	return number(top, "callbacks", "failed") > 0;
}

static void write_quarantine(struct buf *out, const struct top *top)
{
	add_count(out, top, "quarantine", "records", "rejected records");
	if (number(top, "quarantine", "records") == 0)
		return;
	buf_add_text(out, ", the oldest for ");
	add(out, top, "quarantine", "oldest_age_seconds");
}

static bool quarantine_alarms(const struct top *top)
{
	return number(top, "quarantine", "records") > 0;
}

static void write_backup(struct buf *out, const struct top *top)
{
	if (!tree_text(member(top, "backup", "last"))) {
		buf_add_text(out, "none known of");
		return;
	}
	add(out, top, "backup", "age_seconds");
	buf_add_text(out, " ago");
}

static bool backup_alarms(const struct top *top)
{
	return number(top, "backup", "age_seconds") > BACKUP_OLD_S;
}

static void write_faults(struct buf *out, const struct top *top)
{
	const char *catalog = tree_text(member(top, "store", "catalog"));
	const char *failure = tree_text(member(top, "store", "last_failure"));

	if (catalog)
		buf_addf(out, "the catalog %s; ", catalog);
	if (number(top, "store", "days_broken") > 0)
		add_count(out, top, "store", "days_broken", "days cannot be read; ");
	if (failure) {
		add_count(out, top, "store", "commits_failed", "commits failed: ");
		(void)text_add(out, failure);
	}
}

static bool has_faults(const struct top *top)
{
	return member(top, "store", "catalog") || member(top, "store", "days_broken") ||
	       member(top, "store", "commits_failed");
}

static const struct {
	const char *label;
	void (*write)(struct buf *out, const struct top *top);
	bool (*alarms)(const struct top *top);
	bool only_alarms;
} facts[] = {
	{ "cdrd", write_process, NULL, false },
	{ "Requests", write_requests, NULL, false },
	{ "Records", write_records, NULL, false },
	{ "Loop", write_loop, NULL, false },
	{ "Disk", write_disk, disk_alarms, false },
	{ "Sealing", write_sealing, sealing_alarms, false },
	{ "Reports", write_reports, NULL, false },
	{ "Callbacks", write_callbacks, callbacks_alarm, false },
	{ "Quarantine", write_quarantine, quarantine_alarms, false },
	{ "Backup", write_backup, backup_alarms, false },
	{ "Faults", write_faults, has_faults, true }, /* the last */
};

size_t top_facts_count(const struct top *top)
{
	size_t count = sizeof(facts) / sizeof(facts[0]);

	return has_faults(top) ? count : count - 1;
}

void top_write_fact(struct buf *out, const struct top *top, size_t index)
{
	bool alarm = facts[index].alarms && facts[index].alarms(top);

	buf_addf(out, "%c %-*s", alarm ? '!' : ' ', LABEL_COLUMNS, facts[index].label);
	facts[index].write(out, top);
}

/* --- the accounts --- */

static void write_id(struct buf *out, const struct top_account *account)
{
	(void)text_add(out, account->id);
}

static void write_account_records(struct buf *out, const struct top_account *account)
{
	text_add_count(out, account->records);
}

static void write_charged(struct buf *out, const struct top_account *account)
{
	if (!account->currency[0])
		return;
	decimal_format(out, account->charged);
	buf_addf(out, " %s", account->currency);
}

static void write_account_requests(struct buf *out, const struct top_account *account)
{
	text_add_count(out, account->requests);
}

static int compare_ids(const struct top_account *a, const struct top_account *b)
{
	return strcmp(a->id, b->id);
}

static int compare_numbers(uint64_t a, uint64_t b)
{
	return a > b ? -1 : a < b;
}

static int compare_records(const struct top_account *a, const struct top_account *b)
{
	return compare_numbers(a->records, b->records);
}

static int compare_requests(const struct top_account *a, const struct top_account *b)
{
	return compare_numbers(a->requests, b->requests);
}

static int compare_charged(const struct top_account *a, const struct top_account *b)
{
	return a->charged.units > b->charged.units ? -1 : a->charged.units < b->charged.units;
}

const struct top_column top_columns[] = {
	{ "account", 'a', 0, write_id, compare_ids },
	{ "records", 'r', 14, write_account_records, compare_records },
	{ "charged", 'c', 24, write_charged, compare_charged },
	{ "requests", 'n', 12, write_account_requests, compare_requests },
};
const size_t top_columns_count = sizeof(top_columns) / sizeof(top_columns[0]);

static void add_id_cell(struct buf *out, const struct top *top, struct str id)
{
	int max = top->id_columns_max;
	int columns = max > 0 && top->id_columns > max ? max : top->id_columns;
	bool fits = (int)id.len <= columns;

	if (!fits)
		id.len = (size_t)columns - 1;
	buf_addf(out, "%.*s%s%*s", STR_ARGS(id), fits ? "" : "+", fits ? columns - (int)id.len + 1 : 1, "");
}

/* The column of ids is as wide as the longest of them. Ids are ASCII, so a byte is a column. */
static void add_cell(struct buf *out, const struct top *top, size_t column, struct str text)
{
	int width = top_columns[column].width;

	if (width == 0)
		add_id_cell(out, top, text);
	else
		buf_addf(out, "%*.*s ", width, STR_ARGS(text));
}

void top_write_header(struct buf *out, const struct top *top)
{
	buf_add_text(out, "  ");
	for (size_t i = 0; i < top_columns_count; i++) {
		char name[16] = "";

		strncpy(name, top_columns[i].name, sizeof(name) - 1);
		for (char *c = name; *c && i == top->column; c++)
			*c = (char)(*c - 'a' + 'A');
		add_cell(out, top, i, str_from(name));
	}
}

void top_write_account(struct buf *out, const struct top *top, const struct top_account *account)
{
	struct buf cell = { 0 };

	buf_add_text(out, "  ");
	for (size_t i = 0; i < top_columns_count; i++) {
		buf_clear(&cell);
		top_columns[i].write(&cell, account);
		add_cell(out, top, i, buf_str(&cell));
	}
	buf_free(&cell);
}
