/*
 * The compiled part of the Python fork server: everything between a request frame and the first line of
 * the program, and everything after its last.
 *
 * It is compiled, not Python, because every page that a forked process touches is a fault: the same steps
 * written in Python touch some fifty pages more for each call.
 *
 *   frame.c     request and reply frames
 *   confine.c   what a slot process sets up once: namespaces, mounts, capabilities
 *   filter.c    the slot's seccomp filter and Landlock domain
 *   cgroup.c    limits and evidence of the slot's cgroup, v1 and v2
 *   nest.c      namespaces in a container that has no user namespace
 *   watch.c     limits where no cgroup can be written: by looking
 *   scratch.c   files of the call: placed, collected, swept
 *   capture.c   one output stream, head and tail
 *   serve.c     the loop: one fork for each call, watched until nothing of it is left
 *   child.c     what that fork does to itself before a line of the program runs
 *   family.c    the other loop: a session and its forks, interpreters that are kept between calls
 *   member.c    one of these sessions: started, forked, called, stopped, ended
 *   session.c   the other end, in the interpreter of a session: orders and answers, and its fork
 *   branch.c    a fork's own files: copied, and opened again where it had them open
 *   packet.c    orders and answers, with descriptors
 *   compact.c   the heap in huge pages
 *   areas.c     fewer and larger memory areas
 *   open.c      a slot's process is forked from its fork server
 *   module.c    the functions that Python sees; sandbox-images/node/forkserver has those of Node
 */
#ifndef ROLLCALL_SLOT_H
#define ROLLCALL_SLOT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/types.h>

#define WORK_DIRECTORY "/work"
#define PATH_BYTES_MAX 4096

/* Frames. The TypeScript side is src/engines/container/protocol.ts; the two are tested against each other. */
enum frame_kind { FRAME_RUN = 1, FRAME_CANCEL = 2, FRAME_EVIDENCE = 3, FRAME_HELLO = 4, FRAME_FAULT = 5,
                  FRAME_SESSION_OPEN = 32, FRAME_SESSION_CALL = 33, FRAME_SESSION_CANCEL = 34, FRAME_SESSION_FORK = 35, FRAME_SESSION_CLOSE = 36,
                  FRAME_SESSION_OPENED = 40, FRAME_SESSION_EVIDENCE = 41, FRAME_SESSION_FORKED = 42, FRAME_SESSION_ENDED = 43, FRAME_SESSION_CLOSED = 44 };
/* RUN_EXEC and RUN_PARTS are for the slot; the others, and RUN_PARTS too, are for the interpreter. */
enum run_flag { RUN_CELL = 1, RUN_EXEC = 2, RUN_FRESH_RANDOM = 4, RUN_FINISH = 8, RUN_SESSION = 16, RUN_PARTS = 32, RUN_LAST = 64 };
enum ended_by { ENDED_BY_ITSELF = 0, ENDED_WALL = 1, ENDED_CPU = 2, ENDED_OUTPUT = 3, ENDED_CANCEL = 4 };
enum collect_status { COLLECT_OK = 0, COLLECT_NOT_FOUND = 1, COLLECT_NOT_REGULAR = 2, COLLECT_TOO_LARGE = 3, COLLECT_UNREADABLE = 4 };

struct bytes {
    const uint8_t *data;
    uint32_t length;
};

struct strings {
    struct bytes *items;
    uint32_t count;
};

struct request {
    uint8_t *body; /* owns all bytes below */
    uint32_t body_length;
    uint64_t wall_ms, cpu_ms, memory_bytes, output_bytes, flood_bytes, processes, collect_bytes;
    uint8_t flags;
    struct bytes file_name, source, stdin_bytes;
    struct strings argv;    /* RUN_EXEC: the command line; otherwise the program's arguments */
    struct strings env;     /* NAME=value */
    struct strings files;   /* path, content, path, content, ... */
    struct strings collect; /* paths */
};

#define REFERENCES_MAX 6
/* Fewer bytes are sooner copied. */
#define REFERENCE_BYTES_MIN 4096

/* Bytes kept elsewhere that are sent as if they stood at `at`. */
struct reference {
    size_t at;
    const void *data;
    size_t length;
};

/* A growing byte buffer; `failed` is set once memory ran out and stays. */
struct buffer {
    uint8_t *data;
    size_t length, capacity;
    bool failed;
    struct reference referred[REFERENCES_MAX];
    int references;
    size_t referred_bytes;
};

/*
 * Frees memory that held something of a call: its successor is forked from this very heap and could read it.
 * Whoever keeps bytes of a call anywhere else, on the stack too, wipes them.
 */
void wipe_free(void *data, size_t length);
void buffer_free(struct buffer *buffer);
void buffer_put(struct buffer *buffer, const void *data, size_t length);
/* The same for a frame that is sent, without a copy of many bytes: they stay where they are until then. */
void buffer_refer(struct buffer *buffer, const void *data, size_t length);
void buffer_u8(struct buffer *buffer, uint8_t value);
void buffer_u32(struct buffer *buffer, uint32_t value);
void buffer_u64(struct buffer *buffer, uint64_t value);
void buffer_bytes(struct buffer *buffer, const void *data, size_t length);
/* Room for `length` more bytes, which the caller fills and then adds to the buffer's length; NULL when there is none. */
uint8_t *buffer_room(struct buffer *buffer, size_t length);

/* Reads one frame: its kind, and its body for the caller to free. False at the end of the stream or on a broken frame. */
bool frame_read(int fd, uint8_t *kind, uint8_t **body, uint32_t *length);
/* Sends `kind` and a body as one frame. */
bool frame_write(int fd, uint8_t kind, const struct buffer *body);
/* Takes the body over, also when it returns false. */
bool request_parse(struct request *request, uint8_t *body, uint32_t length);
void request_free(struct request *request);

/* A reader over a body; once it ran past the end `ok` is false and everything reads as zero. */
struct reader {
    const uint8_t *at, *end;
    bool ok;
};

uint8_t take_u8(struct reader *reader);
uint32_t take_u32(struct reader *reader);
uint64_t take_u64(struct reader *reader);
struct bytes take_bytes(struct reader *reader);

/* The slot's cgroup: file descriptors opened before the mounts that hide it. -1 where a kernel lacks the file. */
struct cgroup {
    bool v2;
    int memory_limit, memory_peak, memory_events, pids_max, pids_events, cpu_usage;
    int pids_current, directory;        /* of a session's leaf */
    uint64_t baseline_bytes;            /* of the idle slot; a call's limit is on top of it */
    uint64_t processes;                 /* limit as last written */
};

struct cgroup_counters {
    uint64_t cpu_us, oom_kills, forks_refused;
};

bool cgroup_join(struct cgroup *cgroup, const char *root, const char *leaf, bool v2);
/* No cgroup: setting limits succeeds and does nothing, counters stay 0. */
void cgroup_none(struct cgroup *cgroup);
/* `own_bytes` is what the slot itself needs while the call runs; it is no memory of the program's. */
bool cgroup_limit_memory(const struct cgroup *cgroup, uint64_t memory_bytes, uint64_t own_bytes);
/* Lifts the limit while no program runs: what the slot reads and sends must not end it. The container's ceiling stays. */
bool cgroup_lift_memory(const struct cgroup *cgroup);
bool cgroup_limit_processes(struct cgroup *cgroup, uint64_t processes);
bool cgroup_counters(const struct cgroup *cgroup, struct cgroup_counters *counters);
uint64_t cgroup_cpu_us(const struct cgroup *cgroup);
/* Forgets the peak so far and returns the bytes in use now. */
uint64_t cgroup_peak_reset(const struct cgroup *cgroup);
uint64_t cgroup_peak(const struct cgroup *cgroup);

/* Leaves of sessions, which their family's slot opens when its mounts hide them: directories of v1's three controllers, or of v2. */
struct cgroup_roots {
    bool v2;
    int directories[3];
};

bool cgroup_open_roots(struct cgroup_roots *roots, const char *root, bool v2);
/* The files of a leaf that the slot is not in itself. */
bool cgroup_open_leaf(struct cgroup *cgroup, const struct cgroup_roots *roots, const char *leaf);
void cgroup_close_leaf(struct cgroup *cgroup);
/* Files by which a process of user `uid` enters a leaf, once it is single-threaded; -1 where a layout has fewer. */
bool cgroup_open_entrances(const struct cgroup_roots *roots, const char *leaf, uid_t uid, int entrances[3]);
bool cgroup_enter(const int entrances[3]);
/* Processes in a leaf, `max` at most; -1 when they cannot be read. */
int cgroup_members(const struct cgroup *cgroup, pid_t *pids, int max);
uint64_t cgroup_tasks(const struct cgroup *cgroup);
/* From now on no process of the leaf may have another. */
void cgroup_forbid_processes(const struct cgroup *cgroup);

#define REPORT_BYTES (256u << 10)

/* No descriptor, so that a program finds none but its standard streams. What is in it is the program's word. */
struct report {
    uint32_t length;
    uint8_t text[REPORT_BYTES - 4];
};

struct scratch_use {
    uint64_t blocks, inodes;
    bool full;
};

struct slot {
    int control;   /* connection to the engine */
    int proc;      /* directory of a writable procfs of this pid namespace, mounted nowhere */
    int child_events; /* signalfd of SIGCHLD */
    struct report *report; /* shared with the process of the call, which describes its own exception or value in it */
    uid_t uid;
    int own_from;  /* the slot's own descriptors, and those of its calls, have this number or a higher one; no call inherits any */
    struct cgroup cgroup;
    struct scratch_use scratch_empty; /* what the empty scratch file system takes */
    bool watched;            /* there is no cgroup: limits are kept by looking */
    uint64_t heap_bytes, resident_bytes; /* watched: what a call is forked with, of no file and in all */
    const char *directory;   /* of a slot without namespaces, whose calls are one process each; NULL with namespaces */
    const char *readable;    /* then: what programs may read, separated by colons */
    uint64_t disk_bytes;     /* then: how much they may write */
    bool shares_user;        /* calls have the slot's user: there is no other */
    pid_t child;             /* first process of the running call, or 0 */
    struct cgroup_counters counted; /* at the end of the last call, after which nothing ran */
    uint32_t pid_counted;
    bool has_counted;
    bool sessions;           /* it keeps a session and its forks, and runs no other calls */
    struct cgroup_roots roots; /* then: of the sessions' leaves */
    int branches;            /* then: directory of the sessions' root directories */
};

/* Where a family's slot has the root directories of its sessions, each named by the session's number. */
#define BRANCHES "/run/slot"

struct slot_options {
    uint32_t index;
    uid_t uid;
    uint64_t disk_bytes, inodes;
    const char *control_path, *cgroup_root, *cgroup_leaf; /* an empty root: no cgroup */
    bool cgroup_v2;
    const char *directory, *readable; /* of a slot without namespaces; otherwise empty */
    bool keeps_descriptors; /* the interpreter goes on with its own in every process that is forked */
    bool sessions;
};

/* What the processes of a call have now. */
struct watch_use {
    uint64_t cpu_us; /* with all that was reaped by this slot, of earlier calls too */
    uint64_t memory_bytes; /* to be held against a limit: never too low */
    uint64_t own_bytes;    /* above what they were forked with, for people */
    uint32_t tasks;
    bool disk_full;
};

/*
 * Forks a slot process into a new pid namespace, or where there is a `directory` into none; it connects to the engine and serves calls. In the fork server returns
 * its pid, or -1 with errno. Returns 0 in the process of a call. `keep_out` is a descriptor that the slot closes.
 */
pid_t slot_open(struct slot_options *options, int keep_out, struct slot **slot, struct request **request);
/* Changes the size of the scratch file system of an idle slot. On failure false, with errno. */
bool slot_resize(pid_t slot, uint64_t disk_bytes, uint64_t inodes);
/* Makes root directories for sessions in a family's slot, each with scratch of its own. On failure false, with errno. */
bool slot_branch(pid_t slot, const uint32_t *sessions, size_t count, uint64_t disk_bytes, uint64_t inodes);
/* Removes one again. */
bool slot_prune(pid_t slot, uint32_t session);
/* Version of the kernel's Landlock, 0 where it has none. */
int slot_landlock_abi(void);

/* Confines the calling process, pid 1 of a new pid namespace, as a slot. On failure false, and what failed in `why`. */
bool slot_confine(struct slot *slot, const struct slot_options *options, char why[256]);
/* @param sessions whether processes may choose another root directory */
bool filter_install(bool sessions, char why[256]);
/* In the process of a call: what a slot with no cgroup or no namespaces must refuse beside. */
bool filter_install_call(const struct slot *slot, char why[256]);
/* In a process without namespaces of its own; it gets its control socket before. */
/* Makes this process pid 1 and root of new namespaces, whose ids are `count` of the old ones from `first` on. False with errno. */
bool nest(unsigned first, unsigned count);
bool filter_install_process(bool own_user, char why[256]);
bool landlock_install(int proc_directory, char why[256]);
/* In the first interpreter of a family, after it chose its root directory: reading, and writing below `branches` only. */
bool landlock_install_session(int proc_directory, int branches, char why[256]);
/* In a fork of a session: signals and abstract sockets reach its own processes only. Does nothing where the kernel cannot. */
void landlock_scope(void);
/* Reading `readable` (paths separated by colons) and this process's /proc/self; writing below `directory`, unless NULL. False where the kernel has no Landlock. */
bool landlock_install_process(const char *readable, const char *directory, char why[256]);
/* Leaves this process no capability; one that it may not drop from the bounding set it does not have. */
bool capabilities_drop_all(void);
/* The same, but for choosing its root directory. */
bool capabilities_keep_chroot(void);

/* One look at the call's processes, until they are more than `tasks`. Memory is counted exactly only above `memory_bytes`, below it is at most too high. */
void watch_look(const struct slot *slot, uint64_t memory_bytes, uint64_t tasks, struct watch_use *use);
uint64_t watch_reaped_cpu_us(void);
/* Takes down what the slot itself has. */
void watch_start(struct slot *slot);
uint64_t watch_address_bytes(const struct slot *slot);

bool scratch_measure(const struct slot *slot, struct scratch_use *use);
/* Takes over a new disk limit of a slot without namespaces, which the fork server left beside its directory. */
void scratch_resize(struct slot *slot);
/* Makes the directory of a slot without namespaces and goes there. */
bool scratch_enter(const struct slot *slot);
bool scratch_place(const struct request *request);
/* Without the source. */
bool scratch_place_files(const struct request *request);
void scratch_collect(const struct request *request, struct buffer *reply);
/* Removes what a call left; false when that would take too long and the slot should be replaced. */
bool scratch_sweep(const struct slot *slot, const struct request *request);

struct capture {
    int fd;
    uint64_t total;
    size_t head_max, tail_max;
    struct buffer head;
    uint8_t *tail; /* `tail_max` bytes, of which the kernel gives what is used */
    size_t tail_length, tail_start;
    bool pressing; /* the last read took all that a pipe holds: the writer is waiting */
};

void capture_start(struct capture *capture, int fd, uint64_t output_bytes);
/* Reads some of what is there; false at the end of the stream. */
bool capture_read(struct capture *capture);
/* Bytes that keeping the stream takes, now and at its next growth, beyond those that every call takes. */
uint64_t capture_memory(const struct capture *capture);
/* The reply refers to the captured bytes: they are freed once it is sent. */
void capture_reply(const struct capture *capture, struct buffer *reply);
void capture_free(struct capture *capture);

/*
 * Serves calls until the engine hangs up, then ends the process. Returns only in a forked child that is
 * confined and owns its standard streams; `request` then says what to run.
 */
void serve(struct slot *slot, struct request *request);

/*
 * In the process of a call: its own standard streams and no other descriptor, its limits, its user and with it no
 * capability, its files. `in` is negative where it has no input. A step that fails ends the process.
 */
void child_confine(struct slot *slot, const struct request *request, int in, int out, int err);

/* `serve` for a session and its forks. Returns in the interpreter of the session that is opened. */
void family_serve(struct slot *slot, struct request *request);

/*
 * Between a family's slot and the interpreter of a session. An interpreter's word is no evidence: it says when a call is
 * done and with what code, and only of its own session.
 */
enum order_kind { ORDER_CALL = 1, ORDER_FORK = 2, ORDER_GO = 3 };
enum answer_kind { ANSWER_READY = 1, ANSWER_DONE = 2, ANSWER_FORKED = 3, ANSWER_BORN = 4 };
#define PACKET_DESCRIPTORS_MAX 4

struct packet {
    uint32_t kind;
    int32_t value;   /* of FORK: whether to seed anew; of DONE: the exit code; else 0 or an errno */
    uint32_t number; /* of CALL and DONE: of the call, so that an answer is to no other */
    char text[116];  /* what failed */
};

bool packet_send(int channel, const struct packet *packet, const int *descriptors, int count);
/* `descriptors` has room for all there may be, or is NULL. False at the end, with errno 0, or, where the channel does not block, when there is none. `sender` is the kernel's word; 0 where it was not asked for. */
bool packet_receive(int channel, struct packet *packet, int *descriptors, int *count, pid_t *sender);

/* Descriptors of a session's interpreter, beyond the limit that a program goes up to which closes what it does not know. */
#define SESSION_CHANNEL 1023
#define SESSION_OUT 1022
#define SESSION_ERR 1021

/* Descriptors that a program may have: those above stay what they are. */
bool session_limit_files(rlim_t most);
/* Waits for an order and makes ready what goes with it: of a call standard input and files; `request` says what to run. */
bool session_next(struct packet *order, struct request *request, struct packet *failure);
/* Ends the process unless it is the session's interpreter: a child that a program forked must take no orders. */
void session_assert_own(void);
bool session_answer(enum answer_kind kind, int32_t value, const char *text, const void *report, size_t report_length);
/* Forks the interpreter as the order that came last says. 1 in the parent, 0 in the fork once it is in its own cgroup, -1 when it failed. */
int session_fork(void);
/* In the fork: its own root directory and files. */
bool session_branch(char why[116]);
/* Copies the scratch directories to those below `root`, goes there, and opens again what was open of them. */
bool branch_enter(int root, char why[116]);

uint64_t now_us(void);

/* Moves the heap of this process into huge pages where the kernel can; returns how many it has now. */
int compact(void);

/* Makes one area of those of a library that are not written, and one of those that are. */
void areas_join(void);
/* Sets addresses aside for the interpreter's arenas. False where the kernel has none to give. */
bool arenas_reserve(void);
void *arena_take(size_t bytes);
void arena_give(void *arena, size_t bytes);

#endif
