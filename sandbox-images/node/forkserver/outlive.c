/*
 * Lets Node outlive a fork. Preloaded into the fork server; every call is forked from it.
 *
 * Node is not made to be forked, for two reasons. V8 tells the kernel to leave its heap out of a forked process. And
 * a forked process has one thread, while Node at its end waits for threads of its own: a scheduler of delayed tasks and
 * V8's worker, which had nothing to do when the process was forked, as V8 runs with --single-threaded. Here the heap is
 * copied on write as all memory is, and threads that are gone are not waited for.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool forked;
static int (*real_join)(pthread_t, void **);
static int (*real_cond_destroy)(pthread_cond_t *);
static int (*real_mutex_destroy)(pthread_mutex_t *);

static void note_fork(void) { forked = true; }

__attribute__((constructor)) static void begin(void) {
    *(void **)&real_join = dlsym(RTLD_NEXT, "pthread_join");
    *(void **)&real_cond_destroy = dlsym(RTLD_NEXT, "pthread_cond_destroy");
    *(void **)&real_mutex_destroy = dlsym(RTLD_NEXT, "pthread_mutex_destroy");
    pthread_atfork(NULL, NULL, note_fork);
}

int madvise(void *address, size_t length, int advice) {
    return advice == MADV_DONTFORK ? 0 : (int)syscall(SYS_madvise, address, length, advice);
}

/* Of threads that did not come along glibc says that there is no such thread; others are waited for as usual. */
int pthread_join(pthread_t thread, void **result) {
    int error = real_join(thread, result);
    return forked ? 0 : error;
}

/* Some have waiters for ever: threads that did not come along. Nothing is freed by it. */
int pthread_cond_destroy(pthread_cond_t *condition) { return forked ? 0 : real_cond_destroy(condition); }

int pthread_mutex_destroy(pthread_mutex_t *mutex) { return forked ? 0 : real_mutex_destroy(mutex); }
