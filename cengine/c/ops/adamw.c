/* AdamW with decoupled weight decay (Loshchilov, Hutter 2019), global-norm clipping folded in.
   hyper[8] = lr, beta1, beta2, eps, weight decay, 1/(1-beta1^t), 1/(1-beta2^t), largest norm (0: no clipping);
   total[1] = sum of squares over all gradients; decay = 1 for matrices, 0 for norms and embeddings.
   One loop serves every instruction set. */

static void FN(adamw_fwd)(int64_t task, int64_t tasks, float *p, const float *g, float *m, float *v, const float *hyper,
                          const double *total, int64_t K, int64_t P, float decay) {
    (void)K;
    const ck_range r = ck_part(task, tasks, P);
    const double norm = sqrt(total[0]);
    const float clip = hyper[7] > 0.0f && norm > (double)hyper[7] ? (float)((double)hyper[7] / (norm + 1e-6)) : 1.0f;
    const float lr = hyper[0], b1 = hyper[1], b2 = hyper[2], eps = hyper[3], keep = 1.0f - lr * hyper[4] * decay;
    const float c1 = 1.0f - b1, c2 = 1.0f - b2, s1 = lr * hyper[5], s2 = hyper[6];
    for (int64_t i = r.from; i < r.to; i++) {
        const float gi = g[i] * clip;
        m[i] = b1 * m[i] + c1 * gi;
        v[i] = b2 * v[i] + c2 * gi * gi;
        p[i] = p[i] * keep - s1 * m[i] / (sqrtf(v[i] * s2) + eps);
    }
}
