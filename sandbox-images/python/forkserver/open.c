/*
 * What a fork server does for a slot, whichever interpreter it is: fork its process, and resize its scratch
 * file system later.
 */
#include "slot.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the new slot process: confines itself, says hello and serves. Returns in the child of a call. */
static void slot_process(struct slot *slot, struct slot_options *options, struct request *request) {
    char why[256] = "";
    struct buffer hello = {0};
    bool confined = slot_confine(slot, options, why);
    buffer_u32(&hello, options->index);
    buffer_put(&hello, why, strlen(why));
    if (!confined) {
        if (slot->control > 0) frame_write(slot->control, FRAME_FAULT, &hello);
        dprintf(2, "slot %u: %s\n", options->index, why);
        _exit(1);
    }
    if (!frame_write(slot->control, FRAME_HELLO, &hello)) _exit(1);
    buffer_free(&hello);
    if (options->sessions) family_serve(slot, request);
    else serve(slot, request);
}

pid_t slot_open(struct slot_options *options, int keep_out, struct slot **slot, struct request **request) {
    static struct slot own_slot;
    static struct request own_request;
    bool nested = options->directory[0] == 0;
    int own = nested ? open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC) : -1;
    if (nested && (own < 0 || unshare(CLONE_NEWPID) != 0)) {
        int error = errno;
        if (own >= 0) close(own);
        errno = error;
        return -1;
    }
    pid_t pid = fork();
    if (pid == 0) {
        if (nested) close(own);
        close(keep_out);
        slot_process(&own_slot, options, &own_request);
        *slot = &own_slot;
        *request = &own_request;
        return 0;
    }
    int error = errno;
    /* Without the way back the next fork would fail once this slot is gone. */
    int back = nested ? setns(own, CLONE_NEWPID) : 0;
    if (pid >= 0) error = errno;
    if (nested) close(own);
    errno = error;
    return pid < 0 || back != 0 ? -1 : pid;
}

bool slot_resize(pid_t slot, uint64_t disk_bytes, uint64_t inodes) {
    int status;
    /* From a process of its own: a mount namespace is not left again as easily as it is entered. */
    pid_t worker = fork();
    if (worker == 0) {
        char path[64], data[96];
        snprintf(path, sizeof path, "/proc/%d/ns/mnt", slot);
        snprintf(data, sizeof data, "size=%llu,nr_inodes=%llu", (unsigned long long)disk_bytes, (unsigned long long)inodes);
        int ns = open(path, O_RDONLY | O_CLOEXEC);
        bool done = ns >= 0 && setns(ns, CLONE_NEWNS) == 0 && mount(NULL, WORK_DIRECTORY, NULL, MS_REMOUNT | MS_NOSUID | MS_NODEV, data) == 0;
        _exit(done ? 0 : errno);
    }
    if (worker < 0 || waitpid(worker, &status, 0) != worker) return false;
    if (status != 0) errno = WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
    return status == 0;
}

static bool branch(uint32_t session, const char *scratch) {
    static const struct {
        const char *name, *target;
    } places[] = {{BRANCHES "/work", "work"}, {BRANCHES "/tmp", "tmp"}, {BRANCHES "/shm", "dev/shm"}};
    char root[64], staging[96], source[128], target[128];
    snprintf(root, sizeof root, BRANCHES "/%u", session);
    snprintf(staging, sizeof staging, "%s" BRANCHES, root);
    if (mkdir(root, 0755) != 0 || mount("/", root, NULL, MS_BIND | MS_REC, NULL) != 0) return false;
    if (mount("scratch", staging, "tmpfs", MS_NOSUID | MS_NODEV, scratch) != 0) return false;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        snprintf(source, sizeof source, "%s%s", root, places[i].name);
        snprintf(target, sizeof target, "%s/%s", root, places[i].target);
        if (mkdir(source, 0) != 0 || chmod(source, 01777) != 0 || mount(source, target, NULL, MS_BIND, NULL) != 0) return false;
    }
    /* Covered, not unmounted, which would wait for every processor. */
    return mount("none", staging, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV, "size=4k,mode=0555") == 0;
}

static bool prune(uint32_t session) {
    char root[64];
    snprintf(root, sizeof root, BRANCHES "/%u", session);
    return umount2(root, MNT_DETACH) == 0 && rmdir(root) == 0;
}

/* In a process of its own, which shares this one's memory while this one waits: a copy of the heap would cost more than the mounts. */
static bool in_mounts_of(pid_t slot, const uint32_t *sessions, size_t count, const char *scratch) {
    int status;
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/mnt", slot);
    int ns = open(path, O_RDONLY | O_CLOEXEC);
    if (ns < 0) return false;
    pid_t worker = vfork();
    if (worker == 0) {
        bool done = setns(ns, CLONE_NEWNS) == 0;
        for (size_t i = 0; done && i < count; i++) done = scratch ? branch(sessions[i], scratch) : prune(sessions[i]);
        _exit(done ? 0 : errno);
    }
    int error = errno;
    close(ns);
    errno = error;
    if (worker < 0 || waitpid(worker, &status, 0) != worker) return false;
    if (status != 0) errno = WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
    return status == 0;
}

bool slot_branch(pid_t slot, const uint32_t *sessions, size_t count, uint64_t disk_bytes, uint64_t inodes) {
    char scratch[128];
    snprintf(scratch, sizeof scratch, "size=%llu,nr_inodes=%llu,mode=0755", (unsigned long long)disk_bytes, (unsigned long long)inodes);
    return in_mounts_of(slot, sessions, count, scratch);
}

bool slot_prune(pid_t slot, uint32_t session) { return in_mounts_of(slot, &session, 1, NULL); }

int slot_landlock_abi(void) {
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return abi < 0 ? 0 : (int)abi;
}
