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

static uint32_t apply(uint32_t crc32, uint32_t part_crc32, uint32_t how)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("pclmul"))
		return multiply_pclmul(how, crc32) ^ part_crc32;
#endif
	return (uint32_t)crc32_combine_op(crc32, part_crc32, how);
}

uint32_t crc_append(struct crc_append *append, uint32_t crc32, uint32_t part_crc32, uint64_t part_bytes)
{
	if (part_bytes >= CRC_APPEND_LENGTHS)
		return (uint32_t)crc32_combine(crc32, part_crc32, (z_off_t)part_bytes);
	uint32_t *how = &append->operators[part_bytes];
	if (*how == 0)
		*how = (uint32_t)crc32_combine_gen((z_off_t)part_bytes);
	return apply(crc32, part_crc32, *how);
}
