/* SPDX-License-Identifier: ISC */
/*
 * account_import.c: see account_import.h.
 *
 * Texts are kept in one buffer and rows as they will be stored in another; an entry of the index has the offsets of
 * both. The index is sorted by id: then equal ids are neighbours, a parent is found by halving, and the transaction
 * fills pages from left to right.
 */
#include "meta/account_import.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "meta/account_row.h"
#include "meta/accounts.h"

struct entry {
	uint32_t line;
	struct account_key key, parent_key; /* set before rows are written */
	char id[ACCOUNT_ID_MAX + 1];
	char parent[ACCOUNT_ID_MAX + 1]; /* "" for a primary account */
	size_t texts_at;                 /* of name, plan, secret and its hash, each with a NUL */
	size_t row_at, row_len;
};

enum phase { PHASE_SORT, PHASE_CHECK, PHASE_WRITE, PHASE_ADD };

struct account_import {
	struct meta *meta;
	account_import_plan_fn has_plan;
	void *arg; /* of has_plan */
	struct entry *entries;
	size_t count, cap;
	size_t secrets;
	struct buf texts, rows;
	enum phase phase;
	size_t at;           /* the next entry in this phase */
	uint64_t generation; /* of the accounts that the entries were checked against */
	struct account_fault faults[ACCOUNT_IMPORT_FAULTS];
	size_t faults_count;
	uint64_t faults_all;
};

struct account_import *account_import_new(struct meta *meta, account_import_plan_fn has_plan, void *arg,
                                          struct error *err)
{
	struct account_import *import = calloc(1, sizeof(*import));

	if (!import) {
		error_set(err, ERROR_NOMEM, "Out of memory for an import of accounts");
		return NULL;
	}
	*import = (struct account_import){ .meta = meta, .has_plan = has_plan, .arg = arg };
	return import;
}

void account_import_free(struct account_import *import)
{
	if (!import)
		return;
	buf_free(&import->texts);
	buf_free(&import->rows);
	free(import->entries);
	free(import);
}

/* --- faults --- */

/* Where a fault of this line stands among those that are kept; ACCOUNT_IMPORT_FAULTS if it is not. */
static size_t place_of_fault(const struct account_import *import, uint32_t line)
{
	size_t at = import->faults_count;

	while (at > 0 && import->faults[at - 1].line > line)
		at--;
	return at;
}

void account_import_fault(struct account_import *import, uint32_t line, const char *column, const char *format, ...)
{
	size_t at = place_of_fault(import, line);
	va_list args;

	import->faults_all++;
	if (at == ACCOUNT_IMPORT_FAULTS)
		return;
	if (import->faults_count < ACCOUNT_IMPORT_FAULTS)
		import->faults_count++;
	struct account_fault *fault = &import->faults[at];
	memmove(fault + 1, fault, (import->faults_count - 1 - at) * sizeof(*fault));
	*fault = (struct account_fault){ .line = line, .column = column };
	va_start(args, format);
	vsnprintf(fault->message, sizeof(fault->message), format, args);
	va_end(args);
}

static void take_fault(struct account_import *import, uint32_t line, const char *column, const struct error *err)
{
	account_import_fault(import, line, column, "%s", err->message);
}

/* --- taking --- */

/* A text of the file as a C string, cut where it is too long to be right anyway. */
struct text {
	char bytes[512];
};

static const char *text_of(struct text *text, struct str value)
{
	size_t len = value.len < sizeof(text->bytes) ? value.len : sizeof(text->bytes) - 1;

	memcpy(text->bytes, value.len > 0 ? value.p : "", len);
	text->bytes[len] = '\0';
	return text->bytes;
}

static void check_secrets(struct account_import *import, const struct account_new *account)
{
	struct credential credential;
	struct error err;

	if (account->secret.len > 0 && account->secret_hash.len > 0)
		account_import_fault(import, account->line, "secret_hash",
		                     "secret_hash: may not be given together with a secret");
	if (account->secret.len > 0 && credential_check_secret(account->secret, &err) != 0)
		take_fault(import, account->line, "secret", &err);
	if (account->secret_hash.len > 0 && credential_from_text(&credential, account->secret_hash, &err) != 0)
		take_fault(import, account->line, "secret_hash", &err);
}

/* What can be said of it without any other account; false if it has no id to be kept under. */
static bool check_form(struct account_import *import, const struct account_new *account)
{
	struct text text;
	struct error err;
	bool has_id = account_check_id("id", text_of(&text, account->id), &err) == 0;

	if (!has_id)
		take_fault(import, account->line, "id", &err);
	if (account->parent.len > 0 && account_check_id("parent", text_of(&text, account->parent), &err) != 0)
		take_fault(import, account->line, "parent", &err);
	if (account_check_name(text_of(&text, account->name), &err) != 0)
		take_fault(import, account->line, "name", &err);
	check_secrets(import, account);
	return has_id;
}

static struct entry *new_entry(struct account_import *import)
{
	if (import->count == import->cap) {
		size_t cap = import->cap ? 2 * import->cap : 64;
		struct entry *entries = realloc(import->entries, cap * sizeof(*entries));

		if (!entries)
			return NULL;
		import->entries = entries;
		import->cap = cap;
	}
	return &import->entries[import->count];
}

static void add_text(struct buf *texts, struct str text)
{
	buf_add_str(texts, text);
	buf_add_char(texts, '\0');
}

int account_import_take(struct account_import *import, const struct account_new *account, struct error *err)
{
	struct text text;
	struct error ignored;

	if (!check_form(import, account))
		return 0;
	if (import->count == ACCOUNT_IMPORT_MAX)
		return error_set(err, ERROR_LIMIT, "line %u: more than the %d accounts that one import may have",
		                 (unsigned)account->line, ACCOUNT_IMPORT_MAX);
	struct entry *entry = new_entry(import);
	size_t texts_at = import->texts.len;
	add_text(&import->texts, account->name);
	add_text(&import->texts, account->plan);
	add_text(&import->texts, account->secret);
	add_text(&import->texts, account->secret_hash);
	if (!entry || import->texts.failed)
		return error_set(err, ERROR_NOMEM, "line %u: out of memory", (unsigned)account->line);
	*entry = (struct entry){ .line = account->line, .texts_at = texts_at };
	memcpy(entry->id, account->id.p, account->id.len);
	/* One that cannot be an id has its fault already. */
	if (account->parent.len > 0 && account_check_id("parent", text_of(&text, account->parent), &ignored) == 0)
		memcpy(entry->parent, account->parent.p, account->parent.len);
	import->count++;
	import->secrets += account->secret.len > 0 || account->secret_hash.len > 0;
	return 0;
}

/* --- checking --- */

static int compare_ids(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order = strcmp(x->id, y->id);

	return order ? order : (x->line > y->line) - (x->line < y->line);
}

static int compare_id_only(const void *key, const void *entry)
{
	return strcmp(key, ((const struct entry *)entry)->id);
}

static int compare_parents(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order = strcmp(x->parent, y->parent);

	return order ? order : strcmp(x->id, y->id);
}

static const struct entry *find_entry(const struct account_import *import, const char *id)
{
	return bsearch(id, import->entries, import->count, sizeof(*import->entries), compare_id_only);
}

static int check_id_is_new(struct account_import *import, const struct entry *entry, struct error *err)
{
	struct account_row row;
	int found = account_row_find(import->meta, str_from(entry->id), &row, err);

	if (found < 0)
		return -1;
	if (found > 0)
		account_import_fault(import, entry->line, "id", "id %s: such an account exists already", entry->id);
	else if (entry > import->entries && strcmp(entry[-1].id, entry->id) == 0)
		account_import_fault(import, entry->line, "id", "id %s: also in line %u", entry->id,
		                     (unsigned)entry[-1].line);
	return 0;
}

/* A parent that is in the catalog already. */
static int check_old_parent(struct account_import *import, struct entry *entry, struct error *err)
{
	struct account_row row;
	int found = account_row_find(import->meta, str_from(entry->parent), &row, err);

	if (found < 0)
		return -1;
	if (found > 0)
		entry->parent_key = row.account.key;
	if (found == 0)
		account_import_fault(import, entry->line, "parent",
		                     "parent %s: no such account, neither in this file nor before", entry->parent);
	else if (row.account.deleted_us)
		account_import_fault(import, entry->line, "parent", "parent %s: is deleted", entry->parent);
	else if (row.account.parent[0])
		account_import_fault(import, entry->line, "parent", "parent %s: is itself a subaccount of %s",
		                     entry->parent, row.account.parent);
	return 0;
}

static int check_parent(struct account_import *import, struct entry *entry, struct error *err)
{
	if (strcmp(entry->parent, entry->id) == 0) {
		account_import_fault(import, entry->line, "parent", "parent %s: is the account itself", entry->parent);
		return 0;
	}
	const struct entry *parent = find_entry(import, entry->parent);
	if (!parent)
		return check_old_parent(import, entry, err);
	if (parent->parent[0])
		account_import_fault(import, entry->line, "parent", "parent %s: is itself a subaccount of %s",
		                     entry->parent, parent->parent);
	return 0;
}

static const char *next_text(const char *text)
{
	return text + strlen(text) + 1;
}

static const char *plan_of(const struct account_import *import, const struct entry *entry)
{
	return next_text(import->texts.data + entry->texts_at);
}

static bool has_plan(const struct account_import *import, const struct entry *entry)
{
	const char *plan = plan_of(import, entry);

	return !plan[0] || import->has_plan(import->arg, str_from(plan));
}

static int check_entry(struct account_import *import, struct entry *entry, struct error *err)
{
	if (!has_plan(import, entry))
		account_import_fault(import, entry->line, "plan",
		                     "plan %.*s: none of the plans that the setting plans has", ACCOUNT_PLAN_MAX,
		                     plan_of(import, entry));
	if (check_id_is_new(import, entry, err) != 0)
		return -1;
	return entry->parent[0] ? check_parent(import, entry, err) : 0;
}

static void begin_check(struct account_import *import)
{
	import->generation = accounts_generation(import->meta);
	import->phase = PHASE_CHECK;
	import->at = 0;
}

/* Keys that are given before an import that fails are lost. */
static int give_keys(struct account_import *import, struct error *err)
{
	size_t count = 0;
	uint64_t number;

	for (size_t i = 0; i < import->count; i++)
		count += !account_key_is_id(str_from(import->entries[i].id));
	if (account_keys_reserve(import->meta, count, &number, err) != 0)
		return -1;
	for (size_t i = 0; i < import->count; i++) {
		struct entry *entry = &import->entries[i];
		bool is_id = account_key_is_id(str_from(entry->id));

		entry->key = is_id ? account_key_of_id(entry->id) : account_key_of_number(number++);
	}
	return 0;
}

static int end_check(struct account_import *import, struct error *err)
{
	if (import->faults_all > 0)
		return error_set(err, ERROR_INVALID, "%llu fault%s: no account was added",
		                 (unsigned long long)import->faults_all, import->faults_all == 1 ? "" : "s");
	import->phase = import->rows.len > 0 ? PHASE_ADD : PHASE_WRITE;
	import->at = 0;
	return import->phase == PHASE_WRITE ? give_keys(import, err) : 0;
}

/* --- rows --- */

static int make_credential(struct credential *credential, const char *secret, const char *secret_hash,
                           struct error *err)
{
	if (secret[0])
		return credential_make(credential, str_from(secret), err);
	return credential_from_text(credential, str_from(secret_hash), err);
}

static int write_entry(struct account_import *import, struct entry *entry, struct error *err)
{
	const char *name = import->texts.data + entry->texts_at;
	const char *plan = plan_of(import, entry), *secret = next_text(plan), *secret_hash = next_text(secret);
	struct account_row row = { .account.created_us = clock_now_us() };
	struct credential credential;
	uint32_t number;

	const struct entry *parent = entry->parent[0] ? find_entry(import, entry->parent) : NULL;
	if (parent)
		entry->parent_key = parent->key;
	row.account.key = entry->key;
	str_copy(row.account.id, sizeof(row.account.id), entry->id);
	str_copy(row.account.parent, sizeof(row.account.parent), entry->parent);
	str_copy(row.account.name, sizeof(row.account.name), name);
	if (plan[0])
		account_row_add_plan(&row, plan);
	if (secret[0] || secret_hash[0])
		if (make_credential(&credential, secret, secret_hash, err) != 0 ||
		    account_row_add_secret(&row, &credential, &number, err) != 0)
			return -1;
	entry->row_at = import->rows.len;
	account_row_write(&import->rows, &row);
	entry->row_len = import->rows.len - entry->row_at;
	return import->rows.failed ? error_set(err, ERROR_NOMEM, "account %s: out of memory", entry->id) : 0;
}

/* --- the transaction --- */

static int put_rows(struct account_import *import, struct change *change, struct error *err)
{
	for (size_t i = 0; i < import->count; i++) {
		const struct entry *entry = &import->entries[i];
		struct str row = { import->rows.data + entry->row_at, entry->row_len };

		if (change_put(change, META_DB_ACCOUNTS, str_from(entry->id), row, err) != 0 ||
		    account_key_put(change, &entry->key, entry->id, err) != 0)
			return -1;
	}
	return 0;
}

static int put_children(struct account_import *import, struct change *change, struct error *err)
{
	qsort(import->entries, import->count, sizeof(struct entry), compare_parents);
	for (size_t i = 0; i < import->count; i++) {
		const struct entry *entry = &import->entries[i];

		if (!entry->parent[0])
			continue;
		struct account child = { .key = entry->key };
		str_copy(child.id, sizeof(child.id), entry->id);
		if (account_put_child(change, &entry->parent_key, &child, err) != 0)
			return -1;
	}
	return 0;
}

static int add_all(struct account_import *import, struct error *err)
{
	struct change change;

	if (change_begin(&change, import->meta, err) != 0)
		return -1;
	int result = put_rows(import, &change, err);
	if (result == 0)
		result = put_children(import, &change, err);
	return accounts_change_end(&change, result, err);
}

/* --- in steps --- */

/* Has nothing changed since the check? A reload may have taken a plan away. */
static bool is_still_right(const struct account_import *import)
{
	bool right = accounts_generation(import->meta) == import->generation;

	for (size_t i = 0; right && i < import->count; i++)
		right = has_plan(import, &import->entries[i]);
	return right;
}

static int step_entries(struct account_import *import, int64_t deadline_us, struct error *err)
{
	while (import->at < import->count) {
		struct entry *entry = &import->entries[import->at++];
		bool checks = import->phase == PHASE_CHECK;

		if ((checks ? check_entry(import, entry, err) : write_entry(import, entry, err)) != 0)
			return -1;
		if (clock_monotonic_us() >= deadline_us)
			return 0;
	}
	return 0;
}

int account_import_step(struct account_import *import, int64_t deadline_us, bool *done, struct error *err)
{
	*done = false;
	switch (import->phase) {
	case PHASE_SORT:
		if (import->count > 0)
			qsort(import->entries, import->count, sizeof(struct entry), compare_ids);
		begin_check(import);
		return 0;
	case PHASE_CHECK:
		if (step_entries(import, deadline_us, err) != 0)
			return -1;
		return import->at == import->count ? end_check(import, err) : 0;
	case PHASE_WRITE:
		if (step_entries(import, deadline_us, err) != 0)
			return -1;
		if (import->at == import->count)
			import->phase = PHASE_ADD;
		return 0;
	case PHASE_ADD:
		break;
	}
	if (!is_still_right(import)) {
		begin_check(import);
		return 0;
	}
	*done = true;
	return add_all(import, err);
}

/* --- what it has come to --- */

const struct account_fault *account_import_faults(const struct account_import *import, size_t *count, uint64_t *all)
{
	*count = import->faults_count;
	*all = import->faults_all;
	return import->faults;
}

size_t account_import_count(const struct account_import *import)
{
	return import->count;
}

size_t account_import_secrets(const struct account_import *import)
{
	return import->secrets;
}

uint64_t account_import_progress(const struct account_import *import, uint64_t *total)
{
	*total = 2 * import->count;
	switch (import->phase) {
	case PHASE_SORT:
		return 0;
	case PHASE_CHECK:
		return import->rows.len > 0 ? import->count + import->at : import->at;
	case PHASE_WRITE:
		return import->count + import->at;
	case PHASE_ADD:
		break;
	}
	return *total;
}
