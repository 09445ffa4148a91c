/* Loaded before a program, refuses what the system gives: SCALY_TEST_REFUSE=threads:2 all threads but the first two,
   protect:2 all executable memory for LLVM but the first two times. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static int refused(const char *what, int *granted) {
    const char *text = getenv("SCALY_TEST_REFUSE");
    size_t length = strlen(what);
    if (!text || strncmp(text, what, length) || text[length] != ':')
        return 0;
    return __atomic_add_fetch(granted, 1, __ATOMIC_RELAXED) > atoi(text + length + 1);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument) {
    static int granted;
    static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    if (refused("threads", &granted))
        return EAGAIN;
    if (!real)
        real = (int (*)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))dlsym(RTLD_NEXT, "pthread_create");
    return real(thread, attributes, start, argument);
}

int mprotect(void *from, size_t bytes, int access) {
    static int granted;
    static int (*real)(void *, size_t, int);
    Dl_info caller;
    int llvm = dladdr(__builtin_return_address(0), &caller) && caller.dli_fname && strstr(caller.dli_fname, "LLVM");
    if (!llvm)
        llvm = caller.dli_fname && strstr(caller.dli_fname, "scaly_llvm");
    if ((access & PROT_EXEC) && llvm && refused("protect", &granted)) {
        errno = ENOMEM;
        return -1;
    }
    if (!real)
        real = (int (*)(void *, size_t, int))dlsym(RTLD_NEXT, "mprotect");
    return real(from, bytes, access);
}
