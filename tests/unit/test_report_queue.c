/* SPDX-License-Identifier: ISC */
/*
 * test_report_queue.c: whose job is next.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "report/report_private.h"
#include "report/workers.h"

Suite *suite_report_queue(void);

static struct config config;
static struct reports reports;
static struct report_work works[16];
static int works_count;

static void setup(void)
{
	memset(&reports, 0, sizeof(reports));
	memset(works, 0, sizeof(works));
	works_count = 0;
	TAILQ_INIT(&reports.queues);
	TAILQ_INIT(&reports.workers);
	config.reports_max = 4;
	config.reports_per_account_max = 2;
	reports.config = &config;
}

static void teardown(void)
{
	struct report_queue *queue;

	while ((queue = TAILQ_FIRST(&reports.queues))) {
		struct report_job *job = TAILQ_FIRST(&queue->running);

		report_queue_remove(&reports, job ? job : TAILQ_FIRST(&queue->pending));
	}
}

/* The id of account x's job n ends with "xn". */
static void add(char account, char number)
{
	char creator[] = "00000000", id[] = "00000000-0000-4000-8000-000000000000";

	creator[7] = account;
	id[34] = account;
	id[35] = number;
	ck_assert_ptr_nonnull(report_queue_add(&reports, creator, str_from(id)));
}

/* Starts what may start; the ids' ends in that order. */
static const char *start_all(void)
{
	static char text[64];
	struct report_job *job;
	size_t len = 0;

	while ((job = report_queue_next_pending(&reports))) {
		job->work = &works[works_count++];
		report_queue_started(&reports, job);
		text[len++] = job->id[34];
		text[len++] = job->id[35];
	}
	text[len] = '\0';
	return text;
}

static const char *turns(int count)
{
	static char text[64];
	size_t len = 0;

	for (int i = 0; i < count; i++) {
		struct report_job *job = report_queue_next_running(&reports);

		text[len++] = job ? job->id[34] : '-';
		text[len++] = job ? job->id[35] : '-';
	}
	text[len] = '\0';
	return text;
}

START_TEST(accounts_start_in_turn_up_to_both_limits)
{
	add('a', '1');
	add('a', '2');
	add('a', '3');
	add('b', '1');
	add('c', '1');
	add('c', '2');
	ck_assert_str_eq(start_all(), "a1b1c1a2");
	ck_assert_uint_eq(reports.running_count, 4);
	ck_assert_uint_eq(reports.pending_count, 2);
}
END_TEST

START_TEST(one_account_alone_is_held_to_its_limit)
{
	add('a', '1');
	add('a', '2');
	add('a', '3');
	ck_assert_str_eq(start_all(), "a1a2");
	ck_assert_uint_eq(report_queue_pending(&reports, "0000000a"), 1);
}
END_TEST

START_TEST(a_job_that_is_put_back_is_the_next_one)
{
	add('a', '1');
	add('a', '2');
	add('a', '3');
	start_all();
	report_queue_put_back(&reports, report_queue_find(&reports, "0000000a",
	                                                  STR_LITERAL("00000000-0000-4000-8000-0000000000a2")));
	ck_assert_uint_eq(reports.running_count, 1);
	ck_assert_uint_eq(reports.pending_count, 2);
	ck_assert_uint_eq(report_queue_pending(&reports, "0000000a"), 1); /* its status is PROCESSING */
	ck_assert_str_eq(start_all(), "a2");
	ck_assert_uint_eq(report_queue_pending(&reports, "0000000a"), 1);
	ck_assert_uint_eq(reports.begun_count, 0);
}
END_TEST

/* A front end that makes `room` at once and has `running`. */
static struct known_worker make_worker(uint64_t room, uint64_t running)
{
	return (struct known_worker){ .connect_to = "::127.0.0.1:1",
		                      .room = room,
		                      .running = running,
		                      .seen_us = clock_monotonic_us(),
		                      .resolved_at_us = clock_monotonic_us() };
}

START_TEST(who_makes_the_fewest_is_given_the_next)
{
	struct known_worker one = make_worker(2, 0), other = make_worker(2, 0);

	other.number = 1;
	TAILQ_INSERT_TAIL(&reports.workers, &one, link);
	TAILQ_INSERT_TAIL(&reports.workers, &other, link);
	ck_assert_ptr_null(report_workers_choose(&reports, 0));
	reports.running_count = 1;
	ck_assert_ptr_eq(report_workers_choose(&reports, 0), &one);
	ck_assert_ptr_eq(report_workers_choose(&reports, 0), &other); /* in turn */
	one.running = other.running = reports.away_count = 1;
	reports.running_count = 3 + 1;
	other.running = 2; /* all that it may */
	ck_assert_ptr_eq(report_workers_choose(&reports, 0), &one);
	report_worker_set_aside(&one);
	ck_assert_ptr_null(report_workers_choose(&reports, 0));
	ck_assert(!report_workers_have_room(&reports, 0));
	one.aside_until_us = 0;
	one.seen_us -= 60 * CLOCK_US_PER_SECOND; /* it is gone */
	ck_assert_ptr_null(report_workers_choose(&reports, 0));
}
END_TEST

static struct report_job *pending_job(const char *creator, const char *id)
{
	return report_queue_find(&reports, creator, str_from(id));
}

START_TEST(what_only_this_front_end_makes_waits_for_its_room)
{
	struct known_worker worker = make_worker(8, 0);

	config.reports_max = 1;
	add('a', '1');
	ck_assert_str_eq(start_all(), "a1");
	add('a', '2');
	add('b', '1');
	ck_assert_ptr_null(report_queue_next_pending(&reports));
	TAILQ_INSERT_TAIL(&reports.workers, &worker, link);
	pending_job("0000000a", "00000000-0000-4000-8000-0000000000a2")->stays_here = true;
	ck_assert_str_eq(report_queue_next_pending(&reports)->id, "00000000-0000-4000-8000-0000000000b1");
}
END_TEST

START_TEST(what_waits_for_this_front_end_holds_up_no_other_job_of_its_account)
{
	struct known_worker worker = make_worker(8, 0);

	config.reports_max = 1;
	add('a', '1');
	ck_assert_str_eq(start_all(), "a1");
	add('a', '2');
	add('a', '3');
	add('a', '4');
	TAILQ_INSERT_TAIL(&reports.workers, &worker, link);
	pending_job("0000000a", "00000000-0000-4000-8000-0000000000a2")->stays_here = true;
	pending_job("0000000a", "00000000-0000-4000-8000-0000000000a3")->lost_by = 1;
	ck_assert_str_eq(report_queue_next_pending(&reports)->id, "00000000-0000-4000-8000-0000000000a4");
	config.reports_max = 2;
	ck_assert_str_eq(report_queue_next_pending(&reports)->id, "00000000-0000-4000-8000-0000000000a2");
}
END_TEST

START_TEST(a_job_does_not_go_again_to_a_worker_that_has_lost_it)
{
	struct known_worker one = make_worker(8, 0), other = make_worker(8, 1);

	other.number = 63;
	config.reports_max = 0;
	TAILQ_INSERT_TAIL(&reports.workers, &one, link);
	TAILQ_INSERT_TAIL(&reports.workers, &other, link);
	ck_assert_ptr_eq(report_workers_choose(&reports, report_worker_bit(&one)), &other);
	ck_assert_ptr_eq(report_workers_choose(&reports, report_worker_bit(&other)), &one);
	ck_assert_ptr_null(report_workers_choose(&reports, report_worker_bit(&one) | report_worker_bit(&other)));
	ck_assert(report_workers_have_room(&reports, report_worker_bit(&one)));
	ck_assert(!report_workers_have_room(&reports, report_worker_bit(&one) | report_worker_bit(&other)));
}
END_TEST

START_TEST(one_more_than_may_make_files_is_told_of_and_not_used)
{
	static struct known_worker known[WORKERS_MAX];
	int nobody;

	for (unsigned i = 0; i < WORKERS_MAX; i++) {
		known[i] = make_worker(1, 0);
		known[i].number = i;
		snprintf(known[i].url, sizeof(known[i].url), "http://127.0.0.1:%u", i + 1);
		TAILQ_INSERT_TAIL(&reports.workers, &known[i], link);
	}
	reports.workers_count = WORKERS_MAX;
	reports.asker = (struct forward_asker *)(void *)&nobody;
	log_set_level(LOG_LEVEL_ERROR);
	reports_note_worker(&reports, STR_LITERAL("http://127.0.0.1:64"), 3);
	ck_assert_uint_eq(known[WORKERS_MAX - 1].room, 3);
	ck_assert_int_eq(reports.passed_over_us, 0);
	reports_note_worker(&reports, STR_LITERAL("http://127.0.0.1:65"), 3);
	ck_assert_int_ne(reports.passed_over_us, 0);
	ck_assert_uint_eq(reports.workers_count, WORKERS_MAX);
}
END_TEST

START_TEST(slices_go_by_account_and_then_by_job)
{
	add('a', '1');
	add('a', '2');
	add('b', '1');
	start_all();
	ck_assert_str_eq(turns(6), "a1b1a2b1a1b1");
}
END_TEST

START_TEST(jobs_that_only_wait_to_be_written_get_no_turn)
{
	add('a', '1');
	add('a', '2');
	start_all();
	works[0].ended = true;
	ck_assert_str_eq(turns(2), "a2a2");
	works[1].ended = true;
	ck_assert_str_eq(turns(1), "--");
}
END_TEST

START_TEST(a_slot_that_is_free_again_goes_to_who_has_fewest)
{
	add('a', '1');
	add('a', '2');
	add('b', '1');
	add('b', '2');
	start_all();
	add('a', '3');
	add('c', '1');
	report_queue_remove(&reports, report_queue_find(&reports, "0000000a",
	                                                STR_LITERAL("00000000-0000-4000-8000-0000000000a1")));
	ck_assert_str_eq(start_all(), "c1");
}
END_TEST

/* With one slot in all: a has many, and who comes later need not wait for all of them, nor can who comes again and
 * again keep a from its turn. */
START_TEST(accounts_alternate_when_there_is_one_slot)
{
	config.reports_max = 1;
	add('a', '1');
	add('a', '2');
	add('a', '3');
	ck_assert_str_eq(start_all(), "a1");
	add('b', '1');
	report_queue_remove(&reports, report_queue_find(&reports, "0000000a",
	                                                STR_LITERAL("00000000-0000-4000-8000-0000000000a1")));
	ck_assert_str_eq(start_all(), "b1");
	report_queue_remove(&reports, report_queue_find(&reports, "0000000b",
	                                                STR_LITERAL("00000000-0000-4000-8000-0000000000b1")));
	add('b', '2');
	ck_assert_str_eq(start_all(), "a2");
	report_queue_remove(&reports, report_queue_find(&reports, "0000000a",
	                                                STR_LITERAL("00000000-0000-4000-8000-0000000000a2")));
	ck_assert_str_eq(start_all(), "b2");
}
END_TEST

START_TEST(queue_goes_with_its_last_job)
{
	add('a', '1');
	ck_assert_ptr_null(
		report_queue_find(&reports, "0000000b", STR_LITERAL("00000000-0000-4000-8000-0000000000a1")));
	report_queue_remove(&reports, report_queue_find(&reports, "0000000a",
	                                                STR_LITERAL("00000000-0000-4000-8000-0000000000a1")));
	ck_assert(TAILQ_EMPTY(&reports.queues));
	ck_assert_uint_eq(reports.pending_count, 0);
}
END_TEST

Suite *suite_report_queue(void)
{
	Suite *suite = suite_create("report_queue");
	TCase *tc = tcase_create("queue");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, accounts_start_in_turn_up_to_both_limits);
	tcase_add_test(tc, one_account_alone_is_held_to_its_limit);
	tcase_add_test(tc, a_job_that_is_put_back_is_the_next_one);
	tcase_add_test(tc, who_makes_the_fewest_is_given_the_next);
	tcase_add_test(tc, what_only_this_front_end_makes_waits_for_its_room);
	tcase_add_test(tc, what_waits_for_this_front_end_holds_up_no_other_job_of_its_account);
	tcase_add_test(tc, a_job_does_not_go_again_to_a_worker_that_has_lost_it);
	tcase_add_test(tc, one_more_than_may_make_files_is_told_of_and_not_used);
	tcase_add_test(tc, slices_go_by_account_and_then_by_job);
	tcase_add_test(tc, jobs_that_only_wait_to_be_written_get_no_turn);
	tcase_add_test(tc, a_slot_that_is_free_again_goes_to_who_has_fewest);
	tcase_add_test(tc, accounts_alternate_when_there_is_one_slot);
	tcase_add_test(tc, queue_goes_with_its_last_job);
	suite_add_tcase(suite, tc);
	return suite;
}
