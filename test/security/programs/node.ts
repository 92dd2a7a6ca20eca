/** The same attempts from a Node process. */
import { ONE_PROCESS, NO_PLACES, type HostileProgram, MiB, text } from "../program.ts";

export const NODE: readonly HostileProgram[] = [
  {
    name: "node_child_process",
    threat: "Commands run with the program's own user and nothing more.",
    differs: ONE_PROCESS,
    runtime: "node",
    source: text`
      const { execSync } = require("node:child_process");
      console.log(process.getuid() > 0 && execSync("id -u").toString().trim() === String(process.getuid()) ? "contained" : "BREACH:user");
      console.log(/^CapEff:\s+0+$/m.test(execSync("cat /proc/self/status").toString()) ? "contained" : "BREACH:capabilities");
    `,
    outcomes: ["completed"],
    prints: "contained\ncontained\n",
  },
  {
    name: "node_tcp",
    threat: "A TCP connection to the outside, and a server.",
    runtime: "node",
    source: text`
      const net = require("node:net");
      const contained = () => console.log("contained");
      net.connect(80, "192.0.2.1").on("connect", () => console.log("BREACH:tcp")).on("error", contained);
      net.createServer().on("listening", () => console.log("BREACH:server")).on("error", contained).listen(0);
    `,
    outcomes: ["completed"],
    prints: "contained\ncontained\n",
  },
  {
    name: "node_udp",
    threat: "Datagrams.",
    runtime: "node",
    source: text`
      const socket = require("node:dgram").createSocket("udp4");
      socket.on("error", () => console.log("contained"));
      socket.send("x", 53, "192.0.2.53", (error) => console.log(error ? "contained" : "BREACH:udp"));
    `,
    outcomes: ["completed", "failed"],
    why: "the socket's second error is thrown by Node where nobody listens any more",
    says: ["contained"],
  },
  {
    name: "node_fetch",
    threat: "A page, the metadata address, a name.",
    runtime: "node",
    source: text`
      Promise.allSettled([fetch("http://192.0.2.1/"), fetch("http://169.254.169.254/latest/meta-data/"), fetch("http://127.0.0.1:8707/v1/info"), require("node:dns").promises.lookup("example.com")])
        .then((all) => all.forEach(({ status }) => console.log(status === "rejected" ? "contained" : "BREACH:fetched")));
    `,
    outcomes: ["completed"],
    prints: "contained\n".repeat(4),
  },
  {
    name: "node_host_files",
    threat: "Files of the host.",
    runtime: "node",
    source: text`
      const fs = require("node:fs");
      for (const path of ["/etc/shadow", "/root", "/home", "/var", "/sys", "/run/rollcall", "/proc/1/environ", "/proc/1/root", "/proc/sys", "/proc/kcore", "/opt/rollcall/../../run/docker.sock"]) {
        try {
          const found = fs.statSync(path).isDirectory() ? fs.readdirSync(path) : fs.readFileSync(path);
          console.log(found.length > 0 ? "BREACH:" + path : "contained");
        } catch { console.log("contained"); }
      }
    `,
    outcomes: ["completed"],
    prints: "contained\n".repeat(11),
  },
  {
    name: "node_host_writes",
    threat: "Files of the base are overwritten.",
    runtime: "node",
    source: text`
      const fs = require("node:fs");
      for (const path of ["/usr/bin/python3", process.execPath, "/etc/passwd", "/planted", "/opt/planted", "/proc/self/oom_score_adj", "/proc/sys/kernel/core_pattern"]) {
        try { fs.writeFileSync(path, "0"); console.log("BREACH:" + path); } catch { console.log("contained"); }
      }
    `,
    outcomes: ["completed"],
    prints: "contained\n".repeat(7),
  },
  {
    name: "node_environment",
    threat: "The server's environment, and its descriptors.",
    runtime: "node",
    source: text`
      const fs = require("node:fs");
      const secret = Object.keys(process.env).filter((name) => /TOKEN|SECRET|KEY|PASS|AWS|KUBE|PROXY|ROLLCALL/i.test(name));
      console.log(secret.length ? "BREACH:" + secret : "contained");
      const kinds = fs.readdirSync("/proc/self/fd").map((fd) => { try { return fs.readlinkSync("/proc/self/fd/" + fd); } catch { return ""; } });
      console.log(kinds.some((kind) => /control|rollcall|cgroup/.test(kind)) || kinds.filter((kind) => kind.startsWith("socket:")).length > 0 ? "BREACH:" + kinds : "contained");
    `,
    outcomes: ["completed"],
    prints: "contained\ncontained\n",
  },
  {
    name: "node_workers",
    threat: "Worker threads without end.",
    runtime: "node",
    source: text`
      const { Worker } = require("node:worker_threads");
      const start = () => { for (let i = 0; i < 8; i++) new Worker("for (;;);", { eval: true }).on("error", start); };
      start();
    `,
    limits: { wall_ms: 1500 },
    outcomes: ["wall_limit", "cpu_limit", "memory_limit", "process_limit", "signaled", "failed"],
    why: "whichever limit is met first; Node aborts where a thread is refused",
  },
  {
    name: "node_fork_bomb",
    threat: "Node processes that start Node processes.",
    runtime: "node",
    source: text`
      const { spawn } = require("node:child_process");
      const again = () => { try { spawn(process.execPath, [__filename], { stdio: "ignore", detached: true }).on("error", () => {}); } catch {} };
      setInterval(again, 1); again();
    `,
    limits: { wall_ms: 1500 },
    outcomes: ["wall_limit", "cpu_limit", "memory_limit", "process_limit", "signaled", "failed"],
    why: "whichever limit is met first",
  },
  {
    name: "node_heap_balloon",
    threat: "A heap without end.",
    runtime: "node",
    source: text`
      const keep = []; for (;;) keep.push(new Array(1e5).fill(Math.random()))
    `,
    limits: { wall_ms: 5000, memory_bytes: 128 * MiB },
    outcomes: ["memory_limit", "signaled", "wall_limit"],
    why: "V8 aborts at its own heap limit, or the kernel kills at the call's",
  },
  {
    name: "node_buffer_balloon",
    threat: "Buffers outside of the heap.",
    runtime: "node",
    source: text`
      const keep = []; for (;;) keep.push(Buffer.alloc(8 << 20, 1))
    `,
    limits: { wall_ms: 10000, memory_bytes: 128 * MiB },
    outcomes: ["memory_limit"],
  },
  {
    name: "node_shared_memory",
    threat: "Shared memory of threads.",
    runtime: "node",
    source: text`
      const keep = []; for (;;) keep.push(new Uint8Array(new SharedArrayBuffer(8 << 20)).fill(1))
    `,
    limits: { wall_ms: 10000, memory_bytes: 128 * MiB },
    outcomes: ["memory_limit", "failed"],
    why: "killed at the limit, or an allocation is refused first",
  },
  {
    name: "node_wasm_memory",
    threat: "WebAssembly memory.",
    runtime: "node",
    source: text`
      const keep = []; for (;;) { const m = new WebAssembly.Memory({ initial: 256 }); new Uint8Array(m.buffer).fill(1); keep.push(m); }
    `,
    limits: { wall_ms: 10000, memory_bytes: 128 * MiB },
    outcomes: ["memory_limit", "failed"],
    why: "killed at the limit, or address space runs out first",
  },
  {
    name: "node_loop",
    threat: "A loop without end.",
    runtime: "node",
    source: text`
      console.log('a'); for (;;);
    `,
    limits: { wall_ms: 1500 },
    outcomes: ["wall_limit", "cpu_limit"],
    why: "Node's other threads count, so both limits can be met at once",
    prints: "a\n",
  },
  {
    name: "node_atomics_wait",
    threat: "A wait without end on the main thread.",
    runtime: "node",
    source: text`
      console.log('a'); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
    `,
    limits: { wall_ms: 1500 },
    outcomes: ["wall_limit"],
    prints: "a\n",
  },
  {
    name: "node_microtasks",
    threat: "Microtasks without end.",
    runtime: "node",
    source: text`
      console.log('a'); const f = () => Promise.resolve().then(f); f()
    `,
    limits: { wall_ms: 1500 },
    outcomes: ["wall_limit", "cpu_limit", "memory_limit"],
    why: "the queue grows or does not; Node's other threads count",
    prints: "a\n",
  },
  {
    name: "node_output_flood",
    threat: "Output without end.",
    runtime: "node",
    source: text`
      const fs = require('node:fs'); for (;;) fs.writeSync(1, 'x'.repeat(65536))
    `,
    limits: { output_bytes: 65536 },
    outcomes: ["output_limit"],
    truncated: true,
  },
  {
    name: "node_async_flood",
    threat: "Output that is queued faster than it is written.",
    runtime: "node",
    source: text`
      const write = () => { while (process.stdout.write('x'.repeat(65536))); process.stdout.once('drain', write); }; write()
    `,
    limits: { output_bytes: 65536, memory_bytes: 256 * MiB },
    outcomes: ["output_limit", "memory_limit"],
    why: "a synchronous pipe floods; a queue would meet the memory limit",
  },
  {
    name: "node_disk_fill",
    threat: "The disk is filled.",
    differs: NO_PLACES,
    runtime: "node",
    source: text`
      const fs = require('node:fs'); const fd = fs.openSync('/tmp/fill', 'w'); try { for (;;) fs.writeSync(fd, Buffer.alloc(1 << 20)); } catch (error) { console.log(error.code); }
    `,
    limits: { disk_bytes: 8 * MiB },
    outcomes: ["completed"],
    prints: "ENOSPC\n",
  },
  {
    name: "node_inspector",
    threat: "The debugger listens for whoever connects.",
    runtime: "node",
    source: text`
      const inspector = require("node:inspector");
      try { inspector.open(0); } catch {}
      console.log(inspector.url() === undefined ? "contained" : "BREACH:" + inspector.url());
      process.kill(process.pid, "SIGUSR1");
      setTimeout(() => {}, 50);
    `,
    outcomes: ["completed"],
    prints: "contained\n",
  },
  {
    name: "node_kernel",
    threat: "System calls that a filter refuses, by a native tool.",
    runtime: "node",
    source: text`
      const { spawnSync } = require("node:child_process");
      for (const [program, ...args] of [["unshare", "-Ur", "true"], ["unshare", "-n", "true"], ["mount", "-t", "tmpfs", "x", "/tmp"], ["nsenter", "-t", "1", "-m", "true"], ["chroot", "/", "true"], ["setpriv", "--clear-groups", "true"], ["dmesg"]]) {
        const { status, error } = spawnSync(program, args);
        console.log(status === 0 && !error ? "BREACH:" + program : "contained");
      }
    `,
    outcomes: ["completed"],
    prints: "contained\n".repeat(7),
  },
  {
    name: "node_signals",
    threat: "Signals to the slot and to everybody.",
    runtime: "node",
    source: text`
      let hits = 0;
      const own = require("node:fs").readdirSync("/proc/self/task").map(Number);
      for (let pid = 1; pid < 3000; pid++) for (const signal of [0, "SIGKILL", "SIGSTOP"]) if (!own.includes(pid)) try { process.kill(pid, signal); hits++; } catch {}
      console.log(hits ? "BREACH:" + hits : "contained");
    `,
    outcomes: ["completed"],
    prints: "contained\n",
  },
  {
    name: "node_internals",
    threat: "Bindings of Node that open what its modules close.",
    notHeld: { process: "any directory of the machine can be entered, and not read" },
    runtime: "node",
    source: text`
      const attempts = [() => process.binding("tcp_wrap").TCP && new (process.binding("tcp_wrap").TCP)(0).bind("0.0.0.0", 8080), () => process.setuid(0), () => process.setgroups([0]), () => process.chdir("/proc/1"), () => process.setegid(0)];
      for (const attempt of attempts) { try { const code = attempt(); console.log(code === undefined ? "BREACH:done" : code < 0 ? "contained" : "BREACH:" + code); } catch { console.log("contained"); } }
    `,
    outcomes: ["completed"],
    prints: "contained\n".repeat(5),
  },
  {
    name: "node_detached",
    threat: "A detached child holds the output open.",
    differs: ONE_PROCESS,
    runtime: "node",
    source: text`
      const { spawn } = require("node:child_process");
      spawn("sleep", ["3600"], { detached: true, stdio: "inherit" }).unref();
      console.log("first");
    `,
    limits: { wall_ms: 30000 },
    outcomes: ["completed"],
    prints: "first\n",
  },
  {
    name: "node_exit_code",
    threat: "An end that pretends to be another.",
    runtime: "node",
    source: text`
      process.on('exit', () => { process.exitCode = 0; process.reallyExit(0); }); process.stdout.write('x'); process.kill(process.pid, 'SIGKILL'); for (;;);
    `,
    outcomes: ["signaled"],
    prints: "x",
    signal: "SIGKILL",
  },
  {
    name: "node_spread",
    threat: "Arguments that overflow the stack.",
    runtime: "node",
    source: text`
      Math.max(...new Array(1e7).fill(0))
    `,
    outcomes: ["failed"],
    exitCode: 1,
  },
];
