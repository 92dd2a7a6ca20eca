/** What configuration says about isolation, for whichever tier it chooses. */
import type { IsolationTier } from "../contract/description.ts";
import type { OciRuntimeName } from "./oci-runtime.ts";

/** OCI runtimes by name, `auto` for the first there is; daemons that are asked for containers; `process` for none at all. */
export type ContainerRuntime = "auto" | OciRuntimeName | "docker" | "podman" | "process";

/** How a process confines itself where there are no containers: the fork server's directory has the program for it. */
export interface Confiner {
  readonly interpreter: string;
  readonly forkServerDirectory: string;
}

export interface ConfinementOptions {
  readonly runtime: ContainerRuntime;
  /** Directory of a built image, or empty for the machine's own /usr. */
  readonly rootfs: string;
  /** Parent of the service's cgroup below each mount point; empty for the root. */
  readonly cgroupParent: string;
  /** Empty: the place that is usual for the service's user. */
  readonly stateDirectory: string;
  readonly confiner: Confiner;
  /** The weakest tier that will do. */
  readonly minimum: IsolationTier;
  /** Bound on everything the service runs. Bytes. */
  readonly memoryBytesMax?: number;
}
