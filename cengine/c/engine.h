/* The engine's public C interface: call records, the thread pool that executes them, the random generator.
   Read by the compiler (through ck.h) and, as it stands, by cffi; so: declarations only. */

typedef struct {
    int32_t function; /* index into the kernel table, in the order of the op table */
    int32_t together; /* records from here that run as one group; 1 inside a group */
    int64_t tasks;    /* independent pieces; the split depends on shapes alone, never on the number of threads */
    int64_t blocks;   /* blocks of token rows that the tasks belong to, tasks / blocks each; 0 if they belong to none */
    void *arg[CK_MAX_ARGS];
    int64_t size[CK_MAX_SIZES];
    float attr[CK_MAX_ATTRS];
} ck_call;

typedef struct ck_pool ck_pool;

const char *ck_fingerprint(void);
/* The kernel table of an instruction set (portable, avx2, avx512: fp32; amx: products with bf16 operands), or -1 if this CPU, system or
   build does not have it. */
int ck_kernels(const char *name);

ck_pool *ck_pool_new(int threads); /* NULL if a thread cannot be started */
void ck_pool_free(ck_pool *pool);
int ck_pool_threads(const ck_pool *pool);
/* Run the groups in order; all tasks of one end before the next begins. nanoseconds[n], zeros or NULL, gets the wall time
   of each group, shared among its records as the calling thread spent it. */
void ck_run(ck_pool *pool, int kernels, const ck_call *calls, int64_t n, int64_t *nanoseconds);

/* The same, and again as long as `again(context)` is not 0: it is asked by the calling thread after each time. */
void ck_run_again(ck_pool *pool, int kernels, const ck_call *calls, int64_t n, int (*again)(void *), void *context);

typedef struct { /* texts that are said on, one token each a step; what the list of calls reads and writes */
    int64_t texts;
    int32_t *ids, *pos;  /* [texts] the token that is fed next, and where */
    const int32_t *said; /* [texts] what the calls say comes next */
    int32_t eos;         /* the end token, or -1 */
    int64_t most, steps; /* steps to take; steps taken */
    int32_t *out;        /* [most][texts] */
} ck_texts;
/* Steps of the list of calls, each feeding what the one before said, until any text says its end token or `most` are done (at least 1). */
void ck_say(ck_pool *pool, int kernels, const ck_call *calls, int64_t n, ck_texts *texts);

void *ck_arena_new(int64_t bytes); /* zeroed, 64-byte aligned, large pages if the system gives them; NULL if it cannot */
void ck_arena_free(void *arena, int64_t bytes);

int ck_sanitized(void); /* 1 if this build stops at a touch of forbidden memory */
void ck_forbid(const void *from, int64_t bytes);
void ck_allow(const void *from, int64_t bytes);

void ck_random_bits(uint64_t key, uint64_t stream, uint64_t first, int64_t n, uint32_t *out);
