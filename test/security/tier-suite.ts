/**
 * A tier that this machine can run, with a part of the suite: one or two programs for each thing that a tier
 * must hold. `ROLLCALL_TIER=<name> npm test -- test/security` runs all of it in one of them.
 */
import { describe, expect, it } from "vitest";
import { describeGroup, withService } from "./gauntlet.ts";
import { EVERY } from "./programs/every.ts";
import { tierNamed } from "./tier.ts";

export const SELECTED: ReadonlySet<string> = new Set([
  "cpu_bigint_power",
  "cpu_threads_in_c",
  "mem_balloon",
  "mem_shared_mapping",
  "mem_many_processes",
  "mem_memfd_fill",
  "proc_thread_bomb",
  "proc_double_fork_daemon",
  "proc_kill_all",
  "proc_signal_slot",
  "proc_signal_siblings",
  "proc_limit_of_one",
  "file_fill_disk",
  "file_deep_tree",
  "file_read_host",
  "file_find_marker",
  "file_write_base",
  "file_writable_elsewhere",
  "out_flood_no_newline",
  "out_forged_evidence",
  "net_tcp_outbound",
  "net_vsock",
  "net_engine_socket",
  "net_abstract_connect",
  "sys_clone_newuser",
  "sys_ptrace",
  "sys_mount",
  "sys_unknown",
  "sys_capset",
  "sys_regain_root",
  "sys_i386",
  "leak_environ",
  "leak_names",
  "leak_slot_memory",
  "cross_daemon_plant",
  "cross_daemon_check",
  "cross_residue_plant",
  "cross_residue_check",
  "cross_process_state_plant",
  "cross_process_state_check",
  "proto_stdin_steal_control",
  "node_fork_bomb",
  "node_host_files",
  "bash_dev_tcp",
  "bash_setsid_daemon",
  "bash_setsid_check",
  "bash_own_privileges",
  "js_bigint_power",
  "js_array_balloon",
  "js_host_files",
  "js_constructor_escape",
]);

export const selected = EVERY.filter(({ name }) => SELECTED.has(name));

/** Whoever describes a tier does so in a file of its own or with few others: files run side by side. */
export function describeTiers(...names: readonly string[]): void {
  // The whole of a chosen tier is in the other files.
  if (process.env["ROLLCALL_TIER"] !== undefined) return;
  for (const tier of names.map(tierNamed)) {
    const reason = tier.unavailable();
    const why = reason === null ? "" : ` (left out: ${reason})`;
    describe.skipIf(reason !== null)(`tier ${tier.name}${why}`, () => {
      const programs = selected.filter(({ runtime }) => tier.runtimes?.includes(runtime) ?? true);
      withService(
        { python: { slots: 1 }, javascript: { slots: 1 } },
        (subject) => {
          it("says what it is", async () => {
            const { engines } = await subject.executor.describe();
            expect(new Set(engines.map((engine) => engine.tier))).toEqual(new Set([tier.says]));
          });
          describeGroup(`in tier ${tier.name}`, subject, programs);
        },
        tier,
      );
    });
  }
}
