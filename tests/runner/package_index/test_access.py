"""``package-index`` as endpoints, mounts and variables, and the small reader of index pages."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from polyphony_runner.package_index import IndexSettings, PackageIndex, hosts, simple_index
from polyphony_runner.package_index.simple_index import IndexReadError, parse_page, project_files
from polyphony_runner.sandbox.proxy import Proxy
from polyphony_runner.sandbox.spec import Endpoint
from support.runtimes_index import Index, sdist, serving, sha256, wheel
from support.runtimes_nodes import Bench


@pytest.fixture
def index() -> Iterator[Index]:
    with serving(Index()) as running:
        running.add("demotool", wheel("demotool", "1.0", ""))
        running.add("demotool", sdist("demotool", "1.0"))
        yield running


def test_hosts_are_those_of_the_indexes_and_those_their_pages_link_to(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = b'<a href="https://files.example/a/demotool-1.0.tar.gz">x</a><a href="http://[::1]:81/y.whl">y</a>'
    monkeypatch.setattr(Index, "page", lambda *_: page)
    access = asyncio.run(PackageIndex(IndexSettings(indexes=(index.url,))).access(["Demo_Tool"]))
    assert index.requests == ["/simple/demo-tool/"]
    assert access.endpoints == (
        Endpoint("127.0.0.1", index.port, plain=True, private=True, index=True),
        Endpoint("files.example", 443, index=True),  # the index vouches: it is private itself
        Endpoint("::1", 81, plain=True, private=True, index=True),
    )


def test_a_page_from_the_network_shows_no_folder_of_this_machine(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = f'<base href="file:///"><a href="{tmp_path.as_uri()}/secret">x</a><a href="etc/passwd">y</a>'
    monkeypatch.setattr(Index, "page", lambda *_: page.encode())
    access = asyncio.run(PackageIndex(IndexSettings(indexes=(index.url,))).access(["demotool"]))
    assert access.mounts == ()


def test_local_indexes_links_and_constraints_are_mounted_where_they_are(tmp_path: Path) -> None:
    files, links = tmp_path / "files", tmp_path / "links"
    project = tmp_path / "simple/demotool"
    for folder in (files, links, project):
        folder.mkdir(parents=True)
    (project / "index.html").write_text('<a href="../../files/demotool-1.0.tar.gz">x</a>')
    constraints, bundle = tmp_path / "constraints.txt", tmp_path / "bundle.pem"
    constraints.write_text("")
    bundle.write_text("")
    settings = IndexSettings(
        indexes=((tmp_path / "simple").as_uri(),),
        find_links=(str(links), "/nowhere"),
        constraints=(constraints,),
        certificates=bundle,
    )
    access = asyncio.run(PackageIndex(settings).access(["another"]))
    assert access.endpoints == ()
    shown = {mount.inside: mount.source for mount in access.mounts if "polyphony" not in mount.inside}
    assert shown == {str(path): path for path in (files, links, tmp_path / "simple", constraints)}
    assert access.env["PIP_FIND_LINKS"].startswith(str(links))
    assert access.env["UV_DEFAULT_INDEX"] == access.env["PIP_INDEX_URL"] == (tmp_path / "simple").as_uri()
    assert access.env["PIP_CERT"] == access.env["SSL_CERT_FILE"]


def test_json_and_html_pages_say_the_same() -> None:
    document = {
        "files": [{"filename": "a-1.zip", "url": "a-1.zip", "hashes": {"sha256": "0" * 64}, "yanked": "bad"}]
    }
    json_files = parse_page(
        "https://i.example/a/", "application/vnd.pypi.simple.v1+json", json.dumps(document).encode()
    )
    html_page = f'<a href="a-1.zip#sha256={"0" * 64}" data-yanked>a</a>'.encode()
    assert json_files == parse_page("https://i.example/a/", "text/html", html_page)
    assert (json_files[0].is_sdist, json_files[0].is_wheel, json_files[0].yanked) == (True, False, True)
    with pytest.raises(IndexReadError, match="no project page"):
        parse_page("https://i.example/a/", "application/json", b"[]")


def test_a_project_nobody_has_is_empty_and_errors_hide_credentials(index: Index) -> None:
    assert project_files(index.url, "unknown") == []
    with pytest.raises(IndexReadError) as caught:
        project_files("ftp://ci:word@i.example/simple", "x")
    assert "word" not in str(caught.value)


def test_the_reader_downloads_a_source_distribution_by_itself(index: Index, tmp_path: Path) -> None:
    words = [
        sys.executable,
        "-I",
        str(Path(simple_index.__file__)),
        "demotool",
        "1.0",
        str(tmp_path),
        index.url,
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    path = Path(done.stdout.strip())
    assert sha256(path.read_bytes()) == sha256(index.files["demotool"]["demotool-1.0.tar.gz"])
    index.files["demotool"]["demotool-1.0.tar.gz"] = b"other"
    page = index.page("demotool")
    assert page is not None
    wrong = page.replace(sha256(b"other").encode(), b"0" * 64)
    index.page = lambda project: wrong  # type: ignore[method-assign]  # a lying index
    refused = subprocess.run(words, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "SHA-256" in refused.stderr


def test_a_node_with_package_index_reaches_the_index_and_nothing_else(index: Index, tmp_path: Path) -> None:
    bench = Bench(tmp_path, IndexSettings(indexes=(index.url,)))
    with serving(Index()) as other:
        uses = bench.python(
            "import os, subprocess, urllib.request\n"
            "def main(i, p, t, c):\n"
            "    def get(url):\n"
            "        try:\n            return urllib.request.urlopen(url).status\n"
            "        except OSError as error:\n            return str(error)\n"
            "    uv = subprocess.run(['uv', '--version'], capture_output=True, text=True).stdout\n"
            "    return {'out': [get(os.environ['PIP_INDEX_URL'] + '/demotool/'), get(p['other']), uv]}\n",
            parameters={"type": "object", "properties": {"package": {}, "other": {}}},
            outputs={"out": {"schema": {}}},
            permissions={"network": ["package-index"]},
        )
        out = bench.succeed(
            uses,
            parameters={"package": "demotool>=1", "other": other.url},
            grants={"network": ("package-index",)},
        )["out"]
    assert out[0] == 200  # type: ignore[index]  # a list
    assert "403" in str(out[1])  # type: ignore[index]  # a list
    assert str(out[2]).startswith("uv ")  # type: ignore[index]  # a list
    assert other.requests == []
    verdicts = {
        event.data["port"]: event.data["verdict"] for event in bench.events if event.type == "connection"
    }  # told when each ends, so in no order
    assert verdicts == {index.port: "allowed", other.port: "refused"}


def test_pages_of_a_public_index_open_nothing_private(monkeypatch: pytest.MonkeyPatch) -> None:
    async def private(host: str) -> bool:
        return host in ("127.0.0.1", "mirror.corp", "store.corp")

    monkeypatch.setattr(hosts, "_is_private", private)
    named = ["https://index.example/simple", "http://mirror.corp:8080/simple"]
    linked = [
        ("https://index.example/simple", "https://files.example/a.whl"),
        ("https://index.example/simple", "http://127.0.0.1:6379/a.whl"),
        ("https://index.example/simple", "https://index.example/a.whl"),
        ("http://mirror.corp:8080/simple", "http://store.corp/a.whl"),
    ]
    assert asyncio.run(hosts.endpoints(named, linked)) == (
        Endpoint("index.example", 443, index=True),
        Endpoint("mirror.corp", 8080, plain=True, private=True, index=True),
        Endpoint("files.example", 443),
        Endpoint("127.0.0.1", 6379, plain=True),
        Endpoint("store.corp", 80, plain=True, private=True, index=True),
    )


def test_what_such_a_page_links_to_is_refused_by_the_proxy() -> None:
    async def main() -> bytes:
        proxy = Proxy([Endpoint("127.0.0.1", 6379, plain=True)])
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            async with proxy.serving(listener):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"GET http://127.0.0.1:6379/ HTTP/1.1\r\n\r\n")
                answer = await reader.read(4096)
                writer.close()
        return answer

    assert b"private network only" in asyncio.run(main())
