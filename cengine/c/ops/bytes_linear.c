/* y[B,T,O] = x[B,T,C] * w[O,C]^T with w as bytes: row o of w is scale[o] times whole numbers from -127 to 127, scale[o] = max |w[o]| / 127.
   Inputs, products and sums are float32; each element is one chain of fused multiply-adds in the order of c, scaled at its end.
   packed holds the bytes: panels of output columns, c by c (the naive twin: one column a panel, which is w's own order). */

#ifdef CK_NAIVE
enum { FN(bytes_panel) = 1 };
#else
enum { FN(bytes_panel) = NV * VW };
#endif

static void FN(bytes_linear_pack)(int64_t task, int64_t tasks, const float *w, int32_t *packed, float *scale, int64_t C, int64_t O) {
    (void)tasks;
    int8_t *out = (int8_t *)packed;
    for (int64_t o = task * CK_PANEL; o < task * CK_PANEL + CK_PANEL; o++) {
        int8_t *column = out + o / FN(bytes_panel) * FN(bytes_panel) * C + o % FN(bytes_panel);
        float top = 0.0f;
        for (int64_t c = 0; c < C && o < O; c++) top = fmaxf(top, fabsf(w[o * C + c]));
        const float unit = top > 0.0f ? top / 127.0f : 1.0f;
        if (o < O) scale[o] = unit;
        for (int64_t c = 0; c < C; c++) column[c * FN(bytes_panel)] = o < O ? (int8_t)rintf(w[o * C + c] / unit) : 0;
    }
}

#ifdef CK_NAIVE

/* One part of a block of rows; from may be NULL. */
CK_INLINE void FN(bytes_part)(ck_rows r, const float *x, const int32_t *packed, const float *scale, const float *from, float *y, int64_t C,
                              int64_t O) {
    const int8_t *w = (const int8_t *)packed;
    const int64_t first = r.part * CK_PANEL, end = ck_min(first + CK_PANEL, O);
    for (int64_t t = r.from; t < r.to; t++)
        for (int64_t o = first; o < end; o++) {
            float s = 0.0f;
            for (int64_t c = 0; c < C; c++) s += x[t * C + c] * (float)w[o * C + c];
            y[t * O + o] = from ? from[t * O + o] + s * scale[o] : s * scale[o];
        }
}

#else

/* `rows` rows by one panel; `width` of its columns are there. */
CK_INLINE void FN(bytes_tile)(const int rows, const float *x, const int8_t *w, const float *scale, const float *from, float *y, int64_t C,
                              int64_t O, int64_t width) {
    vf sum[MR][NV];
    CK_UNROLL for (int i = 0; i < rows; i++)
        CK_UNROLL for (int j = 0; j < NV; j++) sum[i][j] = v_set(0.0f);
    for (int64_t c = 0; c < C; c++) {
        vf b[NV];
        CK_UNROLL for (int j = 0; j < NV; j++) b[j] = v_bytes(w + (c * NV + j) * VW);
        CK_UNROLL for (int i = 0; i < rows; i++)
            CK_UNROLL for (int j = 0; j < NV; j++) sum[i][j] = v_fma(v_set(x[i * C + c]), b[j], sum[i][j]);
    }
    CK_UNROLL for (int i = 0; i < rows; i++)
        CK_UNROLL for (int j = 0; j < NV; j++) {
            const vm m = v_first(width - j * VW);
            const vf s = v_mul(sum[i][j], v_loadm(scale + j * VW, m));
            v_storem(y + i * O + j * VW, m, from ? v_add(v_loadm(from + i * O + j * VW, m), s) : s);
        }
}

CK_INLINE void FN(bytes_part)(ck_rows r, const float *x, const int32_t *packed, const float *scale, const float *from, float *y, int64_t C,
                              int64_t O) {
    const int64_t end = ck_min(r.part * CK_PANEL + CK_PANEL, O);
    for (int64_t o = r.part * CK_PANEL; o < end; o += NV * VW) {
        const int8_t *w = (const int8_t *)packed + o * C;
        for (int64_t t = r.from; t < r.to;) {
            const float *xt = x + t * C, *old = from ? from + t * O + o : NULL;
            const int64_t rows = r.to - t;
            const int64_t done = rows >= MR ? MR : rows >= 4 ? 4 : rows >= 2 ? 2 : 1;
            if (done == MR) FN(bytes_tile)(MR, xt, w, scale + o, old, y + t * O + o, C, O, end - o);
            else if (done == 4) FN(bytes_tile)(4, xt, w, scale + o, old, y + t * O + o, C, O, end - o);
            else if (done == 2) FN(bytes_tile)(2, xt, w, scale + o, old, y + t * O + o, C, O, end - o);
            else FN(bytes_tile)(1, xt, w, scale + o, old, y + t * O + o, C, O, end - o);
            t += done;
        }
    }
}

#endif

static void FN(bytes_linear_fwd)(int64_t task, int64_t tasks, const float *x, const float *w, const int32_t *packed, const float *scale,
                                 float *y, int64_t B, int64_t T, int64_t C, int64_t O) {
    (void)w;
    FN(bytes_part)(ck_rows_of(task, tasks, B, T), x, packed, scale, NULL, y, C, O);
}
