/* The files of the call, in memory; descriptors 0, 1 and 2 are the standard streams. */
const { ArrayBufferIsView, ArrayPrototypeMap, Date, DateNow, Error, ObjectAssign, ObjectKeys, ReflectApply } =
  primordials;
const { Buffer } = require("buffer");
const { validateFunction } = require("internal/validators");
const { codes } = require("internal/errors");
const { posix } = require("path");
const files = require("guest/files");
const output = require("guest/output");
const stdin = require("guest/stdin");

const MESSAGES = {
  __proto__: null,
  ENOENT: [-2, "no such file or directory"],
  EEXIST: [-17, "file already exists"],
  EISDIR: [-21, "illegal operation on a directory"],
  ENOTDIR: [-20, "not a directory"],
  ENOSPC: [-28, "no space left on device"],
  ENOTEMPTY: [-39, "directory not empty"],
  EBADF: [-9, "bad file descriptor"],
  EROFS: [-30, "read-only file system"],
};

function failure(code, syscall, path) {
  const [errno, text] = MESSAGES[code];
  const error = new Error(`${code}: ${text}, ${syscall}${path === undefined ? "" : ` '${path}'`}`);
  return ObjectAssign(error, { errno, code, syscall, ...(path === undefined ? {} : { path }) });
}

const asPath = (path) => {
  if (typeof path === "string") return path;
  if (path instanceof require("internal/url").URL) return require("internal/url").fileURLToPath(path);
  if (Buffer.isBuffer(path)) return path.toString();
  throw new codes.ERR_INVALID_ARG_TYPE("path", ["string", "Buffer", "URL"], path);
};
const encodingOf = (options) => (typeof options === "string" ? options : options?.encoding);
const asBuffer = (content) => {
  const bytes = files.asBytes(content);
  return Buffer.from(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
};

function contentOf(path) {
  if (path === 0) return stdin.readAll();
  if (typeof path === "number") throw failure("EBADF", "read");
  const name = asPath(path);
  const absolute = files.resolve(name);
  if (absolute === "/dev/stdin" || absolute === "/proc/self/fd/0") return stdin.readAll();
  const content = files.read(absolute);
  if (content !== undefined) return content;
  throw files.isDirectory(absolute) ? failure("EISDIR", "read") : failure("ENOENT", "open", name);
}

exports.readFileSync = (path, options) => {
  const content = contentOf(path);
  const encoding = encodingOf(options);
  if (encoding === undefined || encoding === null || encoding === "buffer") return asBuffer(content);
  if (encoding === "utf8" || encoding === "utf-8") return files.asText(content);
  return asBuffer(content).toString(encoding);
};

function stored(data, encoding) {
  if (typeof data === "string")
    return encoding === undefined || encoding === "utf8" || encoding === "utf-8"
      ? data
      : Buffer.from(data, encoding);
  if (ArrayBufferIsView(data)) return Buffer.from(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
  throw new codes.ERR_INVALID_ARG_TYPE("data", ["string", "Buffer", "TypedArray", "DataView"], data);
}

function store(path, data, options, isAppend) {
  const content = stored(data, encodingOf(options) ?? undefined);
  const name = typeof path === "number" ? `/dev/fd/${path}` : asPath(path);
  const absolute = files.resolve(name);
  const fd = { "/dev/fd/1": 1, "/dev/stdout": 1, "/dev/fd/2": 2, "/dev/stderr": 2 }[absolute];
  if (fd !== undefined) return output.write(fd, content);
  if (files.isDirectory(absolute)) throw failure("EISDIR", "open", name);
  if (!files.isDirectory(posix.dirname(absolute))) throw failure("ENOENT", "open", name);
  const flag = options?.flag ?? (isAppend ? "a" : "w");
  const existing = files.read(absolute);
  if (flag[1] === "x" && existing !== undefined) throw failure("EEXIST", "open", name);
  const whole =
    flag[0] !== "a" || existing === undefined
      ? content
      : typeof existing === "string" && typeof content === "string"
        ? existing + content
        : Buffer.concat([files.asBytes(existing), files.asBytes(content)]);
  if (!files.write(absolute, whole)) throw failure("ENOSPC", "write");
  return undefined;
}
exports.writeFileSync = (path, data, options) => store(path, data, options, false);
exports.appendFileSync = (path, data, options) => store(path, data, options, true);
exports.writeSync = (fd, data, ...rest) => {
  if (fd !== 1 && fd !== 2) throw failure("EBADF", "write");
  const encoding = typeof rest[1] === "string" ? rest[1] : undefined;
  const content = stored(data, encoding);
  output.write(fd, content);
  return Buffer.byteLength(content);
};
exports.fsyncSync = () => undefined;
exports.closeSync = () => undefined;

exports.existsSync = (path) => {
  try {
    const absolute = files.resolve(asPath(path));
    return files.read(absolute) !== undefined || files.isDirectory(absolute) || absolute === "/dev/stdin";
  } catch {
    return false;
  }
};
exports.accessSync = (path) => {
  if (!exports.existsSync(path)) throw failure("ENOENT", "access", asPath(path));
};

class Stats {
  constructor(isDirectory, size) {
    this.size = size;
    this.mode = isDirectory ? 0o40755 : 0o100644;
    this.nlink = 1;
    this.uid = this.gid = 65534;
    this.mtimeMs = this.ctimeMs = this.atimeMs = this.birthtimeMs = DateNow();
    this.mtime = this.ctime = this.atime = this.birthtime = new Date(this.mtimeMs);
  }
  isFile() {
    return this.mode === 0o100644;
  }
  isDirectory() {
    return this.mode === 0o40755;
  }
  isSymbolicLink() {
    return false;
  }
}
exports.statSync = (path, options) => {
  const name = asPath(path);
  const absolute = files.resolve(name);
  const content = files.read(absolute);
  if (content === undefined && !files.isDirectory(absolute)) {
    if (options?.throwIfNoEntry === false) return undefined;
    throw failure("ENOENT", "stat", name);
  }
  return new Stats(content === undefined, content === undefined ? 0 : files.asBytes(content).length);
};
exports.lstatSync = exports.statSync;
exports.Stats = Stats;

exports.readdirSync = (path, options) => {
  const name = asPath(path);
  const absolute = files.resolve(name);
  if (!files.isDirectory(absolute))
    throw failure(files.read(absolute) === undefined ? "ENOENT" : "ENOTDIR", "scandir", name);
  const names = files.list(absolute);
  if (!options?.withFileTypes) return names;
  return ArrayPrototypeMap(names, (entry) => {
    const stats = exports.statSync(posix.join(absolute, entry));
    return {
      name: entry,
      parentPath: absolute,
      isFile: () => stats.isFile(),
      isDirectory: () => stats.isDirectory(),
      isSymbolicLink: () => false,
    };
  });
};
exports.mkdirSync = (path, options) => {
  const name = asPath(path);
  const absolute = files.resolve(name);
  const isRecursive = options?.recursive === true;
  if (!isRecursive && exports.existsSync(absolute)) throw failure("EEXIST", "mkdir", name);
  if (!isRecursive && !files.isDirectory(posix.dirname(absolute))) throw failure("ENOENT", "mkdir", name);
  files.makeDirectory(absolute);
  return isRecursive ? absolute : undefined;
};
exports.unlinkSync = (path) => {
  const name = asPath(path);
  if (files.read(files.resolve(name)) === undefined) throw failure("ENOENT", "unlink", name);
  files.remove(files.resolve(name));
};
exports.rmSync = (path, options) => {
  const name = asPath(path);
  const absolute = files.resolve(name);
  if (!exports.existsSync(name)) {
    if (options?.force) return;
    throw failure("ENOENT", "rm", name);
  }
  if (files.isDirectory(absolute)) {
    if (!options?.recursive && files.list(absolute).length > 0) throw failure("ENOTEMPTY", "rm", name);
    for (const entry of files.list(absolute)) exports.rmSync(posix.join(absolute, entry), options);
  }
  files.remove(absolute);
};
exports.rmdirSync = exports.rmSync;
exports.renameSync = (from, to) => {
  exports.writeFileSync(to, exports.readFileSync(from));
  exports.unlinkSync(from);
};
exports.copyFileSync = (from, to) => exports.writeFileSync(to, exports.readFileSync(from));
exports.realpathSync = (path) => files.resolve(asPath(path));

exports.createReadStream = (path, options) => {
  const { Readable } = require("stream");
  const encoding = encodingOf(options);
  if (path === 0 || path === "/dev/stdin") return process.stdin;
  return new Readable({
    encoding,
    read() {
      try {
        this.push(asBuffer(contentOf(path)));
        this.push(null);
      } catch (error) {
        this.destroy(error);
      }
    },
  });
};
exports.createWriteStream = (path, options) => {
  const { Writable } = require("stream");
  const flag = options?.flags ?? "w";
  let isFirst = true;
  return new Writable({
    decodeStrings: false,
    write(chunk, encoding, done) {
      try {
        store(
          path,
          chunk,
          { encoding: typeof chunk === "string" ? encoding : undefined, flag: isFirst ? flag : "a" },
          false,
        );
        isFirst = false;
        done();
      } catch (error) {
        done(error);
      }
    },
  });
};

/* Each fooSync also as foo with a callback, and as fs.promises.foo. */
exports.promises = {};
for (const name of ObjectKeys(exports)) {
  if (!name.endsWith("Sync") || name === "existsSync") continue;
  const sync = exports[name];
  const plain = name.slice(0, -4);
  exports[plain] = (...args) => {
    const callback = args.pop();
    validateFunction(callback, "cb");
    try {
      const result = ReflectApply(sync, exports, args);
      process.nextTick(callback, null, result);
    } catch (error) {
      process.nextTick(callback, error);
    }
  };
  exports.promises[plain] = async (...args) => ReflectApply(sync, exports, args);
}
exports.exists = (path, callback) => process.nextTick(callback, exports.existsSync(path));
exports.constants = exports.promises.constants = internalBinding("constants").fs;
