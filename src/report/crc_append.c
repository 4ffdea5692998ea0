/* SPDX-License-Identifier: ISC */
/*
 * crc_append.c: see crc_append.h. A part of n bytes multiplies the CRC before it by x^8n, modulo the polynomial.
 *
 * Polynomials have their highest power in the lowest bit, as CRC-32 in zlib does.
 */
#include "report/crc_append.h"

#include <zlib.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

#ifdef __x86_64__
/* The product, and Barrett's reduction of it: by the quotient of x^64 and the polynomial, and by the polynomial. */
__attribute__((target("pclmul"))) static uint32_t multiply_pclmul(uint32_t a, uint32_t b)
{
	const __m128i quotient = _mm_cvtsi64_si128(0x1f7011641), polynomial = _mm_cvtsi64_si128(0x1db710641);
	__m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128(a), _mm_cvtsi64_si128(b), 0);

	product = _mm_slli_epi64(product, 1); /* of 63 bits: x^0 in the highest of 64 */
	uint32_t upper = (uint32_t)_mm_cvtsi128_si32(product);
	__m128i times = _mm_clmulepi64_si128(_mm_cvtsi64_si128(upper), quotient, 0);
	uint32_t whole = (uint32_t)_mm_cvtsi128_si32(times);
	__m128i taken = _mm_clmulepi64_si128(_mm_cvtsi64_si128(whole), polynomial, 0);
	return (uint32_t)((uint64_t)_mm_cvtsi128_si64(_mm_xor_si128(product, taken)) >> 32);
}
#endif

static uint32_t multiply(uint32_t a, uint32_t b)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("pclmul"))
		return multiply_pclmul(a, b);
#endif
	return (uint32_t)crc32_combine_op(a, 0, b);
}

static void fill(struct crc_append *append)
{
	uint32_t power = (uint32_t)crc32_combine_gen(1);

	for (int digit = 0; digit < CRC_APPEND_DIGITS; digit++) {
		uint32_t *powers = append->powers[digit];

		powers[0] = UINT32_C(1) << 31;
		for (int i = 1; i < 256; i++)
			powers[i] = multiply(powers[i - 1], power);
		power = multiply(powers[255], power);
	}
	append->is_ready = true;
}

uint32_t crc_append(struct crc_append *append, uint32_t crc32, uint32_t part_crc32, uint64_t part_bytes)
{
	if (part_bytes >> 8 * CRC_APPEND_DIGITS)
		return (uint32_t)crc32_combine(crc32, part_crc32, (z_off_t)part_bytes);
	if (!append->is_ready)
		fill(append);
	for (int digit = 0; part_bytes > 0; digit++, part_bytes >>= 8)
		crc32 = multiply(crc32, append->powers[digit][part_bytes & 0xff]);
	return crc32 ^ part_crc32;
}
