"""Looks for processes of the host and reads what they are.

Must: only its own processes are seen
"""

import os

from attempt import WORLD, attempt, read

victim = WORLD["victim"]
attempt("see", lambda: any(b"polyphony-victim" in open(f"/proc/{p}/cmdline", "rb").read() for p in os.listdir("/proc") if p.isdigit()))
for name in ("environ", "mem", "maps", "cmdline", "fd/0", "cwd/x"):
    attempt(name, lambda name=name: b"polyphony-victim" in open(f"/proc/{victim}/{name}", "rb").read(4096))
attempt("signal", lambda: os.kill(victim, 0))
