# SPDX-License-Identifier: ISC
libcdrd_a_SOURCES += \
	src/parquet/parquet.h src/parquet/parquet_private.h \
	src/parquet/parquet_column.c \
	src/parquet/parquet_group.c \
	src/parquet/parquet_hybrid.c \
	src/parquet/parquet_pages.c \
	src/parquet/parquet_schema.c \
	src/parquet/parquet_texts.c \
	src/parquet/parquet_thrift.c src/parquet/parquet_thrift.h
