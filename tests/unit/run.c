/* SPDX-License-Identifier: ISC */
/*
 * run.c: runs the suites of suites.def with Check.
 *
 * Check reads CK_RUN_SUITE=NAME and CK_RUN_CASE=NAME to run a part, CK_FORK=no to run under a debugger, and
 * CK_VERBOSITY=verbose to name every test.
 */
#include <check.h>
#include <stdlib.h>

#define SUITE(name) Suite *suite_##name(void);
#include "suites.def"
#undef SUITE

#define MARKS 500 /* of the passed checks of one test, that are told; then one in as many */

void __real__mark_point(const char *file, int line);
void __wrap__mark_point(const char *file, int line);

/*
 * A check that has passed is told to the process that waits for the test, so that it can say after which one the test died.
 * With the sanitizers that costs more than most checks: it moves what it has read of them byte by byte. So a test with very
 * many checks tells of some of them.
 */
void __wrap__mark_point(const char *file, int line)
{
	static unsigned marks;

	if (++marks <= MARKS || marks % MARKS == 0)
		__real__mark_point(file, line);
}

int main(void)
{
	SRunner *runner = srunner_create(NULL);
	int failed;

#define SUITE(name) srunner_add_suite(runner, suite_##name());
#include "suites.def"
#undef SUITE
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
