/** A container's control socket is for what runs in the container, and for nobody else on the machine. */
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createExecutor, type Executor } from "../../src/index.ts";

const STATE = "/run/rollcall";
const CONNECT =
  "import socket, sys\ns = socket.socket(socket.AF_UNIX)\ntry:\n    s.connect(sys.argv[1]); print('connected')\nexcept OSError as e:\n    print(e.strerror)";

let executor: Executor;
beforeAll(async () => {
  executor = await createExecutor();
});
afterAll(() => executor.close());

function sockets(): string[] {
  return readdirSync(STATE, { recursive: true, encoding: "utf8" })
    .filter((path) => path.startsWith(`${process.pid}-`) && path.endsWith("control.sock"))
    .map((path) => join(STATE, path));
}

describe("control sockets", () => {
  it("take no connection from another user", () => {
    const paths = sockets();
    expect(paths.length).toBeGreaterThan(3);
    for (const path of paths) {
      const answer = execFileSync("/usr/bin/python3", ["-c", CONNECT, path], {
        uid: 65534,
        gid: 65534,
        encoding: "utf8",
      });
      expect({ path, answer }).toEqual({ path, answer: "Permission denied\n" });
    }
  });

  it("still serve their own containers", async () => {
    expect((await executor.execute({ runtime: "python", source: "print(1)" })).stdout).toBe("1\n");
    expect((await executor.execute({ runtime: "javascript", source: "console.log(1)" })).stdout).toBe("1\n");
  });
});
