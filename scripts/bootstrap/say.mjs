/** What the bootstrap tells people, all of it on stderr: stdout belongs to the entry. */

/** Something the person at the keyboard has to mend; the message says how. */
export class BootstrapError extends Error {}

export function say(text) {
  process.stderr.write(`rollcall: ${text}\n`);
}

/** Does one step and says how long it took. */
export async function timed(what, make) {
  say(`${what} ...`);
  const startedAt = process.hrtime.bigint();
  await make();
  say(`    done in ${(Number(process.hrtime.bigint() - startedAt) / 1e9).toFixed(1)} s`);
}
