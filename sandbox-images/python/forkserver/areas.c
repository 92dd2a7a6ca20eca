/*
 * Fewer memory areas. A fork copies a description of each, and the end of a process undoes it: some 1.5 us together.
 * Every shared library has five, and the interpreter's arenas lie one by one between them: 1,290 with all modules. The
 * parts of a library that nobody writes become one area, those that are written another, and arenas lie beside each
 * other, where they can be huge pages too. A trivial call in a fork server with sympy costs a quarter less for it.
 *
 * No protection of anybody is lost: constants that can be executed and relocations that can be written are those of
 * a process whose code is the program's own.
 */
#include "slot.h"

#include <string.h>
#include <sys/mman.h>

#define HUGE_BYTES (2ul << 20)
/* Of the interpreter's arenas. It takes other memory in the same way, in other sizes. */
#define ARENA_BYTES (1ul << 20)
/* Addresses set aside for arenas; memory is taken as it is used. */
#define RESERVED_BYTES (256ul << 20)
#define GIVEN_MAX 64

struct area {
    unsigned long start, end, offset, inode;
    char access[8];
    int parts;
};

static bool writable(const struct area *area) { return area->access[1] == 'w'; }

static bool goes_on(const struct area *area, const struct area *next) {
    return area->inode && area->inode == next->inode && area->end == next->start && area->offset + (area->end - area->start) == next->offset;
}

static void protect(const struct area *area, int protection) {
    /* Where it is refused they stay apart. */
    (void)!mprotect((void *)area->start, area->end - area->start, protection);
}

/* Joins what belongs to the same file, as far as it was read from the list. */
static void join(struct area *area, const struct area *next) {
    bool together = goes_on(area, next);
    if (together && !writable(area) && !writable(next)) {
        if (next->access[2] == 'x') area->access[2] = 'x';
        area->end = next->end;
        area->parts++;
        return;
    }
    if (area->parts > 1 && area->access[2] == 'x') protect(area, PROT_READ | PROT_EXEC);
    /* What the linker wrote before the library was used. */
    else if (together && area->parts == 1 && area->access[2] != 'x' && !writable(area)) protect(area, PROT_READ | PROT_WRITE);
    *area = *next;
}

void areas_join(void) {
    char line[PATH_BYTES_MAX + 128];
    struct area area = {0}, next = {.parts = 1};
    FILE *maps = fopen("/proc/self/maps", "re");
    if (!maps) return;
    while (fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%lx-%lx %7s %lx %*s %lu", &next.start, &next.end, next.access, &next.offset, &next.inode) < 5) continue;
        if (next.access[0] != 'r' || next.access[3] != 'p') next.inode = 0;
        join(&area, &next);
    }
    fclose(maps);
}

static uint8_t *reserved, *unused;
static void *given[GIVEN_MAX];
static int given_count;

bool arenas_reserve(void) {
    uint8_t *start = mmap(NULL, RESERVED_BYTES + HUGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED) return false;
    reserved = unused = (uint8_t *)(((uintptr_t)start + HUGE_BYTES - 1) & ~(HUGE_BYTES - 1));
    return true;
}

static void *take_elsewhere(size_t bytes) {
    void *other = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return other == MAP_FAILED ? NULL : other;
}

void *arena_take(size_t bytes) {
    if (bytes != ARENA_BYTES) return take_elsewhere(bytes);
    if (given_count > 0) return given[--given_count];
    if (unused + bytes > reserved + RESERVED_BYTES || mprotect(unused, bytes, PROT_READ | PROT_WRITE) != 0) return take_elsewhere(bytes);
    unused += bytes;
    return unused - bytes;
}

void arena_give(void *arena, size_t bytes) {
    if ((uint8_t *)arena < reserved || (uint8_t *)arena >= reserved + RESERVED_BYTES) {
        munmap(arena, bytes);
        return;
    }
    madvise(arena, bytes, MADV_DONTNEED);
    if (given_count < GIVEN_MAX) given[given_count++] = arena;
}
