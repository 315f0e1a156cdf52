/* loss[B,T] = lse - logits[target], lse = log sum exp(logits[V]); 0 where the target is negative (ignored).
   dlogits = (softmax - onehot(target)) * scale, and 0 for ignored targets. scale is 1 / valid targets of the whole optimizer
   window, so that accumulated parts average like one batch. */

static void FN(cross_entropy_fwd)(int64_t task, int64_t tasks, const float *logits, const int32_t *targets, const float *scale,
                                  float *loss, float *lse, int64_t B, int64_t T, int64_t V) {
    (void)scale;
    const ck_rows r = ck_rows_of(task, tasks, B, T);
    for (int64_t t = r.from; t < r.to; t++) {
        const float *l = logits + t * V;
#ifdef CK_NAIVE
        float top = l[0], sum = 0.0f;
        for (int64_t v = 1; v < V; v++) top = l[v] > top ? l[v] : top;
        for (int64_t v = 0; v < V; v++) sum += expf(l[v] - top);
#else
        vf best = v_set(l[0]), sums = v_set(0.0f);
        for (int64_t v = 0; v < V; v += VW) best = v_max(best, v_keep(v_first(V - v), v_loadm(l + v, v_first(V - v)), best));
        const float top = v_top(best);
        for (int64_t v = 0; v < V; v += VW) {
            const vm m = v_first(V - v);
            sums = v_add(sums, v_keep(m, v_exp(v_sub(v_loadm(l + v, m), v_set(top))), v_set(0.0f)));
        }
        const float sum = v_sum(sums);
#endif
        lse[t] = top + logf(sum);
        loss[t] = targets[t] < 0 ? 0.0f : lse[t] - l[targets[t]];
    }
}

static void FN(cross_entropy_bwd)(int64_t task, int64_t tasks, const float *logits, const int32_t *targets, const float *lse,
                                  const float *scale, float *dlogits, int64_t B, int64_t T, int64_t V, int64_t add) {
    (void)add; /* the logits have one reader */
    const ck_rows r = ck_rows_of(task, tasks, B, T);
    for (int64_t t = r.from; t < r.to; t++) {
        const float *l = logits + t * V;
        float *d = dlogits + t * V;
        if (targets[t] < 0) {
            memset(d, 0, (size_t)V * sizeof *d);
            continue;
        }
#ifdef CK_NAIVE
        for (int64_t v = 0; v < V; v++) d[v] = expf(l[v] - lse[t]) * scale[0];
#else
        for (int64_t v = 0; v < V; v += VW) {
            const vm m = v_first(V - v);
            v_storem(d + v, m, v_mul(v_exp(v_sub(v_loadm(l + v, m), v_set(lse[t]))), v_set(scale[0])));
        }
#endif
        d[targets[t]] -= scale[0];
    }
}
