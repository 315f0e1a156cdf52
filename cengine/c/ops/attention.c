/* Causal grouped-query attention over packed rows, in tiles, without storing the scores.

   q[B,T,H,D] k,v[B,T,G,D] pos[B,T] -> o[B,T,H,D] lse[B,H,T].  Query t sees keys t-pos[t] .. t: pos restarts at 0 with every packed
   row, so rows never see each other. Head h reads key/value head h / (H/G). lse = log2 sum exp of the scaled scores, kept for
   the backward, which computes the probabilities again.
     p = exp(scale q.k) / 2^lse   dv = p^T do   dp = do v^T   ds = p (dp - do.o) scale   dq = ds k   dk = ds^T q
   Forward after Milakov and Gimelshein 2018 (online softmax), tiling after Dao 2023 (FlashAttention-2).

   The lanes of a vector are queries in the forward (so the softmax needs no sums across lanes) and keys in the backward (so that sums over
   queries fill the vectors whatever the size of a head). Each query head sums its own dk and dv, as lanes [D, keys]; bwd_kv
   adds the heads that share a key head, in order. */

enum { FN(apart) = 16 }; /* floats between rows of lanes beyond T, so that they do not meet in one set of the cache */
CK_INLINE int64_t FN(lanes_ld)(int64_t T) { return ck_ceil(T, 16) * 16 + FN(apart); }
#define CK_LOG2E 1.44269504088896341f

#ifdef CK_NAIVE

CK_INLINE float FN(dot)(const float *a, const float *b, int64_t D) {
    float s = 0.0f;
    for (int64_t d = 0; d < D; d++) s += a[d] * b[d];
    return s;
}

/* One query against keys from..to-1 that lie ld floats apart; returns its log2 sum exp. */
CK_INLINE float FN(attend)(const float *q, const float *k, int64_t kld, const float *v, int64_t vld, int64_t from, int64_t to,
                           int64_t D, float scale, float *o) {
    float top = -INFINITY, sum = 0.0f;
    for (int64_t j = from; j < to; j++) top = fmaxf(top, FN(dot)(q, k + j * kld, D) * scale);
    for (int64_t d = 0; d < D; d++) o[d] = 0.0f;
    for (int64_t j = from; j < to; j++) {
        const float p = expf(FN(dot)(q, k + j * kld, D) * scale - top);
        sum += p;
        for (int64_t d = 0; d < D; d++) o[d] += p * v[j * vld + d];
    }
    for (int64_t d = 0; d < D; d++) o[d] /= sum;
    return top * CK_LOG2E + log2f(sum);
}

static void FN(attention_tiles)(int64_t task, int64_t tasks, const float *q, const float *k, const float *v, const int32_t *pos,
                                float *o, float *lse, float *tiles, int64_t B, int64_t T, int64_t H, int64_t G, int64_t D, int64_t Q,
                                float scale) {
    (void)task, (void)tasks, (void)q, (void)k, (void)v, (void)pos, (void)o, (void)lse, (void)tiles, (void)B, (void)T, (void)H, (void)G, (void)D, (void)Q,
        (void)scale; /* only products with bf16 operands take tiles */
}

static void FN(attention_fwd)(int64_t task, int64_t tasks, const float *q, const float *k, const float *v, const int32_t *pos,
                              float *o, float *lse, float *tiles, int64_t B, int64_t T, int64_t H, int64_t G, int64_t D, int64_t Q,
                              float scale) {
    (void)tiles, (void)Q;
    const int64_t blocks = tasks / (B * H), h = task / blocks % H, b = task / blocks / H, g = h / (H / G);
    const ck_range r = ck_part(task % blocks, blocks, T);
    for (int64_t t = r.from; t < r.to; t++) {
        const int64_t at = ((b * T + t) * H + h) * D, kv = (b * T * G + g) * D;
        lse[(b * H + h) * T + t] = FN(attend)(q + at, k + kv, G * D, v + kv, G * D, t - pos[b * T + t], t + 1, D, scale, o + at);
    }
}

static void FN(attention_bwd)(int64_t task, int64_t tasks, const float *dout, const float *q, const float *k, const float *v,
                              const float *o, const float *lse, const int32_t *pos, float *dq, float *dk, float *dv, float *lanes,
                              float *tiles, int64_t B, int64_t T, int64_t H, int64_t G, int64_t D, int64_t Q, int64_t add,
                              float scale) {
    (void)tasks, (void)dk, (void)dv, (void)tiles, (void)B, (void)Q;
    const int64_t h = task % H, b = task / H, g = h / (H / G), ld = FN(lanes_ld)(T);
    float *dkt = lanes + (task * 4 + 2) * D * ld, *dvt = dkt + D * ld;
    memset(dkt, 0, (size_t)(2 * D * ld) * sizeof *dkt);
    for (int64_t t = 0; t < T; t++) {
        const int64_t at = ((b * T + t) * H + h) * D;
        const float own = FN(dot)(dout + at, o + at, D), base = lse[task * T + t];
        if (!(add & 1)) memset(dq + at, 0, (size_t)D * sizeof *dq);
        for (int64_t j = t - pos[b * T + t]; j <= t; j++) {
            const int64_t kv = ((b * T + j) * G + g) * D;
            const float p = exp2f(FN(dot)(q + at, k + kv, D) * scale * CK_LOG2E - base);
            const float ds = p * (FN(dot)(dout + at, v + kv, D) - own);
            for (int64_t d = 0; d < D; d++) {
                dq[at + d] += ds * scale * k[kv + d];
                dkt[d * ld + j] += ds * q[at + d];
                dvt[d * ld + j] += p * dout[at + d];
            }
        }
    }
}

/* Rows of dk and dv (+)= the sums of the heads that share a key head; dk still lacks the scale. */
static void FN(attention_bwd_kv)(int64_t task, int64_t tasks, const float *dout, const float *q, const float *k, const float *v,
                                 const float *o, const float *lse, const int32_t *pos, float *dq, float *dk, float *dv, float *lanes,
                                 float *tiles, int64_t B, int64_t T, int64_t H, int64_t G, int64_t D, int64_t Q, int64_t add,
                                 float scale) {
    (void)dout, (void)q, (void)k, (void)v, (void)o, (void)lse, (void)pos, (void)dq, (void)tiles, (void)Q;
    const ck_rows r = ck_rows_of(task, tasks, B, T);
    const int64_t b = r.from / T, share = H / G, ld = FN(lanes_ld)(T);
    for (int64_t t = r.from; t < r.to; t++)
        for (int64_t i = 0; i < G * D; i++) {
            const int64_t g = i / D, d = i % D;
            float sk = 0.0f, sv = 0.0f;
            for (int64_t h = g * share; h < (g + 1) * share; h++) {
                const float *dkt = lanes + (((b * H + h) * 4 + 2) * D + d) * ld + t - b * T;
                sk += dkt[0], sv += dkt[D * ld];
            }
            dk[t * G * D + i] = (add & 2 ? dk[t * G * D + i] : 0.0f) + sk * scale;
            dv[t * G * D + i] = (add & 4 ? dv[t * G * D + i] : 0.0f) + sv;
        }
}

#else

#ifdef CK_AMX
#define CK_QUERIES 64 /* of a block: whole tiles */
#else
#define CK_QUERIES CK_QBLOCK
#endif

/* A block of CK_QUERIES queries: which keys each sees, its softmax. */
typedef struct {
    float first[CK_QUERIES], last[CK_QUERIES]; /* seen: first <= key <= last, as numbers of the row */
    float top[CK_QUERIES], sum[CK_QUERIES];
    int64_t begin, free_from, free_to; /* keys from `begin` on are seen by some query; keys free_from..free_to-1 by all */
} FN(queries);

CK_INLINE FN(queries) FN(queries_of)(const int32_t *pos, int64_t q0, int64_t rows) {
    FN(queries) a;
    for (int32_t r = 0; r < rows; r++) {
        const int32_t at = (int32_t)q0 + r;
        a.first[r] = (float)(at - pos[at]), a.last[r] = (float)at;
    }
    for (int64_t r = rows; r < CK_QUERIES; r++) a.first[r] = 0.0f, a.last[r] = -1.0f;
    for (int64_t r = 0; r < CK_QUERIES; r++) a.top[r] = -1e20f, a.sum[r] = 0.0f;
    a.begin = q0 - pos[q0];
    a.free_from = q0 + rows - 1 - pos[q0 + rows - 1];
    a.free_to = rows == CK_QUERIES ? q0 + 1 : 0;
    return a;
}

/* x where first <= at <= last, `other` elsewhere. */
CK_INLINE vf FN(seen)(vf first, vf at, vf last, vf x, vf other) {
    return v_greater(at, last, other, v_greater(first, at, other, x));
}

/* out[D][ld] = rows of x, each `stride` floats after the other, as lanes; lanes without a row, up to ld, are 0. */
CK_INLINE void FN(as_lanes)(const float *x, int64_t stride, int64_t rows, int64_t D, float *out, int64_t ld) {
    for (int64_t r = 0; r < ld; r += VW)
        for (int64_t d = 0; d < D; d += VW) v_transpose(x + r * stride + d, stride, rows - r, D - d, out + d * ld + r, ld, VW);
}

/* Rows of y, `stride` floats apart, = the lanes of x[D][ld], times scale. */
CK_INLINE void FN(from_lanes)(const float *x, int64_t ld, int64_t rows, int64_t D, float *y, int64_t stride) {
    for (int64_t r = 0; r < rows; r += VW)
        for (int64_t d = 0; d < D; d += VW)
            v_transpose(x + d * ld + r, ld, D - d, ck_min(VW, rows - r), y + r * stride + d, stride, ck_min(VW, D - d));
}

/* Rows of y, `stride` floats apart, (+)= rows of x, ld floats apart, times factor. */
CK_INLINE void FN(put_rows)(const float *x, int64_t ld, int64_t rows, int64_t D, float factor, float *y, int64_t stride, int add) {
    for (int64_t r = 0; r < rows; r++)
        for (int64_t d = 0; d < D; d += VW) {
            float *to = y + r * stride + d;
            const vm m = v_first(D - d);
            v_storem(to, m, v_fma(v_loadm(x + r * ld + d, m), v_set(factor), add ? v_loadm(to, m) : v_set(0.0f)));
        }
}

/* delta[CK_QUERIES] = do.o of each row, summed in the order of do.v: a query that sees one key gets ds = 0 exactly. */
CK_INLINE void FN(own_products)(const float *dout, int64_t dstride, const float *o, int64_t stride, int64_t rows, int64_t D,
                                float *a, float *delta) {
    float b[CK_HEADMAX * CK_QUERIES];
    FN(as_lanes)(dout, dstride, rows, D, a, CK_QUERIES);
    FN(as_lanes)(o, stride, rows, D, b, CK_QUERIES);
    for (int64_t lane = 0; lane < CK_QUERIES; lane += VW) {
        vf own = v_set(0.0f);
        for (int64_t d = 0; d < D; d++) own = v_fma(v_load(a + d * CK_QUERIES + lane), v_load(b + d * CK_QUERIES + lane), own);
        v_store(delta + lane, own);
    }
}

#ifdef CK_AMX
#include "attention_amx.h"
#else

/* c[MR][NV] = MR rows of A[., D], rs floats apart, times NV vectors of B[D, .], ldb floats apart. */
CK_INLINE void FN(scores)(const float *A, int64_t rs, const float *B, int64_t ldb, int64_t D, vf c[MR][NV]) {
    CK_UNROLL for (int i = 0; i < MR; i++)
        CK_UNROLL for (int j = 0; j < NV; j++) c[i][j] = v_set(0.0f);
    for (int64_t d = 0; d < D; d++) {
        vf b[NV];
        CK_UNROLL for (int j = 0; j < NV; j++) b[j] = v_load(B + d * ldb + j * VW);
        CK_UNROLL for (int i = 0; i < MR; i++) {
            const vf x = v_set(A[i * rs + d]);
            CK_UNROLL for (int j = 0; j < NV; j++) c[i][j] = v_fma(x, b[j], c[i][j]);
        }
    }
}

/* Scores s[keys][CK_QBLOCK] of keys k0.. against queries as lanes (scaled, base 2), and the maximum of each query so far in `top`. Scores that are not seen
   are -1e30. */
static __attribute__((noinline)) void FN(forward_scores)(FN(queries) *a, const float *k, int64_t stride, int64_t k0, int64_t keys,
                                                         const float *lanes, int64_t D, float *s, float *top) {
    const int masked = k0 < a->free_from || k0 + keys > a->free_to;
    float tail[MR * CK_HEADMAX];
    if (keys % MR) { /* the last rows, and zeros: never seen, because keys end where queries do */
        memset(tail, 0, (size_t)(MR * D) * sizeof *tail);
        for (int64_t m = keys / MR * MR, i = 0; m < keys; m++, i++) memcpy(tail + i * D, k + m * stride, (size_t)D * sizeof *tail);
    }
    for (int64_t lane = 0; lane < CK_QBLOCK; lane += NV * VW) {
        vf best[NV];
        CK_UNROLL for (int j = 0; j < NV; j++) best[j] = v_load(a->top + lane + j * VW);
        for (int64_t m = 0; m < keys; m += MR) {
            vf c[MR][NV];
            if (keys - m >= MR) FN(scores)(k + m * stride, stride, lanes + lane, CK_QBLOCK, D, c);
            else FN(scores)(tail, D, lanes + lane, CK_QBLOCK, D, c);
            if (masked) CK_UNROLL for (int i = 0; i < MR; i++)
                CK_UNROLL for (int j = 0; j < NV; j++)
                    c[i][j] = FN(seen)(v_load(a->first + lane + j * VW), v_set((float)(k0 + m + i)), v_load(a->last + lane + j * VW), c[i][j], v_set(-1e30f));
            CK_UNROLL for (int i = 0; i < MR; i++)
                CK_UNROLL for (int j = 0; j < NV; j++) {
                    v_store(s + (m + i) * CK_QBLOCK + lane + j * VW, c[i][j]);
                    best[j] = v_max(best[j], c[i][j]);
                }
        }
        CK_UNROLL for (int j = 0; j < NV; j++) v_store(top + lane + j * VW, best[j]);
    }
}

/* Scores become probabilities against the maximum `top`; the sums and acc[D][CK_QBLOCK] follow it. */
static __attribute__((noinline)) void FN(online_softmax)(FN(queries) *a, float *s, int64_t keys, const float *top, int masked,
                                                       float *acc, int64_t D) {
    for (int64_t lane = 0; lane < CK_QBLOCK; lane += VW) {
        const vf old = v_load(a->top + lane), now = v_load(top + lane);
        vf sum = v_set(0.0f);
        for (int64_t j = 0; j < keys; j++) {
            float *at = s + j * CK_QBLOCK + lane;
            const vf x = v_load(at);
            vf p = v_exp2(v_sub(x, now));
            if (masked) p = v_greater(x, v_set(-1e29f), p, v_set(0.0f));
            v_store(at, p);
            sum = v_add(sum, p);
        }
        const vf before = v_load(a->sum + lane);
        if (v_any_greater(now, old)) {
            const vf shrink = v_exp2(v_sub(old, now));
            sum = v_fma(before, shrink, sum);
            for (int64_t d = 0; d < D; d++) v_store(acc + d * CK_QBLOCK + lane, v_mul(v_load(acc + d * CK_QBLOCK + lane), shrink));
            v_store(a->top + lane, now);
        } else
            sum = v_add(before, sum);
        v_store(a->sum + lane, sum);
    }
}

static void FN(attention_tiles)(int64_t task, int64_t tasks, const float *q, const float *k, const float *v, const int32_t *pos,
                                float *o, float *lse, float *tiles, int64_t B, int64_t T, int64_t H, int64_t G, int64_t D, int64_t Q,
                                float scale) {
    (void)task, (void)tasks, (void)q, (void)k, (void)v, (void)pos, (void)o, (void)lse, (void)tiles, (void)B, (void)T, (void)H, (void)G, (void)D, (void)Q,
        (void)scale; /* only products with bf16 operands take tiles */
}

static void FN(attention_fwd)(int64_t task, int64_t tasks, const float *q, const float *k, const float *v, const int32_t *pos,
                              float *o, float *lse, float *tiles, int64_t B, int64_t T, int64_t H, int64_t G, int64_t D, int64_t Q,
                              float scale) {
    (void)tiles, (void)Q;
    task = tasks - 1 - task; /* the long ones first */
    const int64_t h = task % H, b = task / H % B, g = h / (H / G), q0 = task / H / B * CK_QBLOCK, rows = ck_min(CK_QBLOCK, T - q0);
    const int64_t at = ((b * T + q0) * H + h) * D, kv = (b * T * G + g) * D;
    float s[CK_KBLOCK * CK_QBLOCK], lanes[CK_HEADMAX * CK_QBLOCK], acc[CK_HEADMAX * CK_QBLOCK], top[CK_QBLOCK];
    FN(queries) a = FN(queries_of)(pos + b * T, q0, rows);
    FN(as_lanes)(q + at, H * D, rows, D, lanes, CK_QBLOCK);
    for (int64_t i = 0; i < D * CK_QBLOCK; i++) lanes[i] *= scale * CK_LOG2E;
    memset(acc, 0, (size_t)(D * CK_QBLOCK) * sizeof *acc);
    for (int64_t k0 = a.begin; k0 < q0 + rows; k0 += CK_KBLOCK) {
        const int64_t keys = ck_min(CK_KBLOCK, q0 + rows - k0), masked = k0 < a.free_from || k0 + keys > a.free_to;
        FN(forward_scores)(&a, k + kv + k0 * G * D, G * D, k0, keys, lanes, D, s, top);
        FN(online_softmax)(&a, s, keys, top, masked, acc, D);
        gemm(D, CK_QBLOCK, keys, v + kv + k0 * G * D, 1, G * D, ck_in_place(s, CK_QBLOCK), acc, CK_QBLOCK, acc);
    }
    for (int64_t lane = 0; lane < CK_QBLOCK; lane += VW) {
        const vf inverse = v_div(v_set(1.0f), v_load(a.sum + lane));
        for (int64_t d = 0; d < D; d++) v_store(acc + d * CK_QBLOCK + lane, v_mul(v_load(acc + d * CK_QBLOCK + lane), inverse));
    }
    FN(from_lanes)(acc, CK_QBLOCK, rows, D, o + at, H * D);
    for (int64_t r = 0; r < rows; r++) lse[(b * H + h) * T + q0 + r] = a.top[r] + log2f(a.sum[r]);
}

/* Probabilities p and ds / scale, both [CK_QBLOCK][CK_KBLOCK], of queries against NV vectors of keys, k0 the first. */
static __attribute__((noinline)) void FN(backward_scores)(const FN(queries) *a, const float *q, const float *dout, const float *kt,
                                                          const float *vt, int64_t ld, int64_t k0, int64_t D, float unit,
                                                          const float *delta, float *p, float *ds) {
    const int masked = k0 < a->free_from || k0 + NV * VW > a->free_to;
    for (int64_t m = 0; m < CK_QBLOCK; m += MR) {
        vf c[MR][NV];
        FN(scores)(q + m * D, D, kt, ld, D, c);
        CK_UNROLL for (int i = 0; i < MR; i++)
            CK_UNROLL for (int j = 0; j < NV; j++) {
                vf x = v_exp2(v_fms(c[i][j], v_set(unit), v_set(a->top[m + i])));
                if (masked) {
                    const vf key = v_add(v_set((float)(k0 + j * VW)), v_count());
                    x = FN(seen)(v_set(a->first[m + i]), key, v_set(a->last[m + i]), x, v_set(0.0f));
                }
                v_store(p + (m + i) * CK_KBLOCK + j * VW, x);
            }
        FN(scores)(dout + m * D, D, vt, ld, D, c);
        CK_UNROLL for (int i = 0; i < MR; i++)
            CK_UNROLL for (int j = 0; j < NV; j++) {
                const int64_t e = (m + i) * CK_KBLOCK + j * VW;
                v_store(ds + e, v_mul(v_load(p + e), v_sub(c[i][j], v_set(delta[m + i]))));
            }
    }
}

/* out[CK_QUERIES][D] = rows of x, then zeros. */
CK_INLINE void FN(gather)(const float *x, int64_t stride, int64_t rows, int64_t D, float *out) {
    for (int64_t r = 0; r < rows; r++) memcpy(out + r * D, x + r * stride, (size_t)D * sizeof *out);
    memset(out + rows * D, 0, (size_t)((CK_QUERIES - rows) * D) * sizeof *out);
}

static void FN(attention_bwd)(int64_t task, int64_t tasks, const float *dout, const float *q, const float *k, const float *v,
                              const float *o, const float *lse, const int32_t *pos, float *dq, float *dk, float *dv, float *lanes,
                              float *tiles, int64_t B, int64_t T, int64_t H, int64_t G, int64_t D, int64_t Q, int64_t add,
                              float scale) {
    (void)tasks, (void)dk, (void)dv, (void)tiles, (void)B, (void)Q;
    enum { WIDE = NV * VW };
    const int64_t h = task % H, b = task / H, g = h / (H / G), ld = FN(lanes_ld)(T), kv = (b * T * G + g) * D, wide = ck_ceil(D, VW) * VW;
    float *kt = lanes + task * 4 * D * ld, *vt = kt + D * ld, *dkt = vt + D * ld, *dvt = dkt + D * ld;
    float p[CK_QBLOCK * CK_KBLOCK], ds[CK_QBLOCK * CK_KBLOCK], delta[CK_QBLOCK];
    float qr[CK_HEADMAX * CK_QBLOCK], dor[CK_HEADMAX * CK_QBLOCK], dqr[CK_HEADMAX * CK_QBLOCK];
    FN(as_lanes)(k + kv, G * D, T, D, kt, ld);
    FN(as_lanes)(v + kv, G * D, T, D, vt, ld);
    memset(dkt, 0, (size_t)(2 * D * ld) * sizeof *dkt);
    for (int64_t q0 = 0; q0 < T; q0 += CK_QBLOCK) {
        const int64_t rows = ck_min(CK_QBLOCK, T - q0), at = ((b * T + q0) * H + h) * D;
        FN(queries) a = FN(queries_of)(pos + b * T, q0, rows);
        for (int64_t r = 0; r < rows; r++) a.top[r] = lse[task * T + q0 + r];
        FN(own_products)(dout + at, H * D, o + at, H * D, rows, D, dqr, delta);
        FN(gather)(q + at, H * D, rows, D, qr);
        FN(gather)(dout + at, H * D, rows, D, dor);
        memset(dqr, 0, (size_t)(CK_QBLOCK * wide) * sizeof *dqr);
        const int64_t end = ck_ceil(q0 + rows, 16) * 16;
        for (int64_t k0 = a.begin / 16 * 16, keys; k0 < end; k0 += keys) {
            keys = ck_min(CK_KBLOCK, end - k0);
            for (int64_t n = 0; n < keys; n += WIDE)
                FN(backward_scores)(&a, qr, dor, kt + k0 + n, vt + k0 + n, ld, k0 + n, D, scale * CK_LOG2E, delta, p + n, ds + n);
            gemm(D, keys, CK_QBLOCK, dor, 1, D, ck_in_place(p, CK_KBLOCK), dvt + k0, ld, dvt + k0);
            gemm(D, keys, CK_QBLOCK, qr, 1, D, ck_in_place(ds, CK_KBLOCK), dkt + k0, ld, dkt + k0);
            gemm(CK_QBLOCK, wide, ck_min(keys, T - k0), ds, CK_KBLOCK, 1, ck_in_place(k + kv + k0 * G * D, G * D), dqr, wide, dqr);
        }
        FN(put_rows)(dqr, wide, rows, D, scale, dq + at, H * D, add & 1);
    }
}

/* Rows of dk and dv (+)= the sums of the heads that share a key head; dk still lacks the scale. */
static void FN(attention_bwd_kv)(int64_t task, int64_t tasks, const float *dout, const float *q, const float *k, const float *v,
                                 const float *o, const float *lse, const int32_t *pos, float *dq, float *dk, float *dv, float *lanes,
                                 float *tiles, int64_t B, int64_t T, int64_t H, int64_t G, int64_t D, int64_t Q, int64_t add,
                                 float scale) {
    (void)dout, (void)q, (void)k, (void)v, (void)o, (void)lse, (void)pos, (void)dq, (void)tiles, (void)Q;
    const ck_rows r = ck_rows_of(task, tasks, B, T);
    const int64_t b = r.from / T, share = H / G, ld = FN(lanes_ld)(T);
    float part[VW * VW];
    for (int64_t gd = 0; gd < 2 * G * D; gd += gd % D + VW < D ? VW : D - gd % D) { /* first dk, then dv */
        const int64_t is_v = gd >= G * D, g = gd / D % G, d0 = gd % D, cols = ck_min(VW, D - d0);
        const float *from = lanes + ((b * H + g * share) * 4 + 2 + is_v) * D * ld + d0 * ld;
        float *to = (is_v ? dv : dk) + g * D + d0;
        const vf factor = v_set(is_v ? 1.0f : scale);
        for (int64_t t = r.from; t < r.to; t += VW) {
            for (int64_t d = 0; d < cols; d++) {
                vf sum = v_set(0.0f);
                for (int64_t h = 0; h < share; h++) sum = v_add(sum, v_load(from + h * 4 * D * ld + d * ld + t - b * T));
                v_store(part + d * VW, v_mul(sum, factor));
            }
            const int64_t rows = ck_min(VW, r.to - t);
            vf turned[VW];
            for (int64_t d = 0; d < VW; d++) turned[d] = d < cols ? v_load(part + d * VW) : v_set(0.0f);
            v_turn(turned);
            for (int64_t i = 0; i < rows; i++) {
                float *row = to + (t + i) * G * D;
                const vm m = v_first(cols);
                v_storem(row, m, add & (is_v ? 4 : 2) ? v_add(v_loadm(row, m), turned[i]) : turned[i]);
            }
        }
    }
}

#endif
#endif
