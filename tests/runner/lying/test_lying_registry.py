"""A registry that lies: each lie is refused with its code and step, and leaves store, lock and memory as they were.

The same harness with honest answers installs. Each lie is told twice: at first contact, and to a client that knows
the log already.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from polyphony_runner.http import Transport
from polyphony_runner.install.session import Session
from polyphony_runner.locking import read_lock
from polyphony_runner.registries.memory import Memory
from polyphony_runner.remote import Remote
from polyphony_runner.store import FolderStore
from polyphony_runner.verifying import Verifier
from polyphony_schemas.errors import PolyphonyError, TrustError
from polyphony_schemas.lock import Lock
from polyphony_schemas.names import parse_package
from polyphony_schemas.trust.archive import pack_archive
from polyphony_schemas.trust.records import Publish, RecordSigner
from polyphony_schemas.trust.verification import STEPS
from support.bombs import gzip_bomb
from support.install_world import FAST, PATIENT, SIGNER, World, world
from support.served_registry import Answer, honest
from support.trust_registry import MemoryRegistry, key_signer, melody_entries

WANTED = "acme/flows@1.0.0"
BOMB = gzip_bomb(1 << 30)


@dataclass(frozen=True)
class Lie:
    """What is changed, for answers whose path starts with ``where``, and the refusal that it must meet."""

    name: str
    where: str
    change: Callable[[World, str, Answer], Answer]
    code: str
    step: int | None


def body(change: Callable[[bytes], bytes]) -> Callable[[World, str, Answer], Answer]:
    return lambda _world, _path, answer: Answer(answer.status, change(answer.body), answer.headers)


def flip(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def lines(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[World, str, Answer], Answer]:
    return body(lambda data: b"".join(change(data.splitlines(keepends=True))))


def other_content(here: World, _: str, answer: Answer) -> Answer:
    return Answer(body=pack_archive(melody_entries("flows", "1.0.0", evil_txt=b"evil")))


def bomb(here: World, _: str, answer: Answer) -> Answer:
    return Answer(body=BOMB)


def from_registry(path_of: Callable[[MemoryRegistry, str], bytes]) -> Callable[[World, str, Answer], Answer]:
    return lambda here, path, _: Answer(body=path_of(here.registry, path))


def bundle_of_another_version(registry: MemoryRegistry, path: str) -> bytes:
    wanted = path.removeprefix("bundle/").removesuffix(".json")
    state = registry.state.names["acme/flows"].versions.values()
    return registry.fetch(f"bundle/{next(v.record.bundle for v in state if v.record.bundle != wanted)}.json")


def proof_of_another_size(registry: MemoryRegistry, path: str) -> bytes:
    size = int(path.split("/")[2])
    older = max(known for known in registry.maps if known < size)
    return registry.fetch(path.replace(f"/{size}/", f"/{older}/"))


def proof_of_another_name(registry: MemoryRegistry, path: str) -> bytes:
    return registry.fetch(path.replace("acme/flows", "acme/tool"))


def foreign_checkpoint(registry: MemoryRegistry, path: str) -> bytes:
    foreign = MemoryRegistry(log_seed=9)
    foreign.claim("acme")
    return foreign.fetch(path)


def other_origin(registry: MemoryRegistry, path: str) -> bytes:
    foreign = MemoryRegistry(origin="evil.example")
    foreign.claim("acme")
    return foreign.fetch(path)


def redirect(here: World, _: str, answer: Answer) -> Answer:
    return Answer(302, b"", {"Location": "http://127.0.0.1:9/elsewhere"})


def endless(here: World, _: str, answer: Answer) -> Answer:
    def write(send: Callable[[bytes], object]) -> None:
        send(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            send(b"x" * (1 << 20))

    return Answer(write=write)


def slow(here: World, _: str, answer: Answer) -> Answer:
    def write(send: Callable[[bytes], object]) -> None:
        send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for byte in range(1000):
            send(bytes([byte & 255]))
            time.sleep(0.02)

    return Answer(write=write)


def truncated(here: World, _: str, answer: Answer) -> Answer:
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(answer.body)}\r\n\r\n".encode()

    def write(send: Callable[[bytes], object]) -> None:
        send(head + answer.body[: len(answer.body) // 2])

    return Answer(write=write)


def compressed(here: World, _: str, answer: Answer) -> Answer:
    return Answer(body=answer.body, headers={"Content-Encoding": "gzip"})


def error_page(here: World, _: str, answer: Answer) -> Answer:
    return Answer(body=b"<html>Welcome to the hotel</html>")


INDEX, ABOVE, MAP = "index/acme/flows", "namespace/acme", "log/map/"
LIES = [
    Lie("other content", "archive/", other_content, "PLY5702", 7),
    Lie("one bit of the archive", "archive/", body(flip), "PLY5702", 7),
    Lie("a cut archive of right length", "archive/", body(lambda d: d[:-9] + bytes(9)), "PLY5702", 7),
    Lie("bytes after the archive", "archive/", body(lambda d: d + b"more"), "PLY5702", 7),
    Lie("a bomb", "archive/", bomb, "PLY5701", 7),
    Lie("one bit of the bundle", "bundle/", body(flip), "PLY5401", 4),
    Lie("the bundle of another version", "bundle/", from_registry(bundle_of_another_version), "PLY5401", 4),
    Lie("a dropped last record", INDEX, lines(lambda one: one[:-1]), "PLY5302", 3),
    Lie("a dropped first record", INDEX, lines(lambda one: one[1:]), "PLY5302", 3),
    Lie("no record at all", INDEX, lines(lambda one: []), "PLY5302", 3),
    Lie("records in another order", INDEX, lines(lambda one: [one[1], one[0], *one[2:]]), "PLY5302", 3),
    Lie("a record twice", INDEX, lines(lambda one: [*one, one[-1]]), "PLY5302", 3),
    Lie("one bit of the index", INDEX, body(flip), "PLY5302", 3),
    Lie("a dropped key of the namespace", ABOVE, lines(lambda one: one[:-1]), "PLY5302", 3),
    Lie("an index that breaks off", INDEX, body(lambda d: d[:-5]), "PLY5302", 3),
    Lie("a map of another size", MAP, from_registry(proof_of_another_size), "PLY5301", 3),
    Lie(
        "the map proof of another name",
        MAP + "14/acme/flows",
        from_registry(proof_of_another_name),
        "PLY5302",
        3,
    ),
    Lie("one bit of the map proof", MAP, body(flip), "PLY5301", 3),
    Lie("another log key", "log/checkpoint", from_registry(foreign_checkpoint), "PLY5202", 2),
    Lie("another origin", "log/checkpoint", from_registry(other_origin), "PLY5202", 2),
    Lie("one bit of the root", "log/checkpoint", body(lambda d: d.replace(b"=\n\n", b"A\n\n")), "PLY5202", 2),
    Lie("an error page with status 200", "log/checkpoint", error_page, "PLY5201", 2),
    Lie("an endless checkpoint", "log/checkpoint", endless, "PLY6102", None),
    Lie("an endless index", INDEX, endless, "PLY6102", None),
    Lie("an endless archive", "archive/", endless, "PLY6102", None),
    Lie("a slow bundle", "bundle/", slow, "PLY6103", None),
    Lie("a slow archive", "archive/", slow, "PLY6103", None),
    Lie("a truncated index", INDEX, truncated, "PLY6105", None),
    Lie("a truncated archive", "archive/", truncated, "PLY6105", None),
    Lie("a redirect of the archive", "archive/", redirect, "PLY6104", None),
    Lie("a redirect of the checkpoint", "log/checkpoint", redirect, "PLY6104", None),
    Lie("a compressed bundle", "bundle/", compressed, "PLY6108", None),
]


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path / "home") as made:
        yield made


def refused(here: World, name: str = WANTED) -> PolyphonyError:
    before = here.state()
    with pytest.raises(PolyphonyError) as caught:
        here.install(name)
    assert here.state() == before, "a refused install wrote something"
    assert caught.value.hint
    return caught.value


def step_of(error: PolyphonyError) -> object:
    return error.details.get("step")


@pytest.mark.parametrize("known", [False, True], ids=["first contact", "known log"])
@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.name)
def test_a_lie_is_refused_and_honest_answers_are_not(here: World, lie: Lie, known: bool) -> None:
    if known:
        here.install("acme/tool")
    told: list[str] = []

    def change(path: str, answer: Answer) -> Answer:
        matches = path.startswith(lie.where) or _same_proof(path, lie.where)
        if not matches:
            return answer
        told.append(path)
        return lie.change(here, path, answer)

    here.served.lie = change
    here.pace = FAST if lie.code == "PLY6103" else here.pace
    error = refused(here)
    assert (error.code, step_of(error)) == (lie.code, lie.step), error.message
    assert told
    here.served.lie, here.pace = honest, PATIENT
    assert here.install(WANTED)[0].version == "1.0.0"


def _same_proof(path: str, where: str) -> bool:
    """Whether a path is the proof of the name that ``where`` says, whatever the size of the log."""
    return where.startswith(MAP) and path.startswith(MAP) and path.split("/")[3:] == where.split("/")[3:]


def test_a_checkpoint_that_goes_back_is_refused(here: World) -> None:
    old = copy.deepcopy(here.registry)
    here.registry.publish("acme/flows", "1.5.0", melody_entries("flows", "1.5.0"), SIGNER)
    here.install("acme/tool")
    honest_one, here.served.registry = here.registry, old
    error = refused(here)
    assert (error.code, step_of(error)) == ("PLY5205", 2)
    here.served.registry = honest_one
    here.install(WANTED)


def forked(registry: MemoryRegistry, more: int) -> MemoryRegistry:
    """The same log key, the same sizes, another history."""
    fork = MemoryRegistry()
    fork.claim("acme")
    fork.enrol("acme", SIGNER)
    fork.claim("acme/flows")
    number = 0
    while fork.log.size < registry.log.size + more:
        fork.publish("acme/flows", f"1.0.{number}", melody_entries("flows", f"1.0.{number}"), SIGNER)
        number += 1
    return fork


@pytest.mark.parametrize("more", [0, 4])
def test_a_forked_log_is_refused_and_written_down(here: World, more: int) -> None:
    here.install("acme/tool")
    truth, here.served.registry = here.registry, forked(here.registry, more)
    here.now = max(truth.at, here.registry.at) + 60
    error = refused(here, "acme/flows@^1")
    assert (error.code, step_of(error)) == ("PLY5206", 2)
    (evidence,) = here.evidence()
    assert str(evidence) == error.details["evidence"]
    text = evidence.read_text()
    for note in (truth.fetch("log/checkpoint"), here.registry.fetch("log/checkpoint")):
        assert note.decode().splitlines()[2] in text
    here.served.registry = truth
    here.install(WANTED)


def test_one_call_is_shown_one_log(here: World) -> None:
    """At first contact too: a slow cache is asked again, and what it says then goes on with what it said before."""
    truth, fork = here.registry, forked(here.registry, 4)
    (binding,) = here.registries.all()
    memory = Memory(here.home.registry(binding.origin))
    with Transport(pace=here.pace) as transport:
        session = Session(binding, Remote(binding, transport), memory, max(truth.at, fork.at) + 60)
        session.history("acme/tool")
        here.served.registry = fork
        before = f"log/map/{truth.log.size}/"  # not kept, says the registry, as if the client were late
        here.served.lie = lambda path, answer: Answer(404) if path.startswith(before) else answer
        with pytest.raises(TrustError) as caught:
            session.history("acme/flows")
    assert (caught.value.code, step_of(caught.value)) == ("PLY5206", 2)
    assert "this call saw" in caught.value.message
    assert here.evidence()


def test_the_lock_is_the_memory_of_a_machine_that_has_none(here: World) -> None:
    here.install("acme/tool")
    (here.home.registry("registry.example") / "note").unlink()
    here.served.registry = forked(here.registry, 4)
    here.now = here.registry.at + 60
    error = refused(here, "acme/flows@^1")
    assert (error.code, step_of(error)) == ("PLY5206", 2)
    assert "the lock" in error.message


@pytest.mark.parametrize(("ahead", "code"), [(3 * 24 * 3600, "PLY5204"), (-3600, "PLY5207")])
def test_a_log_without_a_sign_of_life_or_from_the_future_is_refused(
    here: World, ahead: int, code: str
) -> None:
    here.now = here.registry.at + ahead
    error = refused(here)
    assert (error.code, step_of(error)) == (code, 2)
    assert "clock" in error.message


def test_a_version_signed_by_a_key_that_nobody_authorised_is_refused(here: World) -> None:
    stranger = key_signer(7)
    entries = melody_entries("flows", "6.6.6")
    statement = here.registry.statement("acme/flows", "6.6.6", entries, stranger, permissions={})
    here.registry.append(_record(here.registry, entries, statement, stranger), {"permissions": {}})
    here.now = here.registry.at + 60
    error = refused(here, "acme/flows@6.6.6")
    assert (error.code, step_of(error)) == ("PLY5309", 3)


def test_a_second_record_for_one_version_is_refused(here: World) -> None:
    entries = melody_entries("flows", "1.0.0", evil_txt=b"evil")
    statement = here.registry.statement("acme/flows", "1.0.0", entries, SIGNER, permissions={})
    here.registry.append(_record(here.registry, entries, statement, SIGNER, "1.0.0"), {"permissions": {}})
    here.now = here.registry.at + 60
    error = refused(here)
    assert (error.code, step_of(error)) == ("PLY5304", 3)


def test_a_statement_about_another_package_is_refused(here: World) -> None:
    entries = melody_entries("flows", "6.6.6")
    statement = here.registry.statement("acme/tool", "6.6.6", entries, SIGNER, permissions={})
    here.registry.append(_record(here.registry, entries, statement, SIGNER), {"permissions": {}})
    here.now = here.registry.at + 60
    error = refused(here, "acme/flows@6.6.6")
    assert (error.code, step_of(error)) == ("PLY5502", 5)


def _record(
    registry: MemoryRegistry, entries: object, statement: bytes, signer: object, version: str = "6.6.6"
) -> Publish:
    from polyphony_schemas.trust import canonical
    from polyphony_schemas.trust.bundle import sign_statement
    from polyphony_schemas.trust.encoding import sha256_hex
    from polyphony_schemas.trust.keys import KeySigner, hint_of
    from polyphony_schemas.trust.tree import tree_id

    assert isinstance(signer, KeySigner)
    assert isinstance(entries, dict)
    tree = tree_id(entries)
    registry.files[f"archive/{tree}.tar.gz"] = pack_archive(entries)
    return Publish(
        v=1,
        type="publish",
        at=registry.tick(),
        name="acme/flows",
        prev=registry.state.latest("acme/flows"),
        version=version,
        commit="ab" * 20,
        tree=tree,
        manifest=sha256_hex(entries["melody.yaml"].data),
        permissions=canonical.digest({}),
        bundle=registry.store_bundle(sign_statement(statement, signer)),
        signer=RecordSigner(kind="key", id=hint_of(signer.public_key())),
    )


@pytest.mark.parametrize("lie", [lie for lie in LIES if lie.step], ids=lambda lie: lie.name)
def test_verify_lists_the_steps_up_to_the_lie(here: World, lie: Lie) -> None:
    here.install("acme/tool")
    before = here.state()
    here.served.lie = lambda path, answer: (
        lie.change(here, path, answer)
        if path.startswith(lie.where) or _same_proof(path, lie.where)
        else answer
    )
    with Transport(pace=PATIENT) as transport:
        verifier = Verifier(here.registries, transport, FolderStore(here.home.store), Lock(), here.now)
        report = verifier.name(parse_package(WANTED))
    assert not report.ok
    *passed, failed = report.steps
    assert [step["ok"] for step in passed] == [True] * len(passed)
    assert (failed["code"], failed["step"]) == (lie.code, STEPS[(lie.step or 1) - 1])
    assert [step["step"] for step in passed] == list(STEPS[: len(passed)])
    assert here.state() == before


def test_many_installs_at_once_leave_one_whole_lock(here: World) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(here.install, ["acme/tool", "acme/flows@^1", "acme/flows@^1", "acme/tool"]))
    lock = read_lock(here.home.lock)
    assert lock is not None
    assert set(lock.packages) == {"acme/flows@1.1.0", "acme/tool@1.0.0"}
    assert set(lock.roots) == {"acme/flows", "acme/tool"}
    assert {path.name for path in here.home.store.glob(".*")} == {".writing", ".placing"}
