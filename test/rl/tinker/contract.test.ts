/** The client against `rollcall engine`: both halves of the protocol are ours, and neither knows the other. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openTinkerEngine, type TinkerOptions } from "../../../src/rl/policies/tinker/engine.ts";
import { type Endpoint, startEndpoint } from "../engine-server/endpoint.ts";
import { policySuite } from "../policy-suite.ts";

const KEY = "tml-contract";

describe("rollcall engine", () => {
  let server: Endpoint;
  beforeAll(async () => {
    server = await startEndpoint({}, KEY);
  });
  afterAll(async () => {
    await server.close();
    expect(server.failures).toEqual([]);
  });
  const open = (options: Partial<TinkerOptions> = {}) =>
    openTinkerEngine({ server: "rollcall", baseUrl: server.url, key: KEY, seed: 3, ...options });

  policySuite("tinker client", { open, tokens: [3, 4, 5, 6, 7], isRepeatable: true, learningRate: 0.01 });

  test("its reduction is measured as the sum that its traits say", async () => {
    const engine = await open({ server: "skyrl" });
    expect(engine.reduction).toBe("sum");
    await engine.close();
  });

  test("tells its context, so that none has to be set", async () => {
    const engine = await open();
    expect(engine.contextTokens).toBe(32);
    await engine.close();
  });
});
