/* A clock in whole milliseconds: a finer one would serve attacks on what else runs on the machine. */
const { ArrayPrototypeFilter, ArrayPrototypePush } = primordials;
const clock = require("guest/clock");

const entries = [];
class PerformanceEntry {
  constructor(name, entryType, startTime, duration, detail) {
    this.name = name;
    this.entryType = entryType;
    this.startTime = startTime;
    this.duration = duration;
    this.detail = detail ?? null;
  }
  toJSON() {
    return { ...this };
  }
}
class Performance {
  now() {
    return clock.now();
  }
  get timeOrigin() {
    return clock.origin();
  }
  mark(name, options) {
    const entry = new PerformanceEntry(
      `${name}`,
      "mark",
      options?.startTime ?? clock.now(),
      0,
      options?.detail,
    );
    ArrayPrototypePush(entries, entry);
    return entry;
  }
  measure(name, start, end) {
    const from = typeof start === "object" ? start?.start : start;
    const to = typeof start === "object" ? start?.end : end;
    const at = (mark, otherwise) =>
      typeof mark === "number"
        ? mark
        : mark === undefined
          ? otherwise
          : (this.getEntriesByName(mark)[0]?.startTime ?? otherwise);
    const entry = new PerformanceEntry(`${name}`, "measure", at(from, 0), at(to, clock.now()) - at(from, 0));
    ArrayPrototypePush(entries, entry);
    return entry;
  }
  getEntries() {
    return [...entries];
  }
  getEntriesByName(name) {
    return ArrayPrototypeFilter(entries, (entry) => entry.name === name);
  }
  getEntriesByType(type) {
    return ArrayPrototypeFilter(entries, (entry) => entry.entryType === type);
  }
  clearMarks() {
    entries.length = 0;
  }
  clearMeasures() {
    entries.length = 0;
  }
  toJSON() {
    return { timeOrigin: this.timeOrigin };
  }
}
exports.performance = new Performance();
exports.Performance = Performance;
exports.PerformanceEntry = PerformanceEntry;
