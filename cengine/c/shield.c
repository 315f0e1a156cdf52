/* Memory that must not be touched: for builds with AddressSanitizer, which knows nothing of the tensors inside an arena unless it is
   told. Such a build is made with -fsanitize=address -DCK_SANITIZED (tests/test_sanitizer.py); in others these do nothing, and guard
   words (engine.py) are what every build has. */
#include "ck.h"

#ifdef CK_SANITIZED
#include <sanitizer/asan_interface.h>

int ck_sanitized(void) { return 1; }
void ck_forbid(const void *from, int64_t bytes) { __asan_poison_memory_region(from, (size_t)bytes); }
void ck_allow(const void *from, int64_t bytes) { __asan_unpoison_memory_region(from, (size_t)bytes); }
#else
int ck_sanitized(void) { return 0; }
void ck_forbid(const void *from, int64_t bytes) { (void)from, (void)bytes; }
void ck_allow(const void *from, int64_t bytes) { (void)from, (void)bytes; }
#endif
