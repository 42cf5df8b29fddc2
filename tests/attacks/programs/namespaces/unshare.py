"""Makes namespaces of its own by unshare.

Must: refused, each of them
"""

from attempt import attempt, call

for name, flag in {"user": 0x10000000, "mount": 0x20000, "pid": 0x20000000, "net": 0x40000000, "ipc": 0x8000000, "uts": 0x4000000, "cgroup": 0x2000000, "time": 0x80}.items():
    attempt(name, lambda flag=flag: call(272, 97, flag))
    attempt(f"user and {name}", lambda flag=flag: call(272, 97, flag | 0x10000000))
