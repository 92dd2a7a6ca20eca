/** The same bundle by another OCI runtime, and over a built image in place of the machine's own /usr. */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { createExecutor, type PartialConfig } from "../../src/index.ts";

const PROGRAM = {
  runtime: "python",
  source:
    "import os, sys\nprint(sys.version_info[0], os.getuid() >= 1000, os.path.exists('/usr/share'), open('/etc/image-name').read() if os.path.exists('/etc/image-name') else '-')",
} as const;

async function answer(config: PartialConfig): Promise<string> {
  const executor = await createExecutor({ runtimes: { javascript: false }, ...config });
  try {
    const { stdout, stderr, outcome } = await executor.execute(PROGRAM);
    expect({ stderr, outcome }).toEqual({ stderr: "", outcome: "completed" });
    return stdout;
  } finally {
    await executor.close();
  }
}

describe("OCI runtimes", () => {
  it.for(["crun", "runc"] as const)("%s makes the same containers", async (runtime) => {
    expect(await answer({ container: { runtime } })).toBe("3 True True -\n");
  });

  it.for([
    [{ container: { runtime: "process" } }, "confined_process"],
    [{ container: { cgroupParent: "rollcall-no-such-cgroup" } }, "watched_container"],
  ] as const)("what is weaker than the floor is refused, and named", async ([config, tier]) => {
    await expect(createExecutor(config)).rejects.toThrow(
      `only tier ${tier} can be had here, isolation.minimum asks for container`,
    );
  });

  it("one that is not there is named", async () => {
    await expect(createExecutor({ container: { cgroupParent: "", rootfs: "/nonexistent" } })).rejects.toThrow(
      "/nonexistent",
    );
  });
});

describe("a built image directory", () => {
  const image = mkdtempSync(join(tmpdir(), "rollcall-image-"));
  const noPackages = join(image, "opt");
  afterAll(() => rmSync(image, { recursive: true, force: true }));

  /** Python alone, with the libraries it is linked to: what a minimal image holds. */
  function buildImage(): void {
    chmodSync(image, 0o755);
    const python = realpathSync("/usr/bin/python3");
    const standard = execFileSync(python, ["-c", "import os; print(os.path.dirname(os.__file__))"], {
      encoding: "utf8",
    }).trim();
    const extensions = join(standard, "lib-dynload");
    const linked = execFileSync("sh", ["-c", `ldd ${python} ${extensions}/*.so`], { encoding: "utf8" });
    const libraries = new Set(
      [...linked.matchAll(/(\/\S+\.so[.\d]*)/g)]
        .map((match) => match[1] as string)
        .filter((path) => existsSync(path)),
    );
    for (const path of libraries) place(path);
    mkdirSync(join(image, "usr/bin"), { recursive: true });
    cpSync(python, join(image, "usr/bin/python3"));
    cpSync(standard, join(image, standard), {
      recursive: true,
      filter: (path) => !path.includes("/test/") && !path.includes("dist-packages"),
    });
    mkdirSync(join(image, "etc"), { recursive: true });
    writeFileSync(join(image, "etc/image-name"), "minimal");
    for (const name of ["lib", "lib64"]) {
      mkdirSync(join(image, "usr", name), { recursive: true });
      symlinkSync(`usr/${name}`, join(image, name));
    }
  }

  function place(library: string): void {
    // Below /usr in the image, whichever of the two names ldd gave.
    const target = join(image, library.startsWith("/usr") ? library : `/usr${library}`);
    mkdirSync(dirname(target), { recursive: true });
    cpSync(realpathSync(library), target);
  }

  it("is what programs see", async () => {
    buildImage();
    mkdirSync(noPackages);
    const config = {
      container: { rootfs: image },
      python: { packagesDirectory: noPackages },
      runtimes: { javascript: false, node: false },
    };
    expect(await answer(config)).toBe("3 True False minimal\n");
  });
});
