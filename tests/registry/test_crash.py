"""A registry that dies at the worst moment: what was committed is published, and never a second root for a size."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import pytest
from sqlalchemy import select

from polyphony_registry.accounts.services import authenticate
from polyphony_registry.check import check
from polyphony_registry.log.files import published_size
from polyphony_registry.log.keeper import newest_checkpoint
from polyphony_registry.log.models import Checkpoint
from polyphony_registry.outbox.worker import Outbox
from polyphony_registry.publishing.values import Submission
from polyphony_registry.services import Services
from polyphony_registry.settings import Settings
from polyphony_registry.upkeep import Upkeep
from polyphony_schemas.trust.encoding import decode_base64
from support.registry_running import Publisher, new_registry, prepared, running_registry


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the server catches it."""


def staged(services: Services, publisher: Publisher, tree: Path) -> Submission:
    """The submission of HEAD, its objects already in the registry's repository."""
    from polyphony_registry.git.protocol import Repository

    repository = Repository(publisher.owner, tree.name)
    services.git.create(repository)
    body = publisher.submission(tree, enrol=True)
    place = services.settings.repositories / publisher.owner / f"{tree.name}.git"
    subprocess.run(
        ["git", "-C", str(tree), "push", "--quiet", str(place), f"HEAD:refs/staging/{body['commit']}"],
        check=True,
    )
    return Submission(
        publisher.owner,
        tree.name,
        body["version"],
        body["commit"],
        decode_base64(body["bundle"]),
        decode_base64(body["enrol"]),
    )


def test_a_commit_that_was_never_published_is_published_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, owner = new_registry(tmp_path / "data")
    services = prepared(settings)
    publisher = Publisher(tmp_path / "work", owner.token)
    submission = staged(services, publisher, publisher.work_tree("shout"))

    def die(_self: Outbox) -> int:
        raise Killed

    now = int(time.time())
    with services.database.read() as session:
        caller = authenticate(session, owner.token, now=now)
    with monkeypatch.context() as patch:
        patch.setattr(Outbox, "drain", die)
        with pytest.raises(Killed):
            services.publishing.publish(caller, submission, now=now)
    with services.database.read() as session:
        newest = newest_checkpoint(session)
    assert newest is not None
    assert published_size(settings.published) < newest.size
    services.close()

    again = prepared(settings)
    Upkeep(again).round()
    assert (settings.published / "log" / "checkpoint").read_text() == newest.note
    assert check(again).findings == []
    answer = again.publishing.publish(caller, submission, now=now)
    assert answer.repeated
    again.close()


@pytest.mark.parametrize("at", ["write_tiles", "write_checkpoint", "pack_archive"])
def test_a_death_in_the_middle_of_publication_is_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    settings, owner = new_registry(tmp_path / "data")
    services = prepared(settings)
    Upkeep(services).round()
    publisher = Publisher(tmp_path / "work", owner.token)
    submission = staged(services, publisher, publisher.work_tree("shout"))
    before = published_size(settings.published)

    def die(*_arguments: object, **_named: object) -> None:
        raise Killed

    now = int(time.time())
    with services.database.read() as session:
        caller = authenticate(session, owner.token, now=now)
    with monkeypatch.context() as patch:
        patch.setattr(f"polyphony_registry.outbox.worker.{at}", die)
        with pytest.raises(Killed):
            services.publishing.publish(caller, submission, now=now)
    assert published_size(settings.published) == before
    services.close()
    again = prepared(settings)
    Upkeep(again).round()
    assert check(again).findings == []
    again.close()


def test_a_killed_server_comes_back_with_the_same_log(tmp_path: Path) -> None:
    settings, owner = new_registry(tmp_path / "data", workers=1)
    with running_registry(settings, owner) as running:
        publisher = Publisher(tmp_path / "work", owner.token)
        assert publisher.publish(running.url, publisher.work_tree("shout")).status == 201
        note = (settings.published / "log" / "checkpoint").read_text()
        running.process.kill()
        running.process.wait()
    (settings.published / "log" / "checkpoint").unlink()
    services = prepared(settings)
    Upkeep(services).round()
    services.outbox.restore()
    assert (settings.published / "log" / "checkpoint").read_text() == note
    assert check(services).findings == []
    services.close()


def test_everything_published_can_be_made_again_from_the_database(tmp_path: Path) -> None:
    settings, owner = new_registry(tmp_path / "data")
    services = prepared(settings)
    publisher = Publisher(tmp_path / "work", owner.token)
    now = int(time.time())
    with services.database.read() as session:
        caller = authenticate(session, owner.token, now=now)
    for version in ("1.0.0", "1.1.0"):
        submission = staged(services, publisher, publisher.work_tree("shout", version=version))
        services.publishing.publish(caller, submission, now=now)
    before = contents(settings)
    for path in sorted(settings.published.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    services.outbox.restore()
    after = contents(settings)
    # Partial tiles of older checkpoints are not needed any more; everything else is the same, byte for byte.
    assert {name: data for name, data in before.items() if name in after} == after
    assert all(".p/" in name for name in set(before) - set(after))
    services.close()


def contents(settings: Settings) -> dict[str, bytes]:
    root = settings.published
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_the_log_signs_a_fresh_checkpoint_when_the_newest_is_old(tmp_path: Path) -> None:
    settings, _ = new_registry(tmp_path / "data")
    services = prepared(settings)
    now = time.time()
    Upkeep(services, lambda: now).round()
    first = published_size(settings.published)
    Upkeep(services, lambda: now + 60).round()
    assert published_size(settings.published) == first
    Upkeep(services, lambda: now + 3700).round()
    assert published_size(settings.published) == first + 1
    with services.database.read() as session:
        sizes = list(session.scalars(select(Checkpoint.size)))
    assert len(sizes) == len(set(sizes))
    assert check(services).findings == []
    services.close()


def test_no_process_is_left_when_the_server_is_told_to_end_or_dies(tmp_path: Path) -> None:
    settings, owner = new_registry(tmp_path / "data", workers=2)
    for ending in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
        with running_registry(settings, owner) as running:
            family = [running.process.pid, *children(running.process.pid)]
            assert len(family) >= 3
            running.process.send_signal(ending)
            status = running.process.wait(timeout=60)
            assert status == (-signal.SIGKILL if ending == signal.SIGKILL else 0), ending
            deadline = time.monotonic() + 60
            while (left := [pid for pid in family[1:] if alive(pid)]) and time.monotonic() < deadline:
                time.sleep(0.05)
            assert left == []


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_staged_commits_are_forgotten_after_a_day(tmp_path: Path) -> None:
    settings, owner = new_registry(tmp_path / "data")
    services = prepared(settings)
    publisher = Publisher(tmp_path / "work", owner.token)
    submission = staged(services, publisher, publisher.work_tree("shout"))
    upkeep = Upkeep(services)
    assert upkeep.forget_staged(int(time.time())) == 0
    assert upkeep.forget_staged(int(time.time()) + 25 * 3600) == 1
    from polyphony_registry.git.protocol import Repository

    assert services.git.resolve(Repository("acme", "shout"), f"refs/staging/{submission.commit}") is None
    services.close()
