/** Results of promises, read and checked: what an engine made wrongly never reaches the loop as numbers. */
import { decodeForwardBackwardOutput } from "../../tinker-wire/forward-backward-proto.ts";
import type { ForwardBackwardOutput, SampleResponse } from "../../tinker-wire/messages.ts";
import { decodeSampleResponse } from "../../tinker-wire/sample-proto.ts";
import { checkedTokens, unusable } from "../checked-reply.ts";
import type { Outcome } from "./futures.ts";

function read<T>(what: string, outcome: Outcome, decode: (bytes: Uint8Array) => T): T {
  if (!("protobuf" in outcome)) return outcome.json as T;
  try {
    return decode(outcome.protobuf);
  } catch (error) {
    throw unusable(what, (error as Error).message, error);
  }
}

/** @throws EngineError unless there is a finite log probability for every weighted position */
export function readForwardBackward(
  what: string,
  outcome: Outcome,
  data: readonly { readonly weights: readonly number[] }[],
): { readonly logprobs: number[][]; readonly metrics: Readonly<Record<string, number>> } {
  const output = read<ForwardBackwardOutput>(what, outcome, decodeForwardBackwardOutput);
  const outputs = output.loss_fn_outputs ?? [];
  if (outputs.length !== data.length)
    throw unusable(what, `${outputs.length} outputs for ${data.length} data`);
  const logprobs = data.map(({ weights }, index) => {
    const row = outputs[index]?.["logprobs"]?.data;
    if (row?.length !== weights.length)
      throw unusable(
        what,
        `datum ${index} has ${row?.length ?? "no"} log probabilities for ${weights.length} targets`,
      );
    const bad = weights.findIndex((weight, at) => weight !== 0 && !Number.isFinite(row[at]));
    if (bad >= 0) throw unusable(what, `datum ${index} has the log probability ${row[bad]} at ${bad}`);
    return row.map((value) => (Number.isFinite(value) ? value : 0));
  });
  return { logprobs, metrics: output.metrics ?? {} };
}

/** @throws EngineError unless there is one sequence, with a finite log probability for each token */
export function readSample(
  what: string,
  outcome: Outcome,
): { readonly tokens: readonly number[]; readonly logprobs: readonly number[]; readonly stop: boolean } {
  const [sequence] = read<SampleResponse>(what, outcome, decodeSampleResponse).sequences ?? [];
  if (sequence === undefined) throw unusable(what, "it holds no sequence");
  return {
    ...checkedTokens(what, sequence.tokens, sequence.logprobs ?? []),
    stop: sequence.stop_reason === "stop",
  };
}
