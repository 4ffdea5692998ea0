# SPDX-License-Identifier: ISC
# The console's files: its own, in web/, and the libraries from npm, which a tarball has with it.
libcdrd_a_SOURCES += src/console/console.c src/console/console.h
nodist_libcdrd_a_SOURCES += src/console/files.c
CLEANFILES += src/console/files.c

CONSOLE_WEB = \
	src/console/web/action.js \
	src/console/web/api.js \
	src/console/web/app.js \
	src/console/web/bar.js \
	src/console/web/callback_state.js \
	src/console/web/chart.js \
	src/console/web/commands.js \
	src/console/web/console.css \
	src/console/web/csv.js \
	src/console/web/decimal.js \
	src/console/web/dialog.js \
	src/console/web/form.js \
	src/console/web/format.js \
	src/console/web/html.js \
	src/console/web/icon.svg \
	src/console/web/icons.js \
	src/console/web/index.html \
	src/console/web/layout.js \
	src/console/web/load.js \
	src/console/web/main.js \
	src/console/web/operator.html \
	src/console/web/operator.js \
	src/console/web/page.js \
	src/console/web/page_accounts.js \
	src/console/web/page_callbacks.js \
	src/console/web/page_days.js \
	src/console/web/page_jobs.js \
	src/console/web/page_overview.js \
	src/console/web/page_prices.js \
	src/console/web/page_quarantine.js \
	src/console/web/page_reconcile.js \
	src/console/web/page_records.js \
	src/console/web/page_reports.js \
	src/console/web/page_usage.js \
	src/console/web/page_webhooks.js \
	src/console/web/pages.js \
	src/console/web/plan.js \
	src/console/web/prices_statement.js \
	src/console/web/quarantine_drawer.js \
	src/console/web/range.js \
	src/console/web/reconcile_data.js \
	src/console/web/reconcile_form.js \
	src/console/web/reconcile_result.js \
	src/console/web/record_drawer.js \
	src/console/web/records_data.js \
	src/console/web/records_find.js \
	src/console/web/records_table.js \
	src/console/web/report_drawer.js \
	src/console/web/report_form.js \
	src/console/web/report_state.js \
	src/console/web/reports_data.js \
	src/console/web/router.js \
	src/console/web/schedules.js \
	src/console/web/scope.js \
	src/console/web/session.js \
	src/console/web/sign_in.js \
	src/console/web/states.js \
	src/console/web/store.js \
	src/console/web/table.js \
	src/console/web/theme.js \
	src/console/web/time.js \
	src/console/web/toast.js \
	src/console/web/usage_breakdown.js \
	src/console/web/usage_chart.js \
	src/console/web/usage_data.js
CONSOLE_LIBS = \
	src/console/lib/htm.js \
	src/console/lib/hooks.js \
	src/console/lib/licences.txt \
	src/console/lib/preact.js \
	src/console/lib/uplot.css \
	src/console/lib/uplot.js
CONSOLE_LOCK = src/console/package.json src/console/package-lock.json src/console/.npmrc

EXTRA_DIST += $(CONSOLE_WEB) $(CONSOLE_LOCK) $(CONSOLE_LIBS) src/console/lib/made tools/console_libs.py tools/gen_console.py
MAINTAINERCLEANFILES = $(CONSOLE_LIBS) src/console/lib/made

if CONSOLE
CONSOLE_FILES = $(CONSOLE_WEB) $(CONSOLE_LIBS)
else
CONSOLE_FILES =
endif

src/console/files.c: $(CONSOLE_FILES) $(srcdir)/tools/gen_console.py $(srcdir)/src/console/local.mk
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(PYTHON) $(srcdir)/tools/gen_console.py $@ . $(srcdir) $(CONSOLE_FILES)

$(CONSOLE_LIBS): src/console/lib/made

src/console/lib/made: $(srcdir)/src/console/package-lock.json $(srcdir)/tools/console_libs.py
	$(AM_V_GEN)$(MKDIR_P) src/console && $(PYTHON) $(srcdir)/tools/console_libs.py $(srcdir)/src/console src/console/lib
