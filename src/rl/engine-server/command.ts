/** `rollcall engine`: flags, the server, and its end at a signal. */
import { parseArgs } from "node:util";
import { DEVICES, type DeviceName } from "../policies/embedded/device.ts";
import { DEFAULT_SHAPE } from "../policies/embedded/shape.ts";
import { encodeTiny, TINY_VOCABULARY } from "../renderers/tiny.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import { startEngineServer } from "./server.ts";

export const BASE_MODEL = "rollcall/embedded-tiny";

const HELP = `Usage: rollcall engine [flags]

Serves the embedded model as a Tinker-compatible endpoint: http://127.0.0.1:8717/api/v1.

  --host HOST             default 127.0.0.1; another one needs a key
  --port PORT             default 8717; 0 takes a free one
  --directory DIR         where weights are saved; default rollcall-engine
  --device NAME           wasm (default) or webgpu, which needs the npm package "webgpu"
  --context N             tokens of prompt and continuation, at most 4096; default 128
  --vocabulary N          token ids; default ${TINY_VOCABULARY.length}, the tiny language of the tasks
  --layers N --width N --heads N    default ${DEFAULT_SHAPE.layers}, ${DEFAULT_SHAPE.width}, ${DEFAULT_SHAPE.heads}
  --seed N                of the base model's weights; default 0
  --models-max N          models in training at the same time; default ${DEFAULT_LIMITS.modelsMax}
  --session-silence-s N   a session that is silent for longer is over; default ${DEFAULT_LIMITS.sessionSilenceMs / 1000}

The key, if one is to be asked for as X-API-Key, is in the environment: ROLLCALL_ENGINE_KEY.
`;

const FLAGS = {
  help: { type: "boolean" },
  host: { type: "string", default: "127.0.0.1" },
  port: { type: "string", default: "8717" },
  directory: { type: "string", default: "rollcall-engine" },
  device: { type: "string", default: "wasm" },
  context: { type: "string", default: "128" },
  vocabulary: { type: "string", default: String(TINY_VOCABULARY.length) },
  layers: { type: "string", default: String(DEFAULT_SHAPE.layers) },
  width: { type: "string", default: String(DEFAULT_SHAPE.width) },
  heads: { type: "string", default: String(DEFAULT_SHAPE.heads) },
  seed: { type: "string", default: "0" },
  "models-max": { type: "string", default: String(DEFAULT_LIMITS.modelsMax) },
  "session-silence-s": { type: "string", default: String(DEFAULT_LIMITS.sessionSilenceMs / 1000) },
} as const;

/** A flag that cannot be used as it is. */
export class EngineFlagError extends Error {
  override readonly name = "EngineFlagError";
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: FLAGS, strict: true }).values;
  } catch (error) {
    throw new EngineFlagError((error as Error).message, { cause: error });
  }
}

function whole(flag: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least || value > most)
    throw new EngineFlagError(
      `--${flag} is ${JSON.stringify(text)}; it must be a whole number from ${least} to ${most}`,
    );
  return value;
}

function deviceOf(text: string): DeviceName {
  const device = DEVICES.find((one) => one === text);
  if (device === undefined)
    throw new EngineFlagError(`--device is ${JSON.stringify(text)}; there are ${DEVICES.join(" and ")}`);
  return device;
}

/** Options of the server from flags and environment. @throws EngineFlagError */
function optionsOf(flags: ReturnType<typeof parse>, env: NodeJS.ProcessEnv) {
  const vocabulary = whole("vocabulary", flags.vocabulary, 1, 65_536);
  const key = env["ROLLCALL_ENGINE_KEY"] ?? "";
  return {
    host: flags.host,
    port: whole("port", flags.port, 0, 65_535),
    key: key === "" ? null : key,
    baseModel: BASE_MODEL,
    directory: flags.directory,
    engine: {
      vocabulary,
      context: whole("context", flags.context, 8, 4096),
      layers: whole("layers", flags.layers, 1, 24),
      width: whole("width", flags.width, 4, 1024),
      heads: whole("heads", flags.heads, 1, 64),
      seed: whole("seed", flags.seed, 0, 2 ** 31),
      device: deviceOf(flags.device),
    },
    limits: {
      ...DEFAULT_LIMITS,
      modelsMax: whole("models-max", flags["models-max"], 1, 64),
      sessionSilenceMs: 1000 * whole("session-silence-s", flags["session-silence-s"], 1, 86_400),
    },
    encode: (text: string): number | null => {
      const [id, ...more] = encodeTiny(text);
      return id === undefined || more.length > 0 || id >= vocabulary ? null : id;
    },
  };
}

/** Serves until SIGTERM or SIGINT. @returns the exit code */
export async function runEngine(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const flags = parse(argv);
  if (flags.help === true) {
    process.stdout.write(HELP);
    return 0;
  }
  const ended = new Promise<void>((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve());
  });
  const server = await startEngineServer({
    ...optionsOf(flags, env),
    failed: (error) => process.stderr.write(`rollcall engine: ${String(error)}\n`),
  });
  process.stdout.write(`rollcall engine: ${BASE_MODEL} at ${server.url}\n`);
  await ended;
  await server.close();
  return 0;
}
