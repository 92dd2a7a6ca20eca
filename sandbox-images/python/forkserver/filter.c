/*
 * The slot's seccomp filter and Landlock domain, installed once and inherited by every call.
 *
 * The container's own filter (src/confine/seccomp.ts) has already refused most of the kernel's surface; this one
 * takes away what only the fork server needed (namespaces, mounts) and what would let two calls in different
 * slots meet: file locks on shared files, System V IPC, message queues, sockets other than AF_UNIX.
 */
#include "slot.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define THIS_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define THIS_ARCH AUDIT_ARCH_AARCH64
#else
#error "no seccomp filter for this architecture"
#endif

#define X32_BIT 0x40000000u
#define NAMESPACE_FLAGS                                                                                       \
    (CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWCGROUP)

/* Refused with EPERM. */
static const int DENIED[] = {
    SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_unshare, SYS_setns,
    SYS_open_tree, SYS_move_mount, SYS_fsopen, SYS_fsconfig, SYS_fsmount, SYS_fspick,
#ifdef SYS_mount_setattr
    SYS_mount_setattr,
#endif
    SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_pidfd_getfd, SYS_kcmp,
#ifdef SYS_process_madvise
    SYS_process_madvise,
#endif
    SYS_bpf, SYS_perf_event_open, SYS_userfaultfd, SYS_keyctl, SYS_add_key, SYS_request_key,
    SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register,
    SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load,
#ifdef SYS_kexec_file_load
    SYS_kexec_file_load,
#endif
    SYS_reboot, SYS_swapon, SYS_swapoff, SYS_acct, SYS_quotactl, SYS_syslog, SYS_vhangup,
    SYS_name_to_handle_at, SYS_open_by_handle_at, SYS_fanotify_init, SYS_lookup_dcookie,
    SYS_personality, SYS_sethostname, SYS_setdomainname, SYS_settimeofday, SYS_clock_settime, SYS_adjtimex,
    SYS_clock_adjtime, SYS_mbind, SYS_migrate_pages, SYS_move_pages, SYS_set_mempolicy,
    SYS_shmget, SYS_shmat, SYS_shmctl, SYS_semget, SYS_semop, SYS_semctl, SYS_semtimedop,
    SYS_msgget, SYS_msgsnd, SYS_msgrcv, SYS_msgctl, SYS_mq_open, SYS_mq_unlink,
    SYS_inotify_add_watch, /* on files that all slots share it tells what other calls open */
#if defined(__x86_64__)
    SYS_iopl, SYS_ioperm, SYS_modify_ldt, SYS_uselib, SYS_ustat, SYS_sysfs, SYS__sysctl,
#endif
};

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, (action))
#define REFUSE(error) RETURN(SECCOMP_RET_ERRNO | (error))
/* Runs the next `count` instructions only when the accumulator equals `value`. */
#define WHEN(value, count) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, (count))

bool filter_install(bool sessions, char why[256]) {
    struct sock_filter program[2 * COUNT(DENIED) + 64];
    size_t n = 0;
    program[n++] = (struct sock_filter)LOAD(arch);
    program[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, THIS_ARCH, 1, 0);
    program[n++] = (struct sock_filter)RETURN(SECCOMP_RET_KILL_PROCESS);
    program[n++] = (struct sock_filter)LOAD(nr);
#if defined(__x86_64__)
    program[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
    program[n++] = (struct sock_filter)RETURN(SECCOMP_RET_KILL_PROCESS);
#endif
    /* glibc falls back to clone, whose flags a filter can read. */
    program[n++] = (struct sock_filter)WHEN(SYS_clone3, 1);
    program[n++] = (struct sock_filter)REFUSE(ENOSYS);
    /* As on a file system without locks, which libraries such as HDF5 know. */
    program[n++] = (struct sock_filter)WHEN(SYS_flock, 1);
    program[n++] = (struct sock_filter)REFUSE(ENOSYS);
    /* Done, and nothing to do: a call's own files are in memory, the machine's are none of its business. */
    program[n++] = (struct sock_filter)WHEN(SYS_sync, 1);
    program[n++] = (struct sock_filter)REFUSE(0);
    program[n++] = (struct sock_filter)WHEN(SYS_syncfs, 1);
    program[n++] = (struct sock_filter)REFUSE(0);
    /* As inotify. */
    program[n++] = (struct sock_filter)WHEN(SYS_fcntl, 4);
    program[n++] = (struct sock_filter)LOAD(args[1]);
    program[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, F_NOTIFY, 0, 1);
    program[n++] = (struct sock_filter)REFUSE(EPERM);
    program[n++] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
    program[n++] = (struct sock_filter)WHEN(SYS_clone, 4);
    program[n++] = (struct sock_filter)LOAD(args[0]);
    program[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, NAMESPACE_FLAGS, 0, 1);
    program[n++] = (struct sock_filter)REFUSE(EPERM);
    program[n++] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
    program[n++] = (struct sock_filter)WHEN(SYS_socket, 4);
    program[n++] = (struct sock_filter)LOAD(args[0]);
    program[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_UNIX, 1, 0);
    program[n++] = (struct sock_filter)REFUSE(EACCES);
    program[n++] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
    program[n++] = (struct sock_filter)WHEN(SYS_socketpair, 4);
    program[n++] = (struct sock_filter)LOAD(args[0]);
    program[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_UNIX, 1, 0);
    program[n++] = (struct sock_filter)REFUSE(EACCES);
    program[n++] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
    /* prlimit of another process; pid 0 is the caller. */
    program[n++] = (struct sock_filter)WHEN(SYS_prlimit64, 4);
    program[n++] = (struct sock_filter)LOAD(args[0]);
    program[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0);
    program[n++] = (struct sock_filter)REFUSE(EPERM);
    program[n++] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
    for (size_t i = 0; i < COUNT(DENIED); i++) {
        if (sessions && DENIED[i] == SYS_chroot) continue;
        program[n++] = (struct sock_filter)WHEN((uint32_t)DENIED[i], 1);
        program[n++] = (struct sock_filter)REFUSE(EPERM);
    }
    program[n++] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
    struct sock_fprog filter = {(unsigned short)n, program};
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) == 0) return true;
    snprintf(why, 256, "seccomp filter: %s", strerror(errno));
    return false;
}

/* Of system calls with higher numbers (cachestat, statmount, ...) none is needed, and nobody has looked at the next. */
#define NEWEST_KNOWN 449u

#define CHECK_FIRST                                                                                               \
    LOAD(arch), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, THIS_ARCH, 1, 0), RETURN(SECCOMP_RET_KILL_PROCESS), LOAD(nr), \
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, NEWEST_KNOWN, 0, 1), REFUSE(ENOSYS)
#define REFUSE_CALL(number, error) WHEN(number, 1), REFUSE(error)
/* Refused unless the argument is the process itself, or 0 where that means the same. */
#define ONLY_SELF(number, argument, self)                                                                        \
    WHEN(number, 5), LOAD(args[argument]), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (self), 2, 0),                    \
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0), REFUSE(EPERM), RETURN(SECCOMP_RET_ALLOW)
#define REFUSE_NEW_PROCESSES                                                                                      \
    WHEN(SYS_clone, 4), LOAD(args[0]), BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 1, 0), REFUSE(EPERM), \
        RETURN(SECCOMP_RET_ALLOW)
#define REFUSE_EACH(list)                                                                                         \
    for (size_t i = 0; i < COUNT(list); i++) {                                                                   \
        program[n++] = (struct sock_filter)WHEN((uint32_t)(list)[i], 1);                                         \
        program[n++] = (struct sock_filter)REFUSE(EPERM);                                                        \
    }

/* What reaches beyond a process that shares its user and its file system with others. */
static const int BEYOND_PROCESS[] = {
#if defined(__x86_64__)
    SYS_fork, SYS_vfork,
#endif
    SYS_connect, SYS_bind, SYS_listen, SYS_accept, SYS_accept4, /* sockets of the machine are in sight */
    SYS_tkill, SYS_rt_sigqueueinfo, SYS_pidfd_open, SYS_pidfd_send_signal, SYS_ioprio_set, SYS_process_mrelease,
    SYS_io_setup, SYS_io_submit, SYS_io_getevents, SYS_io_cancel, SYS_io_destroy,
};

/* What Landlock has no say in, where the user is that of other processes and their files. */
static const int ON_FILES[] = {
#if defined(__x86_64__)
    SYS_chmod, SYS_chown, SYS_lchown, SYS_utime, SYS_utimes, SYS_futimesat,
#endif
    SYS_fchmod, SYS_fchmodat, SYS_fchown, SYS_fchownat, SYS_utimensat, SYS_setxattr, SYS_lsetxattr, SYS_fsetxattr,
    SYS_removexattr, SYS_lremovexattr, SYS_fremovexattr,
};

static bool install(const struct sock_filter *program, size_t length, char why[256]) {
    struct sock_fprog filter = {(unsigned short)length, (struct sock_filter *)program};
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) == 0) return true;
    snprintf(why, 256, "seccomp filter: %s", strerror(errno));
    return false;
}

bool filter_install_process(bool own_user, char why[256]) {
    uint32_t self = (uint32_t)getpid();
    const struct sock_filter head[] = {
        CHECK_FIRST,
        REFUSE_NEW_PROCESSES,
        ONLY_SELF(SYS_kill, 0, self),
        ONLY_SELF(SYS_tgkill, 0, self),
        ONLY_SELF(SYS_rt_tgsigqueueinfo, 0, self),
        ONLY_SELF(SYS_sched_setaffinity, 0, self),
        ONLY_SELF(SYS_sched_setscheduler, 0, self),
        ONLY_SELF(SYS_sched_setparam, 0, self),
        ONLY_SELF(SYS_sched_setattr, 0, self),
        /* Its own priority, not those of a group or a user. */
        WHEN(SYS_setpriority, 7), LOAD(args[0]), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 3), LOAD(args[1]),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, self, 2, 0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0), REFUSE(EPERM), RETURN(SECCOMP_RET_ALLOW),
        /* The end of the slot is its own. */
        WHEN(SYS_prctl, 4), LOAD(args[0]), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PR_SET_PDEATHSIG, 0, 1), REFUSE(EPERM), RETURN(SECCOMP_RET_ALLOW),
    };
    struct sock_filter program[COUNT(head) + 2 * COUNT(BEYOND_PROCESS) + 2 * COUNT(ON_FILES) + 1];
    size_t n = COUNT(head);
    memcpy(program, head, sizeof head);
    REFUSE_EACH(BEYOND_PROCESS)
    if (!own_user) REFUSE_EACH(ON_FILES)
    program[n++] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
    return install(program, n, why);
}

bool filter_install_call(const struct slot *slot, char why[256]) {
    /* Memory that no look at a process finds. */
    const struct sock_filter hidden[] = {CHECK_FIRST, REFUSE_CALL(SYS_memfd_create, ENOSYS),
#ifdef SYS_memfd_secret
                                         REFUSE_CALL(SYS_memfd_secret, ENOSYS),
#endif
                                         RETURN(SECCOMP_RET_ALLOW)};
    return install(hidden, COUNT(hidden), why) && (!slot->directory || filter_install_process(!slot->shares_user, why));
}

/* Rights as of each ABI version, so that a new kernel is asked for no more than these headers and this code know. */
#define READ_RIGHTS (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define RIGHTS_V1 ((1ull << 13) - 1)
#define RIGHT_REFER (1ull << 13)
#define RIGHT_TRUNCATE (1ull << 14)
#define RIGHT_IOCTL_DEVICE (1ull << 15)
#define NET_RIGHTS 3ull /* TCP bind and connect */
#define SCOPE_ALL 3ull  /* abstract sockets and signals */

/* Larger than older headers have it; the kernel takes a size. */
struct ruleset {
    uint64_t fs, net, scoped;
};

static bool landlock_allow(int ruleset, int directory, uint64_t rights) {
    struct landlock_path_beneath_attr rule = {.allowed_access = rights, .parent_fd = directory};
    return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
}

static bool landlock_allow_path(int ruleset, const char *path, uint64_t rights) {
    int directory = open(path, O_PATH | O_CLOEXEC);
    if (directory < 0) return false;
    bool allowed = landlock_allow(ruleset, directory, rights);
    close(directory);
    return allowed;
}

/* A second opinion where the kernel has one; true as well where it has none. */
bool landlock_install(int proc_directory, char why[256]) {
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 1) return true;
    uint64_t all = RIGHTS_V1 | (abi >= 2 ? RIGHT_REFER : 0) | (abi >= 3 ? RIGHT_TRUNCATE : 0) | (abi >= 5 ? RIGHT_IOCTL_DEVICE : 0);
    struct ruleset attributes = {all, abi >= 4 ? NET_RIGHTS : 0, abi >= 6 ? SCOPE_ALL : 0};
    size_t size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, size, 0);
    if (ruleset < 0) {
        snprintf(why, 256, "Landlock ruleset: %s", strerror(errno));
        return false;
    }
    bool installed = landlock_allow_path(ruleset, "/", READ_RIGHTS) && landlock_allow_path(ruleset, WORK_DIRECTORY, all) &&
                     landlock_allow_path(ruleset, "/tmp", all) && landlock_allow_path(ruleset, "/dev/shm", all) &&
                     landlock_allow_path(ruleset, "/dev", READ_RIGHTS | LANDLOCK_ACCESS_FS_WRITE_FILE | (all & (RIGHT_TRUNCATE | RIGHT_IOCTL_DEVICE))) &&
                     landlock_allow(ruleset, proc_directory, READ_RIGHTS | LANDLOCK_ACCESS_FS_WRITE_FILE | (all & RIGHT_TRUNCATE)) &&
                     syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
    if (!installed) snprintf(why, 256, "Landlock domain: %s", strerror(errno));
    close(ruleset);
    return installed;
}

bool landlock_install_session(int proc_directory, int branches, char why[256]) {
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 1) return true;
    uint64_t all = RIGHTS_V1 | (abi >= 2 ? RIGHT_REFER : 0) | (abi >= 3 ? RIGHT_TRUNCATE : 0) | (abi >= 5 ? RIGHT_IOCTL_DEVICE : 0);
    struct ruleset attributes = {all, abi >= 4 ? NET_RIGHTS : 0, abi >= 6 ? SCOPE_ALL : 0};
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, abi >= 6 ? 24 : abi >= 4 ? 16 : 8, 0);
    /* No device files: mounts refuse to use them, this to make them. */
    uint64_t writing = all & ~(LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK);
    bool installed = ruleset >= 0 && landlock_allow_path(ruleset, "/", READ_RIGHTS) && landlock_allow(ruleset, branches, writing) &&
                     landlock_allow(ruleset, proc_directory, READ_RIGHTS) && syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
    if (!installed) snprintf(why, 256, "Landlock domain: %s", strerror(errno));
    if (ruleset >= 0) close(ruleset);
    return installed;
}

void landlock_scope(void) {
    struct ruleset attributes = {0, 0, SCOPE_ALL};
    if (syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) < 6) return;
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0);
    if (ruleset < 0) return;
    /* Refused in the sixteenth generation of forks of forks, which then has the domain of its parent. */
    syscall(SYS_landlock_restrict_self, ruleset, 0);
    close(ruleset);
}

#define DEVICE_RIGHTS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE)

bool landlock_install_process(const char *readable, const char *directory, char why[256]) {
    static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"};
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    struct ruleset attributes = {RIGHTS_V1 | (abi >= 2 ? RIGHT_REFER : 0) | (abi >= 3 ? RIGHT_TRUNCATE : 0) | (abi >= 5 ? RIGHT_IOCTL_DEVICE : 0),
                                 abi >= 4 ? NET_RIGHTS : 0, abi >= 6 ? SCOPE_ALL : 0};
    int ruleset = abi < 1 ? -1 : (int)syscall(SYS_landlock_create_ruleset, &attributes, abi >= 6 ? 24 : abi >= 4 ? 16 : 8, 0);
    if (ruleset < 0) {
        snprintf(why, 256, "Landlock: %s", strerror(errno));
        return false;
    }
    char path[PATH_BYTES_MAX];
    for (const char *rest = readable; *rest;) {
        size_t length = strcspn(rest, ":");
        snprintf(path, sizeof path, "%.*s", (int)length, rest);
        struct stat status;
        /* What is not there cannot be read either; rights of directories are refused for a file. */
        if (stat(path, &status) == 0) landlock_allow_path(ruleset, path, S_ISDIR(status.st_mode) ? READ_RIGHTS : READ_RIGHTS & ~LANDLOCK_ACCESS_FS_READ_DIR);
        rest += length + (rest[length] == ':');
    }
    for (size_t i = 0; i < COUNT(devices); i++) landlock_allow_path(ruleset, devices[i], DEVICE_RIGHTS | (attributes.fs & RIGHT_TRUNCATE));
    bool installed = landlock_allow_path(ruleset, "/proc/self", READ_RIGHTS);
    static const char *const places[] = {"work", "tmp"};
    for (size_t i = 0; directory && i < COUNT(places); i++) {
        snprintf(path, sizeof path, "%s/%s", directory, places[i]);
        /* No device files. */
        installed = installed && landlock_allow_path(ruleset, path, attributes.fs & ~(LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK));
    }
    installed = installed && syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
    if (!installed) snprintf(why, 256, "Landlock domain: %s", strerror(errno));
    close(ruleset);
    return installed;
}
