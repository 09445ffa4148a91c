/* Stands before libscaly_llvm.so, and takes a kind of check out of the modules that it is given: SCALY_BENCH_WITHOUT says
   which, "slots" or "native" or both, SCALY_BENCH_LLVM where the library is. For bench/checks.py only: without these
   checks a deep recursion ends the process. */
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* As in backends/src/abi.rs. */
typedef struct { const char *start; size_t bytes; } Text;
typedef struct { Text module, entry, passes; uint32_t vector_bits, level, texts; } Request;

static void *real(const char *name) {
    static void *library;
    if (!library)
        library = dlopen(getenv("SCALY_BENCH_LLVM"), RTLD_LAZY);
    return library ? dlsym(library, name) : NULL;
}

/* Makes every comparison that begins so a false one, of the same length. */
static void never(char *module, const char *comparison) {
    static const char false_one[] = "icmp ne i64 0, 0";
    for (char *at = module; (at = strstr(at, comparison)); at += strlen(comparison)) {
        memset(at, ' ', strcspn(at, "\n"));
        memcpy(at, false_one, sizeof false_one - 1);
    }
}

uint32_t scaly_llvm_version(void) { return ((uint32_t (*)(void))real("scaly_llvm_version"))(); }

void *scaly_llvm_open(const void *setup, Text *error) {
    return ((void *(*)(const void *, Text *))real("scaly_llvm_open"))(setup, error);
}

void scaly_llvm_compile(void *session, const Request *request, void *answer) {
    const char *without = getenv("SCALY_BENCH_WITHOUT");
    char *module = calloc(request->module.bytes + 1, 1);
    memcpy(module, request->module.start, request->module.bytes);
    if (without && strstr(without, "slots"))
        never(module, "icmp ugt ptr %behind, %limit");
    if (without && strstr(without, "native"))
        never(module, "icmp ult ptr ");
    Request changed = *request;
    changed.module.start = module;
    ((void (*)(void *, const Request *, void *))real("scaly_llvm_compile"))(session, &changed, answer);
    free(module);
}

void scaly_llvm_free(void *session, void *handle) { ((void (*)(void *, void *))real("scaly_llvm_free"))(session, handle); }
void scaly_llvm_release(Text text) { ((void (*)(Text))real("scaly_llvm_release"))(text); }
void scaly_llvm_close(void *session) { ((void (*)(void *))real("scaly_llvm_close"))(session); }
