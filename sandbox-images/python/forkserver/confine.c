/*
 * What a slot process sets up once, before its first call: everything here is inherited by every call that is
 * forked from it. Order matters: descriptors that need paths are opened first, capabilities go last but
 * for the filter, which forbids the steps above it.
 */
#include "slot.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>
#include <grp.h>

#define ENGINE_DIRECTORY "/run/rollcall"
#define STAGING "/run/slot"

static bool failed(char why[256], const char *step) {
    snprintf(why, 256, "%s: %s", step, strerror(errno));
    return false;
}

static int connect_control(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) return -1;
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* A procfs of this pid namespace that is mounted nowhere: the slot writes oom_score_adj and reads loadavg in it. */
static int open_detached_proc(void) {
    /* Its own group sees all processes there, which it looks at where no cgroup counts them. */
    if (mount("proc", STAGING, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "hidepid=2,gid=0") != 0) return -1;
    int fd = open(STAGING, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (umount2(STAGING, MNT_DETACH) != 0) return -1;
    return fd;
}

static bool mount_scratch(const struct slot_options *options, char why[256]) {
    static const struct {
        const char *name, *target;
    } places[] = {{STAGING "/work", WORK_DIRECTORY}, {STAGING "/tmp", "/tmp"}, {STAGING "/shm", "/dev/shm"}};
    char data[128];
    snprintf(data, sizeof data, "size=%llu,nr_inodes=%llu,mode=0755", (unsigned long long)options->disk_bytes,
             (unsigned long long)options->inodes);
    if (mount("scratch", STAGING, "tmpfs", MS_NOSUID | MS_NODEV, data) != 0) return failed(why, "mount scratch");
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (mkdir(places[i].name, 0) != 0 || chmod(places[i].name, 01777) != 0) return failed(why, "make scratch directory");
        if (mount(places[i].name, places[i].target, NULL, MS_BIND, NULL) != 0) return failed(why, places[i].target);
    }
    if (umount2(STAGING, MNT_DETACH) != 0) return failed(why, "umount " STAGING);
    return true;
}

/* Where the fork server makes root directories of sessions. A copy of the slot's own root has none of them in it. */
static bool mount_branches(struct slot *slot, const struct slot_options *options, char why[256]) {
    if (mount("branches", BRANCHES, "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,mode=0755") != 0) return failed(why, "mount " BRANCHES);
    if (mount(NULL, BRANCHES, NULL, MS_UNBINDABLE, NULL) != 0) return failed(why, "make " BRANCHES " unbindable");
    slot->branches = open(BRANCHES, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (slot->branches < 0) return failed(why, "open " BRANCHES);
    return cgroup_open_roots(&slot->roots, options->cgroup_root, options->cgroup_v2) || failed(why, "open the sessions' cgroups");
}

static bool enter_namespaces(struct slot *slot, const struct slot_options *options, char why[256]) {
    /* v2 moves no process out of the mover's cgroup namespace, which a family's slot has to. */
    int cgroup = slot->sessions && options->cgroup_v2 ? 0 : CLONE_NEWCGROUP;
    if (unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWUTS | cgroup) != 0) return failed(why, "unshare");
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) return failed(why, "make mounts private");
    slot->proc = open_detached_proc();
    if (slot->proc < 0) return failed(why, "detached proc");
    if (!mount_scratch(options, why)) return false;
    if (slot->sessions && !mount_branches(slot, options, why)) return false;
    if (mount("proc", "/proc", "proc", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, "hidepid=2,subset=pid") != 0) {
        return failed(why, "mount proc");
    }
    /* A mount that came with a more privileged namespace cannot be undone, but covered. */
    if (umount2(ENGINE_DIRECTORY, MNT_DETACH) != 0 && mount("none", ENGINE_DIRECTORY, "tmpfs", MS_RDONLY, "size=4k") != 0) {
        return failed(why, "umount " ENGINE_DIRECTORY);
    }
    if (chdir(WORK_DIRECTORY) != 0) return failed(why, "chdir");
    if (sethostname("sandbox", 7) != 0) return failed(why, "sethostname");
    return true;
}

/* In place of namespaces: a directory of its own, and every process that comes of it. */
static bool enter_directory(struct slot *slot, char why[256]) {
    slot->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (slot->proc < 0) return failed(why, "open /proc");
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) return failed(why, "subreaper");
    return scratch_enter(slot) || failed(why, "make the slot's directory");
}

static bool set_rlimits(const struct slot *slot, char why[256]) {
    const struct {
        int resource;
        rlim_t value;
    } limits[] = {{RLIMIT_CORE, 0}, {RLIMIT_MEMLOCK, 65536}, {RLIMIT_MSGQUEUE, 0}, {RLIMIT_NOFILE, slot->sessions ? 4096 : 1024},
                  {RLIMIT_NICE, 0}, {RLIMIT_RTPRIO, 0}, {RLIMIT_SIGPENDING, 1024}};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        struct rlimit now, wanted = {limits[i].value, limits[i].value};
        getrlimit(limits[i].resource, &now);
        if (wanted.rlim_max > now.rlim_max) wanted.rlim_cur = wanted.rlim_max = now.rlim_max;
        if (setrlimit(limits[i].resource, &wanted) != 0) return failed(why, "setrlimit");
    }
    return true;
}

/* Leaves this process those of `kept` that it has. What it may not drop from the bounding set no_new_privs keeps it from. */
static bool keep_capabilities(uint32_t kept) {
    for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0 && errno != EPERM) return false;
    }
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct has[2];
    if (syscall(SYS_capget, &header, has) != 0) return false;
    kept &= has[0].permitted;
    struct __user_cap_data_struct data[2] = {{.effective = kept, .permitted = kept, .inheritable = 0}, {0, 0, 0}};
    return syscall(SYS_capset, &header, data) == 0;
}

bool capabilities_drop_all(void) { return keep_capabilities(0); }

bool capabilities_keep_chroot(void) { return keep_capabilities(1u << CAP_SYS_CHROOT); }

/* Leaves the slot what it needs for its children, and its children, once they changed their user, nothing. */
static bool drop_capabilities(const struct slot *slot, char why[256]) {
    uint32_t kept = 1u << CAP_SETUID | 1u << CAP_SETGID | 1u << CAP_KILL | 1u << CAP_CHOWN | 1u << CAP_DAC_OVERRIDE;
    /* To read how much memory its calls have. */
    if (slot->watched) kept |= 1u << CAP_SYS_PTRACE;
    /* Its interpreters have it. */
    if (slot->sessions) kept |= 1u << CAP_SYS_CHROOT;
    /* To remove files of another user from a directory. */
    if (slot->directory) kept |= 1u << CAP_FOWNER;
    if (!keep_capabilities(kept)) return failed(why, "capset");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failed(why, "no_new_privs");
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return failed(why, "dumpable");
    return true;
}

static bool open_child_events(struct slot *slot, char why[256]) {
    sigset_t all, set;
    sigfillset(&all);
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    /* All of them: what a program of the slot's own user sends must not run a handler whose trace its successors inherit. */
    if (sigprocmask(SIG_BLOCK, &all, NULL) != 0) return failed(why, "block signals");
    slot->child_events = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return slot->child_events >= 0 || failed(why, "signalfd");
}

static bool lift(int *fd, int above) {
    if (*fd < 3 || *fd > above) return true;
    int lifted = fcntl(*fd, F_DUPFD_CLOEXEC, above + 1);
    if (lifted < 0) return false;
    close(*fd);
    *fd = lifted;
    return true;
}

/*
 * For an interpreter that has descriptors of its own, knows them by their numbers, and closes or renews them as it is
 * forked. Something that is shared with nobody takes their places; the slot's own go above them, with all that it opens
 * later, for nothing is free below.
 */
static bool lift_descriptors(struct slot *slot, char why[256]) {
    int *own[] = {&slot->control, &slot->proc, &slot->child_events, &slot->branches, &slot->cgroup.memory_limit, &slot->cgroup.memory_peak,
                  &slot->cgroup.memory_events, &slot->cgroup.pids_max, &slot->cgroup.pids_events, &slot->cgroup.cpu_usage,
                  &slot->roots.directories[0], &slot->roots.directories[1], &slot->roots.directories[2]};
    int highest = 2, null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0) return failed(why, "open /dev/null");
    for (int fd = 3; fd < 1024; fd++) {
        if (fcntl(fd, F_GETFD) >= 0) highest = fd;
    }
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        if (!lift(own[i], highest)) return failed(why, "lift descriptors");
    }
    for (int fd = 3; fd <= highest; fd++) {
        if (fd != null && dup3(null, fd, O_CLOEXEC) < 0) return failed(why, "replace descriptors");
    }
    slot->own_from = highest + 1;
    return true;
}

bool slot_confine(struct slot *slot, const struct slot_options *options, char why[256]) {
    memset(slot, 0, sizeof *slot);
    slot->uid = options->uid;
    slot->watched = options->cgroup_root[0] == 0;
    if (options->directory[0]) slot->directory = options->directory;
    slot->readable = options->readable;
    slot->shares_user = options->uid == getuid();
    slot->disk_bytes = options->disk_bytes;
    slot->sessions = options->sessions;
    slot->own_from = 3;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || setsid() < 0) return failed(why, "setsid");
    if (slot->watched) cgroup_none(&slot->cgroup);
    else if (!cgroup_join(&slot->cgroup, options->cgroup_root, options->cgroup_leaf, options->cgroup_v2)) return failed(why, "join cgroup");
    slot->control = connect_control(options->control_path);
    if (slot->control < 0) return failed(why, "connect to the engine");
    slot->report = mmap(NULL, REPORT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (slot->report == MAP_FAILED) return failed(why, "map the report");
    if (!(slot->directory ? enter_directory(slot, why) : enter_namespaces(slot, options, why))) return false;
    if (!open_child_events(slot, why) || !set_rlimits(slot, why)) return false;
    umask(022);
    /* Refused where the user namespace has one group only: its processes keep those that the service has. */
    if (setgroups(0, NULL) != 0 && !slot->shares_user) return failed(why, "setgroups");
    if (!scratch_measure(slot, &slot->scratch_empty)) return failed(why, "statfs");
    if (options->keeps_descriptors && !lift_descriptors(slot, why)) return false;
    watch_start(slot);
    if (!drop_capabilities(slot, why)) return false;
    /* Without namespaces the processes of calls are given a Landlock domain, and the slot, which reads /proc, is not; nor is one
     * that moves sessions between cgroups. */
    if (!slot->directory && !slot->sessions && !landlock_install(slot->proc, why)) return false;
    if (!filter_install(slot->sessions, why)) return false;
    slot->cgroup.baseline_bytes = cgroup_peak_reset(&slot->cgroup);
    return true;
}
