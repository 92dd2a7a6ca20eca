/* What family.c and member.c share: a family is a session and its forks, in one slot. */
#ifndef ROLLCALL_FAMILY_H
#define ROLLCALL_FAMILY_H

#include "slot.h"

#include <sys/resource.h>

/* Each takes thirteen descriptors of the slot's at most. */
#define MEMBERS_MAX 256
#define LEAF_BYTES_MAX 64

enum state {
    FREE = 0,
    OPENING = 1, /* its interpreter was forked from the slot and is not ready yet */
    IDLE = 2,
    RUNNING = 3, /* a call */
    FORKING = 4,
    UNBORN = 5, /* its parent was told to fork it */
    BRANCHING = 6 /* it is there, and makes its files its own */
};

struct call {
    struct request request;
    int report;
    uint64_t accepted_us, started_us, ended_us, deadline_us, cpu_check_us;
    uint64_t grace_us; /* when an interrupted interpreter must have come back; 0: it was not interrupted */
    struct cgroup_counters before;
    enum ended_by ended_by;
    struct capture streams[2];
};

/* Forks that a session was told to make, one after another. */
struct forking {
    uint32_t count, made;
    bool reseed;
    bool parent_done, child_ready; /* of the fork at hand */
    uint64_t deadline_us;
    uint32_t *ids;
    char (*leaves)[LEAF_BYTES_MAX];
};

/* One session. Every end of a pipe or socket here is the slot's own. */
struct member {
    uint32_t id;
    enum state state;
    pid_t pid; /* of its interpreter; 0 while there is none */
    bool dead; /* it was waited for; `status` and `usage` are its last */
    int status;
    struct rusage usage;
    int channel, streams[2], root;
    char leaf[LEAF_BYTES_MAX];
    struct cgroup cgroup;
    uint64_t memory_bytes, processes;
    uint32_t calls; /* begun so far */
    bool parts; /* one program that comes in parts: what interrupts it ends it, as it would end any program */
    struct call call;
    struct forking forking;
    struct member *parent; /* UNBORN, BRANCHING: who forks it */
};

struct family {
    struct slot *slot;
    struct request *request;
    int here; /* the slot's working directory */
    struct member members[MEMBERS_MAX];
};

_Noreturn void family_give_up(struct family *family, const char *why);
struct member *family_find(struct family *family, uint32_t id);
/* The other ends of a member's pipes and socket, for its interpreter. */
struct ends {
    int channel, streams[2];
};

/* A member with its cgroup, pipes and root directory, and no interpreter yet; NULL with errno. */
struct member *member_new(struct family *family, uint32_t id, struct bytes leaf, uint64_t memory_bytes, uint64_t processes, struct ends *ends);
void ends_close(struct ends *ends);
/* Forks the first interpreter. True in it, confined. */
bool member_start(struct family *family, struct member *member, struct ends *ends, const struct request *request);
bool member_call(struct family *family, struct member *member, struct request *request);
/* Interrupts the call that runs; the interpreter has a grace to come back in. */
void member_interrupt(struct member *member, enum ended_by reason);
/* Looks at the clocks of a call that runs; returns when to look again. */
uint64_t member_check_time(struct family *family, struct member *member, uint64_t now);
/* The call is over. With `kept` the interpreter said so, else it is ended. */
void member_conclude(struct family *family, struct member *member, bool kept, int32_t code);
/* Nothing of the session runs until it is let go on. */
void member_stop(struct member *member);
void member_go_on(struct member *member);
/* Ends every process of the session and frees the member. */
void member_end(struct family *family, struct member *member);
/* Whether a process is in the session's cgroup. */
bool member_has(const struct member *member, pid_t pid);
/* Ends every process of the session and no other. */
void member_kill(struct family *family, struct member *member);
/* Sets or restores the limits; `lifted` while its interpreter forks. */
void member_limit(struct family *family, struct member *member, bool lifted);
void family_reap(struct family *family);

#endif
