/* y[B,T,C] = a + b. One loop serves every instruction set: the compiler vectorises it and the order of operations cannot matter. */

static void FN(add_fwd)(int64_t task, int64_t tasks, const float *restrict a, const float *restrict b, float *restrict y, int64_t B,
                        int64_t T, int64_t C) {
    const ck_rows r = ck_rows_of(task, tasks, B, T);
    for (int64_t i = r.from * C; i < r.to * C; i++) y[i] = a[i] + b[i];
}

static void FN(add_bwd)(int64_t task, int64_t tasks, const float *restrict dy, float *restrict da, float *restrict db, int64_t B,
                        int64_t T, int64_t C, int64_t add) {
    const ck_rows r = ck_rows_of(task, tasks, B, T);
    for (int64_t i = r.from * C; i < r.to * C; i++) da[i] = add & 1 ? da[i] + dy[i] : dy[i];
    for (int64_t i = r.from * C; i < r.to * C; i++) db[i] = add & 2 ? db[i] + dy[i] : dy[i];
}
