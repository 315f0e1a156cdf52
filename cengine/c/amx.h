/* Matrix products with bf16 operands and fp32 sums in AMX tiles: the inner loop of `precision: bf16`.

   A tile is 16 rows of 64 bytes. Operand A is stored as tiles of 16 rows x 32 k (bf16, rows as they are); operand B as tiles of 16 k
   pairs x 16 columns (each 32 bits hold k and k+1 of a column). Everything is padded with zeros to whole tiles.
   One output tile is one chain of sums in the order of k, whatever is computed beside it. */

enum { AMX_TILE = 512 }; /* bf16 numbers of a tile */

CK_INLINE void amx_begin(void) {
    static const struct { uint8_t palette, start, reserved[14]; uint16_t bytes[16]; uint8_t rows[16]; } config = {
        1, 0, {0}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};
    _tile_loadconfig(&config);
}

/* Two rows of 16 numbers, interleaved. */
CK_INLINE __m512i amx_join(vf low, vf high) {
    const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2,
                                           17, 1, 16, 0);
    return _mm512_permutexvar_epi16(order, (__m512i)_mm512_cvtne2ps_pbh(high, low));
}

CK_INLINE vf amx_round(vf x) { /* to bf16 and back */
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(x)), 16));
}

CK_INLINE __m512i amx_pair(const float *low, const float *high, vm m) { /* 16 columns of two rows, as pairs */
    return amx_join(low ? v_loadm(low, m) : v_set(0.0f), high ? v_loadm(high, m) : v_set(0.0f));
}

/* One B tile from rows k.. and columns c.. of x[rows, cols] (ld floats apart). */
CK_INLINE void amx_pairs(const float *x, int64_t ld, int64_t rows, int64_t cols, uint16_t *tile) {
    for (int64_t p = 0; p < 16; p++) {
        const float *low = x + 2 * p * ld;
        _mm512_storeu_si512(tile + p * 32, amx_pair(2 * p < rows ? low : NULL, 2 * p + 1 < rows ? low + ld : NULL, v_first(cols)));
    }
}

/* One A tile of the transpose: rows are columns c.. of x, k are its rows. */
CK_INLINE void amx_turned(const float *x, int64_t ld, int64_t rows, int64_t cols, uint16_t *tile) {
    vf r[16];
    for (int64_t p = 0; p < 16; p++) {
        const float *low = x + 2 * p * ld;
        r[p] = _mm512_castsi512_ps(amx_pair(2 * p < rows ? low : NULL, 2 * p + 1 < rows ? low + ld : NULL, v_first(cols)));
    }
    v_turn(r);
    for (int64_t i = 0; i < 16; i++) _mm512_storeu_ps(tile + i * 32, r[i]);
}

/* One A tile from 16 rows and 32 columns of x. */
CK_INLINE void amx_rows(const float *x, int64_t ld, int64_t rows, int64_t cols, uint16_t *tile) {
    for (int64_t i = 0; i < 16; i++) {
        const vf low = i < rows ? v_loadm(x + i * ld, v_first(cols)) : v_set(0.0f);
        const vf high = i < rows ? v_loadm(x + i * ld + 16, v_first(cols - 16)) : v_set(0.0f);
        _mm512_storeu_si512(tile + i * 32, (__m512i)_mm512_cvtne2ps_pbh(high, low));
    }
}

/* What rounding took from the rows, in the same order. */
CK_INLINE void amx_rows_rest(const float *x, int64_t ld, int64_t rows, int64_t cols, uint16_t *tile) {
    for (int64_t i = 0; i < 16; i++) {
        const vf low = i < rows ? v_loadm(x + i * ld, v_first(cols)) : v_set(0.0f);
        const vf high = i < rows ? v_loadm(x + i * ld + 16, v_first(cols - 16)) : v_set(0.0f);
        _mm512_storeu_si512(tile + i * 32, (__m512i)_mm512_cvtne2ps_pbh(v_sub(high, amx_round(high)), v_sub(low, amx_round(low))));
    }
}

CK_INLINE void amx_turn(uint16_t *tile) { /* 16 x 16 pairs */
    vf r[16];
    for (int64_t i = 0; i < 16; i++) r[i] = _mm512_loadu_ps(tile + i * 32);
    v_turn(r);
    for (int64_t i = 0; i < 16; i++) _mm512_storeu_ps(tile + i * 32, r[i]);
}

/* One B tile of the transpose: columns are rows of x, k are its columns (32). */
CK_INLINE void amx_pairs_turned(const float *x, int64_t ld, int64_t rows, int64_t cols, uint16_t *tile) {
    amx_rows(x, ld, rows, cols, tile);
    amx_turn(tile);
}

typedef struct { /* where the tiles of an operand are: tile (i, k) at `at` + (i * across + k * along) tiles */
    const uint16_t *at;
    int64_t across, along;
} amx_tiles;

CK_INLINE const uint16_t *amx_tile(amx_tiles t, int64_t i, int64_t k) { return t.at + (i * t.across + k * t.along) * AMX_TILE; }

/* C[M,N] = A B, plus `from` (laid out like C) if not NULL, over K tiles of depth 32. */
CK_INLINE void amx_product(int64_t M, int64_t N, int64_t K, amx_tiles a, amx_tiles b, float *C, int64_t ldc, const float *from) {
    float part[32 * 32];
    for (int64_t n = 0; n < N; n += 32)
        for (int64_t m = 0; m < M; m += 32) {
            const int64_t rows = ck_min(M - m, 32), cols = ck_min(N - n, 32), whole = rows == 32 && cols == 32;
            float *out = whole ? C + m * ldc + n : part;
            const float *in = whole ? (from ? from + m * ldc + n : NULL) : part;
            const int64_t ld = whole ? ldc : 32;
            if (!whole)
                for (int64_t i = 0; i < 32; i++)
                    for (int64_t j = 0; j < 32; j += 16) {
                        const vm keep = v_first(i < rows ? cols - j : 0);
                        v_store(part + i * 32 + j, from && i < rows ? v_loadm(from + (m + i) * ldc + n + j, keep) : v_set(0.0f));
                    }
            if (in) {
                _tile_loadd(0, in, ld * 4);
                _tile_loadd(1, in + 16, ld * 4);
                _tile_loadd(2, in + 16 * ld, ld * 4);
                _tile_loadd(3, in + 16 * ld + 16, ld * 4);
            } else {
                _tile_zero(0);
                _tile_zero(1);
                _tile_zero(2);
                _tile_zero(3);
            }
            for (int64_t k = 0; k < K; k++) {
                _tile_loadd(4, amx_tile(a, m / 16, k), 64);
                _tile_loadd(6, amx_tile(b, n / 16, k), 64);
                _tile_dpbf16ps(0, 4, 6);
                _tile_loadd(7, amx_tile(b, n / 16 + 1, k), 64);
                _tile_dpbf16ps(1, 4, 7);
                _tile_loadd(5, amx_tile(a, m / 16 + 1, k), 64);
                _tile_dpbf16ps(2, 5, 6);
                _tile_dpbf16ps(3, 5, 7);
            }
            _tile_stored(0, out, ld * 4);
            _tile_stored(1, out + 16, ld * 4);
            _tile_stored(2, out + 16 * ld, ld * 4);
            _tile_stored(3, out + 16 * ld + 16, ld * 4);
            for (int64_t i = 0; i < rows && !whole; i++)
                for (int64_t j = 0; j < cols; j += 16)
                    v_storem(C + (m + i) * ldc + n + j, v_first(cols - j), v_load(part + i * 32 + j));
        }
}
