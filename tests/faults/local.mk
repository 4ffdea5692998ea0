# SPDX-License-Identifier: ISC
# Libraries for LD_PRELOAD, without the sanitizers: tests/blackbox/faults.py and power.py, tests/faults/sweep. Built by hand,
# as nothing else needs libtool.
check_DATA = tests/faults/faults.so tests/faults/powerlog.so
EXTRA_DIST += tests/faults/faults.c tests/faults/powerlog.c tests/faults/fill tests/faults/sweep \
	tests/faults/workload.py
CLEANFILES += tests/faults/faults.so tests/faults/powerlog.so
tests/faults/faults.so: $(srcdir)/tests/faults/faults.c
	$(AM_V_CC)$(MKDIR_P) tests/faults && $(CC) -O1 -g -Wall -Wextra -fPIC -shared -o $@ $(srcdir)/tests/faults/faults.c -ldl
tests/faults/powerlog.so: $(srcdir)/tests/faults/powerlog.c
	$(AM_V_CC)$(MKDIR_P) tests/faults && $(CC) -O1 -g -Wall -Wextra -fPIC -shared -o $@ $(srcdir)/tests/faults/powerlog.c -ldl
