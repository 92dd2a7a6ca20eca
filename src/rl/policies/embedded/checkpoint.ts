/**
 * Checkpoints as safetensors files: weights by name and, for training, the optimizer's moments as `adam.first.*` and
 * `adam.second.*`; shape, step and version are in the metadata. A file is written beside its name and moved onto it,
 * so under a name there is always a whole checkpoint: the new one or the one before.
 */
import { randomUUID } from "node:crypto";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import path from "node:path";
import { EngineError } from "../../ports.ts";
import { layoutOf, type ModelShape } from "./shape.ts";

export interface Checkpoint {
  readonly weights: Float32Array;
  readonly firstMoment: Float32Array;
  readonly secondMoment: Float32Array;
  /** Steps of the optimizer since it was last reset. */
  readonly step: number;
  /** Of the weights that were last published. */
  readonly version: number;
}

interface TensorHeader {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

const FORMAT = "rollcall-embedded-1";
const PARTS = [
  ["", "weights"],
  ["adam.first.", "firstMoment"],
  ["adam.second.", "secondMoment"],
] as const;
const HEADER_BYTES_MAX = 1 << 20;

function encode(checkpoint: Checkpoint, shape: ModelShape): Buffer {
  const header: Record<string, unknown> = {
    __metadata__: {
      format: FORMAT,
      shape: JSON.stringify(shape),
      step: String(checkpoint.step),
      version: String(checkpoint.version),
    },
  };
  const layout = layoutOf(shape);
  let start = 0;
  for (const [prefix] of PARTS)
    for (const tensor of layout) {
      const end = start + 4 * tensor.size;
      header[prefix + tensor.name] = { dtype: "F32", shape: tensor.shape, data_offsets: [start, end] };
      start = end;
    }
  const json = Buffer.from(JSON.stringify(header));
  const padded = Buffer.alloc(Math.ceil(json.length / 8) * 8, " ");
  json.copy(padded);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  const data = PARTS.map(([, part]) => Buffer.from(new Float32Array(checkpoint[part]).buffer));
  return Buffer.concat([length, padded, ...data]);
}

function decode(file: Buffer, shape: ModelShape): Checkpoint {
  const headerBytes = file.length < 8 ? Infinity : Number(file.readBigUInt64LE());
  if (headerBytes > HEADER_BYTES_MAX || 8 + headerBytes > file.length) throw new Error("it is cut short");
  const header = JSON.parse(file.toString("utf8", 8, 8 + headerBytes)) as Record<string, TensorHeader> & {
    __metadata__?: Record<string, string>;
  };
  const metadata = header.__metadata__ ?? {};
  if (metadata["format"] !== FORMAT) throw new Error(`its format is not ${FORMAT}`);
  if (metadata["shape"] !== JSON.stringify(shape))
    throw new Error(`it is of the shape ${metadata["shape"]}, the model of ${JSON.stringify(shape)}`);
  const data = file.subarray(8 + headerBytes);
  const read = (prefix: string): Float32Array => {
    const layout = layoutOf(shape);
    const flat = new Float32Array(layout.reduce((sum, { size }) => sum + size, 0));
    for (const tensor of layout) {
      const [start = 0, end = 0] = header[prefix + tensor.name]?.data_offsets ?? [];
      if (end - start !== 4 * tensor.size || end > data.length)
        throw new Error(`it lacks the tensor ${prefix}${tensor.name}`);
      for (let index = 0; index < tensor.size; index += 1)
        flat[tensor.offset + index] = data.readFloatLE(start + 4 * index);
    }
    return flat;
  };
  return {
    weights: read(""),
    firstMoment: read("adam.first."),
    secondMoment: read("adam.second."),
    step: Number(metadata["step"]),
    version: Number(metadata["version"]),
  };
}

function failed(what: string, file: string, error: unknown): EngineError {
  return new EngineError(
    `the checkpoint ${file} cannot be ${what}: ${error instanceof Error ? error.message : String(error)}`,
    { retryable: false, cause: error },
  );
}

/** @throws EngineError when it cannot be written; what was under the name before is then still there */
export async function writeCheckpoint(
  file: string,
  checkpoint: Checkpoint,
  shape: ModelShape,
): Promise<void> {
  const fresh = `${file}.${randomUUID()}.partial`;
  try {
    await mkdir(path.dirname(file), { recursive: true });
    const handle = await open(fresh, "wx");
    try {
      await handle.writeFile(encode(checkpoint, shape));
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(fresh, file);
  } catch (error) {
    await rm(fresh, { force: true }).catch(() => undefined);
    throw failed("written", file, error);
  }
}

/** @throws EngineError when it is not there, is damaged or is of another shape */
export async function readCheckpoint(file: string, shape: ModelShape): Promise<Checkpoint> {
  try {
    return decode(await readFile(file), shape);
  } catch (error) {
    throw failed("read", file, error);
  }
}
