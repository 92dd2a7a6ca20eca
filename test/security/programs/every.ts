/** The hostile programs that run in every tier. Those for a compiler are apart: one tier has none. */
import type { HostileProgram } from "../program.ts";
import { BASH } from "./bash.ts";
import { CONTAMINATION } from "./contamination.ts";
import { CPU } from "./cpu.ts";
import { FILES } from "./files.ts";
import { HOST_VIEW } from "./host-view.ts";
import { JAVASCRIPT } from "./javascript.ts";
import { KERNEL } from "./kernel.ts";
import { MEMORY } from "./memory.ts";
import { NETWORK } from "./network.ts";
import { NODE } from "./node.ts";
import { OUTPUT } from "./output.ts";
import { PROCESSES } from "./processes.ts";
import { PROTOCOL } from "./protocol.ts";

export const EVERY: readonly HostileProgram[] = [
  CPU,
  MEMORY,
  PROCESSES,
  FILES,
  OUTPUT,
  NETWORK,
  KERNEL,
  HOST_VIEW,
  CONTAMINATION,
  PROTOCOL,
  NODE,
  JAVASCRIPT,
  BASH,
].flat();
