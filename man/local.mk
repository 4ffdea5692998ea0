# SPDX-License-Identifier: ISC
# Manual pages. What they list of settings and commands comes from the tables that the programs are made from.
dist_man_MANS += man/cdrd.8 man/cdrd-mapping.5
nodist_man_MANS += man/cdrd.conf.5 man/cdrctl.1
CLEANFILES += man/cdrd.conf.5 man/cdrctl.1
EXTRA_DIST += man/cdrd.conf.5.in man/cdrctl.1.in tools/gen_tables.py

GEN_TABLES = $(PYTHON) $(srcdir)/tools/gen_tables.py

man/cdrd.conf.5: man/cdrd.conf.5.in src/base/settings.def tools/gen_tables.py
	$(AM_V_at)$(MKDIR_P) man
	$(AM_V_GEN)$(GEN_TABLES) settings-man $(srcdir)/src/base/settings.def $(srcdir)/man/cdrd.conf.5.in >$@.tmp
	$(AM_V_at)mv $@.tmp $@

man/cdrctl.1: man/cdrctl.1.in src/admin/commands.def tools/gen_tables.py
	$(AM_V_at)$(MKDIR_P) man
	$(AM_V_GEN)$(GEN_TABLES) commands-man $(srcdir)/src/admin/commands.def $(srcdir)/man/cdrctl.1.in >$@.tmp
	$(AM_V_at)mv $@.tmp $@
