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
"open_slot(index, uid, disk_bytes, inodes, control_path, cgroup_root, cgroup_leaf, cgroup_v2, directory, readable, keep_out)\n"
"-> pid | request\n\n"
"Forks a slot process into a new pid namespace, or, where `directory` is not empty, into none. It connects to the engine and forks one process for each\n"
"call. In the fork server returns the slot's pid. In the process of a call returns the request as\n"
"(flags, source, argv, env, report). `keep_out` is a descriptor that is closed in the slot.");

static PyObject *open_slot(PyObject *self, PyObject *args) {
    (void)self;
    struct slot_options options = {0};
    unsigned long long disk_bytes, inodes;
    int v2, keep_out;
    if (!PyArg_ParseTuple(args, "IIKKssspssi", &options.index, &options.uid, &disk_bytes, &inodes, &options.control_path, &options.cgroup_root,
                          &options.cgroup_leaf, &v2, &options.directory, &options.readable, &keep_out)) {
        return NULL;
    }
    options.disk_bytes = disk_bytes;
    options.inodes = inodes;
    options.cgroup_v2 = v2 != 0;
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

PyDoc_STRVAR(compact_doc, "compact() -> int\n\nMoves the heap into huge pages, which make a fork cheaper; returns how many there are.");

static PyObject *compact_heap(PyObject *self, PyObject *ignored) {
    (void)self;
    (void)ignored;
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
    if (!landlock_install_process(readable, NULL, why) || !filter_install(why) || !filter_install_process(own_user, why)) {
        PyErr_SetString(PyExc_OSError, why);
        return NULL;
    }
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
    {"compact", compact_heap, METH_NOARGS, compact_doc},
    {"landlock_abi", landlock_abi, METH_NOARGS, landlock_abi_doc},
    {"protect", protect, METH_NOARGS, protect_doc},
    {"confine", confine, METH_VARARGS, confine_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_slot", "Slots of the fork server.", -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__slot(void) { return PyModule_Create(&definition); }
