/** Debian packages: installed when we may, asked for in one command when we may not. */
import { findCommand, run } from "./command.mjs";
import { BootstrapError, say } from "./say.mjs";

/**
 * Installs Debian packages.
 * @throws BootstrapError with the one command to run when this process may not do it.
 */
export async function aptInstall(names) {
  if (findCommand("apt-get") === null) {
    throw new BootstrapError(
      `this machine has no apt-get; install by its own package manager what Debian calls: ${names.join(" ")}`,
    );
  }
  const options = ["-y", "--no-install-recommends"];
  if (process.getuid() !== 0) {
    const command = `sudo sh -c 'apt-get update && apt-get install ${options.join(" ")} ${names.join(" ")}'`;
    throw new BootstrapError(
      `some system packages are missing; run this once and start again:\n\n  ${command}\n`,
    );
  }
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  // An update that reaches only some of its sources ends with an error and may still do.
  await run("apt-get", ["update", "-q"], { env }).catch((error) => say(error.message));
  await run("apt-get", ["install", "-q", ...options, ...names], { env });
}
