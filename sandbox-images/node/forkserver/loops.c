/* Node's event loops in a process that was forked. */
#include "slot.h"

#include "loops.h"

#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

/* More than Node has open before its first program. */
#define OWN_DESCRIPTORS_MAX 256

/*
 * Node's event loops: of the main thread, of its tracing agent and of a scheduler. Each waits on descriptors that it
 * knows by their numbers; in a forked process they must be of the same kind, and shared with no other process.
 */
enum kind { EPOLL, EVENT, PIPE };
static struct {
    int fd, write_end; /* `write_end` of a pipe that `fd` reads */
    enum kind kind;
} waited_on[64];
static size_t waited_on_count;

static bool target_of(int fd, char target[64]) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(path, target, 63);
    if (length < 0) return false;
    target[length] = 0;
    return true;
}

static int write_end_of(const char *pipe) {
    char target[64];
    for (int fd = 3; fd < OWN_DESCRIPTORS_MAX; fd++) {
        if (target_of(fd, target) && strcmp(target, pipe) == 0 && (fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY) return fd;
    }
    return -1;
}

static void note(int fd, int write_end, enum kind kind) {
    if (waited_on_count == sizeof waited_on / sizeof *waited_on) return;
    waited_on[waited_on_count].fd = fd;
    waited_on[waited_on_count].write_end = write_end;
    waited_on[waited_on_count++].kind = kind;
}

/* In the fork server, once. */
void note_loops(void) {
    char target[64];
    if (waited_on_count > 0) return;
    for (int fd = 3; fd < OWN_DESCRIPTORS_MAX; fd++) {
        if (!target_of(fd, target)) continue;
        if (strcmp(target, "anon_inode:[eventpoll]") == 0) note(fd, -1, EPOLL);
        else if (strcmp(target, "anon_inode:[eventfd]") == 0) note(fd, -1, EVENT);
        else if (strncmp(target, "pipe:", 5) == 0 && (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY) note(fd, write_end_of(target), PIPE);
    }
}

static bool place(int fresh, int fd) {
    if (fresh < 0) return false;
    if (fd < 0 || fresh == fd) return true;
    bool placed = dup3(fresh, fd, O_CLOEXEC) >= 0;
    close(fresh);
    return placed;
}

static bool renew_pipe(int read_end, int write_end) {
    int ends[2];
    struct stat now;
    /* libuv renews one of its pipes by itself as a process is forked. */
    if (fstat(read_end, &now) == 0 && S_ISFIFO(now.st_mode)) return true;
    return pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0 && place(ends[0], read_end) && place(ends[1], write_end);
}

static bool renew_loops(void) {
    bool renewed = true;
    for (size_t i = 0; renewed && i < waited_on_count; i++) {
        int fd = waited_on[i].fd;
        if (waited_on[i].kind == PIPE) renewed = renew_pipe(fd, waited_on[i].write_end);
        else renewed = place(waited_on[i].kind == EPOLL ? epoll_create1(EPOLL_CLOEXEC) : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), fd);
    }
    return renewed;
}

/* In a process that was forked: what event loops had of their own belongs to its parent, and is made anew. */
bool own_loops(napi_env env) {
    uv_loop_t *loop;
    return renew_loops() && napi_get_uv_event_loop(env, &loop) == 0 && uv_loop_fork(loop) == 0;
}
