/* Philox4x32-10, a counter-based random generator (Salmon, Moraes, Dror, Shaw: Parallel random numbers, SC11). Number i of a
   stream is a function of (key, stream, i) alone, so order of use, threads and restarts do not matter. */
#include "ck.h"

static void philox(uint32_t c[4], uint32_t k0, uint32_t k1) {
    for (int round = 0; round < 10; round++) {
        const uint64_t a = (uint64_t)0xD2511F53u * c[0], b = (uint64_t)0xCD9E8D57u * c[2];
        const uint32_t next[4] = {(uint32_t)(b >> 32) ^ c[1] ^ k0, (uint32_t)b, (uint32_t)(a >> 32) ^ c[3] ^ k1, (uint32_t)a};
        memcpy(c, next, sizeof next);
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
}

/* out[i] = 32-bit word number first+i of the stream. */
void ck_random_bits(uint64_t key, uint64_t stream, uint64_t first, int64_t n, uint32_t *out) {
    uint32_t block[4];
    uint64_t have = ~(uint64_t)0;
    for (int64_t i = 0; i < n; i++) {
        const uint64_t index = first + (uint64_t)i;
        if (index / 4 != have) {
            have = index / 4;
            block[0] = (uint32_t)have, block[1] = (uint32_t)(have >> 32);
            block[2] = (uint32_t)stream, block[3] = (uint32_t)(stream >> 32);
            philox(block, (uint32_t)key, (uint32_t)(key >> 32));
        }
        out[i] = block[index % 4];
    }
}
