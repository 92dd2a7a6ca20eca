/** A sample request checked and with nothing left out. */
import { EngineError, type SampleRequest } from "../../ports.ts";
import { strangeToken } from "./batches.ts";
import type { Continuation } from "./decoder.ts";
import type { ModelShape } from "./shape.ts";

function refuse(problem: string): never {
  throw new EngineError(`sample: ${problem}`, { retryable: false });
}

/** @throws EngineError telling what is not allowed and what is */
export function continuationOf(
  request: SampleRequest,
  shape: ModelShape,
  drawSeed: () => number,
): Continuation {
  const { prompt, maxTokens, temperature, topP = 1, stop, seed } = request;
  if (prompt.length === 0) refuse("the prompt is empty; it needs at least one token");
  const strange = strangeToken(prompt, shape.vocabulary);
  if (strange !== undefined)
    refuse(`prompt[${strange.at}] is ${strange.token}; ids are 0 to ${shape.vocabulary - 1}`);
  const strangeStop = strangeToken(stop, shape.vocabulary);
  if (strangeStop !== undefined)
    refuse(`stop[${strangeStop.at}] is ${strangeStop.token}; ids are 0 to ${shape.vocabulary - 1}`);
  if (!Number.isInteger(maxTokens) || maxTokens < 1)
    refuse(`maxTokens is ${maxTokens}; it must be a whole number from 1`);
  if (prompt.length + maxTokens > shape.context)
    refuse(
      `the prompt's ${prompt.length} tokens and maxTokens ${maxTokens} are more than the context of ${shape.context}`,
    );
  if (!Number.isFinite(temperature) || temperature < 0)
    refuse(`temperature is ${temperature}; it must be 0 or more`);
  if (!(topP > 0 && topP <= 1)) refuse(`topP is ${topP}; it must be above 0 and at most 1`);
  if (seed !== undefined && (!Number.isSafeInteger(seed) || seed < 0))
    refuse(`seed is ${seed}; it must be a whole number from 0 to 2^53 - 1`);
  return { prompt, maxTokens, temperature, topP, stop, seed: seed ?? drawSeed() };
}
