/** Whether the embedded model can compute here, found by letting a small one write a token. */
import { fail, ok, type Finding } from "../../../lib/finding.ts";
import type { DeviceName } from "./device.ts";

/** @throws EngineError when the device is not there */
async function writeOneToken(device: DeviceName): Promise<number> {
  const startedAt = performance.now();
  const { createEmbeddedEngine } = await import("./engine.ts");
  const engine = await createEmbeddedEngine({
    vocabulary: 16,
    context: 16,
    layers: 1,
    width: 16,
    heads: 2,
    replicas: 1,
    device,
  });
  try {
    await engine.sample({ prompt: [1], maxTokens: 1, temperature: 0, stop: [] });
    return performance.now() - startedAt;
  } finally {
    await engine.close();
  }
}

async function findDevice(device: DeviceName, isAsked: boolean, fix: string): Promise<Finding> {
  const name = `device ${device}`;
  try {
    return ok(
      name,
      `a small model wrote a token, ${Math.round(await writeOneToken(device))} ms after its start`,
    );
  } catch (error) {
    const { message } = error as Error;
    return isAsked ? fail(name, message, fix) : ok(name, `not there, and not asked for: ${message}`);
  }
}

export async function diagnoseEmbedded({ device }: { readonly device: DeviceName }): Promise<Finding[]> {
  return [
    await findDevice("wasm", device === "wasm", "use Node 24.12 or later on a processor with SIMD"),
    await findDevice(
      "webgpu",
      device === "webgpu",
      "npm install --no-save webgpu, and a Vulkan, Metal or D3D12 driver; or engine.device=wasm",
    ),
  ];
}
