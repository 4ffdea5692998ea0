/* SPDX-License-Identifier: ISC */
/*
 * audit.c: a command's line in the audit log. See base/audit.h for its form.
 *
 * The audit log must not contain secrets, nor the numbers that somebody had erased. A table says what is hidden of each
 * argument.
 */
#include "admin/audit.h"

#include "base/audit.h"

#define HIDDEN "[hidden]"
#define SHOWN_ENDS 2 /* characters of a number that are shown at each end */

enum hiding { HIDE_NOTHING, HIDE_ALL, HIDE_VALUE, HIDE_MIDDLE };

static const struct {
	const char *command; /* NULL: any */
	const char *argument;
	enum hiding hiding;
} rows[] = {
	{ NULL, "secret", HIDE_ALL },
	{ "quarantine replay", "set", HIDE_VALUE },
	{ "quarantine replay", "id", HIDE_MIDDLE },
	{ "quarantine replay", "reason", HIDE_ALL }, /* it may quote a value */
	{ "quarantine drop", "id", HIDE_MIDDLE },
	{ "quarantine drop", "reason", HIDE_ALL },
	{ "find", "number", HIDE_MIDDLE },
	{ "find", "id", HIDE_MIDDLE },
	{ "erase", "number", HIDE_MIDDLE },
	{ "erase revoke", "number", HIDE_MIDDLE },
};

static enum hiding hiding_of(const char *command, const char *argument)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if ((!rows[i].command || strcmp(rows[i].command, command) == 0) &&
		    strcmp(rows[i].argument, argument) == 0)
			return rows[i].hiding;
	return HIDE_NOTHING;
}

void admin_mask_number(struct buf *out, const char *number)
{
	size_t len = strlen(number);

	for (size_t i = 0; i < len; i++)
		buf_add_char(out, len > 2 * SHOWN_ENDS && (i < SHOWN_ENDS || i >= len - SHOWN_ENDS) ? number[i] : '*');
}

static void hide(struct buf *out, enum hiding hiding, const char *text)
{
	const char *equals = strchr(text, '=');

	switch (hiding) {
	case HIDE_ALL:
		buf_add_text(out, HIDDEN);
		break;
	case HIDE_VALUE:
		buf_add(out, text, equals ? (size_t)(equals - text) + 1 : 0);
		buf_add_text(out, HIDDEN);
		break;
	case HIDE_MIDDLE:
		admin_mask_number(out, text);
		break;
	default:
		buf_add_text(out, text);
	}
}

static void write_value(struct json *j, enum hiding hiding, const char *text)
{
	struct buf shown = { 0 };

	hide(&shown, hiding, text);
	json_str(j, buf_str(&shown));
	buf_free(&shown);
}

static void write_argument(struct json *j, const struct args *args, const struct args_param *param, enum hiding hiding)
{
	size_t count = args_count(args, param->name);

	json_key(j, param->name);
	if (param->kind == ARGS_SWITCH) {
		json_bool(j, true);
		return;
	}
	if (param->repeated)
		json_array_begin(j);
	for (size_t i = 0; i < count; i++)
		write_value(j, hiding, args_get_at(args, param->name, i));
	if (param->repeated)
		json_array_end(j);
}

static void write_arguments(struct buf *out, const char *command, const struct args *args)
{
	struct json j = json_to(out);

	json_object_begin(&j);
	for (size_t i = 0; i < args->synopsis->count; i++) {
		const struct args_param *param = &args->synopsis->params[i];

		if (args_count(args, param->name) > 0)
			write_argument(&j, args, param, hiding_of(command, param->name));
	}
	json_object_end(&j);
}

void admin_audit(const struct admin_reply *reply, const char *text)
{
	const struct session_peer *peer = &reply->session->peer;
	struct buf arguments = { 0 };
	struct audit_entry entry;

	if (!reply->open)
		return;
	write_arguments(&arguments, reply->words, &reply->args);
	entry = (struct audit_entry){
		.action = reply->words,
		.text = text,
		.operator_name = peer->operator_name,
		.has_peer = !peer->operator_name[0],
		.uid = peer->uid,
		.pid = peer->pid,
		.args = buf_str(&arguments),
	};
	audit_write(reply->session->admin->context.audit, &entry);
	buf_free(&arguments);
}

void admin_audit_refused(const struct admin *admin, uid_t uid, pid_t pid, const char *text)
{
	struct audit_entry entry = {
		.action = "refused",
		.text = text,
		.has_peer = true,
		.uid = uid,
		.pid = pid,
	};

	audit_write(admin->context.audit, &entry);
}
