"""The filter, run by a small interpreter of classic BPF: each rule on both architectures."""

from __future__ import annotations

import struct

import pytest

from polyphony_runner.sandbox import seccomp

ARCHES = list(seccomp.AUDIT_ARCH)
EPERM, ENOSYS, NO_FAMILY = (seccomp.ERRNO | code for code in (1, 38, 97))


def verdict(
    machine: str,
    number: int,
    *arguments: int,
    families: tuple[int, ...] = (),
    arch: int | None = None,
    on_host: bool = False,
) -> int:
    """What the kernel would do."""
    padded = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
    data = struct.pack("<IIQ6Q", number, seccomp.AUDIT_ARCH[machine] if arch is None else arch, 0, *padded)
    program = list(struct.iter_unpack("<HBBI", seccomp.program(machine, families, on_host=on_host)))
    accumulator = position = 0
    while True:
        code, yes, no, operand = program[position]
        position += 1
        if code == seccomp.RETURN:
            return int(operand)
        if code == seccomp.LOAD:
            accumulator = struct.unpack_from("<I", data, operand)[0]
            continue
        if code == seccomp.AND:
            accumulator &= operand
            continue
        holds = {
            seccomp.JUMP_EQUAL: accumulator == operand,
            seccomp.JUMP_GREATER: accumulator > operand,
            seccomp.JUMP_SET: bool(accumulator & operand),
        }[code]
        position += yes if holds else no


@pytest.mark.parametrize("machine", ARCHES)
def test_every_listed_call_is_refused_and_the_rest_allowed(machine: str) -> None:
    column = ARCHES.index(machine)
    for table in (seccomp.DEBUG_KEYS_KERNEL, seccomp.MOUNTS_NAMESPACES, seccomp.MACHINE, seccomp.SYSTEM_V):
        for name, pair in table.items():
            if (number := pair[column]) is not None:
                assert verdict(machine, number) == EPERM, name
    for name, pair in seccomp.NOT_IMPLEMENTED.items():
        number = pair[column]
        assert number is not None
        assert verdict(machine, number) == ENOSYS, name
    read = (0, 63)[column]
    assert verdict(machine, read) == seccomp.ALLOW


@pytest.mark.parametrize("machine", ARCHES)
def test_numbers_above_the_ceiling_do_not_exist(machine: str) -> None:
    assert verdict(machine, 469) == seccomp.ALLOW
    assert {verdict(machine, number) for number in (470, 600, 0x3FFFFFFF)} == {ENOSYS}


@pytest.mark.parametrize("machine", ARCHES)
def test_another_architecture_is_killed(machine: str) -> None:
    assert verdict(machine, 0, arch=0x40000003) == seccomp.KILL_PROCESS


def test_the_x32_table_is_killed() -> None:
    assert verdict("x86_64", 0x40000000 | 39) == seccomp.KILL_PROCESS


@pytest.mark.parametrize("machine", ARCHES)
def test_clone_makes_no_namespace_but_threads(machine: str) -> None:
    clone = seccomp.CLONE[ARCHES.index(machine)]
    for flag in (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000):
        assert verdict(machine, clone, flag | 17) == EPERM
    assert verdict(machine, clone, 0x003D0F00) == seccomp.ALLOW


@pytest.mark.parametrize("machine", ARCHES)
def test_sockets_open_in_the_granted_families_only(machine: str) -> None:
    number = seccomp.SOCKET[ARCHES.index(machine)]
    assert {verdict(machine, number, family) for family in range(50)} == {NO_FAMILY}
    assert verdict(machine, number, 2, families=(2,)) == seccomp.ALLOW
    assert verdict(machine, number, 1, families=(2,)) == NO_FAMILY


@pytest.mark.parametrize("machine", ARCHES)
def test_a_pair_of_sockets_is_one_that_stays_connected(machine: str) -> None:
    """A datagram socket of a pair can send to any socket file, which a read grant may show."""
    number = seccomp.SOCKETPAIR[ARCHES.index(machine)]
    close_on_exec = 0o2000000
    kinds = {kind: verdict(machine, number, 1, kind | close_on_exec) for kind in range(1, 7)}
    assert {kind for kind, said in kinds.items() if said == seccomp.ALLOW} == {1, 5}
    assert {said for kind, said in kinds.items() if kind not in (1, 5)} == {EPERM}


@pytest.mark.parametrize("machine", ARCHES)
def test_on_the_host_files_and_other_processes_are_not_changed_by_name(machine: str) -> None:
    column = ARCHES.index(machine)
    for name, pair in (seccomp.BY_NAME | seccomp.NO_PRIORITY).items():
        if (number := pair[column]) is not None:
            assert verdict(machine, number, on_host=True) == EPERM, name
            assert verdict(machine, number) == seccomp.ALLOW, name
    for name, pair in seccomp.OWN_PROCESS_ONLY.items():
        number = pair[column]
        assert number is not None
        assert verdict(machine, number, 0, on_host=True) == seccomp.ALLOW, name
        assert verdict(machine, number, 1234, on_host=True) == EPERM, name
    for pair in seccomp.OWN_PRIORITY_ONLY.values():
        number = pair[column]
        assert number is not None
        assert verdict(machine, number, 0, 0, 5, on_host=True) == seccomp.ALLOW
        assert {verdict(machine, number, *who, on_host=True) for who in ((0, 7), (1, 0), (2, 0))} == {EPERM}


@pytest.mark.parametrize("machine", ARCHES)
def test_terminal_injection_is_refused_whatever_the_high_bits(machine: str) -> None:
    number = seccomp.IOCTL[ARCHES.index(machine)]
    for request in (0x5412, 0x7F00005412, 0x541C, 0x1_0000_541C):
        assert verdict(machine, number, 0, request) == EPERM
    assert verdict(machine, number, 0, 0x5401) == seccomp.ALLOW
