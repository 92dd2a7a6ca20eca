"""Makes user, pid, mount, network, IPC, host name and cgroup namespaces in a container that has none of its users' own.

A container of Docker's or Podman's making has the machine's own root, or whoever it maps, as its root. What follows on
the command line runs as root of a new user namespace instead, as nobody outside, and is pid 1 there.

Usage: nest.py FIRST COUNT SCRIPT [ARGUMENT...]
    FIRST COUNT  ids of the container that are 0 to COUNT - 1 inside
    SCRIPT       what this interpreter runs then
"""

import os
import sys

import _slot

_, first, count, *command = sys.argv
_slot.nest(int(first), int(count))
# Executed anew: until then the kernel counts its memory, and so its files in /proc, to the namespace outside.
os.execv(sys.executable, [sys.executable, "-S", *command])
