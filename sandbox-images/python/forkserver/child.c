/* What the process that was forked for a call does to itself before a line of the program runs. */
#include "slot.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* Room for all else that a user who is not the slot's alone runs: it keeps a fork bomb small, no more. */
#define OTHER_PROCESSES 1024
/* Address space of a program whose memory is looked at: so many times its limit, since much is mapped and never touched. */
#define ADDRESS_FACTOR 16

static _Noreturn void child_failed(const char *step) {
    dprintf(2, "%s: %s\n", step, strerror(errno));
    _exit(1);
}

static void limit_resource(int resource, rlim_t value) {
    struct rlimit limit = {value, value};
    if (setrlimit(resource, &limit) != 0) child_failed("setrlimit");
}

/* Its own user, which takes its capabilities; where there is no other user than the slot's, they are dropped. */
static void take_user(const struct slot *slot) {
    if (slot->shares_user) {
        if (!capabilities_drop_all()) child_failed("capset");
    } else if (setresgid(slot->uid, slot->uid, slot->uid) != 0 || setresuid(slot->uid, slot->uid, slot->uid) != 0) {
        child_failed("setresuid");
    }
}

/* What a cgroup or namespaces do elsewhere. */
static void child_confine_more(const struct slot *slot) {
    char why[256] = "";
    /* Once its user is set, which resets it. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) child_failed("prctl");
    if (slot->directory && !landlock_install_process(slot->readable, slot->directory, why)) child_failed(why);
    if (!filter_install_call(slot, why)) child_failed(why);
}

void child_confine(struct slot *slot, const struct request *request, int in, int out, int err) {
    setsid();
    /* Opened for each call: the flags of an open file are shared by all who inherit it. */
    if (in < 0) in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    /* What is not dumpable belongs to root in /proc, and only root may write there. */
    if (slot->shares_user && prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0) child_failed("dumpable");
    int score = openat(slot->proc, "self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (score < 0 || write(score, "1000", 4) != 4) _exit(1);
    if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0) _exit(1);
    /* A runtime that is executed maps far more than it uses: V8 does. */
    if (slot->watched && !(request->flags & RUN_EXEC)) {
        limit_resource(RLIMIT_AS, watch_address_bytes(slot) + ADDRESS_FACTOR * request->memory_bytes);
    }
    if (close_range((unsigned)slot->own_from, ~0u, 0) != 0) child_failed("close_range");
    limit_resource(RLIMIT_CPU, request->cpu_ms / 1000 + 2);
    if (slot->directory) limit_resource(RLIMIT_FSIZE, slot->disk_bytes);
    /* The kernel counts the processes of a user: those of this call, where no others have it. */
    if (slot->watched) limit_resource(RLIMIT_NPROC, request->processes + (slot->shares_user ? OTHER_PROCESSES : 0));
    take_user(slot);
    if (slot->watched) child_confine_more(slot);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (!scratch_place(request)) child_failed("cannot place the files of the call");
}
