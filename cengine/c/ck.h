/* What every C file of the engine shares. Kernels take `task, tasks` first, tensors in the order of the op table, then sizes,
   then attributes. A kernel does one task: no allocation, no threads, no globals. */
#pragma once
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "ck_generated.h"
#define CK_HAS_AMX (defined(__x86_64__) && defined(__linux__) && (defined(__clang__) || __GNUC__ >= 11))
#include "engine.h"

typedef void (*ck_function)(int64_t task, const ck_call *call);

#define CK_INLINE static inline __attribute__((always_inline, unused))

CK_INLINE int64_t ck_ceil(int64_t a, int64_t b) { return (a + b - 1) / b; }
CK_INLINE int64_t ck_min(int64_t a, int64_t b) { return a < b ? a : b; }
CK_INLINE int64_t ck_max(int64_t a, int64_t b) { return a > b ? a : b; }

/* Part number `task` of `tasks` equal parts of [0, n): depends on n and tasks alone. */
typedef struct { int64_t from, to; } ck_range;
CK_INLINE ck_range ck_part(int64_t task, int64_t tasks, int64_t n) {
    const int64_t each = ck_ceil(n, tasks);
    const int64_t from = ck_min(task * each, n);
    return (ck_range){from, ck_min(from + each, n)};
}

/* The block of token rows of a task of a rows phase: tokens from..to-1 of all B*T, and which part of the block's work. */
typedef struct { int64_t from, to, block, part; } ck_rows;
CK_INLINE ck_rows ck_rows_of(int64_t task, int64_t tasks, int64_t B, int64_t T) {
    const int64_t row_blocks = ck_ceil(T, CK_ROWBLOCK), each = tasks / (B * row_blocks), block = task / each;
    const int64_t row = block / row_blocks * T, from = block % row_blocks * CK_ROWBLOCK;
    return (ck_rows){row + from, row + ck_min(T, from + CK_ROWBLOCK), block, task % each};
}
