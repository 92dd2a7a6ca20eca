/*
 * The loop of a slot that keeps a session and its forks. The engine's frames come in on one socket, each with the number
 * of its session; the slot is parent of every interpreter, so how one ends is the kernel's word.
 *
 * The sessions of a family have one pid namespace and one user. Each has a cgroup, a root directory with scratch of its
 * own, and its own pipes. A family is one tenant's.
 */
#include "family.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* How long a session may take to fork, its files copied. */
#define FORK_US_MAX 30000000
#define TEXT_BYTES_MAX 256

_Noreturn void family_give_up(struct family *family, const char *why) {
    struct buffer body = {0};
    kill(-1, SIGKILL);
    buffer_put(&body, why, strlen(why));
    frame_write(family->slot->control, FRAME_FAULT, &body);
    _exit(1);
}

struct member *family_find(struct family *family, uint32_t id) {
    for (size_t i = 0; i < MEMBERS_MAX; i++) {
        if (family->members[i].state != FREE && family->members[i].id == id) return &family->members[i];
    }
    return NULL;
}

void family_reap(struct family *family) {
    struct rusage usage;
    int status;
    for (pid_t pid; (pid = wait4(-1, &status, WNOHANG, &usage)) > 0;) {
        for (size_t i = 0; i < MEMBERS_MAX; i++) {
            struct member *member = &family->members[i];
            if (member->state == FREE || member->pid != pid) continue;
            member->dead = true;
            member->status = status;
            member->usage = usage;
        }
    }
}

/* Tells the engine of a session, in words where something went wrong. */
static void tell(struct family *family, enum frame_kind kind, uint32_t id, const char *why) {
    struct buffer body = {0};
    buffer_u32(&body, id);
    buffer_put(&body, why, strlen(why));
    if (!frame_write(family->slot->control, (uint8_t)kind, &body)) family_give_up(family, "the engine could not be told");
    buffer_free(&body);
}

static void tell_ended(struct family *family, struct member *member) {
    char why[TEXT_BYTES_MAX];
    bool signaled = member->dead && WIFSIGNALED(member->status);
    snprintf(why, sizeof why, "its interpreter ended while no call ran (%s %d)", signaled ? "signal" : "exit code",
             signaled ? WTERMSIG(member->status) : member->dead ? WEXITSTATUS(member->status) : 0);
    tell(family, FRAME_SESSION_ENDED, member->id, why);
}

static void next_fork(struct family *family, struct member *parent);

/* The forks made so far end, and the parent, if it still lives, goes on as it was. */
static void fork_failed(struct family *family, struct member *parent, const char *why) {
    for (uint32_t i = 0; i < parent->forking.count; i++) {
        struct member *made = family_find(family, parent->forking.ids[i]);
        if (made) member_end(family, made);
    }
    member_stop(parent);
    member_limit(family, parent, false);
    parent->state = IDLE;
    tell(family, FRAME_SESSION_FORKED, parent->id, why);
}

/* A fork is made when it is ready, and when its parent has done what comes after: stopped before that, it would keep its place. */
static void forked(struct family *family, struct member *parent) {
    if (!parent->forking.parent_done || !parent->forking.child_ready) return;
    parent->forking.made++;
    next_fork(family, parent);
}

static void next_fork(struct family *family, struct member *parent) {
    struct forking *forking = &parent->forking;
    if (forking->made == forking->count) {
        member_stop(parent);
        member_limit(family, parent, false);
        parent->state = IDLE;
        tell(family, FRAME_SESSION_FORKED, parent->id, "");
        return;
    }
    struct ends ends;
    forking->parent_done = forking->child_ready = false;
    const char *leaf = forking->leaves[forking->made];
    struct bytes name = {(const uint8_t *)leaf, (uint32_t)strlen(leaf)};
    struct member *child = member_new(family, forking->ids[forking->made], name, parent->memory_bytes, parent->processes, &ends);
    if (!child) {
        char why[TEXT_BYTES_MAX];
        snprintf(why, sizeof why, errno == ENFILE ? "a session and its forks are %d at most" : "the fork could not be made ready", MEMBERS_MAX);
        fork_failed(family, parent, why);
        return;
    }
    child->parent = parent;
    child->parts = parent->parts;
    struct packet order = {.kind = ORDER_FORK, .value = forking->reseed};
    int descriptors[] = {ends.channel, ends.streams[0], ends.streams[1], child->root};
    bool sent = packet_send(parent->channel, &order, descriptors, 4);
    ends_close(&ends);
    if (!sent) fork_failed(family, parent, "the session takes no orders");
}

/* An interpreter is gone, or does not listen any more, which comes to the same. */
static void lost(struct family *family, struct member *member) {
    struct member *parent = member->parent;
    if (member->state == RUNNING) {
        /* What it was interrupted for is why it ended; else how it ended is. */
        member_conclude(family, member, false, 0);
        return;
    }
    if (member->state == OPENING) tell(family, FRAME_SESSION_OPENED, member->id, "its interpreter ended before it was ready");
    if (member->state == FORKING) fork_failed(family, member, "its interpreter ended");
    if (member->state == UNBORN || member->state == BRANCHING) {
        fork_failed(family, parent, "the fork ended before it was ready: was there memory for its files?");
        return;
    }
    if (member->state == IDLE) tell_ended(family, member);
    member_end(family, member);
}

/* The fork is there; which process it is the kernel says. */
static void born(struct family *family, struct member *child, pid_t sender) {
    struct packet order = {.kind = ORDER_GO};
    struct cgroup_roots *roots = &family->slot->roots;
    int entrances[3];
    child->pid = sender;
    child->state = BRANCHING;
    bool opened = sender > 1 && cgroup_open_entrances(roots, child->leaf, family->slot->uid, entrances);
    if (!opened || !packet_send(child->channel, &order, entrances, roots->v2 ? 1 : 3)) fork_failed(family, child->parent, "the fork could not be given its cgroup");
    for (int i = 0; opened && i < 3; i++) {
        if (entrances[i] >= 0) close(entrances[i]);
    }
}

static void ready(struct family *family, struct member *member, const struct packet *answer) {
    if (member->state == BRANCHING && (answer->value != 0 || !member_has(member, member->pid))) {
        fork_failed(family, member->parent, answer->value != 0 ? answer->text : "the fork is not in its cgroup");
        return;
    }
    if (member->state == BRANCHING) {
        struct member *parent = member->parent;
        member_stop(member);
        member->state = IDLE;
        member->parent = NULL;
        parent->forking.child_ready = true;
        forked(family, parent);
        return;
    }
    if (answer->value != 0) {
        tell(family, FRAME_SESSION_OPENED, member->id, answer->text);
        member_end(family, member);
        return;
    }
    member_stop(member);
    member->state = IDLE;
    tell(family, FRAME_SESSION_OPENED, member->id, "");
}

/* Answers of another process than the interpreter are nobody's. */
static void answered(struct family *family, struct member *member) {
    struct packet answer;
    pid_t sender;
    if (!packet_receive(member->channel, &answer, NULL, NULL, &sender)) {
        if (errno != EAGAIN) lost(family, member);
        return;
    }
    if (member->state == UNBORN && answer.kind == ANSWER_BORN) born(family, member, sender);
    else if (sender != member->pid) return;
    else if (answer.kind == ANSWER_READY && (member->state == OPENING || member->state == BRANCHING)) ready(family, member, &answer);
    else if (answer.kind == ANSWER_DONE && member->state == RUNNING && answer.number == member->calls) member_conclude(family, member, true, answer.value);
    else if (answer.kind == ANSWER_FORKED && member->state == FORKING && answer.value == 0) {
        member->forking.parent_done = true;
        forked(family, member);
    } else if (answer.kind == ANSWER_FORKED && member->state == FORKING) {
        char why[TEXT_BYTES_MAX];
        snprintf(why, sizeof why, "the interpreter could not fork: %s", strerror(answer.value));
        fork_failed(family, member, why);
    }
}

static bool parse_call(struct reader *reader, struct request *request) {
    size_t length = (size_t)(reader->end - reader->at);
    uint8_t *body = malloc(length ? length : 1);
    if (!reader->ok || !body) {
        free(body);
        return false;
    }
    memcpy(body, reader->at, length);
    return request_parse(request, body, (uint32_t)length);
}

/* True in the interpreter. */
static bool open_session(struct family *family, uint32_t id, struct reader *reader) {
    struct ends ends;
    struct bytes leaf = take_bytes(reader);
    if (!parse_call(reader, family->request)) family_give_up(family, "a malformed request arrived");
    family->request->flags |= RUN_SESSION;
    struct member *member = member_new(family, id, leaf, family->request->memory_bytes, family->request->processes, &ends);
    if (!member) {
        tell(family, FRAME_SESSION_OPENED, id, strerror(errno));
        request_free(family->request);
        return false;
    }
    if (member_start(family, member, &ends, family->request)) return true;
    request_free(family->request);
    return false;
}

static void fork_session(struct family *family, struct member *parent, struct reader *reader) {
    struct forking *forking = &parent->forking;
    free(forking->ids);
    free(forking->leaves);
    memset(forking, 0, sizeof *forking);
    forking->reseed = take_u8(reader) != 0;
    forking->count = take_u32(reader);
    if (forking->count < 1 || forking->count > MEMBERS_MAX) family_give_up(family, "a malformed request arrived");
    forking->ids = calloc(forking->count, sizeof *forking->ids);
    forking->leaves = calloc(forking->count, sizeof *forking->leaves);
    if (!forking->ids || !forking->leaves) family_give_up(family, "there is no memory to fork a session");
    for (uint32_t i = 0; i < forking->count; i++) {
        forking->ids[i] = take_u32(reader);
        struct bytes leaf = take_bytes(reader);
        if (!reader->ok || leaf.length >= LEAF_BYTES_MAX) family_give_up(family, "a malformed request arrived");
        memcpy(forking->leaves[i], leaf.data, leaf.length);
    }
    forking->deadline_us = now_us() + FORK_US_MAX;
    parent->state = FORKING;
    member_limit(family, parent, true);
    member_go_on(parent);
    next_fork(family, parent);
}

static void close_session(struct family *family, struct member *member, uint32_t id) {
    if (member && member->state == FORKING) fork_failed(family, member, "the session was closed");
    if (member) member_end(family, member);
    tell(family, FRAME_SESSION_CLOSED, id, "");
}

/* True in the interpreter of a session. */
static bool take_frame(struct family *family) {
    uint8_t kind, *body;
    uint32_t length;
    if (!frame_read(family->slot->control, &kind, &body, &length)) {
        kill(-1, SIGKILL);
        _exit(0);
    }
    struct reader reader = {body, body + length, true};
    uint32_t id = take_u32(&reader);
    struct member *member = family_find(family, id);
    struct request request;
    bool child = false;
    if (kind == FRAME_SESSION_OPEN && !member) child = open_session(family, id, &reader);
    else if (kind == FRAME_SESSION_CLOSE) close_session(family, member, id);
    else if (kind == FRAME_SESSION_CANCEL && member) member_interrupt(member, ENDED_CANCEL);
    else if (kind == FRAME_SESSION_CALL && member && member->state == IDLE) {
        if (!parse_call(&reader, &request)) family_give_up(family, "a malformed request arrived");
        if (!member_call(family, member, &request)) member_conclude(family, member, false, 0);
    } else if (kind == FRAME_SESSION_FORK && member && member->state == IDLE) fork_session(family, member, &reader);
    else if (member) family_give_up(family, "a session was asked for two things at once");
    else if (kind == FRAME_SESSION_CALL || kind == FRAME_SESSION_FORK) tell(family, FRAME_SESSION_ENDED, id, "its interpreter ended while no call ran");
    if (!child) wipe_free(body, length);
    return child;
}

static void read_stream(struct member *member, int which, struct pollfd *poll) {
    struct capture *stream = &member->call.streams[which];
    if (!poll->revents || member->state != RUNNING) return;
    capture_read(stream);
    if (stream->total > member->call.request.flood_bytes) member_interrupt(member, ENDED_OUTPUT);
}

/* How long to wait at most. Milliseconds. */
static int check_times(struct family *family) {
    uint64_t now = now_us(), next = now + 60000000;
    for (size_t i = 0; i < MEMBERS_MAX; i++) {
        struct member *member = &family->members[i];
        uint64_t own = next;
        if (member->state == RUNNING) own = member_check_time(family, member, now);
        else if (member->state == FORKING) {
            own = member->forking.deadline_us;
            if (now >= own) fork_failed(family, member, "the session did not fork in time");
        }
        if (own < next) next = own;
    }
    return next <= now ? 0 : (int)((next - now) / 1000 + 1);
}

static void look_at_dead(struct family *family) {
    struct signalfd_siginfo info;
    while (read(family->slot->child_events, &info, sizeof info) > 0) continue;
    family_reap(family);
    for (size_t i = 0; i < MEMBERS_MAX; i++) {
        if (family->members[i].state != FREE && family->members[i].dead) lost(family, &family->members[i]);
    }
}

void family_serve(struct slot *slot, struct request *request) {
    static struct family family;
    static struct pollfd polls[2 + 3 * MEMBERS_MAX];
    static struct member *members[MEMBERS_MAX];
    family.slot = slot;
    family.request = request;
    family.here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (;;) {
        int timeout = check_times(&family);
        nfds_t count = 2;
        size_t polled = 0;
        polls[0] = (struct pollfd){slot->control, POLLIN, 0};
        polls[1] = (struct pollfd){slot->child_events, POLLIN, 0};
        for (size_t i = 0; i < MEMBERS_MAX; i++) {
            struct member *member = &family.members[i];
            if (member->state == FREE) continue;
            bool runs = member->state == RUNNING;
            members[polled++] = member;
            polls[count++] = (struct pollfd){member->channel, POLLIN, 0};
            for (int which = 0; which < 2; which++) polls[count++] = (struct pollfd){runs ? member->streams[which] : -1, POLLIN, 0};
        }
        if (poll(polls, count, timeout) < 0 && errno != EINTR) family_give_up(&family, "poll failed");
        for (size_t i = 0; i < polled; i++) {
            struct pollfd *of = &polls[2 + 3 * i];
            for (int which = 0; which < 2; which++) read_stream(members[i], which, &of[1 + which]);
            /* Ended and made anew in this round, it has another channel. */
            if (of->revents && members[i]->state != FREE && members[i]->channel == of->fd) answered(&family, members[i]);
        }
        if (polls[1].revents) look_at_dead(&family);
        if (polls[0].revents && take_frame(&family)) return;
    }
}
