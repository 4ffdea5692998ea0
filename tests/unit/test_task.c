/* SPDX-License-Identifier: ISC */
/*
 * test_task.c: the scheduler of slices: what a turn gives, whose step is next, and tasks that go meanwhile.
 */
#include <check.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/lag.h"
#include "base/task.h"

#define JOBS_MAX 8

/* A task that works for `work_us` a step until its steps are used up. */
struct job {
	struct task task;
	int64_t work_us;
	int steps_left;
	int steps;
	int64_t longest_slice_us;
	struct job *victim; /* cancelled by the next step */
};

static struct event_base *base;
static struct config config;
static struct tasks *tasks;
static struct job jobs[JOBS_MAX];
static char order[4096]; /* of steps: '0' for the first job, ... */
static size_t order_len;

/* With precise times, as the daemon's is. */
static struct event_base *make_base(void)
{
	struct event_config *event_config = event_config_new();
	struct event_base *made;

	ck_assert_ptr_nonnull(event_config);
	event_config_set_flag(event_config, EVENT_BASE_FLAG_PRECISE_TIMER);
	made = event_base_new_with_config(event_config);
	ck_assert_ptr_nonnull(made);
	event_config_free(event_config);
	return made;
}

static void set_up(void)
{
	base = make_base();
	memset(&config, 0, sizeof(config));
	config.sync_concurrent_max = 8;
	tasks = tasks_new(base, &config);
	ck_assert_ptr_nonnull(tasks);
	memset(jobs, 0, sizeof(jobs));
	memset(order, 0, sizeof(order));
	order_len = 0;
}

static void tear_down(void)
{
	for (int i = 0; i < JOBS_MAX; i++)
		if (jobs[i].task.tasks)
			task_cancel(&jobs[i].task);
	tasks_free(tasks);
	event_base_free(base);
}

static void work_for(int64_t us)
{
	int64_t until_us = clock_monotonic_us() + us;

	while (clock_monotonic_us() < until_us)
		;
}

static void step(void *arg, int64_t deadline_us)
{
	struct job *job = arg;
	int64_t slice_us = deadline_us - clock_monotonic_us();

	if (slice_us > job->longest_slice_us)
		job->longest_slice_us = slice_us;
	if (order_len + 1 < sizeof(order))
		order[order_len++] = (char)('0' + (job - jobs));
	job->steps++;
	work_for(job->work_us);
	if (job->victim)
		task_cancel(&job->victim->task);
	if (--job->steps_left <= 0)
		task_cancel(&job->task);
}

static struct job *make_job(int number, const char *owner, enum task_priority priority, int64_t work_us, int steps)
{
	struct job *job = &jobs[number];

	job->work_us = work_us;
	job->steps_left = steps;
	task_init(&job->task, tasks, owner, priority, step, job);
	return job;
}

static struct job *start_job(int number, const char *owner, enum task_priority priority, int64_t work_us, int steps)
{
	struct job *job = make_job(number, owner, priority, work_us, steps);
	struct error err;

	ck_assert_int_eq(task_start(&job->task, &err), 0);
	return job;
}

static void run_a_turn(void)
{
	event_base_loop(base, EVLOOP_ONCE);
}

static void run_all(void)
{
	event_base_dispatch(base);
}

START_TEST(owners_take_turns_equally_however_many_tasks_they_have)
{
	for (int i = 0; i < 4; i++)
		start_job(i, "account1", TASK_PAGES, 100, 100);
	start_job(4, "account2", TASK_PAGES, 100, 50);
	run_all();
	/* Until the second account has finished, the first has had as many steps. */
	size_t others = (size_t)(strrchr(order, '4') - order) + 1 - 50;
	ck_assert_msg(others >= 49 && others <= 51, "%zu steps beside 50", others);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(jobs[i].steps, 100);
}
END_TEST

START_TEST(tasks_of_an_owner_take_turns)
{
	for (int i = 0; i < 3; i++)
		start_job(i, "account1", TASK_PAGES, 10, 3);
	run_all();
	ck_assert_str_eq(order, "012012012");
}
END_TEST

START_TEST(turn_ends_when_its_time_is_spent)
{
	int64_t begin_us, took_us;

	start_job(0, "account1", TASK_PAGES, 500, 1000);
	start_job(1, "account2", TASK_PAGES, 500, 1000);
	begin_us = clock_monotonic_us();
	run_a_turn();
	took_us = clock_monotonic_us() - begin_us;
	ck_assert_int_gt(jobs[0].steps, 0);
	ck_assert_int_le(jobs[0].steps + jobs[1].steps, TASK_SHARED_TURN_US / 500);
	ck_assert_msg(took_us >= TASK_SHARED_TURN_US, "%lld us", (long long)took_us);
}
END_TEST

START_TEST(step_is_told_a_deadline_that_leaves_time_for_others)
{
	start_job(0, "account1", TASK_PAGES, 1500, 20);
	start_job(1, "account2", TASK_PAGES, 1500, 21);
	run_all();
	ck_assert_int_le(jobs[0].longest_slice_us, TASK_SHARED_STEP_US);
	ck_assert_int_gt(jobs[0].longest_slice_us, 0);
}
END_TEST

START_TEST(task_that_is_alone_has_the_rest_of_the_turn)
{
	start_job(0, "account1", TASK_PAGES, 100, 100);
	run_all();
	ck_assert_int_le(jobs[0].longest_slice_us, TASK_TURN_US);
	ck_assert_int_gt(jobs[0].longest_slice_us, TASK_STEP_US);
}
END_TEST

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	char byte;

	(void)what;
	ck_assert_int_eq(read(fd, &byte, 1), 1);
	*(int *)arg = jobs[0].steps;
}

START_TEST(sockets_are_served_between_turns)
{
	int fds[2], steps_before = -1;
	struct event *event;

	ck_assert_int_eq(pipe(fds), 0);
	event = event_new(base, fds[0], EV_READ | EV_PERSIST, on_ready, &steps_before);
	event_add(event, NULL);
	start_job(0, "account1", TASK_PAGES, TASK_STEP_US, 100);
	run_a_turn();
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	int steps_then = jobs[0].steps;
	run_a_turn();
	ck_assert_int_eq(steps_before, steps_then);
	event_free(event);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(higher_priority_runs_first_and_the_lower_one_does_not_starve)
{
	start_job(0, "account1", TASK_SUMMARIES, TASK_STEP_US, 3);
	start_job(1, "account2", TASK_IDS, TASK_STEP_US, 60);
	run_all();
	ck_assert_int_eq(order[0], '1');
	const char *low = strchr(order, '0');
	ck_assert_ptr_nonnull(low);
	ck_assert_msg(low - order >= 3 && low - order <= 12, "the first step of the lower one is number %d",
	              (int)(low - order));
	ck_assert_int_lt(strrchr(order, '0') - order, 60);
}
END_TEST

START_TEST(step_may_cancel_itself_and_others)
{
	start_job(0, "account1", TASK_PAGES, 10, 1);
	start_job(1, "account1", TASK_PAGES, 10, 100);
	start_job(2, "account2", TASK_PAGES, 10, 100);
	start_job(3, "account2", TASK_CHANGES, 10, 2);
	jobs[0].victim = &jobs[2];
	jobs[3].victim = &jobs[1];
	run_all();
	ck_assert_int_eq(jobs[0].steps, 1);
	ck_assert_int_eq(jobs[2].steps, 0);
	ck_assert_int_gt(jobs[1].steps, 0);
	ck_assert_int_lt(jobs[1].steps_left, 100);
	ck_assert_int_eq(jobs[3].steps, 2);
	ck_assert_uint_eq(tasks_count(tasks, "account1"), 0);
	ck_assert_uint_eq(tasks_count(tasks, "account2"), 0);
}
END_TEST

START_TEST(cap_holds_an_owner_and_what_waits_comes_in_order)
{
	config.sync_concurrent_max = 2;
	for (int i = 0; i < 4; i++)
		start_job(i, "account1", i == 3 ? TASK_IDS : TASK_PAGES, 10, 2);
	ck_assert_uint_eq(tasks_count(tasks, "account1"), 4);
	run_all();
	ck_assert_str_eq(order, "01013322");
}
END_TEST

START_TEST(task_that_is_suspended_is_one_of_those_under_way)
{
	struct error err;

	config.sync_concurrent_max = 1;
	start_job(0, "account1", TASK_PAGES, 10, 2);
	start_job(1, "account1", TASK_PAGES, 10, 1);
	ck_assert_int_eq(task_suspend(&jobs[0].task, &err), 0);
	event_base_loop(base, EVLOOP_NONBLOCK);
	ck_assert_str_eq(order, "");
	ck_assert_uint_eq(tasks_count(tasks, "account1"), 2);
	ck_assert_int_eq(task_start(&jobs[0].task, &err), 0);
	run_all();
	ck_assert_str_eq(order, "001");
	/* one that was not started before */
	make_job(2, "account1", TASK_PAGES, 10, 1);
	ck_assert_int_eq(task_suspend(&jobs[2].task, &err), 0);
	start_job(3, "account1", TASK_PAGES, 10, 1);
	event_base_loop(base, EVLOOP_NONBLOCK);
	ck_assert_str_eq(order, "001");
	task_cancel(&jobs[2].task);
	run_all();
	ck_assert_str_eq(order, "0013");
	/* alone, it may go on at once */
	make_job(4, "account1", TASK_PAGES, 10, 1);
	ck_assert_int_eq(task_suspend(&jobs[4].task, &err), 0);
	ck_assert(task_try_now(&jobs[4].task));
	ck_assert_str_eq(order, "00134");
	ck_assert_uint_eq(tasks_count(tasks, "account1"), 0);
}
END_TEST

START_TEST(cap_does_not_hold_the_daemon_itself_and_0_is_none)
{
	config.sync_concurrent_max = 1;
	start_job(0, "", TASK_PAGES, 10, 2);
	start_job(1, "", TASK_PAGES, 10, 2);
	run_all();
	ck_assert_str_eq(order, "0101");
	config.sync_concurrent_max = 0;
	start_job(2, "account1", TASK_PAGES, 10, 2);
	start_job(3, "account1", TASK_PAGES, 10, 2);
	run_all();
	ck_assert_str_eq(order, "01012323");
}
END_TEST

START_TEST(short_work_runs_at_once_unless_the_owner_has_some_already)
{
	make_job(0, "account1", TASK_PAGES, 10, 1);
	ck_assert(task_try_now(&jobs[0].task));
	ck_assert_str_eq(order, "0");
	start_job(1, "account1", TASK_PAGES, 10, 1);
	make_job(2, "account1", TASK_PAGES, 10, 1);
	ck_assert(!task_try_now(&jobs[2].task));
	make_job(3, "account2", TASK_PAGES, 10, 1);
	ck_assert(task_try_now(&jobs[3].task));
	ck_assert_str_eq(order, "03");
}
END_TEST

START_TEST(maintenance_has_one_step_a_turn_as_long_as_the_rest_of_it_beside_requests_that_run_at_once)
{
	int checked = 0;

	start_job(0, "", TASK_MAINTENANCE, 10, 1000000);
	while (checked < 10) {
		int64_t begin_us = clock_monotonic_us();

		make_job(1, "account1", TASK_IDS, 10, 1);
		ck_assert(task_try_now(&jobs[1].task));
		int before = jobs[0].steps;
		jobs[0].longest_slice_us = 0;
		run_a_turn();
		int64_t took_us = clock_monotonic_us() - begin_us;
		if (took_us > 2000) /* the machine was busy: the request may be long ago */
			continue;
		ck_assert_int_le(jobs[0].steps - before, 1);
		ck_assert_int_le(jobs[0].longest_slice_us, took_us > TASK_BESIDE_US ? took_us : TASK_BESIDE_US);
		checked += jobs[0].steps > before;
	}
}
END_TEST

START_TEST(maintenance_that_was_passed_over_has_one_step_a_turn_beside_requests_too)
{
	int checked = 0;

	start_job(0, "", TASK_MAINTENANCE, 10, 1000000);
	for (int tries = 0; checked < 3 && tries < 1000; tries++) {
		/* it takes three turns; in the next one, who was passed over is first */
		start_job(1, "", TASK_REPORTS, TASK_TURN_US, 3);
		while (task_is_started(&jobs[1].task))
			run_a_turn();
		int64_t begin_us = clock_monotonic_us();
		make_job(2, "account1", TASK_IDS, 10, 1);
		ck_assert(task_try_now(&jobs[2].task));
		int before = jobs[0].steps;
		run_a_turn();
		if (clock_monotonic_us() - begin_us > 2000) /* the machine was busy: the request may be long ago */
			continue;
		ck_assert_int_le(jobs[0].steps - before, 1);
		checked += jobs[0].steps > before;
	}
	ck_assert_int_eq(checked, 3);
}
END_TEST

START_TEST(maintenance_that_is_urgent_keeps_its_steps_beside_requests)
{
	task_set_urgent(&start_job(0, "", TASK_MAINTENANCE, 10, 1000)->task, true);
	make_job(1, "account1", TASK_IDS, 10, 1);
	ck_assert(task_try_now(&jobs[1].task));
	run_a_turn();
	ck_assert_int_gt(jobs[0].longest_slice_us, TASK_BESIDE_US);
}
END_TEST

static void try_many(evutil_socket_t fd, short what, void *arg)
{
	static const char *const owners[] = { "account0", "account1", "account2", "account3", "account4", "account5" };

	(void)fd;
	(void)what;
	for (int i = 0; i < 6; i++) {
		make_job(i, owners[i], TASK_PAGES, TASK_STEP_US, 1);
		*(int *)arg += task_try_now(&jobs[i].task);
	}
}

START_TEST(what_runs_at_once_is_of_the_turns_time)
{
	static const struct timeval now = { 0, 0 };
	int tried = 0;

	event_base_once(base, -1, EV_TIMEOUT, try_many, &tried, &now);
	run_a_turn();
	/* Fewer where the machine took the processor away meanwhile: what it took is of the turn's time too. */
	ck_assert_int_ge(tried, 1);
	ck_assert_int_le(tried, TASK_TURN_US / TASK_STEP_US);
}
END_TEST

START_TEST(urgent_task_gets_a_step_in_every_turn)
{
	start_job(0, "account1", TASK_PAGES, TASK_STEP_US, 100);
	task_set_urgent(&start_job(1, "", TASK_MAINTENANCE, 100, 100)->task, true);
	for (int i = 0; i < 20; i++)
		run_a_turn();
	/* A turn that comes late gives way to sockets once: every second one at least has it. */
	ck_assert_msg(jobs[1].steps >= 9 && jobs[1].steps <= 20, "%d steps in 20 turns", jobs[1].steps);
	ck_assert_int_ge(jobs[0].steps, 9);
}
END_TEST

START_TEST(all_priorities_get_steps_beside_each_other)
{
	for (int i = 0; i < TASK_PRIORITIES; i++)
		start_job(i, "", (enum task_priority)i, TASK_STEP_US, 100);
	for (int i = 0; i < 100; i++)
		run_a_turn();
	for (int i = 0; i < TASK_PRIORITIES; i++)
		ck_assert_msg(jobs[i].steps >= 4, "priority %d got %d steps in 100 turns", i, jobs[i].steps);
	ck_assert_int_ge(jobs[0].steps, jobs[TASK_MAINTENANCE].steps);
}
END_TEST

/* Ingest: works in every turn until that is over for it. */
struct reader {
	struct event *timer;
	int64_t least_us; /* of a turn */
	int turns;
};

static void on_reader(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval now = { 0, 0 };
	struct reader *reader = arg;

	(void)fd;
	(void)what;
	while (!tasks_turn_is_over(tasks))
		;
	int64_t got_us = lag_turn_us(base);

	if (reader->turns++ == 0 || got_us < reader->least_us)
		reader->least_us = got_us;
	evtimer_add(reader->timer, &now);
}

/* While the tasks that are started work. */
static struct reader read_for(int turns)
{
	static const struct timeval now = { 0, 0 };
	struct reader reader = { .timer = evtimer_new(base, on_reader, &reader) };

	ck_assert_ptr_nonnull(reader.timer);
	evtimer_add(reader.timer, &now);
	while (reader.turns < turns)
		run_a_turn();
	event_free(reader.timer);
	return reader;
}

START_TEST(ingest_has_half_of_a_long_turn_beside_background_work_however_much)
{
	start_job(0, "", TASK_REPORTS, TASK_STEP_US, 1000);
	task_set_urgent(&start_job(1, "", TASK_MAINTENANCE, TASK_STEP_US, 1000)->task, true);
	start_job(2, "", TASK_ADMIN, TASK_STEP_US, 1000);
	struct reader reader = read_for(40);

	ck_assert_int_ge(reader.least_us, TASK_TURN_US / 2);
	/* Every second turn at least has steps of the urgent one, and of the others. */
	ck_assert_int_ge(jobs[1].steps, 15);
	ck_assert_int_ge(jobs[0].steps, 3);
	ck_assert_int_ge(jobs[2].steps, 3);
}
END_TEST

START_TEST(ingest_has_half_of_a_short_turn_beside_requests)
{
	start_job(0, "account1", TASK_PAGES, TASK_SHARED_STEP_US, 1000);
	start_job(1, "", TASK_REPORTS, TASK_SHARED_STEP_US, 1000);
	struct reader reader = read_for(40);

	ck_assert_int_ge(reader.least_us, TASK_SHARED_TURN_US / 2);
	ck_assert_int_ge(jobs[0].steps, 15);
	ck_assert_int_ge(jobs[1].steps, 3);
}
END_TEST

START_TEST(pause_holds_the_next_step_until_it_is_over_or_the_task_is_started)
{
	struct job *job = make_job(0, "", TASK_REPORTS, 10, 1);
	int64_t begin_us = clock_monotonic_us();
	struct error err;

	ck_assert_int_eq(task_start_in(&job->task, 20000, &err), 0);
	ck_assert(task_is_started(&job->task));
	run_all();
	ck_assert_int_eq(job->steps, 1);
	ck_assert_int_ge(clock_monotonic_us() - begin_us, 20000);
	ck_assert(!task_is_started(&job->task));
	ck_assert_int_eq(task_start_in(&job->task, 3600 * CLOCK_US_PER_SECOND, &err), 0);
	ck_assert_int_eq(task_start(&job->task, &err), 0);
	run_all();
	ck_assert_int_eq(job->steps, 2);
	ck_assert_int_eq(task_start_in(&job->task, 3600 * CLOCK_US_PER_SECOND, &err), 0);
	task_cancel(&job->task);
	run_all();
	ck_assert_int_eq(job->steps, 2);
}
END_TEST

static long sleeps(void)
{
	struct rusage usage;

	ck_assert_int_eq(getrusage(RUSAGE_SELF, &usage), 0);
	return usage.ru_nvcsw;
}

START_TEST(loop_does_not_sleep_while_a_task_has_more_to_do)
{
	long before;

	start_job(0, "account1", TASK_REPORTS, 3000, 50);
	before = sleeps();
	run_all();
	ck_assert_int_lt(sleeps() - before, 25);
}
END_TEST

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	*(int *)arg = jobs[0].steps;
}

START_TEST(timers_that_became_due_in_a_turn_come_before_the_next_steps)
{
	static const struct timeval soon = { 0, 1000 };
	int steps = -1;
	struct event *timer = evtimer_new(base, on_timer, &steps);

	start_job(0, "account1", TASK_REPORTS, 5000, 3);
	ck_assert_ptr_nonnull(timer);
	ck_assert_int_eq(evtimer_add(timer, &soon), 0);
	run_all();
	ck_assert_int_eq(steps, 1);
	event_free(timer);
}
END_TEST

START_TEST(cap_does_not_hold_answers_that_are_ready)
{
	config.sync_concurrent_max = 1;
	start_job(0, "account1", TASK_PAGES, 10, 2);
	start_job(1, "account1", TASK_ANSWERS, 10, 2);
	ck_assert_uint_eq(tasks_count(tasks, "account1"), 1);
	run_all();
	ck_assert_str_eq(order, "1100");
}
END_TEST

START_TEST(cancelling_what_is_not_started_does_nothing)
{
	struct error err;

	make_job(0, "account1", TASK_PAGES, 10, 1);
	task_cancel(&jobs[0].task);
	ck_assert_int_eq(task_reserve(&jobs[0].task, &err), 0);
	ck_assert_uint_eq(tasks_count(tasks, "account1"), 0);
	task_cancel(&jobs[0].task);
	run_all();
	ck_assert_int_eq(jobs[0].steps, 0);
}
END_TEST

Suite *suite_task(void);

Suite *suite_task(void)
{
	Suite *suite = suite_create("task");
	TCase *tcase = tcase_create("task");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, owners_take_turns_equally_however_many_tasks_they_have);
	tcase_add_test(tcase, tasks_of_an_owner_take_turns);
	tcase_add_test(tcase, turn_ends_when_its_time_is_spent);
	tcase_add_test(tcase, step_is_told_a_deadline_that_leaves_time_for_others);
	tcase_add_test(tcase, task_that_is_alone_has_the_rest_of_the_turn);
	tcase_add_test(tcase, sockets_are_served_between_turns);
	tcase_add_test(tcase, higher_priority_runs_first_and_the_lower_one_does_not_starve);
	tcase_add_test(tcase, step_may_cancel_itself_and_others);
	tcase_add_test(tcase, cap_holds_an_owner_and_what_waits_comes_in_order);
	tcase_add_test(tcase, task_that_is_suspended_is_one_of_those_under_way);
	tcase_add_test(tcase, cap_does_not_hold_the_daemon_itself_and_0_is_none);
	tcase_add_test(tcase, short_work_runs_at_once_unless_the_owner_has_some_already);
	tcase_add_test(tcase,
	               maintenance_has_one_step_a_turn_as_long_as_the_rest_of_it_beside_requests_that_run_at_once);
	tcase_add_test(tcase, maintenance_that_was_passed_over_has_one_step_a_turn_beside_requests_too);
	tcase_add_test(tcase, maintenance_that_is_urgent_keeps_its_steps_beside_requests);
	tcase_add_test(tcase, what_runs_at_once_is_of_the_turns_time);
	tcase_add_test(tcase, urgent_task_gets_a_step_in_every_turn);
	tcase_add_test(tcase, all_priorities_get_steps_beside_each_other);
	tcase_add_test(tcase, ingest_has_half_of_a_long_turn_beside_background_work_however_much);
	tcase_add_test(tcase, ingest_has_half_of_a_short_turn_beside_requests);
	tcase_add_test(tcase, pause_holds_the_next_step_until_it_is_over_or_the_task_is_started);
	tcase_add_test(tcase, loop_does_not_sleep_while_a_task_has_more_to_do);
	tcase_add_test(tcase, timers_that_became_due_in_a_turn_come_before_the_next_steps);
	tcase_add_test(tcase, cap_does_not_hold_answers_that_are_ready);
	tcase_add_test(tcase, cancelling_what_is_not_started_does_nothing);
	suite_add_tcase(suite, tcase);
	return suite;
}
