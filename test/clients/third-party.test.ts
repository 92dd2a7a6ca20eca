/**
 * Other people's clients, as they are on PyPI, against the real service. One that cannot be installed is left out, and
 * says so. NeMo-Skills, rStar2 and verl-tool are not on PyPI.
 */
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { INSTALL_MS_MAX, packages, python } from "../support/pypi.ts";
import { type Service, startService } from "../support/service.ts";

const SCRIPT = fileURLToPath(new URL("third_party.py", import.meta.url));
const RUN_MS_MAX = 60_000;

/** Requirements, and those of them without what they depend on: torch, ray and the like. */
const CLIENTS = [
  ["sandbox-fusion", ["sandbox-fusion==0.3.7"], []],
  ["tinker-cookbook", ["aiohttp==3.14.5"], ["tinker-cookbook==0.6.1"]],
  ["verl", ["requests==2.32.5"], ["verl==0.9.1"]],
  ["mcp", ["mcp==1.25.0"], []],
  ["openenv", ["pydantic==2.12.5", "requests==2.32.5", "websockets==15.0.1"], ["openenv-core==0.3.0"]],
] as const;

let service: Service;
beforeAll(async () => {
  service = await startService(["--wire", "sandbox-fusion,mcp,openenv"]);
});
afterAll(async () => {
  expect(await service.stop()).toBe(0);
});

it.for(CLIENTS)(
  "%s",
  { timeout: 2 * INSTALL_MS_MAX + RUN_MS_MAX },
  async ([name, whole, alone], { skip }) => {
    const found = [
      await packages(`client-${name}`, whole),
      ...(alone.length === 0 ? [] : [await packages(`client-${name}-alone`, alone, ["--no-deps"])]),
    ];
    const missing = found.flatMap((one) => ("missing" in one ? [one.missing] : []));
    if (missing.length > 0) skip(missing.join("; "));
    const path = found.flatMap((one) => ("path" in one ? [one.path] : [])).join(":");
    const ran = await python([SCRIPT, name, service.url], { PYTHONPATH: path }, RUN_MS_MAX);
    expect(ran.output.trim().split("\n").at(-1)).toBe("ok");
    expect(ran.code).toBe(0);
  },
);
