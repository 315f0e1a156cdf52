/* The first count[n] tokens of slot source[n] of the key and value caches become those of slot target[n], for N pairs; no slot is source and
   target at once. Keys lie in packed panels (attention_cached.c): a begun panel is copied whole. */

static void FN(cache_copy_fwd)(int64_t task, int64_t tasks, const int32_t *source, const int32_t *target, const int32_t *count,
                               float *kc, float *vc, int64_t N, int64_t S, int64_t L, int64_t G, int64_t D) {
    (void)tasks, (void)N, (void)S;
    const int64_t n = task / G, g = task % G, w = FN(cache_panel), room = ck_ceil(L, CK_PANEL) * CK_PANEL;
    const int64_t from = source[n], to = target[n];
    memcpy(kc + (to * G + g) * room * D, kc + (from * G + g) * room * D, (size_t)(ck_ceil(count[n], w) * w * D) * sizeof *kc);
    memcpy(vc + (to * G + g) * L * D, vc + (from * G + g) * L * D, (size_t)(count[n] * D) * sizeof *vc);
}
