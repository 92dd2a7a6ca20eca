/*
 * The limits of a call where no cgroup can be written: the slot looks at the call's processes every few
 * milliseconds. What is looked at is the kernel's account of them; between two looks a program can have more
 * than its limit, and RLIMIT_AS bounds how much more each of its processes can have.
 */
#include "slot.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static bool read_at(int directory, const char *pid, const char *file, char *text, size_t size) {
    char name[64];
    snprintf(name, sizeof name, "%.20s/%s", pid, file);
    int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t got = read(fd, text, size - 1);
    close(fd);
    text[got > 0 ? got : 0] = 0;
    return got > 0;
}

/* All that a process has in memory, of files too. */
static uint64_t resident_bytes(int proc, const char *pid) {
    char text[256];
    unsigned long long pages;
    if (!read_at(proc, pid, "statm", text, sizeof text) || sscanf(text, "%*u %llu", &pages) != 1) return 0;
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* The number of kilobytes behind `key` in a file of /proc, as bytes. */
static uint64_t kilobytes(const char *text, const char *key) {
    const char *line = strstr(text, key);
    return line ? strtoull(line + strlen(key), NULL, 10) * 1024 : 0;
}

/* Bytes of no file, those that are shared with other processes too. */
static uint64_t anonymous_bytes(int proc, const char *pid) {
    char text[4096];
    if (!read_at(proc, pid, "status", text, sizeof text)) return 0;
    uint64_t bytes = kilobytes(text, "\nRssAnon:") + kilobytes(text, "\nRssShmem:");
    explicit_bzero(text, sizeof text);
    return bytes;
}

/*
 * The share of one process in what it and others have mapped: pages that it was forked with and has not changed
 * count for next to nothing. Costs milliseconds for a large process. Where it cannot be read: all but what a
 * call is forked with.
 */
static uint64_t share_bytes(const struct slot *slot, const char *pid) {
    char text[2048];
    if (read_at(slot->proc, pid, "smaps_rollup", text, sizeof text) && strstr(text, "\nPss_Anon:")) {
        return kilobytes(text, "\nPss_Anon:") + kilobytes(text, "\nPss_Shmem:");
    }
    uint64_t all = anonymous_bytes(slot->proc, pid);
    return all > slot->heap_bytes ? all - slot->heap_bytes : 0;
}

static void add_process(const struct slot *slot, const char *pid, bool exact, struct watch_use *use) {
    char text[1024];
    unsigned long long user, system, user_below, system_below;
    long tasks;
    if (!read_at(slot->proc, pid, "stat", text, sizeof text)) return;
    /* The name in the second field may hold spaces and brackets. */
    char *rest = strrchr(text, ')');
    int found = !rest ? 0 : sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %llu %llu %*d %*d %ld", &user, &system,
                        &user_below, &system_below, &tasks);
    /* The name is the program's choice, and the slot's stack is inherited by the next. */
    explicit_bzero(text, sizeof text);
    if (found != 5) return;
    use->cpu_us += (user + system + user_below + system_below) * (1000000ull / (unsigned long)sysconf(_SC_CLK_TCK));
    use->tasks += (uint32_t)tasks;
    uint64_t bytes = exact ? share_bytes(slot, pid) : resident_bytes(slot->proc, pid);
    use->memory_bytes += bytes;
    use->own_bytes += exact ? bytes : bytes > slot->resident_bytes ? bytes - slot->resident_bytes : 0;
}

static void add_all(const struct slot *slot, bool exact, uint64_t tasks, struct watch_use *use) {
    memset(use, 0, sizeof *use);
    if (slot->directory) {
        char pid[16];
        snprintf(pid, sizeof pid, "%d", slot->child);
        if (slot->child > 0) add_process(slot, pid, exact, use);
        return;
    }
    int fd = openat(slot->proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *processes = fd < 0 ? NULL : fdopendir(fd);
    if (!processes) return;
    for (struct dirent *entry; use->tasks <= tasks && (entry = readdir(processes));) {
        /* The first process of the namespace is the slot. */
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9' || strcmp(entry->d_name, "1") == 0) continue;
        add_process(slot, entry->d_name, exact, use);
    }
    closedir(processes);
}

uint64_t watch_reaped_cpu_us(void) {
    struct rusage reaped;
    getrusage(RUSAGE_CHILDREN, &reaped);
    return (uint64_t)(reaped.ru_utime.tv_sec + reaped.ru_stime.tv_sec) * 1000000 + (uint64_t)(reaped.ru_utime.tv_usec + reaped.ru_stime.tv_usec);
}

void watch_look(const struct slot *slot, uint64_t memory_bytes, uint64_t tasks, struct watch_use *use) {
    struct scratch_use scratch = {0};
    add_all(slot, false, tasks, use);
    /* The cheap count is never too low. A fork bomb is not waited for. */
    if (use->memory_bytes > memory_bytes && use->tasks <= tasks) add_all(slot, true, tasks, use);
    use->cpu_us += watch_reaped_cpu_us();
    if (!scratch_measure(slot, &scratch)) return;
    use->disk_full = scratch.full;
    /* Scratch of a slot with namespaces is memory; else it is a directory on a disk. */
    if (!slot->directory && scratch.blocks > slot->scratch_empty.blocks) use->memory_bytes += (scratch.blocks - slot->scratch_empty.blocks) * 4096;
}

void watch_start(struct slot *slot) {
    slot->heap_bytes = anonymous_bytes(slot->proc, "self");
    slot->resident_bytes = resident_bytes(slot->proc, "self");
}

uint64_t watch_address_bytes(const struct slot *slot) {
    char text[256];
    return read_at(slot->proc, "self", "statm", text, sizeof text) ? strtoull(text, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}
