/** The keys of other systems' APIs; a part of `schema.ts`. */
import { Type } from "typebox";
import { WIRE_NAMES } from "../contract/wire.ts";
import { DAY_MS, flag, MiB, quantity, section, text } from "./schema-parts.ts";

/** Where an adapter is found. */
const place = {
  prefix: text("", "Path put before the adapter's own, e.g. /judge. Empty: the original's paths."),
  port: quantity("count", 0, 0, 65535, "TCP port of its own, on http.host; 0: the service's port."),
};

const replay = section("Programs of rStar2's simulated Jupyter, which run every earlier cell again.", {
  enabled: flag(
    true,
    "Answer one in a fork of a program that ran the earlier cells before, where the answer cannot tell. False: run each as it came.",
  ),
  sessionsMax: quantity(
    "sessions",
    32,
    1,
    4096,
    "Programs that wait after earlier cells, each a session; the one that was used longest ago goes first.",
  ),
  memoryBytes: quantity(
    "bytes",
    512 * MiB,
    MiB,
    2 ** 40,
    "Memory of all that wait; one that takes more is not kept.",
  ),
  idleMs: quantity("ms", 5 * 60_000, 1, DAY_MS, "Time without use after which one is given up."),
  cpuMs: quantity("ms", 20, 0, DAY_MS, "CPU time that earlier cells must have taken for one to wait there."),
  preludes: text(
    "",
    "SHA-256 hashes in hexadecimal, separated by commas, of further preludes that mute earlier cells as rStar2's does.",
  ),
});
export const wire = section("APIs of other systems, answered for clients that already call them.", {
  adapters: Type.Array(Type.Enum([...WIRE_NAMES], { type: "string" }), {
    default: [],
    uniqueItems: true,
    description: `Adapters to switch on, out of ${WIRE_NAMES.join(", ")}.`,
  }),
  open: flag(
    false,
    "Ask for no key on the adapters' routes even where http.keys are set; on a loopback http.host only.",
  ),
  "sandbox-fusion": section("SandboxFusion: docs/wire/sandbox-fusion.md.", {
    ...place,
    waitMs: quantity(
      "ms",
      15_000,
      1,
      DAY_MS,
      "Time that a request may wait for a slot. After it the answer is HTTP 504, so that a client that retries does so before its own timeout.",
    ),
  }),
  "code-judge": section("code-judge: docs/wire/code-judge.md.", {
    ...place,
    wallMs: quantity(
      "ms",
      10_000,
      1,
      DAY_MS,
      "Wall time of a submission; the original's MAX_EXECUTION_TIME.",
    ),
    outputCharacters: quantity(
      "count",
      1000,
      0,
      1_000_000_000,
      "Characters of stdout, and of stderr, that are answered; the original's MAX_STDOUT_ERROR_LENGTH.",
    ),
    timeoutError: flag(
      false,
      "End the stderr of a submission that met its time limit with a TimeoutError line, for trainers that count errors by that word.",
    ),
    math: flag(
      false,
      "Judge submissions of type math, for which the original has no executor: solution against expected_output, by math-verify.",
    ),
    modulesDirectory: text(
      "",
      "Directory of .py files that a submission may import: one is put beside the program when the program has its name. Empty: none.",
    ),
    replay,
  }),
  piston: section("Piston v2: docs/wire/piston.md.", place),
  "dify-sandbox": section("dify-sandbox: docs/wire/dify-sandbox.md.", {
    ...place,
    wallMs: quantity("ms", 5000, 1, DAY_MS, "Wall time of a program; the original's worker_timeout."),
    preload: flag(false, "Put a request's `preload` before its code; the original's enable_preload."),
  }),
  "open-r1": section("The batch router of open-r1: docs/wire/open-r1.md.", place),
  "nemo-skills": section("NeMo-Skills' sandbox: docs/wire/nemo-skills.md.", place),
  "verl-tool": section("verl-tool's tool server: docs/wire/verl-tool.md.", {
    ...place,
    wallMs: quantity("ms", 10_000, 1, DAY_MS, "Wall time of an action."),
    stateful: flag(
      false,
      "Keep one interpreter for each trajectory, as the original's ipython_code tool does.",
    ),
  }),
  openenv: section("OpenEnv's coding environment: docs/wire/openenv.md.", {
    ...place,
    wallMs: quantity("ms", 30_000, 1, DAY_MS, "Wall time of a step; as in the original's interpreter."),
  }),
  mcp: section("The Model Context Protocol: docs/wire/mcp.md.", {
    ...place,
    wallMs: quantity("ms", 10_000, 1, DAY_MS, "Wall time of a tool call that asks for none."),
  }),
});
