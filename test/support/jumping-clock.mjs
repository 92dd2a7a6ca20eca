/** Loaded into a process ahead of its program: its wall clock jumps by up to a day, there or back, at every look. */
const RealDate = Date;
const DAY_MS = 24 * 3600 * 1000;
const jump = () => Math.round((Math.random() * 2 - 1) * DAY_MS);

globalThis.Date = class extends RealDate {
  constructor(...args) {
    super(...(args.length === 0 ? [RealDate.now() + jump()] : args));
  }
  static now() {
    return RealDate.now() + jump();
  }
};
