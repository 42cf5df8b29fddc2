"""Publishing over HTTP: what is taken, and every way a version is refused."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from polyphony_schemas.trust.archive import read_archive
from polyphony_schemas.trust.index import head_at, parse_index
from polyphony_schemas.trust.map_proof import parse_map_proof
from polyphony_schemas.trust.notes import open_note, parse_checkpoint, parse_verifier_key
from polyphony_schemas.trust.tree import tree_id
from support.registry_running import Publisher, Running, git, head, http


def test_a_version_is_signed_logged_tagged_and_served(registry: Running, publisher: Publisher) -> None:
    tree = publisher.work_tree("shout")
    answer = publisher.publish(registry.url, tree)
    assert answer.status == 201, answer.body
    found = answer.json()
    assert found["enrolled"] and found["signer"] == publisher.hint

    archive = http(f"{registry.url}/archive/{found['tree']}.tar.gz")
    assert "immutable" in archive.headers["cache-control"]
    assert tree_id(read_archive([archive.body])) == found["tree"]
    assert http(f"{registry.url}/bundle/{found['bundle']}.json").status == 200

    refs = git(tree, "ls-remote", registry.git_url(f"{publisher.owner}/shout"))
    assert f"{head(tree)}\trefs/tags/v1.0.0" in refs
    assert "staging" not in refs


def test_what_is_served_verifies_against_the_signed_checkpoint(
    registry: Running, publisher: Publisher
) -> None:
    name = f"{publisher.owner}/shout"
    publisher.publish(registry.url, publisher.work_tree("shout"))
    key = parse_verifier_key(http(f"{registry.url}/log/key").body.decode().strip())
    checkpoint = parse_checkpoint(open_note(http(f"{registry.url}/log/checkpoint").body, [key]).text)
    lines = parse_index(http(f"{registry.url}/index/{name}.jsonl").body)
    assert [line.record.type for line in lines] == ["name.claim", "publish"]
    for path, full_name in ((name, name), (f"{publisher.owner}/@", publisher.owner)):
        proof = parse_map_proof(http(f"{registry.url}/log/map/{checkpoint.size}/{path}").body)
        proof.check_map(checkpoint.root)
        where = "index" if "/" in full_name else "namespace"
        history = parse_index(http(f"{registry.url}/{where}/{full_name}.jsonl").body)
        proof.check_head(full_name, head_at(history, checkpoint.size))


def test_the_same_bytes_again_give_the_same_answer(registry: Running, publisher: Publisher) -> None:
    tree = publisher.work_tree("shout")
    first = publisher.publish(registry.url, tree)
    again = publisher.post(registry.url, "shout", publisher.submission(tree))
    assert (first.status, again.status) == (201, 200)
    assert {k: v for k, v in again.json().items() if k != "enrolled"} == {
        k: v for k, v in first.json().items() if k != "enrolled"
    }


def test_refuses_a_version_that_exists_with_other_bytes(registry: Running, publisher: Publisher) -> None:
    tree = publisher.work_tree("shout")
    publisher.publish(registry.url, tree)
    publisher.work_tree("shout", {"more.txt": "more"})
    refused = publisher.publish(registry.url, tree)
    assert (refused.status, refused.json()["code"]) == (409, "PLY4410")
    built = publisher.work_tree("shout", {"more.txt": "more"}, version="1.0.0+build")
    assert publisher.publish(registry.url, built).json()["code"] == "PLY4410"


def test_refuses_a_namespace_without_signer_until_it_enrols(registry: Running, publisher: Publisher) -> None:
    tree = publisher.work_tree("shout")
    refused = publisher.publish(registry.url, tree, enrol=False)
    assert (refused.status, refused.json()["code"]) == (409, "PLY4408")
    assert publisher.publish(registry.url, tree, enrol=True).status == 201


def test_refuses_another_key_once_one_is_enrolled(registry: Running, publisher: Publisher) -> None:
    publisher.publish(registry.url, publisher.work_tree("shout"))
    other = Publisher(publisher.folder, publisher.token, publisher.owner)
    refused = other.publish(registry.url, other.work_tree("shout", version="1.1.0"))
    assert (refused.status, refused.json()["code"]) == (403, "PLY4409")


def test_refuses_an_enrolment_of_another_namespace(registry: Running, publisher: Publisher) -> None:
    tree = publisher.work_tree("shout")
    publisher.stage(registry.url, tree)
    body = publisher.submission(tree, enrol=True)
    from polyphony_schemas.trust.encoding import encode_base64

    body["enrol"] = encode_base64(publisher.enrolment("elsewhere"))
    assert publisher.post(registry.url, "shout", body).json()["code"] == "PLY4413"


def test_refuses_a_statement_about_other_bytes(registry: Running, publisher: Publisher) -> None:
    tree = publisher.work_tree("shout")
    changes: tuple[dict[str, Any], ...] = (
        {"tree": "0" * 64},
        {"name": f"{publisher.owner}/other"},
        {"registry": "elsewhere.test"},
        {"kind": "melody"},
        {"version": "1.0.1"},
    )
    for change in changes:
        refused = publisher.publish(registry.url, tree, **change)
        assert (refused.status, refused.json()["code"]) == (422, "PLY4406"), change
        assert next(iter(change)) in refused.json()["detail"]


def test_refuses_a_commit_that_was_not_staged(registry: Running, publisher: Publisher) -> None:
    tree = publisher.work_tree("shout")
    done = publisher.push(registry.git_url(f"{publisher.owner}/shout"), tree, "main")
    assert done.returncode == 0, done.stderr
    refused = publisher.post(registry.url, "shout", publisher.submission(tree, enrol=True))
    assert (refused.status, refused.json()["code"]) == (409, "PLY4401")


def test_refuses_a_document_with_problems_and_lists_them_all(registry: Running, publisher: Publisher) -> None:
    tree = publisher.work_tree("shout")
    manifest = (tree / "extension.yaml").read_text().replace("kind: operator", "kind: soloist\nwhatever: 1")
    (tree / "extension.yaml").write_text(manifest)
    publisher.commit(tree)
    refused = publisher.publish(registry.url, tree)
    assert (refused.status, refused.json()["code"]) == (422, "PLY4404")
    assert len(refused.json()["details"]["problems"]) >= 2


def test_refuses_a_request_for_another_name_than_the_manifest_has(
    registry: Running, publisher: Publisher
) -> None:
    tree = publisher.work_tree("shout")
    body = publisher.submission(tree, enrol=True)
    commit = head(tree)
    publisher.push(registry.git_url(f"{publisher.owner}/whisper"), tree, f"{commit}:refs/staging/{commit}")
    assert publisher.post(registry.url, "whisper", body).json()["code"] == "PLY4405"


def test_refuses_a_package_name_that_differs_in_hyphens_alone(
    registry: Running, publisher: Publisher
) -> None:
    publisher.publish(registry.url, publisher.work_tree("loud-shout"))
    refused = publisher.publish(registry.url, publisher.work_tree("loudshout"))
    assert (refused.status, refused.json()["code"]) == (409, "PLY4203")


def test_refuses_development_overrides_in_the_tree(registry: Running, publisher: Publisher) -> None:
    tree = publisher.work_tree("shout", {"melody.local.yaml": "overrides: {}\n"})
    assert publisher.publish(registry.url, tree).json()["code"] == "PLY4412"


def test_two_publishes_at_once_give_one_version(registry: Running, publisher: Publisher) -> None:
    publisher.publish(registry.url, publisher.work_tree("shout"))
    trees = []
    for number in range(4):
        other = Publisher(publisher.folder / str(number), publisher.token, publisher.owner, publisher.key)
        tree = other.work_tree("shout", {"n.txt": str(number)}, version="2.0.0")
        other.stage(registry.url, tree)
        trees.append((other, tree))
    with ThreadPoolExecutor(4) as pool:
        bodies = [(who, who.submission(tree)) for who, tree in trees]
        answers = list(pool.map(lambda pair: pair[0].post(registry.url, "shout", pair[1]), bodies))
    assert sorted(answer.status for answer in answers) == [201, 409, 409, 409]
    history = parse_index(http(f"{registry.url}/index/{publisher.owner}/shout.jsonl").body)
    assert [line.record.type for line in history].count("publish") == 2


def test_a_refused_publish_changes_nothing_that_clients_read(registry: Running, publisher: Publisher) -> None:
    publisher.publish(registry.url, publisher.work_tree("shout"))
    before = http(f"{registry.url}/index/{publisher.owner}/shout.jsonl").body
    tree = publisher.work_tree("shout", {"a.txt": "a"})
    publisher.publish(registry.url, tree)
    assert http(f"{registry.url}/index/{publisher.owner}/shout.jsonl").body == before
    assert http(f"{registry.url}/api/v1/packages/{publisher.owner}/shout").json()["latest"] == "1.0.0"


def test_refuses_bodies_that_are_not_the_request(registry: Running, publisher: Publisher) -> None:
    url = f"{registry.url}/api/v1/packages/{publisher.owner}/shout/versions"
    for body in (b"{", b"[]", json.dumps({"version": "1.0.0"}).encode(), b"x" * 300_000):
        answer = http(url, method="POST", token=publisher.token, body=body)
        assert (answer.status, answer.json()["code"]) == (400, "PLY4001")
        assert answer.headers["content-type"] == "application/problem+json"
