/* y[B,T,C] = w[C] * x * rstd, rstd[B,T] = 1 / sqrt(mean(x^2) + eps).
   dx = rstd * (dy*w) - x * rstd^3 * mean(dy*w*x);  dw = sum over tokens of dy * x * rstd.
   The sum for dw is taken per block of token rows into part[blocks,C]; a second phase adds the blocks in order. Blocks never
   cross batch rows, so a batch and its accumulated parts give the same bits. */

#ifdef CK_NAIVE

static void FN(rmsnorm_fwd)(int64_t task, int64_t tasks, const float *x, const float *w, float *y, float *rstd, int64_t B,
                            int64_t T, int64_t C, float eps) {
    const ck_rows r = ck_rows_of(task, tasks, B, T);
    for (int64_t t = r.from; t < r.to; t++) {
        float squares = 0.0f;
        for (int64_t i = 0; i < C; i++) squares += x[t * C + i] * x[t * C + i];
        rstd[t] = 1.0f / sqrtf(squares / (float)C + eps);
        for (int64_t i = 0; i < C; i++) y[t * C + i] = w[i] * (x[t * C + i] * rstd[t]);
    }
}

static void FN(rmsnorm_bwd)(int64_t task, int64_t tasks, const float *dy, const float *x, const float *w, const float *rstd,
                            float *dx, float *dw, float *part, int64_t B, int64_t T, int64_t C, int64_t add, float eps) {
    (void)dw, (void)eps;
    const ck_rows r = ck_rows_of(task, tasks, B, T);
    float *sum = part + task * C;
    memset(sum, 0, (size_t)C * sizeof *sum);
    for (int64_t t = r.from; t < r.to; t++) {
        const float *xt = x + t * C, *dyt = dy + t * C, s = rstd[t];
        float *dxt = dx + t * C, dot = 0.0f;
        for (int64_t i = 0; i < C; i++) dot += dyt[i] * xt[i] * w[i];
        const float back = dot / (float)C * s * s * s;
        for (int64_t i = 0; i < C; i++) {
            sum[i] += dyt[i] * (xt[i] * s);
            dxt[i] = (add & 1 ? dxt[i] : 0.0f) + (dyt[i] * w[i] * s - xt[i] * back);
        }
    }
}

#else

static void FN(rmsnorm_fwd)(int64_t task, int64_t tasks, const float *x, const float *w, float *y, float *rstd, int64_t B,
                            int64_t T, int64_t C, float eps) {
    const ck_rows r = ck_rows_of(task, tasks, B, T);
    for (int64_t t = r.from; t < r.to; t++) {
        const float *xt = x + t * C;
        vf squares = v_set(0.0f);
        for (int64_t i = 0; i < C; i += VW) {
            const vf xi = v_loadm(xt + i, v_first(C - i));
            squares = v_fma(xi, xi, squares);
        }
        const float s = 1.0f / sqrtf(v_sum(squares) / (float)C + eps);
        rstd[t] = s;
        for (int64_t i = 0; i < C; i += VW) {
            const vm m = v_first(C - i);
            v_storem(y + t * C + i, m, v_mul(v_loadm(w + i, m), v_mul(v_loadm(xt + i, m), v_set(s))));
        }
    }
}

static void FN(rmsnorm_bwd)(int64_t task, int64_t tasks, const float *dy, const float *x, const float *w, const float *rstd,
                            float *dx, float *dw, float *part, int64_t B, int64_t T, int64_t C, int64_t add, float eps) {
    (void)dw, (void)eps;
    const ck_rows r = ck_rows_of(task, tasks, B, T);
    float *sum = part + task * C;
    memset(sum, 0, (size_t)C * sizeof *sum);
    for (int64_t t = r.from; t < r.to; t++) {
        const float *xt = x + t * C, *dyt = dy + t * C, s = rstd[t];
        float *dxt = dx + t * C;
        vf dot = v_set(0.0f);
        for (int64_t i = 0; i < C; i += VW) {
            const vm m = v_first(C - i);
            dot = v_fma(v_mul(v_loadm(dyt + i, m), v_loadm(xt + i, m)), v_loadm(w + i, m), dot);
        }
        const vf scale = v_set(s), back = v_set(v_sum(dot) / (float)C * s * s * s);
        for (int64_t i = 0; i < C; i += VW) {
            const vm m = v_first(C - i);
            const vf xi = v_loadm(xt + i, m), di = v_loadm(dyt + i, m);
            const vf d = v_fnma(xi, back, v_mul(v_mul(di, v_loadm(w + i, m)), scale));
            v_storem(sum + i, m, v_fma(di, v_mul(xi, scale), v_loadm(sum + i, m)));
            v_storem(dxt + i, m, add & 1 ? v_add(v_loadm(dxt + i, m), d) : d);
        }
    }
}

#endif

static void FN(rmsnorm_bwd_dw)(int64_t task, int64_t tasks, const float *dy, const float *x, const float *w, const float *rstd,
                               float *dx, float *dw, float *part, int64_t B, int64_t T, int64_t C, int64_t add, float eps) {
    (void)dy, (void)x, (void)w, (void)rstd, (void)dx, (void)eps;
    const ck_range c = ck_part(task, tasks, C);
    for (int64_t i = c.from; i < c.to; i++)
        if (!(add & 2)) dw[i] = 0.0f;
    for (int64_t k = 0; k < B * ck_ceil(T, CK_ROWBLOCK); k++)
        for (int64_t i = c.from; i < c.to; i++) dw[i] += part[k * C + i];
}
