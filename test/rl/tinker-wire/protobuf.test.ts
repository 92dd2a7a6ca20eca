import fs from "node:fs";
import path from "node:path";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compressZstd, decompressZstd } from "../../../src/rl/tinker-wire/compression.ts";
import {
  decodeForwardBackwardOutput,
  decodeForwardBackwardRequest,
  encodeForwardBackwardOutput,
  encodeForwardBackwardRequest,
} from "../../../src/rl/tinker-wire/forward-backward-proto.ts";
import type {
  ForwardBackwardOutput,
  ForwardBackwardRequest,
  Tensor,
} from "../../../src/rl/tinker-wire/messages.ts";
import { packInt64, unpackInt64 } from "../../../src/rl/tinker-wire/numbers.ts";
import { ProtobufError } from "../../../src/rl/tinker-wire/proto-parts.ts";
import { decodeSampleResponse, encodeSampleResponse } from "../../../src/rl/tinker-wire/sample-proto.ts";

/** Written by the tinker SDK's own classes; golden.py beside this file makes it. */
const golden = JSON.parse(fs.readFileSync(path.join(import.meta.dirname, "golden.json"), "utf8")) as Record<
  "request" | "output" | "sample",
  string
>;

const ofHex = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, "hex"));

describe("what the tinker SDK writes", () => {
  test("a forward_backward request is read", () => {
    expect(decodeForwardBackwardRequest(ofHex(golden.request))).toEqual({
      forwardOnly: true,
      request: {
        model_id: "model_1",
        seq_id: 300,
        forward_backward_input: {
          loss_fn: "ppo",
          loss_fn_config: { clip_low_threshold: 0.8, clip_high_threshold: 1.28 },
          data: [
            {
              model_input: { chunks: [{ type: "encoded_text", tokens: [5, 151_643, 7] }] },
              loss_fn_inputs: {
                target_tokens: { data: [151_643, 7, 2 ** 40], dtype: "int64", shape: [3] },
                advantages: { data: [0, -1.5, 0.25], dtype: "float32", shape: [3] },
              },
            },
          ],
        },
      },
    });
  });

  test("its output is read", () => {
    expect(decodeForwardBackwardOutput(ofHex(golden.output))).toEqual({
      loss_fn_output_type: "scalar",
      metrics: { "loss:sum": -2.5 },
      loss_fn_outputs: [
        {
          logprobs: { data: [-1, -2], dtype: "float32", shape: [2] },
          wide: { data: [1, 2, 3, 4], dtype: "int64", shape: [2, 2] },
        },
        {
          logprobs: { data: [-0.5], dtype: "float32", shape: [1] },
          wide: { data: [5, 6], dtype: "int64", shape: [1, 2] },
        },
      ],
    });
  });

  test("samples are read", () => {
    expect(decodeSampleResponse(ofHex(golden.sample))).toEqual({
      sequences: [
        { stop_reason: "stop", tokens: [1, 2], logprobs: [-0.25, -4] },
        { stop_reason: "length", tokens: [3], logprobs: null },
      ],
      prompt_logprobs: [null, -0.125],
    });
  });
});

const tokenIds = fc.array(fc.integer({ min: 0, max: 2 ** 31 - 1 }), { maxLength: 12 });
const floats = fc.array(fc.float({ noNaN: true }), { maxLength: 12 });
const vector = (data: number[], dtype: Tensor["dtype"]): Tensor => ({ data, dtype, shape: [data.length] });

const requests: fc.Arbitrary<ForwardBackwardRequest> = fc.record({
  model_id: fc.string(),
  seq_id: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
  forward_backward_input: fc.record({
    loss_fn: fc.constantFrom("cross_entropy", "ppo"),
    loss_fn_config: fc.constantFrom(null, { clip_low_threshold: 0.8 }),
    data: fc.array(
      fc.record({
        model_input: tokenIds.map((tokens) => ({ chunks: [{ type: "encoded_text" as const, tokens }] })),
        loss_fn_inputs: fc.record({
          target_tokens: tokenIds.map((data) => vector(data, "int64")),
          weights: floats.map((data) => vector(data, "float32")),
        }),
      }),
      { maxLength: 4 },
    ),
  }),
});

const outputs: fc.Arbitrary<ForwardBackwardOutput> = fc.record({
  loss_fn_output_type: fc.string(),
  metrics: fc.dictionary(fc.stringMatching(/^[a-z:/]{1,12}$/), fc.double({ noNaN: true })),
  loss_fn_outputs: fc.array(
    floats.map((data) => ({ logprobs: vector(data, "float32") })),
    { maxLength: 4 },
  ),
});

const samples = fc.record({
  sequences: fc.array(
    fc.record({
      stop_reason: fc.constantFrom("stop" as const, "length" as const),
      tokens: tokenIds,
      logprobs: fc.option(floats),
    }),
  ),
  prompt_logprobs: fc.option(fc.array(fc.option(fc.float({ noNaN: true })))),
});

/** Objects without a prototype, as some arbitraries make them, become plain ones. */
const plain = <T>(value: T): T => structuredClone(value);

describe("round trips", () => {
  test("requests", () => {
    fc.assert(
      fc.property(requests, fc.boolean(), (request, forwardOnly) => {
        const bytes = encodeForwardBackwardRequest(request, forwardOnly);
        expect(decodeForwardBackwardRequest(bytes)).toEqual({ request, forwardOnly });
      }),
    );
  });

  test("outputs", () => {
    fc.assert(
      fc.property(outputs, (output) => {
        expect(decodeForwardBackwardOutput(encodeForwardBackwardOutput(output))).toEqual(plain(output));
      }),
    );
  });

  test("samples", () => {
    fc.assert(
      fc.property(samples, (sample) => {
        expect(decodeSampleResponse(encodeSampleResponse(sample))).toEqual(sample);
      }),
    );
  });

  test("int64, negative ones too", () => {
    fc.assert(
      fc.property(fc.array(fc.maxSafeInteger()), (values) => {
        expect(unpackInt64(packInt64(values))).toEqual(values);
      }),
    );
  });

  test("zstd, and what unpacks to more than is allowed is refused", async () => {
    const bytes = new Uint8Array(100_000).fill(7);
    const packed = await compressZstd(bytes);
    expect(packed.byteLength).toBeLessThan(1000);
    expect(Uint8Array.from(await decompressZstd(packed, 100_000))).toEqual(bytes);
    await expect(decompressZstd(packed, 99_999)).rejects.toThrow();
  });
});

test("bytes that are no message are refused, never read past their end", () => {
  const whole = ofHex(golden.request);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: whole.length }), fc.uint8Array({ maxLength: 30 }), (cut, tail) => {
      try {
        decodeForwardBackwardRequest(Buffer.concat([whole.subarray(0, cut), tail]));
      } catch (error) {
        expect(error).toBeInstanceOf(ProtobufError);
      }
    }),
  );
});
