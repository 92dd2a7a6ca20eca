/*
 * Files of a call in the slot's scratch file system: placed by the call's own process, collected and swept
 * by the slot once no process of the call is left, so that nothing moves under it.
 */
#include "slot.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

/* More than this is left to the replacement of the slot, which frees the file system whole. */
#define SWEEP_ENTRIES_MAX 2000
#define SWEEP_DEPTH_MAX 32
/* Where no file system counts them. */
#define ENTRIES_MAX 16384

struct entry {
    uint64_t inode;
    int64_t offset;
    unsigned short length;
    unsigned char type;
    char name[];
};

/* What is done with one entry of a directory; false ends the listing. */
typedef bool visit(int directory, const char *name, int depth, void *context);

/* Visits the entries of a directory by its descriptor, which it closes. False when a visit said so, or below SWEEP_DEPTH_MAX. */
static bool each_entry(int directory, int depth, visit *visit, void *context) {
    /* Not readdir, whose buffer would leave the names in the heap. */
    _Alignas(struct entry) uint8_t entries[4096];
    bool go_on = depth < SWEEP_DEPTH_MAX;
    for (long got; go_on && (got = syscall(SYS_getdents64, directory, entries, sizeof entries)) > 0;) {
        for (long at = 0; go_on && at < got;) {
            const struct entry *entry = (const struct entry *)(entries + at);
            if (strcmp(entry->name, ".") != 0 && strcmp(entry->name, "..") != 0) go_on = visit(directory, entry->name, depth, context);
            at += entry->length;
        }
    }
    explicit_bzero(entries, sizeof entries);
    close(directory);
    return go_on;
}

/* Counts an entry and all below it, where no file system does. */
static bool count(int directory, const char *name, int depth, void *context) {
    struct scratch_use *use = context;
    struct stat status;
    if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) != 0) return true;
    use->inodes++;
    if (S_ISDIR(status.st_mode)) {
        int child = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (child >= 0) each_entry(child, depth + 1, count, use);
    } else {
        use->blocks += (uint64_t)(status.st_blocks + 7) / 8;
    }
    return use->inodes < ENTRIES_MAX;
}

bool scratch_measure(const struct slot *slot, struct scratch_use *use) {
    if (slot->directory) {
        memset(use, 0, sizeof *use);
        int directory = open(slot->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (directory < 0) return false;
        each_entry(directory, 0, count, use);
        use->full = use->blocks * 4096 >= slot->disk_bytes || use->inodes >= ENTRIES_MAX;
        return true;
    }
    struct statfs stats;
    if (statfs(WORK_DIRECTORY, &stats) != 0) return false;
    use->blocks = stats.f_blocks - stats.f_bfree;
    use->inodes = stats.f_files - stats.f_ffree;
    use->full = stats.f_bfree == 0 || stats.f_ffree == 0;
    return true;
}

static bool copy_path(struct bytes path, char into[PATH_BYTES_MAX]) {
    if (path.length == 0 || path.length >= PATH_BYTES_MAX) return false;
    memcpy(into, path.data, path.length);
    into[path.length] = 0;
    return strlen(into) == path.length;
}

/* A program or a script is placed so that it can be executed, as it would be in an archive. */
static mode_t mode_of(struct bytes content) {
    bool executable = (content.length >= 4 && memcmp(content.data, "\x7f" "ELF", 4) == 0) || (content.length >= 2 && memcmp(content.data, "#!", 2) == 0);
    return executable ? 0755 : 0644;
}

static bool place(struct bytes path, struct bytes content) {
    char name[PATH_BYTES_MAX];
    if (!copy_path(path, name)) return false;
    for (char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (mkdir(name, 0755) != 0 && errno != EEXIST) return false;
        *slash = '/';
    }
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode_of(content));
    if (fd < 0) return false;
    for (uint32_t done = 0; done < content.length;) {
        ssize_t put = write(fd, content.data + done, content.length - done);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) {
            int error = errno;
            close(fd);
            errno = error;
            return false;
        }
        done += (uint32_t)put;
    }
    close(fd);
    return true;
}

bool scratch_enter(const struct slot *slot) {
    static const char *const names[] = {"tmp", "work"};
    if (mkdir(slot->directory, 0755) != 0 && errno != EEXIST) return false;
    for (size_t i = 0; i < 2; i++) {
        if (chdir(slot->directory) != 0 || (mkdir(names[i], 0700) != 0 && errno != EEXIST)) return false;
        if (!slot->shares_user && chown(names[i], slot->uid, slot->uid) != 0) return false;
    }
    return chdir(names[1]) == 0;
}

void scratch_resize(struct slot *slot) {
    char path[PATH_BYTES_MAX];
    unsigned long long bytes;
    snprintf(path, sizeof path, "%s.disk", slot->directory);
    FILE *file = fopen(path, "re");
    if (!file) return;
    if (fscanf(file, "%llu", &bytes) == 1) slot->disk_bytes = bytes;
    fclose(file);
}

bool scratch_place(const struct request *request) {
    return place(request->file_name, request->source) && scratch_place_files(request);
}

bool scratch_place_files(const struct request *request) {
    for (uint32_t i = 0; i < request->files.count; i += 2) {
        if (!place(request->files.items[i], request->files.items[i + 1])) return false;
    }
    return true;
}

static int open_beneath(const char *path) {
    struct open_how how = {
        .flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | O_NOFOLLOW,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
    };
    return (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
}

static bool read_whole(int fd, size_t length, struct buffer *content) {
    uint8_t *room = buffer_room(content, length);
    if (!room) return false;
    for (size_t done = 0; done < length;) {
        ssize_t got = read(fd, room + done, length - done);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        done += (size_t)got;
    }
    content->length += length;
    return true;
}

static enum collect_status collect(struct bytes path, uint64_t *budget, struct buffer *content) {
    char name[PATH_BYTES_MAX];
    struct stat status;
    if (!copy_path(path, name)) return COLLECT_NOT_FOUND;
    int fd = open_beneath(name);
    explicit_bzero(name, path.length);
    if (fd < 0) {
        if (errno == ENOENT || errno == ENOTDIR) return COLLECT_NOT_FOUND;
        return errno == ELOOP || errno == EXDEV || errno == ENXIO ? COLLECT_NOT_REGULAR : COLLECT_UNREADABLE;
    }
    enum collect_status result = COLLECT_OK;
    if (fstat(fd, &status) != 0) result = COLLECT_UNREADABLE;
    else if (!S_ISREG(status.st_mode)) result = COLLECT_NOT_REGULAR;
    else if ((uint64_t)status.st_size > *budget) result = COLLECT_TOO_LARGE;
    else if (!read_whole(fd, (size_t)status.st_size, content)) result = COLLECT_UNREADABLE;
    else *budget -= content->length;
    close(fd);
    return result;
}

void scratch_collect(const struct request *request, struct buffer *reply) {
    uint64_t budget = request->collect_bytes;
    buffer_u32(reply, request->collect.count);
    for (uint32_t i = 0; i < request->collect.count; i++) {
        struct buffer content = {0};
        enum collect_status status = collect(request->collect.items[i], &budget, &content);
        buffer_u8(reply, status);
        buffer_bytes(reply, content.data, status == COLLECT_OK ? content.length : 0);
        buffer_free(&content);
    }
}

static bool remove_entry(int directory, const char *name, int depth, void *context) {
    int *budget = context;
    if (--*budget < 0) return false;
    if (unlinkat(directory, name, 0) == 0) return true;
    int child = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    /* One that the program closed to its own user, which may be the slot's too. */
    if (child < 0 && errno == EACCES && fchmodat(directory, name, 0700, 0) == 0)
        child = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return child >= 0 && each_entry(child, depth + 1, remove_entry, budget) && unlinkat(directory, name, AT_REMOVEDIR) == 0;
}

static bool is_clean(const struct slot *slot) {
    struct scratch_use use;
    return scratch_measure(slot, &use) && use.blocks == slot->scratch_empty.blocks && use.inodes == slot->scratch_empty.inodes;
}

bool scratch_sweep(const struct slot *slot, const struct request *request) {
    static const char *const mounted[] = {WORK_DIRECTORY, "/tmp", "/dev/shm"}, *const own[] = {".", "../tmp"};
    const char *const *places = slot->directory ? own : mounted;
    char name[PATH_BYTES_MAX];
    /* Most calls leave only their own source behind: counting used blocks is cheaper than listing directories. */
    if (copy_path(request->file_name, name)) unlink(name);
    if (is_clean(slot)) return true;
    int budget = SWEEP_ENTRIES_MAX;
    for (size_t i = 0; i < (slot->directory ? 2 : 3); i++) {
        int directory = open(places[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (directory < 0 || !each_entry(directory, 0, remove_entry, &budget)) return false;
    }
    return is_clean(slot);
}
