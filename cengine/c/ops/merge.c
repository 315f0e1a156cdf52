/* x[P] += a: two gradients of one parameter become one. */

static void FN(merge_fwd)(int64_t task, int64_t tasks, float *x, const float *a, int64_t P) {
    const ck_range r = ck_part(task, tasks, P);
    for (int64_t i = r.from; i < r.to; i++) x[i] += a[i];
}
