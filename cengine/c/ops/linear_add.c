/* y[B,T,O] = r + x[B,T,C] * w[O,C]^T: a projection back into the residual stream. The gradient of r is dy itself; the rest is as in
   linear.c. */

static void FN(linear_add_fwd)(int64_t task, int64_t tasks, const float *x, const float *w, const float *r, const float *packed,
                               float *y, int64_t B, int64_t T, int64_t C, int64_t O) {
#ifdef CK_NAIVE
    FN(linear_fwd)(task, tasks, x, w, packed, y, B, T, C, O);
    const ck_rows at = ck_rows_of(task, tasks, B, T);
    const int64_t first = at.part * CK_COLBLOCK, end = ck_min(first + CK_COLBLOCK, O);
    for (int64_t t = at.from; t < at.to; t++)
        for (int64_t o = first; o < end; o++) y[t * O + o] += r[t * O + o];
#else
    (void)w;
    const ck_rows at = ck_rows_of(task, tasks, B, T);
    const int64_t o = at.part * CK_COLBLOCK, first = at.from * O + o;
    gemm(at.to - at.from, ck_min(O - o, CK_COLBLOCK), C, x + at.from * C, C, 1, ck_panels(packed + o * C, C), y + first, O, r + first);
#endif
}
