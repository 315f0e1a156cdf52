/* y[B,T,O] = x[B,T,C] * w[O,C]^T.   dx = dy * w;   dw = sum over tokens of dy^T * x.
   Forward reads w packed into panels of output columns (pack). Backward reads everything in place. The sum for dw runs over
   CHUNK tokens of one batch row at a time, in order, so that it depends on neither threads nor batch split. */

#ifdef CK_NAIVE

static void FN(linear_pack)(int64_t task, int64_t tasks, const float *w, float *packed, int64_t C, int64_t O) {
    (void)task, (void)tasks, (void)w, (void)packed, (void)C, (void)O; /* the naive forward reads w itself */
}

static void FN(linear_fwd)(int64_t task, int64_t tasks, const float *x, const float *w, const float *packed, float *y, int64_t B,
                           int64_t T, int64_t C, int64_t O) {
    (void)packed;
    const ck_range r = ck_part(task, tasks, B * T);
    for (int64_t t = r.from; t < r.to; t++)
        for (int64_t o = 0; o < O; o++) {
            float s = 0.0f;
            for (int64_t c = 0; c < C; c++) s += x[t * C + c] * w[o * C + c];
            y[t * O + o] = s;
        }
}

static void FN(linear_bwd)(int64_t task, int64_t tasks, const float *dy, const float *x, const float *w, float *dx, float *dw,
                           int64_t B, int64_t T, int64_t C, int64_t O, int64_t add) {
    const ck_range t = ck_part(task, tasks, B * T), o = ck_part(task, tasks, O);
    for (int64_t i = t.from; i < t.to; i++) {
        if (!(add & 1)) memset(dx + i * C, 0, (size_t)C * sizeof *dx);
        for (int64_t j = 0; j < O; j++)
            for (int64_t c = 0; c < C; c++) dx[i * C + c] += dy[i * O + j] * w[j * C + c];
    }
    for (int64_t j = o.from; j < o.to; j++) {
        if (!(add & 2)) memset(dw + j * C, 0, (size_t)C * sizeof *dw);
        for (int64_t i = 0; i < B * T; i++)
            for (int64_t c = 0; c < C; c++) dw[j * C + c] += dy[i * O + j] * x[i * C + c];
    }
}

#else

static void FN(linear_pack)(int64_t task, int64_t tasks, const float *w, float *packed, int64_t C, int64_t O) {
    (void)tasks; /* one task packs PANEL columns: one or more panels of this instruction set */
    const int64_t width = NV * VW;
    for (int64_t o = task * CK_PANEL; o < ck_min(task * CK_PANEL + CK_PANEL, O); o += width)
        gemm_pack_rows(w, C, o, O, C, packed + o * C);
}

static void FN(linear_fwd)(int64_t task, int64_t tasks, const float *x, const float *w, const float *packed, float *y, int64_t B,
                           int64_t T, int64_t C, int64_t O) {
    (void)tasks, (void)w;
    const int64_t across = ck_ceil(O, CK_COLBLOCK), t = task / across * CK_ROWBLOCK, o = task % across * CK_COLBLOCK;
    gemm(ck_min(B * T - t, CK_ROWBLOCK), ck_min(O - o, CK_COLBLOCK), C, x + t * C, C, 1, ck_panels_of(packed + o * C, C),
         y + t * O + o, O, 0);
}

static void FN(linear_bwd)(int64_t task, int64_t tasks, const float *dy, const float *x, const float *w, float *dx, float *dw,
                           int64_t B, int64_t T, int64_t C, int64_t O, int64_t add) {
    (void)tasks;
    const int64_t across = ck_ceil(C, CK_COLBLOCK), down = ck_ceil(B * T, CK_ROWBLOCK), c = task % across * CK_COLBLOCK;
    const int64_t width = ck_min(C - c, CK_COLBLOCK);
    if (task < down * across) {
        const int64_t t = task / across * CK_ROWBLOCK;
        gemm(ck_min(B * T - t, CK_ROWBLOCK), width, O, dy + t * O, O, 1, ck_rows_of(w + c, C), dx + t * C + c, C, add & 1);
        return;
    }
    const int64_t o = (task / across - down) * CK_ROWBLOCK, rows = ck_min(O - o, CK_ROWBLOCK);
    int more = (add & 2) != 0;
    for (int64_t b = 0; b < B; b++)
        for (int64_t t = 0; t < T; t += CK_CHUNK, more = 1) {
            const float *xt = x + (b * T + t) * C + c, *dyt = dy + (b * T + t) * O + o;
            gemm(rows, width, ck_min(T - t, CK_CHUNK), dyt, 1, O, ck_rows_of(xt, C), dw + o * C + c, C, more);
        }
}

#endif
