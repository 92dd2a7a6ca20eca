#!/usr/bin/env node
/** Process entry: a command, its configuration, and the way from the first signal to the exit. */
import { ConfigError, loadConfig, readConfig, type ConfigInput } from "./config/load.ts";
import type { Config } from "./config/schema.ts";
import { packageVersion } from "./lib/package-version.ts";
import type { Log } from "./observe/log.ts";

const HELP = `Usage: rollcall <command> [flags]

  serve     take calls over HTTP
  mcp       be a Model Context Protocol server on standard input and output
  simulate  compare ways to spread rollouts over engines, in virtual time
  view      show a training run in a browser, or write it as one page; view --help tells more
  bench     measure this service, another one, or the seven points; bench --help tells more
  engine    serve the embedded model as a Tinker-compatible endpoint; engine --help tells more
  train     let a model learn by tool calls; train --help tells more
  doctor    check what this machine can isolate and what a training run needs, and how to mend what is missing;
            doctor [recipe.yaml] [key.of.recipe=value ...] [flags]
  config    print every configuration key with its value, where it comes from and what it means
  version   print the version
  help      print this

Flags are configuration keys: --http.port 8707, --log.level=debug. Short: --port, --host, --wire.
--config FILE names a JSON or YAML file; rollcall.config.json or .yaml is found by itself.
`;

/** Beyond `drain.timeoutMs`: for cancelled calls to end and sandboxes to be removed. */
const CLOSE_GRACE_MS = 10_000;

/** Resolves when whoever holds the other end of standard input lets go of it or is gone. */
function inputEnd(): Promise<"input ended"> {
  return new Promise((resolve) => {
    const end = (): void => resolve("input ended");
    process.stdin.once("end", end).once("error", end).resume();
  });
}

/** Resolves at the first SIGTERM or SIGINT; a second one ends the process at once. */
function firstSignal(log: Log): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let signals = 0;
    const onSignal = (signal: NodeJS.Signals): void => {
      signals += 1;
      if (signals === 1) {
        resolve(signal);
        return;
      }
      log.warn({ signal }, "second signal: ending at once");
      process.exit(1);
    };
    process.on("SIGTERM", onSignal);
    process.on("SIGINT", onSignal);
  });
}

async function serve(config: Config): Promise<number> {
  // Modules of the server load here, so that the other commands start fast.
  const [{ assertGuarded }, { openServer }, { createLog }, { createMetrics }, { compose }] =
    await Promise.all([
      import("./http/auth.ts"),
      import("./service/open-server.ts"),
      import("./observe/log.ts"),
      import("./observe/metrics.ts"),
      import("./compose.ts"),
    ]);
  assertGuarded(config.http.host, config.http.keys);
  const log = createLog(config.log);
  const metrics = createMetrics();
  const signalled = firstSignal(log);
  const { executor, verifier } = await compose(config, { observer: metrics.observer, log });
  try {
    const server = await openServer({
      executor,
      verifier,
      config,
      metrics,
      log,
      ready: () => executor.ready(),
      version: packageVersion(),
      queued: () => executor.observed().queuedCalls,
    });
    const address = await server.listen();
    const { engines } = await executor.describe();
    log.info(
      {
        address,
        engines: Object.fromEntries(engines.map(({ engine, tier }) => [engine, tier])),
        ...(config.wire.adapters.length === 0 ? {} : { wire: server.mounted() }),
      },
      "listening",
    );

    const signal = await Promise.race([signalled, ...(config.drain.whenInputEnds ? [inputEnd()] : [])]);
    log.info({ signal, timeoutMs: config.drain.timeoutMs }, "draining");
    setTimeout(() => process.exit(1), config.drain.timeoutMs + CLOSE_GRACE_MS).unref();
    const allEnded = await server.drain(config.drain.timeoutMs);
    await server.close();
    if (!allEnded) log.warn("calls were cancelled: drain.timeoutMs was over");
  } finally {
    await executor.close();
  }
  return 0;
}

/** Standard output is the protocol's, so the log goes to standard error. */
async function mcp(config: Config): Promise<number> {
  const [{ createLog }, { createMetrics }, { compose }, { serveMcpStdio }] = await Promise.all([
    import("./observe/log.ts"),
    import("./observe/metrics.ts"),
    import("./compose.ts"),
    import("./wire/mcp-stdio.ts"),
  ]);
  const log = createLog(config.log, process.stderr);
  const stop = new AbortController();
  void firstSignal(log).then((signal) => stop.abort(signal));
  const { executor } = await compose(config, { observer: createMetrics().observer, log });
  try {
    const wallMsMax = config.limits.ceiling.wall_ms;
    const wallMs = Math.min(config.wire.mcp.wallMs, wallMsMax);
    await serveMcpStdio({ wallMs, wallMsMax }, { executor, options: {} }, stop.signal);
  } finally {
    await executor.close();
  }
  return 0;
}

/** Words before the first flag are for the loop: a recipe and what goes over it. */
async function doctor({ argv, ...input }: ConfigInput): Promise<number> {
  const [{ diagnose }, { doctorOptions }, { diagnoseLoop }, { findingLines }] = await Promise.all([
    import("./confine/doctor.ts"),
    import("./compose.ts"),
    import("./rl/command/doctor.ts"),
    import("./lib/finding.ts"),
  ]);
  const flags = argv.findIndex((word) => word.startsWith("-"));
  const [words, rest] = flags < 0 ? [argv, []] : [argv.slice(0, flags), argv.slice(flags)];
  const findings = [
    ...(await diagnose(doctorOptions(loadConfig({ ...input, argv: rest })))),
    ...(await diagnoseLoop(words)),
  ];
  for (const line of findingLines(findings)) process.stdout.write(`${line}\n`);
  return findings.some(({ state }) => state === "fail") ? 1 : 0;
}

/** The bench is compiled by itself, after this, so its path is put together here and no compiler follows it. */
async function bench(argv: readonly string[]): Promise<number> {
  const place = import.meta.url.endsWith(".ts") ? "../bench/main.ts" : "./bench/main.js";
  const { runBench } = (await import(new URL(place, import.meta.url).href)) as {
    runBench: (argv: readonly string[]) => Promise<number>;
  };
  return runBench(argv);
}

async function main([command = "help", ...argv]: readonly string[]): Promise<number> {
  const input: ConfigInput = { argv, env: process.env, cwd: process.cwd() };
  switch (command) {
    case "serve":
      return serve(loadConfig(input));
    case "mcp":
      return mcp(loadConfig(input));
    case "doctor":
      return doctor(input);
    case "bench":
      return bench(argv);
    case "engine": {
      const { runEngine } = await import("./rl/engine-server/command.ts");
      return runEngine(argv, process.env);
    }
    case "train": {
      const { runTrain } = await import("./rl/command/train.ts");
      return runTrain(argv);
    }
    case "simulate": {
      const { runSimulate } = await import("./rl/simulator/command.ts");
      return runSimulate(argv);
    }
    case "view": {
      const { runView } = await import("./rl/view/command.ts");
      return runView(argv);
    }
    case "config": {
      const { describeConfig } = await import("./config/describe.ts");
      process.stdout.write(describeConfig(readConfig(input)));
      return 0;
    }
    case "version":
    case "--version":
      process.stdout.write(`${packageVersion()}\n`);
      return 0;
    case "help":
    case "--help":
    case "-h":
      process.stdout.write(HELP);
      return 0;
    default:
      process.stderr.write(`rollcall: there is no command "${command}"\n\n${HELP}`);
      return 2;
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  // What an operator can mend is told in one line; a stack is for bugs of ours.
  const bug = error instanceof TypeError || error instanceof ReferenceError || error instanceof RangeError;
  process.stderr.write(`rollcall: ${bug ? error.stack : (error as Error).message}\n`);
  process.exitCode = error instanceof ConfigError ? 2 : 1;
}
// Not left to the event loop: a handle that somebody forgot must not keep a service alive that said it ended.
process.exit();
