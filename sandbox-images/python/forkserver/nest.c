/*
 * Namespaces for a process in a container that was made without a user namespace: it becomes root of a new one,
 * nobody outside. Its ids are written by a helper that stays behind, who alone may map others than its own.
 */
#include "slot.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static bool write_map(pid_t pid, const char *name, unsigned first, unsigned count) {
    char path[64], line[64];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    int length = snprintf(line, sizeof line, "0 %u %u\n", first, count);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return false;
    bool written = write(fd, line, (size_t)length) == length;
    close(fd);
    return written;
}

/* In the helper: waits until the namespace is there, and maps its ids. */
static _Noreturn void map_ids(pid_t pid, int made, unsigned first, unsigned count) {
    char byte;
    if (read(made, &byte, 1) != 1) _exit(EIO);
    _exit(write_map(pid, "gid_map", first, count) && write_map(pid, "uid_map", first, count) ? 0 : errno);
}

static bool enter(int made, pid_t helper) {
    int status;
    if (unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWCGROUP) != 0) return false;
    if (write(made, "", 1) != 1 || waitpid(helper, &status, 0) != helper) return false;
    if (status != 0) {
        errno = WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
        return false;
    }
    return setresgid(0, 0, 0) == 0 && setresuid(0, 0, 0) == 0;
}

/* What is left outside ends with what is inside, and as it did. */
static _Noreturn void stay_behind(pid_t child) {
    int status;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

/* A file of every root that says nothing of the machine. */
#define HARMLESS "/etc/nsswitch.conf"

/* What a daemon shows of the machine in every container. It was mounted from outside: it can be covered only. */
static bool cover_machine(void) {
    static const char *const directories[] = {"/sys", "/dev/mqueue", "/dev/pts"}, *const files[] = {"/etc/resolv.conf", "/etc/hosts"};
    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
        if (access(directories[i], F_OK) == 0 && mount("none", directories[i], "tmpfs", MS_RDONLY, "size=4k") != 0) return false;
    }
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (access(files[i], F_OK) == 0 && mount(HARMLESS, files[i], NULL, MS_BIND, NULL) != 0) return false;
    }
    return true;
}

bool nest(unsigned first, unsigned count) {
    int made[2];
    pid_t self = getpid();
    if (pipe2(made, O_CLOEXEC) != 0) return false;
    pid_t helper = fork();
    if (helper == 0) map_ids(self, made[0], first, count);
    close(made[0]);
    bool entered = helper > 0 && enter(made[1], helper);
    close(made[1]);
    if (!entered) return false;
    pid_t child = fork();
    if (child < 0) return false;
    if (child > 0) stay_behind(child);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) return false;
    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 && cover_machine() && mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0;
}
