"""Policies of the machine and of the home: what either forbids stays forbidden, and the refusal names file and line."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from polyphony_runner.errors import ClientError
from polyphony_runner.home import Home
from polyphony_runner.install.resolve import Policy as Call
from polyphony_runner.policies import reading
from polyphony_runner.policies.model import Policy
from polyphony_runner.policies.reading import read_policy
from polyphony_runner.runs.assemble import RunRequest, assemble
from polyphony_runner.runtimes.protocol import Success
from polyphony_runner.sandbox.spec import Endpoint
from polyphony_schemas.errors import PolyphonyError
from support.install_world import world
from support.runtimes_nodes import Bench


def policy(tmp_path: Path, own: str = "", system: str = "") -> Policy:
    home = Home.at(tmp_path / "home")
    (home.root / "policy.yaml").write_text(f"policy: v1\n{own}")
    admin = tmp_path / "etc.yaml"
    if system:
        admin.write_text(f"policy: v1\n{system}")
    return read_policy(home, admin)


def code_of(act: object, *values: object) -> str:
    try:
        act(*values)  # type: ignore[operator]  # one of the checks
    except ClientError as error:
        assert error.hint
        assert str(error.details["policy"]) in error.message
        return error.code
    return ""


def test_without_a_file_nothing_is_forbidden(tmp_path: Path) -> None:
    found = read_policy(Home.at(tmp_path / "home"), tmp_path / "absent.yaml")
    found.check_package("acme/any")
    found.check_registry("registry.example")
    found.check_level("none")
    found.check_unsandboxed()
    found.check_endpoints([Endpoint("a.example", 443)])
    assert found.signers is None
    assert found.trusted_usage(("acme/*",)) == ("acme/*",)


def test_each_rule_refuses_with_file_and_line(tmp_path: Path) -> None:
    found = policy(
        tmp_path,
        "extensions: [polyphony/*]\nregistries: [one.example]\nminimum_level: full-privileged\nunsafe_no_sandbox: forbidden\n",
    )
    assert code_of(found.check_package, "polyphony/ruff") == ""
    assert code_of(found.check_package, "acme/ruff") == "PLY3731"
    assert code_of(found.check_registry, "two.example") == "PLY3735"
    assert code_of(found.check_level, "full") == ""
    assert code_of(found.check_level, "full-privileged") == ""
    for level in ("landlock", "wasm", "none", "unheard-of"):
        assert code_of(found.check_level, level) == "PLY3733"
    assert code_of(found.check_unsandboxed) == "PLY3734"
    with pytest.raises(ClientError, match=r"home/policy\.yaml:2$"):
        found.check_package("acme/ruff")
    with pytest.raises(ClientError, match=r"home/policy\.yaml:5$"):
        found.check_unsandboxed()


@pytest.mark.parametrize(
    ("rules", "endpoint", "code"),
    [
        ("network: {deny: ['*.internal']}", Endpoint("db.internal", 5432), "PLY3732"),
        ("network: {deny: ['*.internal']}", Endpoint("DB.INTERNAL", 5432), "PLY3732"),
        ("network: {deny: ['*:22']}", Endpoint("a.example", 22), "PLY3732"),
        ("network: {deny: ['*:22']}", Endpoint("a.example", 443), ""),
        ("network: {allow: [a.example]}", Endpoint("a.example", 1), ""),
        ("network: {allow: ['a.example:443']}", Endpoint("a.example", 80), "PLY3732"),
        ("network: {allow: []}", Endpoint("a.example", 443), "PLY3732"),
        ("network: {allow: [package-index]}", Endpoint("index.example", 443, index=True), ""),
        ("network: {allow: [a.example]}", Endpoint("index.example", 443, index=True), "PLY3732"),
        (
            "network: {allow: ['*'], deny: [package-index]}",
            Endpoint("index.example", 443, index=True),
            "PLY3732",
        ),
    ],
)
def test_hosts_are_allowed_and_denied(tmp_path: Path, rules: str, endpoint: Endpoint, code: str) -> None:
    assert code_of(policy(tmp_path, rules).check_endpoints, [endpoint]) == code


def test_the_user_cannot_allow_what_the_administrator_forbids_nor_the_other_way_round(
    tmp_path: Path,
) -> None:
    found = policy(
        tmp_path,
        own="extensions: ['*/*']\nsigners: [a, b]\ntrusted_usage: [acme/*]\nnetwork: {deny: [b.example]}\n",
        system="extensions: [polyphony/*]\nsigners: [b, c]\ntrusted_usage: [polyphony/*]\nnetwork: {deny: [a.example]}\n",
    )
    with pytest.raises(ClientError, match=r"etc\.yaml:2"):
        found.check_package("acme/ruff")
    assert found.signers == frozenset({"b"})
    assert found.trusted_usage(()) == ("polyphony/*",)
    for host in ("a.example", "b.example"):
        assert code_of(found.check_endpoints, [Endpoint(host, 443)]) == "PLY3732"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("policy: v2\n", 1),
        ("policy: v1\nextension: [a/b]\n", 2),
        ("policy: v1\n\nextensions: a/b\n", 3),
        ("policy: v1\nextensions: [a]\n", 2),
        ("policy: v1\nminimum_level: none\n", 2),
        ("policy: v1\nunsafe_no_sandbox: allowed\n", 2),
        ("policy: v1\nnetwork: {forbid: []}\n", 2),
        ("policy: v1\nnetwork:\n  deny: [5]\n", 3),
        ("policy: v1\nextensions: [a/b\n", 2),
        ("policy: v1\npolicy: v1\n", 2),
    ],
)
def test_a_policy_that_cannot_be_read_forbids_everything(tmp_path: Path, text: str, line: int) -> None:
    home = Home.at(tmp_path / "home")
    (home.root / "policy.yaml").write_text(text)
    with pytest.raises(ClientError) as caught:
        read_policy(home, tmp_path / "absent.yaml")
    assert caught.value.code == "PLY3730"
    assert "policy.yaml" in caught.value.message
    assert line == 1 or f"policy.yaml:{line}" in caught.value.message or text.endswith("[a/b\n")


def test_the_administrator_s_file_is_where_no_flag_leads_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Path("/etc/polyphony/policy.yaml") == reading.SYSTEM
    admin = tmp_path / "etc.yaml"
    admin.write_text("policy: v1\nunsafe_no_sandbox: forbidden\n")
    monkeypatch.setattr(reading, "SYSTEM", admin)
    bench = Bench(tmp_path)
    uses = bench.python("def main(i, p, t, c):\n    return {}\n")
    failed = bench.fail(uses, allow_unsandboxed=True)
    assert failed.kind == "permission"
    assert f"{admin}:2" in failed.message


def test_a_node_that_talks_to_a_denied_host_does_not_start(tmp_path: Path) -> None:
    home = Home.at(tmp_path / "home")
    (home.root / "policy.yaml").write_text("policy: v1\nnetwork: {deny: [a.example]}\n")
    bench = Bench(tmp_path)
    uses = bench.python("def main(i, p, t, c):\n    return {}\n", permissions={"network": "granted"})
    failed = bench.fail(uses, grants={"network": ("a.example:443",)})
    assert failed.kind == "permission"
    assert "policy.yaml:2" in failed.message
    assert bench.events == []


def test_a_level_that_is_demanded_is_checked_at_every_node(tmp_path: Path) -> None:
    home = Home.at(tmp_path / "home")
    (home.root / "policy.yaml").write_text("policy: v1\nminimum_level: full-privileged\n")
    bench = Bench(tmp_path)
    uses = bench.python("def main(i, p, t, c):\n    return {}\n")

    async def both() -> tuple[object, object]:
        try:
            return await bench.run(uses), await bench.run(uses, allow_unsandboxed=True)
        finally:
            await bench.runtime.close()

    held, none = asyncio.run(both())
    assert isinstance(held, Success)
    assert "level 'none'" in str(none)


MELODY = "melody: v1\nname: m\nversion: 1.0.0\nnodes: {a: {uses: ./a}}\n"
EXTENSION = "extension: v1\nname: a\nversion: 1.0.0\nkind: operator\nrun: {process: [cat]}\n"


@pytest.mark.parametrize(
    ("rules", "code"), [("[local/*]", ""), ("[polyphony/*]", "PLY3731"), ("[]", "PLY3731")]
)
def test_a_run_with_a_package_that_is_not_listed_does_not_begin(
    tmp_path: Path, rules: str, code: str
) -> None:
    home, folder = Home.at(tmp_path / "home"), tmp_path / "m"
    (folder / "a").mkdir(parents=True)
    (folder / "melody.yaml").write_text(MELODY)
    (folder / "a" / "extension.yaml").write_text(EXTENSION)
    (home.root / "policy.yaml").write_text(f"policy: v1\nextensions: {rules}\n")
    found = ""
    try:
        assemble(RunRequest(folder), home)
    except PolyphonyError as error:
        found = error.code
    assert found == code
    assert list(home.runs.glob("r_*")) == [] or not code


def test_nothing_is_installed_from_a_registry_or_signer_that_is_not_listed(tmp_path: Path) -> None:
    with world(tmp_path / "home") as here:
        rules = here.home.root / "policy.yaml"
        for text, code in (("registries: [other.example]", "PLY3735"), ("signers: [nobody]", "PLY5601")):
            rules.write_text(f"policy: v1\n{text}\n")
            with pytest.raises(PolyphonyError) as caught:
                here.install("acme/flows", policy=Call())
            assert caught.value.code == code
        rules.write_text("policy: v1\nregistries: [registry.example]\n")
        assert here.install("acme/flows")
