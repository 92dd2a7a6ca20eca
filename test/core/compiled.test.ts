import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Compiled, compileKey, CompiledPrograms } from "../../src/core/compiled.ts";
import { acceptCall } from "../../src/core/accept.ts";
import { cpp } from "../../src/runtimes/cpp.ts";
import { ACCEPT, evidence } from "./builders.ts";

const never = new AbortController().signal;
const sure = () => true;

function made(bytes: number): Compiled {
  return { evidence: evidence(), program: Buffer.alloc(bytes), cached: false };
}

describe("programs that are kept", () => {
  it("are made once", async () => {
    const programs = new CompiledPrograms(1 << 20);
    let makes = 0;
    const make = () => Promise.resolve(made(++makes));
    expect((await programs.get("a", never, make, sure)).cached).toBe(false);
    expect(await programs.get("a", never, make, sure)).toMatchObject({
      cached: true,
      program: Buffer.alloc(1),
    });
    expect(makes).toBe(1);
  });

  it("are made once for calls that come together, also when nothing is kept", async () => {
    const programs = new CompiledPrograms(0);
    const gate = Promise.withResolvers<Compiled>();
    let makes = 0;
    const make = () => {
      makes += 1;
      return gate.promise;
    };
    const all = [1, 2, 3].map(() => programs.get("a", never, make, sure));
    gate.resolve(made(5));
    expect((await Promise.all(all)).map(({ cached }) => cached)).toEqual([false, true, true]);
    expect(makes).toBe(1);
    expect(programs.bytes).toBe(0);
  });

  it("are made by those who waited when the first one failed or was not sure", async () => {
    const programs = new CompiledPrograms(1 << 20);
    const gate = Promise.withResolvers<Compiled>();
    const first = programs.get("a", never, () => gate.promise, sure);
    const second = programs.get("a", never, () => Promise.resolve(made(2)), sure);
    gate.reject(new Error("the sandbox failed"));
    await expect(first).rejects.toThrow("the sandbox failed");
    expect(await second).toMatchObject({ cached: false, program: Buffer.alloc(2) });

    await programs.get(
      "b",
      never,
      () => Promise.resolve(made(3)),
      () => false,
    );
    expect((await programs.get("b", never, () => Promise.resolve(made(4)), sure)).program).toHaveLength(4);
  });

  it("are not waited for by a call that was given up", async () => {
    const programs = new CompiledPrograms(1 << 20);
    const caller = new AbortController();
    void programs.get("a", never, () => new Promise(() => undefined), sure);
    const second = programs.get("a", caller.signal, () => Promise.resolve(made(1)), sure);
    caller.abort();
    expect((await second).cached).toBe(false);
  });

  it("never take more than their bound, and what was used last is there", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ key: fc.nat(12), bytes: fc.nat(60_000) }), { maxLength: 60 }),
        async (uses) => {
          const bytesMax = 100_000;
          const programs = new CompiledPrograms(bytesMax);
          for (const { key, bytes } of uses) {
            const { program } = await programs.get(
              String(key),
              never,
              () => Promise.resolve(made(bytes)),
              sure,
            );
            expect(programs.bytes).toBeLessThanOrEqual(bytesMax);
            const again = await programs.get(
              String(key),
              never,
              () => Promise.reject(new Error("made again")),
              sure,
            );
            expect(again.program).toBe(program);
          }
        },
      ),
    );
  });
});

it("a key is another for another tenant, source, file, name of a file or limit", () => {
  const accept = (fields: object) =>
    acceptCall({ runtime: "cpp", source: "s", ...fields }, { ...ACCEPT, runtimes: { cpp } });
  const keys = [
    compileKey("t", accept({})),
    compileKey("u", accept({})),
    compileKey("t", accept({ source: "s2" })),
    compileKey("t", accept({ files: { a: "b" } })),
    compileKey("t", accept({ files: { ab: "" } })),
    compileKey("t", accept({ files: { a: "", b: "" } })),
    compileKey("t", accept({ compile_ms: 5000 })),
  ];
  expect(new Set(keys).size).toBe(keys.length);
  expect(compileKey("t", accept({ stdin: "1", args: ["2"] }))).toBe(keys[0]);
});
