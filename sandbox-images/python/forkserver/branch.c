/*
 * The files of a fork: what its parent has in its scratch directories is copied to the fork's own, which then are the
 * fork's root directory's; what was open of them is opened again, so that neither writes into the other's.
 */
#include "slot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 64
#define CHUNK_BYTES (256u << 10)
#define OPEN_MAX_KEPT 1024
#define DELETED " (deleted)"

static const char *const places[] = {"work", "tmp", "dev/shm"};

static bool failed(char why[116], const char *what, const char *name) {
    snprintf(why, 116, "%s %.60s: %s", what, name, strerror(errno));
    return false;
}

/* What is written, not the holes between. */
static bool copy_bytes(int from, int to, off_t size) {
    static char chunk[CHUNK_BYTES];
    for (off_t at = 0; at < size;) {
        off_t data = lseek(from, at, SEEK_DATA);
        if (data < 0 && errno == ENXIO) break;
        if (data < 0) return false;
        off_t hole = lseek(from, data, SEEK_HOLE);
        if (hole < 0) return false;
        for (at = data; at < hole;) {
            size_t want = hole - at < (off_t)sizeof chunk ? (size_t)(hole - at) : sizeof chunk;
            ssize_t got = pread(from, chunk, want, at);
            if (got < 0) return false;
            if (got == 0) break;
            if (pwrite(to, chunk, (size_t)got, at) != got) return false;
            at += got;
        }
        if (at < hole) break;
    }
    return ftruncate(to, size) == 0;
}

static bool copy_file(int from_directory, int to_directory, const char *name, const struct stat *status) {
    int from = openat(from_directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    int to = from < 0 ? -1 : openat(to_directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    const struct timespec times[2] = {status->st_atim, status->st_mtim};
    bool copied = to >= 0 && copy_bytes(from, to, status->st_size) && fchmod(to, status->st_mode & 07777) == 0 && futimens(to, times) == 0;
    int error = errno;
    if (from >= 0) close(from);
    if (to >= 0) close(to);
    errno = error;
    return copied;
}

static bool copy_directory(int from, int to, int depth, char why[116]);

static bool copy_entry(int from, int to, const char *name, int depth, char why[116]) {
    struct stat status;
    if (fstatat(from, name, &status, AT_SYMLINK_NOFOLLOW) != 0) return errno == ENOENT || failed(why, "look at", name);
    if (S_ISREG(status.st_mode)) return copy_file(from, to, name, &status) || failed(why, "copy", name);
    if (S_ISLNK(status.st_mode)) {
        char target[PATH_BYTES_MAX];
        ssize_t length = readlinkat(from, name, target, sizeof target - 1);
        target[length > 0 ? length : 0] = 0;
        return (length > 0 && symlinkat(target, to, name) == 0) || failed(why, "copy", name);
    }
    if (S_ISFIFO(status.st_mode)) return mkfifoat(to, name, status.st_mode & 07777) == 0 || failed(why, "copy", name);
    if (!S_ISDIR(status.st_mode)) return true;
    if (mkdirat(to, name, 0700) != 0) return failed(why, "copy", name);
    int inner_from = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int inner_to = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (inner_from < 0 || inner_to < 0) return failed(why, "open", name);
    int kept = dup(inner_to);
    bool copied = copy_directory(inner_from, inner_to, depth + 1, why) && fchmod(kept, status.st_mode & 07777) == 0;
    close(kept);
    return copied;
}

/* Closes both. */
static bool copy_directory(int from, int to, int depth, char why[116]) {
    DIR *entries = fdopendir(from);
    bool copied = entries && depth < DEPTH_MAX;
    if (!copied) {
        errno = entries ? ELOOP : errno;
        failed(why, "copy", "a directory");
    }
    for (struct dirent *entry; copied && (entry = readdir(entries));) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) copied = copy_entry(dirfd(entries), to, entry->d_name, depth, why);
    }
    if (entries) closedir(entries);
    close(to);
    return copied;
}

static bool copy_places(int root, char why[116]) {
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char path[16];
        snprintf(path, sizeof path, "/%s", places[i]);
        int from = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), to = openat(root, places[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (from < 0 || to < 0) return failed(why, "open", path);
        if (!copy_directory(from, to, 0, why)) return false;
    }
    return true;
}

/* A file or directory below the scratch directories that is open. */
struct opened {
    int fd, flags;
    bool close_on_exec;
    off_t offset;
    char *path;
};

static bool is_ours(const char *path) {
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        size_t length = strlen(places[i]);
        if (path[0] == '/' && strncmp(path + 1, places[i], length) == 0 && (path[1 + length] == '/' || path[1 + length] == 0)) return true;
    }
    return false;
}

static bool note(int fd, struct opened *opened) {
    char link[32], path[PATH_BYTES_MAX];
    struct stat status;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0 || fstat(fd, &status) != 0 || (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode))) return false;
    path[length] = 0;
    if (!is_ours(path)) return false;
    opened->fd = fd;
    opened->flags = fcntl(fd, F_GETFL);
    opened->close_on_exec = (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0;
    opened->offset = S_ISREG(status.st_mode) ? lseek(fd, 0, SEEK_CUR) : 0;
    opened->path = strdup(path);
    return opened->path != NULL;
}

static size_t note_all(struct opened *list) {
    size_t count = 0;
    DIR *entries = opendir("/proc/self/fd");
    for (struct dirent *entry; entries && count < OPEN_MAX_KEPT && (entry = readdir(entries));) {
        int fd = atoi(entry->d_name);
        if (fd != dirfd(entries) && fd < SESSION_ERR && note(fd, &list[count])) count++;
    }
    if (entries) closedir(entries);
    return count;
}

/* One that has no name any more. */
static int copy_deleted(const struct opened *opened) {
    char link[32];
    struct stat status;
    snprintf(link, sizeof link, "/proc/self/fd/%d", opened->fd);
    int from = open(link, O_RDONLY | O_CLOEXEC), to = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    bool copied = from >= 0 && to >= 0 && fstat(from, &status) == 0 && copy_bytes(from, to, status.st_size);
    if (from >= 0) close(from);
    if (copied) return to;
    if (to >= 0) close(to);
    return -1;
}

static bool open_again(const struct opened *opened) {
    size_t length = strlen(opened->path), suffix = strlen(DELETED);
    bool deleted = length > suffix && strcmp(opened->path + length - suffix, DELETED) == 0;
    int flags = opened->flags & ~(O_CREAT | O_EXCL | O_TRUNC | O_TMPFILE | O_DIRECTORY);
    int fresh = deleted ? copy_deleted(opened) : open(opened->path, flags | O_CLOEXEC);
    if (fresh < 0) return false;
    if (opened->offset > 0) lseek(fresh, opened->offset, SEEK_SET);
    bool placed = dup3(fresh, opened->fd, opened->close_on_exec ? O_CLOEXEC : 0) >= 0;
    close(fresh);
    return placed;
}

bool branch_enter(int root, char why[116]) {
    char here[PATH_BYTES_MAX];
    struct opened *list = calloc(OPEN_MAX_KEPT, sizeof *list);
    size_t count = list ? note_all(list) : 0;
    if (!getcwd(here, sizeof here)) strcpy(here, WORK_DIRECTORY);
    bool entered = list && copy_places(root, why);
    if (entered && (fchdir(root) != 0 || chroot(".") != 0)) entered = failed(why, "go to", "the fork's root directory");
    if (entered && chdir(here) != 0 && chdir(WORK_DIRECTORY) != 0) entered = failed(why, "go to", here);
    for (size_t i = 0; i < count; i++) {
        if (entered && !open_again(&list[i])) entered = failed(why, "open again", list[i].path);
        free(list[i].path);
    }
    free(list);
    return entered;
}
