/* Per-head RMSNorm, then rotary position embedding with split halves: lanes i and i + D/2 of each head turn by the angle of (pos, i),
   whose cosine and sine are tables [L, D/2].
   n = w[D] * x * rstd, rstd[B,T,H] = 1 / sqrt(mean(x^2) + eps);  y = (n1 cos - n2 sin, n2 cos + n1 sin).
   The backward turns dy the other way and goes on as in rmsnorm.c. */

#ifdef CK_NAIVE

static void FN(norm_rope_fwd)(int64_t task, int64_t tasks, const float *x, const float *w, const int32_t *pos, const float *cosine,
                              const float *sine, float *y, float *rstd, int64_t B, int64_t T, int64_t L, int64_t H, int64_t D, float eps) {
    (void)L;
    const ck_rows r = ck_rows_of(task, tasks, B, T);
    const int64_t half = D / 2;
    for (int64_t n = r.from * H; n < r.to * H; n++) {
        const float *a = x + n * D, *c = cosine + pos[n / H] * half, *s = sine + pos[n / H] * half;
        float squares = 0.0f;
        for (int64_t i = 0; i < D; i++) squares += a[i] * a[i];
        rstd[n] = 1.0f / sqrtf(squares / (float)D + eps);
        for (int64_t i = 0; i < half; i++) {
            const float first = w[i] * (a[i] * rstd[n]), second = w[half + i] * (a[half + i] * rstd[n]);
            y[n * D + i] = first * c[i] - second * s[i];
            y[n * D + half + i] = second * c[i] + first * s[i];
        }
    }
}

static void FN(norm_rope_bwd)(int64_t task, int64_t tasks, const float *dy, const float *x, const float *w, const int32_t *pos,
                              const float *cosine, const float *sine, const float *rstd, float *dx, float *dw, float *part, int64_t B,
                              int64_t T, int64_t L, int64_t H, int64_t D, int64_t add, float eps) {
    (void)L, (void)dw, (void)eps;
    const ck_rows r = ck_rows_of(task, tasks, B, T);
    const int64_t half = D / 2;
    float *sum = part + r.block * D, g[CK_HEADMAX];
    memset(sum, 0, (size_t)D * sizeof *sum);
    for (int64_t n = r.from * H; n < r.to * H; n++) {
        const float *u = dy + n * D, *a = x + n * D, *c = cosine + pos[n / H] * half, *s = sine + pos[n / H] * half;
        float dot = 0.0f;
        for (int64_t i = 0; i < half; i++) {
            g[i] = u[i] * c[i] + u[half + i] * s[i];
            g[half + i] = u[half + i] * c[i] - u[i] * s[i];
        }
        for (int64_t i = 0; i < D; i++) dot += g[i] * a[i] * w[i];
        const float back = dot / (float)D * rstd[n] * rstd[n] * rstd[n];
        for (int64_t i = 0; i < D; i++) {
            sum[i] += g[i] * (a[i] * rstd[n]);
            dx[n * D + i] = (add & 1 ? dx[n * D + i] : 0.0f) + (g[i] * w[i] * rstd[n] - a[i] * back);
        }
    }
}

#else

static void FN(norm_rope_fwd)(int64_t task, int64_t tasks, const float *x, const float *w, const int32_t *pos, const float *cosine,
                              const float *sine, float *y, float *rstd, int64_t B, int64_t T, int64_t L, int64_t H, int64_t D, float eps) {
    (void)L;
    const ck_rows r = ck_rows_of(task, tasks, B, T);
    const int64_t half = D / 2;
    for (int64_t n = r.from * H; n < r.to * H; n++) {
        const float *a = x + n * D, *c = cosine + pos[n / H] * half, *s = sine + pos[n / H] * half;
        vf squares = v_set(0.0f);
        for (int64_t i = 0; i < half; i += VW) {
            const vm m = v_first(half - i);
            const vf first = v_loadm(a + i, m), second = v_loadm(a + half + i, m);
            squares = v_fma(first, first, v_fma(second, second, squares));
        }
        rstd[n] = 1.0f / sqrtf(v_sum(squares) / (float)D + eps);
        const vf scale = v_set(rstd[n]);
        for (int64_t i = 0; i < half; i += VW) {
            const vm m = v_first(half - i);
            const vf first = v_mul(v_loadm(w + i, m), v_mul(v_loadm(a + i, m), scale)), ci = v_loadm(c + i, m);
            const vf second = v_mul(v_loadm(w + half + i, m), v_mul(v_loadm(a + half + i, m), scale)), si = v_loadm(s + i, m);
            v_storem(y + n * D + i, m, v_fnma(second, si, v_mul(first, ci)));
            v_storem(y + n * D + half + i, m, v_fma(first, si, v_mul(second, ci)));
        }
    }
}

/* One head of one token: g = dy turned back, kept in `g`; returns sum(g x w). */
CK_INLINE float FN(turn_back)(const float *u, const float *a, const float *w, const float *c, const float *s, float *g, int64_t half) {
    vf dot = v_set(0.0f);
    for (int64_t i = 0; i < half; i += VW) {
        const vm m = v_first(half - i);
        const vf first = v_loadm(u + i, m), second = v_loadm(u + half + i, m), ci = v_loadm(c + i, m), si = v_loadm(s + i, m);
        const vf g1 = v_fma(second, si, v_mul(first, ci)), g2 = v_fnma(first, si, v_mul(second, ci));
        v_storem(g + i, m, g1);
        v_storem(g + half + i, m, g2);
        dot = v_fma(v_mul(g1, v_loadm(a + i, m)), v_loadm(w + i, m), dot);
        dot = v_fma(v_mul(g2, v_loadm(a + half + i, m)), v_loadm(w + half + i, m), dot);
    }
    return v_sum(dot);
}

static void FN(norm_rope_bwd)(int64_t task, int64_t tasks, const float *dy, const float *x, const float *w, const int32_t *pos,
                              const float *cosine, const float *sine, const float *rstd, float *dx, float *dw, float *part, int64_t B,
                              int64_t T, int64_t L, int64_t H, int64_t D, int64_t add, float eps) {
    (void)L, (void)dw, (void)eps;
    const ck_rows r = ck_rows_of(task, tasks, B, T);
    const int64_t half = D / 2;
    float *sum = part + r.block * D, g[CK_HEADMAX];
    memset(sum, 0, (size_t)D * sizeof *sum);
    for (int64_t n = r.from * H; n < r.to * H; n++) {
        const float *a = x + n * D;
        float *out = dx + n * D;
        const float dot = FN(turn_back)(dy + n * D, a, w, cosine + pos[n / H] * half, sine + pos[n / H] * half, g, half);
        const vf scale = v_set(rstd[n]), back = v_set(dot / (float)D * rstd[n] * rstd[n] * rstd[n]);
        for (int64_t i = 0; i < D; i += VW) {
            const vm m = v_first(D - i);
            const vf xi = v_loadm(a + i, m), gi = v_loadm(g + i, m);
            const vf d = v_fnma(xi, back, v_mul(v_mul(gi, v_loadm(w + i, m)), scale));
            v_storem(sum + i, m, v_fma(gi, v_mul(xi, scale), v_loadm(sum + i, m)));
            v_storem(out + i, m, add & 1 ? v_add(v_loadm(out + i, m), d) : d);
        }
    }
}

#endif

static void FN(norm_rope_bwd_dw)(int64_t task, int64_t tasks, const float *dy, const float *x, const float *w, const int32_t *pos,
                                 const float *cosine, const float *sine, const float *rstd, float *dx, float *dw, float *part, int64_t B,
                                 int64_t T, int64_t L, int64_t H, int64_t D, int64_t add, float eps) {
    (void)pos, (void)cosine, (void)sine, (void)L, (void)H;
    FN(rmsnorm_bwd_dw)(task, tasks, dy, x, w, rstd, dx, dw, part, B, T, D, add, eps);
}
