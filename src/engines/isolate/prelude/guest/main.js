/*
 * What the host calls. `start` runs the program's first turn, `turn` each that follows. Both give the host one
 * number, the milliseconds until the next turn, or a negative one when the program has ended.
 */
const {
  Error,
  ErrorPrototype,
  JSONParse,
  ObjectDefineProperty,
  ObjectSetPrototypeOf,
  ReflectApply,
  SafeArrayIterator,
  SafeSet,
} = primordials;
const clock = require("guest/clock");
const fatal = require("guest/fatal");
const files = require("guest/files");
const finish = require("guest/finish");
const loop = require("guest/loop");
const modules = require("guest/modules");
const output = require("guest/output");
const sources = require("guest/sources");
const stdin = require("guest/stdin");

const ENDED = -2;
const UNSETTLED_TOP_LEVEL_AWAIT = 13;
let call;
let file = "/work/main.js";
let isMainSettled = true;
let hasBeforeExit = false;

/** Once for all isolates: they are copies of one. */
exports.install = () => {
  require("guest/globals").install();
  require("guest/intrinsics").note();
};

/** When the whole library is there. */
exports.installRest = () => {
  require("internal/util/debuglog").initializeDebugEnv("");
  require("guest/process").install(call);
  require("internal/console/global");
};

/** Once for each call, before its source is compiled. `header` is JSON, the strings are as files.fromHost takes them. */
exports.begin = (header, shared, source, stdinText, ...contents) => {
  call = JSONParse(header);
  file = call.file;
  ObjectDefineProperty(globalThis, call.runner, {
    __proto__: null,
    configurable: true,
    value: exports.runScript,
  });
  clock.start();
  output.attach(shared, call.outputBytes);
  finish.setCollected(call.collect);
  process.version = call.version;
  process.versions = call.versions;
  sources.note(file, source);
  files.write(file, source);
  stdin.set(files.fromHost(stdinText, call.isStdinText));
  for (let i = 0; i < contents.length; i++) {
    const path = files.resolve(call.files[i].path);
    files.makeDirectory(require("path").posix.dirname(path));
    files.write(path, files.fromHost(contents[i], call.files[i].isText));
  }
};

/** What a script is compiled to call is not for the program to find. */
const removeRunner = () => delete globalThis[call.runner];

/** A program like a CommonJS file: `body` is its wrapper function. */
exports.runScript = (body) => {
  removeRunner();
  const module = {
    id: ".",
    path: "/work",
    exports: {},
    filename: file,
    loaded: false,
    children: [],
    paths: [],
  };
  const require = modules.requireFrom(file);
  require.main = module;
  return guard(() => ReflectApply(body, module.exports, [module.exports, require, module, file, "/work"]));
};

function exposeRequire() {
  removeRunner();
  const require = modules.requireFrom(file);
  const module = { exports: {} };
  require.main = module;
  for (const [name, value] of new SafeArrayIterator([
    ["require", require],
    ["module", module],
    ["exports", module.exports],
    ["__filename", file],
    ["__dirname", "/work"],
  ])) {
    ObjectDefineProperty(globalThis, name, { __proto__: null, configurable: true, writable: true, value });
  }
}

const showValue = (value) => {
  if (value !== undefined)
    finish.report({ value: finish.capped(require("internal/util/inspect").inspect(value), 1 << 20) });
};

/** A cell: the source as a script, whose last expression statement is the value. */
exports.runCell = () => {
  exposeRequire();
  const evaluate = globalThis.eval;
  return guard(() => showValue((0, evaluate)(`${sources.textOf(file)}\n//# sourceURL=${file}`)));
};

/** A cell with top-level await: `body` is an async function that returns the value. */
exports.runAsyncCell = (body) => {
  exposeRequire();
  isMainSettled = false;
  return guard(() => {
    body().then((value) => {
      isMainSettled = true;
      showValue(value);
    });
  });
};

/** Before a program with static imports or top-level await: what its generated companions need, by this name. */
exports.openModule = (name) => {
  exposeRequire();
  isMainSettled = false;
  ObjectDefineProperty(globalThis, name, {
    __proto__: null,
    configurable: true,
    value: {
      builtin: modules.builtin,
      load: (path) => modules.requireFrom(file)(path),
      settled: () => {
        isMainSettled = true;
      },
    },
  });
};
exports.exportNames = (id) => modules.exportNames(id);

function guard(run) {
  try {
    run();
  } catch (error) {
    fatal.uncaught(error);
  }
  loop.runTicks();
  return 0;
}

exports.turn = () => {
  const next = loop.turn();
  if (next !== loop.NOTHING_LEFT) return next;
  if (!hasBeforeExit && isMainSettled) {
    hasBeforeExit = true;
    if (!require.isWhole()) return exports.turn();
    guard(() => process.emit("beforeExit", process.exitCode ?? 0));
    return 0;
  }
  if (!isMainSettled) {
    output.write(2, `Warning: Detected unsettled top-level await at ${file}\n`);
    finish.finish(UNSETTLED_TOP_LEVEL_AWAIT);
  } else finish.finish();
  return ENDED;
};

/**
 * Ends a program that has nothing left to do, if none of its code is to run for that: the host may enter by this on
 * the thread on which it hears all else.
 */
exports.endIfIdle = () => {
  if (require.isWhole() || !isMainSettled || !loop.isIdle()) return false;
  finish.finish();
  return true;
};

/** A promise was rejected and nobody handled it; the host has only a copy of the error. */
exports.rejected = (name, message, stack) =>
  guard(() => fatal.unhandledRejection(errorLike(name, message, stack)));
exports.rejectedPrimitive = (value) => guard(() => fatal.unhandledRejection(value));
exports.syntaxError = (message, path, line, column) =>
  guard(() => fatal.syntaxError(message, path, line, column));

const NATIVE_ERRORS = new SafeSet([
  "Error",
  "EvalError",
  "RangeError",
  "ReferenceError",
  "SyntaxError",
  "TypeError",
  "URIError",
]);

/** An error that prints as the one it was copied from: of its class, or of one that has the class's name. */
function errorLike(name, message, stack) {
  const error = NATIVE_ERRORS.has(name) ? new globalThis[name](message) : new Error(message);
  const hidden = (object, key, value) =>
    ObjectDefineProperty(object, key, { __proto__: null, configurable: true, writable: true, value });
  hidden(error, "stack", stack);
  if (!NATIVE_ERRORS.has(name)) {
    const constructor = hidden(function () {}, "name", name);
    hidden(error, "name", name);
    ObjectSetPrototypeOf(error, hidden({ __proto__: ErrorPrototype }, "constructor", constructor));
  }
  return error;
}

exports.moduleNotFound = (message) =>
  guard(() => {
    const error = new Error(message);
    error.code = "ERR_MODULE_NOT_FOUND";
    error.stack = `Error [ERR_MODULE_NOT_FOUND]: ${message}`;
    throw error;
  });
