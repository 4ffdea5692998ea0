# SPDX-License-Identifier: ISC
# The endpoints.
libcdrd_a_SOURCES += \
	src/api/account_fees.c \
	src/api/account_get.c \
	src/api/account_limits.c src/api/account_limits.h \
	src/api/admission.c \
	src/api/answer_time.c src/api/answer_time.h \
	src/api/api.h \
	src/api/auth.c src/api/auth.h \
	src/api/client_certificate.c src/api/client_certificate.h \
	src/api/cdrs.c \
	src/api/changes.c src/api/changes.h \
	src/api/changes_answer.c \
	src/api/changes_wait.c \
	src/api/console_pages.c src/api/console_pages.h \
	src/api/console_session.c src/api/console_session.h \
	src/api/console_sign_in.c \
	src/api/destination_endpoints.c \
	src/api/estimate.c \
	src/api/form.c src/api/form.h \
	src/api/health.c src/api/health.h \
	src/api/invalid.c src/api/invalid.h \
	src/api/later.c src/api/later.h \
	src/api/link.c src/api/link.h \
	src/api/list_params.c src/api/list_params.h \
	src/api/login.c src/api/login.h \
	src/api/media.c \
	src/api/media_ticket.c \
	src/api/numbers.c src/api/numbers.h \
	src/api/openapi.c src/api/openapi.h \
	src/api/plan.c src/api/plan.h \
	src/api/problem_pages.c src/api/problems.def \
	src/api/products.c \
	src/api/reconcile_endpoints.c \
	src/api/reconcile_list.c \
	src/api/records.c src/api/records.h \
	src/api/records_answer.c \
	src/api/records_read.c \
	src/api/reports.h \
	src/api/reports_body.c \
	src/api/reports_get.c \
	src/api/reports_list.c \
	src/api/reports_post.c \
	src/api/revoked.c src/api/revoked.h \
	src/api/routes.c src/api/routes.def src/api/routes.h \
	src/api/schedule_endpoints.c \
	src/api/summary.c src/api/summary.h \
	src/api/summary_answer.c \
	src/api/summary_turns.c src/api/summary_turns.h \
	src/api/tickets.c src/api/tickets.h \
	src/api/webhook.c \
	src/api/webhook_test.c \
	src/api/work.c src/api/work.h
nodist_libcdrd_a_SOURCES += src/api/openapi_document.c
CLEANFILES += src/api/openapi_document.c
EXTRA_DIST += src/api/api.json tools/gen_openapi.py

OPENAPI_TABLES = \
	$(srcdir)/src/api/api.json \
	$(srcdir)/src/api/problems.def \
	$(srcdir)/src/api/routes.def \
	$(srcdir)/src/base/settings.def \
	$(srcdir)/src/catalog/products.json \
	$(srcdir)/src/query/parameters.def

src/api/openapi_document.c: $(OPENAPI_TABLES) $(srcdir)/tools/gen_openapi.py $(srcdir)/tools/gen_catalog.py $(srcdir)/tools/gen_tables.py
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(PYTHON) $(srcdir)/tools/gen_openapi.py $(srcdir)/src $(PACKAGE_VERSION) $@
