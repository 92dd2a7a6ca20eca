/** The service, or another server that tells its address and has a /readyz, as a process of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { moduleFile, PACKAGE_ROOT } from "./place.ts";

const READY_TIMEOUT_MS = 180_000;
const STOP_TIMEOUT_MS = 45_000;
const READY_POLL_MS = 25;
const LINES_KEPT = 40;

const pause = (delayMs: number) => new Promise((resolve) => setTimeout(resolve, delayMs));

export interface ServiceOptions {
  /** A module, named as in the repository. Default: the service itself. */
  readonly entry?: string;
  readonly args?: readonly string[];
  /** Whether to wait, once it is ready, until all is started that it starts while it serves. Default: yes. */
  readonly settles?: boolean;
}

interface Info {
  readonly engines?: readonly { readonly detail?: Readonly<Record<string, string>> }[];
}

export class Service {
  readonly url: string;
  readonly #process: ChildProcess;
  readonly #lines: string[];

  private constructor(child: ChildProcess, url: string, lines: string[]) {
    this.#process = child;
    this.url = url;
    this.#lines = lines;
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** The end of what it wrote. */
  get log(): string {
    return this.#lines.join("\n");
  }

  /**
   * Starts the server on a free port and waits until it is ready.
   * @throws Error with the end of its log when it does not come up.
   */
  static async start({
    entry = "src/main",
    args = [],
    settles = true,
  }: ServiceOptions = {}): Promise<Service> {
    const words = [moduleFile(entry), "serve", "--http.port", "0", ...args];
    const child = spawn(process.execPath, words, { cwd: PACKAGE_ROOT, stdio: ["ignore", "pipe", "pipe"] });
    const lines: string[] = [];
    const url = await addressOf(child, lines).catch((error: unknown) => {
      child.kill("SIGKILL");
      throw error;
    });
    const service = new Service(child, url, lines);
    await service.#until("become ready", () => service.#isReady());
    if (settles) await service.settled();
    return service;
  }

  /** Waits until no fork server is away. @throws Error with the end of its log when one stays away. */
  settled(): Promise<void> {
    return this.#until("start all fork servers", () => this.#isSettled());
  }

  /** Asks it to stop and gives its exit code, or null when it had to be killed. */
  async stop(): Promise<number | null> {
    if (this.#process.exitCode !== null) return this.#process.exitCode;
    const ended = new Promise<number | null>((resolve) =>
      this.#process.once("exit", (code) => resolve(code)),
    );
    this.#process.kill("SIGTERM");
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), STOP_TIMEOUT_MS);
    const code = await ended;
    clearTimeout(timer);
    return code;
  }

  async #isReady(): Promise<boolean> {
    const answer = await fetch(`${this.url}/readyz`).catch(() => null);
    return answer?.ok === true;
  }

  /** A server that does not tell has nothing to wait for. */
  async #isSettled(): Promise<boolean> {
    const answer = await fetch(`${this.url}/v1/info`).catch(() => null);
    if (answer?.ok !== true) return true;
    const { engines = [] } = (await answer.json()) as Info;
    return engines.every(({ detail }) => (detail?.["fork_servers_away"] ?? "none") === "none");
  }

  async #until(what: string, isDone: () => Promise<boolean>): Promise<void> {
    const until = performance.now() + READY_TIMEOUT_MS;
    while (performance.now() < until) {
      if (this.#process.exitCode !== null) break;
      if (await isDone()) return;
      await pause(READY_POLL_MS);
    }
    await this.stop();
    throw new Error(`the service did not ${what}:\n${this.log}`);
  }
}

/** The address in the first line of the log that has one. */
function addressOf(child: ChildProcess, lines: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    let rest = "";
    const onData = (chunk: Buffer): void => {
      const parts = (rest + chunk.toString("utf8")).split("\n");
      rest = parts.pop() ?? "";
      lines.push(...parts);
      lines.splice(0, lines.length - LINES_KEPT);
      const address = /https?:\/\/[^\s"/]+:\d+/.exec(parts.join("\n"))?.[0];
      if (address !== undefined) resolve(address);
    };
    child.stdout?.on("data", onData);
    child.stderr?.on("data", onData);
    child.once("error", reject);
    child.once("close", (code) =>
      reject(new Error(`the service ended with ${code}:\n${[...lines, rest].join("\n")}`)),
    );
    setTimeout(
      () => reject(new Error(`the service told no address:\n${lines.join("\n")}`)),
      READY_TIMEOUT_MS,
    ).unref();
  });
}
