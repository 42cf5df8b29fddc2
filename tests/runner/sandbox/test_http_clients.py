"""Clients that people use, unchanged, through the sandbox's network: TLS from end to end, one granted endpoint."""

from __future__ import annotations

import functools
import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from polyphony_runner.environments import uv_binary
from polyphony_runner.sandbox import Endpoint, Exit, Mount, interpreter_mounts
from support.runtimes_index import sha256, wheel
from support.sandbox_box import Box

BUNDLE = "/bundle.pem"
TRUST = dict.fromkeys(
    (*("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "NODE_EXTRA_CA_CERTS"),),
    BUNDLE,
)


@dataclass(frozen=True)
class Site:
    """An HTTPS server on loopback that shows a folder."""

    port: int
    certificate: bytes

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"


def certificate(folder: Path) -> tuple[Path, bytes]:
    """Key and certificate of ``localhost`` in one file; the certificate of who vouches for it."""
    authority, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = _signed("an authority", authority, authority, x509.BasicConstraints(ca=True, path_length=None))
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    leaf = _signed("localhost", key, authority, names)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "server.pem"
    path.write_bytes(secret + leaf)
    return path, root


def _signed(
    name: str, key: ec.EllipticCurvePrivateKey, by: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType
) -> bytes:
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an authority")]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(extension, critical=False)
        .sign(by, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


class _Handler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's own name
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    (folder / "hello").write_text("hello from outside")
    _repository(folder)
    name, data = wheel("demotool", "1.0", "TEXT = 'installed'\n")
    (folder / "simple" / "demotool").mkdir(parents=True)
    (folder / name).write_bytes(data)
    page = f'<a href="../../{name}#sha256={sha256(data)}">{name}</a>'
    (folder / "simple" / "demotool" / "index.html").write_text(page)
    pem, shown = certificate(tmp_path_factory.mktemp("key"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, directory=str(folder))) as server:
        server.daemon_threads = True
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield Site(server.server_address[1], shown)
        finally:
            server.shutdown()
            thread.join()


def _repository(folder: Path) -> None:
    """A bare repository that any HTTP server can show."""
    source, bare = folder / "source", folder / "project.git"
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
    for words in (
        ["init", "-q", "-b", "main", str(source)],
        ["-C", str(source), *identity, "commit", "-q", "--allow-empty", "-m", "First"],
        ["clone", "-q", "--bare", str(source), str(bare)],
        ["-C", str(bare), "update-server-info"],
    ):
        subprocess.run(["git", *words], check=True, capture_output=True)
    shutil.rmtree(source)


def ask(here: Box, site: Site, *words: str, mounts: tuple[Mount, ...] = ()) -> Exit:
    """Run a client that is granted the site."""
    return here.run(
        *words,
        mounts=mounts,
        env=TRUST,
        files={BUNDLE: site.certificate},
        endpoints=(Endpoint("localhost", site.port, private=True),),
    )


def reached(ended: Exit, site: Site) -> bool:
    seen = {(one.host, one.port, one.verdict, one.received > 0) for one in ended.connections}
    return ended.kind is None and seen == {("localhost", site.port, "allowed", True)}


def test_curl(here: Box, site: Site) -> None:
    ended = ask(here, site, "curl", "-sS", f"{site.url}/hello")
    assert reached(ended, site), ended
    assert ended.stdout == b"hello from outside"


def test_urllib(here: Box, site: Site) -> None:
    code = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1]).read().decode())"
    ended = ask(here, site, "/usr/bin/python3", "-I", "-c", code, f"{site.url}/hello")
    assert reached(ended, site), ended
    assert ended.stdout == b"hello from outside\n"


if find_spec("requests") is not None:  # the runner alone has no such library

    def test_requests(here: Box, site: Site) -> None:
        code = "import sys, requests; print(requests.get(sys.argv[1]).text)"
        python = Path(sys.executable)
        ended = ask(
            here, site, str(python), "-c", code, f"{site.url}/hello", mounts=interpreter_mounts(python)
        )
        assert reached(ended, site), ended
        assert ended.stdout == b"hello from outside\n"


def test_git(here: Box, site: Site) -> None:
    ended = ask(here, site, "git", "clone", "-q", f"{site.url}/project.git", "clone")
    assert reached(ended, site), ended
    assert (here.work / "clone" / ".git").is_dir()


def test_uv(here: Box, site: Site) -> None:
    python = Path(sys.executable)
    mounts = (Mount(uv_binary(), "/uv", shared=True), *interpreter_mounts(python))
    options = ("--default-index", f"{site.url}/simple", "--target", "/ws/got", "--no-cache", "--no-config")
    ended = ask(
        here, site, "/uv", "pip", "install", "--python", str(python), *options, "demotool", mounts=mounts
    )
    assert reached(ended, site), ended
    assert (here.work / "got" / "demotool.py").is_file()


NODE_FETCH = "fetch(process.argv[1]).then(a => a.text()).then(t => console.log(t))"
NODE_CONNECT = """
const http = require("http"), tls = require("tls"), url = new URL(process.argv[1]);
const proxy = new URL(process.env.HTTPS_PROXY);
http.request({host: proxy.hostname, port: proxy.port, method: "CONNECT", path: url.host})
  .on("connect", (answer, socket) => {
    const secure = tls.connect({socket, servername: url.hostname}, () =>
      secure.write(`GET ${url.pathname} HTTP/1.1\\r\\nHost: ${url.host}\\r\\nConnection: close\\r\\n\\r\\n`));
    let text = "";
    secure.on("data", data => text += data).on("end", () => console.log(text.split("\\r\\n\\r\\n")[1]));
  }).end();
"""


def test_node(here: Box, site: Site) -> None:
    """``fetch`` takes the proxy from the environment since Node 22.21 and 24; older ones ask the proxy themselves."""
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    version = tuple(int(part) for part in said.strip().removeprefix("v").split(".")[:2])
    program = NODE_FETCH if version >= (24, 0) or (22, 21) <= version < (23, 0) else NODE_CONNECT
    ended = ask(here, site, "node", "-e", program, f"{site.url}/hello")
    assert reached(ended, site), ended
    assert ended.stdout == b"hello from outside\n"


def test_a_client_without_the_grant_says_what_to_grant(here: Box, site: Site) -> None:
    ended = here.run(
        "curl", "-sS", f"{site.url}/hello", endpoints=(Endpoint("localhost", site.port + 1, private=True),)
    )
    assert ended.kind == "exit"
    assert [(one.verdict, one.reason) for one in ended.connections] == [("refused", "not-granted")]
