/* Orders and answers between a family's slot and its interpreters: one packet each, with descriptors. */
#include "slot.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(PACKET_DESCRIPTORS_MAX * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
};

bool packet_send(int channel, const struct packet *packet, const int *descriptors, int count) {
    union control control;
    struct iovec part = {(void *)packet, sizeof *packet};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (count > 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
        memcpy(CMSG_DATA(header), descriptors, (size_t)count * sizeof(int));
    }
    for (;;) {
        ssize_t sent = sendmsg(channel, &message, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        return sent == (ssize_t)sizeof *packet;
    }
}

static void take_control(struct msghdr *message, int *descriptors, int *count, pid_t *sender) {
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level != SOL_SOCKET) continue;
        size_t length = header->cmsg_len - CMSG_LEN(0);
        if (header->cmsg_type == SCM_CREDENTIALS && sender) {
            struct ucred credentials;
            memcpy(&credentials, CMSG_DATA(header), sizeof credentials);
            *sender = credentials.pid;
        }
        if (header->cmsg_type != SCM_RIGHTS) continue;
        int given[PACKET_DESCRIPTORS_MAX], number = (int)(length / sizeof(int));
        memcpy(given, CMSG_DATA(header), length);
        for (int i = 0; i < number; i++) {
            /* Nobody asked an interpreter for descriptors. */
            if (descriptors && *count < PACKET_DESCRIPTORS_MAX) descriptors[(*count)++] = given[i];
            else close(given[i]);
        }
    }
}

bool packet_receive(int channel, struct packet *packet, int *descriptors, int *count, pid_t *sender) {
    union control control;
    struct iovec part = {packet, sizeof *packet};
    for (;;) {
        struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
        ssize_t got = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
        if (got < 0 && errno == EINTR) continue;
        if (got == 0) errno = 0;
        if (got <= 0) return false;
        if (count) *count = 0;
        if (sender) *sender = 0;
        take_control(&message, descriptors, count, sender);
        packet->text[sizeof packet->text - 1] = 0;
        if (got == (ssize_t)sizeof *packet) return true;
        for (int i = 0; count && i < *count; i++) close(descriptors[i]);
    }
}
