/* One vector type per instruction set, so that a kernel is written once. VW floats to a vector; a mask selects the first n lanes.
   Horizontal sums use one fixed tree. The portable build has no vectors: its kernels are the naive twins (CK_NAIVE). */

/* Sanitizers do not see masked accesses: this touches each lane of one in a way that they see. */
#ifdef CK_SANITIZED
CK_INLINE void v_touch(const float *p, int lanes) {
    for (; lanes; p++, lanes >>= 1)
        if (lanes & 1) (void)*(const volatile float *)p;
}
#else
#define v_touch(p, lanes) ((void)0)
#endif

#if defined(CK_AVX512)
#include <immintrin.h>
#define VW 16
#define MR 8 /* rows of a register tile */
#define NV 3 /* vectors of a register tile */
typedef __m512 vf;
typedef __mmask16 vm;
CK_INLINE vm v_first(int64_t n) { return n >= 16 ? (vm)0xffff : n <= 0 ? (vm)0 : (vm)((1u << n) - 1); }
CK_INLINE vm v_span(int64_t from, int64_t to) { return v_first(to) & (vm)~v_first(from); } /* lanes from..to-1 */
CK_INLINE vf v_load(const float *p) { return _mm512_loadu_ps(p); }
CK_INLINE vf v_loadm(const float *p, vm m) { return v_touch(p, m), _mm512_maskz_loadu_ps(m, p); }
CK_INLINE void v_store(float *p, vf x) { _mm512_storeu_ps(p, x); }
CK_INLINE void v_storem(float *p, vm m, vf x) { v_touch(p, m), _mm512_mask_storeu_ps(p, m, x); }
CK_INLINE vf v_set(float x) { return _mm512_set1_ps(x); }
CK_INLINE vf v_add(vf a, vf b) { return _mm512_add_ps(a, b); }
CK_INLINE vf v_sub(vf a, vf b) { return _mm512_sub_ps(a, b); }
CK_INLINE vf v_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
CK_INLINE vf v_div(vf a, vf b) { return _mm512_div_ps(a, b); }
CK_INLINE vf v_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }   /* a*b + c */
CK_INLINE vf v_fnma(vf a, vf b, vf c) { return _mm512_fnmadd_ps(a, b, c); } /* c - a*b */
CK_INLINE vf v_fms(vf a, vf b, vf c) { return _mm512_fmsub_ps(a, b, c); }   /* a*b - c */
CK_INLINE vf v_count(void) { return _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15); }
CK_INLINE vf v_max(vf a, vf b) { return _mm512_max_ps(a, b); }
CK_INLINE vf v_min(vf a, vf b) { return _mm512_min_ps(a, b); }
CK_INLINE vf v_sqrt(vf a) { return _mm512_sqrt_ps(a); }
CK_INLINE vf v_keep(vm m, vf x, vf other) { return _mm512_mask_blend_ps(m, other, x); }
CK_INLINE vf v_bytes(const int8_t *p) { return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p))); }
CK_INLINE float v_sum(vf x) { return _mm512_reduce_add_ps(x); }
CK_INLINE float v_top(vf x) { return _mm512_reduce_max_ps(x); }
CK_INLINE vf v_round(vf x) { return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
CK_INLINE vf v_scale2(vf x, vf n) { return _mm512_scalef_ps(x, n); } /* x * 2^n */
CK_INLINE vf v_exponent(vf x, vf t) { /* x * 2^t, t in the low bits of a number above 2^23 */
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(x), _mm512_slli_epi32(_mm512_castps_si512(t), 23)));
}

CK_INLINE vf v_greater(vf a, vf b, vf yes, vf no) { return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_GT_OQ), no, yes); }
CK_INLINE int v_any_greater(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ) != 0; }
CK_INLINE void v_turn(vf *r) { /* 16 x 16 in registers */
    vf t[16];
    for (int i = 0; i < 16; i += 2) t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]), t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    for (int i = 0; i < 16; i += 4) {
        r[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(t[i]), _mm512_castps_pd(t[i + 2])));
        r[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(t[i]), _mm512_castps_pd(t[i + 2])));
        r[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(t[i + 1]), _mm512_castps_pd(t[i + 3])));
        r[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(t[i + 1]), _mm512_castps_pd(t[i + 3])));
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0x88), t[i + 4] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0x88), t[i + 12] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0xdd);
    }
    for (int i = 0; i < 8; i++)
        r[i] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88), r[i + 8] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0xdd);
}

#elif defined(CK_AVX2)
#include <immintrin.h>
#define VW 8
#define MR 4
#define NV 3
typedef __m256 vf;
typedef __m256i vm;
CK_INLINE vm v_first(int64_t n) {
    const int lanes = n > 8 ? 8 : n < 0 ? 0 : (int)n;
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(lanes), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
CK_INLINE int v_lanes(vm m) { return _mm256_movemask_ps(_mm256_castsi256_ps(m)); }
CK_INLINE vm v_span(int64_t from, int64_t to) { return _mm256_andnot_si256(v_first(from), v_first(to)); }
CK_INLINE vf v_load(const float *p) { return _mm256_loadu_ps(p); }
CK_INLINE vf v_loadm(const float *p, vm m) { return v_touch(p, v_lanes(m)), _mm256_maskload_ps(p, m); }
CK_INLINE void v_store(float *p, vf x) { _mm256_storeu_ps(p, x); }
CK_INLINE void v_storem(float *p, vm m, vf x) { v_touch(p, v_lanes(m)), _mm256_maskstore_ps(p, m, x); }
CK_INLINE vf v_set(float x) { return _mm256_set1_ps(x); }
CK_INLINE vf v_add(vf a, vf b) { return _mm256_add_ps(a, b); }
CK_INLINE vf v_sub(vf a, vf b) { return _mm256_sub_ps(a, b); }
CK_INLINE vf v_mul(vf a, vf b) { return _mm256_mul_ps(a, b); }
CK_INLINE vf v_div(vf a, vf b) { return _mm256_div_ps(a, b); }
CK_INLINE vf v_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
CK_INLINE vf v_fnma(vf a, vf b, vf c) { return _mm256_fnmadd_ps(a, b, c); }
CK_INLINE vf v_fms(vf a, vf b, vf c) { return _mm256_fmsub_ps(a, b, c); }
CK_INLINE vf v_count(void) { return _mm256_setr_ps(0, 1, 2, 3, 4, 5, 6, 7); }
CK_INLINE vf v_max(vf a, vf b) { return _mm256_max_ps(a, b); }
CK_INLINE vf v_min(vf a, vf b) { return _mm256_min_ps(a, b); }
CK_INLINE vf v_sqrt(vf a) { return _mm256_sqrt_ps(a); }
CK_INLINE vf v_keep(vm m, vf x, vf other) { return _mm256_blendv_ps(other, x, _mm256_castsi256_ps(m)); }
CK_INLINE vf v_bytes(const int8_t *p) { return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)p))); }
CK_INLINE float v_sum(vf x) {
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
CK_INLINE float v_top(vf x) {
    __m128 s = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}
CK_INLINE vf v_round(vf x) { return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
CK_INLINE vf v_scale2(vf x, vf n) { /* two steps, so that results below 2^-126 keep their bits */
    const __m256i i = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(i, 1), rest = _mm256_sub_epi32(i, half);
    const __m256i bias = _mm256_set1_epi32(127);
    const vf a = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(half, bias), 23));
    const vf b = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(rest, bias), 23));
    return _mm256_mul_ps(_mm256_mul_ps(x, a), b);
}
CK_INLINE vf v_exponent(vf x, vf t) {
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(x), _mm256_slli_epi32(_mm256_castps_si256(t), 23)));
}
CK_INLINE vf v_greater(vf a, vf b, vf yes, vf no) { return _mm256_blendv_ps(no, yes, _mm256_cmp_ps(a, b, _CMP_GT_OQ)); }
CK_INLINE int v_any_greater(vf a, vf b) { return _mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_GT_OQ)) != 0; }
CK_INLINE void v_turn(vf *r) { /* 8 x 8 in registers */
    vf t[8];
    for (int i = 0; i < 8; i += 2) t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]), t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    for (int i = 0; i < 8; i += 4) {
        r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44), r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
        r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44), r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    for (int i = 0; i < 4; i++) t[i] = r[i], t[i + 4] = r[i + 4];
    for (int i = 0; i < 4; i++)
        r[i] = _mm256_permute2f128_ps(t[i], t[i + 4], 0x20), r[i + 4] = _mm256_permute2f128_ps(t[i], t[i + 4], 0x31);
}

#else
#define CK_NAIVE 1
#endif

#ifndef CK_NAIVE
/* e^x, relative error below 2 units in the last place on [-87, 88]; e^-87 below (denormal numbers are slow), +inf above; e^0 is
   exactly 1. Range reduction by ln 2 in two parts, then the degree-6 polynomial of Cephes expf. */
CK_INLINE vf v_exp(vf x) {
    x = v_min(v_max(x, v_set(-87.0f)), v_set(89.0f));
    const vf n = v_round(v_mul(x, v_set(1.44269504088896341f)));
    vf r = v_fnma(n, v_set(0.693359375f), x);
    r = v_fnma(n, v_set(-2.12194440e-4f), r);
    vf p = v_set(1.9875691500e-4f);
    p = v_fma(p, r, v_set(1.3981999507e-3f));
    p = v_fma(p, r, v_set(8.3334519073e-3f));
    p = v_fma(p, r, v_set(4.1665795894e-2f));
    p = v_fma(p, r, v_set(1.6666665459e-1f));
    p = v_fma(p, r, v_set(5.0000001201e-1f));
    return v_scale2(v_add(v_fma(v_mul(r, r), p, r), v_set(1.0f)), n);
}

/* 2^x for x up to 126, relative error below 1.7e-7; 2^-126 below that. 2^0 is exactly 1. The rounded x stays in the low bits of
   x + 1.5 * 2^23; the polynomial is the best of degree 5 in relative error on [-1/2, 1/2] with p(0) = 1. */
CK_INLINE vf v_exp2(vf x) {
    const vf big = v_set(12582912.0f);
    x = v_max(x, v_set(-126.0f));
    const vf t = v_add(x, big), r = v_sub(x, v_sub(t, big));
    vf p = v_fma(v_set(0x1.5bba14p-10f), r, v_set(0x1.3cea88p-7f));
    p = v_fma(p, r, v_set(0x1.c6b752p-5f));
    p = v_fma(p, r, v_set(0x1.ebf9bcp-3f));
    p = v_fma(p, r, v_set(0x1.62e42ap-1f));
    return v_exponent(v_fma(p, r, v_set(1.0f)), t);
}

#ifdef CK_AMX
/* The same with a relative error below 1.1e-4, a twentieth of what rounding to bf16 takes. */
CK_INLINE vf v_exp2_short(vf x) {
    const vf big = v_set(12582912.0f);
    x = v_max(x, v_set(-126.0f));
    const vf t = v_add(x, big), r = v_sub(x, v_sub(t, big));
    const vf p = v_fma(v_fma(v_set(0x1.c2a216p-5f), r, v_set(0x1.f00c4cp-3f)), r, v_set(0x1.62f5fap-1f));
    return v_exponent(v_fma(p, r, v_set(1.0f)), t);
}
#endif

/* out[cols, ldo] = in[rows, ld]^T for up to VW x VW elements; columns of out from `rows` up to `fill` become 0. */
CK_INLINE void v_transpose(const float *in, int64_t ld, int64_t rows, int64_t cols, float *out, int64_t ldo, int64_t fill) {
    vf r[VW];
    const vm m = v_first(cols), f = v_first(fill);
    for (int64_t i = 0; i < VW; i++) r[i] = i < rows ? v_loadm(in + i * ld, m) : v_set(0.0f);
    v_turn(r);
    for (int64_t i = 0; i < VW && i < cols; i++) v_storem(out + i * ldo, f, r[i]);
}
#include "gemm.h"
#ifdef CK_AMX
#include "amx.h"
#endif
#endif
