/* SPDX-License-Identifier: ISC */
/*
 * test_accounts.c: who may read and who may write; what changes takes effect at once and outlives a restart.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "expect.h"
#include "meta/account_row.h"
#include "meta/accounts.h"
#include "meta/credentials.h"
#include "meta/meta_env.h"
#include "store_fixture.h"

Suite *suite_accounts(void);

#define SECRET "correct horse"
#define OTHER_SECRET "battery staple"

static struct fixture f;

static bool exists(struct str id)
{
	struct error err;
	struct account_key key;
	int found = accounts_look_up(f.meta, id, &key, &err);

	ck_assert_msg(found >= 0, "%s", err.message);
	return found > 0;
}

static bool may_read(const struct account *reader, struct str owner)
{
	struct error err;
	struct account owned;
	struct account_key key;
	int may = accounts_reads(f.meta, reader, owner, &key, &err);

	ck_assert_msg(may >= 0, "%s", err.message);
	if (may > 0)
		ck_assert(accounts_get(f.meta, owner, &owned, &err) == 0 && account_key_equal(&owned.key, &key));
	return may > 0;
}
static struct error err;
static struct account account;

static void setup(void)
{
	fixture_open(&f, FIXTURE_MAP_BYTES);
}

static void teardown(void)
{
	fixture_close(&f);
}

#define ASSERT_FAILS(call, wanted) \
	do { \
		ck_assert_int_eq((call), -1); \
		ck_assert_msg(err.code == (wanted), "%s: got %s (%s), wanted %s", #call, error_code_name(err.code), \
		              err.message, error_code_name(wanted)); \
	} while (0)

static int add(const char *id, const char *parent)
{
	return accounts_add(f.meta, id, parent, "A name", SECRET, &err);
}

static int login(const char *id, const char *secret)
{
	return accounts_check(f.meta, str_from(id), str_from(secret), &account, NULL, &err);
}

static int produce(const char *name, const char *secret)
{
	return producers_check(f.meta, str_from(name), str_from(secret), NULL, &err);
}

START_TEST(account_outlives_a_restart)
{
	ASSERT_OK(add("abcd1234", NULL));
	fixture_restart(&f);
	ASSERT_OK(accounts_get(f.meta, STR_LITERAL("abcd1234"), &account, &err));
	ck_assert_str_eq(account.id, "abcd1234");
	ck_assert_str_eq(account.parent, "");
	ck_assert_str_eq(account.name, "A name");
	ck_assert_int_eq(account.disabled, false);
	ck_assert_int_eq(account.secrets_count, 1);
	ck_assert_uint_eq(account.secrets[0].number, 1);
	ck_assert_int_gt(account.created_us, clock_now_us() - 60 * CLOCK_US_PER_SECOND);
	ASSERT_OK(login("abcd1234", SECRET));
}
END_TEST

START_TEST(account_is_added_once)
{
	ASSERT_OK(add("abcd1234", ""));
	ASSERT_FAILS(add("abcd1234", ""), ERROR_CONFLICT);
	ck_assert_str_eq(err.message, "account abcd1234: exists already");
}
END_TEST

START_TEST(bad_ids_names_and_secrets_are_refused)
{
	char long_text[256];

	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	ASSERT_FAILS(add("", NULL), ERROR_INVALID);
	ASSERT_FAILS(add("abcd.123", NULL), ERROR_INVALID);
	ASSERT_FAILS(add("abcd 123", NULL), ERROR_INVALID);
	ASSERT_FAILS(add(long_text, NULL), ERROR_INVALID);
	ASSERT_FAILS(accounts_add(f.meta, "abcd1234", NULL, long_text, SECRET, &err), ERROR_INVALID);
	ASSERT_FAILS(accounts_add(f.meta, "abcd1234", NULL, "two\nlines", SECRET, &err), ERROR_INVALID);
	ASSERT_FAILS(accounts_add(f.meta, "abcd1234", NULL, "\xff", SECRET, &err), ERROR_INVALID);
	ASSERT_FAILS(accounts_add(f.meta, "abcd1234", NULL, "", "short", &err), ERROR_INVALID);
	ASSERT_FAILS(accounts_add(f.meta, "abcd1234", NULL, "", long_text, &err), ERROR_INVALID);
	ASSERT_FAILS(accounts_add(f.meta, "abcd1234", NULL, "", "tab\tin secret", &err), ERROR_INVALID);
	ck_assert_int_eq(exists(STR_LITERAL("abcd1234")), false);
}
END_TEST

/* Each but the last is the beginning of the next. */
static const char *const lengths[] = { "a", "a-b_c-d", "a-b_c-d_", "a-b_c-d_e",
	                               "a-b_c-d_e-f_g-h_i-j_k-l_m-n_o-p_q-r_s-t_u-v_w-x_y-z_0-1_2-3_4-5_" };

START_TEST(ids_have_1_to_64_characters_and_a_key_each)
{
	struct account_key keys[5], key;
	char id[ACCOUNT_ID_MAX + 1];

	for (int i = 4; i >= 0; i--)
		ASSERT_OK(add(lengths[i], NULL));
	ASSERT_FAILS(add("a-b_c-d_e-f_g-h_i-j_k-l_m-n_o-p_q-r_s-t_u-v_w-x_y-z_0-1_2-3_4-5_6", NULL), ERROR_INVALID);
	fixture_restart(&f);
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(accounts_look_up(f.meta, str_from(lengths[i]), &keys[i], &err), 1);
		ck_assert_int_eq(accounts_look_up(f.meta, str_from(lengths[i]), &key, &err), 1);
		ck_assert_msg(account_key_equal(&key, &keys[i]), "another key from what is remembered");
		ck_assert_int_eq(accounts_id_of_key(f.meta, &key, id, &err), 1);
		ck_assert_str_eq(id, lengths[i]);
		ASSERT_OK(login(lengths[i], SECRET));
		for (int k = 0; k < i; k++)
			ck_assert(!account_key_equal(&keys[k], &keys[i]));
	}
	ck_assert_int_eq(account_key_has_number(&keys[2]), false);
}
END_TEST

START_TEST(a_key_is_never_given_again)
{
	struct account_key first, second;
	char id[ACCOUNT_ID_MAX + 1];

	ASSERT_OK(add("short", NULL));
	ck_assert_int_eq(accounts_look_up(f.meta, STR_LITERAL("short"), &first, &err), 1);
	ASSERT_OK(accounts_set_deleted(f.meta, "short", 1, &err));
	ASSERT_OK(accounts_remove(f.meta, "short", &err));
	ck_assert_int_eq(accounts_id_of_key(f.meta, &first, id, &err), 0);
	ASSERT_OK(add("short", NULL));
	ck_assert_int_eq(accounts_look_up(f.meta, STR_LITERAL("short"), &second, &err), 1);
	ck_assert(!account_key_equal(&first, &second));
}
END_TEST

/* As where a cluster says late that it has records of others. */
START_TEST(numbers_that_are_skipped_are_never_fewer_than_given)
{
	const struct account_key wanted = account_key_of_number(101);
	struct account_key key;
	uint64_t last;

	ASSERT_OK(add("long-name-1", NULL));
	ASSERT_OK(add("long-name-2", NULL));
	ASSERT_OK(accounts_skip_numbers(f.meta, 1, &err));
	ASSERT_OK(accounts_last_number(f.meta, &last, &err));
	ck_assert_uint_eq(last, 2);
	ASSERT_OK(accounts_skip_numbers(f.meta, 100, &err));
	ASSERT_OK(add("long-name-3", NULL));
	ck_assert_int_eq(accounts_look_up(f.meta, STR_LITERAL("long-name-3"), &key, &err), 1);
	ck_assert(account_key_equal(&key, &wanted));
}
END_TEST

START_TEST(while_numbers_are_held_only_accounts_without_one_are_added)
{
	meta_hold_account_numbers(f.meta, true);
	ASSERT_FAILS(add("long-name-1", NULL), ERROR_UNAVAILABLE);
	ASSERT_OK(add("abcd1234", NULL));
	meta_hold_account_numbers(f.meta, false);
	ASSERT_OK(add("long-name-1", NULL));
}
END_TEST

START_TEST(subaccounts_with_ids_of_any_length_belong_to_their_parent)
{
	ASSERT_OK(add("north", NULL));
	ASSERT_OK(add("northern", NULL));
	for (int i = 0; i < 5; i++)
		ASSERT_OK(add(lengths[i], i % 2 ? "north" : "northern"));
	ASSERT_OK(accounts_get(f.meta, STR_LITERAL("north"), &account, &err));
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(may_read(&account, str_from(lengths[i])), i % 2);
	ASSERT_OK(accounts_set_parent(f.meta, lengths[1], "northern", &err));
	ck_assert_int_eq(may_read(&account, str_from(lengths[1])), 0);
	ck_assert_int_eq(may_read(&account, str_from(lengths[3])), 1);
}
END_TEST

START_TEST(parent_must_be_a_primary_account)
{
	ASSERT_FAILS(add("child001", "parent01"), ERROR_NOT_FOUND);
	ASSERT_OK(add("parent01", NULL));
	ASSERT_OK(add("child001", "parent01"));
	ASSERT_FAILS(add("grandkid", "child001"), ERROR_INVALID);
	ck_assert_str_eq(err.message, "parent child001: is itself a subaccount of parent01");
}
END_TEST

START_TEST(account_reads_itself_and_its_subaccounts)
{
	struct account parent, child;

	ASSERT_OK(add("parent01", NULL));
	ASSERT_OK(add("child001", "parent01"));
	ASSERT_OK(add("child002", "parent01"));
	ASSERT_OK(add("stranger", NULL));
	ASSERT_OK(accounts_get(f.meta, STR_LITERAL("parent01"), &parent, &err));
	ASSERT_OK(accounts_get(f.meta, STR_LITERAL("child001"), &child, &err));
	ck_assert(may_read(&parent, STR_LITERAL("parent01")));
	ck_assert(may_read(&parent, STR_LITERAL("child001")));
	ck_assert(may_read(&child, STR_LITERAL("child001")));
	ck_assert(!may_read(&parent, STR_LITERAL("stranger")));
	ck_assert(!may_read(&parent, STR_LITERAL("nobody00")));
	ck_assert(!may_read(&parent, STR_LITERAL("child0012")));
	ck_assert(!may_read(&child, STR_LITERAL("parent01")));
	ck_assert(!may_read(&child, STR_LITERAL("child002")));
}
END_TEST

START_TEST(existence_is_known_at_once)
{
	ck_assert(!exists(STR_LITERAL("abcd1234")));
	ASSERT_OK(add("abcd1234", NULL));
	ck_assert(exists(STR_LITERAL("abcd1234")));
	ck_assert(exists(STR_LITERAL("abcd1234")));
	ck_assert(!exists(STR_LITERAL("ABCD1234")));
	ck_assert(!exists(STR_LITERAL("abcd12345")));
	ck_assert(!exists((struct str){ NULL, 0 }));
	ASSERT_OK(accounts_set_disabled(f.meta, "abcd1234", true, &err));
	ck_assert(exists(STR_LITERAL("abcd1234")));
}
END_TEST

START_TEST(existence_is_right_for_more_accounts_than_are_remembered)
{
	char id[16];

	for (int i = 0; i < 20; i++) {
		snprintf(id, sizeof(id), "acct%04d", i * 100);
		ASSERT_OK(add(id, NULL));
	}
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 4000; i++) {
			snprintf(id, sizeof(id), "acct%04d", i);
			ck_assert_msg(exists(str_from(id)) == (i % 100 == 0 && i < 2000), "%s", id);
		}
}
END_TEST

static bool collect(void *arg, const struct account *one)
{
	struct buf *ids = arg;

	buf_addf(ids, "%s ", one->id);
	return ids->len < 18; /* two ids are enough */
}

START_TEST(accounts_are_listed_in_order_until_told_to_stop)
{
	struct buf ids = { 0 };

	ASSERT_OK(add("cccccccc", NULL));
	ASSERT_OK(add("aaaaaaaa", NULL));
	ASSERT_OK(add("bbbbbbbb", NULL));
	ASSERT_OK(accounts_each(f.meta, collect, &ids, &err));
	ck_assert_str_eq(buf_cstr(&ids), "aaaaaaaa bbbbbbbb ");
	buf_free(&ids);
}
END_TEST

START_TEST(listing_goes_on_from_an_account)
{
	struct buf ids = { 0 };

	ASSERT_OK(add("aaaaaaaa", NULL));
	ASSERT_OK(add("bbbbbbbb", NULL));
	ASSERT_OK(add("cccccccc", NULL));
	ASSERT_OK(accounts_each_from(f.meta, STR_LITERAL("bbbbbbbb"), collect, &ids, &err));
	ck_assert_str_eq(buf_cstr(&ids), "bbbbbbbb cccccccc ");
	buf_free(&ids);
}
END_TEST

static void collect_child(void *arg, struct str id)
{
	buf_addf(arg, "%.*s ", STR_ARGS(id));
}

START_TEST(subaccounts_are_listed_by_parent)
{
	struct buf ids = { 0 };

	ASSERT_OK(add("bbbbbbbb", NULL));
	ASSERT_OK(add("cccccccc", NULL));
	ASSERT_OK(add("dddddddd", "bbbbbbbb"));
	ASSERT_OK(add("aaaaaaaa", "bbbbbbbb"));
	ASSERT_OK(add("eeeeeeee", "cccccccc"));
	ASSERT_OK(accounts_each_child(f.meta, STR_LITERAL("bbbbbbbb"), collect_child, &ids, &err));
	ASSERT_OK(accounts_each_child(f.meta, STR_LITERAL("aaaaaaaa"), collect_child, &ids, &err));
	ck_assert_str_eq(buf_cstr(&ids), "aaaaaaaa dddddddd ");
	buf_free(&ids);
}
END_TEST

START_TEST(credentials_are_right_only_together)
{
	ASSERT_OK(add("abcd1234", NULL));
	ASSERT_OK(accounts_add(f.meta, "efgh5678", NULL, NULL, OTHER_SECRET, &err));
	for (int round = 0; round < 2; round++) { /* the second from the cache */
		ASSERT_OK(login("abcd1234", SECRET));
		ck_assert_str_eq(account.id, "abcd1234");
		ASSERT_OK(login("efgh5678", OTHER_SECRET));
		ck_assert_str_eq(account.id, "efgh5678");
		ASSERT_FAILS(login("abcd1234", OTHER_SECRET), ERROR_UNAUTHORIZED);
		ASSERT_FAILS(login("abcd1234", ""), ERROR_UNAUTHORIZED);
		ASSERT_FAILS(login("abcd1234", "correct hors"), ERROR_UNAUTHORIZED);
		ASSERT_FAILS(login("nobody00", SECRET), ERROR_UNAUTHORIZED);
		ASSERT_FAILS(login("", ""), ERROR_UNAUTHORIZED);
		ASSERT_FAILS(login("abcd", "1234" SECRET), ERROR_UNAUTHORIZED);
	}
}
END_TEST

START_TEST(credentials_are_remembered_for_an_hour_and_not_by_others_names)
{
	struct credentials_cache *cache = credentials_cache_new();
	struct credentials_key key, other;
	uint64_t mark = 0;
	int64_t now_us = 1000, hour_us = CREDENTIALS_KEPT_US;

	ck_assert_ptr_nonnull(cache);
	ck_assert(credentials_cache_key(cache, CREDENTIALS_ACCOUNT, STR_LITERAL("ab"), STR_LITERAL("c"), &key));
	ck_assert(credentials_cache_key(cache, CREDENTIALS_ACCOUNT, STR_LITERAL("a"), STR_LITERAL("bc"), &other));
	credentials_cache_add(cache, &key, now_us, &(struct account){ .id = "ab" }, 7);
	ck_assert_ptr_null(credentials_cache_find(cache, &other, now_us, &mark));
	ck_assert_ptr_nonnull(credentials_cache_find(cache, &key, now_us + hour_us - 1, &mark));
	ck_assert_uint_eq(mark, 7);
	ck_assert_ptr_null(credentials_cache_find(cache, &key, now_us + hour_us, &mark));
	credentials_cache_add(cache, &key, now_us + hour_us, &(struct account){ .id = "ab" }, 7);
	ck_assert_ptr_nonnull(credentials_cache_find(cache, &key, now_us + hour_us, &mark));
	credentials_cache_clear(cache);
	ck_assert_ptr_null(credentials_cache_find(cache, &key, now_us + hour_us, &mark));
	credentials_cache_free(cache);
}
END_TEST

START_TEST(secret_longer_than_any_is_not_cut_to_fit)
{
	char longest[ACCOUNT_SECRET_MAX + 2];

	memset(longest, 's', sizeof(longest));
	longest[ACCOUNT_SECRET_MAX] = '\0';
	ASSERT_OK(accounts_add(f.meta, "abcd1234", NULL, "", longest, &err));
	ASSERT_OK(login("abcd1234", longest));
	longest[ACCOUNT_SECRET_MAX] = 's';
	longest[ACCOUNT_SECRET_MAX + 1] = '\0';
	ASSERT_FAILS(login("abcd1234", longest), ERROR_UNAUTHORIZED);
}
END_TEST

START_TEST(disabling_takes_effect_at_the_next_request)
{
	ASSERT_OK(add("abcd1234", NULL));
	ASSERT_OK(login("abcd1234", SECRET));
	ASSERT_OK(accounts_set_disabled(f.meta, "abcd1234", true, &err));
	ASSERT_FAILS(login("abcd1234", SECRET), ERROR_UNAUTHORIZED);
	ASSERT_OK(accounts_set_disabled(f.meta, "abcd1234", false, &err));
	ASSERT_OK(login("abcd1234", SECRET));
	ASSERT_FAILS(accounts_set_disabled(f.meta, "nobody00", true, &err), ERROR_NOT_FOUND);
}
END_TEST

START_TEST(secret_is_rotated_without_a_gap)
{
	uint32_t number;

	ASSERT_OK(add("abcd1234", NULL));
	ASSERT_OK(login("abcd1234", SECRET));
	ASSERT_OK(accounts_secret_add(f.meta, "abcd1234", OTHER_SECRET, &number, &err));
	ck_assert_uint_eq(number, 2);
	ASSERT_OK(login("abcd1234", SECRET));
	ASSERT_OK(login("abcd1234", OTHER_SECRET));
	ASSERT_OK(accounts_secret_revoke(f.meta, "abcd1234", 1, &err));
	ASSERT_FAILS(login("abcd1234", SECRET), ERROR_UNAUTHORIZED);
	ASSERT_OK(login("abcd1234", OTHER_SECRET));
	ck_assert_int_eq(account.secrets_count, 1);
	ck_assert_uint_eq(account.secrets[0].number, 2);
}
END_TEST

START_TEST(secrets_numbers_are_never_used_again)
{
	uint32_t number;

	ASSERT_OK(add("abcd1234", NULL));
	ASSERT_OK(accounts_secret_add(f.meta, "abcd1234", OTHER_SECRET, &number, &err));
	ASSERT_OK(accounts_secret_revoke(f.meta, "abcd1234", 2, &err));
	ASSERT_FAILS(accounts_secret_revoke(f.meta, "abcd1234", 2, &err), ERROR_NOT_FOUND);
	fixture_restart(&f);
	ASSERT_OK(accounts_secret_add(f.meta, "abcd1234", OTHER_SECRET, &number, &err));
	ck_assert_uint_eq(number, 3);
}
END_TEST

START_TEST(sixth_secret_is_refused)
{
	uint32_t number;

	ASSERT_OK(add("abcd1234", NULL));
	for (int i = 1; i < ACCOUNT_SECRETS_MAX; i++)
		ASSERT_OK(accounts_secret_add(f.meta, "abcd1234", OTHER_SECRET, &number, &err));
	ASSERT_FAILS(accounts_secret_add(f.meta, "abcd1234", OTHER_SECRET, &number, &err), ERROR_LIMIT);
	ck_assert_str_eq(err.message, "account abcd1234: has 5 secrets, at most 5 allowed; revoke one first");
	ASSERT_OK(login("abcd1234", OTHER_SECRET));
	ck_assert_int_eq(account.secrets_count, 5);
}
END_TEST

static int64_t cpu_time_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec * CLOCK_US_PER_SECOND + now.tv_nsec / 1000;
}

static void measure_login(const char *id, int64_t *least_us)
{
	int64_t begin_us = cpu_time_us();

	ASSERT_FAILS(login(id, "a wrong secret"), ERROR_UNAUTHORIZED);
	int64_t took_us = cpu_time_us() - begin_us;
	*least_us = took_us < *least_us ? took_us : *least_us;
}

START_TEST(unknown_account_costs_what_a_wrong_secret_does)
{
	uint32_t number;

	ASSERT_OK(add("onesecrt", NULL));
	ASSERT_OK(add("twosecrt", NULL));
	ASSERT_OK(accounts_secret_add(f.meta, "twosecrt", OTHER_SECRET, &number, &err));
	int64_t unknown = INT64_MAX, one = INT64_MAX, two = INT64_MAX;
	/* CPU time, the least of many, in turns: what others do on the machine does not count, nor that it is slower for a
	 * while. */
	for (int i = 0; i < 20; i++) {
		measure_login("nobody00", &unknown);
		measure_login("onesecrt", &one);
		measure_login("twosecrt", &two);
	}
	/* Well below the fivefold of a check that stops at the secrets there are. */
	ck_assert_msg(one < 2 * unknown && two < 2 * unknown && unknown < 2 * one && unknown < 2 * two,
	              "unknown %lld us, one secret %lld us, two secrets %lld us", (long long)unknown, (long long)one,
	              (long long)two);
}
END_TEST

START_TEST(producer_may_ingest_until_revoked)
{
	ASSERT_OK(producers_add(f.meta, "switch-1.lab", SECRET, NULL, &err));
	ASSERT_FAILS(producers_add(f.meta, "switch-1.lab", SECRET, NULL, &err), ERROR_CONFLICT);
	ASSERT_OK(produce("switch-1.lab", SECRET));
	ASSERT_OK(produce("switch-1.lab", SECRET));
	ASSERT_FAILS(produce("switch-1.lab", OTHER_SECRET), ERROR_UNAUTHORIZED);
	ASSERT_FAILS(produce("switch-2", SECRET), ERROR_UNAUTHORIZED);
	fixture_restart(&f);
	ASSERT_OK(produce("switch-1.lab", SECRET));
	ASSERT_OK(producers_revoke(f.meta, "switch-1.lab", &err));
	ASSERT_FAILS(produce("switch-1.lab", SECRET), ERROR_UNAUTHORIZED);
	ASSERT_FAILS(producers_revoke(f.meta, "switch-1.lab", &err), ERROR_NOT_FOUND);
}
END_TEST

START_TEST(producers_names_are_checked)
{
	ASSERT_FAILS(producers_add(f.meta, "", SECRET, NULL, &err), ERROR_INVALID);
	ASSERT_FAILS(producers_add(f.meta, "a:b", SECRET, NULL, &err), ERROR_INVALID);
	ASSERT_FAILS(producers_add(f.meta, "two words", SECRET, NULL, &err), ERROR_INVALID);
	ASSERT_FAILS(producers_add(f.meta, "name", "short", NULL, &err), ERROR_INVALID);
}
END_TEST

START_TEST(accounts_and_producers_credentials_are_kept_apart)
{
	ASSERT_OK(add("abcd1234", NULL));
	ASSERT_OK(login("abcd1234", SECRET));
	ASSERT_FAILS(produce("abcd1234", SECRET), ERROR_UNAUTHORIZED);
	ASSERT_OK(producers_add(f.meta, "prodprod", SECRET, NULL, &err));
	ASSERT_OK(produce("prodprod", SECRET));
	ASSERT_FAILS(login("prodprod", SECRET), ERROR_UNAUTHORIZED);
}
END_TEST

static bool collect_producer(void *arg, const struct producer *producer)
{
	buf_addf(arg, "%s ", producer->name);
	return true;
}

START_TEST(producers_are_listed_in_order)
{
	struct buf names = { 0 };

	ASSERT_OK(producers_add(f.meta, "b", SECRET, NULL, &err));
	ASSERT_OK(producers_add(f.meta, "a", SECRET, NULL, &err));
	ASSERT_OK(producers_each(f.meta, collect_producer, &names, &err));
	ck_assert_str_eq(buf_cstr(&names), "a b ");
	buf_free(&names);
}
END_TEST

static struct producer get_producer(const char *name)
{
	struct producer producer = { 0 };

	ASSERT_OK(producers_get(f.meta, str_from(name), &producer, &err));
	return producer;
}

START_TEST(settings_of_a_producer_outlive_a_restart_and_its_secret_stays)
{
	struct ingest_settings settings = { .mode = "merge", .version = "seq", .time_zone = "Europe/Berlin" };

	ASSERT_OK(producers_add(f.meta, "switch", SECRET, &settings, &err));
	strcpy(settings.encoding, "WINDOWS-1252");
	settings.mode[0] = '\0';
	ASSERT_OK(producers_set(f.meta, "switch", &settings, &err));
	fixture_restart(&f);
	struct producer producer = get_producer("switch");
	ck_assert_str_eq(producer.settings.mode, "");
	ck_assert_str_eq(producer.settings.version, "seq");
	ck_assert_str_eq(producer.settings.time_zone, "Europe/Berlin");
	ck_assert_str_eq(producer.settings.encoding, "WINDOWS-1252");
	ASSERT_OK(produce("switch", SECRET));
	ASSERT_FAILS(producers_set(f.meta, "other", &settings, &err), ERROR_NOT_FOUND);
	ASSERT_FAILS(producers_get(f.meta, STR_LITERAL("other"), &producer, &err), ERROR_NOT_FOUND);
}
END_TEST

/* [1, created_us, iterations, salt, hash], as rows were before producers had settings. */
static void write_old_producer(const char *name)
{
	struct credential credential;
	struct value_writer w;
	struct buf bytes = { 0 };
	struct change change;

	ASSERT_OK(credential_make(&credential, str_from(SECRET), &err));
	value_begin(&w, &bytes, 1, 1 + CREDENTIAL_VALUE_COUNT);
	value_put_int(&w, 1764000000000000);
	credential_write(&w, &credential);
	ASSERT_OK(change_begin(&change, f.meta, &err));
	ASSERT_OK(change_end(&change, change_put(&change, META_DB_PRODUCERS, str_from(name), buf_str(&bytes), &err),
	                     &err));
	buf_free(&bytes);
}

START_TEST(producer_of_an_older_version_has_no_settings)
{
	write_old_producer("old");
	struct producer producer = get_producer("old");
	for (size_t i = 0; i < INGEST_SETTINGS_COUNT; i++)
		ck_assert_str_eq(ingest_settings_get(&producer.settings, i), "");
	ck_assert_int_eq(producer.created_us, 1764000000000000);
	ASSERT_OK(produce("old", SECRET));
}
END_TEST

static const struct {
	const char *name, *value;
	bool taken;
} settings_rows[] = {
	{ "mode", "replace", true },
	{ "mode", "merge", true },
	{ "mode", "", true },
	{ "mode", "Merge", false },
	{ "mode", "merge and more", false },
	{ "version", "date_finalized", true },
	{ "version", "two words", false },
	{ "time_zone", "Europe/Berlin", true },
	{ "time_zone", "+02:00", true },
	{ "time_zone", "Europe/Nowhere", false },
	{ "time_zone", "../../etc/passwd", false },
	{ "encoding", "ISO-8859-1", true },
	{ "encoding", "windows-1252", true },
	{ "encoding", "latin9000", false },
	{ "encoding", "ISO-8859-1//TRANSLIT", false },
};

START_TEST(settings_of_ingest_are_checked)
{
	struct ingest_settings settings = { 0 };
	size_t i = 0;

	while (strcmp(ingest_settings_name(i), settings_rows[_i].name) != 0)
		i++;
	int result = ingest_settings_set(&settings, i, str_from(settings_rows[_i].value), &err);
	ck_assert_msg((result == 0) == settings_rows[_i].taken, "%s \"%s\": %d", settings_rows[_i].name,
	              settings_rows[_i].value, result);
	ck_assert_str_eq(ingest_settings_get(&settings, i), settings_rows[_i].taken ? settings_rows[_i].value : "");
}
END_TEST

/* A name that leads to itself: whether anything is there cannot be known. */
static void make_unreadable(const char *dir, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	ck_assert_int_eq(symlink(path, path), 0);
}

START_TEST(a_catalog_that_cannot_be_looked_for_is_not_taken_for_missing)
{
	const struct meta_options options = { .data_dir = f.dir, .map_bytes = FIXTURE_MAP_BYTES };
	static const char *const names[] = { "catalog/data.mdb", "days" };
	struct meta *meta = NULL;
	char path[128];

	fixture_stop(&f);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		nftw(f.dir, fixture_remove_entry, 8, FTW_DEPTH | FTW_PHYS);
		snprintf(path, sizeof(path), "%s/catalog", f.dir);
		ck_assert(mkdir(f.dir, 0750) == 0 && mkdir(path, 0750) == 0);
		make_unreadable(f.dir, names[i]);
		ck_assert_int_eq(meta_open(&meta, &options, &err), -1);
		ck_assert_msg(strstr(err.message, names[i] + (i == 0 ? 8 : 0)), "%s", err.message);
	}
	nftw(f.dir, fixture_remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	fixture_start(&f);
}
END_TEST

START_TEST(nothing_is_committed_where_names_cannot_be_synced)
{
	struct env *env = meta_env(f.meta);
	char *path = env->path, nowhere[] = "/nonexistent/catalog";

	env->is_new = true;
	env->path = nowhere;
	int failed = add("abcd1234", NULL);
	if (failed == 0)
		failed = env_commit(env, &err);
	env->path = path;
	ck_assert_int_eq(failed, -1);
	ck_assert(env->is_new && !env->write);
	ck_assert(!exists(STR_LITERAL("abcd1234")));
	ASSERT_OK(add("abcd1234", NULL));
	ASSERT_OK(env_commit(env, &err));
	ck_assert(!env->is_new && exists(STR_LITERAL("abcd1234")));
}
END_TEST

START_TEST(what_a_crash_has_left_of_an_environment_is_removed)
{
	static const char *const names[] = { "", "/data.mdb", "/lock.mdb", "/data.mdb.new" };
	char dir[96], path[128];

	snprintf(dir, sizeof(dir), "%s/left", f.dir);
	ck_assert_int_eq(mkdir(dir, 0750), 0);
	for (size_t i = 1; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", dir, names[i]);
		ck_assert_int_eq(mknod(path, S_IFREG | 0640, 0), 0);
	}
	env_remove(dir);
	ck_assert_int_ne(access(dir, F_OK), 0);
}
END_TEST

Suite *suite_accounts(void)
{
	Suite *suite = suite_create("accounts");
	TCase *tcase = tcase_create("accounts");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, a_catalog_that_cannot_be_looked_for_is_not_taken_for_missing);
	tcase_add_test(tcase, nothing_is_committed_where_names_cannot_be_synced);
	tcase_add_test(tcase, what_a_crash_has_left_of_an_environment_is_removed);
	tcase_add_test(tcase, account_outlives_a_restart);
	tcase_add_test(tcase, account_is_added_once);
	tcase_add_test(tcase, bad_ids_names_and_secrets_are_refused);
	tcase_add_test(tcase, ids_have_1_to_64_characters_and_a_key_each);
	tcase_add_test(tcase, a_key_is_never_given_again);
	tcase_add_test(tcase, numbers_that_are_skipped_are_never_fewer_than_given);
	tcase_add_test(tcase, while_numbers_are_held_only_accounts_without_one_are_added);
	tcase_add_test(tcase, subaccounts_with_ids_of_any_length_belong_to_their_parent);
	tcase_add_test(tcase, parent_must_be_a_primary_account);
	tcase_add_test(tcase, account_reads_itself_and_its_subaccounts);
	tcase_add_test(tcase, existence_is_known_at_once);
	tcase_add_test(tcase, existence_is_right_for_more_accounts_than_are_remembered);
	tcase_add_test(tcase, accounts_are_listed_in_order_until_told_to_stop);
	tcase_add_test(tcase, listing_goes_on_from_an_account);
	tcase_add_test(tcase, subaccounts_are_listed_by_parent);
	tcase_add_test(tcase, credentials_are_right_only_together);
	tcase_add_test(tcase, credentials_are_remembered_for_an_hour_and_not_by_others_names);
	tcase_add_test(tcase, secret_longer_than_any_is_not_cut_to_fit);
	tcase_add_test(tcase, disabling_takes_effect_at_the_next_request);
	tcase_add_test(tcase, secret_is_rotated_without_a_gap);
	tcase_add_test(tcase, secrets_numbers_are_never_used_again);
	tcase_add_test(tcase, sixth_secret_is_refused);
	tcase_add_test(tcase, unknown_account_costs_what_a_wrong_secret_does);
	tcase_add_test(tcase, producer_may_ingest_until_revoked);
	tcase_add_test(tcase, producers_names_are_checked);
	tcase_add_test(tcase, accounts_and_producers_credentials_are_kept_apart);
	tcase_add_test(tcase, producers_are_listed_in_order);
	tcase_add_test(tcase, settings_of_a_producer_outlive_a_restart_and_its_secret_stays);
	tcase_add_test(tcase, producer_of_an_older_version_has_no_settings);
	tcase_add_loop_test(tcase, settings_of_ingest_are_checked, 0, sizeof(settings_rows) / sizeof(settings_rows[0]));
	suite_add_tcase(suite, tcase);
	return suite;
}
