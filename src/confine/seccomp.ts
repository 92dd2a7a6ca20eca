/**
 * The container's seccomp profile, inherited by everything in it: an allowlist, so that a system call that a
 * newer kernel brings is refused until somebody has looked at it.
 *
 * `nested` adds what the Python fork server needs to make its slots (namespaces and mounts, inside its own
 * user namespace); slots take it away again before a program runs (sandbox-images/python/forkserver/filter.c).
 */

const ALLOWED = `
accept accept4 access alarm arch_prctl bind brk capget capset chdir chmod chown clock_getres clock_gettime
clock_nanosleep close close_range connect copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl
epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2 execve execveat exit exit_group faccessat faccessat2
fadvise64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flistxattr
fremovexattr fsetxattr fstat fstatfs fsync ftruncate futex futex_waitv futex_wake futex_wait futex_requeue futimesat
get_robust_list get_thread_area getcpu getcwd getdents getdents64 getegid geteuid getgid getgroups getitimer
getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid getresuid getrlimit getrusage getsid
getsockname getsockopt gettid gettimeofday getuid getxattr inotify_add_watch inotify_init inotify_init1
inotify_rm_watch ioctl ioprio_get ioprio_set kill landlock_create_ruleset landlock_add_rule landlock_restrict_self
lchown lgetxattr link linkat listen listxattr llistxattr lremovexattr lseek lsetxattr lstat madvise map_shadow_stack
membarrier memfd_create mincore mkdir mkdirat mknod mknodat mlock mlock2 mlockall mmap mprotect mremap mseal msync munlock
munlockall munmap nanosleep newfstatat open openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc
pkey_free pkey_mprotect poll ppoll prctl pread64 preadv preadv2 prlimit64 pselect6 pwrite64 pwritev pwritev2 read
readahead readlink readlinkat readv recvfrom recvmmsg recvmsg remap_file_pages removexattr rename renameat renameat2
restart_syscall rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend
rt_sigtimedwait rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr
sched_getparam sched_getscheduler sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam
sched_setscheduler sched_yield seccomp select sendfile sendmmsg sendmsg sendto set_robust_list set_thread_area
set_tid_address setfsgid setfsuid setgid setgroups setitimer setpgid setpriority setregid setresgid setresuid
setreuid setrlimit setsid setsockopt setuid setxattr shutdown sigaltstack signalfd signalfd4 splice stat statfs
statx symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill time timer_create timer_delete
timer_getoverrun timer_gettime timer_settime timerfd_create timerfd_gettime timerfd_settime times tkill truncate
umask uname unlink unlinkat utime utimensat utimes vfork vmsplice wait4 waitid waitpid write writev
`
  .trim()
  .split(/\s+/);

const NESTED = ["mount", "umount2", "setns", "sethostname", "chroot"];

const CLONE_NEWUSER = 0x10000000;
/** Every CLONE_NEW* flag, user, pid, mount, ipc, net, uts and cgroup. */
const CLONE_NAMESPACES = 0x7e020000;
const AF_UNIX = 1;
const EPERM = 1;
const ENOSYS = 38;
const EACCES = 13;

interface SyscallArgument {
  readonly index: number;
  readonly value: number;
  readonly valueTwo?: number;
  readonly op: "SCMP_CMP_EQ" | "SCMP_CMP_NE" | "SCMP_CMP_MASKED_EQ";
}

interface SyscallRule {
  readonly names: readonly string[];
  readonly action: "SCMP_ACT_ALLOW" | "SCMP_ACT_ERRNO";
  readonly errnoRet?: number;
  readonly args?: readonly SyscallArgument[];
}

export interface SeccompProfile {
  readonly defaultAction: "SCMP_ACT_ERRNO";
  readonly defaultErrnoRet: number;
  readonly architectures: readonly string[];
  readonly syscalls: readonly SyscallRule[];
}

/**
 * The profile in OCI form; `nested` for containers that make namespaces of their own.
 * @param makesUsers whether they make their user namespace too; slots may not in any case
 */
export function seccompProfile(arch: string, nested: boolean, makesUsers = false): SeccompProfile {
  const forbiddenFlags = nested ? CLONE_NEWUSER : CLONE_NAMESPACES;
  const withoutFlags: SyscallArgument = {
    index: 0,
    value: forbiddenFlags,
    valueTwo: 0,
    op: "SCMP_CMP_MASKED_EQ",
  };
  const unix: SyscallArgument = { index: 0, value: AF_UNIX, op: "SCMP_CMP_EQ" };
  const allow = (names: readonly string[], ...args: SyscallArgument[]): SyscallRule => ({
    names,
    action: "SCMP_ACT_ALLOW",
    ...(args.length > 0 ? { args } : {}),
  });
  const refuse = (name: string, errnoRet: number, ...args: SyscallArgument[]): SyscallRule => ({
    names: [name],
    action: "SCMP_ACT_ERRNO",
    errnoRet,
    ...(args.length > 0 ? { args } : {}),
  });
  return {
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: EPERM,
    // The native ABI alone: 32-bit and x32 calls end the process.
    architectures: [arch === "arm64" ? "SCMP_ARCH_AARCH64" : "SCMP_ARCH_X86_64"],
    syscalls: [
      allow(ALLOWED),
      // glibc falls back to clone, whose flags can be read here.
      refuse("clone3", ENOSYS),
      // As on a file system without locks, which libraries such as HDF5 know.
      refuse("flock", ENOSYS),
      allow(["clone"], withoutFlags),
      allow(["socket", "socketpair"], unix),
      refuse("socket", EACCES, { index: 0, value: AF_UNIX, op: "SCMP_CMP_NE" }),
      ...(nested ? [allow(["unshare"], ...(makesUsers ? [] : [withoutFlags])), allow(NESTED)] : []),
    ],
  };
}
