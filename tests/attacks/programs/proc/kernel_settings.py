"""Changes what the kernel runs at a crash, restarts the machine by a letter, drops caches.

Must: settings are read-only for it
"""

from attempt import attempt


def write(path):
    with open(path, "w") as file:
        file.write("0")


for path in ("kernel/core_pattern", "kernel/modprobe", "kernel/hostname", "vm/drop_caches", "kernel/sysrq", "fs/suid_dumpable", "kernel/ns_last_pid", "kernel/randomize_va_space", "net/ipv4/ip_forward"):
    attempt(path, lambda path=path: write("/proc/sys/" + path))
for path in ("/proc/sysrq-trigger", "/proc/self/oom_score_adj_x", "/sys/kernel/uevent_helper", "/sys/power/state"):
    attempt(path, lambda path=path: write(path))
for path in ("/proc/kcore", "/proc/kmsg", "/proc/kallsyms_x", "/sys/kernel/debug"):
    attempt(path, lambda path=path: open(path, "rb").read(1))
