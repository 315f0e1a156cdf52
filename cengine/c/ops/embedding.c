/* y[B,T,C] = w[ids]. The backward adds rows in the order of the tokens; its tasks split the columns, so no row is shared. */

static void FN(embedding_fwd)(int64_t task, int64_t tasks, const int32_t *ids, const float *w, float *y, int64_t B, int64_t T,
                              int64_t C, int64_t V) {
    (void)V;
    const ck_rows r = ck_rows_of(task, tasks, B, T);
    for (int64_t t = r.from; t < r.to; t++) memcpy(y + t * C, w + ids[t] * C, (size_t)C * sizeof *y);
}

static void FN(embedding_bwd)(int64_t task, int64_t tasks, const float *dy, const int32_t *ids, float *dw, int64_t B, int64_t T,
                              int64_t C, int64_t V, int64_t add) {
    const ck_range c = ck_part(task, tasks, C);
    if (!(add & 1))
        for (int64_t v = 0; v < V; v++) memset(dw + v * C + c.from, 0, (size_t)(c.to - c.from) * sizeof *dw);
    for (int64_t t = 0; t < B * T; t++) {
        float *row = dw + ids[t] * C;
        for (int64_t i = c.from; i < c.to; i++) row[i] += dy[t * C + i];
    }
}
