"""From what bubblewrap said to what a person can do about it."""

from __future__ import annotations

from dataclasses import dataclass

from polyphony_runner.sandbox.machine import OLDEST_BWRAP, Machine

INSTALL = "apt install bubblewrap (Debian 12 or newer, Ubuntu 24.04 or newer)"
APPARMOR = (
    "either: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0; or write /etc/apparmor.d/bwrap with:\n"
    "    abi <abi/4.0>,\n"
    "    include <tunables/global>\n"
    "    profile bwrap /usr/bin/bwrap flags=(unconfined) { userns, include if exists <local/bwrap> }\n"
    "  and then: sudo systemctl reload apparmor"
)
CONTAINER = (
    "in Docker: --security-opt seccomp=unconfined --security-opt apparmor=unconfined "
    "--security-opt systempaths=unconfined; in Podman: --security-opt seccomp=unconfined "
    "--security-opt unmask=ALL; in Kubernetes: hostUsers: false, procMount: Unmasked"
)


@dataclass(frozen=True, slots=True)
class Fix:
    """A cause in one sentence, and the command or setting that mends it."""

    cause: str
    fix: str


def before_trying(machine: Machine) -> Fix | None:
    """What makes a try pointless."""
    if machine.system != "linux":
        return Fix(
            f"the sandbox needs Linux, this is {machine.system}",
            "start a Linux VM (for example Lima or Colima)",
        )
    if machine.wsl1:
        return Fix("WSL 1 has no Linux kernel", "wsl --set-version NAME 2")
    if machine.architecture not in ("x86_64", "aarch64"):
        return Fix(f"no system call filter for {machine.architecture}", "use x86_64 or aarch64")
    if not machine.bwrap:
        return Fix("bubblewrap (bwrap) is not installed", INSTALL)
    if machine.bwrap_version < OLDEST_BWRAP:
        return Fix(
            f"bubblewrap {'.'.join(map(str, machine.bwrap_version))} is too old, needed is 0.8.0", INSTALL
        )
    return None


def after_trying(machine: Machine, said: str) -> Fix:
    """The cause behind bubblewrap's message."""
    sysctls = dict(machine.sysctls)
    if "nknown option" in said:
        return Fix(
            "bubblewrap lacks an option (--ro-bind-fd is in 0.10 and in updates of 0.8 and 0.9)", INSTALL
        )
    if sysctls.get("user.max_user_namespaces") == "0" or "ENOSPC" in said or "No space left" in said:
        return Fix(
            "user namespaces are used up or switched off", "sudo sysctl -w user.max_user_namespaces=15000"
        )
    if "setting up uid map" in said or "RTM_NEWADDR" in said:
        if sysctls.get("kernel.apparmor_restrict_unprivileged_userns") == "1":
            return Fix("AppArmor keeps user namespaces from unprivileged programs", APPARMOR)
        return Fix("the kernel or a container keeps user namespaces from this user", CONTAINER)
    if "No permissions to creat" in said:
        if sysctls.get("kernel.unprivileged_userns_clone") == "0":
            return Fix(
                "user namespaces are switched off for users",
                "sudo sysctl -w kernel.unprivileged_userns_clone=1",
            )
        return Fix("a container's system call filter forbids new namespaces", CONTAINER)
    if "proc on /newroot/proc" in said:
        return Fix("the container masks parts of /proc", CONTAINER)
    if "mount tmpfs" in said:
        return Fix("SELinux forbids mounts in this container", "Podman: --security-opt label=disable")
    return Fix("the sandbox could not be made", "polyphony doctor -v shows what bubblewrap said")
