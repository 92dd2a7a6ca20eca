/*
 * In the interpreter of a session: takes orders from its slot, and forks when it is told to.
 *
 * What a program does to this process it does to its own session. So nothing here is trusted by the slot: which process
 * an answer comes from is the kernel's word, and what a fork may have was opened by the slot.
 */
#include "slot.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* What came with the order to fork: the fork's channel, output, errors and root directory. */
enum { FORK_CHANNEL = 0, FORK_OUT = 1, FORK_ERR = 2, FORK_ROOT = 3, FORK_DESCRIPTORS = 4 };
/* What comes with a call: the request, where to write the report, standard input if there is any. */
enum { CALL_REQUEST = 0, CALL_REPORT = 1, CALL_STDIN = 2 };

static pid_t own;
static int fork_descriptors[FORK_DESCRIPTORS], report = -1;
static uint32_t number;

void session_assert_own(void) {
    if (own == 0) own = getpid();
    if (own != getpid()) _exit(0);
}

static bool read_request(int file, struct request *request) {
    struct stat status;
    if (fstat(file, &status) != 0 || status.st_size <= 0 || status.st_size > UINT32_MAX) return false;
    uint32_t length = (uint32_t)status.st_size;
    uint8_t *body = malloc(length);
    if (!body) return false;
    for (uint32_t done = 0; done < length;) {
        ssize_t got = pread(file, body + done, length - done, done);
        if (got <= 0) {
            free(body);
            return false;
        }
        done += (uint32_t)got;
    }
    return request_parse(request, body, length);
}

/* Where a program closed its standard streams, before anything else gets their numbers. */
static void restore_streams(void) {
    if (fcntl(0, F_GETFD) < 0) open("/dev/null", O_RDONLY);
    if (fcntl(1, F_GETFD) < 0) dup2(SESSION_OUT, 1);
    if (fcntl(2, F_GETFD) < 0) dup2(SESSION_ERR, 2);
}

static bool take_input(int input) {
    int null = input < 0 ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;
    bool taken = dup2(input < 0 ? null : input, 0) == 0;
    if (null >= 0) close(null);
    return taken;
}

static bool place_files(const struct request *request) {
    if (request->files.count == 0) return true;
    int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    bool placed = chdir(WORK_DIRECTORY) == 0 && scratch_place_files(request);
    int error = errno;
    if (here >= 0 && fchdir(here) != 0) placed = false;
    if (here >= 0) close(here);
    errno = error;
    return placed;
}

static bool take_call(const int *descriptors, int count, struct request *request) {
    report = fcntl(descriptors[CALL_REPORT], F_DUPFD_CLOEXEC, 3);
    bool taken = read_request(descriptors[CALL_REQUEST], request) && take_input(count > CALL_STDIN ? descriptors[CALL_STDIN] : -1) &&
                 place_files(request);
    int error = errno;
    for (int i = 0; i < count; i++) close(descriptors[i]);
    errno = error;
    return taken;
}

bool session_next(struct packet *order, struct request *request, struct packet *failure) {
    int descriptors[PACKET_DESCRIPTORS_MAX], count = 0;
    session_assert_own();
    restore_streams();
    /* Its slot is gone, or a program closed what it does not know. */
    if (!packet_receive(SESSION_CHANNEL, order, descriptors, &count, NULL)) _exit(1);
    memset(failure, 0, sizeof *failure);
    if (order->kind == ORDER_FORK && count == FORK_DESCRIPTORS) {
        memcpy(fork_descriptors, descriptors, sizeof fork_descriptors);
        return true;
    }
    if (order->kind != ORDER_CALL || count <= CALL_REPORT) _exit(1);
    number = order->number;
    if (take_call(descriptors, count, request)) return true;
    failure->value = errno;
    snprintf(failure->text, sizeof failure->text, "cannot place the files of the call: %s", strerror(errno));
    return false;
}

bool session_answer(enum answer_kind kind, int32_t value, const char *text, const void *words, size_t length) {
    struct packet packet = {.kind = kind, .value = value, .number = number};
    session_assert_own();
    if (text) snprintf(packet.text, sizeof packet.text, "%s", text);
    if (report >= 0) {
        if (length > 0 && pwrite(report, words, length, 0) < 0) length = 0;
        close(report);
        report = -1;
    }
    return packet_send(SESSION_CHANNEL, &packet, NULL, 0);
}

bool session_limit_files(rlim_t most) {
    const struct rlimit files = {most, SESSION_CHANNEL + 1};
    return setrlimit(RLIMIT_NOFILE, &files) == 0;
}

/*
 * The fork of a process in between, which ends at once: so the fork belongs to the slot, which is told how it ends, and
 * this process has no child that a program would find. The one in between has no memory of its own to be copied.
 */
static int fork_orphan(void) {
    volatile pid_t fork_pid = -1;
    pid_t between = vfork();
    if (between == 0) {
        fork_pid = fork();
        if (fork_pid == 0) return 0;
        _exit(fork_pid < 0 ? errno : 0);
    }
    int status = 0;
    if (between < 0) return -1;
    while (waitpid(between, &status, 0) < 0 && errno == EINTR) continue;
    if (status == 0) return 1;
    errno = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
    return -1;
}

/* Takes the places that are a session's own, and enters its cgroup before it does more; the slot looks whether it did. */
static void be_born(void) {
    struct packet born = {.kind = ANSWER_BORN}, order;
    own = getpid();
    setsid();
    bool placed = session_limit_files(SESSION_CHANNEL + 1) &&
                  dup3(fork_descriptors[FORK_CHANNEL], SESSION_CHANNEL, O_CLOEXEC) >= 0 &&
                  dup3(fork_descriptors[FORK_OUT], SESSION_OUT, O_CLOEXEC) >= 0 && dup3(fork_descriptors[FORK_ERR], SESSION_ERR, O_CLOEXEC) >= 0 &&
                  dup2(SESSION_OUT, 1) >= 0 && dup2(SESSION_ERR, 2) >= 0 && session_limit_files(SESSION_ERR);
    for (int i = 0; i < FORK_ROOT; i++) close(fork_descriptors[i]);
    if (!placed || !packet_send(SESSION_CHANNEL, &born, NULL, 0)) _exit(1);
    int entrances[PACKET_DESCRIPTORS_MAX] = {-1, -1, -1, -1}, count = 0;
    if (!packet_receive(SESSION_CHANNEL, &order, entrances, &count, NULL) || order.kind != ORDER_GO || !cgroup_enter(entrances)) _exit(1);
    for (int i = 0; i < count; i++) close(entrances[i]);
}

int session_fork(void) {
    sigset_t ended, before;
    sigemptyset(&ended);
    sigaddset(&ended, SIGCHLD);
    sigprocmask(SIG_BLOCK, &ended, &before);
    int side = fork_orphan();
    int error = errno;
    if (side == 0) {
        be_born();
    } else {
        struct timespec none = {0, 0};
        /* That of the process in between is none of the program's business. */
        sigtimedwait(&ended, NULL, &none);
        for (int i = 0; i < FORK_DESCRIPTORS; i++) close(fork_descriptors[i]);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return side;
}

bool session_branch(char why[116]) {
    bool entered = branch_enter(fork_descriptors[FORK_ROOT], why);
    close(fork_descriptors[FORK_ROOT]);
    landlock_scope();
    return entered;
}
