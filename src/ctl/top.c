/* SPDX-License-Identifier: ISC */
/*
 * top.c: `cdrctl top`. It asks for an overview each second; see top.h for the parts.
 */
#include "ctl/top.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"

#define ACCOUNTS_ASKED "1000"
#define ID_COLUMNS_LEAST 12
#define ONCE_DEFAULT 20
#define ONCE_MAX 1000

/* --- an overview --- */

static void note_cpu(struct top *top)
{
	uint64_t cpu_ms = tree_uint(tree_get(top->overview, "cpu_ms"));
	uint64_t uptime_ms = tree_uint(tree_get(top->overview, "uptime_seconds")) * 1000;
	int64_t now_us = clock_monotonic_us();
	/* A daemon that was started meanwhile begins at nothing. */
	bool known = top->asked_us > 0 && cpu_ms >= top->cpu_ms && now_us > top->asked_us;
	double used_ms = (double)(known ? cpu_ms - top->cpu_ms : cpu_ms);
	double passed_ms = known ? (double)(now_us - top->asked_us) / 1000 : (double)uptime_ms;

	top->cpu_percent = passed_ms > 0 ? 100 * used_ms / passed_ms : 0;
	top->cpu_ms = cpu_ms;
	top->asked_us = now_us;
}

static int take_overview(void *arg, const struct ctl *ctl, struct str result, struct error *err)
{
	struct top *top = arg;
	struct tree *fresh = tree_parse(result, err);

	(void)ctl;
	if (!fresh)
		return -1;
	tree_free(top->overview);
	top->overview = fresh;
	note_cpu(top);
	return top_arrange(top, err);
}

int top_fetch(struct top *top, struct error *err)
{
	const struct command_spec *spec = command_spec_find("overview");
	struct args_synopsis synopsis;
	struct args args = { .synopsis = &synopsis };
	struct ctl ctl = { top->ctl->socket, true, spec, &args };
	int result = args_synopsis_parse(&synopsis, spec->arguments, err);

	if (result == 0)
		result = args_add(&args, args_find_option(&synopsis, STR_LITERAL("--accounts")), ACCOUNTS_ASKED, err);
	if (result == 0)
		result = ctl_run(&ctl, take_overview, top, err);
	args_free(&args);
	return result;
}

/* --- the table of accounts --- */

static void copy(char *to, size_t size, const struct tree *text)
{
	const char *from = tree_text(text);

	strncpy(to, from ? from : "", size - 1);
	to[size - 1] = '\0';
}

/* An account that was charged in two currencies has two rows. */
static struct top_account *row_of(struct top *top, const char *id)
{
	for (size_t i = 0; i < top->count; i++)
		if (strcmp(top->accounts[i].id, id) == 0 && !top->accounts[i].currency[0])
			return &top->accounts[i];
	return &top->accounts[top->count++];
}

static void add_records(struct top *top, const struct tree *from)
{
	struct top_account *account = &top->accounts[top->count++];

	copy(account->id, sizeof(account->id), tree_get(from, "account"));
	account->records = tree_uint(tree_get(from, "records"));
}

static void add_charges(struct top *top, const struct tree *from)
{
	const char *id = tree_text(tree_get(from, "account"));
	const char *charged = tree_text(tree_get(from, "charged"));
	struct top_account *account = row_of(top, id ? id : "");

	copy(account->id, sizeof(account->id), tree_get(from, "account"));
	copy(account->currency, sizeof(account->currency), tree_get(from, "currency"));
	account->requests = tree_uint(tree_get(from, "requests"));
	(void)decimal_parse_sum(str_from(charged ? charged : "0"), &account->charged);
}

static void filter(struct top *top)
{
	size_t kept = 0;

	top->id_columns = ID_COLUMNS_LEAST;
	for (size_t i = 0; i < top->count; i++) {
		int columns = (int)strlen(top->accounts[i].id);

		if (!strcasestr(top->accounts[i].id, top->filter))
			continue;
		top->id_columns = columns > top->id_columns ? columns : top->id_columns;
		top->accounts[kept++] = top->accounts[i];
	}
	top->count = kept;
}

static int compare(const void *a, const void *b, void *arg)
{
	const struct top *top = arg;
	const struct top_account *x = a, *y = b;
	int result = top_columns[top->column].compare(x, y);

	if (result == 0)
		return strcmp(x->id, y->id);
	return top->reversed ? -result : result;
}

int top_arrange(struct top *top, struct error *err)
{
	const struct tree *records = tree_get(tree_get(top->overview, "records_today"), "accounts");
	const struct tree *charges = tree_get(tree_get(top->overview, "charges_today"), "accounts");
	size_t most = (records ? records->count : 0) + (charges ? charges->count : 0);
	struct top_account *accounts = calloc(most + 1, sizeof(*accounts));

	if (!accounts)
		return error_set(err, ERROR_NOMEM, "Out of memory for %zu accounts", most);
	free(top->accounts);
	top->accounts = accounts;
	top->count = 0;
	TREE_EACH(account, tree_array(records))
	add_records(top, account);
	TREE_EACH(account, tree_array(charges))
	add_charges(top, account);
	filter(top);
	qsort_r(top->accounts, top->count, sizeof(top->accounts[0]), compare, top);
	return 0;
}

/* --- the command --- */

static void print_line(struct buf *line)
{
	while (line->len > 0 && line->data[line->len - 1] == ' ')
		line->len--;
	printf("%.*s\n", STR_ARGS(buf_str(line)));
	buf_clear(line);
}

static void print_once(const struct top *top, size_t limit)
{
	struct buf line = { 0 };

	for (size_t i = 0; i < top_facts_count(top); i++) {
		top_write_fact(&line, top, i);
		print_line(&line);
	}
	print_line(&line);
	top_write_header(&line, top);
	print_line(&line);
	for (size_t i = 0; i < top->count && i < limit; i++) {
		top_write_account(&line, top, &top->accounts[i]);
		print_line(&line);
	}
	buf_free(&line);
}

static int read_column(struct top *top, const char *name, struct error *err)
{
	for (size_t i = 0; name && i < top_columns_count; i++)
		if (strcmp(top_columns[i].name, name) == 0)
			top->column = i;
	if (name && strcmp(top_columns[top->column].name, name) != 0)
		return error_set(err, ERROR_INVALID, "--sort %.40s: must be account, records, charged or requests",
		                 name);
	return 0;
}

static int read_filter(struct top *top, const char *text, struct error *err)
{
	if (text && strlen(text) > TOP_ID_MAX)
		return error_set(err, ERROR_INVALID, "--filter: %zu bytes, at most %d allowed", strlen(text),
		                 TOP_ID_MAX);
	str_copy(top->filter, sizeof(top->filter), text ? text : "");
	return 0;
}

static int run(struct top *top, struct error *err)
{
	const struct args *args = top->ctl->args;
	uint64_t limit = ONCE_DEFAULT;

	top->column = 1; /* records */
	if (args_get_number(args, "limit", 0, ONCE_MAX, &limit, err) != 0 ||
	    read_column(top, args_get(args, "sort"), err) != 0 || read_filter(top, args_get(args, "filter"), err) != 0)
		return -1;
	if (args_count(args, "once") == 0 && !isatty(STDOUT_FILENO))
		return error_set(err, ERROR_INVALID, "top: this is no terminal; --once writes what it shows as text");
	/* What is wrong at the beginning is told before the screen is taken. */
	if (top_fetch(top, err) != 0)
		return -1;
	if (args_count(args, "once") == 0)
		return top_screen(top, err);
	print_once(top, (size_t)limit);
	return 0;
}

int ctl_top(const struct ctl *ctl, struct error *err)
{
	struct top top = { .ctl = ctl };
	int result = run(&top, err);

	tree_free(top.overview);
	free(top.accounts);
	return result;
}
