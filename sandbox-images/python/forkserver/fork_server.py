"""The fork server: an interpreter that has imported its modules and opens slots on request.

Runs as the first process of a container. The engine connects each slot by its own socket; this process is
asked only to open a slot and to resize one, so it is idle while calls run.

Usage: fork_server.py OPTIONS, a JSON object:
    control       path of the engine's socket
    modules       modules to import before the first fork
    sys_path      directories of packages
    cgroup_root   where the slots' cgroups are mounted; empty when there are none and limits are kept by looking
    cgroup_v2     whether that is a cgroup2 file system
    inodes        files that a slot's scratch file system may hold
    directory     where slots without namespaces have their files; empty for slots with namespaces
    readable      then: what programs may read, separated by colons
    uid_shift     what is added to the user of a slot
"""

import gc
import json
import os
import socket
import struct
import sys

import _slot
import parts
import preload
import program
import session

OPEN, RESIZE, READY, FAILED, DONE, BRANCH, PRUNE = 16, 17, 18, 19, 20, 21, 22
CELL, EXEC, FRESH_RANDOM, FINISH, SESSION, PARTS = 1, 2, 4, 8, 16, 32
FRAME_BYTES_MAX = 1 << 16
DESCRIPTORS_MAX = 1 << 16


def receive(connection):
    """One frame as (kind, object), or None when the engine hung up."""
    header = connection.recv(5, socket.MSG_WAITALL)
    if len(header) < 5:
        return None
    length, kind = struct.unpack("<IB", header)
    if not 1 <= length <= FRAME_BYTES_MAX:
        return None
    body = connection.recv(length - 1, socket.MSG_WAITALL) if length > 1 else b"{}"
    return kind, json.loads(body)


def send(connection, kind, value):
    body = json.dumps(value).encode()
    connection.sendall(struct.pack("<IB", len(body) + 1, kind) + body)


def reap(pids):
    """Forgets slots that ended; the engine sees their end by their own connection."""
    for pid in list(pids):
        try:
            if os.waitpid(pid, os.WNOHANG)[0] == pid:
                del pids[pid]
        except ChildProcessError:
            del pids[pid]


def user_of(message, options):
    """The user of a slot: one of its own where this process may take another, else this process's."""
    with open("/proc/self/uid_map") as lines:
        users = sum(int(line.split()[2]) for line in lines)
    return message["uid"] + options["uid_shift"] if os.getuid() == 0 and users > 1 else os.getuid()


def set_disk(options, leaf, message):
    """Tells a slot without a file system of its own how much its calls may write."""
    with open(f"{options['directory']}/{leaf}.disk", "w") as file:
        file.write(str(message["disk_bytes"]))


def carry_out(connection, options, pids, kind, message):
    """Carries one request out. Returns a request when this process became that of a call."""
    reap(pids)
    if kind == OPEN:
        if options["directory"]:
            set_disk(options, message["leaf"], message)
        opened = _slot.open_slot(
            message["index"],
            user_of(message, options),
            message["disk_bytes"],
            options["inodes"],
            options["control"],
            options["cgroup_root"],
            message["leaf"],
            options["cgroup_v2"],
            f"{options['directory']}/{message['leaf']}" if options["directory"] else "",
            options["readable"],
            connection.fileno(),
            message.get("sessions", False),
        )
        if not isinstance(opened, int):
            return opened
        pids[opened] = message["leaf"]
        send(connection, DONE, {"index": message["index"], "pid": opened})
    elif kind == RESIZE:
        if options["directory"]:
            set_disk(options, pids[message["pid"]], message)
        else:
            _slot.resize(message["pid"], message["disk_bytes"], options["inodes"])
        send(connection, DONE, {"index": message["index"], "pid": message["pid"]})
    elif kind == BRANCH:
        _slot.branch(message["pid"], message["sessions"], message["disk_bytes"], options["inodes"])
        send(connection, DONE, {"index": message["index"], "pid": message["pid"]})
    elif kind == PRUNE:
        for session in message["sessions"]:
            _slot.prune(message["pid"], session)
        send(connection, DONE, {"index": message["index"], "pid": message["pid"]})
    return None


def serve(connection, options):
    """Answers the engine until it hangs up; in the process of a call returns its request."""
    pids = {}
    while True:
        frame = receive(connection)
        if frame is None:
            os._exit(0)
        kind, message = frame
        try:
            request = carry_out(connection, options, pids, kind, message)
        except OSError as error:
            send(connection, FAILED, {"index": message.get("index"), "message": str(error)})
            continue
        if request is not None:
            return request


def main():
    _slot.gather()
    options = json.loads(sys.argv[1])
    if options["directory"]:
        # No container's runtime has closed what the service inherited and hands on.
        os.closerange(3, DESCRIPTORS_MAX)
    missing = preload.preload(options["modules"], options["sys_path"])
    _slot.protect()
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(options["control"])
    doubt = preload.doubt(allowed_descriptors={0, 1, 2, connection.fileno()})
    if options["directory"] and _slot.landlock_abi() < 1:
        doubt = "this kernel has no Landlock: a call without namespaces could write everywhere"
    if doubt:
        send(connection, FAILED, {"index": None, "message": doubt})
        os._exit(1)
    send(
        connection,
        READY,
        {"version": sys.version.split()[0], "missing": missing, "landlock": _slot.landlock_abi()},
    )
    program.prepare()
    gc.collect()
    gc.freeze()
    _slot.compact()
    flags, source, argv, env, report = serve(connection, options)
    # From here on this is the process of one call, confined, with its own user and standard streams.
    if flags & SESSION and not flags & PARTS:
        session.serve(env)
    if flags & EXEC:
        program.execute(argv, env)
    program.run(
        source,
        argv,
        env,
        report,
        parts=parts.code() if flags & PARTS else None,
        cell=bool(flags & CELL),
        fresh_random=bool(flags & FRESH_RANDOM),
        finish=bool(flags & FINISH),
    )


if __name__ == "__main__":
    main()
