/* SPDX-License-Identifier: ISC */
/*
 * completion.c: a bash script that completes commands, options and file names, made from commands.def.
 *
 * The script collects the words before the cursor that are not options. It looks up commands by these, longest first;
 * then the words that may follow the beginning of a command.
 */
#include <string.h>

#include "admin/args.h"
#include "ctl/usage.h"

#define WORDS_MAX 128
#define FILE_VALUE "FILE" /* a positional of this name is completed as a file's */

static const char head[] = "# bash completion for cdrctl; made by the build from the table of commands.\n"
			   "_cdrctl()\n"
			   "{\n"
			   "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words= value= i\n"
			   "\tCOMPREPLY=()\n"
			   "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
			   "\t\tcase $value${COMP_WORDS[i]} in\n"
			   "\t\t-s|--socket) value=1 ;;\n"
			   "\t\t-*) ;;\n"
			   "\t\t*) [[ $value ]] || words+=\"${COMP_WORDS[i]} \"; value= ;;\n"
			   "\t\tesac\n"
			   "\tdone\n"
			   "\tcase $prev in\n"
			   "\t-s|--socket) compopt -o default; return ;;\n"
			   "\tesac\n"
			   "\tcase $words in\n";

static const char tail[] = "\tesac\n"
			   "}\n"
			   "complete -F _cdrctl cdrctl\n";

static void print_offer(FILE *out, const char *offer)
{
	fprintf(out, "COMPREPLY=($(compgen -W \"%s\" -- \"$cur\"))", offer);
}

/* --- a command's options and files --- */

static void print_command(FILE *out, const struct command_spec *spec)
{
	struct args_synopsis synopsis;
	struct buf options = { 0 }, valued = { 0 };
	bool files = false;
	struct error err;

	if (args_synopsis_parse(&synopsis, spec->arguments, &err) != 0)
		return;
	for (size_t i = 0; i < synopsis.count; i++) {
		const struct args_param *param = &synopsis.params[i];

		if (param->kind == ARGS_POSITIONAL)
			files = files || str_is(param->value, FILE_VALUE);
		else
			buf_addf(&options, "%.*s ", STR_ARGS(param->option));
		if (param->kind == ARGS_OPTION)
			buf_addf(&valued, "%s%.*s", valued.len > 0 ? "|" : "", STR_ARGS(param->option));
	}
	fprintf(out, "\t\"%s \"*)\n", spec->words);
	if (valued.len > 0)
		fprintf(out, "\t\tcase $prev in %.*s) return ;; esac\n", STR_ARGS(buf_str(&valued)));
	if (files)
		fprintf(out, "\t\t[[ $cur == -?* ]] || { compopt -o default; return; }\n");
	buf_add_text(&options, "--json --help");
	fprintf(out, "\t\t");
	print_offer(out, buf_cstr(&options) ? options.data : "");
	fprintf(out, " ;;\n");
	buf_free(&options);
	buf_free(&valued);
}

static size_t words_of(const struct command_spec *spec)
{
	size_t count = 1;

	for (const char *c = spec->words; *c; c++)
		count += *c == ' ';
	return count;
}

/* --- the beginnings of commands --- */

static bool begins_with(const char *words, const char *beginning, size_t len)
{
	return strncmp(words, beginning, len) == 0 && (len == 0 || words[len] == ' ');
}

/* Is it the first command that has this beginning? */
static bool is_first(const struct command_spec *spec, size_t len)
{
	for (const struct command_spec *other = command_specs; other < spec; other++)
		if (begins_with(other->words, spec->words, len))
			return false;
	return true;
}

/* What may follow the first `len` characters of a command's words. */
static void print_beginning(FILE *out, const struct command_spec *spec, size_t len)
{
	struct buf offer = { 0 };
	size_t skip = len > 0 ? len + 1 : 0;
	const char *last = "";

	for (size_t i = 0; i < command_specs_count; i++) {
		const char *words = command_specs[i].words;

		if (!begins_with(words, spec->words, len))
			continue;
		size_t word = strcspn(words + skip, " ");
		if (strncmp(last, words + skip, word) != 0 || last[word] != ' ')
			buf_addf(&offer, "%.*s ", (int)word, words + skip);
		if (!buf_cstr(&offer))
			break;
		last = offer.data + offer.len - word - 1;
	}
	if (len == 0)
		buf_add_text(&offer, "--socket --json --help --version");
	fprintf(out, "\t\"%.*s%s\")\n\t\t", (int)len, spec->words, len > 0 ? " " : "");
	print_offer(out, buf_cstr(&offer) ? offer.data : "");
	fprintf(out, " ;;\n");
	buf_free(&offer);
}

static void print_beginnings(FILE *out)
{
	for (size_t i = 0; i < command_specs_count; i++) {
		const char *words = command_specs[i].words;

		for (const char *space = strchr(words, ' '); space; space = strchr(space + 1, ' '))
			if (is_first(&command_specs[i], (size_t)(space - words)))
				print_beginning(out, &command_specs[i], (size_t)(space - words));
	}
	print_beginning(out, &command_specs[0], 0);
}

void usage_print_completion(FILE *out)
{
	fputs(head, out);
	for (size_t count = WORDS_MAX; count > 0; count--)
		for (size_t i = 0; i < command_specs_count; i++)
			if (words_of(&command_specs[i]) == count)
				print_command(out, &command_specs[i]);
	print_beginnings(out);
	fputs(tail, out);
}
