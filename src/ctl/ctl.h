/* SPDX-License-Identifier: ISC */
/*
 * ctl.h: what main.c gives to commands that are more than a request and an answer.
 */
#ifndef CDRD_CTL_CTL_H
#define CDRD_CTL_CTL_H

#include <stdio.h>

#include "admin/args.h"
#include "admin/specs.h"
#include "base/error.h"

struct tree;

struct ctl {
	const char *socket;
	bool json; /* write the result as it is */
	const struct command_spec *spec;
	const struct args *args;
};

/* 0, or -1 with *err, which main.c prints. */
MUST_CHECK int ctl_account_import(const struct ctl *ctl, struct error *err);
MUST_CHECK int ctl_account_list(const struct ctl *ctl, struct error *err);
MUST_CHECK int ctl_backup(const struct ctl *ctl, struct error *err);
MUST_CHECK int ctl_import(const struct ctl *ctl, struct error *err);
MUST_CHECK int ctl_erase(const struct ctl *ctl, struct error *err);
MUST_CHECK int ctl_reconcile(const struct ctl *ctl, struct error *err);
MUST_CHECK int ctl_reconcile_get(const struct ctl *ctl, struct error *err);
MUST_CHECK int ctl_mapping_try(const struct ctl *ctl, struct error *err);
MUST_CHECK int ctl_quarantine_replay(const struct ctl *ctl, struct error *err);
MUST_CHECK int ctl_quarantine_show(const struct ctl *ctl, struct error *err);
MUST_CHECK int ctl_restore(const struct ctl *ctl, struct error *err);
MUST_CHECK int ctl_schema_clickhouse(const struct ctl *ctl, struct error *err);
MUST_CHECK int ctl_schema_postgresql(const struct ctl *ctl, struct error *err);
MUST_CHECK int ctl_summary(const struct ctl *ctl, struct error *err);
MUST_CHECK int ctl_top(const struct ctl *ctl, struct error *err);

/* One line of JSON, or what render.h makes of it. `result` has a NUL after it. */
MUST_CHECK int ctl_print(const struct ctl *ctl, struct str result, struct error *err);

MUST_CHECK int ctl_print_to(FILE *out, const struct ctl *ctl, struct str result, struct error *err);

/* The result as a tree, with the symbol for NUL where a text has one; the caller's to free. NULL with *err. */
MUST_CHECK struct tree *ctl_tree(struct str result, struct error *err);

/* Sends the command unchanged and waits; `take` gets the result, which may come with an error. */
typedef int (*ctl_take_fn)(void *arg, const struct ctl *ctl, struct str result, struct error *err);
MUST_CHECK int ctl_run(const struct ctl *ctl, ctl_take_fn take, void *arg, struct error *err);

/* The same with a body, for commands whose result is printed. */
MUST_CHECK int ctl_run_body(const struct ctl *ctl, struct str body, ctl_take_fn take, void *arg, struct error *err);
MUST_CHECK int ctl_print_answer(void *arg, const struct ctl *ctl, struct str result, struct error *err);

#endif
