/* y[B,T,O] = x[B,T,C] * w[O,C]^T, the same function as linear.c. Where operands are bf16, each is split here into a bf16 number and the rest of
   it, so that the product keeps about 16 bits (Dekker 1971): for the projections to queries and keys, whose errors the softmax and the
   norm of every head make larger. The backward is that of linear.c. */

#ifdef CK_NAIVE

static void FN(linear_split_pack)(int64_t task, int64_t tasks, const float *w, float *packed, int64_t C, int64_t O) {
    (void)task, (void)tasks, (void)w, (void)packed, (void)C, (void)O; /* the naive forward reads w itself */
}

#elif defined(CK_AMX)

static void FN(linear_split_pack)(int64_t task, int64_t tasks, const float *w, float *packed, int64_t C, int64_t O) {
    (void)tasks;
    const int64_t deep = ck_ceil(C, 32);
    for (int64_t o = task * CK_PANEL; o < ck_min(task * CK_PANEL + CK_PANEL, O); o += 16)
        for (int64_t k = 0; k < deep; k++) { /* 16 columns: their tiles, then the rests */
            uint16_t *tile = (uint16_t *)packed + (o / 16 * 2 * deep + k) * AMX_TILE;
            amx_pairs_turned(w + o * C + k * 32, C, O - o, C - k * 32, tile);
            amx_rows_rest(w + o * C + k * 32, C, O - o, C - k * 32, tile + deep * AMX_TILE);
            amx_turn(tile + deep * AMX_TILE);
        }
}

static void FN(linear_split_fwd)(int64_t task, int64_t tasks, const float *x, const float *w, const float *packed, float *y, int64_t B,
                                 int64_t T, int64_t C, int64_t O) {
    (void)w;
    const ck_rows r = ck_rows_of(task, tasks, B, T);
    if (r.part) return;
    uint16_t block[2][CK_ROWBLOCK / 16 * FN(depth) * AMX_TILE];
    const int64_t rows = r.to - r.from, deep = ck_ceil(C, 32);
    float *out = y + r.from * O;
    amx_begin();
    for (int64_t k0 = 0; k0 < deep; k0 += FN(depth)) {
        const int64_t some = ck_min(FN(depth), deep - k0);
        for (int64_t m = 0; m < ck_ceil(rows, 32) * 2; m++)
            for (int64_t k = 0; k < some; k++) {
                const float *at = x + (r.from + m * 16) * C + (k0 + k) * 32;
                amx_rows(at, C, rows - m * 16, C - (k0 + k) * 32, block[0] + (m * FN(depth) + k) * AMX_TILE);
                amx_rows_rest(at, C, rows - m * 16, C - (k0 + k) * 32, block[1] + (m * FN(depth) + k) * AMX_TILE);
            }
        const amx_tiles a = {block[0], FN(depth), 1}, rest = {block[1], FN(depth), 1};
        const amx_tiles b = {(const uint16_t *)packed + k0 * AMX_TILE, 2 * deep, 1}, b_rest = {b.at + deep * AMX_TILE, 2 * deep, 1};
        amx_product(rows, O, some, a, b, out, O, k0 ? out : NULL);
        amx_product(rows, O, some, a, b_rest, out, O, out);
        amx_product(rows, O, some, rest, b, out, O, out);
    }
}

#else

static void FN(linear_split_pack)(int64_t task, int64_t tasks, const float *w, float *packed, int64_t C, int64_t O) {
    FN(linear_pack)(task, tasks, w, packed, C, O);
}

#endif

#if !defined(CK_AMX)

static void FN(linear_split_fwd)(int64_t task, int64_t tasks, const float *x, const float *w, const float *packed, float *y, int64_t B,
                                 int64_t T, int64_t C, int64_t O) {
    FN(linear_rows)(ck_rows_of(task, tasks, B, T), x, w, packed, NULL, y, C, O);
}

#endif
