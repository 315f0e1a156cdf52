/* Rotary position embedding with split halves: lanes i and i + D/2 of each head turn by the angle of (pos, i), whose cosine and
   sine are tables [L, D/2]. The backward turns the other way. */

CK_INLINE void FN(rope_head)(const float *x, const float *c, const float *s, float sign, float *y, int64_t half, int add) {
    const float *a = x, *b = x + half;
    float *u = y, *v = y + half;
#ifdef CK_NAIVE
    for (int64_t i = 0; i < half; i++) {
        const float first = a[i] * c[i] - b[i] * (sign * s[i]), second = b[i] * c[i] + a[i] * (sign * s[i]);
        u[i] = add ? u[i] + first : first;
        v[i] = add ? v[i] + second : second;
    }
#else
    for (int64_t i = 0; i < half; i += VW) {
        const vm m = v_first(half - i);
        const vf ai = v_loadm(a + i, m), bi = v_loadm(b + i, m), ci = v_loadm(c + i, m), si = v_mul(v_set(sign), v_loadm(s + i, m));
        const vf first = v_fnma(bi, si, v_mul(ai, ci)), second = v_fma(ai, si, v_mul(bi, ci));
        v_storem(u + i, m, add ? v_add(v_loadm(u + i, m), first) : first);
        v_storem(v + i, m, add ? v_add(v_loadm(v + i, m), second) : second);
    }
#endif
}

CK_INLINE void FN(rope_turn)(ck_rows r, const float *x, const int32_t *pos, const float *cosine, const float *sine, float *y, int64_t H,
                             int64_t D, float sign, int add) {
    for (int64_t t = r.from; t < r.to; t++)
        for (int64_t h = 0; h < H; h++)
            FN(rope_head)(x + (t * H + h) * D, cosine + pos[t] * (D / 2), sine + pos[t] * (D / 2), sign, y + (t * H + h) * D, D / 2, add);
}

static void FN(rope_fwd)(int64_t task, int64_t tasks, const float *x, const int32_t *pos, const float *cosine, const float *sine,
                         float *y, int64_t B, int64_t T, int64_t L, int64_t H, int64_t D) {
    (void)L;
    FN(rope_turn)(ck_rows_of(task, tasks, B, T), x, pos, cosine, sine, y, H, D, 1.0f, 0);
}

static void FN(rope_bwd)(int64_t task, int64_t tasks, const float *dy, const int32_t *pos, const float *cosine, const float *sine,
                         float *dx, int64_t B, int64_t T, int64_t L, int64_t H, int64_t D, int64_t add) {
    (void)L;
    FN(rope_turn)(ck_rows_of(task, tasks, B, T), dy, pos, cosine, sine, dx, H, D, -1.0f, add & 1);
}
