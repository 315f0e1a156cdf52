/* y[B,T,O] = r + x[B,T,C] * w[O,C]^T with w as bytes (bytes_linear.c). */

static void FN(bytes_linear_add_fwd)(int64_t task, int64_t tasks, const float *x, const float *w, const float *r, const int32_t *packed,
                                     const float *scale, float *y, int64_t B, int64_t T, int64_t C, int64_t O) {
    (void)w;
    FN(bytes_part)(ck_rows_of(task, tasks, B, T), x, packed, scale, r, y, C, O);
}
