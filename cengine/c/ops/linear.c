/* y[B,T,O] = x[B,T,C] * w[O,C]^T.   dx = dy * w;   dw = sum over tokens of dy^T * x.
   w is packed once per step: into panels of output columns for the forward (pack), of input columns for dx (turn). The sum for
   dw runs over CHUNK tokens of one batch row at a time, in order, so that it depends on neither threads nor batch split. */

#ifdef CK_NAIVE

static void FN(linear_pack)(int64_t task, int64_t tasks, const float *w, float *packed, int64_t C, int64_t O) {
    (void)task, (void)tasks, (void)w, (void)packed, (void)C, (void)O; /* the naive forward reads w itself */
}

static void FN(linear_turn)(int64_t task, int64_t tasks, const float *w, float *turned, int64_t C, int64_t O) {
    (void)task, (void)tasks, (void)w, (void)turned, (void)C, (void)O;
}

static void FN(linear_fwd)(int64_t task, int64_t tasks, const float *x, const float *w, const float *packed, float *y, int64_t B,
                           int64_t T, int64_t C, int64_t O) {
    (void)packed;
    const ck_rows r = ck_rows_of(task, tasks, B, T);
    const int64_t first = r.part * CK_COLBLOCK, end = ck_min(first + CK_COLBLOCK, O);
    for (int64_t t = r.from; t < r.to; t++)
        for (int64_t o = first; o < end; o++) {
            float s = 0.0f;
            for (int64_t c = 0; c < C; c++) s += x[t * C + c] * w[o * C + c];
            y[t * O + o] = s;
        }
}

static void FN(linear_bwd_dx)(int64_t task, int64_t tasks, const float *dy, const float *x, const float *w, const float *turned,
                              float *dx, float *dw, int64_t B, int64_t T, int64_t C, int64_t O, int64_t add) {
    (void)x, (void)turned, (void)dw;
    const ck_rows r = ck_rows_of(task, tasks, B, T);
    const int64_t first = r.part * CK_COLBLOCK, end = ck_min(first + CK_COLBLOCK, C);
    for (int64_t t = r.from; t < r.to; t++)
        for (int64_t c = first; c < end; c++) {
            float s = 0.0f;
            for (int64_t o = 0; o < O; o++) s += dy[t * O + o] * w[o * C + c];
            dx[t * C + c] = add & 1 ? dx[t * C + c] + s : s;
        }
}

static void FN(linear_bwd_dw)(int64_t task, int64_t tasks, const float *dy, const float *x, const float *w, const float *turned,
                              float *dx, float *dw, int64_t B, int64_t T, int64_t C, int64_t O, int64_t add) {
    (void)w, (void)turned, (void)dx;
    const ck_range o = ck_part(task, tasks, O);
    for (int64_t j = o.from; j < o.to; j++) {
        if (!(add & 2)) memset(dw + j * C, 0, (size_t)C * sizeof *dw);
        for (int64_t i = 0; i < B * T; i++)
            for (int64_t c = 0; c < C; c++) dw[j * C + c] += dy[i * O + j] * x[i * C + c];
    }
}

#else

static void FN(linear_pack)(int64_t task, int64_t tasks, const float *w, float *packed, int64_t C, int64_t O) {
    (void)tasks; /* one task packs PANEL columns: one or more panels of this instruction set */
    for (int64_t o = task * CK_PANEL; o < ck_min(task * CK_PANEL + CK_PANEL, O); o += NV * VW)
        gemm_pack(w, C, o, O, C, packed + o * C);
}

static void FN(linear_turn)(int64_t task, int64_t tasks, const float *w, float *turned, int64_t C, int64_t O) {
    (void)tasks;
    for (int64_t c = task * CK_PANEL; c < ck_min(task * CK_PANEL + CK_PANEL, C); c += VW) {
        float *out = turned + c / (NV * VW) * (NV * VW) * O + c % (NV * VW);
        for (int64_t o = 0; o < O; o++) v_store(out + o * NV * VW, v_loadm(w + o * C + c, v_first(C - c)));
    }
}

static void FN(linear_fwd)(int64_t task, int64_t tasks, const float *x, const float *w, const float *packed, float *y, int64_t B,
                           int64_t T, int64_t C, int64_t O) {
    (void)w;
    const ck_rows r = ck_rows_of(task, tasks, B, T);
    const int64_t o = r.part * CK_COLBLOCK;
    gemm(r.to - r.from, ck_min(O - o, CK_COLBLOCK), C, x + r.from * C, C, 1, ck_panels(packed + o * C, C), y + r.from * O + o, O, NULL);
}

static void FN(linear_bwd_dx)(int64_t task, int64_t tasks, const float *dy, const float *x, const float *w, const float *turned,
                              float *dx, float *dw, int64_t B, int64_t T, int64_t C, int64_t O, int64_t add) {
    (void)x, (void)w, (void)dw;
    const ck_rows r = ck_rows_of(task, tasks, B, T);
    const int64_t c = r.part * CK_COLBLOCK;
    gemm(r.to - r.from, ck_min(C - c, CK_COLBLOCK), O, dy + r.from * O, O, 1, ck_panels(turned + c * O, O), dx + r.from * C + c, C,
         add & 1 ? dx + r.from * C + c : NULL);
}

static void FN(linear_bwd_dw)(int64_t task, int64_t tasks, const float *dy, const float *x, const float *w, const float *turned,
                              float *dx, float *dw, int64_t B, int64_t T, int64_t C, int64_t O, int64_t add) {
    (void)tasks, (void)w, (void)turned, (void)dx;
    const int64_t across = ck_ceil(C, CK_COLBLOCK), c = task % across * CK_COLBLOCK, o = task / across * CK_GRADBLOCK;
    const int64_t width = ck_min(C - c, CK_COLBLOCK), rows = ck_min(O - o, CK_GRADBLOCK);
    int more = (add & 2) != 0;
    for (int64_t b = 0; b < B; b++)
        for (int64_t t = 0; t < T; t += CK_CHUNK, more = 1) {
            const float *xt = x + (b * T + t) * C + c, *dyt = dy + (b * T + t) * O + o;
            gemm(rows, width, ck_min(T - t, CK_CHUNK), dyt, 1, O, ck_in_place(xt, C), dw + o * C + c, C, more ? dw + o * C + c : NULL);
        }
}

#endif
