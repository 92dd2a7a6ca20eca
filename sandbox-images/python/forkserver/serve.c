/*
 * The slot's loop. One fork for each call; the call is over when its first process has ended and every
 * other process of the pid namespace is gone, never when a pipe is closed.
 *
 * The evidence is the kernel's: wait status, cgroup counters, the clock. Nothing a program writes anywhere
 * can change it; what it says about itself travels apart, as the report.
 */
#include "slot.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* After output was read, and at the start, the pipes are left alone for so long: a program that prints line by line
 * would otherwise wake its slot for each. */
#define QUIET_US 1000
/* A slot whose memory has grown by this much since it was new is replaced. */
#define GROWTH_BYTES_MAX (64u << 20)
/* How often a slot without a cgroup looks at its call. */
#define LOOK_US 5000
/* What a slot needs for a call besides what grows with it; the first of the output is in it. */
#define OWN_BYTES (512u << 10)

struct run {
    pid_t child;
    uint64_t accepted_us, started_us, ended_us, deadline_us, cpu_check_us, look_us;
    struct cgroup_counters before;
    uint64_t memory_seen; /* the most that was seen, without a cgroup */
    uint32_t tasks_seen;
    uint32_t memory_over, tasks_over; /* 1 once a look found more than the limit */
    bool disk_full;
    uint64_t memory_before;
    uint64_t own_bytes; /* of the slot, on top of the program's limit */
    uint32_t pid_before;
    int status;
    struct rusage usage;
    bool over;
    enum ended_by ended_by;
    struct capture streams[2];
};

uint64_t now_us(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

/* Every process of the call. In a pid namespace of one's own nothing else is in sight of kill(-1). */
static void kill_call(const struct slot *slot) {
    if (!slot->directory) kill(-1, SIGKILL);
    else if (slot->child > 0) kill(slot->child, SIGKILL);
}

/* Ends the slot: something is not as it must be, and a new slot is cheaper than a doubt. */
static _Noreturn void give_up(struct slot *slot, const char *why) {
    struct buffer body = {0};
    kill_call(slot);
    buffer_put(&body, why, strlen(why));
    frame_write(slot->control, FRAME_FAULT, &body);
    _exit(1);
}

/* The last pid given out in this namespace: the difference over a call is how many processes and threads it made. */
static uint32_t last_pid(const struct slot *slot) {
    char text[128];
    if (slot->directory) return 0;
    int fd = openat(slot->proc, "loadavg", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t got = read(fd, text, sizeof text - 1);
    close(fd);
    if (got <= 0) return 0;
    text[got] = 0;
    char *last = strrchr(text, ' ');
    return last ? (uint32_t)strtoul(last + 1, NULL, 10) : 0;
}

static int stdin_file(const struct request *request) {
    int fd = memfd_create("stdin", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) return -1;
    for (uint32_t done = 0; done < request->stdin_bytes.length;) {
        ssize_t put = write(fd, request->stdin_bytes.data + done, request->stdin_bytes.length - done);
        if (put < 0) {
            close(fd);
            return -1;
        }
        done += (uint32_t)put;
    }
    lseek(fd, 0, SEEK_SET);
    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
    return fd;
}

static pid_t fork_call(struct slot *slot, const struct request *request, struct run *run) {
    int out[2], err[2];
    if (pipe2(out, O_CLOEXEC) != 0) return -1;
    if (pipe2(err, O_CLOEXEC) != 0) {
        close(out[0]);
        close(out[1]);
        return -1;
    }
    int in = request->stdin_bytes.length ? stdin_file(request) : -1;
    /* So that the program may open /dev/stdin and its like. */
    bool shared = slot->shares_user;
    bool ready = shared || (fchown(out[1], slot->uid, slot->uid) == 0 && fchown(err[1], slot->uid, slot->uid) == 0);
    if (ready && request->stdin_bytes.length) ready = in >= 0 && (shared || fchown(in, slot->uid, slot->uid) == 0);
    pid_t child = -1;
    if (ready) {
        /* Not os.fork: its hooks mend what other threads left behind, of which there are none here, and cost 190 faults. */
        child = fork();
        if (child == 0) {
            child_confine(slot, request, in, out[1], err[1]);
            return 0;
        }
    }
    if (in >= 0) close(in);
    close(out[1]);
    close(err[1]);
    if (child < 0) {
        close(out[0]);
        close(err[0]);
        return -1;
    }
    fcntl(out[0], F_SETFL, O_NONBLOCK);
    fcntl(err[0], F_SETFL, O_NONBLOCK);
    capture_start(&run->streams[0], out[0], request->output_bytes);
    capture_start(&run->streams[1], err[0], request->output_bytes);
    return child;
}

static void reap(struct run *run) {
    struct rusage usage;
    int status;
    for (pid_t pid; (pid = wait4(-1, &status, WNOHANG, &usage)) > 0;) {
        if (pid != run->child) continue;
        run->status = status;
        run->usage = usage;
        run->over = true;
        run->ended_us = now_us();
    }
}

static void end(const struct slot *slot, struct run *run, enum ended_by reason) {
    if (run->ended_by == ENDED_BY_ITSELF && !run->over) run->ended_by = reason;
    kill_call(slot);
}

/* The engine wrote while a call runs: a cancel, or it hung up and nobody waits for the answer. */
static void control_event(struct slot *slot, struct run *run) {
    uint8_t kind = 0, *body;
    uint32_t length;
    if (!frame_read(slot->control, &kind, &body, &length)) {
        kill_call(slot);
        _exit(0);
    }
    free(body);
    if (kind != FRAME_CANCEL) give_up(slot, "a frame other than cancel arrived while a call was running");
    end(slot, run, ENDED_CANCEL);
}

static uint64_t used_cpu_us(const struct slot *slot, const struct run *run) {
    if (!slot->watched) return cgroup_cpu_us(&slot->cgroup) - run->before.cpu_us;
    struct watch_use use;
    watch_look(slot, UINT64_MAX, UINT64_MAX, &use);
    return use.cpu_us - run->before.cpu_us;
}

/* Without a cgroup: ends a call that has more than it may. */
static void look(const struct slot *slot, const struct request *request, struct run *run, uint64_t now) {
    struct watch_use use;
    /* The request is the slot's, and in the memory that the call was forked with. */
    uint64_t limit = request->memory_bytes + request->body_length;
    watch_look(slot, limit, request->processes, &use);
    if (use.own_bytes > run->memory_seen) run->memory_seen = use.own_bytes;
    if (use.tasks > run->tasks_seen) run->tasks_seen = use.tasks;
    run->memory_over |= use.memory_bytes > limit;
    run->tasks_over |= use.tasks > request->processes;
    run->disk_full |= slot->directory && use.disk_full;
    if (run->memory_over || run->tasks_over || run->disk_full) kill_call(slot);
    /* Looking takes a fifth of a core at most: a large process takes milliseconds to look at. */
    uint64_t done = now_us();
    run->look_us = done + (done - now > LOOK_US / 4 ? 4 * (done - now) : LOOK_US);
}

/* Ends the call when its wall time or CPU time is over; returns how long to wait at most. Milliseconds. */
static int check_time(struct slot *slot, const struct request *request, struct run *run) {
    uint64_t now = now_us();
    if (now >= run->deadline_us) {
        end(slot, run, ENDED_WALL);
        return 100;
    }
    if (slot->watched && now >= run->look_us) look(slot, request, run, now);
    if (now >= run->cpu_check_us) {
        uint64_t used = used_cpu_us(slot, run), limit = request->cpu_ms * 1000;
        if (used >= limit) {
            end(slot, run, ENDED_CPU);
            return 100;
        }
        /* Not sooner than one thread on each of two cores could use up what is left. */
        uint64_t left = (limit - used) / 2;
        run->cpu_check_us = now + (left < 5000 ? 5000 : left);
    }
    uint64_t next = run->deadline_us < run->cpu_check_us ? run->deadline_us : run->cpu_check_us;
    if (slot->watched && run->look_us < next) next = run->look_us;
    return (int)((next - now) / 1000 + 1);
}

/* The program's limit, and on top of it what the slot holds for it: the request, its stdin, its output so far. */
static void limit_memory(struct slot *slot, const struct request *request, struct run *run) {
    uint64_t own = OWN_BYTES + request->body_length + request->stdin_bytes.length + capture_memory(&run->streams[0]) + capture_memory(&run->streams[1]);
    if (own == run->own_bytes) return;
    /* In the course of a call it only grows, which no use of memory hinders. */
    if (!cgroup_limit_memory(&slot->cgroup, request->memory_bytes, own)) give_up(slot, "the memory limit could not be set");
    run->own_bytes = own;
}

static void watch(struct slot *slot, const struct request *request, struct run *run) {
    struct pollfd polls[4] = {
        {slot->child_events, POLLIN, 0}, {slot->control, POLLIN, 0}, {run->streams[0].fd, POLLIN, 0}, {run->streams[1].fd, POLLIN, 0}};
    uint64_t quiet_until = run->started_us + QUIET_US;
    while (!run->over) {
        int timeout = check_time(slot, request, run);
        bool listen = now_us() >= quiet_until;
        if (!listen && timeout > 1) timeout = 1;
        polls[2].revents = polls[3].revents = 0;
        if (poll(polls, listen ? 4 : 2, timeout) < 0 && errno != EINTR) give_up(slot, "poll failed");
        for (int i = 0; i < 2; i++) {
            struct capture *stream = &run->streams[i];
            if (!polls[2 + i].revents) continue;
            if (!capture_read(stream)) polls[2 + i].fd = -1;
            if (stream->total > request->flood_bytes) end(slot, run, ENDED_OUTPUT);
            limit_memory(slot, request, run);
            if (!stream->pressing) quiet_until = now_us() + QUIET_US;
        }
        if (polls[0].revents) {
            struct signalfd_siginfo info;
            while (read(slot->child_events, &info, sizeof info) > 0) continue;
            reap(run);
        }
        if (polls[1].revents && !run->over) control_event(slot, run);
    }
}

/* Nothing of the call may be left in the pid namespace, or below the slot where it has none. */
static void end_all(struct slot *slot) {
    slot->child = 0;
    if (slot->directory) {
        if (waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD) give_up(slot, "a call was more than one process");
        return;
    }
    for (int attempt = 0; attempt < 1000; attempt++) {
        kill(-1, SIGKILL);
        for (;;) {
            pid_t pid = waitpid(-1, NULL, 0);
            if (pid > 0 || errno == EINTR) continue;
            break;
        }
        if (errno == ECHILD && kill(-1, 0) != 0 && errno == ESRCH) return;
    }
    give_up(slot, "processes of a call could not be ended");
}

static void put_report(struct slot *slot, struct buffer *reply) {
    uint32_t length = slot->report->length;
    buffer_bytes(reply, slot->report->text, length <= sizeof slot->report->text ? length : 0);
    /* All of it, used or not: the next program must not find anything in it. */
    if (madvise(slot->report, REPORT_BYTES, MADV_REMOVE) != 0) give_up(slot, "the report could not be emptied");
}

/* Where the cgroup's peak cannot be reset: that of the first process, above what it was forked with. */
static uint64_t peak_of_process(const struct run *run) {
    struct rusage own;
    getrusage(RUSAGE_SELF, &own);
    return run->usage.ru_maxrss > own.ru_maxrss ? (uint64_t)(run->usage.ru_maxrss - own.ru_maxrss) * 1024 : 0;
}

static void conclude(struct slot *slot, const struct request *request, struct run *run) {
    struct cgroup_counters after;
    uint64_t peak = cgroup_peak(&slot->cgroup);
    end_all(slot);
    if (!cgroup_lift_memory(&slot->cgroup)) give_up(slot, "the memory limit could not be lifted");
    cgroup_counters(&slot->cgroup, &after);
    if (slot->watched) after.cpu_us = watch_reaped_cpu_us();
    slot->counted = after;
    slot->pid_counted = last_pid(slot);
    slot->has_counted = true;
    uint32_t made = slot->pid_counted - run->pid_before;
    /* Where nobody counts what is refused: who is seen at the limit is taken to have been refused one. */
    bool at_limit = slot->watched && run->tasks_seen >= request->processes;
    if (at_limit && made <= request->processes) made = (uint32_t)request->processes + 1;
    struct scratch_use scratch = {0};
    scratch_measure(slot, &scratch);
    if (slot->cgroup.memory_peak < 0) peak = peak_of_process(run);
    if (slot->watched && run->memory_seen > peak) peak = run->memory_seen;
    if (slot->cgroup.memory_peak >= 0) peak = peak > run->memory_before ? peak - run->memory_before : 0;
    for (int i = 0; i < 2; i++) {
        while (capture_read(&run->streams[i]) && run->streams[i].total <= request->flood_bytes) {
            struct pollfd more = {run->streams[i].fd, POLLIN, 0};
            if (poll(&more, 1, 0) <= 0) break;
        }
        close(run->streams[i].fd);
    }
    struct buffer reply = {0};
    buffer_u32(&reply, (uint32_t)run->status);
    buffer_u8(&reply, run->ended_by);
    buffer_u8(&reply, scratch.full || run->disk_full);
    buffer_u32(&reply, (uint32_t)(after.oom_kills - run->before.oom_kills) + run->memory_over);
    buffer_u32(&reply, (uint32_t)(after.forks_refused - run->before.forks_refused) + at_limit);
    buffer_u32(&reply, made < 1 || made > (1u << 22) ? 1 : made);
    buffer_u64(&reply, after.cpu_us - run->before.cpu_us);
    buffer_u64(&reply, peak);
    buffer_u64(&reply, run->started_us - run->accepted_us);
    buffer_u64(&reply, run->ended_us - run->started_us);
    for (int i = 0; i < 2; i++) capture_reply(&run->streams[i], &reply);
    put_report(slot, &reply);
    scratch_collect(request, &reply);
    bool reusable = scratch_sweep(slot, request) && run->memory_before < slot->cgroup.baseline_bytes + GROWTH_BYTES_MAX;
    buffer_u8(&reply, reusable);
    buffer_u64(&reply, now_us() - run->started_us);
    if (!frame_write(slot->control, FRAME_EVIDENCE, &reply)) give_up(slot, "the evidence could not be sent");
    buffer_free(&reply);
    for (int i = 0; i < 2; i++) capture_free(&run->streams[i]);
}

/* Between calls only the slot's own CPU time goes on. */
static void count_before(const struct slot *slot, struct run *run) {
    run->before = slot->counted;
    run->pid_before = slot->pid_counted;
    if (!slot->has_counted) {
        cgroup_counters(&slot->cgroup, &run->before);
        run->pid_before = last_pid(slot);
    }
    run->before.cpu_us = slot->watched ? watch_reaped_cpu_us() : cgroup_cpu_us(&slot->cgroup);
}

/* True in the child, which is to run the program. */
static bool carry_out(struct slot *slot, struct request *request) {
    struct run run = {.accepted_us = now_us()};
    if (slot->directory) scratch_resize(slot);
    limit_memory(slot, request, &run);
    if (!cgroup_limit_processes(&slot->cgroup, request->processes)) give_up(slot, "the process limit could not be set");
    run.memory_before = cgroup_peak_reset(&slot->cgroup);
    count_before(slot, &run);
    run.started_us = now_us();
    run.deadline_us = run.started_us + request->wall_ms * 1000;
    run.cpu_check_us = run.started_us + request->cpu_ms * 500;
    run.look_us = run.started_us + LOOK_US;
    run.child = fork_call(slot, request, &run);
    if (run.child == 0) return true;
    if (run.child < 0) give_up(slot, "fork failed");
    slot->child = run.child;
    watch(slot, request, &run);
    conclude(slot, request, &run);
    return false;
}

void serve(struct slot *slot, struct request *request) {
    for (;;) {
        uint8_t kind, *body;
        uint32_t length;
        if (!frame_read(slot->control, &kind, &body, &length)) _exit(0);
        if (kind == FRAME_CANCEL) { /* of a call that had ended already */
            free(body);
            continue;
        }
        if (kind != FRAME_RUN || !request_parse(request, body, length)) give_up(slot, "a malformed request arrived");
        if (carry_out(slot, request)) return;
        request_free(request);
    }
}
