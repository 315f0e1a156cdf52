/* y[B,T,C] = w[C] * x * rstd, rstd[B,T] = 1 / sqrt(mean(x^2) + eps).
   dx = rstd * (dy*w) - x * rstd^3 * mean(dy*w*x);  dw = sum over tokens of dy * x * rstd.
   The sum for dw is taken per block of tokens into part[B,blocks,C]; a second phase adds the blocks in order. Blocks never cross
   batch rows, so a batch and its accumulated parts give the same bits. */

typedef struct { int64_t row, from, to; } FN(rms_block);

/* Task `task` is block number task % blocks of batch row task / blocks. */
CK_INLINE FN(rms_block) FN(rms_block_of)(int64_t task, int64_t tasks, int64_t B, int64_t T) {
    const int64_t blocks = tasks / B;
    const ck_range r = ck_part(task % blocks, blocks, T);
    return (FN(rms_block)){task / blocks * T, r.from, r.to};
}

#ifdef CK_NAIVE
CK_INLINE float FN(dot3)(const float *a, const float *b, const float *c, int64_t C) {
    float s = 0.0f;
    for (int64_t i = 0; i < C; i++) s += a[i] * b[i] * (c ? c[i] : 1.0f);
    return s;
}
#else
CK_INLINE float FN(dot3)(const float *a, const float *b, const float *c, int64_t C) {
    vf s = v_set(0.0f);
    for (int64_t i = 0; i < C; i += VW) {
        const vm m = v_first(C - i);
        const vf ab = v_mul(v_loadm(a + i, m), v_loadm(b + i, m));
        s = c ? v_fma(ab, v_loadm(c + i, m), s) : v_add(ab, s);
    }
    return v_sum(s);
}
#endif

static void FN(rmsnorm_fwd)(int64_t task, int64_t tasks, const float *x, const float *w, float *y, float *rstd, int64_t B,
                            int64_t T, int64_t C, float eps) {
    const FN(rms_block) r = FN(rms_block_of)(task, tasks, B, T);
    for (int64_t t = r.row + r.from; t < r.row + r.to; t++) {
        const float *xt = x + t * C;
        const float s = 1.0f / sqrtf(FN(dot3)(xt, xt, NULL, C) / (float)C + eps);
        rstd[t] = s;
        for (int64_t i = 0; i < C; i++) y[t * C + i] = w[i] * (xt[i] * s);
    }
}

static void FN(rmsnorm_bwd)(int64_t task, int64_t tasks, const float *dy, const float *x, const float *w, const float *rstd,
                            float *dx, float *dw, float *part, int64_t B, int64_t T, int64_t C, int64_t add, float eps) {
    (void)dw, (void)eps;
    const FN(rms_block) r = FN(rms_block_of)(task, tasks, B, T);
    float *sum = part + task * C;
    memset(sum, 0, (size_t)C * sizeof *sum);
    for (int64_t t = r.row + r.from; t < r.row + r.to; t++) {
        const float *xt = x + t * C, *dyt = dy + t * C;
        float *dxt = dx + t * C;
        const float s = rstd[t], back = FN(dot3)(dyt, xt, w, C) / (float)C * s * s * s;
        for (int64_t i = 0; i < C; i++) sum[i] += dyt[i] * (xt[i] * s);
        if (add & 1)
            for (int64_t i = 0; i < C; i++) dxt[i] += dyt[i] * w[i] * s - xt[i] * back;
        else
            for (int64_t i = 0; i < C; i++) dxt[i] = dyt[i] * w[i] * s - xt[i] * back;
    }
}

static void FN(rmsnorm_bwd_sum)(int64_t task, int64_t tasks, const float *dy, const float *x, const float *w, const float *rstd,
                                float *dx, float *dw, float *part, int64_t B, int64_t T, int64_t C, int64_t add, float eps) {
    (void)dy, (void)x, (void)w, (void)rstd, (void)dx, (void)eps;
    const ck_range c = ck_part(task, tasks, C);
    const int64_t blocks = B * ck_ceil(T * C, CK_GRAIN);
    for (int64_t i = c.from; i < c.to; i++) {
        float s = add & 2 ? dw[i] : 0.0f;
        for (int64_t k = 0; k < blocks; k++) s += part[k * C + i];
        dw[i] = s;
    }
}
