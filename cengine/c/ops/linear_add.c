/* y[B,T,O] = r + x[B,T,C] * w[O,C]^T: a projection back into the residual stream. The gradient of r is dy itself; the rest is as in
   linear.c. */

static void FN(linear_add_fwd)(int64_t task, int64_t tasks, const float *x, const float *w, const float *r, const float *packed,
                               float *y, int64_t B, int64_t T, int64_t C, int64_t O) {
    FN(linear_rows)(ck_rows_of(task, tasks, B, T), x, w, packed, r, y, C, O);
}
