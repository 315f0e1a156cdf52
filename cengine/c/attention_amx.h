/* Attention with bf16 operands in AMX tiles: the same functions as in ops/attention.c, which includes this file and says what they compute.

   Products take bf16 operands, K and V as tiles of a head: rows of 16 keys, or (turned) 16 of D against 32 keys. Queries are scaled before they
   are rounded, and do.o takes the rounded do, so that the backward is the derivative of what the forward computed. */

enum { FN(queries_tiles) = CK_QUERIES / 16 };

/* Tiles of keys first.. of x, `stride` floats apart: rows [keys/16][D/32] and, if `turned`, columns [D/16][T/32]. */
CK_INLINE void FN(head_tiles)(const float *x, int64_t stride, int64_t first, int64_t rows, int64_t T, int64_t D, uint16_t *as_rows,
                              uint16_t *turned) {
    const int64_t deep = ck_ceil(D, 32), long_ = ck_ceil(T, 32);
    for (int64_t t = 0; t < rows; t += 32) {
        const float *at = x + t * stride;
        for (int64_t i = 0; as_rows && i < 32; i += 16)
            for (int64_t k = 0; k < deep; k++)
                amx_rows(at + i * stride + k * 32, stride, rows - t - i, D - k * 32, as_rows + ((first + t + i) / 16 * deep + k) * AMX_TILE);
        for (int64_t d = 0; turned && d < deep * 32; d += 16)
            amx_turned(at + d, stride, rows - t, D - d, turned + (d / 16 * long_ + (first + t) / 32) * AMX_TILE);
    }
}

static void FN(attention_tiles)(int64_t task, int64_t tasks, const float *q, const float *k, const float *v, const int32_t *pos,
                                float *o, float *lse, float *tiles, int64_t B, int64_t T, int64_t H, int64_t G, int64_t D, int64_t Q,
                                float scale) {
    (void)q, (void)pos, (void)o, (void)lse, (void)H, (void)Q, (void)scale;
    const ck_rows r = ck_rows_of(task, tasks, B, T);
    const int64_t b = r.from / T, size = ck_ceil(T, 32) * ck_ceil(D, 32) * 2 * AMX_TILE;
    for (int64_t g = 0; g < G; g++) {
        uint16_t *kt = (uint16_t *)tiles + (b * G + g) * 2 * size;
        FN(head_tiles)(k + (r.from * G + g) * D, G * D, r.from - b * T, r.to - r.from, T, D, kt, NULL);
        FN(head_tiles)(v + (r.from * G + g) * D, G * D, r.from - b * T, r.to - r.from, T, D, NULL, kt + size);
    }
}

/* Rows of a block of queries as pairs of D, [D/32][CK_QUERIES/16]; out[n] is one tile. */
CK_INLINE void FN(query_pairs)(const float *x, int64_t D, uint16_t *out) {
    for (int64_t k = 0; k < ck_ceil(D, 32); k++)
        for (int64_t n = 0; n < FN(queries_tiles); n++)
            amx_pairs_turned(x + n * 16 * D + k * 32, D, 16, D - k * 32, out + (k * FN(queries_tiles) + n) * AMX_TILE);
}

/* out[CK_QUERIES][D] = rows of x times `factor`, then zeros. */
CK_INLINE void FN(gather)(const float *x, int64_t stride, int64_t rows, int64_t D, float factor, float *out) {
    for (int64_t r = 0; r < rows; r++)
        for (int64_t d = 0; d < D; d += VW) v_storem(out + r * D + d, v_first(D - d), v_mul(v_loadm(x + r * stride + d, v_first(D - d)), v_set(factor)));
    memset(out + rows * D, 0, (size_t)((CK_QUERIES - rows) * D) * sizeof *out);
}

/* How `lanes` queries from `lane` on see the 32 keys from k0 on. */
typedef enum { CK_NONE, CK_SOME, CK_ALL } FN(sight);
CK_INLINE FN(sight) FN(sees)(const FN(queries) *a, int64_t lane, int64_t lanes, int64_t k0) {
    const int64_t end = lane + lanes - 1;
    if (a->last[lane] < 0.0f) return CK_NONE;
    if (a->last[end] < 0.0f) return CK_SOME;
    if (a->last[end] < (float)k0 || a->first[lane] > (float)(k0 + 31)) return CK_NONE;
    return a->first[end] <= (float)k0 && a->last[lane] >= (float)(k0 + 31) ? CK_ALL : CK_SOME;
}

/* Scores s[32][CK_QUERIES] of keys k0.. become probabilities, as pairs of keys [CK_QUERIES/16]; maxima, sums and acc[D][CK_QUERIES] follow. */
CK_INLINE void FN(softmax_tiles)(FN(queries) *a, float *s, int64_t k0, float *acc, int64_t D, uint16_t *out) {
    for (int64_t lane = 0; lane < CK_QUERIES; lane += VW) {
        uint16_t *tile = out + lane / 16 * AMX_TILE;
        const FN(sight) sight = FN(sees)(a, lane, VW, k0);
        if (sight == CK_NONE) {
            memset(tile, 0, AMX_TILE * sizeof *tile);
            continue;
        }
        const vf first = v_load(a->first + lane), last = v_load(a->last + lane), old = v_load(a->top + lane);
        vf top = old, sum = v_set(0.0f);
        for (int64_t j = 0; j < 32; j++) {
            float *at = s + j * CK_QUERIES + lane;
            if (sight == CK_SOME) v_store(at, FN(seen)(first, v_set((float)(k0 + j)), last, v_load(at), v_set(-1e30f)));
            top = v_max(top, v_load(at));
        }
        for (int64_t j = 0; j < 32; j += 2) {
            const vf x = v_load(s + j * CK_QUERIES + lane), y = v_load(s + (j + 1) * CK_QUERIES + lane);
            vf p = v_exp2_short(v_sub(x, top)), q = v_exp2_short(v_sub(y, top));
            if (sight == CK_SOME) {
                p = v_greater(x, v_set(-1e29f), p, v_set(0.0f));
                q = v_greater(y, v_set(-1e29f), q, v_set(0.0f));
            }
            sum = v_add(sum, v_add(p, q));
            _mm512_storeu_si512(tile + j * 16, amx_join(p, q));
        }
        if (v_any_greater(top, old)) {
            const vf shrink = v_exp2_short(v_sub(old, top));
            v_store(a->sum + lane, v_mul(v_load(a->sum + lane), shrink));
            for (int64_t d = 0; d < D; d++) v_store(acc + d * CK_QUERIES + lane, v_mul(v_load(acc + d * CK_QUERIES + lane), shrink));
            v_store(a->top + lane, top);
        }
        v_store(a->sum + lane, v_add(v_load(a->sum + lane), sum));
    }
}

static void FN(attention_fwd)(int64_t task, int64_t tasks, const float *q, const float *k, const float *v, const int32_t *pos,
                              float *o, float *lse, float *tiles, int64_t B, int64_t T, int64_t H, int64_t G, int64_t D, int64_t Q,
                              float scale) {
    (void)Q;
    task = tasks - 1 - task; /* the long ones first */
    const int64_t h = task % H, b = task / H % B, g = h / (H / G), q0 = task / H / B * CK_QUERIES, rows = ck_min(CK_QUERIES, T - q0);
    const int64_t at = ((b * T + q0) * H + h) * D, deep = ck_ceil(D, 32), size = ck_ceil(T, 32) * deep * 2 * AMX_TILE;
    const uint16_t *kt = (const uint16_t *)tiles + (b * G + g) * 2 * size, *vt = kt + size;
    float s[32 * CK_QUERIES], x[CK_HEADMAX * CK_QUERIES];
    uint16_t qt[CK_HEADMAX * CK_QUERIES], pt[32 * CK_QUERIES];
    FN(queries) a = FN(queries_of)(pos + b * T, q0, rows);
    amx_begin();
    FN(gather)(q + at, H * D, rows, D, scale * CK_LOG2E, x);
    FN(query_pairs)(x, D, qt);
    float *acc = x; /* [D][CK_QUERIES] */
    memset(acc, 0, (size_t)(deep * 32 * CK_QUERIES) * sizeof *acc);
    for (int64_t k0 = a.begin / 32 * 32; k0 < q0 + rows; k0 += 32) {
        const amx_tiles kr = {kt + k0 / 16 * deep * AMX_TILE, deep, 1}, vr = {vt + k0 / 32 * AMX_TILE, ck_ceil(T, 32), 1};
        amx_product(32, CK_QUERIES, deep, kr, (amx_tiles){qt, 1, FN(queries_tiles)}, s, CK_QUERIES, NULL);
        FN(softmax_tiles)(&a, s, k0, acc, D, pt);
        amx_product(deep * 32, CK_QUERIES, 1, vr, (amx_tiles){pt, 1, FN(queries_tiles)}, acc, CK_QUERIES, acc);
    }
    for (int64_t lane = 0; lane < CK_QUERIES; lane += VW) {
        const vf inverse = v_div(v_set(1.0f), v_load(a.sum + lane));
        for (int64_t d = 0; d < D; d++) v_store(acc + d * CK_QUERIES + lane, v_mul(v_load(acc + d * CK_QUERIES + lane), inverse));
    }
    FN(from_lanes)(acc, CK_QUERIES, rows, D, o + at, H * D);
    for (int64_t r = 0; r < rows; r++) lse[(b * H + h) * T + q0 + r] = a.top[r] + log2f(a.sum[r]);
}

/* Scores s and dp [32][CK_QUERIES] of keys k0.. become tiles: p and ds as rows of keys [2][CK_QUERIES/32], ds as pairs of keys. */
CK_INLINE void FN(backward_lanes)(const FN(queries) *a, const float *s, const float *dp, int64_t k0, const float *delta, uint16_t *pr, uint16_t *dsr,
                                  uint16_t *dsp, const int64_t lane, const FN(sight) sight) {
    vf lse[2], own[2], first[2], last[2];
    CK_UNROLL for (int i = 0; i < 2; i++) {
        lse[i] = v_load(a->top + lane + i * VW), own[i] = v_load(delta + lane + i * VW);
        first[i] = v_load(a->first + lane + i * VW), last[i] = v_load(a->last + lane + i * VW);
    }
    for (int64_t j = 0; j < 32; j += 2) {
        vf p[2][2], ds[2][2];
        CK_UNROLL for (int r = 0; r < 2; r++)
            CK_UNROLL for (int i = 0; i < 2; i++) {
                const int64_t e = (j + r) * CK_QUERIES + lane + i * VW;
                p[r][i] = v_exp2_short(v_sub(v_load(s + e), lse[i]));
                if (sight == CK_SOME) p[r][i] = FN(seen)(first[i], v_set((float)(k0 + j + r)), last[i], p[r][i], v_set(0.0f));
                ds[r][i] = v_mul(p[r][i], v_sub(v_load(dp + e), own[i]));
                if (sight == CK_SOME) ds[r][i] = v_greater(last[i], first[i], ds[r][i], v_set(0.0f)); /* one key: its softmax is constant */
            }
        const int64_t row = (j / 16 * (CK_QUERIES / 32) + lane / 32) * AMX_TILE + j % 16 * 32, pair = lane / 16 * AMX_TILE + j * 16;
        CK_UNROLL for (int r = 0; r < 2; r++) {
            _mm512_storeu_si512(pr + row + r * 32, (__m512i)_mm512_cvtne2ps_pbh(p[r][1], p[r][0]));
            _mm512_storeu_si512(dsr + row + r * 32, (__m512i)_mm512_cvtne2ps_pbh(ds[r][1], ds[r][0]));
            _mm512_storeu_si512(dsp + pair + r * AMX_TILE, amx_join(ds[0][r], ds[1][r]));
        }
    }
}

CK_INLINE void FN(backward_tiles)(const FN(queries) *a, const float *s, const float *dp, int64_t k0, const float *delta, uint16_t *pr, uint16_t *dsr,
                                  uint16_t *dsp) {
    for (int64_t lane = 0; lane < CK_QUERIES; lane += 32)
        switch (FN(sees)(a, lane, 32, k0)) {
        case CK_ALL: FN(backward_lanes)(a, s, dp, k0, delta, pr, dsr, dsp, lane, CK_ALL); break;
        case CK_SOME: FN(backward_lanes)(a, s, dp, k0, delta, pr, dsr, dsp, lane, CK_SOME); break;
        case CK_NONE:
            for (int64_t i = 0; i < 2; i++) {
                const int64_t row = (i * (CK_QUERIES / 32) + lane / 32) * AMX_TILE;
                memset(pr + row, 0, AMX_TILE * sizeof *pr);
                memset(dsr + row, 0, AMX_TILE * sizeof *dsr);
                memset(dsp + (lane / 16 + i) * AMX_TILE, 0, AMX_TILE * sizeof *dsp);
            }
        }
}

/* Rows of a block of queries as pairs of queries, [CK_QUERIES/32][D/16]. */
CK_INLINE void FN(row_pairs)(const float *x, int64_t D, uint16_t *out) {
    const int64_t across = ck_ceil(D, 32) * 2;
    for (int64_t r = 0; r < CK_QUERIES; r += 32)
        for (int64_t d = 0; d < across; d++) amx_pairs(x + r * D + d * 16, D, 32, D - d * 16, out + (r / 32 * across + d) * AMX_TILE);
}

static void FN(attention_bwd)(int64_t task, int64_t tasks, const float *dout, const float *q, const float *k, const float *v,
                              const float *o, const float *lse, const int32_t *pos, float *dq, float *dk, float *dv, float *lanes,
                              float *tiles, int64_t B, int64_t T, int64_t H, int64_t G, int64_t D, int64_t Q, int64_t add,
                              float scale) {
    (void)tasks, (void)dk, (void)dv, (void)B, (void)Q;
    enum { N = CK_KBLOCK };
    const int64_t h = task % H, b = task / H, g = h / (H / G), kv = (b * T * G + g) * D, deep = ck_ceil(D, 32), wide = deep * 32;
    const int64_t size = ck_ceil(T, 32) * wide * 32, ld = FN(lanes_ld)(T);
    uint16_t *kt = (uint16_t *)tiles + task * 3 * size, *vt = kt + size, *kturned = vt + size;
    float *dkh = lanes + task * 4 * (D + 8) * ld, *dvh = dkh + 2 * (D + 8) * ld; /* [T/32*32][wide] */
    float s[N * CK_QUERIES], dp[N * CK_QUERIES], delta[CK_QUERIES], own[CK_HEADMAX * CK_QUERIES];
    float qr[CK_HEADMAX * CK_QUERIES], dor[CK_HEADMAX * CK_QUERIES], dqt[CK_HEADMAX * CK_QUERIES];
    uint16_t qt[CK_HEADMAX * CK_QUERIES], dot[CK_HEADMAX * CK_QUERIES], qp[CK_HEADMAX * CK_QUERIES], dop[CK_HEADMAX * CK_QUERIES];
    uint16_t pr[N * CK_QUERIES], dsr[N * CK_QUERIES], dsp[N * CK_QUERIES];
    amx_begin();
    FN(head_tiles)(k + kv, G * D, 0, T, T, D, kt, kturned);
    FN(head_tiles)(v + kv, G * D, 0, T, T, D, vt, NULL);
    memset(dkh, 0, (size_t)size * sizeof *dkh);
    memset(dvh, 0, (size_t)size * sizeof *dvh);
    for (int64_t q0 = 0; q0 < T; q0 += CK_QUERIES) {
        const int64_t rows = ck_min(CK_QUERIES, T - q0), at = ((b * T + q0) * H + h) * D;
        FN(queries) a = FN(queries_of)(pos + b * T, q0, rows);
        for (int64_t r = 0; r < rows; r++) a.top[r] = lse[task * T + q0 + r];
        FN(gather)(q + at, H * D, rows, D, scale * CK_LOG2E, qr);
        FN(gather)(dout + at, H * D, rows, D, 1.0f, dor);
        for (int64_t i = 0; i < CK_QUERIES * D; i += VW) v_storem(dor + i, v_first(CK_QUERIES * D - i), amx_round(v_loadm(dor + i, v_first(CK_QUERIES * D - i))));
        FN(own_products)(dor, D, o + at, H * D, rows, D, own, delta);
        FN(query_pairs)(qr, D, qt);
        FN(query_pairs)(dor, D, dot);
        FN(row_pairs)(qr, D, qp);
        FN(row_pairs)(dor, D, dop);
        memset(dqt, 0, (size_t)(wide * CK_QUERIES) * sizeof *dqt);
        for (int64_t k0 = a.begin / 32 * 32, keys; k0 < q0 + rows; k0 += keys) {
            keys = ck_min(N, ck_ceil(q0 + rows - k0, 32) * 32);
            const amx_tiles kr = {kt + k0 / 16 * deep * AMX_TILE, deep, 1}, vr = {vt + k0 / 16 * deep * AMX_TILE, deep, 1};
            amx_product(keys, CK_QUERIES, deep, kr, (amx_tiles){qt, 1, FN(queries_tiles)}, s, CK_QUERIES, NULL);
            amx_product(keys, CK_QUERIES, deep, vr, (amx_tiles){dot, 1, FN(queries_tiles)}, dp, CK_QUERIES, NULL);
            for (int64_t j = 0; j < keys; j += 32)
                FN(backward_tiles)(&a, s + j * CK_QUERIES, dp + j * CK_QUERIES, k0 + j, delta, pr + j * CK_QUERIES, dsr + j * CK_QUERIES, dsp + j * CK_QUERIES);
            amx_product(keys, wide, CK_QUERIES / 32, (amx_tiles){pr, CK_QUERIES / 32, 1}, (amx_tiles){dop, 1, deep * 2}, dvh + k0 * wide, wide, dvh + k0 * wide);
            amx_product(keys, wide, CK_QUERIES / 32, (amx_tiles){dsr, CK_QUERIES / 32, 1}, (amx_tiles){qp, 1, deep * 2}, dkh + k0 * wide, wide, dkh + k0 * wide);
            amx_product(wide, CK_QUERIES, keys / 32, (amx_tiles){kturned + k0 / 32 * AMX_TILE, ck_ceil(T, 32), 1}, (amx_tiles){dsp, 1, FN(queries_tiles)}, dqt,
                        CK_QUERIES, dqt);
        }
        float *dqr = own; /* [CK_QUERIES][D] */
        FN(from_lanes)(dqt, CK_QUERIES, rows, D, dqr, D);
        FN(put_rows)(dqr, D, rows, D, scale, dq + at, H * D, add & 1);
    }
}

/* Rows of dk and dv (+)= the sums of the heads that share a key head; dk holds the queries' factor log2 e. */
static void FN(attention_bwd_kv)(int64_t task, int64_t tasks, const float *dout, const float *q, const float *k, const float *v,
                                 const float *o, const float *lse, const int32_t *pos, float *dq, float *dk, float *dv, float *lanes,
                                 float *tiles, int64_t B, int64_t T, int64_t H, int64_t G, int64_t D, int64_t Q, int64_t add,
                                 float scale) {
    (void)dout, (void)q, (void)k, (void)v, (void)o, (void)lse, (void)pos, (void)dq, (void)tiles, (void)Q, (void)scale;
    const ck_rows r = ck_rows_of(task, tasks, B, T);
    const int64_t b = r.from / T, share = H / G, wide = ck_ceil(D, 32) * 32, half = 2 * (D + 8) * FN(lanes_ld)(T);
    for (int64_t t = r.from; t < r.to; t++)
        for (int64_t g = 0; g < G; g++)
            for (int64_t d = 0; d < D; d += VW) {
                const float *from = lanes + (b * H + g * share) * 2 * half + (t - b * T) * wide + d;
                vf sk = v_set(0.0f), sv = v_set(0.0f);
                for (int64_t h = 0; h < share; h++) sk = v_add(sk, v_load(from + h * 2 * half)), sv = v_add(sv, v_load(from + h * 2 * half + half));
                float *kd = dk + (t * G + g) * D + d, *vd = dv + (t * G + g) * D + d;
                const vm m = v_first(D - d);
                sk = v_mul(sk, v_set(1.0f / CK_LOG2E));
                v_storem(kd, m, add & 2 ? v_add(v_loadm(kd, m), sk) : sk);
                v_storem(vd, m, add & 4 ? v_add(v_loadm(vd, m), sv) : sv);
            }
}
