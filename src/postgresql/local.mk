# SPDX-License-Identifier: ISC
libcdrd_a_SOURCES += \
	src/postgresql/postgresql.h src/postgresql/sql_statement.h \
	src/postgresql/tables.c src/postgresql/tables.h \
	src/postgresql/binary_values.c
if WITH_POSTGRESQL
libcdrd_a_SOURCES += \
	src/postgresql/pipeline.c src/postgresql/pipeline.h \
	src/postgresql/postgresql.c
else
libcdrd_a_SOURCES += src/postgresql/postgresql_missing.c
endif
