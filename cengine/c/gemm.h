/* Register-tiled matrix product, the one inner loop under linear layers and attention.

   C[M,N] = A[M,K] * B[K,N], or plus what is there.  A is read in place through two strides (rs between rows, ks along K), so that X, dY and dY^T
   need no packing. B is read in vectors: row k of a panel starts at B + k*ldb. Each element of C is one chain of fused
   multiply-adds in the order of k, whatever M is: a row has the same bits alone and in a batch.
   The last vector of B may be read past N (the arena leaves room) but is never stored. */

/* Registers are only used for a tile if its loops vanish. */
#define CK_UNROLL _Pragma("GCC unroll 16")

typedef struct { /* where B's panels of NV vectors are */
    const float *at;
    int64_t ldb;   /* floats between k and k+1 */
    int64_t panel; /* floats between one panel of NV*VW columns and the next */
} ck_columns;

CK_INLINE void gemm_tile(const int mr, const int nv, int64_t K, const float *A, int64_t rs, int64_t ks, const float *B,
                         int64_t ldb, float *C, int64_t ldc, vm last, const float *from) {
    vf c[MR][NV];
    CK_UNROLL for (int i = 0; i < mr; i++)
        CK_UNROLL for (int j = 0; j < nv; j++) {
            c[i][j] = v_set(0.0f);
            __builtin_prefetch(C + i * ldc + j * VW, 1); /* the output arrives while the products are summed */
        }
    for (int64_t k = 0; k < K; k++, A += ks, B += ldb) {
        vf b[NV];
        CK_UNROLL for (int j = 0; j < nv; j++) b[j] = v_load(B + j * VW);
        CK_UNROLL for (int i = 0; i < mr; i++) {
            const vf a = v_set(A[i * rs]);
            CK_UNROLL for (int j = 0; j < nv; j++) c[i][j] = v_fma(a, b[j], c[i][j]);
        }
    }
    CK_UNROLL for (int i = 0; i < mr; i++) {
        float *row = C + i * ldc, *end = row + (nv - 1) * VW;
        const float *old = from + i * ldc, *old_end = old + (nv - 1) * VW;
        CK_UNROLL for (int j = 0; j < nv - 1; j++)
            v_store(row + j * VW, from ? v_add(v_load(old + j * VW), c[i][j]) : c[i][j]);
        v_storem(end, last, from ? v_add(v_loadm(old_end, last), c[i][nv - 1]) : c[i][nv - 1]);
    }
}

#define CK_TILE(mr, nv) \
    static __attribute__((noinline)) void FN(tile_##mr##_##nv)(int64_t K, const float *A, int64_t rs, int64_t ks, const float *B, \
                                                               int64_t ldb, float *C, int64_t ldc, vm last, \
                                                               const float *from) { \
        gemm_tile(mr, nv, K, A, rs, ks, B, ldb, C, ldc, last, from); \
    }
#define CK_TILES(mr) CK_TILE(mr, 1) CK_TILE(mr, 2) CK_TILE(mr, 3)
#define CK_TILE_NAMES(mr) {FN(tile_##mr##_1), FN(tile_##mr##_2), FN(tile_##mr##_3)}
CK_TILES(1) CK_TILES(2) CK_TILES(3) CK_TILES(4)
#if MR == 8
CK_TILES(5) CK_TILES(6) CK_TILES(7) CK_TILES(8)
#endif
typedef void (*FN(tile))(int64_t, const float *, int64_t, int64_t, const float *, int64_t, float *, int64_t, vm, const float *);
static const FN(tile) FN(tiles)[MR][NV] = {
    CK_TILE_NAMES(1), CK_TILE_NAMES(2), CK_TILE_NAMES(3), CK_TILE_NAMES(4),
#if MR == 8
    CK_TILE_NAMES(5), CK_TILE_NAMES(6), CK_TILE_NAMES(7), CK_TILE_NAMES(8),
#endif
};

/* One block of C = A B, plus `from` (laid out like C; C itself to add to it) if not NULL. Beyond DEPTH products the sum is taken in
   pieces, each added to C. */
CK_INLINE void gemm(int64_t M, int64_t N, int64_t K, const float *A, int64_t rs, int64_t ks, ck_columns b, float *C,
                    int64_t ldc, const float *from) {
    for (int64_t k = 0; k < K; k += CK_DEPTH, from = C)
        for (int64_t n = 0, p = 0; n < N; n += NV * VW, p++) {
            const int64_t width = ck_min(N - n, NV * VW);
            const int nv = (int)ck_ceil(width, VW);
            const vm last = v_first(width - (nv - 1) * VW);
            for (int64_t m = 0; m < M; m += MR) {
                const int mr = (int)ck_min(M - m, MR);
                FN(tiles)[mr - 1][nv - 1](ck_min(K - k, CK_DEPTH), A + m * rs + k * ks, rs, ks, b.at + p * b.panel + k * b.ldb,
                                          b.ldb, C + m * ldc + n, ldc, last, from ? from + m * ldc + n : NULL);
            }
        }
}

CK_INLINE ck_columns ck_in_place(const float *at, int64_t ld) { return (ck_columns){at, ld, NV * VW}; }      /* B as it lies */
CK_INLINE ck_columns ck_panels(const float *at, int64_t K) { return (ck_columns){at, NV * VW, K * NV * VW}; } /* packed */

/* out[K][NV*VW] = the transpose of rows first.. of M[rows, K], ld floats apart; rows that are not there are 0. */
CK_INLINE void gemm_pack(const float *M, int64_t ld, int64_t first, int64_t rows, int64_t K, float *out) {
    for (int v = 0; v < NV; v++)
        for (int64_t k = 0; k < K; k += VW)
            v_transpose(M + (first + v * VW) * ld + k, ld, rows - first - v * VW, K - k, out + k * NV * VW + v * VW, NV * VW, VW);
}
