/**
 * The Node fork server: a Node that has started and opens slots on request, as the Python one does
 * (sandbox-images/python/forkserver/fork_server.py), with the same messages; only in containers with namespaces and cgroups. It answers synchronously and never comes
 * to its event loop; only a process of a call does.
 *
 * Usage: fork-server.js OPTIONS, a JSON object:
 *     control       path of the engine's socket
 *     cgroup_root   where the slots' cgroups are mounted
 *     cgroup_v2     whether that is a cgroup2 file system
 *     inodes        files that a slot's scratch file system may hold
 *     uid_shift     what is added to the user of a slot
 */
"use strict";

const { readFileSync } = require("node:fs");
const slots = require("./slot.node");
const { prepare, run } = require("./program.js");
const { serveSession } = require("./session.js");

const OPEN = 16;
const RESIZE = 17;
const BRANCH = 21;
const PRUNE = 22;
const READY = 18;
const FAILED = 19;
const DONE = 20;
/** Flag of a request: the process is the interpreter of a session. */
const RUN_SESSION = 16;

/** The user of a slot: one of its own where this process may take another, else this process's. */
function userOf(message, options) {
  const lines = readFileSync("/proc/self/uid_map", "utf8").trim().split("\n");
  const users = lines.reduce((sum, line) => sum + Number(line.trim().split(/\s+/)[2]), 0);
  return process.getuid() === 0 && users > 1 ? message.uid + options.uid_shift : process.getuid();
}

function openSlot(connection, options, message) {
  return slots.openSlot({
    index: message.index,
    uid: userOf(message, options),
    diskBytes: message.disk_bytes,
    inodes: options.inodes,
    control: options.control,
    cgroupRoot: options.cgroup_root,
    leaf: message.leaf,
    cgroupV2: options.cgroup_v2,
    sessions: message.sessions ?? false,
    keepOut: connection,
  });
}

function done(connection, { index, pid }) {
  slots.send(connection, DONE, JSON.stringify({ index, pid }));
}

/** Carries one request out. Returns the call when this process became that of one. */
function carryOut(connection, options, kind, message) {
  slots.reap();
  if (kind === OPEN) {
    const opened = openSlot(connection, options, message);
    if (typeof opened === "object") return opened;
    done(connection, { ...message, pid: opened });
  } else if (kind === RESIZE) {
    slots.resize(message.pid, message.disk_bytes, options.inodes);
    done(connection, message);
  } else if (kind === BRANCH) {
    slots.branch(message.pid, message.sessions, message.disk_bytes, options.inodes);
    done(connection, message);
  } else if (kind === PRUNE) {
    for (const session of message.sessions) slots.prune(message.pid, session);
    done(connection, message);
  }
  return null;
}

/** Answers the engine until it hangs up; in the process of a call returns it. */
function serve(connection, options) {
  for (;;) {
    const frame = slots.receive(connection);
    if (frame === null) slots.exit(0);
    const [kind, text] = frame;
    const message = JSON.parse(text);
    try {
      const call = carryOut(connection, options, kind, message);
      if (call !== null) return call;
    } catch (error) {
      slots.send(connection, FAILED, JSON.stringify({ index: message.index, message: error.message }));
    }
  }
}

const options = JSON.parse(process.argv[2]);
prepare();
slots.keepText();
slots.protect();
const connection = slots.connect(options.control);
slots.send(
  connection,
  READY,
  JSON.stringify({ version: process.versions.node, missing: [], landlock: slots.landlockAbi() }),
);
const call = serve(connection, options);
if ((call.flags & RUN_SESSION) !== 0) serveSession(slots, call);
else run(call, slots.exit);
