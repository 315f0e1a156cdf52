/* y[B,T,O] = x[B,T,C] * w[O,C]^T.   dx = dy * w;   dw = sum over tokens of dy^T * x.
   w is packed once per step: into panels of output columns for the forward (pack), of input columns for dx (turn). The sum for
   dw runs over CHUNK tokens of one batch row at a time, in order, so that it depends on neither threads nor batch split.
   With bf16 operands (Q = 1), dx leaves dy^T and x as tiles (dyt, xv) for dw, which sums over one batch row after the other. */

#ifdef CK_NAIVE

static void FN(linear_pack)(int64_t task, int64_t tasks, const float *w, float *packed, int64_t C, int64_t O) {
    (void)task, (void)tasks, (void)w, (void)packed, (void)C, (void)O; /* the naive forward reads w itself */
}

static void FN(linear_turn)(int64_t task, int64_t tasks, const float *w, float *turned, int64_t C, int64_t O) {
    (void)task, (void)tasks, (void)w, (void)turned, (void)C, (void)O;
}

/* One part of a block of rows of y = from + x w^T; from may be NULL. */
CK_INLINE void FN(linear_rows)(ck_rows r, const float *x, const float *w, const float *packed, const float *from, float *y, int64_t C,
                               int64_t O) {
    (void)packed;
    const int64_t first = r.part * CK_PANEL, end = ck_min(first + CK_PANEL, O);
    for (int64_t t = r.from; t < r.to; t++)
        for (int64_t o = first; o < end; o++) {
            float s = 0.0f;
            for (int64_t c = 0; c < C; c++) s += x[t * C + c] * w[o * C + c];
            y[t * O + o] = from ? from[t * O + o] + s : s;
        }
}

static void FN(linear_bwd_dx)(int64_t task, int64_t tasks, const float *dy, const float *x, const float *w, const float *turned,
                              float *dx, float *dw, float *dyt, float *xv, int64_t B, int64_t T, int64_t C, int64_t O, int64_t Q,
                              int64_t add) {
    (void)x, (void)turned, (void)dw, (void)dyt, (void)xv, (void)Q;
    const ck_rows r = ck_rows_of(task, tasks, B, T);
    const int64_t first = r.part * CK_COLBLOCK, end = ck_min(first + CK_COLBLOCK, C);
    for (int64_t t = r.from; t < r.to; t++)
        for (int64_t c = first; c < end; c++) {
            float s = 0.0f;
            for (int64_t o = 0; o < O; o++) s += dy[t * O + o] * w[o * C + c];
            dx[t * C + c] = add & 1 ? dx[t * C + c] + s : s;
        }
}

static void FN(linear_bwd_dw)(int64_t task, int64_t tasks, const float *dy, const float *x, const float *w, const float *turned,
                              float *dx, float *dw, float *dyt, float *xv, int64_t B, int64_t T, int64_t C, int64_t O, int64_t Q,
                              int64_t add) {
    (void)w, (void)turned, (void)dx, (void)dyt, (void)xv, (void)Q;
    const ck_range o = ck_part(task, tasks, O);
    for (int64_t j = o.from; j < o.to; j++) {
        if (!(add & 2)) memset(dw + j * C, 0, (size_t)C * sizeof *dw);
        for (int64_t i = 0; i < B * T; i++)
            for (int64_t c = 0; c < C; c++) dw[j * C + c] += dy[i * O + j] * x[i * C + c];
    }
}

#elif defined(CK_AMX)

enum { FN(depth) = 32 }; /* tiles of k that are converted at a time */

static void FN(linear_pack)(int64_t task, int64_t tasks, const float *w, float *packed, int64_t C, int64_t O) {
    (void)tasks;
    const int64_t deep = ck_ceil(C, 32);
    for (int64_t o = task * CK_PANEL; o < ck_min(task * CK_PANEL + CK_PANEL, O); o += 16)
        for (int64_t k = 0; k < deep; k++)
            amx_pairs_turned(w + o * C + k * 32, C, O - o, C - k * 32, (uint16_t *)packed + (o / 16 * deep + k) * AMX_TILE);
}

static void FN(linear_turn)(int64_t task, int64_t tasks, const float *w, float *turned, int64_t C, int64_t O) {
    (void)tasks;
    const int64_t deep = ck_ceil(O, 32);
    for (int64_t c = task * CK_PANEL; c < ck_min(task * CK_PANEL + CK_PANEL, C); c += 16)
        for (int64_t k = 0; k < deep; k++)
            amx_pairs(w + k * 32 * C + c, C, O - k * 32, C - c, (uint16_t *)turned + (c / 16 * deep + k) * AMX_TILE);
}

/* A block of rows of y[., N] = from + x[., K] times packed tiles. */
CK_INLINE void FN(amx_block)(ck_rows r, const float *x, const float *packed, const float *from, float *y, int64_t K, int64_t N) {
    uint16_t block[CK_ROWBLOCK / 16 * FN(depth) * AMX_TILE];
    const int64_t rows = r.to - r.from, deep = ck_ceil(K, 32);
    const amx_tiles a = {block, FN(depth), 1};
    for (int64_t k0 = 0; k0 < deep; k0 += FN(depth), from = y) {
        const int64_t some = ck_min(FN(depth), deep - k0);
        for (int64_t m = 0; m < ck_ceil(rows, 32) * 2; m++)
            for (int64_t k = 0; k < some; k++)
                amx_rows(x + (r.from + m * 16) * K + (k0 + k) * 32, K, rows - m * 16, K - (k0 + k) * 32, block + (m * FN(depth) + k) * AMX_TILE);
        const amx_tiles b = {(const uint16_t *)packed + k0 * AMX_TILE, deep, 1};
        amx_product(rows, N, some, a, b, y + r.from * N, N, from ? from + r.from * N : NULL);
    }
}

CK_INLINE void FN(linear_rows)(ck_rows r, const float *x, const float *w, const float *packed, const float *from, float *y, int64_t C,
                               int64_t O) {
    (void)w;
    if (r.part) return; /* the first part does them all: the rows are converted once */
    amx_begin();
    FN(amx_block)(r, x, packed, from, y, C, O);
}

static void FN(linear_bwd_dx)(int64_t task, int64_t tasks, const float *dy, const float *x, const float *w, const float *turned,
                              float *dx, float *dw, float *dyt, float *xv, int64_t B, int64_t T, int64_t C, int64_t O, int64_t Q,
                              int64_t add) {
    (void)w, (void)dw, (void)Q;
    const ck_rows r = ck_rows_of(task, tasks, B, T);
    if (r.part) return;
    amx_begin();
    FN(amx_block)(r, dy, turned, add & 1 ? dx : NULL, dx, O, C);
    const int64_t every = B * ck_ceil(T, CK_ROWBLOCK) * (CK_ROWBLOCK / 32); /* tiles of 32 tokens, each batch row filled up with zeros */
    for (int64_t i = 0; i < CK_ROWBLOCK / 32; i++) {
        const int64_t t = r.from + i * 32, tile = r.block * (CK_ROWBLOCK / 32) + i;
        for (int64_t o = 0; o < O; o += 16) amx_turned(dy + t * O + o, O, r.to - t, O - o, (uint16_t *)dyt + (o / 16 * every + tile) * AMX_TILE);
        for (int64_t c = 0; c < C; c += 16) amx_pairs(x + t * C + c, C, r.to - t, C - c, (uint16_t *)xv + (c / 16 * every + tile) * AMX_TILE);
    }
}

static void FN(linear_bwd_dw)(int64_t task, int64_t tasks, const float *dy, const float *x, const float *w, const float *turned,
                              float *dx, float *dw, float *dyt, float *xv, int64_t B, int64_t T, int64_t C, int64_t O, int64_t Q,
                              int64_t add) {
    (void)tasks, (void)dy, (void)x, (void)w, (void)turned, (void)dx, (void)Q;
    const int64_t down = ck_ceil(O, CK_GRADBLOCK), o = task % down * CK_GRADBLOCK, c = task / down * CK_COLBLOCK; /* x stays */
    const int64_t every = B * ck_ceil(T, CK_ROWBLOCK) * (CK_ROWBLOCK / 32);
    const amx_tiles a = {(const uint16_t *)dyt + o / 16 * every * AMX_TILE, every, 1}, b = {(const uint16_t *)xv + c / 16 * every * AMX_TILE, every, 1};
    float *out = dw + o * C + c;
    amx_begin();
    amx_product(ck_min(O - o, CK_GRADBLOCK), ck_min(C - c, CK_COLBLOCK), every, a, b, out, C, add & 2 ? out : NULL);
}

#else

static void FN(linear_pack)(int64_t task, int64_t tasks, const float *w, float *packed, int64_t C, int64_t O) {
    (void)tasks; /* one task packs PANEL columns: one or more panels of this instruction set */
    for (int64_t o = task * CK_PANEL; o < ck_min(task * CK_PANEL + CK_PANEL, O); o += NV * VW)
        gemm_pack(w, C, o, O, C, packed + o * C);
}

static void FN(linear_turn)(int64_t task, int64_t tasks, const float *w, float *turned, int64_t C, int64_t O) {
    (void)tasks;
    for (int64_t c = task * CK_PANEL; c < ck_min(task * CK_PANEL + CK_PANEL, C); c += VW) {
        float *out = turned + c / (NV * VW) * (NV * VW) * O + c % (NV * VW);
        for (int64_t o = 0; o < O; o++) v_store(out + o * NV * VW, v_loadm(w + o * C + c, v_first(C - c)));
    }
}

CK_INLINE void FN(linear_rows)(ck_rows r, const float *x, const float *w, const float *packed, const float *from, float *y, int64_t C,
                               int64_t O) {
    (void)w;
    const int64_t o = r.part * CK_PANEL, at = r.from * O + o;
    gemm(r.to - r.from, ck_min(O - o, CK_PANEL), C, x + r.from * C, C, 1, ck_panels(packed + o * C, C), y + at, O, from ? from + at : NULL);
}

static void FN(linear_bwd_dx)(int64_t task, int64_t tasks, const float *dy, const float *x, const float *w, const float *turned,
                              float *dx, float *dw, float *dyt, float *xv, int64_t B, int64_t T, int64_t C, int64_t O, int64_t Q,
                              int64_t add) {
    (void)x, (void)w, (void)dw, (void)dyt, (void)xv, (void)Q;
    const ck_rows r = ck_rows_of(task, tasks, B, T);
    const int64_t c = r.part * CK_COLBLOCK;
    gemm(r.to - r.from, ck_min(C - c, CK_COLBLOCK), O, dy + r.from * O, O, 1, ck_panels(turned + c * O, O), dx + r.from * C + c, C,
         add & 1 ? dx + r.from * C + c : NULL);
}

/* `rows` rows of m, ld floats apart; copied close together if they lie at such powers of two that they would drive each other out
   of the first cache. The last vector of a row may be filled past `width`. */
CK_INLINE ck_columns FN(linear_near)(const float *m, int64_t ld, int64_t width, int64_t rows, float *copy, int64_t apart) {
    if (ld % 256) return ck_in_place(m, ld);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < width; j += VW) v_store(copy + i * apart + j, v_loadm(m + i * ld + j, v_first(width - j)));
    return ck_in_place(copy, apart);
}

static void FN(linear_bwd_dw)(int64_t task, int64_t tasks, const float *dy, const float *x, const float *w, const float *turned,
                              float *dx, float *dw, float *dyt, float *xv, int64_t B, int64_t T, int64_t C, int64_t O, int64_t Q,
                              int64_t add) {
    (void)tasks, (void)w, (void)turned, (void)dx, (void)dyt, (void)xv, (void)Q;
    const int64_t down = ck_ceil(O, CK_GRADBLOCK), o = task % down * CK_GRADBLOCK, c = task / down * CK_COLBLOCK; /* x stays */
    const int64_t width = ck_min(C - c, CK_COLBLOCK), rows = ck_min(O - o, CK_GRADBLOCK);
    const int64_t tiles = ck_ceil(rows, MR), steps = ck_ceil(width, NV * VW) * tiles;
    float dy_near[CK_CHUNK * CK_GRADBLOCK], x_near[CK_CHUNK * NV * VW] __attribute__((aligned(64)));
    int more = (add & 2) != 0;
    for (int64_t b = 0; b < B; b++)
        for (int64_t t = 0; t < T; t += CK_CHUNK, more = 1) {
            const float *xt = x + (b * T + t) * C + c, *dyt = dy + (b * T + t) * O + o;
            const int64_t tokens = ck_min(T - t, CK_CHUNK), next = ck_min(T - t - tokens, CK_CHUNK);
            const ck_columns a = FN(linear_near)(dyt, O, rows, tokens, dy_near, CK_GRADBLOCK);
            ck_columns panel = {0};
            for (int64_t step = 0; step < steps; step++) {
                const int64_t m = step % tiles * MR, n = step / tiles * NV * VW, some = ck_min(width - n, NV * VW);
                if (!m) panel = FN(linear_near)(xt + n, C, some, tokens, x_near, NV * VW);
                /* a part of the next tokens arrives meanwhile: another core may have written them */
                for (int64_t i = next * step / steps; i < next * (step + 1) / steps; i++) {
                    const float *xn = xt + (tokens + i) * C, *dyn = dyt + (tokens + i) * O;
                    for (int64_t j = 0; j < width; j += 16) __builtin_prefetch(xn + j, 0, 2);
                    for (int64_t j = 0; j < rows; j += 16) __builtin_prefetch(dyn + j, 0, 2);
                }
                float *out = dw + (o + m) * C + c + n;
                gemm(ck_min(rows - m, MR), some, tokens, a.at + m, 1, a.ldb, panel, out, C, more ? out : NULL);
            }
        }
}

#endif

static void FN(linear_fwd)(int64_t task, int64_t tasks, const float *x, const float *w, const float *packed, float *y, int64_t B,
                           int64_t T, int64_t C, int64_t O) {
    FN(linear_rows)(ck_rows_of(task, tasks, B, T), x, w, packed, NULL, y, C, O);
}
