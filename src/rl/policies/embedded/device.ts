/** The device that jax-js computes on. `webgpu` needs the package of that name, which is not among ours. */
import { defaultDevice, init } from "@jax-js/jax";
import { EngineError } from "../../ports.ts";

export const DEVICES = ["wasm", "webgpu"] as const;
export type DeviceName = (typeof DEVICES)[number];

/** What of the `webgpu` package (Dawn for Node) is used. */
interface Dawn {
  readonly create: (flags: readonly string[]) => object;
  readonly globals: Readonly<Record<string, unknown>>;
}

async function bringWebGpu(): Promise<void> {
  const name: string = "webgpu";
  let dawn: Dawn;
  try {
    dawn = (await import(name)) as Dawn;
  } catch (error) {
    throw new EngineError(
      'the device webgpu needs the npm package "webgpu", which is not installed: npm install webgpu',
      { retryable: false, cause: error },
    );
  }
  Object.assign(globalThis, dawn.globals);
  Object.defineProperty(globalThis.navigator, "gpu", { value: dawn.create([]), configurable: true });
}

/** @throws EngineError when the device is not there */
export async function useDevice(name: DeviceName): Promise<void> {
  if (name === "webgpu") await bringWebGpu();
  const found = await init(name);
  if (!found.includes(name))
    throw new EngineError(`there is no ${name} device on this machine; the device wasm runs everywhere`, {
      retryable: false,
    });
  defaultDevice(name);
}
