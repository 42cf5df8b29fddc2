"""Reads the memory, the environment and the command line of its first process.

Must: nothing of the host is there
"""

from attempt import WORLD, attempt

for name in ("environ", "cmdline", "mountinfo", "comm", "stack", "syscall"):
    attempt(name, lambda name=name: WORLD["canary"].encode() in open(f"/proc/1/{name}", "rb").read())
attempt("its root", lambda: open("/proc/1/root" + WORLD["home"][0]).read())
