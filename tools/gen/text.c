/* SPDX-License-Identifier: ISC */
/*
 * text.c: numbers and times to text, two digits at a step.
 */
#include "gen/text.h"

#include "base/clock.h"

#define SECONDS_PER_DAY 86400

static const char decimal_pairs[] =
	"0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
	"5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

static void put_pair(char *out, uint64_t below_hundred)
{
	memcpy(out, decimal_pairs + below_hundred * 2, 2);
}

char *gen_text_digits(char *out, uint64_t value, int digits)
{
	char *end = out + digits;

	for (; digits >= 2; digits -= 2) {
		put_pair(out + digits - 2, value % 100);
		value /= 100;
	}
	if (digits == 1)
		*out = (char)('0' + value % 10);
	return end;
}

char *gen_text_number(char *out, uint64_t value)
{
	int digits = 1;

	for (uint64_t rest = value; rest >= 10; rest /= 10)
		digits++;
	return gen_text_digits(out, value, digits);
}

/* `count` bytes of bits, the highest first, as hexadecimal digits. */
static char *put_hex(char *out, uint64_t bits, int count)
{
	static const char digits[] = "0123456789abcdef";

	for (int shift = count * 8 - 4; shift >= 0; shift -= 4)
		*out++ = digits[(bits >> shift) & 15];
	return out;
}

char *gen_text_uuid(char *out, uint64_t high, uint64_t low)
{
	high = (high & ~UINT64_C(0xf000)) | UINT64_C(0x4000);     /* version 4 */
	low = (low & ~(UINT64_C(3) << 62)) | (UINT64_C(2) << 62); /* the variant of RFC 9562 */
	out = put_hex(out, high >> 32, 4);
	*out++ = '-';
	out = put_hex(out, high >> 16, 2);
	*out++ = '-';
	out = put_hex(out, high, 2);
	*out++ = '-';
	out = put_hex(out, low >> 48, 2);
	*out++ = '-';
	return put_hex(out, low, 6);
}

/* A new day, once in many thousand records. */
static void keep_date(struct gen_text_day *last, int32_t day)
{
	struct buf date = { 0 };

	clock_format_day(&date, day);
	if (date.len == sizeof(last->date))
		memcpy(last->date, date.data, sizeof(last->date));
	last->day = day;
	buf_free(&date);
}

char *gen_text_time(char *out, struct gen_text_day *last, int64_t time_us)
{
	int64_t seconds = time_us / CLOCK_US_PER_SECOND;
	int32_t day = (int32_t)(seconds / SECONDS_PER_DAY);
	uint32_t of_day = (uint32_t)(seconds % SECONDS_PER_DAY);

	if (last->day != day || last->date[0] == '\0')
		keep_date(last, day);
	memcpy(out, last->date, 10);
	memcpy(out + 10, "T00:00:00+00:00", 15);
	put_pair(out + 11, of_day / 3600);
	put_pair(out + 14, of_day / 60 % 60);
	put_pair(out + 17, of_day % 60);
	return out + 25;
}
