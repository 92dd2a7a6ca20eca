/**
 * How a host is started: what it may see, its command line, and the socket on which it reports.
 *
 * Invariant: inside, everything lies at fixed paths below /opt, so nothing tells a program that breaks out of
 * V8 where this service lives; the tree is the one this very file was loaded from, as source or as built.
 */
import { createRequire } from "node:module";
import type net from "node:net";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Confinement, ContainerSpec, Mount } from "../../confine/ports.ts";
import { SandboxFault } from "../../core/ports.ts";
import { HostProcess } from "./host-process.ts";

const HERE = dirname(fileURLToPath(import.meta.url));
/** src/ or dist/. */
const TREE = resolve(HERE, "../..");
const EXTENSION = import.meta.url.endsWith(".ts") ? "ts" : "js";
const TREE_INSIDE = "/opt/rollcall/src";
const PACKAGE_INSIDE = "/opt/rollcall/package.json";
const MODULES_INSIDE = "/opt/rollcall/node_modules";
const NODE_INSIDE = "/opt/node/bin/node";
const SOCKET_INSIDE = "/run/rollcall/control.sock";
const PACKAGES = ["isolated-vm", "node-gyp-build"];

const NODE_FLAGS = [
  // isolated-vm asks for it: isolates made beside Node's own startup snapshot crash.
  "--no-node-snapshot",
  "--disable-proto=delete",
  // A copy of a snapshot keeps the hashes that it came with: 0.15 of the 1.8 ms that it takes. Whoever knows them can
  // only make a program of their own slow.
  "--no-rehash-snapshot",
  // Room for a small program to run in without a collection: 0.1 of a call's 3 ms of CPU time.
  "--min-semi-space-size=4",
  "--disable-warning=DEP0111",
];

/** Threads of Node, V8 and isolated-vm, with room. */
const HOST_PIDS = 64;
const READY_MS_MAX = 30_000;

export interface HostLaunchOptions {
  readonly confinement: Confinement;
  readonly nodePath: string;
  /** Bound on the host's whole container. Bytes. */
  readonly memoryBytes: number;
  /** Limit that its first isolate is made for. Bytes. */
  readonly isolateMemoryBytes: number;
  readonly now: () => number;
}

/** Directory of an installed package, wherever the package manager put it. */
function packageDirectory(name: string): string {
  const paths = createRequire(import.meta.url).resolve.paths(name) ?? [];
  const require = createRequire(import.meta.url);
  for (const path of paths) {
    try {
      return dirname(require.resolve(join(path, name, "package.json")));
    } catch {
      continue;
    }
  }
  throw new Error(`the package ${name} is not installed`);
}

function mounts(nodePath: string): Mount[] {
  const readOnly = (source: string, target: string): Mount => ({ source, target, readOnly: true });
  const packages = PACKAGES.flatMap((name) => {
    try {
      return [readOnly(packageDirectory(name), `${MODULES_INSIDE}/${name}`)];
    } catch (error) {
      if (name === "node-gyp-build") return [];
      throw error;
    }
  });
  return [
    readOnly(nodePath, NODE_INSIDE),
    readOnly(TREE, TREE_INSIDE),
    // It says that files are ES modules.
    readOnly(join(TREE, "../package.json"), PACKAGE_INSIDE),
    ...packages,
  ];
}

/** The one connection that a host makes to its socket, or the host's end. */
async function accept(server: net.Server, exited: Promise<unknown>): Promise<net.Socket> {
  const { promise, resolve: settle, reject } = Promise.withResolvers<net.Socket>();
  server.once("connection", settle);
  const timer = setTimeout(
    () => reject(new SandboxFault("host_start", `the host did not connect within ${READY_MS_MAX} ms`)),
    READY_MS_MAX,
  );
  exited.then(
    (exit) =>
      reject(new SandboxFault("host_start", `the host ended before it connected: ${JSON.stringify(exit)}`)),
    reject,
  );
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}

/** User of the host inside its container. */
const HOST_UID = 1000;

/** A host that is ready to run. @throws SandboxFault when it could not be started. */
export async function launchHost(name: string, options: HostLaunchOptions): Promise<HostProcess> {
  const { confinement } = options;
  const { directory, listener: server } = await confinement.openControl(name, HOST_UID);
  const spec: ContainerSpec = {
    name,
    argv: [
      NODE_INSIDE,
      ...NODE_FLAGS,
      join(TREE_INSIDE, relative(TREE, HERE), `host.${EXTENSION}`),
      SOCKET_INSIDE,
      String(options.isolateMemoryBytes),
    ],
    env: { HOME: "/tmp", LANG: "C.UTF-8", TZ: "UTC" },
    uid: HOST_UID,
    mounts: mounts(options.nodePath),
    capabilities: [],
    memoryBytes: options.memoryBytes,
    pids: HOST_PIDS,
    controlDirectory: directory,
  };
  try {
    const container = await confinement.launch(spec);
    try {
      const socket = await accept(server, container.exited);
      const host = new HostProcess({ container, socket, memoryBytes: options.memoryBytes, now: options.now });
      await host.versions;
      return host;
    } catch (error) {
      await container.close();
      throw error;
    }
  } finally {
    server.close();
  }
}
