/** `SampleResponse` in protobuf. */
import type { SampledSequence, SampleResponse } from "./messages.ts";
import { packFloat32, packInt32, unpackFloat32, unpackInt32 } from "./numbers.ts";
import {
  ProtobufError,
  type Reader,
  readMessage,
  readNested,
  writeBytes,
  writeInteger,
  writeMessage,
  writeNested,
} from "./proto-parts.ts";

/** Numbers of the stop reasons. */
const STOP_REASONS: readonly SampledSequence["stop_reason"][] = ["stop", "length"];

export function encodeSampleResponse(response: SampleResponse): Uint8Array {
  return writeMessage((writer) => {
    for (const sequence of response.sequences)
      writeNested(writer, 1, (w) => {
        writeInteger(w, 1, STOP_REASONS.indexOf(sequence.stop_reason));
        writeBytes(w, 2, packInt32(sequence.tokens));
        if (sequence.logprobs !== null) writeBytes(w, 3, packFloat32(sequence.logprobs));
      });
    const prompt = response.prompt_logprobs ?? null;
    if (prompt !== null) writeBytes(writer, 2, packFloat32(prompt.map((value) => value ?? Number.NaN)));
  });
}

function readSequence(reader: Reader): SampledSequence {
  let reason = 0;
  let tokens: number[] = [];
  let logprobs: number[] | null = null;
  readNested(reader, {
    1: (r) => (reason = r.int32()),
    2: (r) => (tokens = unpackInt32(r.bytes())),
    3: (r) => (logprobs = unpackFloat32(r.bytes())),
  });
  const stop_reason = STOP_REASONS[reason];
  if (stop_reason === undefined) throw new ProtobufError(`stop reason ${reason}: 0 and 1 are known`);
  return { stop_reason, tokens, logprobs };
}

/** @throws ProtobufError for bytes that are no such response */
export function decodeSampleResponse(bytes: Uint8Array): SampleResponse {
  const sequences: SampledSequence[] = [];
  let prompt: (number | null)[] | null = null;
  readMessage(bytes, {
    1: (r) => sequences.push(readSequence(r)),
    2: (r) => (prompt = unpackFloat32(r.bytes()).map((value) => (Number.isNaN(value) ? null : value))),
  });
  return { sequences, prompt_logprobs: prompt };
}
