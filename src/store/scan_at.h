/* SPDX-License-Identifier: ISC */
/*
 * scan_at.h: where a scan is; private to store/.
 */
#ifndef CDRD_STORE_SCAN_AT_H
#define CDRD_STORE_SCAN_AT_H

#include "store/scan.h"

/* What the words of a position say: the scan resumes after the record at (day, account, time, seq). */
struct scan_at {
	int32_t day;
	uint32_t account; /* index in the query's accounts */
	int64_t time_us;
	uint64_t seq;
};

static inline void scan_at_write(const struct scan_at *at, struct scan_position *position)
{
	position->words[0] = (uint64_t)(int64_t)at->day;
	position->words[1] = at->account;
	position->words[2] = (uint64_t)at->time_us;
	position->words[3] = at->seq;
}

static inline struct scan_at scan_at_read(const struct scan_position *position)
{
	return (struct scan_at){
		.day = (int32_t)(int64_t)position->words[0],
		.account = (uint32_t)position->words[1],
		.time_us = (int64_t)position->words[2],
		.seq = position->words[3],
	};
}

#endif
