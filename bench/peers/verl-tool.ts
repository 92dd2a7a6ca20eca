/** verl-tool's tool server: `POST /get_observation`; all that a program wrote comes back as one text, and no exit code. */
import { plainAnswer, runsPython, isFlush, type PlainAnswer, type Target } from "../targets/target.ts";
import { batchTarget, type PeerOptions } from "./driver.ts";

const RESULT = /^\n<result>\n([^]*)\n<\/result>\n$/;

function readAnswer(observation: string): PlainAnswer {
  const text = RESULT.exec(observation)?.[1];
  if (text === undefined) return { end: "other", stdout: observation, stderr: "" };
  if (/Execution timed out after [\d.]+ seconds\.$/.test(text))
    return { end: "wall_limit", stdout: null, stderr: text };
  return { end: "answered", stdout: text, stderr: "", isMixed: true };
}

export function createVerlToolTarget(options: PeerOptions): Target {
  return batchTarget(options, {
    name: "verl-tool",
    runs: (program) => runsPython(program) && isFlush(program),
    async ask(programs, post) {
      const { observations } = (await post("/get_observation", {
        trajectory_ids: programs.map((_, index) => `bench-${index}`),
        actions: programs.map(({ source }) => `<python>\n${source}\n</python>`),
        extra_fields: programs.map(({ stdin }) => (stdin === "" ? {} : { stdin })),
      })) as { observations: string[] };
      return programs
        .slice(0, observations.length)
        .map((program, index) => plainAnswer(program, readAnswer(observations[index] as string)));
    },
  });
}
