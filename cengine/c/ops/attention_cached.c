/* Attention for decoding: N tokens of any slots, each at its own position, against the slots' caches. Keys are appended in the packed
   panels that the score product reads; values lie as rows. Tokens of one slot may come in one call (prefill) if they are in order.
   Tiles lie at multiples of KBLOCK keys, so a token has the same bits whatever it is fed together with. */

#ifdef CK_NAIVE
enum { FN(cache_panel) = 1 };
#else
enum { FN(cache_panel) = NV * VW };

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
#endif

static void FN(attention_cached_append)(int64_t task, int64_t tasks, const float *q, const float *k, const float *v,
                                        const int32_t *slot, const int32_t *pos, float *kc, float *vc, float *o, int64_t N, int64_t S,
                                        int64_t L, int64_t H, int64_t G, int64_t D, float scale) {
    (void)tasks, (void)q, (void)o, (void)N, (void)S, (void)H, (void)scale;
    const int64_t s = slot[task], p = pos[task], w = FN(cache_panel), room = ck_ceil(L, CK_PANEL) * CK_PANEL;
    for (int64_t g = 0; g < G; g++) {
        float *panel = kc + ((s * G + g) * room + p / w * w) * D + p % w;
        for (int64_t d = 0; d < D; d++) panel[d * w] = k[(task * G + g) * D + d];
        memcpy(vc + ((s * G + g) * L + p) * D, v + (task * G + g) * D, (size_t)D * sizeof *vc);
    }
}

static void FN(attention_cached_fwd)(int64_t task, int64_t tasks, const float *q, const float *k, const float *v, const int32_t *slot,
                                     const int32_t *pos, float *kc, float *vc, float *o, int64_t N, int64_t S, int64_t L, int64_t H,
                                     int64_t G, int64_t D, float scale) {
    (void)tasks, (void)k, (void)v, (void)N, (void)S;
    const int64_t n = task / G, g = task % G, s = slot[n], end = pos[n] + 1, share = H / G, room = ck_ceil(L, CK_PANEL) * CK_PANEL;
    const float *keys = kc + (s * G + g) * room * D, *values = vc + (s * G + g) * L * D;
    const int64_t first = (n * H + g * share) * D;
#ifdef CK_NAIVE
    for (int64_t h = 0; h < share; h++)
        FN(attend)(q + first + h * D, keys, D, values, D, 0, end, D, scale, o + first + h * D);
#else
    for (int64_t h = 0; h < share; h += CK_QBLOCK) {
        const int64_t rows = ck_min(CK_QBLOCK, share - h);
        FN(attend_state) a;
        FN(attend_begin)(&a, rows, D);
        for (int64_t k0 = 0; k0 < end; k0 += CK_KBLOCK) {
            const int64_t width = ck_min(CK_KBLOCK, end - k0);
            gemm(rows, width, D, q + first + h * D, D, 1, ck_panels(keys + k0 * D, D), a.s, CK_KBLOCK, NULL);
            for (int64_t r = 0; r < rows; r++) FN(attend_softmax)(&a, r, 0, width, width, D, scale);
            gemm(rows, D, width, a.s, CK_KBLOCK, 1, ck_in_place(values + k0 * D, D), a.acc, D, a.acc);
        }
        for (int64_t r = 0; r < rows; r++) FN(attend_end)(&a, r, D, o + first + (h + r) * D);
    }
#endif
}
