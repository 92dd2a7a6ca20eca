/**
 * The HTTP server as several processes on one port. Each front accepts connections by itself and asks the core process,
 * which this is, to carry calls out: there is one queue for all of them, and so every slot is everybody's.
 *
 * Invariant: a front that ends takes its connections and its calls with it and nothing else; another takes its place.
 */
import { createServer } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import type { Config } from "../config/schema.ts";
import type { Server } from "../http/server.ts";
import type { Log } from "../observe/log.ts";
import type { HttpPresent, Metrics } from "../observe/metrics.ts";
import type { Answers } from "./channel.ts";
import { startFront, type FrontProcess } from "./front-process.ts";
import type { FrontAsks, FrontUse, Listening, Told } from "./questions.ts";

export interface FrontsOptions {
  readonly count: number;
  readonly config: Config;
  readonly version: string;
  readonly answers: Answers<FrontAsks>;
  readonly metrics: Metrics;
  readonly log: Log;
}

/** Before a front is started again, by how often it ended without having served for a while. */
const RESTART_DELAY_MS = [0, 100, 500, 2000, 5000] as const;
/** A front that served this long had a good start. */
const SETTLED_MS = 10_000;
/** For a front to tell of itself at a scrape; one that is too busy is left out of it. */
const MEASURE_MS_MAX = 1000;
/** For a front to end its connections and itself. */
const CLOSE_MS_MAX = 5000;

interface Place {
  readonly name: string;
  front: FrontProcess;
  /** It listens. */
  serving: boolean;
  failures: number;
}

/** What of the configuration is for the service as a whole and counted in the fronts, shared out. */
function shareOf(config: Config, count: number): Config {
  const { http, wire } = config;
  const codeJudge = wire["code-judge"];
  const { replay } = codeJudge;
  const part = (whole: number): number => Math.ceil(whole / count);
  return {
    ...config,
    http: {
      ...http,
      connectionsMax: part(http.connectionsMax),
      bodiesBytesMax: Math.max(http.bodyBytesMax, part(http.bodiesBytesMax)),
    },
    wire: {
      ...wire,
      "code-judge": {
        ...codeJudge,
        replay: {
          ...replay,
          sessionsMax: part(replay.sessionsMax),
          memoryBytes: part(replay.memoryBytes),
        },
      },
    },
  };
}

/**
 * Processes that share a port do not notice that somebody else has it too: asked for alone, it is refused then.
 * @throws Error `EADDRINUSE` and its like.
 */
async function assertFree(host: string, port: number): Promise<void> {
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once("error", reject);
    probe.listen({ host, port }, () => probe.close(() => resolve()));
  });
}

function fixedPorts({ http, wire }: Config): ReadonlySet<number> {
  const ports = new Set([http.port, ...wire.adapters.map((name) => wire[name].port)]);
  ports.delete(0);
  return ports;
}

class Fronts implements Server {
  readonly #options: FrontsOptions;
  readonly #places: Place[];
  #listening: Listening | null = null;
  /** From the drain on no front is replaced. */
  #ending = false;

  constructor(options: FrontsOptions) {
    this.#options = options;
    this.#places = Array.from({ length: options.count }, (_, index) => ({
      name: String(index),
      front: this.#start(),
      serving: false,
      failures: 0,
    }));
    options.metrics.observer.watchHttp(() => this.#present());
  }

  /** Puts the servers together. */
  async build(): Promise<void> {
    await Promise.all(this.#places.map(({ front }) => this.#build(front)));
  }

  async listen(): Promise<string> {
    const { config } = this.#options;
    for (const port of fixedPorts(config)) await assertFree(config.http.host, port);
    // The first one takes the port, whichever it is, and the others join it there.
    const [first, ...others] = this.#places as [Place, ...Place[]];
    this.#listening = await this.#listen(first, config.http.port);
    const { port, url } = this.#listening;
    await Promise.all(others.map((place) => this.#listen(place, port)));
    for (const place of this.#places) void this.#keep(place);
    return url;
  }

  mounted(): Readonly<Record<string, string>> {
    return this.#listening?.mounted ?? {};
  }

  async drain(timeoutMs: number): Promise<boolean> {
    this.#ending = true;
    const drained = await Promise.all(
      this.#places
        .filter(({ serving }) => serving)
        .map(({ front }) => front.channel.ask("drain", { timeoutMs }).catch(() => false)),
    );
    return drained.every(Boolean);
  }

  async close(): Promise<void> {
    this.#ending = true;
    await Promise.all(this.#places.map(({ front }) => this.#end(front)));
  }

  #start(): FrontProcess {
    const { answers, log } = this.#options;
    return startFront(answers, (error, question) =>
      log.error({ err: error, question }, "a front's question failed"),
    );
  }

  async #build(front: FrontProcess): Promise<void> {
    const { config, count, version } = this.#options;
    done(await orItsEnd(front, front.channel.ask("build", { config: shareOf(config, count), version })));
  }

  async #listen(place: Place, port: number): Promise<Listening> {
    const listening = done(await orItsEnd(place.front, place.front.channel.ask("listen", { port })));
    place.serving = true;
    return listening;
  }

  /** Replaces the front of a place whenever it ends. */
  async #keep(place: Place): Promise<void> {
    const { log } = this.#options;
    while (!this.#ending) {
      const sinceMs = performance.now();
      const how = await place.front.ended;
      place.serving = false;
      if (this.#ending) return;
      place.failures = performance.now() - sinceMs > SETTLED_MS ? 0 : place.failures + 1;
      log.warn({ front: place.name, pid: place.front.pid, how }, "a front ended and is replaced");
      await pause(RESTART_DELAY_MS[Math.min(place.failures, RESTART_DELAY_MS.length - 1)]);
      if (this.#ending) return;
      await this.#replace(place);
    }
  }

  async #replace(place: Place): Promise<void> {
    const { log, metrics } = this.#options;
    try {
      place.front = this.#start();
      await this.#build(place.front);
      if (this.#ending) return;
      await this.#listen(place, (this.#listening as Listening).port);
      metrics.frontRestarted();
    } catch (error) {
      log.warn({ err: error, front: place.name }, "a front could not be started");
      place.front.kill();
    }
  }

  async #end(front: FrontProcess): Promise<void> {
    const { channel } = front;
    const timer = setTimeout(() => front.kill(), CLOSE_MS_MAX);
    await channel.ask("close", null).catch(() => undefined);
    channel.close();
    await front.ended;
    clearTimeout(timer);
  }

  async #present(): Promise<HttpPresent> {
    const fronts = (
      await Promise.all(
        this.#places.map(async ({ name, front }) => {
          const use = await withinMs(front.channel.ask("measure", null), MEASURE_MS_MAX);
          return use === null ? [] : [{ name, ...use }];
        }),
      )
    ).flat();
    const sum = (of: "connections" | "requests" | "bodyBytes"): number =>
      fronts.reduce((total, front) => total + front[of], 0);
    return {
      connections: sum("connections"),
      requests: sum("requests"),
      bodyBytes: sum("bodyBytes"),
      fronts,
    };
  }
}

/** @throws Error that says how the front ended, when it did. */
function orItsEnd<T>({ ended }: FrontProcess, answer: Promise<T>): Promise<T> {
  const end = ended.then((how) => {
    throw new Error(`a front process ended at its start: ${how}`);
  });
  return Promise.race([answer.catch(() => end), end]);
}

/** @throws Error in the words of the front. */
function done<T>(told: Told<T>): T {
  if ("failed" in told) throw new Error(told.failed);
  return told.done;
}

/** Null when it is late or fails. */
function withinMs(answer: Promise<FrontUse>, ms: number): Promise<FrontUse | null> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms, null);
    answer.then(resolve, () => resolve(null)).finally(() => clearTimeout(timer));
  });
}

/**
 * Starts the fronts, which do not listen yet.
 * @throws Error when they would be open to other machines without a key, or cannot be started.
 */
export async function openFronts(options: FrontsOptions): Promise<Server> {
  const fronts = new Fronts(options);
  try {
    await fronts.build();
  } catch (error) {
    await fronts.close();
    throw error;
  }
  return fronts;
}
