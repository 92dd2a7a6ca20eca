/** Programs that talk to the outside, to the service and to each other. */
import { type HostileProgram, text } from "../program.ts";

export const NETWORK: readonly HostileProgram[] = [
  {
    name: "net_udp_dns",
    threat: "A datagram to the outside.",
    runtime: "python",
    source: text`
      import socket
      try:
          s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(b"\0" * 12, ("192.0.2.53", 53)); print("BREACH:udp")
      except OSError as e: print("contained", e.errno)
    `,
    outcomes: ["completed"],
    says: [/^contained \d+\n$/],
  },
  {
    name: "net_cloud_metadata",
    threat: "The cloud's metadata address.",
    runtime: "python",
    source: text`
      import socket
      try:
          s = socket.create_connection(("169.254.169.254", 80), 1); print("BREACH:imds")
      except OSError as e: print("contained", e.errno)
    `,
    outcomes: ["completed"],
    says: [/^contained \d+\n$/],
  },
  {
    name: "net_ipv6",
    threat: "A connection by IPv6.",
    runtime: "python",
    source: text`
      import socket
      try:
          s = socket.socket(socket.AF_INET6, socket.SOCK_STREAM); s.settimeout(1); s.connect(("2001:db8::1", 80)); print("BREACH:v6")
      except OSError: print("contained")
    `,
    outcomes: ["completed"],
    prints: "contained\n",
  },
  {
    name: "net_families",
    threat: "Sockets of every family there is.",
    runtime: "python",
    source: text`
      import ctypes
      L = ctypes.CDLL(None, use_errno=True)
      hits = [(family, kind) for family in range(0, 64) for kind in (1, 2, 3, 5) for make in (lambda: L.socket(family, kind, 0), lambda: L.socketpair(family, kind, 0, (ctypes.c_int * 2)())) if make() >= 0 and family != 1]
      print("BREACH:" + str(hits) if hits else "contained")
    `,
    outcomes: ["completed"],
    prints: "contained\n",
  },
  {
    name: "net_netlink",
    threat: "netlink, by which the network is set up.",
    runtime: "python",
    source: text`
      import socket
      try:
          socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0); print("BREACH:netlink")
      except OSError as error: print("contained", error.errno)
    `,
    outcomes: ["completed"],
    prints: "contained 13\n",
  },
  {
    name: "net_packet",
    threat: "Raw frames on the wire.",
    runtime: "python",
    source: text`
      import socket
      try:
          socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0x0300); print("BREACH:packet")
      except OSError as error: print("contained", error.errno)
    `,
    outcomes: ["completed"],
    prints: "contained 13\n",
  },
  {
    name: "net_raw",
    threat: "Raw packets.",
    runtime: "python",
    source: text`
      import socket
      try:
          socket.socket(socket.AF_INET, socket.SOCK_RAW, 1); print("BREACH:raw")
      except OSError as error: print("contained", error.errno)
    `,
    outcomes: ["completed"],
    prints: "contained 13\n",
  },
  {
    name: "net_ping",
    threat: "Echo requests without privileges.",
    runtime: "python",
    source: text`
      import socket
      try:
          socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 1); print("BREACH:ping")
      except OSError as error: print("contained", error.errno)
    `,
    outcomes: ["completed"],
    prints: "contained 13\n",
  },
  {
    name: "net_vsock",
    threat: "The host of a virtual machine.",
    runtime: "python",
    source: text`
      import socket
      try:
          socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM); print("BREACH:vsock")
      except OSError as error: print("contained", error.errno)
    `,
    outcomes: ["completed"],
    prints: "contained 13\n",
  },
  {
    name: "net_crypto",
    threat: "The kernel's crypto by sockets.",
    runtime: "python",
    source: text`
      import socket
      try:
          socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET, 0); print("BREACH:crypto")
      except OSError as error: print("contained", error.errno)
    `,
    outcomes: ["completed"],
    prints: "contained 13\n",
  },
  {
    name: "net_tcp_outbound",
    threat: "A connection to the outside.",
    runtime: "python",
    source: text`
      import socket
      try:
          socket.create_connection(("192.0.2.1", 80), 1); print("BREACH:tcp")
      except OSError as error: print("contained", error.errno)
    `,
    outcomes: ["completed"],
    prints: "contained 13\n",
  },
  {
    name: "net_names",
    threat: "Names are looked up, and a page is fetched.",
    runtime: "python",
    source: text`
      import socket, urllib.request
      for ask in (lambda: socket.getaddrinfo("example.com", 80), lambda: urllib.request.urlopen("http://example.com", timeout=1)):
          try:
              ask(); print("BREACH:resolved")
          except OSError: print("contained")
    `,
    outcomes: ["completed"],
    prints: "contained\ncontained\n",
  },
  {
    name: "net_loopback",
    threat: "Services on the host's loopback, the server itself among them.",
    runtime: "python",
    source: text`
      import socket
      hits = []
      for port in (22, 80, 443, 2375, 6379, 8080, 8707, 9090):
          for host in ("127.0.0.1", "::1"):
              try:
                  socket.create_connection((host, port), 0.2); hits.append(port)
              except OSError: pass
      print("BREACH:" + str(hits) if hits else "contained")
    `,
    outcomes: ["completed"],
    prints: "contained\n",
  },
  {
    name: "net_loopback_up",
    threat: "The sandbox's own loopback is brought up, an address added.",
    runtime: "python",
    source: text`
      import ctypes, fcntl, socket, struct
      s = socket.socket(socket.AF_UNIX)
      for request, data in ((0x8914, struct.pack("16sh", b"lo", 0x41)), (0x8916, struct.pack("16sHH4s8x", b"lo", 2, 0, b"\x7f\0\0\1")), (0x89a0, b"br0\0" * 4)):
          try:
              fcntl.ioctl(s, request, data); print("BREACH:interface changed")
          except OSError: print("contained")
    `,
    outcomes: ["completed"],
    prints: "contained\n".repeat(3),
  },
  {
    name: "net_engine_socket",
    threat: "The engine's socket and any other that is in sight.",
    runtime: "python",
    source: text`
      import os, socket, stat
      hits = []
      for directory, directories, names in os.walk("/"):
          if directory.startswith("/proc"): directories.clear(); continue
          hits += [p for n in names for p in [os.path.join(directory, n)] if stat.S_ISSOCK(os.lstat(p).st_mode)]
      for path in ("/run/rollcall/control.sock", "\0/run/rollcall/control.sock", "/run/docker.sock"):
          try:
              socket.socket(socket.AF_UNIX).connect(path); hits.append(path)
          except OSError: pass
      print("BREACH:" + ascii(hits) if hits else "contained")
    `,
    limits: { wall_ms: 60000 },
    outcomes: ["completed"],
    prints: "contained\n",
  },
  {
    name: "net_abstract_listen",
    threat: "A call listens on an abstract socket for a call in another slot.",
    runtime: "python",
    source: text`
      import socket
      s = socket.socket(socket.AF_UNIX); s.bind("\0rollcall-hostile"); s.listen(); s.settimeout(1.5)
      try:
          s.accept(); print("BREACH:met")
      except TimeoutError: print("contained")
    `,
    limits: { wall_ms: 20000 },
    outcomes: ["completed"],
    prints: "contained\n",
    beside: "net_abstract_connect",
  },
  {
    name: "net_abstract_connect",
    threat: "A call looks for abstract sockets of calls in other slots.",
    runtime: "python",
    source: text`
      import socket, time
      end = time.monotonic() + 1
      while time.monotonic() < end:
          try:
              socket.socket(socket.AF_UNIX).connect("\0rollcall-hostile"); print("BREACH:met"); break
          except OSError: time.sleep(0.02)
      else: print("contained")
    `,
    limits: { wall_ms: 20000 },
    outcomes: ["completed"],
    prints: "contained\n",
    paired: true,
  },
  {
    name: "net_file_socket_listen",
    threat: "A call listens on a socket file for a call in another slot.",
    runtime: "python",
    source: text`
      import os, socket
      s = socket.socket(socket.AF_UNIX); s.bind("/dev/shm/meet"); os.chmod("/dev/shm/meet", 0o777); s.listen(); s.settimeout(1.5)
      os.mkfifo("/tmp/meet", 0o777); open("/tmp/note", "w").write("here")
      try:
          s.accept(); print("BREACH:met")
      except TimeoutError: print("contained")
    `,
    limits: { wall_ms: 20000 },
    outcomes: ["completed"],
    prints: "contained\n",
    beside: "net_file_socket_connect",
  },
  {
    name: "net_file_socket_connect",
    threat: "A call looks for socket files, FIFOs and files of calls in other slots.",
    runtime: "python",
    source: text`
      import os, socket, time
      end = time.monotonic() + 1
      while time.monotonic() < end:
          if os.path.exists("/tmp/meet") or os.path.exists("/tmp/note"): print("BREACH:file"); break
          try:
              socket.socket(socket.AF_UNIX).connect("/dev/shm/meet"); print("BREACH:met"); break
          except OSError: time.sleep(0.02)
      else: print("contained")
    `,
    limits: { wall_ms: 20000 },
    outcomes: ["completed"],
    prints: "contained\n",
    paired: true,
  },
  {
    name: "proc_victim_sibling",
    threat: "A call that waits to be hit by its sibling.",
    runtime: "python",
    source: text`
      import signal, time
      hits = []
      for number in range(1, 65):
          try: signal.signal(number, lambda n, f: hits.append(n))
          except (OSError, ValueError): pass
      time.sleep(1.5)
      print("BREACH:" + str(hits) if hits else "contained")
    `,
    limits: { wall_ms: 20000 },
    outcomes: ["completed"],
    prints: "contained\n",
    beside: "proc_attacker_sibling",
  },
  {
    name: "proc_attacker_sibling",
    threat: "Signals, limits, priorities, memory and descriptors of a call in another slot.",
    runtime: "python",
    source: text`
      import os, resource, signal, time
      hits = []
      end = time.monotonic() + 1
      while time.monotonic() < end and not hits:
          for pid in range(1, 400):
              if pid == os.getpid(): continue
              for attack in (lambda: os.kill(pid, 10), lambda: resource.prlimit(pid, resource.RLIMIT_CPU), lambda: os.setpriority(os.PRIO_PROCESS, pid, 19), lambda: os.sched_setaffinity(pid, {0}), lambda: os.open(f"/proc/{pid}/mem", os.O_RDWR), lambda: os.listdir(f"/proc/{pid}/fd")):
                  try:
                      attack(); hits.append(pid)
                  except OSError: pass
          try: os.setpriority(os.PRIO_USER, os.getuid(), 19); os.kill(-1, 10)
          except OSError: pass
      print("BREACH:" + str(hits[:5]) if hits else "contained")
    `,
    limits: { wall_ms: 20000 },
    outcomes: ["completed"],
    prints: "contained\n",
    paired: true,
  },
];
