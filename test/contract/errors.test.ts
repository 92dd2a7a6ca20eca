import { describe, expect, test } from "vitest";
import { ERROR_CODES, type ErrorCode, SandboxError } from "../../src/contract/errors.ts";

const codes = Object.keys(ERROR_CODES) as ErrorCode[];

describe.each(codes)("%s", (code) => {
  const { status, fault, retryable } = ERROR_CODES[code];

  test("its status says whose fault it is and whether a retry may help", () => {
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(600);
    // 429 is the one status of a caller's class that is the service's doing.
    if (status !== 429) expect(fault).toBe(status < 500 ? "caller" : "service");
    // A retry of what the caller got wrong gives the same answer; only a slow request may come again.
    if (fault === "caller") expect(retryable).toBe(code === "request_timeout");
    else expect(retryable).toBe(code !== "internal");
  });

  test("its error carries what the table says", () => {
    const cause = new Error("why");
    const error = new SandboxError(code, "message", { path: "/a", retryAfterMs: 5, cause });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({
      name: "SandboxError",
      code,
      status,
      fault,
      retryable,
      path: "/a",
      retryAfterMs: 5,
    });
    expect(error.cause).toBe(cause);
  });

  test("its body has the fields of the table, those that are known, and no cause", () => {
    expect(JSON.parse(JSON.stringify(new SandboxError(code, "message", { cause: "secret" })))).toEqual({
      error: { code, message: "message", fault, retryable },
    });
    expect(new SandboxError(code, "message", { path: "", retryAfterMs: 0 }).toJSON()).toEqual({
      error: { code, message: "message", fault, retryable, path: "", retry_after_ms: 0 },
    });
  });
});
