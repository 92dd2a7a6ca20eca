/*
 * Limits and evidence of one slot's cgroup.
 *
 * The engine makes the leaves and owns their ceilings; a slot may write only the files that were handed to
 * its user. v1 has a directory for each controller, v2 one for all: /run/rollcall/cgroup/<controller>/<leaf>
 * or /run/rollcall/cgroup/<leaf>.
 */
#include "slot.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int open_file(const char *root, const char *controller, const char *leaf, const char *file, int flags) {
    char path[PATH_BYTES_MAX];
    int length = controller ? snprintf(path, sizeof path, "%s/%s/%s/%s", root, controller, leaf, file)
                            : snprintf(path, sizeof path, "%s/%s/%s", root, leaf, file);
    if (length < 0 || (size_t)length >= sizeof path) return -1;
    return open(path, flags | O_CLOEXEC);
}

static bool join(const char *root, const char *controller, const char *leaf) {
    int fd = open_file(root, controller, leaf, "cgroup.procs", O_WRONLY);
    if (fd < 0) return false;
    bool joined = write(fd, "0", 1) == 1;
    close(fd);
    return joined;
}

static uint64_t read_number(int fd) {
    char text[32];
    ssize_t got = fd < 0 ? -1 : pread(fd, text, sizeof text - 1, 0);
    if (got <= 0) return 0;
    text[got] = 0;
    return strtoull(text, NULL, 10);
}

static bool write_number(int fd, uint64_t value) {
    if (fd < 0) return true;
    char text[32];
    int length = snprintf(text, sizeof text, "%" PRIu64, value);
    return pwrite(fd, text, (size_t)length, 0) == length;
}

/* The number behind `key ` at the start of a line; 0 when there is no such line. */
static uint64_t read_key(int fd, const char *key) {
    char text[1024];
    ssize_t got = fd < 0 ? -1 : pread(fd, text, sizeof text - 1, 0);
    if (got <= 0) return 0;
    text[got] = 0;
    size_t length = strlen(key);
    for (char *line = text; line && *line; line = strchr(line, '\n')) {
        if (*line == '\n') line++;
        if (strncmp(line, key, length) == 0 && line[length] == ' ') return strtoull(line + length + 1, NULL, 10);
    }
    return 0;
}

static bool open_v1(struct cgroup *cgroup, const char *root, const char *leaf) {
    if (!join(root, "memory", leaf) || !join(root, "pids", leaf) || !join(root, "cpuacct", leaf)) return false;
    cgroup->memory_limit = open_file(root, "memory", leaf, "memory.limit_in_bytes", O_WRONLY);
    cgroup->memory_peak = open_file(root, "memory", leaf, "memory.max_usage_in_bytes", O_RDWR);
    cgroup->memory_events = open_file(root, "memory", leaf, "memory.oom_control", O_RDONLY);
    cgroup->pids_max = open_file(root, "pids", leaf, "pids.max", O_WRONLY);
    cgroup->pids_events = open_file(root, "pids", leaf, "pids.events", O_RDONLY);
    cgroup->cpu_usage = open_file(root, "cpuacct", leaf, "cpuacct.usage", O_RDONLY);
    return true;
}

static bool open_v2(struct cgroup *cgroup, const char *root, const char *leaf) {
    if (!join(root, NULL, leaf)) return false;
    cgroup->memory_limit = open_file(root, NULL, leaf, "memory.max", O_WRONLY);
    /* Resettable, and so of use here, since Linux 6.12; before, root may open it for writing and not write. */
    cgroup->memory_peak = open_file(root, NULL, leaf, "memory.peak", O_RDWR);
    if (cgroup->memory_peak >= 0 && pwrite(cgroup->memory_peak, "0", 1, 0) != 1) {
        close(cgroup->memory_peak);
        cgroup->memory_peak = -1;
    }
    cgroup->memory_events = open_file(root, NULL, leaf, "memory.events", O_RDONLY);
    cgroup->pids_max = open_file(root, NULL, leaf, "pids.max", O_WRONLY);
    cgroup->pids_events = open_file(root, NULL, leaf, "pids.events", O_RDONLY);
    cgroup->cpu_usage = open_file(root, NULL, leaf, "cpu.stat", O_RDONLY);
    return true;
}

bool cgroup_join(struct cgroup *cgroup, const char *root, const char *leaf, bool v2) {
    memset(cgroup, 0, sizeof *cgroup);
    cgroup->v2 = v2;
    if (!(v2 ? open_v2 : open_v1)(cgroup, root, leaf)) return false;
    return cgroup->memory_limit >= 0 && cgroup->memory_events >= 0 && cgroup->pids_max >= 0 &&
           cgroup->pids_events >= 0 && cgroup->cpu_usage >= 0;
}

void cgroup_none(struct cgroup *cgroup) {
    memset(cgroup, 0, sizeof *cgroup);
    cgroup->memory_limit = cgroup->memory_peak = cgroup->memory_events = cgroup->pids_max = cgroup->pids_events = cgroup->cpu_usage = -1;
}

static int open_in(const struct cgroup_roots *roots, int controller, const char *leaf, const char *file, int flags) {
    char path[PATH_BYTES_MAX];
    int length = snprintf(path, sizeof path, "%s/%s", leaf, file);
    if (length < 0 || (size_t)length >= sizeof path) return -1;
    return openat(roots->directories[roots->v2 ? 0 : controller], path, flags | O_CLOEXEC);
}

enum { MEMORY = 0, PIDS = 1, CPUACCT = 2 };

bool cgroup_open_roots(struct cgroup_roots *roots, const char *root, bool v2) {
    static const char *const controllers[] = {"memory", "pids", "cpuacct"};
    roots->v2 = v2;
    for (int i = 0; i < (v2 ? 1 : 3); i++) {
        char path[PATH_BYTES_MAX];
        snprintf(path, sizeof path, "%s/%s", root, v2 ? "" : controllers[i]);
        roots->directories[i] = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (roots->directories[i] < 0) return false;
    }
    return true;
}

bool cgroup_open_leaf(struct cgroup *cgroup, const struct cgroup_roots *roots, const char *leaf) {
    bool v2 = roots->v2;
    memset(cgroup, 0, sizeof *cgroup);
    cgroup->v2 = v2;
    cgroup->processes = UINT64_MAX;
    cgroup->memory_limit = open_in(roots, MEMORY, leaf, v2 ? "memory.max" : "memory.limit_in_bytes", O_WRONLY);
    cgroup->memory_peak = open_in(roots, MEMORY, leaf, v2 ? "memory.peak" : "memory.max_usage_in_bytes", O_RDWR);
    cgroup->memory_events = open_in(roots, MEMORY, leaf, v2 ? "memory.events" : "memory.oom_control", O_RDONLY);
    cgroup->directory = open_in(roots, MEMORY, leaf, ".", O_PATH | O_DIRECTORY);
    cgroup->pids_max = open_in(roots, PIDS, leaf, "pids.max", O_WRONLY);
    cgroup->pids_events = open_in(roots, PIDS, leaf, "pids.events", O_RDONLY);
    cgroup->pids_current = open_in(roots, PIDS, leaf, "pids.current", O_RDONLY);
    cgroup->cpu_usage = open_in(roots, CPUACCT, leaf, v2 ? "cpu.stat" : "cpuacct.usage", O_RDONLY);
    return cgroup->memory_limit >= 0 && cgroup->memory_events >= 0 && cgroup->directory >= 0 && cgroup->pids_max >= 0 &&
           cgroup->pids_events >= 0 && cgroup->pids_current >= 0 && cgroup->cpu_usage >= 0;
}

void cgroup_close_leaf(struct cgroup *cgroup) {
    int files[] = {cgroup->memory_limit, cgroup->memory_peak, cgroup->memory_events, cgroup->directory,
                   cgroup->pids_max,     cgroup->pids_events, cgroup->pids_current,  cgroup->cpu_usage};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (files[i] > 0) close(files[i]);
    }
    memset(cgroup, 0, sizeof *cgroup);
}

/*
 * v1 lets a process be moved by its own user only, who must have opened the file too. A thread that moves itself there
 * by `tasks` waits for nobody, where `cgroup.procs` waits for every processor, three times: some 15 ms.
 */
static int open_entrance(const struct cgroup_roots *roots, int controller, const char *leaf, uid_t uid) {
    char path[PATH_BYTES_MAX];
    if (roots->v2) return open_in(roots, controller, leaf, "cgroup.procs", O_WRONLY);
    snprintf(path, sizeof path, "%s/tasks", leaf);
    if (uid == 0) return open_in(roots, controller, leaf, "tasks", O_WRONLY);
    if (fchownat(roots->directories[controller], path, uid, (gid_t)-1, 0) != 0 || seteuid(uid) != 0) return -1;
    int fd = open_in(roots, controller, leaf, "tasks", O_WRONLY);
    return seteuid(0) == 0 ? fd : -1;
}

bool cgroup_open_entrances(const struct cgroup_roots *roots, const char *leaf, uid_t uid, int entrances[3]) {
    int count = roots->v2 ? 1 : 3;
    for (int i = 0; i < 3; i++) entrances[i] = i < count ? open_entrance(roots, i, leaf, uid) : -1;
    for (int i = 0; i < count; i++) {
        if (entrances[i] < 0) return false;
    }
    return true;
}

bool cgroup_enter(const int entrances[3]) {
    for (int i = 0; i < 3; i++) {
        if (entrances[i] >= 0 && write(entrances[i], "0", 1) != 1) return false;
    }
    return true;
}

int cgroup_members(const struct cgroup *cgroup, pid_t *pids, int max) {
    char text[4096];
    size_t kept = 0;
    int count = 0;
    /* Opened each time: a file of v1 that stays open shows for a second what it showed before. */
    int members = openat(cgroup->directory, "cgroup.procs", O_RDONLY | O_CLOEXEC);
    if (members < 0) return -1;
    for (ssize_t got; count < max && (got = read(members, text + kept, sizeof text - 1 - kept)) > 0;) {
        text[kept + (size_t)got] = 0;
        char *line = text;
        for (char *end; count < max && (end = strchr(line, '\n')); line = end + 1) {
            pid_t pid = (pid_t)strtol(line, NULL, 10);
            if (pid > 1) pids[count++] = pid;
        }
        kept = strlen(line);
        memmove(text, line, kept);
    }
    close(members);
    return count;
}

uint64_t cgroup_tasks(const struct cgroup *cgroup) { return read_number(cgroup->pids_current); }

void cgroup_forbid_processes(const struct cgroup *cgroup) { write_number(cgroup->pids_max, 0); }

bool cgroup_limit_memory(const struct cgroup *cgroup, uint64_t memory_bytes, uint64_t own_bytes) {
    return write_number(cgroup->memory_limit, memory_bytes + cgroup->baseline_bytes + own_bytes);
}

bool cgroup_lift_memory(const struct cgroup *cgroup) {
    if (cgroup->memory_limit < 0) return true;
    const char *none = cgroup->v2 ? "max" : "-1";
    return pwrite(cgroup->memory_limit, none, strlen(none), 0) == (ssize_t)strlen(none);
}

bool cgroup_limit_processes(struct cgroup *cgroup, uint64_t processes) {
    if (cgroup->processes == processes) return true;
    /* One more for the slot process itself. */
    if (!write_number(cgroup->pids_max, processes + 1)) return false;
    cgroup->processes = processes;
    return true;
}

uint64_t cgroup_cpu_us(const struct cgroup *cgroup) {
    return cgroup->v2 ? read_key(cgroup->cpu_usage, "usage_usec") : read_number(cgroup->cpu_usage) / 1000;
}

bool cgroup_counters(const struct cgroup *cgroup, struct cgroup_counters *counters) {
    counters->cpu_us = cgroup_cpu_us(cgroup);
    counters->oom_kills = read_key(cgroup->memory_events, "oom_kill");
    counters->forks_refused = read_key(cgroup->pids_events, "max");
    return true;
}

uint64_t cgroup_peak_reset(const struct cgroup *cgroup) {
    if (cgroup->memory_peak < 0 || pwrite(cgroup->memory_peak, "0", 1, 0) != 1) return 0;
    return read_number(cgroup->memory_peak);
}

uint64_t cgroup_peak(const struct cgroup *cgroup) { return read_number(cgroup->memory_peak); }
