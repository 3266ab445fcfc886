"""`conformance serve`: a real server on a port of its own, and a run file that grows."""

import http.client
import signal
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from subprocess import Popen

import pytest

from tests.project import TARGETS, Project

RUN = "reports/run.sqlite"


def ask(port: int, path: str, method: str = "GET", host: str = "") -> tuple[int, str]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request(method, path, headers={"Host": host} if host else {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def until(port: int, path: str, words: str) -> str:
    """Wait for a page that holds `words`."""
    last = ""
    for _ in range(600):
        last = ask(port, path)[1]
        if words in last:
            return last
        time.sleep(0.2)
    raise AssertionError(f"no {words!r} in {last}")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = Project(tmp_path_factory.mktemp("served"), mindspore="wrong")
    made.run("run", *TARGETS)
    (made.folder / "temporary").mkdir()
    return made


def start(project: Project) -> tuple[Popen[str], int]:
    """Start a server; return it and its port."""
    environment = {"TMPDIR": str(project.folder / "temporary"), "PYTHONUNBUFFERED": "1"}
    process = project.start("serve", RUN, "--port", "0", env=environment)
    assert process.stdout
    line = process.stdout.readline()
    assert line.startswith("http://127.0.0.1:"), line
    return process, int(line.split(":")[2].partition("/")[0])


@pytest.fixture
def port(project: Project) -> Iterator[int]:
    process, found = start(project)
    yield found
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert list((project.folder / "temporary").iterdir()) == []


def test_pages_are_served_and_reload_when_the_run_grows(project: Project, port: int) -> None:
    assert "setInterval" in ask(port, "/")[1]
    index = until(port, "/", "operations/absolute.html")
    assert index.count("setInterval") == 1
    version = ask(port, "/-/version")[1]
    assert f'"{version}"' in index
    page = ask(port, "/operations/absolute.html")[1]
    assert "setInterval" in page
    never = "it never ran"
    assert never not in page
    assert ask(port, "/assets/site.css")[0] == 200
    with closing(sqlite3.connect(project.folder / RUN)) as database:
        lost = database.execute("SELECT * FROM outcomes WHERE target = 'torch'").fetchall()
        with database:
            database.execute("DELETE FROM outcomes WHERE target = 'torch'")
    until(port, "/operations/absolute.html", never)
    assert int(ask(port, "/-/version")[1]) > int(version)
    with closing(sqlite3.connect(project.folder / RUN)) as database, database:
        marks = ", ".join("?" * len(lost[0]))
        database.executemany(f"INSERT INTO outcomes VALUES ({marks})", lost)
    for _ in range(600):
        if never not in ask(port, "/operations/absolute.html")[1]:
            return
        time.sleep(0.2)
    raise AssertionError("the page never changed")


def test_nothing_else_is_answered(project: Project, port: int) -> None:
    until(port, "/", "operations/absolute.html")
    secret = project.folder / "temporary" / "secret.html"
    secret.write_text("secret", encoding="utf-8")
    for path in (
        "/../../secret.html",
        "/%2e%2e/%2e%2e/secret.html",
        "/operations/..%2f..%2f..%2fsecret.html",
        f"/{secret}",
        f"/%2f{secret}",
        "/%00",
        "/operations",
        "/nothing.html",
    ):
        status, body = ask(port, path)
        assert status == 404, path
        assert "secret" not in body
    secret.unlink()
    assert ask(port, "/", "HEAD") == (200, "")
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert ask(port, "/", method)[0] == 501
    assert ask(port, "/", host="example.org")[0] == 403
    assert ask(port, "/", host=f"localhost:{port}")[0] == 200
    with (
        pytest.raises(ConnectionRefusedError),
        socket.create_connection(("127.0.0.2", port), timeout=5),
    ):
        pass


def test_ending_while_it_renders_leaves_nothing(project: Project) -> None:
    process, port = start(project)
    assert ask(port, "/")[0] == 200
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 0
    assert list((project.folder / "temporary").iterdir()) == []


def test_what_cannot_be_served_is_refused(project: Project) -> None:
    code, _, errors = project.run("serve", "none.sqlite")
    assert (code, "no such run file" in errors) == (2, True)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, _, errors = project.run("serve", RUN, "--port", str(taken.getsockname()[1]))
    assert (code, "--port 0 takes a free one" in errors) == (2, True)
    assert list((project.folder / "temporary").iterdir()) == []


def test_written_sites_have_no_such_script(project: Project) -> None:
    assert project.run("report", RUN, "--out", "site")[0] == 0
    pages = sorted(Path(project.folder, "site").rglob("*.html"))
    assert len(pages) >= 2
    assert not any("-/version" in page.read_text(encoding="utf-8") for page in pages)
