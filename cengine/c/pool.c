/* The thread pool and the executor. All threads of a pool walk the same list of call records; the tasks of a record are handed
   out one by one, and a barrier separates records. Which thread does a task never matters for the result: tasks write disjoint memory and the
   split depends on shapes alone. It matters for speed: blocks of rows have a home thread, which finds in its own cache what it wrote before. */
#define _GNU_SOURCE
#include "ck.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#if CK_HAS_AMX
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#define ck_pause() _mm_pause()
#else
#define ck_pause() ((void)0)
#endif

extern const ck_function ck_functions_portable[];
#if defined(__x86_64__)
extern const ck_function ck_functions_avx2[], ck_functions_avx512[];
#endif
#if CK_HAS_AMX
extern const ck_function ck_functions_amx[];
#endif

const char *ck_fingerprint(void) { return CK_FINGERPRINT; }

#if defined(__x86_64__)
static int has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

static int has_avx512(void) {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#endif

#if CK_HAS_AMX
static int has_amx(void) { /* the CPU has bf16 tiles, and the system lets this process use them */
    unsigned a, b, c, d;
    if (!has_avx512() || !__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d >> 22 & 1) || !(d >> 24 & 1)) return 0;
    if (!__get_cpuid_count(7, 1, &a, &b, &c, &d) || !(a >> 5 & 1)) return 0;
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 }; /* of arch_prctl */
    return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}
#endif

static const ck_function *ck_tables[4]; /* by the number that ck_kernels gives out */

int ck_kernels(const char *name) {
    if (!strcmp(name, "portable")) return ck_tables[0] = ck_functions_portable, 0;
#if defined(__x86_64__)
    if (!strcmp(name, "avx2") && has_avx2()) return ck_tables[1] = ck_functions_avx2, 1;
    if (!strcmp(name, "avx512") && has_avx512()) return ck_tables[2] = ck_functions_avx512, 2;
#endif
#if CK_HAS_AMX
    if (!strcmp(name, "amx") && has_amx()) return ck_tables[3] = ck_functions_amx, 3;
#endif
    return -1;
}

enum { SPINS = 4000 }; /* pauses before a waiting thread gives its core away */

typedef struct { /* of one thread */
    _Alignas(64) atomic_llong next; /* next of the items that are at home here */
    pthread_t thread;
    struct ck_pool *pool;
} ck_worker;

struct ck_pool {
    int threads;
    ck_worker *worker; /* the first is whoever calls ck_run */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    atomic_uint job;            /* number of the current list; workers wait for it to change */
    atomic_int stop;
    const ck_function *kernels;
    const ck_call *calls;
    int64_t n, *nanoseconds;
    int (*again)(void *);       /* whether to walk the list once more; NULL: once is enough */
    void *context;
    int more;                   /* what `again` said */
    _Alignas(64) atomic_int arrived; /* threads at the barrier */
    _Alignas(64) atomic_uint passed; /* barriers passed */
};

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* The last thread to arrive resets the counters and lets the others go. */
static void barrier(ck_pool *p) {
    const unsigned gate = atomic_load_explicit(&p->passed, memory_order_acquire);
    if (atomic_fetch_add_explicit(&p->arrived, 1, memory_order_acq_rel) == p->threads - 1) {
        atomic_store_explicit(&p->arrived, 0, memory_order_relaxed);
        for (int t = 0; t < p->threads; t++) atomic_store_explicit(&p->worker[t].next, 0, memory_order_relaxed);
        atomic_store_explicit(&p->passed, gate + 1, memory_order_release);
        return;
    }
    for (int i = 0; atomic_load_explicit(&p->passed, memory_order_acquire) == gate; i++) {
        if (i < SPINS) ck_pause();
        else sched_yield();
    }
}

static void one_task(const ck_function *kernels, const ck_call *c, int64_t task, int64_t *spent) {
    const int64_t before = spent ? now() : 0;
    kernels[c->function](task, c);
    if (spent) *spent += now() - before;
}

/* How a group is split: into blocks of rows that go through all its records; into the tasks of one record, ordered by part of the work
   and then by block, so that a part's weights serve all blocks while they are in the cache; or into the tasks of its records. */
static int64_t items_of(const ck_call *c) {
    if (c->blocks) return c->together > 1 ? c->blocks : c->tasks;
    int64_t items = 0;
    for (int j = 0; j < c->together; j++) items += c[j].tasks;
    return items;
}

/* Item `number` of those that belong to blocks from..to-1, or, without blocks, of the items from `from` on. */
static void item(const ck_function *kernels, const ck_call *c, int64_t number, int64_t from, int64_t to, int64_t *spent) {
    const int64_t each = c->blocks ? c->tasks / c->blocks : 0;
    if (c->blocks && c->together == 1) {
        one_task(kernels, c, (from + number % (to - from)) * each + number / (to - from), spent);
    } else if (c->blocks) {
        for (int j = 0; j < c->together; j++) {
            const int64_t parts = c[j].tasks / c[j].blocks;
            for (int64_t k = 0; k < parts; k++) one_task(kernels, c + j, (from + number) * parts + k, spent ? spent + j : NULL);
        }
    } else {
        int j = 0;
        number += from;
        while (number >= c[j].tasks) number -= c[j++].tasks;
        one_task(kernels, c + j, number, spent ? spent + j : NULL);
    }
}

/* Do items of a group until there are none: those at home here, then those of other threads. Tasks without blocks are all the first one's.
   A list that is walked again and again has few tasks: each thread does its own part of them and no other, whose weights its cache holds. */
static void share(ck_pool *p, int me, const ck_call *c, int64_t *spent) {
    const int homes = c->blocks || p->again ? p->threads : 1, visited = p->again ? 1 : homes;
    const int64_t items = items_of(c), units = c->blocks ? c->blocks : items;
    for (int away = 0; away < visited; away++) {
        const int home = (me + away) % homes;
        const int64_t from = units * home / homes, to = units * (home + 1) / homes, mine = units ? items / units * (to - from) : 0;
        for (;;) {
            const int64_t number = atomic_fetch_add_explicit(&p->worker[home].next, 1, memory_order_relaxed);
            if (number >= mine) break;
            item(p->kernels, c, number, from, to, spent);
        }
    }
}

static void walk(ck_pool *p, int me) {
    const ck_call *calls = p->calls; /* after its last barrier a thread reads no record: the caller may set up the next list */
    const int64_t n = p->n;
    int64_t *nanoseconds = me == 0 ? p->nanoseconds : NULL, before = now();
    for (int64_t i = 0, together; i < n; i += together) {
        const ck_call *c = calls + i;
        together = c->together;
        int64_t *spent = nanoseconds ? nanoseconds + i : NULL;
        share(p, me, c, spent);
        barrier(p);
        if (spent) { /* the wall time of the group, in the proportions of this thread's own */
            const int64_t after = now();
            double sum = 1.0;
            for (int j = 0; j < c->together; j++) sum += (double)spent[j];
            for (int j = 0; j < c->together; j++) spent[j] = (int64_t)((double)(after - before) * (double)spent[j] / sum);
            before = after;
        }
    }
}

/* The list, and once more as long as `again` says so to the calling thread. */
static void walks(ck_pool *p, int me) {
    const int repeats = p->again != NULL; /* read before the last barrier, as in walk */
    for (int more = 1; more;) {
        walk(p, me);
        if (!repeats) return;
        if (me == 0) p->more = p->again(p->context);
        barrier(p);
        more = p->more; /* written again behind the barriers of another walk at the earliest */
    }
}

static void *work(void *arg) {
    const ck_worker *me = arg;
    ck_pool *p = me->pool;
    unsigned seen = 0;
    for (;;) {
        for (int i = 0; i < SPINS * 8 && atomic_load_explicit(&p->job, memory_order_acquire) == seen; i++) ck_pause();
        pthread_mutex_lock(&p->lock);
        while (atomic_load(&p->job) == seen) pthread_cond_wait(&p->wake, &p->lock);
        seen = atomic_load(&p->job);
        pthread_mutex_unlock(&p->lock);
        if (atomic_load(&p->stop)) return NULL;
        walks(p, (int)(me - p->worker));
    }
}

static void start(ck_pool *p) {
    pthread_mutex_lock(&p->lock);
    atomic_fetch_add(&p->job, 1);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

ck_pool *ck_pool_new(int threads) {
    ck_pool *p = aligned_alloc(64, ck_ceil(sizeof *p, 64) * 64);
    if (!p) return NULL;
    memset(p, 0, sizeof *p);
    p->threads = 1;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    p->worker = aligned_alloc(64, (size_t)threads * sizeof *p->worker);
    if (!p->worker) { ck_pool_free(p); return NULL; }
    memset(p->worker, 0, (size_t)threads * sizeof *p->worker);
    for (; p->threads < threads; p->threads++) {
        ck_worker *w = &p->worker[p->threads];
        w->pool = p;
        if (pthread_create(&w->thread, NULL, work, w)) { ck_pool_free(p); return NULL; }
    }
    return p;
}

void ck_pool_free(ck_pool *p) {
    if (!p) return;
    atomic_store(&p->stop, 1);
    start(p);
    for (int i = 1; i < p->threads; i++) pthread_join(p->worker[i].thread, NULL);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->wake);
    free(p->worker);
    free(p);
}

int ck_pool_threads(const ck_pool *p) { return p->threads; }

static void run(ck_pool *p, int kernels, const ck_call *calls, int64_t n) {
    p->kernels = ck_tables[kernels], p->calls = calls, p->n = n;
    if (p->threads > 1) start(p);
    walks(p, 0);
}

void ck_run(ck_pool *p, int kernels, const ck_call *calls, int64_t n, int64_t *nanoseconds) {
    p->again = NULL, p->nanoseconds = nanoseconds;
    run(p, kernels, calls, n);
}

void ck_run_again(ck_pool *p, int kernels, const ck_call *calls, int64_t n, int (*again)(void *), void *context) {
    p->again = again, p->context = context, p->nanoseconds = NULL;
    run(p, kernels, calls, n);
}

void *ck_arena_new(int64_t bytes) {
    void *arena = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (arena == MAP_FAILED) return NULL;
#ifdef MADV_HUGEPAGE
    madvise(arena, (size_t)bytes, MADV_HUGEPAGE);
#endif
    return arena;
}

void ck_arena_free(void *arena, int64_t bytes) {
    if (arena) munmap(arena, (size_t)bytes);
}
