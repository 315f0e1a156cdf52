/* Decoding without a way back to Python between two tokens: what a step says is fed to the next one. Which texts there are, where they begin
   and why they end is the caller's business. */
#include "ck.h"

static int again(void *context) {
    ck_texts *t = context;
    int32_t *out = t->out + t->steps++ * t->texts;
    int ended = t->steps >= t->most;
    for (int64_t i = 0; i < t->texts; i++) {
        out[i] = t->said[i];
        ended |= t->said[i] == t->eos;
    }
    for (int64_t i = 0; i < t->texts && !ended; i++) t->ids[i] = t->said[i], t->pos[i]++;
    return !ended;
}

void ck_say(ck_pool *pool, int kernels, const ck_call *calls, int64_t n, ck_texts *texts) {
    ck_run_again(pool, kernels, calls, n, again, texts);
}
