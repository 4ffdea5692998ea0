# SPDX-License-Identifier: ISC
bin_PROGRAMS += cdrctl
cdrctl_SOURCES = \
	src/ctl/account.c \
	src/ctl/backup.c \
	src/ctl/client.c src/ctl/client.h \
	src/ctl/completion.c \
	src/ctl/csv.c \
	src/ctl/ctl.h \
	src/ctl/erase.c \
	src/ctl/grid.c \
	src/ctl/import.c \
	src/ctl/import_result.c src/ctl/import_result.h \
	src/ctl/main.c src/ctl/mapping_try.c \
	src/ctl/nearest.c src/ctl/nearest.h \
	src/ctl/progress.c src/ctl/progress.h \
	src/ctl/quarantine.c \
	src/ctl/reconcile.c \
	src/ctl/render.c src/ctl/render.h src/ctl/secret_file.c src/ctl/secret_file.h \
	src/ctl/restore.c \
	src/ctl/schema.c \
	src/ctl/sniff.c src/ctl/sniff.h \
	src/ctl/source.c src/ctl/source.h src/ctl/source_private.h \
	src/ctl/summary_page.c \
	src/ctl/table_keys.c \
	src/ctl/text.c src/ctl/text.h \
	src/ctl/top.c src/ctl/top.h \
	src/ctl/top_lines.c \
	src/ctl/top_screen.c \
	src/ctl/usage.c src/ctl/usage.h \
	src/ctl/zip.c
cdrctl_CPPFLAGS = $(AM_CPPFLAGS) $(NCURSES_CFLAGS)
cdrctl_LDADD = libcdrd.a $(NCURSES_LIBS)

# The completion is made from the table of commands by the program that has it.
completionsdir = $(datadir)/bash-completion/completions
nodist_completions_DATA = completions/cdrctl
completions/cdrctl: cdrctl$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) completions && ./cdrctl$(EXEEXT) --completion >$@-t && mv $@-t $@
CLEANFILES += completions/cdrctl
