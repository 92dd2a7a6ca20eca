/* Request and reply frames: a 32-bit little-endian length, a kind byte, then the body. */
#include "slot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#define FRAME_BYTES_MAX (256u << 20)
#define STRINGS_MAX 4096u
/* A buffer of this size or more is a mapping of its own: it grows without being copied, and freed it leaves nothing behind. */
#define MAPPED_BYTES (128u << 10)

void wipe_free(void *data, size_t length) {
    if (data) explicit_bzero(data, length);
    free(data);
}

void buffer_free(struct buffer *buffer) {
    if (buffer->capacity >= MAPPED_BYTES) munmap(buffer->data, buffer->capacity);
    else wipe_free(buffer->data, buffer->length);
    memset(buffer, 0, sizeof *buffer);
}

static uint8_t *map_more(struct buffer *buffer, size_t capacity) {
    if (buffer->capacity >= MAPPED_BYTES) {
        void *moved = mremap(buffer->data, buffer->capacity, capacity, MREMAP_MAYMOVE);
        return moved == MAP_FAILED ? NULL : moved;
    }
    uint8_t *data = mmap(NULL, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED) return NULL;
    if (buffer->length) memcpy(data, buffer->data, buffer->length);
    wipe_free(buffer->data, buffer->length);
    return data;
}

/* Not realloc, which leaves the old bytes where the next call would inherit them. */
static uint8_t *allocate_more(struct buffer *buffer, size_t capacity) {
    uint8_t *data = malloc(capacity);
    if (!data) return NULL;
    if (buffer->length) memcpy(data, buffer->data, buffer->length);
    wipe_free(buffer->data, buffer->length);
    return data;
}

static bool buffer_reserve(struct buffer *buffer, size_t more) {
    if (buffer->failed) return false;
    if (buffer->capacity - buffer->length >= more) return true;
    size_t capacity = buffer->capacity ? buffer->capacity : 512;
    while (capacity - buffer->length < more) capacity *= 2;
    uint8_t *data = (capacity >= MAPPED_BYTES ? map_more : allocate_more)(buffer, capacity);
    if (!data) {
        buffer->failed = true;
        return false;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

void buffer_put(struct buffer *buffer, const void *data, size_t length) {
    if (length == 0 || !buffer_reserve(buffer, length)) return;
    memcpy(buffer->data + buffer->length, data, length);
    buffer->length += length;
}

uint8_t *buffer_room(struct buffer *buffer, size_t length) {
    return buffer_reserve(buffer, length) ? buffer->data + buffer->length : NULL;
}

void buffer_refer(struct buffer *buffer, const void *data, size_t length) {
    if (length < REFERENCE_BYTES_MIN || buffer->references == REFERENCES_MAX) {
        buffer_put(buffer, data, length);
        return;
    }
    buffer->referred[buffer->references++] = (struct reference){buffer->length, data, length};
    buffer->referred_bytes += length;
}

void buffer_u8(struct buffer *buffer, uint8_t value) { buffer_put(buffer, &value, 1); }

void buffer_u32(struct buffer *buffer, uint32_t value) {
    uint8_t raw[4] = {value, value >> 8, value >> 16, value >> 24};
    buffer_put(buffer, raw, sizeof raw);
}

void buffer_u64(struct buffer *buffer, uint64_t value) {
    buffer_u32(buffer, (uint32_t)value);
    buffer_u32(buffer, (uint32_t)(value >> 32));
}

void buffer_bytes(struct buffer *buffer, const void *data, size_t length) {
    buffer_u32(buffer, (uint32_t)length);
    buffer_put(buffer, data, length);
}

static bool read_all(int fd, void *into, size_t length) {
    uint8_t *at = into;
    while (length > 0) {
        ssize_t got = read(fd, at, length);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        at += got;
        length -= (size_t)got;
    }
    return true;
}

bool frame_read(int fd, uint8_t *kind, uint8_t **body, uint32_t *length) {
    uint8_t header[5];
    *body = NULL;
    if (!read_all(fd, header, sizeof header)) return false;
    uint32_t size = header[0] | header[1] << 8 | header[2] << 16 | (uint32_t)header[3] << 24;
    if (size < 1 || size > FRAME_BYTES_MAX) return false;
    *kind = header[4];
    *length = size - 1;
    if (*length == 0) return true;
    *body = malloc(*length);
    return *body && read_all(fd, *body, *length);
}

/* The buffer's own bytes with those that it refers to between them; gives the number of parts. */
static int gather(const struct buffer *body, struct iovec *parts) {
    size_t done = 0;
    int count = 0;
    for (int i = 0; i < body->references; i++) {
        const struct reference *reference = &body->referred[i];
        if (reference->at > done) parts[count++] = (struct iovec){body->data + done, reference->at - done};
        parts[count++] = (struct iovec){(void *)reference->data, reference->length};
        done = reference->at;
    }
    if (body->length > done) parts[count++] = (struct iovec){body->data + done, body->length - done};
    return count;
}

bool frame_write(int fd, uint8_t kind, const struct buffer *body) {
    size_t length = body->length + body->referred_bytes + 1;
    if (body->failed || length > FRAME_BYTES_MAX) return false;
    uint32_t size = (uint32_t)length;
    uint8_t header[5] = {size, size >> 8, size >> 16, size >> 24, kind};
    struct iovec parts[2 * REFERENCES_MAX + 2] = {{header, sizeof header}};
    struct iovec *part = parts;
    int count = 1 + gather(body, parts + 1);
    while (count > 0) {
        ssize_t put = writev(fd, part, count);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return false;
        while (count > 0 && (size_t)put >= part->iov_len) {
            put -= (ssize_t)part->iov_len;
            part++;
            count--;
        }
        if (count > 0) {
            part->iov_base = (uint8_t *)part->iov_base + put;
            part->iov_len -= (size_t)put;
        }
    }
    return true;
}

static const uint8_t *take(struct reader *reader, size_t length) {
    static const uint8_t zero[8];
    if (!reader->ok || (size_t)(reader->end - reader->at) < length) {
        reader->ok = false;
        return zero;
    }
    const uint8_t *at = reader->at;
    reader->at += length;
    return at;
}

uint8_t take_u8(struct reader *reader) { return *take(reader, 1); }

uint32_t take_u32(struct reader *reader) {
    const uint8_t *raw = take(reader, 4);
    return raw[0] | raw[1] << 8 | raw[2] << 16 | (uint32_t)raw[3] << 24;
}

uint64_t take_u64(struct reader *reader) {
    uint64_t low = take_u32(reader);
    return low | (uint64_t)take_u32(reader) << 32;
}

struct bytes take_bytes(struct reader *reader) {
    struct bytes bytes = {NULL, take_u32(reader)};
    bytes.data = take(reader, bytes.length);
    if (!reader->ok) bytes.length = 0;
    return bytes;
}

static struct strings take_strings(struct reader *reader) {
    struct strings strings = {NULL, take_u32(reader)};
    if (!reader->ok || strings.count > STRINGS_MAX) {
        reader->ok = false;
        strings.count = 0;
        return strings;
    }
    if (strings.count == 0) return strings;
    strings.items = calloc(strings.count, sizeof *strings.items);
    if (!strings.items) {
        reader->ok = false;
        strings.count = 0;
        return strings;
    }
    for (uint32_t i = 0; i < strings.count; i++) strings.items[i] = take_bytes(reader);
    return strings;
}

bool request_parse(struct request *request, uint8_t *body, uint32_t length) {
    struct reader reader = {body, body + length, true};
    memset(request, 0, sizeof *request);
    request->body = body;
    request->body_length = length;
    request->flags = take_u8(&reader);
    request->wall_ms = take_u64(&reader);
    request->cpu_ms = take_u64(&reader);
    request->memory_bytes = take_u64(&reader);
    request->output_bytes = take_u64(&reader);
    request->flood_bytes = take_u64(&reader);
    request->processes = take_u64(&reader);
    request->collect_bytes = take_u64(&reader);
    request->file_name = take_bytes(&reader);
    request->source = take_bytes(&reader);
    request->stdin_bytes = take_bytes(&reader);
    request->argv = take_strings(&reader);
    request->env = take_strings(&reader);
    request->files = take_strings(&reader);
    request->collect = take_strings(&reader);
    return reader.ok && reader.at == reader.end && request->files.count % 2 == 0;
}

void request_free(struct request *request) {
    free(request->argv.items);
    free(request->env.items);
    free(request->files.items);
    free(request->collect.items);
    wipe_free(request->body, request->body_length);
    memset(request, 0, sizeof *request);
}
