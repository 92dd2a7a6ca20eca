/* Bindings that are constants or that nothing here may do. Third parameter of a binding: what only it may see. */
const { privateSymbols, perIsolateSymbols } = module;
const { Error, SafeMap } = primordials;

const nothing = () => undefined;
const SIGNALS = {
  __proto__: null,
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGSEGV: 11,
  SIGUSR2: 12,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
};

const domException = {};
module.library["internal/per_context/domexception"](
  domException,
  primordials,
  privateSymbols,
  perIsolateSymbols,
);

exports.config = {
  hasIntl: false,
  hasInspector: false,
  hasOpenSSL: false,
  hasSmallICU: false,
  noBrowserGlobals: false,
  bits: 64,
};
exports.constants = {
  os: { signals: SIGNALS, errno: {}, priority: {}, dlopen: {}, UV_UDP_REUSEADDR: 4 },
  fs: { F_OK: 0, R_OK: 4, W_OK: 2, X_OK: 1 },
  crypto: {},
  zlib: {},
  trace: {},
  internal: { EXTENSIONLESS_FORMAT_JAVASCRIPT: 0 },
};
exports.options = {
  getCLIOptionsValues: () => ({ __proto__: null }),
  getCLIOptionsInfo: () => ({ options: new SafeMap(), aliases: new SafeMap() }),
  getEmbedderOptions: () => ({ __proto__: null }),
  getOptionsAsFlags: () => [],
  getEnvOptionsInputType: () => new SafeMap(),
  getNamespaceOptionsInputType: () => new SafeMap(),
};
exports.symbols = perIsolateSymbols;
exports.errors = {
  triggerUncaughtException: (error) => require("guest/fatal").uncaught(error),
  exitCodes: { kNoFailure: 0, kGenericUserError: 1, kUnsettledTopLevelAwait: 13 },
  noSideEffectsToString: (value) => `${value}`,
  setPrepareStackTraceCallback: nothing,
};
exports.uv = {
  errname: (code) => `UV_${code}`,
  getErrorMap: () => new SafeMap(),
  getErrorMessage: (code) => `Unknown system error ${code}`,
  UV_EOF: -4095,
};
exports.os = { getOSInformation: () => ["Linux", "", "", "x86_64"] };
exports.trace_events = {
  trace: nothing,
  isTraceCategoryEnabled: () => false,
  getCategoryEnabledBuffer: () => new primordials.Uint8Array(1),
  available: false,
};
exports.diagnostics_channel = { subscribers: new primordials.Uint32Array(1), linkNativeChannel: nothing };
exports.messaging = {
  DOMException: domException.DOMException,
  setDeserializerCreateObjectFunction: nothing,
  structuredClone: (value, options) => require("guest/structured-clone").structuredClone(value, options),
};
exports.profiler = {};
exports.inspector = {};
exports.performance = { now: () => require("perf_hooks").performance.now() };
exports.url_pattern = {
  URLPattern: class URLPattern {
    constructor() {
      throw new Error("URLPattern is not available");
    }
  },
};
exports.blob = {};
exports.permission = { has: () => true };
exports.mksnapshot = {
  setSerializeCallback: nothing,
  setDeserializeCallback: nothing,
  setDeserializeMainFunction: nothing,
  isBuildingSnapshotBuffer: [0],
  runEmbedderPreload: nothing,
  compileSerializeMain: nothing,
  anonymousMainPath: "__node_anonymous_main",
};
