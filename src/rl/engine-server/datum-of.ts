/** Data and losses of the protocol as the engine takes them. */
import type { Datum, Loss } from "../ports.ts";
import type { ModelInput, WireDatum } from "../tinker-wire/messages.ts";
import { ApiError } from "./errors.ts";

const LOSSES = ["cross_entropy", "importance_sampling", "ppo"] as const;
/** What a ppo without thresholds is clipped to: the hosted service's defaults. */
const CLIP = { clip_low_threshold: 0.8, clip_high_threshold: 1.2 } as const;

export function tokensOf(input: ModelInput): number[] {
  return input.chunks.flatMap(({ tokens }) => tokens);
}

/** @throws ApiError 422 for a loss or a setting that is not offered, telling which are */
export function lossOf(name: string, config: Readonly<Record<string, number>> | null): Loss {
  const kind = LOSSES.find((one) => one === name);
  if (kind === undefined)
    throw new ApiError(
      422,
      `there is no loss_fn ${JSON.stringify(name.slice(0, 100))}; there are ${LOSSES.join(", ")}`,
    );
  const allowed = kind === "ppo" ? Object.keys(CLIP) : [];
  const strange = Object.keys(config ?? {}).find((key) => !allowed.includes(key));
  if (strange !== undefined)
    throw new ApiError(
      422,
      `loss_fn ${kind} takes ${allowed.length === 0 ? "no settings" : allowed.join(" and ")}; loss_fn_config has ${JSON.stringify(strange.slice(0, 100))}`,
    );
  if (kind !== "ppo") return { kind };
  const { clip_low_threshold, clip_high_threshold } = { ...CLIP, ...config };
  return { kind, clipLow: clip_low_threshold, clipHigh: clip_high_threshold };
}

/** @throws ApiError 422 naming the datum that is not laid out as the protocol says */
export function datumOf(wire: WireDatum, index: number, loss: Loss): Datum {
  const refuse = (problem: string): never => {
    throw new ApiError(422, `data[${index}]: ${problem}`);
  };
  const input = tokensOf(wire.model_input);
  const array = (name: string): readonly number[] | undefined => {
    const tensor = wire.loss_fn_inputs[name];
    if (tensor === undefined) return undefined;
    if (tensor.data.length !== input.length)
      refuse(`${name} has ${tensor.data.length} entries for ${input.length} tokens of model_input`);
    return tensor.data;
  };
  const targets = array("target_tokens") ?? refuse("loss_fn_inputs has no target_tokens");
  const advantages = array("advantages");
  const logprobs = array("logprobs");
  // A target without an advantage has no part in a policy loss.
  const implied = (): number[] =>
    targets.map((_, at) => (loss.kind === "cross_entropy" || advantages?.[at] !== 0 ? 1 : 0));
  const weights = array("weights") ?? implied();
  const moved = targets.findIndex(
    (target, at) => at + 1 < input.length && weights[at] !== 0 && target !== input[at + 1],
  );
  if (moved !== -1)
    refuse(
      `target_tokens[${moved}] is ${targets[moved]} and model_input has ${input[moved + 1]} there; targets are the input one place on, wherever they have weight`,
    );
  const last = targets.at(-1) ?? refuse("model_input has no tokens");
  return {
    tokens: [...input, last],
    weights,
    ...(logprobs === undefined ? {} : { logprobs }),
    ...(advantages === undefined ? {} : { advantages }),
  };
}
