/** Shell scripts that try to take the machine, to stay, to look around and to lie about their end. */
import { MiB, type HostileProgram, NO_PLACES, ONE_PROCESS, text } from "../program.ts";

export const BASH: readonly HostileProgram[] = [
  {
    name: "bash_fork_bomb",
    threat: "The fork bomb, as a function.",
    differs: ONE_PROCESS,
    runtime: "bash",
    source: "f() { f | f & }\nf\nwait\nsleep 60",
    limits: { wall_ms: 1500 },
    outcomes: ["wall_limit", "process_limit", "completed", "failed"],
    why: "what the shell makes of a fork that is refused depends on which one it is",
  },
  {
    name: "bash_yes",
    threat: "Output without end by a program that does nothing else.",
    differs: ONE_PROCESS,
    runtime: "bash",
    source: "yes",
    outcomes: ["output_limit"],
    truncated: true,
  },
  {
    name: "bash_dev_tcp",
    threat: "The shell's own way to the network.",
    runtime: "bash",
    source: text`
      for target in tcp/169.254.169.254/80 tcp/127.0.0.1/8707 tcp/192.0.2.1/443 udp/192.0.2.53/53; do
        if exec 3<>/dev/$target; then echo BREACH:$target; fi
      done 2>/dev/null
      echo contained
    `,
    outcomes: ["completed"],
    prints: "contained\n",
  },
  {
    name: "bash_kill_everybody",
    threat: "SIGKILL to every process there is.",
    differs: ONE_PROCESS,
    runtime: "bash",
    source: "sleep 60 & kill -9 -1\necho still here",
    outcomes: ["completed", "signaled"],
    why: "kill(-1) spares the caller on this kernel, and the shell may be it",
  },
  {
    name: "bash_traps",
    threat: "Every signal is trapped, and the end postponed.",
    differs: ONE_PROCESS,
    runtime: "bash",
    source: text`
      for signal in $(seq 1 64) EXIT DEBUG; do trap 'true' $signal; done 2>/dev/null
      trap 'while :; do :; done' EXIT
      while :; do :; done
    `,
    limits: { wall_ms: 800 },
    outcomes: ["wall_limit", "cpu_limit"],
    why: "both limits can be used up at the same moment",
  },
  {
    name: "bash_exit_trap",
    threat: "A trap at the end goes on after the program.",
    differs: ONE_PROCESS,
    runtime: "bash",
    source: "trap '(sleep 60; echo BREACH:late) & disown' EXIT\necho planted",
    outcomes: ["completed"],
    prints: "planted\n",
  },
  {
    name: "bash_coproc",
    threat: "A coprocess outlives its shell.",
    differs: ONE_PROCESS,
    runtime: "bash",
    source:
      "coproc { trap '' TERM HUP; while :; do echo x; sleep 0.01; done; }\nread -u ${COPROC[0]} line\necho $line",
    outcomes: ["completed"],
    prints: "x\n",
  },
  {
    name: "bash_ulimit_raise",
    threat: "Limits are lifted.",
    runtime: "bash",
    source: text`
      for limit in c l n; do
        before=$(ulimit -H$limit 2>/dev/null || true)
        if ulimit -H$limit unlimited; then echo "BREACH:$limit"; fi
      done 2>/dev/null
      echo contained
    `,
    differs: ONE_PROCESS,
    outcomes: ["completed"],
    prints: "contained\n",
  },
  {
    name: "bash_ulimit_zero",
    threat: "Limits of zero are left for the next call.",
    runtime: "bash",
    source: "ulimit -f 0 -n 3 -t 1 -s 8 2>/dev/null\necho planted",
    outcomes: ["completed", "failed", "signaled"],
    why: "with so little the shell itself may fail",
  },
  {
    name: "bash_exec_away",
    threat: "The shell is replaced by something that is not one.",
    runtime: "bash",
    source: "exec -a '[kworker/0:0]' sleep 60",
    limits: { wall_ms: 500 },
    outcomes: ["wall_limit"],
  },
  {
    name: "bash_exec_streams",
    threat: "Its streams are closed, and others opened in their places.",
    runtime: "bash",
    source: "exec 0<&- 1>&- 2>&-\nexec 1>/dev/full 2>/proc/self/mem\necho BREACH:closed\nexit 7",
    outcomes: ["failed"],
    exitCode: 7,
    prints: "",
  },
  {
    name: "bash_disown",
    threat: "Children that no shell knows any more.",
    differs: ONE_PROCESS,
    runtime: "bash",
    source: "for n in 1 2 3; do (trap '' HUP; sleep 60) & disown -h; done\nshopt -u huponexit\necho planted",
    outcomes: ["completed"],
    prints: "planted\n",
  },
  {
    name: "bash_setsid_daemon",
    threat: "A daemon of a session of its own that writes later.",
    differs: ONE_PROCESS,
    runtime: "bash",
    source:
      "setsid --fork bash -c 'trap \"\" TERM HUP INT; sleep 0.3; echo BREACH:late; touch /tmp/late; sleep 60'\nnohup sleep 60 >/dev/null 2>&1 &\necho planted",
    outcomes: ["completed"],
    prints: "planted\n",
  },
  {
    name: "bash_setsid_check",
    threat: "What a daemon of the previous call leaves is found.",
    differs: ONE_PROCESS,
    runtime: "bash",
    source:
      'sleep 0.5\nset -- /tmp/* /dev/shm/*\nfor found; do [ -e "$found" ] && echo BREACH:$found; done\nset -- /proc/[0-9]*\n[ $# -le 2 ] && echo contained || echo BREACH:$#',
    outcomes: ["completed"],
    prints: "contained\n",
    after: "bash_setsid_daemon",
  },
  {
    name: "bash_proc",
    threat: "The machine is read in /proc.",
    runtime: "bash",
    source: text`
      for file in /proc/1/environ /proc/1/maps /etc/gshadow /proc/kcore /proc/kallsyms /proc/sys/kernel/core_pattern /etc/shadow; do
        if read -r -n 1 _ <$file; then echo BREACH:$file; fi
      done 2>/dev/null
      echo contained
    `,
    outcomes: ["completed"],
    prints: "contained\n",
  },
  {
    name: "bash_proc_write",
    threat: "The kernel is set up by /proc and /sys.",
    runtime: "bash",
    source: text`
      for file in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /proc/self/oom_score_adj /sys/kernel/uevent_helper /proc/1/oom_score_adj; do
        if echo 0 >$file; then echo BREACH:$file; fi
      done 2>/dev/null
      echo contained
    `,
    outcomes: ["completed"],
    prints: "contained\n",
    notHeld: { process: "its own /proc is the machine's: it may raise what the kernel lets anybody raise" },
  },
  {
    name: "bash_fill_disk",
    threat: "The disk is filled by a redirection.",
    differs: NO_PLACES,
    runtime: "bash",
    source: "cat /dev/zero >/tmp/fill\necho status $?",
    limits: { disk_bytes: 8 * MiB },
    outcomes: ["completed", "disk_limit", "memory_limit"],
    why: "the shell ends well whatever cat did",
  },
  {
    name: "bash_here_document",
    threat: "A here-document larger than the disk.",
    runtime: "bash",
    source:
      "x=$(printf '%0.s0123456789abcdef' {1..2000})\nwhile :; do x=$x$x; cat <<<\"$x\" >/dev/null || exit 3; done",
    limits: { memory_bytes: 96 * MiB, wall_ms: 20_000, disk_bytes: 8 * MiB },
    differs: ONE_PROCESS,
    outcomes: ["failed", "memory_limit", "disk_limit", "signaled"],
    why: "the document meets the disk, the string the memory: whichever is first",
  },
  {
    name: "bash_brace_expansion",
    threat: "An expansion of a thousand million words.",
    runtime: "bash",
    source: "echo {1..30000}{1..30000} | head -c 1",
    limits: { memory_bytes: 128 * MiB, wall_ms: 5_000 },
    differs: ONE_PROCESS,
    outcomes: ["memory_limit", "wall_limit", "cpu_limit", "failed", "completed"],
    why: "the shell that expands is a child, whose death its parent may survive",
  },
  {
    name: "bash_string_doubling",
    threat: "A string that doubles until memory is gone.",
    runtime: "bash",
    source: "x=0123456789\nwhile :; do x=$x$x; done",
    limits: { memory_bytes: 128 * MiB, wall_ms: 60_000, cpu_ms: 60_000 },
    outcomes: ["memory_limit", "failed", "signaled"],
    why: "bash ends itself when it is refused memory",
  },
  {
    name: "bash_recursion",
    threat: "Recursion without end.",
    runtime: "bash",
    source: "f() { f; }\nf",
    limits: { wall_ms: 10_000 },
    outcomes: ["signaled", "memory_limit", "wall_limit", "failed"],
    why: "the stack or the memory, whichever is met first",
  },
  {
    name: "bash_remains_plant",
    threat: "History, environment, functions and aliases are left for the next call.",
    differs: NO_PLACES,
    runtime: "bash",
    source: text`
      export LEFT=planted PS4=planted BASH_ENV=/tmp/env ENV=/tmp/env PROMPT_COMMAND=left
      echo 'echo BREACH:env' >/tmp/env; cp /tmp/env ~/.bashrc; cp /tmp/env ~/.bash_profile; cp /tmp/env ~/.bash_logout
      set -o history; history -s planted; history -w
      ls() { echo BREACH:function; }; export -f ls; alias cat='echo BREACH:alias'; hash -p /tmp/env cat
      echo planted
    `,
    outcomes: ["completed"],
    prints: "planted\n",
  },
  {
    name: "bash_remains_check",
    threat: "Something of the previous call's shell is found.",
    runtime: "bash",
    source: text`
      [ -z "$LEFT$BASH_ENV$ENV$PROMPT_COMMAND" ] || echo BREACH:environment
      [ -e ~/.bash_history ] && echo BREACH:history
      declare -F ls >/dev/null && echo BREACH:function
      history 2>/dev/null | grep -q planted && echo BREACH:history
      echo contained
    `,
    differs: ONE_PROCESS,
    outcomes: ["completed"],
    prints: "contained\n",
    after: "bash_remains_plant",
  },
  {
    name: "bash_own_privileges",
    threat: "Privileges by what the machine's commands offer.",
    differs: ONE_PROCESS,
    runtime: "bash",
    source: text`
      for attempt in 'mount -t tmpfs none /mnt' 'unshare --user true' 'unshare --mount true' 'chroot / true' 'su -c true' 'newgrp root' 'setpriv --reuid=0 true' 'nsenter --target 1 --all true' 'renice -n -5 $$' 'hostname owned'; do
        if eval "$attempt" </dev/null >/dev/null 2>&1; then echo "BREACH:$attempt"; fi
      done
      echo contained
    `,
    outcomes: ["completed"],
    prints: "contained\n",
    notHeld: { one_user: "user 0 may become user 0, which it is, without a capability" },
  },
  {
    name: "bash_background_output",
    threat: "Many writers in the background keep the output open.",
    differs: ONE_PROCESS,
    runtime: "bash",
    source: "for n in {1..20}; do (while :; do echo $n; sleep 0.001; done) & done\nsleep 0.2\nexit 5",
    outcomes: ["failed", "output_limit"],
    why: "twenty writers can reach the limit before the end",
    exitCode: 5,
  },
  {
    name: "bash_read_forever",
    threat: "Input that never comes is waited for.",
    runtime: "bash",
    source:
      'read -r line </dev/stdin; echo "got:$line:$?"\nexec 3<>/dev/fd/0 2>/dev/null; read -t 0.1 -u 0; echo done',
    limits: { wall_ms: 2_000 },
    outcomes: ["completed", "wall_limit"],
    why: "what /dev/stdin is when there is no input is the machine's choice",
  },
];
