# SPDX-License-Identifier: ISC
libcdrd_a_SOURCES += \
	src/http/access.c src/http/access.h \
	src/http/auth.c \
	src/http/body.c src/http/body.h \
	src/http/cdrs.c \
	src/http/changes.c src/http/changes.h \
	src/http/changes_answer.c \
	src/http/changes_wait.c \
	src/http/chunked.c \
	src/http/connection.c src/http/connection.h \
	src/http/dispatch.c \
	src/http/estimate.c \
	src/http/file.c \
	src/http/http.h \
	src/http/health.c \
	src/http/inflate.c src/http/inflate.h \
	src/http/intake.c \
	src/http/limits.c \
	src/http/link.c src/http/link.h \
	src/http/listen.c \
	src/http/media.c \
	src/http/packing.c src/http/packing.h \
	src/http/parser.c src/http/parser.h \
	src/http/plan.c src/http/plan.h \
	src/http/problem.c src/http/problems.def \
	src/http/problem_pages.c src/http/problem_pages.h \
	src/http/records.c src/http/records.h \
	src/http/records_answer.c \
	src/http/records_read.c \
	src/http/reply.c \
	src/http/reports.c src/http/reports.h \
	src/http/reports_body.c \
	src/http/reports_list.c \
	src/http/reports_post.c \
	src/http/request.c \
	src/http/router.c src/http/router.h \
	src/http/routes.c src/http/routes.h \
	src/http/send.c \
	src/http/server.c src/http/server.h \
	src/http/stats.c \
	src/http/summary.c src/http/summary.h \
	src/http/summary_answer.c \
	src/http/summary_turns.c src/http/summary_turns.h \
	src/http/work.c src/http/work.h \
	src/http/summary_groups.c
