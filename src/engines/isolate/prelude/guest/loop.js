/*
 * The event loop. The host enters once for each turn, so that V8 empties the microtask queue between turns as
 * Node does; `turn` says in how many milliseconds it is to come back, or that nothing is left to wait for.
 *
 * A heap ordered by due time, then by age: equal timers fire in the order they were set.
 */
const {
  ArrayPrototypePop,
  ArrayPrototypePush,
  ArrayPrototypeShift,
  MathFloor,
  MathMax,
  ObjectDefineProperty,
  ReflectApply,
  SafeMap,
  SymbolFor,
  SymbolDispose,
  SymbolToPrimitive,
} = primordials;
const { now } = require("guest/clock");

/** `inspect.custom` of Node's library. */
const kInspect = SymbolFor("nodejs.util.inspect.custom");
const TIMEOUT_MAX = 2 ** 31 - 1;
const NOTHING_LEFT = -1;
const ticks = [];
let tickAt = 0;
const immediates = [];
const heap = [];
const timersById = new SafeMap();
let lastId = 0;
let referenced = 0;
let referencedImmediates = 0;

const before = (a, b) => a.due < b.due || (a.due === b.due && a.order < b.order);

function push(entry) {
  let at = heap.length;
  ArrayPrototypePush(heap, entry);
  for (; at > 0;) {
    const parent = (at - 1) >> 1;
    if (!before(entry, heap[parent])) break;
    heap[at] = heap[parent];
    at = parent;
  }
  heap[at] = entry;
}

function pop() {
  const top = heap[0];
  const entry = ArrayPrototypePop(heap);
  let at = 0;
  for (let child = 1; child < heap.length; child = 2 * at + 1) {
    if (child + 1 < heap.length && before(heap[child + 1], heap[child])) child++;
    if (!before(heap[child], entry)) break;
    heap[at] = heap[child];
    at = child;
  }
  if (heap.length > 0) heap[at] = entry;
  return top;
}

let order = 0;
/* A cancelled or re-armed timer leaves its heap entry behind; the entry's order no longer matches then. */
const isCurrent = (entry) => entry.timer._armed === entry.order;

class Timeout {
  constructor(callback, after, args, isRepeat) {
    const delay = after * 1;
    this._idleTimeout = delay >= 1 && delay <= TIMEOUT_MAX ? delay : 1;
    this._idlePrev = null;
    this._idleNext = null;
    this._idleStart = null;
    this._onTimeout = callback;
    this._timerArgs = args.length > 0 ? args : undefined;
    this._repeat = isRepeat ? this._idleTimeout : null;
    this._destroyed = false;
    for (const key of ["_armed", "_id", "_ref"])
      ObjectDefineProperty(this, key, {
        __proto__: null,
        writable: true,
        value: key === "_ref" ? true : key === "_id" ? ++lastId : 0,
      });
    timersById.set(this._id, this);
    referenced++;
    arm(this);
  }
  [kInspect](_, options) {
    return require("internal/util/inspect").inspect(this, { ...options, depth: 0, customInspect: false });
  }
  refresh() {
    if (!this._destroyed) arm(this);
    return this;
  }
  unref() {
    if (this._ref && !this._destroyed) referenced--;
    this._ref = false;
    return this;
  }
  ref() {
    if (!this._ref && !this._destroyed) referenced++;
    this._ref = true;
    return this;
  }
  hasRef() {
    return this._ref;
  }
  close() {
    clear(this);
    return this;
  }
  [SymbolToPrimitive]() {
    return this._id;
  }
  [SymbolDispose]() {
    clear(this);
  }
}

class Immediate {
  constructor(callback, args) {
    this._idleNext = null;
    this._idlePrev = null;
    this._onImmediate = callback;
    this._argv = args.length > 0 ? args : undefined;
    this._destroyed = false;
    ObjectDefineProperty(this, "_ref", { __proto__: null, writable: true, value: true });
    referencedImmediates++;
    ArrayPrototypePush(immediates, this);
  }
  unref() {
    if (this._ref && !this._destroyed) referencedImmediates--;
    this._ref = false;
    return this;
  }
  ref() {
    if (!this._ref && !this._destroyed) referencedImmediates++;
    this._ref = true;
    return this;
  }
  hasRef() {
    return this._ref;
  }
  [SymbolDispose]() {
    clearImmediate(this);
  }
}

function arm(timer) {
  timer._idleStart = MathMax(0, MathFloor(now()));
  timer._armed = ++order;
  push({ due: now() + timer._idleTimeout, order, timer });
}

function clear(timer) {
  if (timer._destroyed) return;
  timer._destroyed = true;
  timer._armed = 0;
  timersById.delete(timer._id);
  if (timer._ref) referenced--;
}

function validateFunction(callback, name) {
  if (typeof callback !== "function") require("internal/validators").validateFunction(callback, name);
}

function setTimeout(callback, after, ...args) {
  validateFunction(callback, "callback");
  return new Timeout(callback, after, args, false);
}
function setInterval(callback, repeat, ...args) {
  validateFunction(callback, "callback");
  return new Timeout(callback, repeat, args, true);
}
function setImmediate(callback, ...args) {
  validateFunction(callback, "callback");
  return new Immediate(callback, args);
}
function clearTimeout(timer) {
  if (timer instanceof Timeout) clear(timer);
  else if (typeof timer === "number" || typeof timer === "string") {
    const known = timersById.get(+timer);
    if (known !== undefined) clear(known);
  }
}
function clearInterval(timer) {
  clearTimeout(timer);
}
function clearImmediate(immediate) {
  if (!(immediate instanceof Immediate) || immediate._destroyed) return;
  immediate._destroyed = true;
  if (immediate._ref) referencedImmediates--;
}
function nextTick(callback, ...args) {
  validateFunction(callback, "callback");
  if (process._exiting) return;
  ArrayPrototypePush(ticks, { callback, args });
}

function call(callback, receiver, args) {
  try {
    ReflectApply(callback, receiver, args ?? []);
  } catch (error) {
    require("guest/fatal").uncaught(error);
  }
}

/** Runs queued ticks; true when there were any, so that their microtasks come next. */
function runTicks() {
  const had = tickAt < ticks.length;
  for (; tickAt < ticks.length; tickAt++) call(ticks[tickAt].callback, undefined, ticks[tickAt].args);
  ticks.length = tickAt = 0;
  return had;
}

function dueTimer() {
  while (heap.length > 0 && !isCurrent(heap[0])) pop();
  return heap[0];
}

function fire(timer) {
  if (timer._repeat === null) clear(timer);
  call(timer._onTimeout, timer, timer._timerArgs);
  if (timer._repeat !== null && !timer._destroyed) arm(timer);
}

/* One timer a turn; those due when the round began come before immediates, those set meanwhile after them. */
let roundStart = -1;
let immediatesLeft = 0;

function turn() {
  if (runTicks()) return 0;
  if (roundStart < 0) {
    roundStart = now();
    immediatesLeft = -1;
  }
  const next = immediatesLeft < 0 ? dueTimer() : undefined;
  if (next !== undefined && next.due <= roundStart + (isFirstRound ? 1 : 0)) {
    fire(pop().timer);
    runTicks();
    return 0;
  }
  if (immediatesLeft < 0) immediatesLeft = immediates.length;
  while (immediatesLeft > 0) {
    immediatesLeft--;
    const immediate = ArrayPrototypeShift(immediates);
    if (immediate._destroyed) continue;
    clearImmediate(immediate);
    call(immediate._onImmediate, immediate, immediate._argv);
    runTicks();
    return 0;
  }
  roundStart = -1;
  isFirstRound = false;
  return wait();
}
let isFirstRound = true;

function wait() {
  if (referencedImmediates > 0) return 0;
  if (referenced === 0) return NOTHING_LEFT;
  return MathMax(0, dueTimer().due - now());
}

/** True when nothing is left to wait for or to run. */
const isIdle = () => tickAt === ticks.length && referencedImmediates === 0 && referenced === 0;

module.exports = {
  NOTHING_LEFT,
  clearImmediate,
  clearInterval,
  clearTimeout,
  isIdle,
  nextTick,
  runTicks,
  setImmediate,
  setInterval,
  setTimeout,
  turn,
  Timeout,
  Immediate,
};
