/* y[B,T,C] = g * sigmoid(g) * u, the gate of a SwiGLU block. */

#ifdef CK_NAIVE

static void FN(swiglu_fwd)(int64_t task, int64_t tasks, const float *g, const float *u, float *y, int64_t B, int64_t T,
                           int64_t C) {
    const ck_rows r = ck_rows_of(task, tasks, B, T);
    for (int64_t i = r.from * C; i < r.to * C; i++) y[i] = g[i] / (1.0f + expf(-g[i])) * u[i];
}

static void FN(swiglu_bwd)(int64_t task, int64_t tasks, const float *dy, const float *g, const float *u, float *dg, float *du,
                           int64_t B,
                           int64_t T, int64_t C, int64_t add) {
    const ck_rows r = ck_rows_of(task, tasks, B, T);
    for (int64_t i = r.from * C; i < r.to * C; i++) {
        const float s = 1.0f / (1.0f + expf(-g[i]));
        const float a = dy[i] * u[i] * (s * (1.0f + g[i] * (1.0f - s))), b = dy[i] * (g[i] * s);
        dg[i] = add & 1 ? dg[i] + a : a;
        du[i] = add & 2 ? du[i] + b : b;
    }
}

#else

CK_INLINE vf FN(sigmoid)(vf g) { return v_div(v_set(1.0f), v_add(v_set(1.0f), v_exp(v_sub(v_set(0.0f), g)))); }

static void FN(swiglu_fwd)(int64_t task, int64_t tasks, const float *g, const float *u, float *y, int64_t B, int64_t T,
                           int64_t C) {
    const ck_rows r = ck_rows_of(task, tasks, B, T);
    for (int64_t i = r.from * C; i < r.to * C; i += VW) {
        const vm m = v_first(r.to * C - i);
        const vf gi = v_loadm(g + i, m);
        v_storem(y + i, m, v_mul(v_mul(gi, FN(sigmoid)(gi)), v_loadm(u + i, m)));
    }
}

static void FN(swiglu_bwd)(int64_t task, int64_t tasks, const float *dy, const float *g, const float *u, float *dg, float *du,
                           int64_t B,
                           int64_t T, int64_t C, int64_t add) {
    const ck_rows r = ck_rows_of(task, tasks, B, T);
    const vf one = v_set(1.0f), zero = v_set(0.0f);
    for (int64_t i = r.from * C; i < r.to * C; i += VW) {
        const vm m = v_first(r.to * C - i);
        const vf gi = v_loadm(g + i, m), dyi = v_loadm(dy + i, m), s = FN(sigmoid)(gi);
        const vf slope = v_mul(s, v_fma(gi, v_sub(one, s), one));
        const vf a = v_mul(v_mul(dyi, v_loadm(u + i, m)), slope), b = v_mul(dyi, v_mul(gi, s));
        v_storem(dg + i, m, v_add(add & 1 ? v_loadm(dg + i, m) : zero, a));
        v_storem(du + i, m, v_add(add & 2 ? v_loadm(du + i, m) : zero, b));
    }
}

#endif
