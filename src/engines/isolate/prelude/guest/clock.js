/* Monotonic milliseconds since the start of the program; what a program does to Date does not reach it. */
const { DateNow } = primordials;

let origin = DateNow();
let last = 0;
exports.start = () => {
  origin = DateNow();
};
exports.origin = () => origin;
exports.now = () => {
  const elapsed = DateNow() - origin;
  if (elapsed > last) last = elapsed;
  return last;
};
