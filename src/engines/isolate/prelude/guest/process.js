/* The `process` of the program. Node's own modules hold the same object; here it gets what a program sees. */
const {
  ArrayPrototypeUnshift,
  BigInt,
  Error,
  MathFloor,
  ObjectAssign,
  ObjectDefineProperty,
  ObjectDefineProperties,
  ObjectSetPrototypeOf,
  Proxy,
  String,
} = primordials;
const EventEmitter = require("events");
const { codes } = require("internal/errors");
const clock = require("guest/clock");
const finish = require("guest/finish");
const output = require("guest/output");
const loop = require("guest/loop");

/** stdout or stderr: writes at once, so there is nothing to wait for or to drain. */
class OutputStream extends EventEmitter {
  constructor(fd) {
    super();
    this.fd = fd;
    this.writable = true;
    this._isStdio = true;
    this._type = "pipe";
  }
  write(chunk, encoding, callback) {
    if (
      typeof chunk === "string" &&
      (typeof encoding !== "string" || encoding === "utf8" || encoding === "utf-8")
    )
      output.write(this.fd, chunk);
    else if (typeof chunk === "string") output.write(this.fd, require("buffer").Buffer.from(chunk, encoding));
    else if (primordials.ArrayBufferIsView(chunk))
      output.write(this.fd, new primordials.Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    else throw new codes.ERR_INVALID_ARG_TYPE("chunk", ["string", "Buffer", "TypedArray", "DataView"], chunk);
    const done = typeof encoding === "function" ? encoding : callback;
    if (typeof done === "function") loop.nextTick(done, null);
    return true;
  }
  end(chunk, encoding, callback) {
    if (typeof chunk === "function") return this.end(undefined, undefined, chunk);
    if (chunk !== undefined && chunk !== null) this.write(chunk, encoding);
    if (typeof callback === "function") loop.nextTick(callback);
    return this;
  }
  cork() {}
  uncork() {}
  destroy() {
    return this;
  }
}

function hrtime(previous) {
  const nanoseconds = clock.now() * 1e6;
  const seconds = MathFloor(nanoseconds / 1e9);
  const rest = nanoseconds % 1e9;
  if (previous === undefined) return [seconds, rest];
  const borrow = rest < previous[1] ? 1 : 0;
  return [seconds - previous[0] - borrow, rest - previous[1] + borrow * 1e9];
}
hrtime.bigint = () => BigInt(MathFloor(clock.now())) * 1_000_000n;

function refuse(name) {
  return () => {
    throw new Error(`process.${name}() is not available`);
  };
}

const usage = () => {
  const [heapTotal, heapUsed, external] = host.memory().split(",").map(Number);
  return { rss: heapTotal + external, heapTotal, heapUsed, external, arrayBuffers: external };
};

const lazy = (make) => {
  let value;
  return { __proto__: null, configurable: true, enumerable: true, get: () => (value ??= make()) };
};

function setCall({ args, env, file }) {
  process.argv = ["/usr/local/bin/node", file];
  for (let i = 0; i < args.length; i++) process.argv[i + 2] = args[i];
  /* As the operating system does, the environment holds strings only. */
  process.env = new Proxy(
    { ...env },
    {
      set: (target, key, value) => ((target[key] = String(value)), true),
      defineProperty: (target, key, descriptor) =>
        ObjectDefineProperty(target, key, {
          __proto__: null,
          ...descriptor,
          value: String(descriptor.value),
        }) === target,
    },
  );
}

exports.stdout = new OutputStream(1);
exports.stderr = new OutputStream(2);

/** Done when a program first needs it, or what needs it. */
exports.install = (call) => {
  const { exitCode } = process;
  const proto = ObjectDefineProperty({ __proto__: EventEmitter.prototype }, "constructor", {
    __proto__: null,
    configurable: true,
    writable: true,
    value: function process() {},
  });
  ObjectSetPrototypeOf(process, proto);
  ObjectDefineProperty(process, primordials.SymbolToStringTag, {
    __proto__: null,
    configurable: true,
    value: "process",
  });
  EventEmitter.call(process);
  ObjectAssign(process, {
    title: "node",
    pid: 2,
    ppid: 1,
    arch: "x64",
    platform: "linux",
    execPath: "/usr/local/bin/node",
    execArgv: [],
    exitCode,
    debugPort: 9229,
    features: { inspector: false, typescript: false },
    config: {},
    release: { name: "node" },
    argv0: "node",
    nextTick: loop.nextTick,
    hrtime,
    exit: finish.exit,
    reallyExit: finish.exitNow,
    abort: () => finish.exitNow(134),
    cwd: () => "/work",
    chdir: refuse("chdir"),
    umask: () => 0o22,
    kill: refuse("kill"),
    uptime: () => clock.now() / 1000,
    getuid: () => 65534,
    geteuid: () => 65534,
    getgid: () => 65534,
    getegid: () => 65534,
    getgroups: () => [65534],
    memoryUsage: ObjectAssign(usage, { rss: () => usage().rss }),
    cpuUsage: () => ({ user: MathFloor(clock.now() * 1000), system: 0 }),
    resourceUsage: () => ({}),
    binding: refuse("binding"),
    emitWarning: require("internal/process/warning").emitWarning,
    getBuiltinModule: (id) => require("guest/modules").builtin(id),
  });
  ObjectDefineProperties(process, {
    stdin: lazy(() => require("guest/stdin").createStream()),
    stdout: lazy(() => exports.stdout),
    stderr: lazy(() => exports.stderr),
  });
  setCall(call);
  process.on("warning", (warning) => {
    output.write(
      2,
      `(node:${process.pid}) ${warning.code === undefined ? "" : `[${warning.code}] `}${warning.name}: ${warning.message}\n(Use \`node --trace-${warning.name === "DeprecationWarning" ? "deprecation" : "warnings"} ...\` to show where the warning was created)\n`,
    );
  });
};
