/* x[P] = 0: clears a gradient at the start of an optimizer window. */

static void FN(fill_zero_fwd)(int64_t task, int64_t tasks, float *x, int64_t P) {
    const ck_range r = ck_part(task, tasks, P);
    memset(x + r.from, 0, (size_t)(r.to - r.from) * sizeof *x);
}
