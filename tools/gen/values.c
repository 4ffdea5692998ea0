/* SPDX-License-Identifier: ISC */
/*
 * values.c: the makers, and the two tables that find them: by name, then by kind.
 *
 * Values that must agree within a record come from its facts: the number, country and network from one place; status,
 * codes and descriptions from one outcome; later times from the first one and how long it took.
 */
#include "gen/values.h"

#include "base/clock.h"

#define US_PER_MS 1000
#define FAILURES_PERCENT 10
#define SLOW_PERCENT 3
#define POOL_SIZE 512

/* The two halves in a fixed order, which arguments of a call would not have. */
static char *put_uuid(char *out, struct gen_random *random)
{
	uint64_t high = gen_random_next(random);

	return gen_text_uuid(out, high, gen_random_next(random));
}

void gen_facts_draw(struct gen_facts *facts)
{
	struct gen_random *random = &facts->random;

	facts->place = &gen_places[gen_random_below(random, (uint32_t)gen_places_count)];
	facts->network = &facts->place->networks[gen_random_below(random, (uint32_t)facts->place->networks_count)];
	facts->latency_ms = 1000 + gen_random_below(random, 8000);
	if (gen_random_below(random, 100) < SLOW_PERCENT)
		facts->latency_ms += gen_random_below(random, 600000);
	facts->duration_s = 1 + gen_random_below(random, 600);
	facts->failure = 0;
	if (gen_random_below(random, 100) < FAILURES_PERCENT)
		facts->failure = 1 + gen_random_below(random, 1000);
	put_uuid(facts->id, random);
}

static char *make_nothing(char *out, const struct gen_column *column, struct gen_facts *facts)
{
	(void)column;
	(void)facts;
	return out;
}

/* --- who, where --- */

static char *make_account(char *out, const struct gen_column *column, struct gen_facts *facts)
{
	(void)column;
	return gen_text_str(out, facts->account);
}

static char *make_direction(char *out, const struct gen_column *column, struct gen_facts *facts)
{
	(void)column;
	return gen_text_str(out,
	                    facts->direction == CATALOG_INBOUND ? STR_LITERAL("inbound") : STR_LITERAL("outbound"));
}

static char *make_number(char *out, const struct gen_column *column, struct gen_facts *facts)
{
	(void)column;
	out = gen_text_str(out, facts->place->prefix);
	return gen_text_digits(out, gen_random_next(&facts->random) >> 24, facts->place->digits);
}

/* The account's own end of a message or call: a sender name of the data file, or a number of a short range. */
static char *make_own_number(char *out, const struct gen_column *column, struct gen_facts *facts)
{
	uint32_t pick = gen_random_below(&facts->random, column->samples_count + 8);

	if (pick < column->samples_count && facts->direction != CATALOG_INBOUND)
		return gen_text_str(out, column->samples[pick]);
	out = gen_text_str(out, facts->place->prefix);
	return gen_text_digits(out, 770090000 + pick, facts->place->digits);
}

static char *make_from(char *out, const struct gen_column *column, struct gen_facts *facts)
{
	return facts->direction == CATALOG_INBOUND ? make_number(out, column, facts) :
	                                             make_own_number(out, column, facts);
}

static char *make_to(char *out, const struct gen_column *column, struct gen_facts *facts)
{
	return facts->direction == CATALOG_INBOUND ? make_own_number(out, column, facts) :
	                                             make_number(out, column, facts);
}

static char *make_country(char *out, const struct gen_column *column, struct gen_facts *facts)
{
	(void)column;
	return gen_text_str(out, facts->place->country);
}

static char *make_country_name(char *out, const struct gen_column *column, struct gen_facts *facts)
{
	(void)column;
	return gen_text_str(out, facts->place->name);
}

static char *make_network(char *out, const struct gen_column *column, struct gen_facts *facts)
{
	(void)column;
	return gen_text_str(out, facts->network->code);
}

static char *make_network_name(char *out, const struct gen_column *column, struct gen_facts *facts)
{
	(void)column;
	return gen_text_str(out, facts->network->name);
}

static char *make_locale(char *out, const struct gen_column *column, struct gen_facts *facts)
{
	(void)column;
	return gen_text_str(out, facts->place->locale);
}

/* --- ids --- */

static char *make_id(char *out, const struct gen_column *column, struct gen_facts *facts)
{
	(void)column;
	memcpy(out, facts->id, GEN_TEXT_UUID_LEN);
	return out + GEN_TEXT_UUID_LEN;
}

static char *make_uuid(char *out, const struct gen_column *column, struct gen_facts *facts)
{
	(void)column;
	return put_uuid(out, &facts->random);
}

/* One of a pool, so that a filter on it finds several records: a conversation's events, an application's calls. */
static char *make_shared_uuid(char *out, const struct gen_column *column, struct gen_facts *facts)
{
	struct gen_random pool;

	gen_random_seed(&pool, facts->pool_seed + column->column->name.len +
	                               ((uint64_t)gen_random_below(&facts->random, POOL_SIZE) << 32));
	return put_uuid(out, &pool);
}

/* --- how it went --- */

/* Parallel lists (status, error_code, error_code_description): the first sample is success, the others failures. */
static char *make_outcome(char *out, const struct gen_column *column, struct gen_facts *facts)
{
	uint32_t pick = 0;

	if (column->samples_count == 0)
		return out;
	if (facts->failure > 0 && column->samples_count > 1)
		pick = 1 + (facts->failure - 1) % (column->samples_count - 1);
	return gen_text_str(out, column->samples[pick]);
}

static char *make_sample(char *out, const struct gen_column *column, struct gen_facts *facts)
{
	if (column->samples_count == 0)
		return out;
	return gen_text_str(out, column->samples[gen_random_below(&facts->random, column->samples_count)]);
}

/* A column that most records leave out. */
static char *make_rare(char *out, const struct gen_column *column, struct gen_facts *facts)
{
	return gen_random_below(&facts->random, 20) == 0 ? make_sample(out, column, facts) : out;
}

static char *make_rarely_true(char *out, const struct gen_column *column, struct gen_facts *facts)
{
	(void)column;
	return gen_text_str(out,
	                    gen_random_below(&facts->random, 10) == 0 ? STR_LITERAL("TRUE") : STR_LITERAL("FALSE"));
}

/* A producer's own reference where the data file has no samples: "ref" and eight digits. */
static char *make_reference(char *out, const struct gen_column *column, struct gen_facts *facts)
{
	if (column->samples_count > 0)
		return make_sample(out, column, facts);
	out = gen_text_str(out, STR_LITERAL("ref"));
	return gen_text_digits(out, gen_random_next(&facts->random) >> 32, 8);
}

/* --- when, how long, how much --- */

static char *make_time(char *out, const struct gen_column *column, struct gen_facts *facts)
{
	(void)column;
	return gen_text_time(out, &facts->last_day, facts->time_us);
}

static char *make_time_before(char *out, const struct gen_column *column, struct gen_facts *facts)
{
	(void)column;
	return gen_text_time(out, &facts->last_day, facts->time_us - 5 * CLOCK_US_PER_SECOND);
}

static char *make_time_settled(char *out, const struct gen_column *column, struct gen_facts *facts)
{
	(void)column;
	return gen_text_time(out, &facts->last_day, facts->time_us + (int64_t)facts->latency_ms * US_PER_MS);
}

static char *make_time_ended(char *out, const struct gen_column *column, struct gen_facts *facts)
{
	(void)column;
	return gen_text_time(out, &facts->last_day, facts->time_us + facts->duration_s * CLOCK_US_PER_SECOND);
}

static char *make_latency(char *out, const struct gen_column *column, struct gen_facts *facts)
{
	(void)column;
	return gen_text_number(out, facts->latency_ms);
}

static char *make_duration(char *out, const struct gen_column *column, struct gen_facts *facts)
{
	(void)column;
	return gen_text_number(out, facts->duration_s);
}

static char *make_count(char *out, const struct gen_column *column, struct gen_facts *facts)
{
	if (column->samples_count > 0)
		return make_sample(out, column, facts);
	return gen_text_number(out, gen_random_below(&facts->random, 6));
}

static char *put_price(char *out, uint64_t hundred_thousandths)
{
	out = gen_text_number(out, hundred_thousandths / 100000);
	*out++ = '.';
	return gen_text_digits(out, hundred_thousandths % 100000, 5);
}

static char *make_price(char *out, const struct gen_column *column, struct gen_facts *facts)
{
	(void)column;
	return put_price(out, facts->place->price);
}

static char *make_total_price(char *out, const struct gen_column *column, struct gen_facts *facts)
{
	uint64_t minutes = facts->by_the_minute ? (facts->duration_s + 59) / 60 : 1;

	(void)column;
	return put_price(out, facts->place->price * minutes);
}

static char *make_currency(char *out, const struct gen_column *column, struct gen_facts *facts)
{
	(void)facts;
	return gen_text_str(out, column->samples_count > 0 ? column->samples[0] : STR_LITERAL("EUR"));
}

static char *make_body(char *out, const struct gen_column *column, struct gen_facts *facts)
{
	(void)column;
	return gen_body_write(out, facts->bodies, &facts->random);
}

static char *make_json(char *out, const struct gen_column *column, struct gen_facts *facts)
{
	(void)column;
	(void)facts;
	return gen_text_str(out, STR_LITERAL("{}"));
}

/* --- which maker --- */

static const struct named_maker {
	const char *name;
	gen_maker make;
} by_name[] = {
	{ "from", make_from },
	{ "to", make_to },
	{ "country", make_country },
	{ "country_code", make_country },
	{ "country_name", make_country_name },
	{ "network", make_network },
	{ "network_name", make_network_name },
	{ "locale", make_locale },

	{ "message_id", make_id },
	{ "application_id", make_shared_uuid },
	{ "conversation_id", make_shared_uuid },
	{ "meeting_id", make_shared_uuid },
	{ "session_id", make_shared_uuid },
	{ "user_id", make_shared_uuid },

	{ "status", make_outcome },
	{ "status_code", make_outcome },
	{ "status_description", make_outcome },
	{ "error_code", make_outcome },
	{ "error_code_description", make_outcome },
	{ "provider_error_code", make_outcome },
	{ "response_code", make_outcome },
	{ "response_result", make_outcome },
	{ "forced_from", make_rare },
	{ "changed_from", make_rare },
	{ "concatenated", make_rarely_true },
	{ "udh", make_rare },
	{ "workflow_id", make_rare },

	{ "call_date_start", make_time_before },
	{ "date_end", make_time_ended },
	{ "end_time", make_time_ended },
	{ "latency", make_latency },
	{ "duration", make_duration },
	{ "currency", make_currency },
	{ "total_price", make_total_price },
};

static const gen_maker by_kind[] = {
	[CATALOG_TEXT] = make_reference, [CATALOG_TIME] = make_time_settled, [CATALOG_MONEY] = make_price,
	[CATALOG_COUNT] = make_count,    [CATALOG_NUMBER] = make_number,     [CATALOG_UUID] = make_uuid,
	[CATALOG_ENUM] = make_sample,    [CATALOG_CURRENCY] = make_sample,   [CATALOG_BODY] = make_body,
	[CATALOG_JSON] = make_json,
};

gen_maker gen_maker_find(const struct catalog_product *product, uint8_t column)
{
	const struct catalog_column *wanted = &product->columns[column];

	if (column == product->account_column)
		return make_account;
	if (column == product->time_column)
		return make_time;
	if (column == product->id_column)
		return make_id;
	if (column == product->direction_column)
		return make_direction;
	for (size_t i = 0; i < sizeof(by_name) / sizeof(by_name[0]); i++)
		if (str_is(wanted->name, by_name[i].name))
			return by_name[i].make;
	if ((size_t)wanted->kind < sizeof(by_kind) / sizeof(by_kind[0]))
		return by_kind[wanted->kind];
	return make_nothing;
}
