/* SPDX-License-Identifier: ISC */
/*
 * ingest_summary.c: a summary as members of JSON. Declared in ingest.h.
 */
#include "ingest/ingest.h"

void ingest_summary_write(const struct ingest_summary *summary, struct json *json)
{
	json_member_uint(json, "accepted", summary->accepted);
	json_member_uint(json, "updated", summary->updated);
	json_member_uint(json, "duplicates", summary->duplicates);
	json_member_uint(json, "outdated", summary->outdated);
	json_member_uint(json, "rejected", summary->rejected);
}
