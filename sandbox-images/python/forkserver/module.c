/*
 * What Python sees of the compiled part: open a slot, resize its scratch file system, execute a command line.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "slot.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

static PyObject *bytes_list(const struct strings *strings) {
    PyObject *list = PyList_New(strings->count);
    for (uint32_t i = 0; list && i < strings->count; i++) {
        PyObject *item = PyBytes_FromStringAndSize((const char *)strings->items[i].data, strings->items[i].length);
        if (!item) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, i, item);
    }
    return list;
}

static PyObject *describe_request(const struct slot *slot, struct request *request) {
    PyObject *argv = bytes_list(&request->argv), *env = bytes_list(&request->env);
    PyObject *report = PyMemoryView_FromMemory((char *)slot->report, REPORT_BYTES, PyBUF_WRITE);
    if (!argv || !env || !report) return NULL;
    return Py_BuildValue("(iy#NNN)", request->flags, (const char *)request->source.data, (Py_ssize_t)request->source.length, argv, env, report);
}

PyDoc_STRVAR(open_slot_doc,
"open_slot(index, uid, disk_bytes, inodes, control_path, cgroup_root, cgroup_leaf, cgroup_v2, directory, readable, keep_out, sessions)\n"
"-> pid | request\n\n"
"Forks a slot process into a new pid namespace, or, where `directory` is not empty, into none. It connects to the engine and forks one process for each\n"
"call. In the fork server returns the slot's pid. In the process of a call returns the request as\n"
"(flags, source, argv, env, report). `keep_out` is a descriptor that is closed in the slot.");

static PyObject *open_slot(PyObject *self, PyObject *args) {
    (void)self;
    struct slot_options options = {0};
    unsigned long long disk_bytes, inodes;
    int v2, keep_out, sessions;
    if (!PyArg_ParseTuple(args, "IIKKssspssip", &options.index, &options.uid, &disk_bytes, &inodes, &options.control_path, &options.cgroup_root,
                          &options.cgroup_leaf, &v2, &options.directory, &options.readable, &keep_out, &sessions)) {
        return NULL;
    }
    options.disk_bytes = disk_bytes;
    options.inodes = inodes;
    options.cgroup_v2 = v2 != 0;
    options.sessions = sessions != 0;
    struct slot *slot;
    struct request *request;
    pid_t pid = slot_open(&options, keep_out, &slot, &request);
    if (pid < 0) return PyErr_SetFromErrno(PyExc_OSError);
    return pid == 0 ? describe_request(slot, request) : PyLong_FromLong(pid);
}

PyDoc_STRVAR(resize_doc,
"resize(slot_pid, disk_bytes, inodes) -> None\n\nChanges the size of the scratch file system of an idle slot.");

static PyObject *resize(PyObject *self, PyObject *args) {
    (void)self;
    int pid;
    unsigned long long disk_bytes, inodes;
    if (!PyArg_ParseTuple(args, "iKK", &pid, &disk_bytes, &inodes)) return NULL;
    if (!slot_resize(pid, disk_bytes, inodes)) return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(protect_doc, "protect() -> None\n\nMakes this process unreadable to others: not dumpable.");

static PyObject *protect(PyObject *self, PyObject *ignored) {
    (void)self;
    (void)ignored;
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(gather_doc, "gather() -> None\n\nLays the arenas that the interpreter takes from now on beside each other, which makes a fork cheaper.");

static void *take_arena(void *ignored, size_t bytes) {
    (void)ignored;
    return arena_take(bytes);
}

static void give_arena(void *ignored, void *arena, size_t bytes) {
    (void)ignored;
    arena_give(arena, bytes);
}

static PyObject *gather(PyObject *self, PyObject *ignored) {
    (void)self;
    (void)ignored;
    PyObjectArenaAllocator arenas = {NULL, take_arena, give_arena};
    if (arenas_reserve()) PyObject_SetArenaAllocator(&arenas);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(compact_doc, "compact() -> int\n\nJoins memory areas and moves the heap into huge pages, which make a fork cheaper; returns how many there are.");

static PyObject *compact_heap(PyObject *self, PyObject *ignored) {
    (void)self;
    (void)ignored;
    areas_join();
    return PyLong_FromLong(compact());
}

PyDoc_STRVAR(confine_doc,
"confine(uid, readable) -> None\n\n"
"Confines this very process without namespaces, for a program that it then executes: its user, no capability, no new\n"
"process, no file but those below `readable` (paths separated by colons).");

static PyObject *confine(PyObject *self, PyObject *args) {
    (void)self;
    unsigned int uid;
    const char *readable;
    char why[256] = "";
    if (!PyArg_ParseTuple(args, "Is", &uid, &readable)) return NULL;
    bool own_user = uid != getuid();
    bool done = !own_user || (setgroups(0, NULL) == 0 && setresgid(uid, uid, uid) == 0 && setresuid(uid, uid, uid) == 0);
    done = done && capabilities_drop_all() && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0;
    if (!done) return PyErr_SetFromErrno(PyExc_OSError);
    if (!landlock_install_process(readable, NULL, why) || !filter_install(false, why) || !filter_install_process(own_user, why)) {
        PyErr_SetString(PyExc_OSError, why);
        return NULL;
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(branch_doc,
"branch(slot_pid, sessions, disk_bytes, inodes) -> None\n\n"
"Makes root directories for these sessions, given by their numbers, in a family's slot, each with scratch of its own.");

static PyObject *branch(PyObject *self, PyObject *args) {
    (void)self;
    int pid;
    PyObject *list;
    unsigned long long disk_bytes, inodes;
    uint32_t sessions[256];
    if (!PyArg_ParseTuple(args, "iO!KK", &pid, &PyList_Type, &list, &disk_bytes, &inodes)) return NULL;
    Py_ssize_t count = PyList_GET_SIZE(list);
    if (count > (Py_ssize_t)(sizeof sessions / sizeof *sessions)) {
        PyErr_SetString(PyExc_ValueError, "too many sessions");
        return NULL;
    }
    for (Py_ssize_t i = 0; i < count; i++) sessions[i] = (uint32_t)PyLong_AsUnsignedLong(PyList_GET_ITEM(list, i));
    if (PyErr_Occurred()) return NULL;
    if (!slot_branch(pid, sessions, (size_t)count, disk_bytes, inodes)) return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(prune_doc, "prune(slot_pid, session) -> None\n\nRemoves the root directory of a session that ended.");

static PyObject *prune(PyObject *self, PyObject *args) {
    (void)self;
    int pid;
    unsigned int session;
    if (!PyArg_ParseTuple(args, "iI", &pid, &session)) return NULL;
    if (!slot_prune(pid, session)) return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(session_next_doc,
"session_next() -> (flags, source) | reseed | message\n\n"
"In a session's interpreter: waits for an order. Of a call its flags and source, of a fork whether to seed anew; a text says\n"
"why a call could not be made ready.");

static PyObject *next_order(PyObject *self, PyObject *ignored) {
    (void)self;
    (void)ignored;
    struct packet order, failure;
    struct request request = {0};
    bool taken;
    Py_BEGIN_ALLOW_THREADS
    taken = session_next(&order, &request, &failure);
    Py_END_ALLOW_THREADS
    if (!taken) {
        request_free(&request);
        return PyUnicode_FromString(failure.text);
    }
    if (order.kind == ORDER_FORK) return PyBool_FromLong(order.value);
    PyObject *call = Py_BuildValue("(iy#)", request.flags, (const char *)request.source.data, (Py_ssize_t)request.source.length);
    request_free(&request);
    return call;
}

PyDoc_STRVAR(session_ready_doc, "session_ready() -> None\n\nTells the slot that this interpreter takes orders.");

static PyObject *ready(PyObject *self, PyObject *ignored) {
    (void)self;
    (void)ignored;
    session_answer(ANSWER_READY, 0, NULL, NULL, 0);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(session_done_doc, "session_done(code, report) -> None\n\nTells the slot that the call is done.");

static PyObject *done(PyObject *self, PyObject *args) {
    (void)self;
    int code;
    const char *text;
    Py_ssize_t length;
    if (!PyArg_ParseTuple(args, "iy#", &code, &text, &length)) return NULL;
    session_answer(ANSWER_DONE, code, NULL, text, (size_t)length < REPORT_BYTES ? (size_t)length : 0);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(session_fork_doc,
"session_fork() -> bool\n\n"
"Forks this interpreter as it was ordered: True in the fork, once its files are its own. Ends a fork that fails.");

static PyObject *fork_here(PyObject *self, PyObject *ignored) {
    (void)self;
    (void)ignored;
    char why[116] = "";
    PyOS_BeforeFork();
    int side = session_fork();
    int error = errno;
    if (side != 0) {
        PyOS_AfterFork_Parent();
        session_answer(ANSWER_FORKED, side < 0 ? error : 0, NULL, NULL, 0);
        Py_RETURN_FALSE;
    }
    PyOS_AfterFork_Child();
    if (!session_branch(why)) {
        session_answer(ANSWER_READY, EIO, why, NULL, 0);
        _exit(1);
    }
    Py_RETURN_TRUE;
}

PyDoc_STRVAR(session_own_doc, "session_own() -> None\n\nEnds this process unless it is a session's interpreter.");

static PyObject *assert_own(PyObject *self, PyObject *ignored) {
    (void)self;
    (void)ignored;
    session_assert_own();
    Py_RETURN_NONE;
}

PyDoc_STRVAR(nest_doc, "nest(first, count) -> None\n\nMakes this process pid 1 and root of new namespaces, with `count` ids from `first` on.");

static PyObject *enter_nest(PyObject *self, PyObject *args) {
    (void)self;
    unsigned first, count;
    if (!PyArg_ParseTuple(args, "II", &first, &count)) return NULL;
    if (!nest(first, count)) return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(landlock_abi_doc, "landlock_abi() -> int\n\nVersion of the kernel's Landlock, 0 where it has none.");

static PyObject *landlock_abi(PyObject *self, PyObject *ignored) {
    (void)self;
    (void)ignored;
    return PyLong_FromLong(slot_landlock_abi());
}

static PyMethodDef methods[] = {
    {"open_slot", open_slot, METH_VARARGS, open_slot_doc},
    {"resize", resize, METH_VARARGS, resize_doc},
    {"gather", gather, METH_NOARGS, gather_doc},
    {"compact", compact_heap, METH_NOARGS, compact_doc},
    {"branch", branch, METH_VARARGS, branch_doc},
    {"prune", prune, METH_VARARGS, prune_doc},
    {"session_next", next_order, METH_NOARGS, session_next_doc},
    {"session_ready", ready, METH_NOARGS, session_ready_doc},
    {"session_done", done, METH_VARARGS, session_done_doc},
    {"session_fork", fork_here, METH_NOARGS, session_fork_doc},
    {"session_own", assert_own, METH_NOARGS, session_own_doc},
    {"landlock_abi", landlock_abi, METH_NOARGS, landlock_abi_doc},
    {"protect", protect, METH_NOARGS, protect_doc},
    {"confine", confine, METH_VARARGS, confine_doc},
    {"nest", enter_nest, METH_VARARGS, nest_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_slot", "Slots of the fork server.", -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__slot(void) { return PyModule_Create(&definition); }
