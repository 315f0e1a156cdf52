/* Causal grouped-query attention over packed rows, in tiles, without storing the scores.

   q[B,T,H,D] k,v[B,T,G,D] pos[B,T] -> o[B,T,H,D] lse[B,H,T].  Query t sees keys t-pos[t] .. t: pos restarts at 0 with every packed
   row, so rows never see each other. Head h reads key/value head h / (H/G). lse = log sum exp of the scaled scores, kept for
   the backward, which computes the probabilities again.
     p = exp(scale q.k - lse)   dv = p^T do   dp = do v^T   ds = p (dp - do.o) scale   dq = ds k   dk = ds^T q
   Forward after Milakov and Gimelshein 2018 (online softmax), tiling after Dao 2023 (FlashAttention-2). The tiles lie at multiples of
   KBLOCK keys, so a row has the same bits whether its queries come alone (attention_cached) or in a block. */

#ifdef CK_NAIVE

CK_INLINE float FN(dot)(const float *a, const float *b, int64_t D) {
    float s = 0.0f;
    for (int64_t d = 0; d < D; d++) s += a[d] * b[d];
    return s;
}

/* One query against keys from..to-1 that lie ld floats apart; returns lse. */
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
    return top + logf(sum);
}

static void FN(attention_pack)(int64_t task, int64_t tasks, const float *q, const float *k, const float *v, const int32_t *pos,
                               float *o, float *lse, float *kt, int64_t B, int64_t T, int64_t H, int64_t G, int64_t D,
                               float scale) {
    (void)task, (void)tasks, (void)q, (void)k, (void)v, (void)pos, (void)o, (void)lse, (void)kt;
    (void)B, (void)T, (void)H, (void)G, (void)D, (void)scale; /* the naive forward reads k itself */
}

static void FN(attention_fwd)(int64_t task, int64_t tasks, const float *q, const float *k, const float *v, const int32_t *pos,
                              float *o, float *lse, float *kt, int64_t B, int64_t T, int64_t H, int64_t G, int64_t D,
                              float scale) {
    (void)kt;
    const int64_t blocks = tasks / (B * H), h = task / blocks % H, b = task / blocks / H, g = h / (H / G);
    const ck_range r = ck_part(task % blocks, blocks, T);
    for (int64_t t = r.from; t < r.to; t++) {
        const int64_t at = ((b * T + t) * H + h) * D, kv = (b * T * G + g) * D;
        lse[(b * H + h) * T + t] = FN(attend)(q + at, k + kv, G * D, v + kv, G * D, t - pos[b * T + t], t + 1, D, scale, o + at);
    }
}

static void FN(attention_bwd_pack)(int64_t task, int64_t tasks, const float *dout, const float *q, const float *k, const float *v,
                                   const float *o, const float *lse, const int32_t *pos, float *dq, float *dk, float *dv, float *kt,
                                   float *vt, float *delta, int64_t B, int64_t T, int64_t H, int64_t G, int64_t D, int64_t add,
                                   float scale) {
    (void)task, (void)tasks, (void)dout, (void)q, (void)k, (void)v, (void)o, (void)lse, (void)pos, (void)dq, (void)dk, (void)dv;
    (void)kt, (void)vt, (void)delta, (void)B, (void)T, (void)H, (void)G, (void)D, (void)add, (void)scale;
}

static void FN(attention_bwd)(int64_t task, int64_t tasks, const float *dout, const float *q, const float *k, const float *v,
                              const float *o, const float *lse, const int32_t *pos, float *dq, float *dk, float *dv, float *kt,
                              float *vt, float *delta, int64_t B, int64_t T, int64_t H, int64_t G, int64_t D, int64_t add,
                              float scale) {
    (void)tasks, (void)kt, (void)vt, (void)delta, (void)B;
    const int64_t g = task % G, b = task / G, share = H / G;
    for (int64_t t = 0; t < T; t++) {
        for (int64_t h = g * share; h < (g + 1) * share && !(add & 1); h++)
            memset(dq + ((b * T + t) * H + h) * D, 0, (size_t)D * sizeof *dq);
        if (!(add & 2)) memset(dk + ((b * T + t) * G + g) * D, 0, (size_t)D * sizeof *dk);
        if (!(add & 4)) memset(dv + ((b * T + t) * G + g) * D, 0, (size_t)D * sizeof *dv);
    }
    for (int64_t h = g * share; h < (g + 1) * share; h++)
        for (int64_t t = 0; t < T; t++) {
            const int64_t at = ((b * T + t) * H + h) * D;
            const float own = FN(dot)(dout + at, o + at, D), base = lse[(b * H + h) * T + t];
            for (int64_t j = t - pos[b * T + t]; j <= t; j++) {
                const int64_t kv = ((b * T + j) * G + g) * D;
                const float p = expf(FN(dot)(q + at, k + kv, D) * scale - base);
                const float ds = p * (FN(dot)(dout + at, v + kv, D) - own) * scale;
                for (int64_t d = 0; d < D; d++) {
                    dq[at + d] += ds * k[kv + d];
                    dk[kv + d] += ds * q[at + d];
                    dv[kv + d] += p * dout[at + d];
                }
            }
        }
}

#else

typedef struct { /* running state of up to QBLOCK queries */
    float s[CK_QBLOCK * CK_KBLOCK], top[CK_QBLOCK], sum[CK_QBLOCK], acc[CK_QBLOCK * CK_HEADMAX];
} FN(attend_state);

CK_INLINE void FN(attend_begin)(FN(attend_state) *a, int64_t rows, int64_t D) {
    for (int64_t r = 0; r < rows; r++) a->top[r] = -INFINITY, a->sum[r] = 0.0f;
    memset(a->acc, 0, (size_t)(rows * D) * sizeof *a->acc);
}

/* Turn the raw scores of row r into probabilities against the running maximum; keys outside from..to-1 of this tile become 0. */
CK_INLINE void FN(attend_softmax)(FN(attend_state) *a, int64_t r, int64_t from, int64_t to, int64_t width, int64_t D, float scale) {
    float *s = a->s + r * CK_KBLOCK;
    if (from >= to) {
        memset(s, 0, (size_t)width * sizeof *s);
        return;
    }
    vf best = v_set(-INFINITY), sums = v_set(0.0f);
    for (int64_t j = from / VW * VW; j < to; j += VW)
        best = v_max(best, v_keep(v_span(from - j, to - j), v_mul(v_loadm(s + j, v_first(width - j)), v_set(scale)), best));
    const float top = fmaxf(a->top[r], v_top(best));
    for (int64_t j = 0; j < width; j += VW) {
        const vf x = v_exp(v_sub(v_mul(v_loadm(s + j, v_first(width - j)), v_set(scale)), v_set(top)));
        const vf p = v_keep(v_span(from - j, to - j), x, v_set(0.0f));
        sums = v_add(sums, p);
        v_storem(s + j, v_first(width - j), p);
    }
    if (top != a->top[r]) {
        const vf shrink = v_exp(v_set(a->top[r] - top));
        float *acc = a->acc + r * D;
        for (int64_t d = 0; d < D; d += VW) v_storem(acc + d, v_first(D - d), v_mul(v_loadm(acc + d, v_first(D - d)), shrink));
        v_storem(&a->sum[r], v_first(1), v_mul(v_set(a->sum[r]), shrink));
        a->top[r] = top;
    }
    a->sum[r] += v_sum(sums);
}

/* lse of row r; the finished output goes to o. */
CK_INLINE float FN(attend_end)(const FN(attend_state) *a, int64_t r, int64_t D, float *o) {
    const float inverse = 1.0f / a->sum[r];
    for (int64_t d = 0; d < D; d++) o[d] = a->acc[r * D + d] * inverse;
    return a->top[r] + logf(a->sum[r]);
}

static void FN(attention_pack)(int64_t task, int64_t tasks, const float *q, const float *k, const float *v, const int32_t *pos,
                               float *o, float *lse, float *kt, int64_t B, int64_t T, int64_t H, int64_t G, int64_t D,
                               float scale) {
    (void)tasks, (void)q, (void)v, (void)pos, (void)o, (void)lse, (void)B, (void)H, (void)scale;
    const int64_t panels = ck_ceil(T, CK_PANEL), b = task / panels / G, g = task / panels % G, t = task % panels * CK_PANEL;
    float *out = kt + (b * G + g) * panels * CK_PANEL * D;
    for (int64_t i = t; i < ck_min(t + CK_PANEL, T); i += NV * VW)
        gemm_pack_rows(k + (b * T * G + g) * D, G * D, i, T, D, out + i * D);
}

static void FN(attention_fwd)(int64_t task, int64_t tasks, const float *q, const float *k, const float *v, const int32_t *pos,
                              float *o, float *lse, float *kt, int64_t B, int64_t T, int64_t H, int64_t G, int64_t D,
                              float scale) {
    (void)tasks, (void)k, (void)B;
    const int64_t blocks = ck_ceil(T, CK_QBLOCK), h = task / blocks % H, b = task / blocks / H, g = h / (H / G);
    const int64_t q0 = task % blocks * CK_QBLOCK, rows = ck_min(CK_QBLOCK, T - q0);
    const float *keys = kt + (b * G + g) * ck_ceil(T, CK_PANEL) * CK_PANEL * D, *values = v + (b * T * G + g) * D;
    pos += b * T;
    FN(attend_state) a;
    FN(attend_begin)(&a, rows, D);
    for (int64_t k0 = (q0 - pos[q0]) / CK_KBLOCK * CK_KBLOCK; k0 < q0 + rows; k0 += CK_KBLOCK) {
        const int64_t width = ck_min(CK_KBLOCK, q0 + rows - k0);
        gemm(rows, width, D, q + ((b * T + q0) * H + h) * D, H * D, 1, ck_panels_of(keys + k0 * D, D), a.s, CK_KBLOCK, 0);
        for (int64_t r = 0; r < rows; r++) {
            const int64_t t = q0 + r;
            FN(attend_softmax)(&a, r, ck_max(0, t - pos[t] - k0), ck_min(width, t - k0 + 1), width, D, scale);
        }
        gemm(rows, D, width, a.s, CK_KBLOCK, 1, ck_rows_of(values + k0 * G * D, G * D), a.acc, D, 1);
    }
    for (int64_t r = 0; r < rows; r++)
        lse[(b * H + h) * T + q0 + r] = FN(attend_end)(&a, r, D, o + ((b * T + q0 + r) * H + h) * D);
}

static void FN(attention_bwd_pack)(int64_t task, int64_t tasks, const float *dout, const float *q, const float *k, const float *v,
                                   const float *o, const float *lse, const int32_t *pos, float *dq, float *dk, float *dv, float *kt,
                                   float *vt, float *delta, int64_t B, int64_t T, int64_t H, int64_t G, int64_t D, int64_t add,
                                   float scale) {
    (void)tasks, (void)q, (void)lse, (void)pos, (void)dq, (void)dk, (void)dv, (void)B, (void)add, (void)scale;
    const int64_t panels = ck_ceil(T, CK_PANEL), b = task / panels / G, g = task / panels % G, t = task % panels * CK_PANEL;
    const int64_t out = (b * G + g) * panels * CK_PANEL * D, in = (b * T * G + g) * D, end = ck_min(t + CK_PANEL, T), share = H / G;
    for (int64_t i = t; i < end; i += NV * VW) {
        gemm_pack_rows(k + in, G * D, i, T, D, kt + out + i * D);
        gemm_pack_rows(v + in, G * D, i, T, D, vt + out + i * D);
    }
    for (int64_t h = g * share; h < (g + 1) * share; h++)
        for (int64_t i = t; i < end; i++) {
            const int64_t at = ((b * T + i) * H + h) * D;
            vf s = v_set(0.0f);
            for (int64_t d = 0; d < D; d += VW) s = v_fma(v_loadm(dout + at + d, v_first(D - d)), v_loadm(o + at + d, v_first(D - d)), s);
            delta[(b * H + h) * T + i] = v_sum(s);
        }
}

/* Row r of a tile: raw scores s and dp become the probabilities and ds, 0 outside from..to-1. */
CK_INLINE void FN(attend_back)(float *s, float *dp, int64_t from, int64_t to, int64_t width, float lse, float delta, float scale) {
    for (int64_t j = 0; j < width; j += VW) {
        const vm all = v_first(width - j), seen = v_span(from - j, to - j);
        const vf x = v_exp(v_sub(v_mul(v_loadm(s + j, all), v_set(scale)), v_set(lse)));
        const vf p = v_keep(seen, x, v_set(0.0f));
        const vf ds = v_mul(v_mul(p, v_sub(v_loadm(dp + j, all), v_set(delta))), v_set(scale));
        v_storem(s + j, all, p);
        v_storem(dp + j, all, ds);
    }
}

static void FN(attention_bwd)(int64_t task, int64_t tasks, const float *dout, const float *q, const float *k, const float *v,
                              const float *o, const float *lse, const int32_t *pos, float *dq, float *dk, float *dv, float *kt,
                              float *vt, float *delta, int64_t B, int64_t T, int64_t H, int64_t G, int64_t D, int64_t add,
                              float scale) {
    (void)tasks, (void)o, (void)B;
    const int64_t g = task % G, b = task / G, share = H / G, packed = (b * G + g) * ck_ceil(T, CK_PANEL) * CK_PANEL * D;
    float s[CK_QBLOCK * CK_KBLOCK], dp[CK_QBLOCK * CK_KBLOCK], dkb[CK_KBLOCK * CK_HEADMAX], dvb[CK_KBLOCK * CK_HEADMAX];
    pos += b * T;
    for (int64_t t = 0; t < T && !(add & 1); t++) memset(dq + ((b * T + t) * H + g * share) * D, 0, (size_t)(share * D) * sizeof *dq);
    for (int64_t k0 = 0; k0 < T; k0 += CK_KBLOCK) {
        const int64_t keys = ck_min(CK_KBLOCK, T - k0), kv = ((b * T + k0) * G + g) * D;
        memset(dkb, 0, (size_t)(keys * D) * sizeof *dkb);
        memset(dvb, 0, (size_t)(keys * D) * sizeof *dvb);
        for (int64_t q0 = k0; q0 < T && q0 - pos[q0] < k0 + keys; q0 += CK_QBLOCK) { /* rows that start later see none of these keys */
            const int64_t rows = ck_min(CK_QBLOCK, T - q0), width = ck_min(keys, q0 + rows - k0);
            for (int64_t h = g * share; h < (g + 1) * share; h++) {
                const int64_t at = ((b * T + q0) * H + h) * D, row = (b * H + h) * T;
                gemm(rows, width, D, q + at, H * D, 1, ck_panels_of(kt + packed + k0 * D, D), s, CK_KBLOCK, 0);
                gemm(rows, width, D, dout + at, H * D, 1, ck_panels_of(vt + packed + k0 * D, D), dp, CK_KBLOCK, 0);
                for (int64_t r = 0; r < rows; r++) {
                    const int64_t t = q0 + r;
                    FN(attend_back)(s + r * CK_KBLOCK, dp + r * CK_KBLOCK, ck_max(0, t - pos[t] - k0), ck_min(width, t - k0 + 1), width,
                                    lse[row + t], delta[row + t], scale);
                }
                gemm(width, D, rows, s, 1, CK_KBLOCK, ck_rows_of(dout + at, H * D), dvb, D, 1);
                gemm(width, D, rows, dp, 1, CK_KBLOCK, ck_rows_of(q + at, H * D), dkb, D, 1);
                gemm(rows, D, width, dp, CK_KBLOCK, 1, ck_rows_of(k + kv, G * D), dq + at, H * D, 1);
            }
        }
        for (int64_t j = 0; j < keys; j++)
            for (int64_t d = 0; d < D; d++) {
                const int64_t at = kv + j * G * D + d;
                dk[at] = add & 2 ? dk[at] + dkb[j * D + d] : dkb[j * D + d];
                dv[at] = add & 4 ? dv[at] + dvb[j * D + d] : dvb[j * D + d];
            }
    }
}

#endif
