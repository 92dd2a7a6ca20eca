/*
 * What Node sees of the compiled part: the fork server's connection, opening and resizing slots. The parts that no
 * interpreter shows in are those of the Python fork server, sandbox-images/python/forkserver.
 */
#include "slot.h"

#include "loops.h"
#include "node-abi.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define RANDOM_BYTES 16
#define SESSIONS_MAX 256

static napi_value fail(napi_env env, const char *step) {
    char text[256];
    snprintf(text, sizeof text, "%s: %s", step, strerror(errno));
    napi_throw_error(env, NULL, text);
    return NULL;
}

static napi_value property(napi_env env, napi_value object, const char *name) {
    napi_value value = NULL;
    napi_get_named_property(env, object, name, &value);
    return value;
}

static int64_t number_of(napi_env env, napi_value object, const char *name) {
    int64_t number = 0;
    napi_get_value_int64(env, property(env, object, name), &number);
    return number;
}

static void text_of(napi_env env, napi_value object, const char *name, char *into, size_t size) {
    size_t length;
    into[0] = 0;
    napi_get_value_string_utf8(env, property(env, object, name), into, size, &length);
}

static bool flag_of(napi_env env, napi_value object, const char *name) {
    bool flag = false;
    napi_get_value_bool(env, property(env, object, name), &flag);
    return flag;
}

static napi_value integer(napi_env env, int64_t number) {
    napi_value value = NULL;
    napi_create_int64(env, number, &value);
    return value;
}

static napi_value argument(napi_env env, napi_callback_info info, size_t place) {
    napi_value arguments[4] = {0};
    size_t count = 4;
    napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
    return arguments[place];
}

static int descriptor(napi_env env, napi_callback_info info) {
    int32_t fd = -1;
    napi_get_value_int32(env, argument(env, info, 0), &fd);
    return fd;
}

/* connect(path) -> descriptor */
static napi_value connect_engine(napi_env env, napi_callback_info info) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length;
    napi_get_value_string_utf8(env, argument(env, info, 0), address.sun_path, sizeof address.sun_path, &length);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) return fail(env, "connect to the engine");
    return integer(env, fd);
}

/* receive(descriptor) -> [kind, text], or null at the end of the stream */
static napi_value receive(napi_env env, napi_callback_info info) {
    uint8_t kind, *body;
    uint32_t length;
    napi_value frame, part;
    if (!frame_read(descriptor(env, info), &kind, &body, &length)) {
        napi_get_null(env, &frame);
        return frame;
    }
    napi_create_array_with_length(env, 2, &frame);
    napi_set_element(env, frame, 0, integer(env, kind));
    napi_create_string_utf8(env, (const char *)body, length, &part);
    napi_set_element(env, frame, 1, part);
    free(body);
    return frame;
}

/* send(descriptor, kind, text) */
static napi_value send_frame(napi_env env, napi_callback_info info) {
    int32_t kind = 0;
    size_t length = 0;
    napi_get_value_int32(env, argument(env, info, 1), &kind);
    napi_get_value_string_utf8(env, argument(env, info, 2), NULL, 0, &length);
    char *text = malloc(length + 1);
    if (!text) return fail(env, "send");
    napi_get_value_string_utf8(env, argument(env, info, 2), text, length + 1, &length);
    struct buffer body = {0};
    buffer_put(&body, text, length);
    free(text);
    bool sent = frame_write(descriptor(env, info), (uint8_t)kind, &body);
    buffer_free(&body);
    return sent ? NULL : fail(env, "send");
}

static napi_value text_list(napi_env env, const struct strings *strings) {
    napi_value list, item;
    napi_create_array_with_length(env, strings->count, &list);
    for (uint32_t i = 0; i < strings->count; i++) {
        napi_create_string_utf8(env, (const char *)strings->items[i].data, strings->items[i].length, &item);
        napi_set_element(env, list, i, item);
    }
    return list;
}

/* What no forked process may have of its parent: its number and what random numbers begin with. */
static void describe_process(napi_env env, napi_value object) {
    napi_value random;
    void *bytes;
    napi_set_named_property(env, object, "pid", integer(env, getpid()));
    napi_create_arraybuffer(env, RANDOM_BYTES, &bytes, &random);
    if (getrandom(bytes, RANDOM_BYTES, 0) != RANDOM_BYTES) _exit(1);
    napi_set_named_property(env, object, "random", random);
}

static napi_value call_process(napi_env env, const struct slot *slot, const struct request *request) {
    napi_value object, report;
    if (!own_loops(env)) _exit(1);
    napi_create_object(env, &object);
    describe_process(env, object);
    napi_set_named_property(env, object, "flags", integer(env, request->flags));
    napi_set_named_property(env, object, "args", text_list(env, &request->argv));
    napi_set_named_property(env, object, "env", text_list(env, &request->env));
    napi_create_external_arraybuffer(env, slot->report, REPORT_BYTES, NULL, NULL, &report);
    napi_set_named_property(env, object, "report", report);
    return object;
}

/* openSlot({index, uid, diskBytes, inodes, control, cgroupRoot, leaf, cgroupV2, sessions, keepOut}) -> pid, or the call's {pid, random, flags, args, env, report} */
static napi_value open_slot(napi_env env, napi_callback_info info) {
    static char control[108], root[PATH_BYTES_MAX], leaf[256];
    napi_value asked = argument(env, info, 0);
    struct slot *slot;
    struct request *request;
    text_of(env, asked, "control", control, sizeof control);
    text_of(env, asked, "cgroupRoot", root, sizeof root);
    text_of(env, asked, "leaf", leaf, sizeof leaf);
    struct slot_options options = {
        .index = (uint32_t)number_of(env, asked, "index"),
        .uid = (uid_t)number_of(env, asked, "uid"),
        .disk_bytes = (uint64_t)number_of(env, asked, "diskBytes"),
        .inodes = (uint64_t)number_of(env, asked, "inodes"),
        .control_path = control,
        .cgroup_root = root,
        .cgroup_leaf = leaf,
        .cgroup_v2 = flag_of(env, asked, "cgroupV2"),
        .directory = "",
        .readable = "",
        .keeps_descriptors = true,
        .sessions = flag_of(env, asked, "sessions"),
    };
    note_loops();
    pid_t pid = slot_open(&options, (int)number_of(env, asked, "keepOut"), &slot, &request);
    if (pid < 0) return fail(env, "open a slot");
    return pid == 0 ? call_process(env, slot, request) : integer(env, pid);
}

/* resize(pid, diskBytes, inodes) */
static napi_value resize(napi_env env, napi_callback_info info) {
    int64_t bytes = 0, inodes = 0;
    napi_get_value_int64(env, argument(env, info, 1), &bytes);
    napi_get_value_int64(env, argument(env, info, 2), &inodes);
    return slot_resize(descriptor(env, info), (uint64_t)bytes, (uint64_t)inodes) ? NULL : fail(env, "resize a slot");
}

/* protect(): this process is not readable to others. */
static napi_value protect(napi_env env, napi_callback_info info) {
    (void)info;
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 ? NULL : fail(env, "protect");
}

static napi_value landlock_abi(napi_env env, napi_callback_info info) {
    (void)info;
    return integer(env, slot_landlock_abi());
}

/*
 * keepText(): a forked process meets each page of a file that its parent only reads anew, for the kernel copies the page
 * tables of those mappings only that were written to once. So one byte of each is written over itself. Of 450 page
 * faults before the first line of a program this leaves 250. (Python, whose text is a tenth, gains nothing by it.)
 */
static napi_value keep_text(napi_env env, napi_callback_info info) {
    char line[PATH_BYTES_MAX + 128], access[8];
    unsigned long start, inode;
    (void)info;
    int memory = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
    FILE *maps = fopen("/proc/self/maps", "re");
    if (memory < 0 || !maps) return fail(env, "keep text");
    while (fgets(line, sizeof line, maps)) {
        uint8_t byte;
        bool read_only = sscanf(line, "%lx-%*x %7s %*s %*s %lu", &start, access, &inode) == 3 && inode != 0 && access[0] == 'r' && access[1] == '-';
        if (read_only && pread(memory, &byte, 1, (off_t)start) == 1 && pwrite(memory, &byte, 1, (off_t)start) != 1) break;
    }
    fclose(maps);
    close(memory);
    return NULL;
}

/* branch(pid, sessions, diskBytes, inodes): root directories for these sessions of a family, given by their numbers. */
static napi_value branch(napi_env env, napi_callback_info info) {
    napi_value list = argument(env, info, 1), item;
    int64_t bytes = 0, inodes = 0, number = 0;
    uint32_t sessions[SESSIONS_MAX], count = 0;
    napi_get_value_int64(env, argument(env, info, 2), &bytes);
    napi_get_value_int64(env, argument(env, info, 3), &inodes);
    napi_get_array_length(env, list, &count);
    if (count > SESSIONS_MAX) {
        errno = E2BIG;
        return fail(env, "branch");
    }
    for (uint32_t i = 0; i < count; i++) {
        napi_get_element(env, list, i, &item);
        napi_get_value_int64(env, item, &number);
        sessions[i] = (uint32_t)number;
    }
    return slot_branch(descriptor(env, info), sessions, count, (uint64_t)bytes, (uint64_t)inodes) ? NULL : fail(env, "branch");
}

/* prune(pid, session): removes the root directory of a session that ended. */
static napi_value prune(napi_env env, napi_callback_info info) {
    int64_t session = 0;
    napi_get_value_int64(env, argument(env, info, 1), &session);
    return slot_prune(descriptor(env, info), (uint32_t)session) ? NULL : fail(env, "prune");
}

static napi_value text(napi_env env, const char *data, size_t length) {
    napi_value value = NULL;
    napi_create_string_utf8(env, data, length, &value);
    return value;
}

/* sessionNext() -> {kind: "call", flags, source} | {kind: "fork", reseed} | {kind: "failure", message}. Waits for it. */
static napi_value next_order(napi_env env, napi_callback_info info) {
    struct packet order, failure;
    struct request request = {0};
    napi_value object, flag;
    (void)info;
    bool taken = session_next(&order, &request, &failure);
    bool is_fork = taken && order.kind == ORDER_FORK;
    const char *kind = is_fork ? "fork" : taken ? "call" : "failure";
    napi_create_object(env, &object);
    napi_set_named_property(env, object, "kind", text(env, kind, strlen(kind)));
    if (is_fork) {
        napi_get_boolean(env, order.value != 0, &flag);
        napi_set_named_property(env, object, "reseed", flag);
    } else if (taken) {
        napi_set_named_property(env, object, "flags", integer(env, request.flags));
        napi_set_named_property(env, object, "source", text(env, (const char *)request.source.data, request.source.length));
    } else {
        napi_set_named_property(env, object, "message", text(env, failure.text, strlen(failure.text)));
    }
    request_free(&request);
    return object;
}

/* sessionReady(): this interpreter takes orders. */
static napi_value ready(napi_env env, napi_callback_info info) {
    (void)env;
    (void)info;
    session_answer(ANSWER_READY, 0, NULL, NULL, 0);
    return NULL;
}

/* sessionDone(code, report) */
static napi_value done(napi_env env, napi_callback_info info) {
    size_t length = 0;
    char *report = malloc(REPORT_BYTES);
    if (report) napi_get_value_string_utf8(env, argument(env, info, 1), report, REPORT_BYTES, &length);
    session_answer(ANSWER_DONE, descriptor(env, info), NULL, report, length);
    free(report);
    return NULL;
}

/* sessionFork() -> null, or in the fork, once its files are its own, {pid, random}. */
static napi_value fork_here(napi_env env, napi_callback_info info) {
    char why[120] = "";
    napi_value object;
    (void)info;
    int side = session_fork();
    int error = errno;
    if (side != 0) {
        session_answer(ANSWER_FORKED, side < 0 ? error : 0, NULL, NULL, 0);
        napi_get_null(env, &object);
        return object;
    }
    if (!session_branch(why)) {
        session_answer(ANSWER_READY, EIO, why, NULL, 0);
        _exit(1);
    }
    if (!own_loops(env)) _exit(1);
    napi_create_object(env, &object);
    describe_process(env, object);
    return object;
}

/* sessionOwn(): ends this process unless it is a session's interpreter. */
static napi_value assert_own(napi_env env, napi_callback_info info) {
    (void)env;
    (void)info;
    session_assert_own();
    return NULL;
}

/* reap(): forgets slots that ended; the engine sees their end by their own connection. */
static napi_value reap(napi_env env, napi_callback_info info) {
    (void)env;
    (void)info;
    while (waitpid(-1, NULL, WNOHANG) > 0) continue;
    return NULL;
}

/* exit(code): at once, without the end of a program. */
static napi_value exit_now(napi_env env, napi_callback_info info) { _exit(descriptor(env, info)); }

int32_t node_api_module_get_api_version_v1(void) { return 8; }

napi_value napi_register_module_v1(napi_env env, napi_value exports) {
    static const struct {
        const char *name;
        napi_callback call;
    } functions[] = {{"connect", connect_engine}, {"receive", receive}, {"send", send_frame}, {"openSlot", open_slot},
                     {"resize", resize},          {"protect", protect}, {"landlockAbi", landlock_abi},
                     {"reap", reap},              {"exit", exit_now}, {"keepText", keep_text},
                     {"branch", branch},          {"prune", prune},     {"sessionNext", next_order}, {"sessionReady", ready},
                     {"sessionDone", done},       {"sessionFork", fork_here}, {"sessionOwn", assert_own}};
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        napi_value function;
        napi_create_function(env, functions[i].name, strlen(functions[i].name), functions[i].call, NULL, &function);
        napi_set_named_property(env, exports, functions[i].name, function);
    }
    return exports;
}
