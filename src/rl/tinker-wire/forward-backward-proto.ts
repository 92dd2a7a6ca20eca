/** `ForwardBackwardRequest` and `ForwardBackwardOutput` in protobuf. */
import type {
  ForwardBackwardOutput,
  ForwardBackwardRequest,
  Tensor,
  TextChunk,
  WireDatum,
} from "./messages.ts";
import { packInt32, packInt64, unpackInt32, unpackInt64 } from "./numbers.ts";
import {
  DTYPE_FLOAT32,
  DTYPE_INT64,
  packTensor,
  ProtobufError,
  type Reader,
  readDoubleEntry,
  readIntegers,
  readMessage,
  readNested,
  unpackTensor,
  writeBytes,
  writeDoubles,
  writeInteger,
  writeIntegers,
  writeMessage,
  writeNested,
  writeString,
  type Writer,
} from "./proto-parts.ts";

const NO_BYTES: Uint8Array = new Uint8Array();

const dtypeNumber = (tensor: Tensor): number => (tensor.dtype === "int64" ? DTYPE_INT64 : DTYPE_FLOAT32);

function writeTensor(writer: Writer, tensor: Tensor): void {
  writeBytes(writer, 1, packTensor(tensor.dtype, tensor.data));
  writeInteger(writer, 3, dtypeNumber(tensor));
  writeIntegers(writer, 4, tensor.shape ?? [tensor.data.length]);
}

function writeDatum(writer: Writer, datum: WireDatum): void {
  for (const chunk of datum.model_input.chunks)
    writeNested(writer, 1, (w) => writeNested(w, 1, (text) => writeBytes(text, 1, packInt32(chunk.tokens))));
  for (const [name, tensor] of Object.entries(datum.loss_fn_inputs))
    writeNested(writer, 2, (entry) => {
      writeString(entry, 1, name);
      writeNested(entry, 2, (w) => writeTensor(w, tensor));
    });
}

/** @param forwardOnly no gradient is wanted: the protobuf form of the `forward` request */
export function encodeForwardBackwardRequest(
  request: ForwardBackwardRequest,
  forwardOnly = false,
): Uint8Array {
  const input = request.forward_backward_input;
  return writeMessage((writer) => {
    writeString(writer, 1, request.model_id);
    writeInteger(writer, 2, request.seq_id);
    for (const datum of input.data) writeNested(writer, 3, (w) => writeDatum(w, datum));
    writeString(writer, 4, input.loss_fn);
    writeDoubles(writer, 5, input.loss_fn_config ?? {});
    if (forwardOnly) writeInteger(writer, 6, 1);
  });
}

function readTensor(reader: Reader): Tensor {
  let [bytes, dtype, sparse] = [NO_BYTES, 0, false];
  const shape: number[] = [];
  readNested(reader, {
    1: (r) => (bytes = r.bytes()),
    2: (r, wireType) => {
      sparse = true;
      r.skipType(wireType);
    },
    3: (r) => (dtype = r.int32()),
    4: (r, wireType) => readIntegers(r, wireType, shape),
  });
  if (sparse) throw new ProtobufError("a sparse tensor: only dense ones are allowed");
  const tensor = unpackTensor(dtype, bytes);
  return { ...tensor, shape: shape.length === 0 ? [tensor.data.length] : shape };
}

function readChunk(reader: Reader): TextChunk {
  let tokens: number[] | null = null;
  readNested(reader, {
    1: (r) => {
      tokens = [];
      readNested(r, { 1: (text) => (tokens = unpackInt32(text.bytes())) });
    },
  });
  if (tokens === null) throw new ProtobufError("a chunk of the model input that is not text");
  return { type: "encoded_text", tokens };
}

function readDatum(reader: Reader): WireDatum {
  const chunks: TextChunk[] = [];
  const inputs: Record<string, Tensor> = {};
  readNested(reader, {
    1: (r) => chunks.push(readChunk(r)),
    2: (r) => {
      let name = "";
      let tensor: Tensor | undefined;
      readNested(r, { 1: (entry) => (name = entry.string()), 2: (entry) => (tensor = readTensor(entry)) });
      if (tensor !== undefined) inputs[name] = tensor;
    },
  });
  return { model_input: { chunks }, loss_fn_inputs: inputs };
}

/** @throws ProtobufError for bytes that are no such request, or one with images, audio or sparse tensors */
export function decodeForwardBackwardRequest(bytes: Uint8Array): {
  readonly request: ForwardBackwardRequest;
  readonly forwardOnly: boolean;
} {
  let [model, seq, loss, forwardOnly] = ["", 0, "", false];
  const config: Record<string, number> = {};
  const data: WireDatum[] = [];
  readMessage(bytes, {
    1: (r) => (model = r.string()),
    2: (r) => (seq = r.int32()),
    3: (r) => data.push(readDatum(r)),
    4: (r) => (loss = r.string()),
    5: (r) => readDoubleEntry(r, config),
    6: (r) => (forwardOnly = r.bool()),
  });
  const loss_fn_config = Object.keys(config).length === 0 ? null : config;
  return {
    request: {
      model_id: model,
      seq_id: seq,
      forward_backward_input: { loss_fn: loss, loss_fn_config, data },
    },
    forwardOnly,
  };
}

/** All data's arrays of one name, end to end; `offsets` are in bytes. */
function writeBatched(writer: Writer, tensors: readonly (Tensor | undefined)[]): void {
  const first = tensors.find((tensor) => tensor !== undefined);
  const dtype = first?.dtype ?? "float32";
  const arrays = tensors.map((tensor) => packTensor(dtype, tensor?.data ?? []));
  const offsets = [0];
  for (const array of arrays) offsets.push((offsets.at(-1) ?? 0) + array.byteLength);
  writeBytes(writer, 1, Buffer.concat(arrays));
  writeBytes(writer, 2, packInt64(offsets));
  writeInteger(writer, 3, dtype === "int64" ? DTYPE_INT64 : DTYPE_FLOAT32);
  writeIntegers(writer, 4, first?.shape?.slice(1) ?? []);
}

export function encodeForwardBackwardOutput(output: ForwardBackwardOutput): Uint8Array {
  const data = output.loss_fn_outputs;
  const names = new Set(data.flatMap((one) => Object.keys(one)));
  return writeMessage((writer) => {
    writeString(writer, 1, output.loss_fn_output_type);
    if (data.length > 0)
      writeNested(writer, 2, (record) => {
        for (const name of names)
          writeNested(record, 2, (entry) => {
            writeString(entry, 1, name);
            writeNested(entry, 2, (w) =>
              writeBatched(
                w,
                data.map((one) => one[name]),
              ),
            );
          });
        writeInteger(record, 3, data.length);
      });
    writeDoubles(writer, 3, output.metrics);
  });
}

function readBatched(reader: Reader): Tensor[] {
  let [bytes, offsets, dtype] = [NO_BYTES, NO_BYTES, 0];
  const trailing: number[] = [];
  readNested(reader, {
    1: (r) => (bytes = r.bytes()),
    2: (r) => (offsets = r.bytes()),
    3: (r) => (dtype = r.int32()),
    4: (r, wireType) => readIntegers(r, wireType, trailing),
  });
  const rowSize = trailing.reduce((product, size) => product * size, 1);
  const ends = unpackInt64(offsets);
  return ends.slice(1).map((end, index) => {
    const tensor = unpackTensor(dtype, bytes.subarray(ends[index], end));
    return { ...tensor, shape: [tensor.data.length / Math.max(1, rowSize), ...trailing] };
  });
}

function readRecord(reader: Reader): Record<string, Tensor>[] {
  const columns: [string, Tensor[]][] = [];
  let count = 0;
  readNested(reader, {
    2: (r) => {
      let name = "";
      let column: Tensor[] = [];
      readNested(r, { 1: (entry) => (name = entry.string()), 2: (entry) => (column = readBatched(entry)) });
      columns.push([name, column]);
    },
    3: (r) => (count = r.int32()),
  });
  return Array.from({ length: count }, (_, index) =>
    Object.fromEntries(
      columns.map(([name, column]) => {
        const tensor = column[index];
        if (tensor === undefined) throw new ProtobufError(`${name} has ${column.length} of ${count} data`);
        return [name, tensor];
      }),
    ),
  );
}

/** @throws ProtobufError for bytes that are no such output */
export function decodeForwardBackwardOutput(bytes: Uint8Array): ForwardBackwardOutput {
  let type = "";
  const outputs: Record<string, Tensor>[] = [];
  const metrics: Record<string, number> = {};
  readMessage(bytes, {
    1: (r) => (type = r.string()),
    2: (r) => outputs.push(...readRecord(r)),
    3: (r) => readDoubleEntry(r, metrics),
  });
  return { loss_fn_output_type: type, loss_fn_outputs: outputs, metrics };
}
