/* SPDX-License-Identifier: ISC */
/*
 * body.c: phrases, and messages strung from them.
 *
 * A body grows phrase by phrase until it has reached a length drawn from [20, 110]; no phrase is longer than 29
 * characters, so that with the space before it none passes 140.
 */
#include "gen/body.h"

#include <stdlib.h>
#include <string.h>

#define TARGET_MIN 20
#define TARGET_SPAN 91

static const char *const phrases[] = {
	"Hi Zo\xc3\xab,",
	"Your code is 481923.",
	"Order 77812, paid, is packed.",
	"See you at 9:30, gate B",
	"\"Click & collect\" is ready",
	"Reply STOP to opt out.",
	/* NOLINTNEXTLINE(bugprone-suspicious-missing-comma): the next letter would be a digit of \x9f. */
	"Gr\xc3\xbc\xc3\x9f"
	"e aus K\xc3\xb6ln,",
	"Ol\xc3\xa1, tudo bem?",
	"It's 50% off, today only!",
	"Total: \xe2\x82\xac"
	"12,50",
	"Krak\xc3\xb3w \xe2\x86\x92 Gda\xc5\x84sk",
	"3 items, 2 parcels",
	"Balance: 1,204.77",
	"caf\xc3\xa9 at the corner",
	"\xe3\x81\x82\xe3\x82\x8a\xe3\x81\x8c\xe3\x81\xa8\xe3\x81\x86",
	"\xce\xba\xce\xb1\xce\xbb\xce\xb7\xce\xbc\xce\xad\xcf\x81\xce\xb1",
	"\xd1\x81\xd0\xbf\xd0\xb0\xd1\x81\xd0\xb8\xd0\xb1\xd0\xbe",
	"\xf0\x9f\x91\x8d",
	"she said \"yes\", finally",
	"saved to C:\\reports",
	"Don't share it with anyone.",
	"Track it with ref. Q7-19044",
	"your appointment was moved,",
	"the driver is 5 minutes away",
};

#define PHRASES_COUNT (sizeof(phrases) / sizeof(phrases[0]))

struct phrase {
	size_t offset; /* in the text of all phrases */
	uint32_t bytes;
	uint32_t characters;
};

struct gen_bodies {
	struct buf text;
	struct phrase list[PHRASES_COUNT];
};

static uint32_t count_characters(const char *text)
{
	uint32_t count = 0;

	for (; *text; text++)
		count += ((unsigned char)*text & 0xc0) != 0x80; /* continuation bytes of a character do not count */
	return count;
}

struct gen_bodies *gen_bodies_new(void (*escape)(struct buf *out, struct str text))
{
	struct gen_bodies *bodies = calloc(1, sizeof(*bodies));

	if (!bodies)
		return NULL;
	for (size_t i = 0; i < PHRASES_COUNT; i++) {
		struct phrase *phrase = &bodies->list[i];

		phrase->offset = bodies->text.len;
		escape(&bodies->text, str_from(phrases[i]));
		phrase->bytes = (uint32_t)(bodies->text.len - phrase->offset);
		phrase->characters = count_characters(phrases[i]);
	}
	if (bodies->text.failed) {
		gen_bodies_free(bodies);
		return NULL;
	}
	return bodies;
}

void gen_bodies_free(struct gen_bodies *bodies)
{
	if (!bodies)
		return;
	buf_free(&bodies->text);
	free(bodies);
}

char *gen_body_write(char *out, const struct gen_bodies *bodies, struct gen_random *random)
{
	uint32_t target = TARGET_MIN + gen_random_below(random, TARGET_SPAN);
	uint32_t length = 0;

	while (length < target) {
		const struct phrase *phrase = &bodies->list[gen_random_below(random, PHRASES_COUNT)];

		if (length > 0) {
			*out++ = ' ';
			length++;
		}
		memcpy(out, bodies->text.data + phrase->offset, phrase->bytes);
		out += phrase->bytes;
		length += phrase->characters;
	}
	return out;
}
