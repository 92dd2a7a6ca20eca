/*
 * One output stream of a call: the first half of the kept bytes, the last half, and how many there were.
 * Memory grows with what is written, up to the kept bytes and no further.
 */
#include "slot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK_BYTES 65536
/* Read at most before the caller looks at its limits again: a fast writer keeps a pipe from ever being empty. */
#define CHUNKS_MAX 16

void capture_start(struct capture *capture, int fd, uint64_t output_bytes) {
    memset(capture, 0, sizeof *capture);
    capture->fd = fd;
    capture->head_max = (size_t)(output_bytes - output_bytes / 2);
    capture->tail_max = (size_t)(output_bytes / 2);
}

/* Keeps the newest `tail_max` bytes in a ring that grows by doubling until it has that size. */
static void tail_put(struct capture *capture, const uint8_t *data, size_t length) {
    if (capture->tail_max == 0) return;
    if (length > capture->tail_max) {
        data += length - capture->tail_max;
        length = capture->tail_max;
    }
    size_t wanted = capture->tail_length + length;
    if (wanted > capture->tail_max) wanted = capture->tail_max;
    if (capture->tail_capacity < wanted) {
        size_t capacity = capture->tail_capacity ? capture->tail_capacity : CHUNK_BYTES;
        while (capacity < wanted) capacity *= 2;
        if (capacity > capture->tail_max) capacity = capture->tail_max;
        /* Not wrapped yet: the ring wraps only once it has its full size. */
        uint8_t *tail = malloc(capacity);
        if (!tail) return;
        if (capture->tail_length) memcpy(tail, capture->tail, capture->tail_length);
        wipe_free(capture->tail, capture->tail_length);
        capture->tail = tail;
        capture->tail_capacity = capacity;
    }
    for (size_t done = 0; done < length;) {
        size_t at = (capture->tail_start + capture->tail_length) % capture->tail_capacity;
        size_t run = capture->tail_capacity - at;
        if (run > length - done) run = length - done;
        memcpy(capture->tail + at, data + done, run);
        done += run;
        capture->tail_length += run;
        if (capture->tail_length > capture->tail_capacity) {
            capture->tail_start = (capture->tail_start + capture->tail_length - capture->tail_capacity) % capture->tail_capacity;
            capture->tail_length = capture->tail_capacity;
        }
    }
}

bool capture_read(struct capture *capture) {
    static uint8_t chunk[CHUNK_BYTES];
    for (int i = 0; i < CHUNKS_MAX; i++) {
        ssize_t got = read(capture->fd, chunk, sizeof chunk);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return errno == EAGAIN;
        if (got == 0) return false;
        capture->total += (uint64_t)got;
        size_t head = capture->head_max - capture->head.length;
        if (head > (size_t)got) head = (size_t)got;
        buffer_put(&capture->head, chunk, head);
        if ((size_t)got > head) tail_put(capture, chunk + head, (size_t)got - head);
        explicit_bzero(chunk, (size_t)got);
        if ((size_t)got < sizeof chunk) return true;
    }
    return true;
}

uint64_t capture_memory(const struct capture *capture) {
    /* The old bytes and twice as many, for the time that they are copied. */
    return 3 * (uint64_t)(capture->head.capacity + capture->tail_capacity);
}

void capture_reply(const struct capture *capture, struct buffer *reply) {
    buffer_u64(reply, capture->total);
    buffer_bytes(reply, capture->head.data, capture->head.length);
    buffer_u32(reply, (uint32_t)capture->tail_length);
    size_t first = capture->tail_capacity - capture->tail_start;
    if (first > capture->tail_length) first = capture->tail_length;
    if (capture->tail) {
        buffer_put(reply, capture->tail + capture->tail_start, first);
        buffer_put(reply, capture->tail, capture->tail_length - first);
    }
}

void capture_free(struct capture *capture) {
    buffer_free(&capture->head);
    wipe_free(capture->tail, capture->tail_length);
    capture->tail = NULL;
}
