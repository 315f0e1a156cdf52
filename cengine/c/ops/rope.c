/* Rotary position embedding with split halves: lanes i and i + D/2 of each head turn by the angle of (pos, i), whose cosine and
   sine are tables [L, D/2]. The backward turns the other way. */

CK_INLINE void FN(rope_turn)(int64_t task, int64_t tasks, const float *x, const int32_t *pos, const float *cosine,
                             const float *sine, float *y, int64_t tokens, int64_t H, int64_t D, float sign, int add) {
    const ck_range r = ck_part(task, tasks, tokens);
    const int64_t half = D / 2;
    for (int64_t t = r.from; t < r.to; t++) {
        const float *c = cosine + pos[t] * half, *s = sine + pos[t] * half;
        for (int64_t h = 0; h < H; h++) {
            const float *a = x + (t * H + h) * D, *b = a + half;
            float *u = y + (t * H + h) * D, *v = u + half;
            for (int64_t i = 0; i < half; i++) {
                const float first = a[i] * c[i] - b[i] * (sign * s[i]), second = b[i] * c[i] + a[i] * (sign * s[i]);
                u[i] = add ? u[i] + first : first;
                v[i] = add ? v[i] + second : second;
            }
        }
    }
}

static void FN(rope_fwd)(int64_t task, int64_t tasks, const float *x, const int32_t *pos, const float *cosine, const float *sine,
                         float *y, int64_t B, int64_t T, int64_t L, int64_t H, int64_t D) {
    (void)L;
    FN(rope_turn)(task, tasks, x, pos, cosine, sine, y, B * T, H, D, 1.0f, 0);
}

static void FN(rope_bwd)(int64_t task, int64_t tasks, const float *dy, const int32_t *pos, const float *cosine, const float *sine,
                         float *dx, int64_t B, int64_t T, int64_t L, int64_t H, int64_t D, int64_t add) {
    (void)L;
    FN(rope_turn)(task, tasks, dy, pos, cosine, sine, dx, B * T, H, D, -1.0f, add & 1);
}
