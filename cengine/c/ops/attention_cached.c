/* Attention for decoding: N tokens of any slots, each at its own position, against the slots' caches. Keys are appended in the packed
   panels that the score product reads; values lie as rows. Tokens of one slot may come in one call (prefill) if they are in order.
   Uses the tiles of attention.c, so that decoding token by token gives the bits of a full forward. */

#ifdef CK_NAIVE
enum { FN(cache_panel) = 1 };
#else
enum { FN(cache_panel) = NV * VW };
#endif

static void FN(attention_cached_append)(int64_t task, int64_t tasks, const float *q, const float *k, const float *v,
                                        const int32_t *slot, const int32_t *pos, float *kc, float *vc, float *o, int64_t N, int64_t S,
                                        int64_t L, int64_t H, int64_t G, int64_t D, float scale) {
    (void)tasks, (void)q, (void)o, (void)N, (void)S, (void)H, (void)scale;
    const int64_t s = slot[task], p = pos[task], w = FN(cache_panel), room = ck_ceil(L, CK_PANEL) * CK_PANEL;
    for (int64_t g = 0; g < G; g++) {
        float *panel = kc + ((s * G + g) * room + p / w * w) * D + p % w;
        for (int64_t d = 0; d < D; d++) panel[d * w] = k[(task * G + g) * D + d];
        memcpy(vc + ((s * L + p) * G + g) * D, v + (task * G + g) * D, (size_t)D * sizeof *vc);
    }
}

static void FN(attention_cached_fwd)(int64_t task, int64_t tasks, const float *q, const float *k, const float *v, const int32_t *slot,
                                     const int32_t *pos, float *kc, float *vc, float *o, int64_t N, int64_t S, int64_t L, int64_t H,
                                     int64_t G, int64_t D, float scale) {
    (void)tasks, (void)k, (void)v, (void)N, (void)S;
    const int64_t n = task / G, g = task % G, s = slot[n], end = pos[n] + 1, share = H / G, room = ck_ceil(L, CK_PANEL) * CK_PANEL;
    const float *keys = kc + (s * G + g) * room * D, *values = vc + (s * L * G + g) * D;
    const int64_t first = (n * H + g * share) * D;
#ifdef CK_NAIVE
    for (int64_t h = 0; h < share; h++)
        FN(attend)(q + first + h * D, keys, D, values, G * D, 0, end, D, scale, o + first + h * D);
#else
    for (int64_t h = 0; h < share; h += CK_QBLOCK) {
        const int64_t rows = ck_min(CK_QBLOCK, share - h);
        FN(attend_state) a;
        FN(attend_begin)(&a, rows, D);
        for (int64_t k0 = 0; k0 < end; k0 += CK_KBLOCK) {
            const int64_t width = ck_min(CK_KBLOCK, end - k0);
            gemm(rows, width, D, q + first + h * D, D, 1, ck_panels_of(keys + k0 * D, D), a.s, CK_KBLOCK, 0);
            for (int64_t r = 0; r < rows; r++) FN(attend_softmax)(&a, r, 0, width, width, D, scale);
            gemm(rows, D, width, a.s, CK_KBLOCK, 1, ck_rows_of(values + k0 * G * D, G * D), a.acc, D, 1);
        }
        for (int64_t r = 0; r < rows; r++) FN(attend_end)(&a, r, D, o + first + (h + r) * D);
    }
#endif
}
