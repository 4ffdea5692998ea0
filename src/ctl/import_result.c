/* SPDX-License-Identifier: ISC */
/*
 * import_result.c: see import_result.h.
 */
#include "ctl/import_result.h"

#include <stdio.h>
#include <stdlib.h>

#include "admin/tree.h"
#include "base/clock.h"
#include "ctl/text.h"

static const char *const count_keys[] = { "accepted", "updated", "duplicates", "outdated", "rejected" };

void import_counts_read(struct import_counts *counts, const struct tree *object)
{
	for (int i = 0; i < IMPORT_COUNTS; i++)
		counts->of[i] = tree_uint(tree_get(object, count_keys[i]));
}

void import_counts_add(struct import_counts *sum, const struct import_counts *more)
{
	for (int i = 0; i < IMPORT_COUNTS; i++)
		sum->of[i] += more->of[i];
}

uint64_t import_counts_records(const struct import_counts *counts)
{
	uint64_t records = 0;

	for (int i = 0; i < IMPORT_COUNTS; i++)
		records += counts->of[i];
	return records;
}

void import_print_counts(const char *name, const struct import_counts *counts, int64_t elapsed_us)
{
	struct buf text = { 0 };
	uint64_t records = import_counts_records(counts);
	double seconds = (double)elapsed_us / (double)CLOCK_US_PER_SECOND;

	text_add(&text, name);
	buf_add_text(&text, ": ");
	text_add_count(&text, records);
	buf_addf(&text, " record%s in %.1f s (", records == 1 ? "" : "s", seconds);
	text_add_count(&text, (uint64_t)((double)records / seconds));
	buf_add_text(&text, "/s)");
	for (int i = 0; i < IMPORT_COUNTS; i++) {
		buf_add_text(&text, i == 0 ? ": " : ", ");
		text_add_count(&text, counts->of[i]);
		buf_addf(&text, " %s", count_keys[i]);
	}
	printf("%.*s\n", STR_ARGS(buf_str(&text)));
	buf_free(&text);
}

/* "line 7: to: ..." of one, "to: ...: 12 times, first in line 7" of several that are equal. */
static void add_error(struct buf *text, const struct tree *error)
{
	static const char *const keys[] = { "field", "reason" };
	uint64_t line = tree_uint(tree_get(error, "line")), times = tree_uint(tree_get(error, "times"));

	if (times <= 1)
		buf_addf(text, "line %llu: ", (unsigned long long)line);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const char *value = tree_text(tree_get(error, keys[i]));

		if (!value || !value[0])
			continue;
		text_add(text, value);
		buf_add_text(text, i == 0 ? ": " : "");
	}
	if (times <= 1)
		return;
	buf_add_text(text, ": ");
	text_add_count(text, times);
	buf_addf(text, " times, first in line %llu", (unsigned long long)line);
}

void import_print_errors(const struct tree *answer)
{
	uint64_t more = tree_uint(tree_get(answer, "errors_unlisted"));

	TREE_EACH(error, tree_array(tree_get(answer, "errors")))
	{
		struct buf text = { 0 };
		add_error(&text, error);
		printf("  %.*s\n", STR_ARGS(buf_str(&text)));
		buf_free(&text);
	}
	if (more > 0)
		printf("  and %llu more\n", (unsigned long long)more);
}

static void add_with_file(struct buf *errors, const char *name, const struct tree *error)
{
	struct json j = json_to(errors);

	j.comma = errors->len > 0;
	json_object_begin(&j);
	json_member_text(&j, "file", name);
	if (error->kind == TREE_OBJECT) {
		TREE_EACH(member, error)
		{
			json_key(&j, member->name);
			tree_write(member, &j);
		}
	}
	json_object_end(&j);
}

void import_add_errors(struct buf *errors, const char *name, const struct tree *answer)
{
	TREE_EACH(error, tree_array(tree_get(answer, "errors")))
	add_with_file(errors, name, error);
}

int import_print_result(const struct ctl *ctl, const struct import_counts *counts, const struct buf *errors,
                        struct error *err)
{
	struct buf text = { 0 };
	struct json j = json_to(&text);

	json_object_begin(&j);
	for (int i = 0; i < IMPORT_COUNTS; i++)
		json_member_uint(&j, count_keys[i], counts->of[i]);
	json_key(&j, "errors");
	json_array_begin(&j);
	if (errors->len > 0)
		json_raw(&j, buf_str(errors));
	json_array_end(&j);
	json_object_end(&j);
	bool failed = text.failed || errors->failed || !buf_cstr(&text);
	int result = failed ? error_set(err, ERROR_NOMEM, "Out of memory for the result") :
	                      ctl_print(ctl, buf_str(&text), err);
	buf_free(&text);
	return result;
}
