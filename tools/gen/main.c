/* SPDX-License-Identifier: ISC */
/*
 * main.c: cdrgen, sample records to standard output.
 *
 * `cdrgen --product SMS --account abcd1234 --count 1000` writes a thousand SMS records of the last 24 hours as NDJSON,
 * ready for POST /v1/cdrs or `cdrctl import -`. `--product all` shares the count among all products that a producer may
 * send, one product after another. The same options and seed give the same bytes.
 *
 * `--accounts 20000 --parents 50` instead of `--account` makes up a platform's accounts (accounts.h); with
 * `--list-accounts` it writes these, and no records.
 */
#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/id.h"
#include "gen/gen.h"

#define ACCOUNTS_MAX 4096

static const char usage_text[] =
	"Usage: cdrgen --product NAME|all --account ID[,ID...] --count N [OPTION...]\n"
	"       cdrgen --accounts N [--parents N] --list-accounts\n"
	"Write sample records to standard output.\n"
	"\n"
	"  --product NAME    product of the records; `all` shares the count among all of them\n"
	"  --account ID,...  accounts that the records belong to\n"
	"  --accounts N      so many made-up accounts instead; the k-th has 1/k as many records as the first\n"
	"  --parents N       half of the made-up accounts are subaccounts, of so many of the others (0)\n"
	"  --list-accounts   write the made-up accounts as CSV (id,parent) instead of records\n"
	"  --count N         how many records in all\n"
	"  --from TIME       beginning of the records' times, ISO 8601 with an offset (24 hours before --to)\n"
	"  --to TIME         end of the records' times, exclusive (now)\n"
	"  --seed N          the same seed gives the same records (1)\n"
	"  --format FORMAT   ndjson, msgpack or csv (ndjson)\n"
	"  --direction DIR   outbound or inbound, where the product has directions (one in five inbound)\n"
	"  --no-body         leave out messages' bodies\n"
	"  --help            show this and exit\n";

enum option_code {
	OPT_PRODUCT = 1,
	OPT_ACCOUNT,
	OPT_ACCOUNTS,
	OPT_PARENTS,
	OPT_LIST_ACCOUNTS,
	OPT_COUNT,
	OPT_FROM,
	OPT_TO,
	OPT_SEED,
	OPT_FORMAT,
	OPT_DIRECTION,
	OPT_NO_BODY,
	OPT_HELP
};

static const struct option long_options[] = {
	{ "product", required_argument, NULL, OPT_PRODUCT },
	{ "account", required_argument, NULL, OPT_ACCOUNT },
	{ "accounts", required_argument, NULL, OPT_ACCOUNTS },
	{ "parents", required_argument, NULL, OPT_PARENTS },
	{ "list-accounts", no_argument, NULL, OPT_LIST_ACCOUNTS },
	{ "count", required_argument, NULL, OPT_COUNT },
	{ "from", required_argument, NULL, OPT_FROM },
	{ "to", required_argument, NULL, OPT_TO },
	{ "seed", required_argument, NULL, OPT_SEED },
	{ "format", required_argument, NULL, OPT_FORMAT },
	{ "direction", required_argument, NULL, OPT_DIRECTION },
	{ "no-body", no_argument, NULL, OPT_NO_BODY },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

struct command_line {
	struct gen_options options; /* product NULL: all */
	struct str accounts[ACCOUNTS_MAX];
	struct gen_accounts sized_accounts;
	uint64_t sized_count; /* 0: none */
	uint64_t parents;
	bool product_given;
	bool count_given;
	bool list_accounts;
};

static int bad_value(struct error *err, const char *option, const char *value, const char *allowed)
{
	return error_set(err, ERROR_INVALID, "--%s: %s: must be %s", option, value, allowed);
}

static int set_product(struct command_line *line, const char *value, struct error *err)
{
	line->product_given = true;
	line->options.product = NULL;
	if (strcmp(value, "all") == 0)
		return 0;
	line->options.product = catalog_product_find(str_from(value));
	if (!line->options.product)
		return error_set(err, ERROR_INVALID, "--product: %s: no such product", value);
	if (line->options.product->own)
		return error_set(err, ERROR_INVALID, "--product: %s: only the daemon writes these records", value);
	return 0;
}

static int set_accounts(struct command_line *line, const char *value, struct error *err)
{
	size_t count = 0;

	for (const char *p = value;; p++) {
		struct str account = { p, strcspn(p, ",") };

		if (!id_is_account(account))
			return bad_value(err, "account", value,
			                 "ids of 1 to 64 letters, digits, - or _, separated by commas");
		if (count == ACCOUNTS_MAX)
			return error_set(err, ERROR_LIMIT, "--account: at most %d", ACCOUNTS_MAX);
		line->accounts[count++] = account;
		p += account.len;
		if (*p == '\0')
			break;
	}
	line->options.accounts = line->accounts;
	line->options.accounts_count = count;
	return 0;
}

static int set_number(uint64_t *number, const char *option, const char *value, struct error *err)
{
	char *end;

	errno = 0;
	*number = strtoull(value, &end, 10);
	if (errno != 0 || end == value || *end != '\0' || *value == '-')
		return bad_value(err, option, value, "a whole number");
	return 0;
}

static int set_time(int64_t *time_us, const char *option, const char *value, struct error *err)
{
	if (!clock_parse_iso8601(str_from(value), time_us))
		return bad_value(err, option, value, "a time such as 2025-04-01T00:00:00Z");
	return 0;
}

static int set_direction(struct command_line *line, const char *value, struct error *err)
{
	line->options.direction = catalog_direction_parse(str_from(value));
	if (line->options.direction == CATALOG_NO_DIRECTION)
		return bad_value(err, "direction", value, "outbound or inbound");
	return 0;
}

static int set_option(struct command_line *line, int code, const char *value, struct error *err)
{
	switch ((enum option_code)code) {
	case OPT_PRODUCT:
		return set_product(line, value, err);
	case OPT_ACCOUNT:
		return set_accounts(line, value, err);
	case OPT_ACCOUNTS:
		return set_number(&line->sized_count, "accounts", value, err);
	case OPT_PARENTS:
		return set_number(&line->parents, "parents", value, err);
	case OPT_LIST_ACCOUNTS:
		line->list_accounts = true;
		return 0;
	case OPT_COUNT:
		line->count_given = true;
		return set_number(&line->options.count, "count", value, err);
	case OPT_FROM:
		return set_time(&line->options.from_us, "from", value, err);
	case OPT_TO:
		return set_time(&line->options.to_us, "to", value, err);
	case OPT_SEED:
		return set_number(&line->options.seed, "seed", value, err);
	case OPT_FORMAT:
		if (!gen_format_parse(str_from(value), &line->options.format))
			return bad_value(err, "format", value, "ndjson, msgpack or csv");
		return 0;
	case OPT_DIRECTION:
		return set_direction(line, value, err);
	case OPT_NO_BODY:
		line->options.with_body = false;
		return 0;
	case OPT_HELP:
		fputs(usage_text, stdout);
		/* NOLINTNEXTLINE(concurrency-mt-unsafe): cdrgen has one thread. */
		exit(EXIT_SUCCESS);
	}
	return error_set(err, ERROR_INVALID, "see cdrgen --help");
}

/* The made-up accounts, if any are wanted. */
static int make_accounts(struct command_line *line, struct error *err)
{
	if (line->sized_count == 0)
		return line->parents == 0 && !line->list_accounts ?
		               0 :
		               error_set(err, ERROR_INVALID, "--parents and --list-accounts need --accounts");
	if (line->options.accounts_count > 0)
		return error_set(err, ERROR_INVALID, "--accounts: not together with --account");
	if (line->sized_count > GEN_ACCOUNTS_MAX)
		return error_set(err, ERROR_INVALID, "--accounts: %" PRIu64 ": at most %d", line->sized_count,
		                 GEN_ACCOUNTS_MAX);
	if (line->parents > (line->sized_count + 1) / 2)
		return error_set(err, ERROR_INVALID, "--parents: %" PRIu64 ": at most half of --accounts",
		                 line->parents);
	if (gen_accounts_make(&line->sized_accounts, (size_t)line->sized_count, (size_t)line->parents, err) < 0)
		return -1;
	line->options.sized_accounts = &line->sized_accounts;
	return 0;
}

static int check_line(struct command_line *line, struct error *err)
{
	struct gen_options *options = &line->options;

	if (!line->product_given || (options->accounts_count == 0 && line->sized_count == 0) || !line->count_given)
		return error_set(err, ERROR_INVALID, "--product, --account and --count are needed; see cdrgen --help");
	if (!options->product && options->format == GEN_CSV)
		return error_set(err, ERROR_INVALID, "--format csv: takes one product, for its columns are the header");
	if (options->to_us == 0)
		options->to_us = clock_now_us();
	if (options->from_us == 0)
		options->from_us = options->to_us - CLOCK_US_PER_DAY;
	if (options->from_us >= options->to_us)
		return error_set(err, ERROR_INVALID, "--from: must be before --to");
	return 0;
}

/* Every product that is not the daemon's own, the count shared as evenly as it goes. */
static int write_all(const struct gen_options *options, struct error *err)
{
	uint64_t rest = options->count;
	uint64_t products = 0;

	for (size_t i = 0; i < catalog_products_count; i++)
		products += !catalog_products[i].own;
	for (size_t i = 0; i < catalog_products_count; i++) {
		struct gen_options one = *options;

		if (catalog_products[i].own)
			continue;
		assert(products > 0);
		one.product = &catalog_products[i];
		one.count = (rest + products - 1) / products;
		rest -= one.count;
		products--;
		if (one.count > 0 && gen_write(&one, STDOUT_FILENO, err) < 0)
			return -1;
	}
	return 0;
}

static int write_line(struct command_line *line, struct error *err)
{
	if (make_accounts(line, err) < 0)
		return -1;
	if (line->list_accounts)
		return gen_accounts_write(&line->sized_accounts, stdout, err);
	if (check_line(line, err) < 0)
		return -1;
	return line->options.product ? gen_write(&line->options, STDOUT_FILENO, err) : write_all(&line->options, err);
}

static int run(int argc, char **argv, struct error *err)
{
	struct command_line line = { .options = { .seed = 1, .with_body = true } };
	int code, result;

	/* NOLINTNEXTLINE(concurrency-mt-unsafe): cdrgen has one thread. */
	while ((code = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		if (set_option(&line, code, optarg, err) < 0)
			return -1;
	if (optind < argc)
		return error_set(err, ERROR_INVALID, "%s: not an option; see cdrgen --help", argv[optind]);
	result = write_line(&line, err);
	gen_accounts_free(&line.sized_accounts);
	return result;
}

int main(int argc, char **argv)
{
	struct error err = { 0 };

	if (run(argc, argv, &err) < 0) {
		fprintf(stderr, "cdrgen: %s\n", err.message);
		return err.code == ERROR_INVALID ? 2 : EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
