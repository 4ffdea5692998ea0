# SPDX-License-Identifier: ISC
libcdrd_a_SOURCES += \
	src/query/columns.c \
	src/query/cursor.c src/query/cursor_key.c src/query/cursor.h \
	src/query/echo.c \
	src/query/grouping.c \
	src/query/parameters.def \
	src/query/params.c \
	src/query/params_value.c src/query/params_value.h \
	src/query/plan.c \
	src/query/problems.c \
	src/query/query.c src/query/query.h src/query/query_private.h \
	src/query/range.c \
	src/query/values.c
