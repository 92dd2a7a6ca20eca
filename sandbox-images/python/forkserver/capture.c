/*
 * One output stream of a call: the first half of the kept bytes, the last half, and how many there were.
 * Memory grows with what is written, up to the kept bytes and no further.
 */
#include "slot.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CHUNK_BYTES 65536
/* With less room than this more is taken. */
#define ROOM_BYTES_MIN 4096
/* Read at most before the caller looks at its limits again: a fast writer keeps a pipe from ever being empty. */
#define CHUNKS_MAX 16

void capture_start(struct capture *capture, int fd, uint64_t output_bytes) {
    memset(capture, 0, sizeof *capture);
    capture->fd = fd;
    capture->head_max = (size_t)(output_bytes - output_bytes / 2);
    capture->tail_max = (size_t)(output_bytes / 2);
}

/* Keeps the newest `tail_max` bytes in a ring. */
static void tail_put(struct capture *capture, const uint8_t *data, size_t length) {
    size_t size = capture->tail_max;
    if (size == 0) return;
    if (!capture->tail) {
        void *ring = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (ring == MAP_FAILED) return;
        capture->tail = ring;
    }
    if (length > size) {
        data += length - size;
        length = size;
    }
    for (size_t done = 0; done < length;) {
        size_t at = (capture->tail_start + capture->tail_length) % size;
        size_t run = size - at;
        if (run > length - done) run = length - done;
        memcpy(capture->tail + at, data + done, run);
        done += run;
        capture->tail_length += run;
        if (capture->tail_length > size) {
            capture->tail_start = (capture->tail_start + capture->tail_length - size) % size;
            capture->tail_length = size;
        }
    }
}

/* Reads where the bytes are to stay, as long as they belong to the first half. */
static ssize_t read_head(struct capture *capture, size_t length) {
    uint8_t *room = buffer_room(&capture->head, length);
    if (!room) {
        errno = ENOMEM;
        return -1;
    }
    ssize_t got = read(capture->fd, room, length);
    if (got > 0) capture->head.length += (size_t)got;
    return got;
}

/* How much to read at once: what is left of the room there is before more is taken. */
static size_t chunk_of(const struct capture *capture) {
    size_t left = capture->head_max - capture->head.length, room = capture->head.capacity - capture->head.length;
    size_t chunk = room >= ROOM_BYTES_MIN && room < CHUNK_BYTES ? room : CHUNK_BYTES;
    return left > 0 && left < chunk ? left : chunk;
}

static ssize_t read_tail(struct capture *capture) {
    static uint8_t chunk[CHUNK_BYTES];
    ssize_t got = read(capture->fd, chunk, sizeof chunk);
    if (got > 0) {
        tail_put(capture, chunk, (size_t)got);
        explicit_bzero(chunk, (size_t)got);
    }
    return got;
}

bool capture_read(struct capture *capture) {
    capture->pressing = false;
    for (int i = 0; i < CHUNKS_MAX; i++) {
        size_t wanted = chunk_of(capture);
        ssize_t got = capture->head.length < capture->head_max ? read_head(capture, wanted) : read_tail(capture);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return errno == EAGAIN;
        if (got == 0) return false;
        capture->total += (uint64_t)got;
        if ((size_t)got < wanted) return true;
        capture->pressing = true;
    }
    return true;
}

uint64_t capture_memory(const struct capture *capture) {
    if (capture->head.capacity <= CHUNK_BYTES && !capture->tail) return 0;
    /* The old bytes and twice as many, for the time that they are copied. */
    return 3 * (uint64_t)(capture->head.capacity + capture->tail_length);
}

void capture_reply(const struct capture *capture, struct buffer *reply) {
    buffer_u64(reply, capture->total);
    buffer_u32(reply, (uint32_t)capture->head.length);
    buffer_refer(reply, capture->head.data, capture->head.length);
    buffer_u32(reply, (uint32_t)capture->tail_length);
    size_t first = capture->tail_max - capture->tail_start;
    if (first > capture->tail_length) first = capture->tail_length;
    if (capture->tail) {
        buffer_refer(reply, capture->tail + capture->tail_start, first);
        buffer_refer(reply, capture->tail, capture->tail_length - first);
    }
}

void capture_free(struct capture *capture) {
    buffer_free(&capture->head);
    if (capture->tail) munmap(capture->tail, capture->tail_max);
    capture->tail = NULL;
}
