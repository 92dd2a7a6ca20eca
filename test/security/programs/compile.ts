/** What a compiler is made to do, and what a compiled program tries that an interpreter does not let it. */
import { ONE_PROCESS, type HostileProgram, MiB, text } from "../program.ts";

export const COMPILE: readonly HostileProgram[] = [
  {
    name: "cc_include_zero",
    threat: "A device without end is included.",
    runtime: "cpp",
    source: '#include "/dev/zero"\nint main() {}',
    outcomes: ["memory_limit", "compile_failed"],
    why: "a compiler may refuse a device before it has read too much of it",
  },
  {
    name: "cc_include_random",
    threat: "A device of noise is included.",
    runtime: "cpp",
    source: '#include "/dev/urandom"\nint main() {}',
    compileMs: 1500,
    outcomes: ["memory_limit", "compile_failed", "wall_limit", "output_limit"],
    why: "which it meets first depends on the noise",
  },
  {
    name: "cc_include_self",
    threat: "A file includes itself.",
    runtime: "cpp",
    source: '#include "main.cpp"\nint main() {}',
    outcomes: ["compile_failed"],
  },
  {
    name: "cc_include_stdin",
    threat: "The compiler waits for input that never comes.",
    runtime: "cpp",
    source: '#include "/dev/stdin"\nint main() {}',
    outcomes: ["completed", "compile_failed"],
    why: "its input is empty; a compiler may refuse what is no file",
  },
  {
    name: "cc_template_bomb",
    threat: "Templates whose number doubles at every level.",
    differs: ONE_PROCESS,
    runtime: "cpp",
    source: text`
      template <int N, int M> struct Twice { enum { value = Twice<N - 1, 2 * M>::value + Twice<N - 1, 2 * M + 1>::value }; };
      template <int M> struct Twice<0, M> { enum { value = 1 }; };
      int main() { return Twice<24, 0>::value; }
    `,
    compileMs: 1500,
    outcomes: ["wall_limit", "memory_limit"],
    why: "a fast machine comes to the memory first",
  },
  {
    name: "cc_macro_bomb",
    threat: "A macro of a thousand million words.",
    differs: ONE_PROCESS,
    runtime: "cpp",
    source:
      "#define A0 x\n" +
      Array.from({ length: 30 }, (_, n) => `#define A${n + 1} A${n} A${n}`).join("\n") +
      "\nint main() { A30; }",
    compileMs: 1500,
    outcomes: ["wall_limit", "memory_limit"],
    why: "a fast machine comes to the memory first",
  },
  {
    name: "cc_error_flood",
    threat: "The compiler is made to write without end.",
    runtime: "cpp",
    source: text`
      #define A(n) int f##n() { return y##n; }
      #define B(n) A(n##0) A(n##1) A(n##2) A(n##3) A(n##4) A(n##5) A(n##6) A(n##7) A(n##8) A(n##9)
      #define C(n) B(n##0) B(n##1) B(n##2) B(n##3) B(n##4) B(n##5) B(n##6) B(n##7) B(n##8) B(n##9)
      #define D(n) C(n##0) C(n##1) C(n##2) C(n##3) C(n##4) C(n##5) C(n##6) C(n##7) C(n##8) C(n##9)
      D(1) D(2) D(3) D(4) D(5) D(6) D(7) D(8) D(9)
      int main() {}
    `,
    outcomes: ["output_limit", "compile_failed"],
    why: "how much is said of each error is the compiler's choice",
  },
  {
    name: "cc_deep_nesting",
    threat: "The compiler's own stack is overflowed.",
    runtime: "cpp",
    source: `int main() { return ${"(".repeat(200_000)}0${")".repeat(200_000)}; }`,
    compileMs: 1500,
    outcomes: ["compile_failed", "wall_limit"],
    why: "a compiler takes long for a stack that is deep, and on a small one crashes",
  },
  {
    name: "cc_huge_object",
    threat: "A program of a gigabyte is made.",
    runtime: "cpp",
    source: "char a[1 << 30] = {1};\nint main() { return a[5]; }",
    outcomes: ["compile_failed", "disk_limit", "memory_limit"],
    why: "the room for it ends in the assembler or in the linker",
  },
  {
    name: "cc_incbin_host",
    threat: "Files of the host are built into the program.",
    runtime: "cpp",
    source: text`
      asm(".data\\nstolen: .incbin \\"/etc/shadow\\"\\n");
      int main() {}
    `,
    outcomes: ["compile_failed"],
  },
  {
    name: "cc_plant",
    threat: "A program leaves a header and a changed compiler behind for the next.",
    differs: ONE_PROCESS,
    runtime: "cpp",
    source: text`
      #include <cstdio>
      #include <initializer_list>
      int main() {
        for (const char* path : {"/work/planted.h", "/tmp/planted.h", "/dev/shm/planted.h"})
          if (FILE* file = fopen(path, "w")) { fputs("#define PLANTED 1\n", file); fclose(file); }
        for (const char* path : {"/usr/include/planted.h", "/usr/bin/g++", "/usr/lib/gcc/planted"})
          puts(fopen(path, "a") ? "BREACH:written" : "contained");
      }
    `,
    outcomes: ["completed"],
    prints: "contained\n".repeat(3),
  },
  {
    name: "cc_plant_check",
    threat: "What the previous program left is included.",
    differs: ONE_PROCESS,
    runtime: "cpp",
    source: text`
      #if __has_include("planted.h") || __has_include("/tmp/planted.h") || __has_include("/dev/shm/planted.h") || __has_include(<planted.h>)
      #error planted
      #endif
      #include <cstdio>
      int main() { puts("contained"); }
    `,
    after: "cc_plant",
    outcomes: ["completed"],
    prints: "contained\n",
  },
  {
    name: "cc_raw_system_calls",
    threat: "System calls that no library makes for it.",
    differs: ONE_PROCESS,
    runtime: "cpp",
    source: text`
      #include <cstdio>
      #include <sys/syscall.h>
      #include <unistd.h>
      int main() {
        const long attempts[][7] = {
          {SYS_socket, 2, 1, 0}, {SYS_socket, 40, 1, 0}, {SYS_ptrace, 16, 1, 0}, {SYS_unshare, 0x10000000}, {SYS_setns, 0, 0},
          {SYS_bpf, 0, 0, 0}, {SYS_userfaultfd, 0}, {SYS_io_uring_setup, 1, 0}, {SYS_keyctl, 0, 0}, {SYS_perf_event_open, 0, 0, -1, -1, 0},
          {SYS_setuid, 0}, {SYS_chroot, 0}, {SYS_mount, 0, 0, 0, 0, 0}, {SYS_reboot, 0, 0, 0}, {SYS_init_module, 0, 0, 0}, {SYS_kexec_load, 0, 0, 0, 0},
          {SYS_process_vm_readv, 1, 0, 0, 0, 0, 0}, {SYS_open_by_handle_at, 0, 0, 0}, {SYS_kcmp, 1, 1, 0, 0, 0}, {SYS_swapon, 0, 0},
        };
        for (auto& a : attempts) puts(syscall(a[0], a[1], a[2], a[3], a[4], a[5], a[6]) < 0 ? "contained" : "BREACH:system call");
      }
    `,
    outcomes: ["completed"],
    prints: "contained\n".repeat(20),
  },
  {
    name: "cc_other_abi",
    threat: "The 32-bit entry to the kernel, whose numbers no filter of 64-bit ones knows.",
    differs: ONE_PROCESS,
    runtime: "cpp",
    arch: "x64",
    source: text`
      #include <cstdio>
      int main() {
        puts("before"); fflush(stdout);
        long result = 20;
        asm volatile("int $0x80" : "+a"(result) :: "memory");
        puts("BREACH:the other entry is open");
      }
    `,
    outcomes: ["signaled"],
    prints: "before\n",
  },
  {
    name: "cc_written_code",
    threat: "Memory is written and then executed.",
    differs: ONE_PROCESS,
    runtime: "cpp",
    arch: "x64",
    source: text`
      #include <cstdio>
      #include <cstring>
      #include <sys/mman.h>
      int main() {
        // mov edi, 3; mov eax, 231 (exit_group); syscall: allowed, and with no more rights than the program has.
        const unsigned char code[] = {0xbf, 3, 0, 0, 0, 0xb8, 231, 0, 0, 0, 0x0f, 0x05};
        void* page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        memcpy(page, code, sizeof code);
        reinterpret_cast<void (*)()>(page)();
      }
    `,
    outcomes: ["failed"],
    exitCode: 3,
  },
  {
    name: "cc_fork_bomb",
    threat: "A fork bomb without an interpreter to slow it.",
    differs: ONE_PROCESS,
    runtime: "cpp",
    source: "#include <unistd.h>\nint main() { for (;;) fork(); }",
    limits: { wall_ms: 500, processes: 32 },
    outcomes: ["wall_limit"],
  },
  {
    name: "cc_stack",
    threat: "Recursion without end.",
    differs: ONE_PROCESS,
    runtime: "cpp",
    source: "int down(volatile int n) { return n + down(n + 1) + n; }\nint main() { return down(0); }",
    limits: { memory_bytes: 256 * MiB },
    outcomes: ["signaled", "memory_limit"],
    why: "the stack's bound and the memory's are near each other",
  },
];
