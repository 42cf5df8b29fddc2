"""From what bubblewrap said to what a person can do about it."""

from __future__ import annotations

from dataclasses import dataclass

from polyphony_runner.sandbox.landlock import OLDEST_ABI
from polyphony_runner.sandbox.machine import OLDEST_BWRAP, TO_CONFINE, Machine

INSTALL = "apt install bubblewrap (Debian 12 or newer, Ubuntu 24.04 or newer)"
SYSCTL_APPARMOR = "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
PROFILE = (
    "write /etc/apparmor.d/bwrap with:\n"
    "    abi <abi/4.0>,\n"
    "    include <tunables/global>\n"
    "    profile bwrap /usr/bin/bwrap flags=(unconfined) { userns, include if exists <local/bwrap> }\n"
    "  and then: sudo systemctl reload apparmor"
)
DOCKER = (
    "docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined "
    "--security-opt systempaths=unconfined (as root also --cap-add SYS_ADMIN)"
)
PODMAN = "podman run --security-opt seccomp=unconfined --security-opt unmask=ALL --security-opt label=disable"
KUBERNETES = (
    "in the pod: hostUsers: false; in the container's securityContext: procMount: Unmasked, "
    "seccompProfile: {type: Unconfined}, appArmorProfile: {type: Unconfined}"
)
ACTIONS = f"a step before it: run: {SYSCTL_APPARMOR}"


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


def container_fix(machine: Machine) -> str:
    """The options for the kind of container this is; for all kinds where it does not say."""
    known = {"docker": DOCKER, "podman": PODMAN, "kubernetes": KUBERNETES}
    if machine.container in known:
        return known[machine.container]
    return f"in Docker: {DOCKER}; in Podman: {PODMAN}; in Kubernetes: {KUBERNETES}"


def before_landlock(machine: Machine) -> Fix | None:
    """What makes a try of level ``landlock`` pointless. No fix where the one for level ``full`` is the better one."""
    if machine.system != "linux" or machine.architecture not in ("x86_64", "aarch64"):
        return Fix("level landlock needs Linux on x86_64 or aarch64", "")
    if machine.landlock == 0:
        return Fix(
            "level landlock: this kernel has no Landlock, it is switched off, or a container denies it", ""
        )
    if machine.landlock < OLDEST_ABI:
        return Fix(
            f"level landlock: ABI {OLDEST_ABI} (Linux 6.12) is needed, this kernel has {machine.landlock}", ""
        )
    if machine.uid == 0 and (missing := machine.missing_capabilities(TO_CONFINE)):
        return Fix(f"level landlock: root lacks the capabilities {' '.join(missing)}", "")
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
            return Fix(
                "AppArmor keeps user namespaces from unprivileged programs",
                ACTIONS if machine.actions else f"either: {SYSCTL_APPARMOR}; or {PROFILE}",
            )
        return Fix("the kernel or a container keeps user namespaces from this user", container_fix(machine))
    if "No permissions to creat" in said:
        if sysctls.get("kernel.unprivileged_userns_clone") == "0":
            return Fix(
                "user namespaces are switched off for users",
                "sudo sysctl -w kernel.unprivileged_userns_clone=1",
            )
        return Fix("a container's system call filter forbids new namespaces", container_fix(machine))
    if "proc on /newroot/proc" in said:
        return Fix("the container masks parts of /proc", container_fix(machine))
    if "mount tmpfs" in said:
        return Fix("SELinux forbids mounts in this container", "Podman: --security-opt label=disable")
    return Fix("the sandbox could not be made", "polyphony doctor -v shows what bubblewrap said")
