/* y[N] = a + b. One loop serves every instruction set: the compiler vectorises it and the order of operations cannot matter. */

static void FN(add_fwd)(int64_t task, int64_t tasks, const float *a, const float *b, float *y, int64_t N) {
    const ck_range r = ck_part(task, tasks, N);
    for (int64_t i = r.from; i < r.to; i++) y[i] = a[i] + b[i];
}

static void FN(add_bwd)(int64_t task, int64_t tasks, const float *dy, float *da, float *db, int64_t N, int64_t add) {
    const ck_range r = ck_part(task, tasks, N);
    for (int64_t i = r.from; i < r.to; i++) da[i] = add & 1 ? da[i] + dy[i] : dy[i];
    for (int64_t i = r.from; i < r.to; i++) db[i] = add & 2 ? db[i] + dy[i] : dy[i];
}
