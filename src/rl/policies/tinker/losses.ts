/**
 * The loop's losses in the protocol's terms.
 *
 * Every loss of the port is a sum over tokens and data. Most servers sum too. SkyRL's jax backend divides each
 * sequence's loss by the sum of its `weights`, and the gradient by the number of data since the last optimizer step
 * (`sequence_mean`); there both are multiplied into the advantages beforehand. Its cross entropy would lose the
 * weights' scale in that division, so there it is asked for as CISPO with a ratio clipped to exactly 1, whose
 * gradient, -A d(log p), is the weighted cross entropy's.
 */
import type { Datum, Loss } from "../../ports.ts";
import type { Tensor, WireDatum } from "../../tinker-wire/messages.ts";

export type Reduction = "sum" | "sequence_mean";

export interface WireLoss {
  readonly loss_fn: string;
  readonly loss_fn_config: Readonly<Record<string, number>> | null;
  readonly data: readonly WireDatum[];
}

const floats = (data: readonly number[]): Tensor => ({ data, dtype: "float32", shape: [data.length] });

function wireDatum(datum: Datum, inputs: Readonly<Record<string, readonly number[]>>): WireDatum {
  const targets = datum.tokens.slice(1);
  return {
    model_input: { chunks: [{ type: "encoded_text", tokens: datum.tokens.slice(0, -1) }] },
    loss_fn_inputs: {
      target_tokens: { data: targets, dtype: "int64", shape: [targets.length] },
      ...Object.fromEntries(Object.entries(inputs).map(([name, values]) => [name, floats(values)])),
    },
  };
}

const zeros = (datum: Datum): number[] => datum.weights.map(() => 0);

/** Servers' defaults of the bounds differ (TuFT's are 0.9 and 1.1), so they are always sent. */
function clipConfig(loss: Loss): Record<string, number> | null {
  return loss.kind === "ppo"
    ? { clip_low_threshold: loss.clipLow, clip_high_threshold: loss.clipHigh }
    : null;
}

function summed(data: readonly Datum[], loss: Loss): WireLoss {
  const wire = data.map((datum) =>
    loss.kind === "cross_entropy"
      ? wireDatum(datum, { weights: datum.weights })
      : wireDatum(datum, {
          logprobs: datum.logprobs ?? zeros(datum),
          // Policy losses of the protocol know no weights.
          advantages: (datum.advantages ?? zeros(datum)).map((value, at) => value * (datum.weights[at] ?? 0)),
        }),
  );
  return { loss_fn: loss.kind, loss_fn_config: clipConfig(loss), data: wire };
}

function averaged(data: readonly Datum[], loss: Loss, stepData: number): WireLoss {
  const wire = data.map((datum) => {
    const mask = datum.weights.map((weight) => (weight === 0 ? 0 : 1));
    const undo = stepData * mask.reduce((sum: number, one) => sum + one, 0);
    const gains = loss.kind === "cross_entropy" ? mask : (datum.advantages ?? zeros(datum));
    return wireDatum(datum, {
      weights: mask,
      logprobs: loss.kind === "cross_entropy" ? zeros(datum) : (datum.logprobs ?? zeros(datum)),
      advantages: gains.map((gain, at) => gain * (datum.weights[at] ?? 0) * undo),
    });
  });
  return loss.kind === "cross_entropy"
    ? { loss_fn: "cispo", loss_fn_config: { clip_low_threshold: 1, clip_high_threshold: 1 }, data: wire }
    : { loss_fn: loss.kind, loss_fn_config: clipConfig(loss), data: wire };
}

/**
 * @param stepData data of the step that these belong to, which a mean divides by. With more than one forwardBackward
 *   in a step it is the first one's: the gradient is then off by one common factor, which Adam does not see.
 */
export function wireLoss(
  data: readonly Datum[],
  loss: Loss,
  reduction: Reduction,
  stepData: number,
): WireLoss {
  return reduction === "sum" ? summed(data, loss) : averaged(data, loss, stepData);
}

/** Bytes of a datum in protobuf, or in JSON, generously. */
export function estimatedBytes(datum: WireDatum, encoding: "protobuf" | "json"): number {
  const tokens = datum.model_input.chunks.reduce((sum, chunk) => sum + chunk.tokens.length, 0);
  const inputs = Object.values(datum.loss_fn_inputs);
  if (encoding === "json")
    return 256 + tokens * 8 + inputs.reduce((sum, one) => sum + one.data.length * 14, 0);
  const sizes = inputs.map((one) => one.data.length * (one.dtype === "int64" ? 8 : 4) + 40);
  return 32 + tokens * 4 + sizes.reduce((sum, size) => sum + size, 0);
}

/** Consecutive data, each chunk within both bounds; a datum larger than `bytesMax` stands alone. */
export function chunked(
  data: readonly WireDatum[],
  bounds: { readonly dataMax: number; readonly bytesMax: number; readonly encoding: "protobuf" | "json" },
): WireDatum[][] {
  const chunks: WireDatum[][] = [];
  let bytes = Infinity;
  for (const datum of data) {
    const size = estimatedBytes(datum, bounds.encoding);
    const last = chunks.at(-1);
    if (last === undefined || last.length >= bounds.dataMax || bytes + size > bounds.bytesMax) {
      chunks.push([datum]);
      bytes = size;
    } else {
      last.push(datum);
      bytes += size;
    }
  }
  return chunks;
}
