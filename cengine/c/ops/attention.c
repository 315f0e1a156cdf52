/* Causal grouped-query attention over packed rows, in tiles, without storing the scores.

   q[B,T,H,D] k,v[B,T,G,D] pos[B,T] -> o[B,T,H,D] lse[B,H,T].  Query t sees keys t-pos[t] .. t: pos restarts at 0 with every packed
   row, so rows never see each other. Head h reads key/value head h / (H/G). lse = log sum exp of the scaled scores, kept for
   the backward, which computes the probabilities again.
     p = exp(scale q.k - lse)   dv = p^T do   dp = do v^T   ds = p (dp - do.o) scale   dq = ds k   dk = ds^T q
   Forward after Milakov and Gimelshein 2018 (online softmax), tiling after Dao 2023 (FlashAttention-2).

   Scores are computed transposed: one lane per query, one row per key. So the softmax needs no sums across lanes, keys and values are
   read where they lie, and a head of any size fills the vectors. Each query head sums its own dk and dv (dkh, dvh [B,H,T,D]);
   bwd_kv adds the heads that share a key head, in order. */

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

static void FN(attention_fwd)(int64_t task, int64_t tasks, const float *q, const float *k, const float *v, const int32_t *pos,
                              float *o, float *lse, int64_t B, int64_t T, int64_t H, int64_t G, int64_t D, float scale) {
    const int64_t blocks = tasks / (B * H), h = task / blocks % H, b = task / blocks / H, g = h / (H / G);
    const ck_range r = ck_part(task % blocks, blocks, T);
    for (int64_t t = r.from; t < r.to; t++) {
        const int64_t at = ((b * T + t) * H + h) * D, kv = (b * T * G + g) * D;
        lse[(b * H + h) * T + t] = FN(attend)(q + at, k + kv, G * D, v + kv, G * D, t - pos[b * T + t], t + 1, D, scale, o + at);
    }
}

static void FN(attention_bwd)(int64_t task, int64_t tasks, const float *dout, const float *q, const float *k, const float *v,
                              const float *o, const float *lse, const int32_t *pos, float *dq, float *dk, float *dv, float *dkh,
                              float *dvh, int64_t B, int64_t T, int64_t H, int64_t G, int64_t D, int64_t add, float scale) {
    (void)tasks, (void)dk, (void)dv, (void)B;
    const int64_t h = task % H, b = task / H, g = h / (H / G);
    float *dkt = dkh + task * T * D, *dvt = dvh + task * T * D;
    memset(dkt, 0, (size_t)(T * D) * sizeof *dkt);
    memset(dvt, 0, (size_t)(T * D) * sizeof *dvt);
    for (int64_t t = 0; t < T; t++) {
        const int64_t at = ((b * T + t) * H + h) * D;
        const float own = FN(dot)(dout + at, o + at, D), base = lse[task * T + t];
        if (!(add & 1)) memset(dq + at, 0, (size_t)D * sizeof *dq);
        for (int64_t j = t - pos[b * T + t]; j <= t; j++) {
            const int64_t kv = ((b * T + j) * G + g) * D;
            const float p = expf(FN(dot)(q + at, k + kv, D) * scale - base);
            const float ds = p * (FN(dot)(dout + at, v + kv, D) - own) * scale;
            for (int64_t d = 0; d < D; d++) {
                dq[at + d] += ds * k[kv + d];
                dkt[j * D + d] += ds * q[at + d];
                dvt[j * D + d] += p * dout[at + d];
            }
        }
    }
}

#else

/* CK_QBLOCK queries, one per lane: which keys each sees, and its running softmax. */
typedef struct {
    float first[CK_QBLOCK], last[CK_QBLOCK]; /* seen: first <= key <= last, as numbers of the row */
    float top[CK_QBLOCK], sum[CK_QBLOCK];
    int64_t begin, free_from, free_to; /* keys from `begin` on are seen by some query; keys free_from..free_to-1 by all */
} FN(queries);

CK_INLINE FN(queries) FN(queries_of)(const int32_t *pos, int64_t q0, int64_t rows) {
    FN(queries) a;
    for (int64_t r = 0; r < CK_QBLOCK; r++) {
        a.first[r] = r < rows ? (float)(q0 + r - pos[q0 + r]) : 0.0f;
        a.last[r] = r < rows ? (float)(q0 + r) : -1.0f;
        a.top[r] = -1e20f, a.sum[r] = 0.0f;
    }
    a.begin = q0 - pos[q0];
    a.free_from = q0 + rows - 1 - pos[q0 + rows - 1];
    a.free_to = rows == CK_QBLOCK ? q0 + 1 : 0;
    return a;
}

/* x where key is seen by the lane, `other` elsewhere. */
CK_INLINE vf FN(seen)(const FN(queries) *a, int64_t lane, float key, vf x, vf other) {
    const vf at = v_set(key);
    x = v_greater(v_load(a->first + lane), at, other, x);
    return v_greater(at, v_load(a->last + lane), other, x);
}

/* out[CK_QBLOCK / width][D][width] = rows of x, ld floats apart, as lanes; lanes without a row are 0. */
CK_INLINE void FN(as_lanes)(const float *x, int64_t ld, int64_t rows, int64_t D, float *out) {
    for (int64_t p = 0; p < CK_QBLOCK; p += NV * VW) gemm_pack(x, ld, p, rows, D, out + p * D);
}

/* Rows of y, ld floats apart, (+)= the lanes of x[D][CK_QBLOCK]. */
CK_INLINE void FN(from_lanes)(const float *x, int64_t rows, int64_t D, float *y, int64_t ld, int add) {
    float t[VW * VW];
    for (int64_t r = 0; r < rows; r += VW)
        for (int64_t d = 0; d < D; d += VW) {
            const vm m = v_first(D - d);
            v_transpose(x + d * CK_QBLOCK + r, CK_QBLOCK, D - d, VW, t, VW, VW);
            for (int64_t i = 0; i < VW && r + i < rows; i++) {
                float *to = y + (r + i) * ld + d;
                v_storem(to, m, add ? v_add(v_loadm(to, m), v_load(t + i * VW)) : v_load(t + i * VW));
            }
        }
}

/* Scores s[keys][CK_QBLOCK] become probabilities against the running maximum; acc[D][CK_QBLOCK] follows it. */
CK_INLINE void FN(online_softmax)(FN(queries) *a, float *s, int64_t k0, int64_t keys, float *acc, int64_t D) {
    const int masked = k0 < a->free_from || k0 + keys > a->free_to;
    for (int64_t lane = 0; lane < CK_QBLOCK; lane += VW) {
        const vf old = v_load(a->top + lane);
        vf top = old, sum = v_set(0.0f);
        for (int64_t j = 0; j < keys; j++) {
            float *at = s + j * CK_QBLOCK + lane;
            if (masked) v_store(at, FN(seen)(a, lane, (float)(k0 + j), v_load(at), v_set(-1e30f)));
            top = v_max(top, v_load(at));
        }
        for (int64_t j = 0; j < keys; j++) {
            float *at = s + j * CK_QBLOCK + lane;
            vf p = v_exp(v_sub(v_load(at), top));
            if (masked) p = v_greater(v_load(at), v_set(-1e29f), p, v_set(0.0f));
            v_store(at, p);
            sum = v_add(sum, p);
        }
        const vf before = v_load(a->sum + lane);
        if (v_any_greater(top, old)) {
            const vf shrink = v_exp(v_sub(old, top));
            sum = v_fma(before, shrink, sum);
            for (int64_t d = 0; d < D; d++) v_store(acc + d * CK_QBLOCK + lane, v_mul(v_load(acc + d * CK_QBLOCK + lane), shrink));
            v_store(a->top + lane, top);
        } else
            sum = v_add(before, sum);
        v_store(a->sum + lane, sum);
    }
}

static void FN(attention_fwd)(int64_t task, int64_t tasks, const float *q, const float *k, const float *v, const int32_t *pos,
                              float *o, float *lse, int64_t B, int64_t T, int64_t H, int64_t G, int64_t D, float scale) {
    (void)B;
    task = tasks - 1 - task; /* the long ones first */
    const int64_t h = task % H, b = task / H % B, g = h / (H / G), q0 = task / H / B * CK_QBLOCK, rows = ck_min(CK_QBLOCK, T - q0);
    const int64_t at = ((b * T + q0) * H + h) * D, kv = (b * T * G + g) * D;
    float s[CK_KBLOCK * CK_QBLOCK], lanes[CK_HEADMAX * CK_QBLOCK], acc[CK_HEADMAX * CK_QBLOCK];
    FN(queries) a = FN(queries_of)(pos + b * T, q0, rows);
    FN(as_lanes)(q + at, H * D, rows, D, lanes);
    for (int64_t i = 0; i < D * CK_QBLOCK; i++) lanes[i] *= scale, acc[i] = 0.0f;
    for (int64_t k0 = a.begin; k0 < q0 + rows; k0 += CK_KBLOCK) {
        const int64_t keys = ck_min(CK_KBLOCK, q0 + rows - k0);
        gemm(keys, CK_QBLOCK, D, k + kv + k0 * G * D, G * D, 1, ck_panels(lanes, D), s, CK_QBLOCK, NULL);
        FN(online_softmax)(&a, s, k0, keys, acc, D);
        gemm(D, CK_QBLOCK, keys, v + kv + k0 * G * D, 1, G * D, ck_in_place(s, CK_QBLOCK), acc, CK_QBLOCK, acc);
    }
    for (int64_t lane = 0; lane < CK_QBLOCK; lane += VW) {
        const vf inverse = v_div(v_set(1.0f), v_load(a.sum + lane));
        for (int64_t d = 0; d < D; d++) v_store(acc + d * CK_QBLOCK + lane, v_mul(v_load(acc + d * CK_QBLOCK + lane), inverse));
    }
    FN(from_lanes)(acc, rows, D, o + at, H * D, 0);
    for (int64_t r = 0; r < rows; r++) lse[(b * H + h) * T + q0 + r] = a.top[r] + logf(a.sum[r]);
}

/* Raw scores s and dp [keys][CK_QBLOCK] become the probabilities and ds. */
CK_INLINE void FN(softmax_back)(const FN(queries) *a, float *s, float *dp, int64_t k0, int64_t keys, const float *delta, float scale) {
    const int masked = k0 < a->free_from || k0 + keys > a->free_to;
    for (int64_t lane = 0; lane < CK_QBLOCK; lane += VW) {
        const vf lse = v_load(a->top + lane), own = v_load(delta + lane);
        for (int64_t j = 0; j < keys; j++) {
            float *at = s + j * CK_QBLOCK + lane, *dat = dp + j * CK_QBLOCK + lane;
            vf p = v_exp(v_sub(v_load(at), lse));
            if (masked) p = FN(seen)(a, lane, (float)(k0 + j), p, v_set(0.0f));
            v_store(at, p);
            v_store(dat, v_mul(v_mul(p, v_sub(v_load(dat), own)), v_set(scale)));
        }
    }
}

static void FN(attention_bwd)(int64_t task, int64_t tasks, const float *dout, const float *q, const float *k, const float *v,
                              const float *o, const float *lse, const int32_t *pos, float *dq, float *dk, float *dv, float *dkh,
                              float *dvh, int64_t B, int64_t T, int64_t H, int64_t G, int64_t D, int64_t add, float scale) {
    (void)tasks, (void)dk, (void)dv, (void)B;
    const int64_t h = task % H, b = task / H, g = h / (H / G);
    float *dkt = dkh + task * T * D, *dvt = dvh + task * T * D;
    float s[CK_KBLOCK * CK_QBLOCK], dp[CK_KBLOCK * CK_QBLOCK], delta[CK_QBLOCK];
    float ql[CK_HEADMAX * CK_QBLOCK], dol[CK_HEADMAX * CK_QBLOCK], dql[CK_HEADMAX * CK_QBLOCK];
    memset(dkt, 0, (size_t)(T * D) * sizeof *dkt);
    memset(dvt, 0, (size_t)(T * D) * sizeof *dvt);
    for (int64_t q0 = 0; q0 < T; q0 += CK_QBLOCK) {
        const int64_t rows = ck_min(CK_QBLOCK, T - q0), at = ((b * T + q0) * H + h) * D;
        FN(queries) a = FN(queries_of)(pos + b * T, q0, rows);
        FN(as_lanes)(q + at, H * D, rows, D, ql);
        FN(as_lanes)(dout + at, H * D, rows, D, dol);
        FN(as_lanes)(o + at, H * D, rows, D, dql); /* do.o in the order of do.v: a query that sees one key gets ds = 0 exactly */
        for (int64_t lane = 0; lane < CK_QBLOCK; lane += VW) {
            vf own = v_set(0.0f);
            for (int64_t d = 0; d < D; d++) {
                const int64_t i = (lane / (NV * VW) * D + d) * (NV * VW) + lane % (NV * VW);
                own = v_fma(v_load(dql + i), v_load(dol + i), own);
            }
            v_store(delta + lane, own);
        }
        for (int64_t i = 0; i < D * CK_QBLOCK; i++) ql[i] *= scale, dql[i] = 0.0f;
        for (int64_t r = 0; r < CK_QBLOCK; r++) a.top[r] = r < rows ? lse[task * T + q0 + r] : 0.0f;
        for (int64_t k0 = a.begin; k0 < q0 + rows; k0 += CK_KBLOCK) {
            const int64_t keys = ck_min(CK_KBLOCK, q0 + rows - k0), kv = ((b * T + k0) * G + g) * D;
            gemm(keys, CK_QBLOCK, D, k + kv, G * D, 1, ck_panels(ql, D), s, CK_QBLOCK, NULL);
            gemm(keys, CK_QBLOCK, D, v + kv, G * D, 1, ck_panels(dol, D), dp, CK_QBLOCK, NULL);
            FN(softmax_back)(&a, s, dp, k0, keys, delta, scale);
            gemm(D, CK_QBLOCK, keys, k + kv, 1, G * D, ck_in_place(dp, CK_QBLOCK), dql, CK_QBLOCK, dql);
            gemm(keys, D, rows, s, CK_QBLOCK, 1, ck_in_place(dout + at, H * D), dvt + k0 * D, D, dvt + k0 * D);
            gemm(keys, D, rows, dp, CK_QBLOCK, 1, ck_in_place(q + at, H * D), dkt + k0 * D, D, dkt + k0 * D);
        }
        FN(from_lanes)(dql, rows, D, dq + at, H * D, add & 1);
    }
}

#endif

static void FN(attention_bwd_kv)(int64_t task, int64_t tasks, const float *dout, const float *q, const float *k, const float *v,
                                 const float *o, const float *lse, const int32_t *pos, float *dq, float *dk, float *dv, float *dkh,
                                 float *dvh, int64_t B, int64_t T, int64_t H, int64_t G, int64_t D, int64_t add, float scale) {
    (void)dout, (void)q, (void)k, (void)v, (void)o, (void)lse, (void)pos, (void)dq, (void)scale;
    const ck_rows r = ck_rows_of(task, tasks, B, T);
    const int64_t b = r.from / T, share = H / G;
    for (int64_t t = r.from; t < r.to; t++)
        for (int64_t g = 0; g < G; g++) {
            const float *kh = dkh + ((b * H + g * share) * T + t - b * T) * D, *vh = dvh + ((b * H + g * share) * T + t - b * T) * D;
            float *restrict dkt = dk + (t * G + g) * D, *restrict dvt = dv + (t * G + g) * D;
            for (int64_t d = 0; d < D; d++) {
                float sk = add & 2 ? dkt[d] : 0.0f, sv = add & 4 ? dvt[d] : 0.0f;
                for (int64_t h = 0; h < share; h++) sk += kh[h * T * D + d], sv += vh[h * T * D + d];
                dkt[d] = sk, dvt[d] = sv;
            }
        }
}
