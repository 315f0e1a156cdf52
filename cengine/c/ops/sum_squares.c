/* total[1] += sum of g[P]^2 in double: per block of GRAIN elements, then the blocks in order. */

static void FN(sum_squares_fwd)(int64_t task, int64_t tasks, const float *g, double *total, double *part, int64_t P) {
    (void)total;
    const ck_range r = ck_part(task, tasks, P);
    const int64_t whole = r.from + (r.to - r.from) / 8 * 8;
    double lane[8] = {0}; /* eight fixed lanes: enough to keep the adder busy, and the same on every machine */
    for (int64_t i = r.from; i < whole; i += 8)
        for (int j = 0; j < 8; j++) lane[j] += (double)g[i + j] * (double)g[i + j];
    for (int64_t i = whole; i < r.to; i++) lane[0] += (double)g[i] * (double)g[i];
    part[task] = ((lane[0] + lane[1]) + (lane[2] + lane[3])) + ((lane[4] + lane[5]) + (lane[6] + lane[7]));
}

static void FN(sum_squares_add)(int64_t task, int64_t tasks, const float *g, double *total, double *part, int64_t P) {
    (void)task, (void)tasks, (void)g;
    for (int64_t i = 0; i < ck_ceil(P, CK_GRAIN); i++) total[0] += part[i];
}
