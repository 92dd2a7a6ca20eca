/*
 * One session of a family: its interpreter is started, called, stopped between calls and ended.
 *
 * Its processes are those of its cgroup: they are found, stopped and ended there, so that no other session of the
 * family is touched. Between calls all of them are stopped: what a program left running, and what it does after it
 * said that its call is done, has no CPU time.
 */
#include "family.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

/* How long an interrupted interpreter may take to come back. */
#define GRACE_US 1000000
/* Of a session, beside what its calls are said to have: page tables and an interpreter's first pages. */
#define OWN_BYTES (8u << 20)
/* More processes and threads than a session may have. */
#define PIDS_MAX 2048
/* Room to fork its interpreter in, when it is at its limit. */
#define FORK_PROCESSES 2

static bool open_ends(struct member *member, struct ends *ends) {
    int pair[2], out[2] = {-1, -1}, err[2] = {-1, -1}, on = 1;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) return false;
    member->channel = pair[0];
    ends->channel = pair[1];
    bool opened = pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0;
    member->streams[0] = out[0];
    member->streams[1] = err[0];
    ends->streams[0] = out[1];
    ends->streams[1] = err[1];
    return opened && setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0 && fcntl(out[0], F_SETFL, O_NONBLOCK) == 0 &&
           fcntl(err[0], F_SETFL, O_NONBLOCK) == 0 && fcntl(pair[0], F_SETFL, O_NONBLOCK) == 0;
}

void ends_close(struct ends *ends) {
    if (ends->channel >= 0) close(ends->channel);
    for (int i = 0; i < 2; i++) {
        if (ends->streams[i] >= 0) close(ends->streams[i]);
    }
}

static void forget(struct member *member) {
    if (member->channel >= 0) close(member->channel);
    if (member->root >= 0) close(member->root);
    for (int i = 0; i < 2; i++) {
        if (member->streams[i] >= 0) close(member->streams[i]);
    }
    cgroup_close_leaf(&member->cgroup);
    free(member->forking.ids);
    free(member->forking.leaves);
    memset(member, 0, sizeof *member);
}

struct member *member_new(struct family *family, uint32_t id, struct bytes leaf, uint64_t memory_bytes, uint64_t processes, struct ends *ends) {
    struct member *member = NULL;
    char root[32];
    for (size_t i = 0; i < MEMBERS_MAX && !member; i++) {
        if (family->members[i].state == FREE) member = &family->members[i];
    }
    *ends = (struct ends){-1, {-1, -1}};
    errno = ENFILE;
    if (!member || leaf.length >= LEAF_BYTES_MAX) return NULL;
    memset(member, 0, sizeof *member);
    member->id = id;
    member->channel = member->root = member->streams[0] = member->streams[1] = -1;
    member->memory_bytes = memory_bytes;
    member->processes = processes;
    memcpy(member->leaf, leaf.data, leaf.length);
    snprintf(root, sizeof root, BRANCHES "/%u", id);
    member->root = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool made = member->root >= 0 && cgroup_open_leaf(&member->cgroup, &family->slot->roots, member->leaf) && open_ends(member, ends);
    /* So that its program may open /dev/stdout and its like. */
    for (int i = 0; made && i < 2; i++) made = fchown(ends->streams[i], family->slot->uid, family->slot->uid) == 0;
    if (made) {
        member->state = UNBORN;
        member_limit(family, member, false);
        return member;
    }
    int error = errno;
    ends_close(ends);
    forget(member);
    errno = error;
    return NULL;
}

void member_limit(struct family *family, struct member *member, bool lifted) {
    struct cgroup *cgroup = &member->cgroup;
    bool set = lifted ? cgroup_lift_memory(cgroup) : cgroup_limit_memory(cgroup, member->memory_bytes, OWN_BYTES);
    /* A fork leaves its parent page tables of both; where that is above the limit it may have those. */
    if (!set && errno == EBUSY) set = cgroup_limit_memory(cgroup, member->memory_bytes, 2 * OWN_BYTES) || errno == EBUSY;
    /* cgroup_limit_processes counts one more, for a slot. */
    set = set && cgroup_limit_processes(cgroup, member->processes - 1 + (lifted ? FORK_PROCESSES : 0));
    if (!set) family_give_up(family, "the limits of a session could not be set");
}

static _Noreturn void child_failed(int channel, const char *step) {
    struct packet failure = {.kind = ANSWER_READY, .value = errno ? errno : EIO};
    snprintf(failure.text, sizeof failure.text, "%s: %s", step, strerror(errno));
    packet_send(channel, &failure, NULL, 0);
    _exit(1);
}

/* In the first interpreter: what child_confine does for a call, and the root directory, cgroup and capability of a session. */
static void member_confine(struct family *family, struct member *member, const struct ends *ends, const struct request *request) {
    struct slot *slot = family->slot;
    int channel = ends->channel;
    char why[256] = "";
    setsid();
    int score = openat(slot->proc, "self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (score < 0 || write(score, "1000", 4) != 4) child_failed(channel, "oom_score_adj");
    int entrances[3];
    if (!cgroup_open_entrances(&slot->roots, member->leaf, 0, entrances) || !cgroup_enter(entrances)) child_failed(channel, "join the session's cgroup");
    if (fchdir(member->root) != 0 || chroot(".") != 0 || chdir(WORK_DIRECTORY) != 0) child_failed(channel, "chroot");
    if (!landlock_install_session(slot->proc, slot->branches, why)) child_failed(channel, why);
    /* Shared with the slot, and not used here. */
    if (mmap(slot->report, REPORT_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED) child_failed(channel, "mmap");
    if (dup3(channel, SESSION_CHANNEL, O_CLOEXEC) < 0 || dup3(ends->streams[0], SESSION_OUT, O_CLOEXEC) < 0 ||
        dup3(ends->streams[1], SESSION_ERR, O_CLOEXEC) < 0) {
        child_failed(channel, "dup");
    }
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (dup2(null, 0) < 0 || dup2(SESSION_OUT, 1) < 0 || dup2(SESSION_ERR, 2) < 0) child_failed(SESSION_CHANNEL, "dup");
    if (close_range((unsigned)slot->own_from, SESSION_ERR - 1, 0) != 0 || close_range(SESSION_CHANNEL + 1, ~0u, 0) != 0) child_failed(SESSION_CHANNEL, "close_range");
    if (!session_limit_files(SESSION_ERR)) child_failed(SESSION_CHANNEL, "setrlimit");
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0 || setresgid(slot->uid, slot->uid, slot->uid) != 0 || setresuid(slot->uid, slot->uid, slot->uid) != 0 ||
        prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) != 0 || !capabilities_keep_chroot()) {
        child_failed(SESSION_CHANNEL, "change the user");
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (!scratch_place_files(request)) child_failed(SESSION_CHANNEL, "cannot place the files of the session");
}

bool member_start(struct family *family, struct member *member, struct ends *ends, const struct request *request) {
    pid_t pid = fork();
    if (pid == 0) {
        member_confine(family, member, ends, request);
        return true;
    }
    ends_close(ends);
    if (pid < 0) family_give_up(family, "fork failed");
    member->pid = pid;
    member->parts = (request->flags & RUN_PARTS) != 0;
    member->state = OPENING;
    return false;
}

/* The bytes as a file that is nowhere; `sealed`: nobody changes it. */
static int memory_file(struct family *family, const char *name, const uint8_t *data, uint32_t length, bool sealed) {
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) return -1;
    for (uint32_t done = 0; done < length;) {
        ssize_t put = write(fd, data + done, length - done);
        if (put <= 0) {
            close(fd);
            return -1;
        }
        done += (uint32_t)put;
    }
    lseek(fd, 0, SEEK_SET);
    if (fchown(fd, family->slot->uid, family->slot->uid) != 0) {
        close(fd);
        return -1;
    }
    if (sealed) fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
    return fd;
}

/* Takes the request over. False when it could not be sent: the session is of no use then. */
bool member_call(struct family *family, struct member *member, struct request *request) {
    struct call *call = &member->call;
    memset(call, 0, sizeof *call);
    call->accepted_us = now_us();
    call->request = *request;
    memset(request, 0, sizeof *request);
    int descriptors[3];
    descriptors[0] = memory_file(family, "call", call->request.body, call->request.body_length, true);
    descriptors[1] = memory_file(family, "report", NULL, 0, false);
    /* A report has this size from the start, and no other. */
    if (descriptors[1] < 0 || ftruncate(descriptors[1], REPORT_BYTES) != 0 || fcntl(descriptors[1], F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK) != 0)
        family_give_up(family, "a report could not be made");
    call->report = descriptors[1];
    bool has_input = call->request.stdin_bytes.length > 0;
    if (has_input) descriptors[2] = memory_file(family, "stdin", call->request.stdin_bytes.data, call->request.stdin_bytes.length, true);
    if (descriptors[0] < 0 || (has_input && descriptors[2] < 0)) family_give_up(family, "a call could not be handed on");
    for (int i = 0; i < 2; i++) capture_start(&call->streams[i], member->streams[i], call->request.output_bytes);
    cgroup_counters(&member->cgroup, &call->before);
    cgroup_peak_reset(&member->cgroup);
    struct packet order = {.kind = ORDER_CALL, .number = ++member->calls};
    bool sent = packet_send(member->channel, &order, descriptors, has_input ? 3 : 2);
    close(descriptors[0]);
    if (has_input) close(descriptors[2]);
    member->state = RUNNING;
    call->started_us = now_us();
    call->deadline_us = call->started_us + call->request.wall_ms * 1000;
    call->cpu_check_us = call->started_us + call->request.cpu_ms * 500;
    member_go_on(member);
    return sent;
}

void member_interrupt(struct member *member, enum ended_by reason) {
    if (member->state != RUNNING || member->call.grace_us != 0) return;
    member->call.ended_by = reason;
    member->call.grace_us = now_us() + (member->parts ? 0 : GRACE_US);
    if (!member->dead) kill(member->pid, member->parts ? SIGSTOP : SIGINT);
}

uint64_t member_check_time(struct family *family, struct member *member, uint64_t now) {
    struct call *call = &member->call;
    if (call->grace_us != 0) {
        if (now < call->grace_us) return call->grace_us;
        member_conclude(family, member, false, 0);
        return now;
    }
    if (now >= call->deadline_us) {
        member_interrupt(member, ENDED_WALL);
        return call->grace_us;
    }
    if (now >= call->cpu_check_us) {
        uint64_t used = cgroup_cpu_us(&member->cgroup) - call->before.cpu_us, limit = call->request.cpu_ms * 1000;
        if (used >= limit) {
            member_interrupt(member, ENDED_CPU);
            return call->grace_us;
        }
        /* Not sooner than one thread on each of two cores could use up what is left. */
        uint64_t left = (limit - used) / 2;
        call->cpu_check_us = now + (left < 5000 ? 5000 : left);
    }
    return call->deadline_us < call->cpu_check_us ? call->deadline_us : call->cpu_check_us;
}

void member_go_on(struct member *member) {
    static pid_t pids[PIDS_MAX];
    int count = cgroup_members(&member->cgroup, pids, PIDS_MAX);
    for (int i = 0; i < count; i++) kill(pids[i], SIGCONT);
}

/* Until no process is there that was not before: one that is being forked is not seen by the first look. */
void member_stop(struct member *member) {
    static pid_t pids[PIDS_MAX];
    int count = cgroup_members(&member->cgroup, pids, PIDS_MAX), before = 0;
    for (int look = 0; count != before && look < 50; look++) {
        for (int i = 0; i < count; i++) kill(pids[i], SIGSTOP);
        before = count;
        if (count > 1) count = cgroup_members(&member->cgroup, pids, PIDS_MAX);
    }
}

bool member_has(const struct member *member, pid_t pid) {
    static pid_t pids[PIDS_MAX];
    int count = cgroup_members(&member->cgroup, pids, PIDS_MAX);
    for (int i = 0; i < count; i++) {
        if (pids[i] == pid) return true;
    }
    return false;
}

void member_kill(struct family *family, struct member *member) {
    static pid_t pids[PIDS_MAX];
    cgroup_forbid_processes(&member->cgroup);
    for (int attempt = 0; attempt < 5000; attempt++) {
        int count = cgroup_members(&member->cgroup, pids, PIDS_MAX);
        for (int i = 0; i < count; i++) kill(pids[i], SIGKILL);
        family_reap(family);
        if (count == 0 && (member->pid == 0 || member->dead || kill(member->pid, SIGKILL) != 0)) return;
        usleep(count == 0 ? 200 : 500);
    }
    family_give_up(family, "processes of a session could not be ended");
}

void member_end(struct family *family, struct member *member) {
    member_kill(family, member);
    if (member->state == RUNNING) {
        for (int i = 0; i < 2; i++) capture_free(&member->call.streams[i]);
        close(member->call.report);
        request_free(&member->call.request);
    }
    forget(member);
}

static void put_report(const struct member *member, struct buffer *reply) {
    static uint8_t text[REPORT_BYTES];
    ssize_t got = member->dead ? 0 : pread(member->call.report, text, sizeof text, 0);
    /* What is not written is zero, which a report's text has none of. */
    size_t length = got > 0 ? strnlen((char *)text, (size_t)got) : 0;
    buffer_bytes(reply, text, length);
    explicit_bzero(text, sizeof text);
}

static void put_files(struct family *family, const struct member *member, struct buffer *reply) {
    int work = openat(member->root, "work", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (work < 0 || fchdir(work) != 0) family_give_up(family, "the files of a session are out of reach");
    scratch_collect(&member->call.request, reply);
    close(work);
    if (fchdir(family->here) != 0) family_give_up(family, "the slot's own directory is out of reach");
}

static bool disk_is_full(const struct member *member) {
    struct statfs stats;
    int work = openat(member->root, "work", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool full = work >= 0 && fstatfs(work, &stats) == 0 && (stats.f_bfree == 0 || stats.f_ffree == 0);
    if (work >= 0) close(work);
    return full;
}

static void drain(struct call *call) {
    for (int i = 0; i < 2; i++) {
        struct capture *stream = &call->streams[i];
        for (uint64_t before = stream->total + 1; stream->total != before && stream->total <= call->request.flood_bytes;) {
            before = stream->total;
            if (!capture_read(stream)) break;
        }
    }
}

void member_conclude(struct family *family, struct member *member, bool kept, int32_t code) {
    struct call *call = &member->call;
    struct cgroup_counters after;
    call->ended_us = now_us();
    uint32_t tasks = (uint32_t)cgroup_tasks(&member->cgroup);
    uint64_t peak = cgroup_peak(&member->cgroup);
    if (kept) member_stop(member);
    else member_kill(family, member);
    cgroup_counters(&member->cgroup, &after);
    drain(call);
    struct buffer reply = {0};
    buffer_u32(&reply, member->id);
    buffer_u8(&reply, kept);
    buffer_u32(&reply, kept ? (uint32_t)(code & 0xff) << 8 : member->dead ? (uint32_t)member->status : SIGKILL);
    buffer_u8(&reply, call->ended_by);
    buffer_u8(&reply, disk_is_full(member));
    buffer_u32(&reply, (uint32_t)(after.oom_kills - call->before.oom_kills));
    buffer_u32(&reply, (uint32_t)(after.forks_refused - call->before.forks_refused));
    buffer_u32(&reply, tasks < 1 ? 1 : tasks);
    buffer_u64(&reply, after.cpu_us - call->before.cpu_us);
    buffer_u64(&reply, peak);
    buffer_u64(&reply, call->started_us - call->accepted_us);
    buffer_u64(&reply, call->ended_us - call->started_us);
    for (int i = 0; i < 2; i++) capture_reply(&call->streams[i], &reply);
    put_report(member, &reply);
    put_files(family, member, &reply);
    buffer_u8(&reply, kept);
    buffer_u64(&reply, now_us() - call->started_us);
    close(call->report);
    request_free(&call->request);
    member->state = IDLE;
    if (!frame_write(family->slot->control, FRAME_SESSION_EVIDENCE, &reply)) family_give_up(family, "the evidence could not be sent");
    buffer_free(&reply);
    for (int i = 0; i < 2; i++) capture_free(&call->streams[i]);
    if (!kept) forget(member);
}
