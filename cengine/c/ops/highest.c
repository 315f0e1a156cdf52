/* id[B,T] = where x[B,T,V] is highest; the lowest such place wins a tie. */

#ifdef CK_NAIVE

static void FN(highest_fwd)(int64_t task, int64_t tasks, const float *x, int32_t *id, int64_t B, int64_t T, int64_t V) {
    const ck_rows r = ck_rows_of(task, tasks, B, T);
    for (int64_t t = r.from; t < r.to; t++) {
        id[t] = 0;
        for (int64_t v = 1; v < V; v++)
            if (x[t * V + v] > x[t * V + id[t]]) id[t] = (int32_t)v;
    }
}

#else

static void FN(highest_fwd)(int64_t task, int64_t tasks, const float *x, int32_t *id, int64_t B, int64_t T, int64_t V) {
    const ck_rows r = ck_rows_of(task, tasks, B, T);
    for (int64_t t = r.from; t < r.to; t++) {
        const float *row = x + t * V;
        vf best = v_set(-INFINITY);
        for (int64_t v = 0; v < V; v += VW) best = v_max(v_keep(v_first(V - v), v_loadm(row + v, v_first(V - v)), best), best);
        const float top = v_top(best);
        int64_t v = 0;
        while (v < V - 1 && row[v] != top) v++; /* a row of nothing but NaN has no highest: its last place is as good as any */
        id[t] = (int32_t)v;
    }
}

#endif
