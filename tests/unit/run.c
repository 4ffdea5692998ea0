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
