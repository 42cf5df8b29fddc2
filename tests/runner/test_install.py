"""Installing from an honest registry: what is chosen, what is written, what the lock says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from polyphony_runner.auditing import audit, outdated
from polyphony_runner.errors import ClientError
from polyphony_runner.folders import remove_folder
from polyphony_runner.http import Transport
from polyphony_runner.install.extending import lock_uses, uses_of
from polyphony_runner.install.installing import uninstall
from polyphony_runner.install.resolve import Policy, Resolver
from polyphony_runner.locked_packages import packages_for_path
from polyphony_runner.locking import find_root, locked_package, read_lock
from polyphony_runner.registries.binding import read_binding, write_binding
from polyphony_runner.store import FolderStore
from polyphony_schemas.errors import PolyphonyError, TrustError
from polyphony_schemas.lock import Lock
from polyphony_schemas.names import parse_package
from polyphony_schemas.trust.tree import Entry
from support.install_world import SIGNER, World, a_registry, using, world
from support.trust_registry import key_signer, melody_entries


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path / "home") as made:
        yield made


def lock_of(here: World) -> Lock:
    lock = read_lock(here.home.lock)
    assert lock is not None
    return lock


def refusal(here: World, *names: str, policy: Policy | None = None, frozen: bool = False) -> PolyphonyError:
    before = here.state()
    with pytest.raises(PolyphonyError) as caught:
        here.install(*names, policy=policy, frozen=frozen)
    assert here.state() == before
    assert caught.value.hint
    return caught.value


def test_takes_the_highest_version_that_may_be_chosen_and_says_what_it_passed_over(here: World) -> None:
    notices: list[str] = []
    installed = here.install("acme/flows", notices=notices)
    assert [(one.name, one.version) for one in installed] == [("acme/flows", "1.1.0"), ("acme/tool", "1.0.0")]
    assert any("passed over 1.2.0 (yanked)" in notice for notice in notices)
    lock = lock_of(here)
    assert lock.roots["acme/flows"].version == "1.1.0"
    assert lock.packages["acme/flows@1.1.0"].dependencies == {"acme/tool@^1": "acme/tool@1.0.0"}
    assert lock.registries["registry.example/log"].registry == "registry.example"
    assert lock.packages["acme/flows@1.1.0"].minimum_age == 0
    note = here.home.registry("registry.example") / "note"
    assert note.read_bytes() == here.registry.fetch("log/checkpoint")
    assert set(FolderStore(here.home.store).trees()) == {package.tree for package in lock.packages.values()}


def test_installing_again_asks_for_no_content_and_changes_nothing(here: World) -> None:
    here.install("acme/flows@^1")
    before = here.state()
    here.served.asked.clear()
    here.install("acme/flows")
    here.install(frozen=True)
    assert here.state() == before
    assert not any(path.startswith("archive/") for path in here.served.asked)


def test_content_is_asked_for_only_after_the_signature(here: World) -> None:
    here.install("acme/flows@1.0.0")
    kinds = [path.split("/")[0] for path in here.served.asked]
    assert kinds.index("archive") > kinds.index("bundle") > kinds.index("log")


def test_a_name_that_is_locked_keeps_its_version_until_another_range_is_written(here: World) -> None:
    here.install("acme/flows@1.0.0")
    here.install("acme/flows")
    assert lock_of(here).roots["acme/flows"].version == "1.0.0"
    here.install("acme/flows@^1")
    lock = lock_of(here)
    assert lock.roots["acme/flows"].version == "1.1.0"
    assert set(lock.packages) == {"acme/flows@1.1.0", "acme/tool@1.0.0"}


def test_update_takes_the_newest_in_the_locked_range(here: World) -> None:
    here.install("acme/flows@^1")
    here.registry.publish("acme/flows", "1.3.0", melody_entries("flows", "1.3.0"), SIGNER)
    here.install()
    assert lock_of(here).roots["acme/flows"].version == "1.1.0"
    here.install(update=True)
    assert lock_of(here).roots["acme/flows"].version == "1.3.0"
    assert set(lock_of(here).packages) == {"acme/flows@1.3.0"}


def test_a_yanked_version_stays_installable_from_a_lock(here: World) -> None:
    here.install("acme/flows@1.0.0")
    here.registry.yank("acme/flows", "1.0.0")
    here.install(frozen=True)
    here.home.lock.unlink()
    assert refusal(here, "acme/flows@1.0.0").code == "PLY5305"


def test_a_quarantined_version_is_refused_even_from_a_lock(here: World) -> None:
    here.install("acme/flows@1.0.0")
    here.registry.quarantine("acme/flows", None)
    error = refusal(here, frozen=True)
    assert error.code == "PLY5306"


def test_a_version_that_is_too_young_is_passed_over_or_refused_and_a_flag_takes_it(here: World) -> None:
    folder = here.home.registry("registry.example")
    write_binding(folder, replace(read_binding(folder), minimum_age=72 * 3_600_000))
    error = refusal(here, "acme/flows@1.0.0")
    assert (error.code, getattr(error, "step", None)) == ("PLY5603", 6)
    here.install("acme/flows@1.0.0", policy=Policy(minimum_age_s=0))
    assert lock_of(here).packages["acme/flows@1.0.0"].minimum_age == 0
    here.install(frozen=True)  # what is locked is old enough: somebody decided
    here.now += 73 * 3600
    here.registry.tick(73 * 3600)
    here.registry.seal()
    here.install("acme/flows@^1.1")
    assert lock_of(here).packages["acme/flows@1.1.0"].minimum_age is None


def test_no_version_in_range_says_which_there_are(here: World) -> None:
    error = refusal(here, "acme/flows@^9")
    assert error.code == "PLY6801"
    assert "1.1.0" in error.message


def test_a_name_that_is_not_in_the_log_is_proven_absent(here: World) -> None:
    error = refusal(here, "acme/nothing")
    assert (error.code, getattr(error, "step", None)) == ("PLY5303", 3)


def test_a_namespace_without_a_registry_asks_nobody(here: World) -> None:
    error = refusal(here, "polyphony/flows")
    assert (error.code, getattr(error, "step", None)) == ("PLY5102", 1)
    assert here.served.asked == []


def test_wider_permissions_stop_until_they_are_accepted(here: World) -> None:
    narrow = {"network": ["api.example.com:443"]}
    wide = {"network": ["api.example.com:443", "evil.example:443"]}
    for version, document in (("1.0.0", narrow), ("1.1.0", wide)):
        entries = using("wide", version, permissions=json.dumps(document))
        here.registry.publish("acme/wide", version, entries, SIGNER, permissions=document)
    here.install("acme/wide@1.0.0")
    error = refusal(here, "acme/wide@^1")
    assert (error.code, getattr(error, "step", None)) == ("PLY5604", 6)
    assert '+ network: "evil.example:443"' in error.message
    assert error.details["difference"] == ['+ network: "evil.example:443"']
    digest = str(error.details["digest"])
    assert digest in error.hint
    assert refusal(here, "acme/wide@^1", policy=Policy(accepted=frozenset({"0" * 64}))).code == "PLY5604"
    here.install("acme/wide@^1", policy=Policy(accepted=frozenset({digest})))
    assert lock_of(here).packages["acme/wide@1.1.0"].permissions == digest


WRITER = """\
extension: v1
name: put
version: 1.0.0
kind: operator
summary: Writes
license: MIT
permissions: {write: granted}
run: {process: [cat]}
"""
WRITES = """\
melody: v1
name: wide
version: VERSION
summary: Writes
license: MIT
nodes: {w: {uses: acme/put@^1, permissions: {write: [GRANT]}}}
config: {permissions: {write: [out, docs]}}
"""


def writes(here: World, version: str, grant: str) -> None:
    text = WRITES.replace("VERSION", version).replace("GRANT", grant)
    entries = {"melody.yaml": Entry("100644", text.encode())}
    here.registry.publish("acme/wide", version, entries, SIGNER, permissions={"write": ["docs", "out"]})


@pytest.mark.parametrize("stored", [True, False])
def test_a_version_that_writes_directly_what_was_reviewed_stops(tmp_path: Path, stored: bool) -> None:
    registry = a_registry()
    registry.claim("acme/put")
    entries = {"extension.yaml": Entry("100644", WRITER.encode())}
    registry.publish("acme/put", "1.0.0", entries, SIGNER, permissions={"write": "granted"})
    with world(tmp_path / "home", registry) as here:
        for version, grant in (("1.0.0", "out"), ("1.1.0", "{path: out, mode: direct}")):
            writes(here, version, grant)
        (first,) = [one for one in here.install("acme/wide@1.0.0") if one.name == "acme/wide"]
        assert isinstance(first.effective, dict)
        assert first.effective["permissions"] == {"write": ["out"]}
        if not stored:
            remove_folder(here.home.store / first.tree)
        error = refusal(here, "acme/wide@^1")
        assert error.code == "PLY3720"
        assert error.details["difference"] == ["+ write: {path: out, mode: direct}"]
        digest = str(error.details["digest"])
        here.install("acme/wide@^1", policy=Policy(accepted=frozenset({digest})))
        assert lock_of(here).roots["acme/wide"].version == "1.1.0"
        here.install()


def test_fewer_permissions_need_no_new_consent(here: World) -> None:
    wide = {"network": ["a.example:443", "b.example:443"]}
    for version, document in (("1.0.0", wide), ("1.1.0", {"network": ["a.example:443"]})):
        entries = using("wide", version, permissions=json.dumps(document))
        here.registry.publish("acme/wide", version, entries, SIGNER, permissions=document)
    here.install("acme/wide@1.0.0")
    here.install("acme/wide@^1")
    assert lock_of(here).roots["acme/wide"].version == "1.1.0"


def test_a_new_signer_that_the_locked_one_authorised_is_taken_with_a_note(here: World) -> None:
    here.install("acme/flows@1.0.0")
    second = key_signer(5)
    here.registry.add_key("acme", second, SIGNER)
    here.registry.publish("acme/flows", "1.4.0", melody_entries("flows", "1.4.0"), second)
    notices: list[str] = []
    here.install("acme/flows@^1", notices=notices)
    assert lock_of(here).roots["acme/flows"].version == "1.4.0"
    assert any("signer changed" in notice for notice in notices)


def test_a_recovered_signer_is_refused_for_who_knew_the_old_one(here: World) -> None:
    here.install("acme/flows@1.0.0")
    second = key_signer(5)
    here.registry.recover_key("acme", second)
    here.registry.tick(8 * 24 * 3600)
    here.registry.publish("acme/flows", "1.4.0", melody_entries("flows", "1.4.0"), second)
    here.now = here.registry.at + 60
    error = refusal(here, "acme/flows@^1")
    assert error.code == "PLY5602"


def test_frozen_refuses_every_change_of_the_lock(here: World) -> None:
    error = refusal(here, "acme/flows@^1", frozen=True)
    assert error.code == "PLY5901"
    assert "acme/flows@1.1.0 is new" in error.message


def test_uninstalling_takes_what_only_it_needed(here: World) -> None:
    here.install("acme/flows@^1", "acme/tool")
    assert uninstall(here.home, here.home.lock, ["acme/flows"]) == ["acme/flows@1.1.0"]
    assert set(lock_of(here).packages) == {"acme/tool@1.0.0"}
    with pytest.raises(ClientError) as caught:
        uninstall(here.home, here.home.lock, ["acme/flows"])
    assert caught.value.code == "PLY6602"


def test_a_run_takes_the_locked_dependency_of_its_consumer(here: World) -> None:
    here.install("acme/flows@^1")
    store = FolderStore(here.home.store)
    _, lock, key = find_root([here.home.root / "none", here.home.lock], parse_package("acme/flows"))
    tool = locked_package(lock, store, "acme/tool@^1", key)
    assert (tool.name, tool.key) == ("acme/tool", "acme/tool@1.0.0")
    assert (tool.path / "melody.yaml").is_file()
    assert locked_package(lock, store, "acme/flows@^1").key == key
    for uses, consumer in (
        ("acme/tool@^2", key),
        ("acme/wide@^1", None),
        ("acme/tool@^1", "acme/tool@1.0.0"),
    ):
        with pytest.raises(TrustError) as caught:
            locked_package(lock, store, uses, consumer)
        assert caught.value.code == "PLY5903"


def test_what_is_not_installed_names_the_command(here: World) -> None:
    with pytest.raises(ClientError) as caught:
        find_root([here.home.lock], parse_package("acme/flows"))
    assert (caught.value.code, caught.value.hint) == ("PLY6602", "polyphony install acme/flows")


def test_another_install_meanwhile_may_have_moved_the_memory_forward(here: World) -> None:
    here.install("acme/tool")
    old = here.registry.fetch("log/checkpoint")
    here.registry.publish("acme/tool", "1.1.0", melody_entries("tool", "1.1.0"), SIGNER)
    here.install("acme/tool@^1.1")
    note = here.home.registry("registry.example") / "note"
    newest = note.read_bytes()
    assert newest != old
    note.write_bytes(old)
    here.install("acme/tool")
    assert note.read_bytes() == newest


def test_a_melody_that_is_run_by_its_path_gets_what_it_uses_into_the_lock(
    here: World, tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "melody.yaml").write_bytes(using("mine", "0.1.0", "acme/flows@^1")["melody.yaml"].data)
    uses = uses_of(folder)
    assert uses == ("acme/flows@^1",)
    with Transport() as transport:
        with pytest.raises(TrustError) as caught:
            lock_uses(here.registries, transport, folder, uses, frozen=True)
        assert caught.value.code == "PLY5903"
        added = lock_uses(here.registries, transport, folder, uses, now=here.now)
        assert lock_uses(here.registries, transport, folder, uses, now=here.now) == []
    assert [one.name for one in added] == ["acme/flows", "acme/tool"]
    assert (folder / "melody.lock").is_file()
    located = packages_for_path(here.home, folder, folder).locate("acme/flows@^1")
    assert located is not None
    assert located.key == "acme/flows@1.1.0"


def test_two_ranges_of_one_package_stand_beside_each_other(here: World, tmp_path: Path) -> None:
    both = ["acme/flows@1.0.0", "acme/flows@^1.1"]
    with Transport() as transport:
        lock_uses(here.registries, transport, tmp_path, both, now=here.now)
        assert lock_uses(here.registries, transport, tmp_path, both, now=here.now) == []
    lock = read_lock(tmp_path / "melody.lock")
    assert lock is not None
    assert {"acme/flows@1.0.0", "acme/flows@1.1.0"} <= set(lock.packages)


def test_audit_and_outdated_say_what_the_log_says_today(here: World) -> None:
    here.install("acme/flows@1.0.0", "acme/tool")
    with Transport() as transport:

        def resolver() -> Resolver:
            return Resolver(here.registries, transport, here.now, Policy())

        assert audit(lock_of(here), resolver()) == []
        (newer,) = outdated(lock_of(here), resolver())
        assert (newer.name, newer.locked, newer.wanted, newer.newest) == (
            "acme/flows",
            "1.0.0",
            "1.0.0",
            "1.1.0",
        )
        here.registry.yank("acme/flows", "1.0.0")
        here.registry.quarantine("acme/tool", "1.0.0")
        found = {(one.package, one.kind) for one in audit(lock_of(here), resolver())}
    assert found == {("acme/flows@1.0.0", "yanked"), ("acme/tool@1.0.0", "quarantined")}


def test_updating_what_is_not_installed_says_so(here: World) -> None:
    with pytest.raises(ClientError) as caught:
        here.install("acme/flows", update=True)
    assert caught.value.code == "PLY6602"
