"""What can go wrong: a clear message, the documented exit code, no traceback, and nothing spoilt.

The runner fails any command that shows a traceback or leaves with a code that is not documented.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration import content, impatient, logs
from tests.integration.command import EVIDENCE, environment, evtxscan, without_privileges

LOG = EVIDENCE / "SRV-OLD-02/Windows/System32/winevt/Logs/System.evtx"
COUNT = 7
posix = pytest.mark.skipif(os.name == "nt", reason="POSIX only")
on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux only")


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A case of one small log; only to be read."""
    case = tmp_path_factory.mktemp("small") / "case.db"
    evtxscan("ingest", LOG, "--case", case)
    return case


@pytest.fixture
def case(small: Path, tmp_path: Path) -> Path:
    """A case of one small log, to be changed."""
    return Path(shutil.copyfile(small, tmp_path / "case.db"))


def rule(path: Path, query: str, *, name: str, kind: str = "eql") -> Path:
    """Write a rule file of Elastic's layout."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f'[rule]\nrule_id = "{name}"\nname = "{name}"\ntype = "{kind}"\nlanguage = "{kind}"\nseverity = "low"\n'
        f"risk_score = 1\nquery = '''\n{query}\n'''\n",
        encoding="utf-8",
    )
    return path


def folder_of(kind: str, folder: Path) -> Path:
    """Make one piece of evidence that cannot be read, and return it."""
    folder.mkdir()
    made = folder / f"{kind}.evtx"
    if kind == "text":
        made.write_text("no log\n")
    elif kind == "empty":
        made.touch()
    elif kind == "lfs":
        made.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
    elif kind == "folder":
        made.mkdir()
        (made / "notes.txt").write_text("no log\n")
    return made


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("missing", "no such file or folder"),
        ("text", "not an event log"),
        ("empty", "empty file"),
        ("lfs", "Git LFS pointer"),
        ("folder", "no event logs found (1 other files skipped)"),
    ],
)
def test_no_evidence_makes_no_case(tmp_path: Path, kind: str, says: str) -> None:
    """Catches an empty case that looks like an examined one, and a message that does not name the path."""
    path = folder_of(kind, tmp_path / "evidence")
    done = evtxscan("ingest", path, "--case", tmp_path / "case.db", code=1)
    assert says in done.message
    assert path.name in done.message
    assert not (tmp_path / "case.db").exists()


@pytest.mark.parametrize(("kind", "says"), [("missing", "no such file"), ("text", "not an event log")])
def test_one_bad_name_does_not_cost_the_others(tmp_path: Path, kind: str, says: str) -> None:
    """Catches an ingest that stops at a wrong name, or that passes over it with exit code 0."""
    path = folder_of(kind, tmp_path / "evidence")
    done = evtxscan("ingest", path, LOG, "--case", tmp_path / "case.db", "--format", "json", code=3)
    assert done.json["totals"]["stored"] == COUNT
    assert says in done.message
    assert [path.name in error and says in error for error in done.json["errors"]] == [True]


def test_in_a_folder_other_files_are_skipped_and_counted(tmp_path: Path) -> None:
    """Catches a folder of which every other file is an error, and files that are passed over in silence."""
    folder = folder_of("text", tmp_path / "evidence").parent
    shutil.copyfile(LOG, folder / "log without a name.bin")
    done = evtxscan("ingest", folder, "--case", tmp_path / "case.db", "--format", "json")
    assert [skipped["path"] for skipped in done.json["skipped"]] == ["text.evtx"]
    assert done.json["totals"]["stored"] == COUNT


@pytest.mark.parametrize(
    ("size", "lost", "says"),
    [(100, 0, "ends inside its header"), (4096, 0, "was cut"), (4096 + 2000, COUNT - 1, "ends inside this chunk")],
)
def test_a_truncated_log_is_a_loss_wherever_it_ends(tmp_path: Path, size: int, lost: int, says: str) -> None:
    """Catches a log that is cut between its chunks, or before the first, and is taken for a whole one."""
    log = tmp_path / "cut.evtx"
    log.write_bytes(LOG.read_bytes()[:size])
    done = evtxscan("ingest", log, "--case", tmp_path / "case.db", code=3)
    assert says in done.out.decode()
    found = evtxscan("ingest", log, "--case", tmp_path / "again.db", "--format", "json", code=3).json
    assert found["totals"]["lost"] == lost


@posix
@pytest.mark.parametrize("where", ["file", "folder"])
def test_unreadable_evidence_is_named_and_costs_nothing_else(tmp_path: Path, where: str) -> None:
    """Catches a folder or file without permission that is passed over in silence."""
    evidence = tmp_path / "evidence"
    logs.write(evidence / "a" / "closed.evtx", logs.mixed(3))
    logs.write(evidence / "b" / "open.evtx", logs.mixed(5))
    closed = evidence / "a" / "closed.evtx" if where == "file" else evidence / "a"
    closed.chmod(0)
    try:
        done = evtxscan(
            "ingest", evidence, "--case", tmp_path / "case.db", "--format", "json", code=3, prepare=without_privileges
        )
        alone = evtxscan("ingest", closed, "--case", tmp_path / "no.db", code=1, prepare=without_privileges)
    finally:
        closed.chmod(0o755)
    assert done.json["totals"]["stored"] == 5
    for found in (done, alone):
        assert closed.name in found.message
        assert "no permission to read it" in found.message


def test_an_acquisition_hash_that_differs_is_no_success(tmp_path: Path) -> None:
    """Catches a hash that is asked for and not compared, or compared with regard to case."""
    right = hashlib.sha256(LOG.read_bytes()).hexdigest()
    wrong = right.replace(right[0], "0" if right[0] != "0" else "1")
    evtxscan("ingest", LOG, "--case", tmp_path / "a.db", "--expect-sha256", right.upper())
    done = evtxscan("ingest", LOG, "--case", tmp_path / "b.db", "--expect-sha256", wrong, "--format", "json", code=3)
    assert [right in source["error"] and wrong in source["error"] for source in done.json["sources"]] == [True]
    assert evtxscan("ingest", LOG, "--case", tmp_path / "c.db", "--expect-sha256", "abc", code=2).message
    several = evtxscan("ingest", EVIDENCE, "--case", tmp_path / "c.db", "--expect-sha256", right, code=2)
    assert "one by one" in several.message
    assert not (tmp_path / "c.db").exists()


def no_case(kind: str, path: Path, small: Path) -> Path:
    """Make a file that is no case that could be worked with."""
    if kind == "text":
        path.write_text("dear diary\n")
    elif kind == "other database":
        with closing(sqlite3.connect(path)) as db:
            db.execute("CREATE TABLE run (id)")
            db.commit()
    elif kind == "newer":
        shutil.copyfile(small, path)
        with closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA user_version = 1000")
    elif kind == "cut":
        path.write_bytes(small.read_bytes()[:20_000])
    return path


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("text", "not a case of evtxscan"),
        ("other database", "not a case of evtxscan"),
        ("newer", "made by a newer evtxscan"),
        ("cut", "damaged"),
    ],
)
@pytest.mark.parametrize("command", ["ingest", "detect", "info"])
def test_what_is_no_case_is_refused_and_left_alone(
    tmp_path: Path, small: Path, command: str, kind: str, says: str
) -> None:
    """Catches a file of somebody else that is written to, and a newer case that an older version spoils."""
    path = no_case(kind, tmp_path / "case.db", small)
    before = path.read_bytes()
    arguments = [LOG] if command == "ingest" else []
    done = evtxscan(command, *arguments, "--case", path, code=1)
    assert says in done.message
    assert str(path) in done.message
    assert path.read_bytes() == before


def test_no_case_yet(tmp_path: Path) -> None:
    """Catches a question that makes an empty case, and a folder that is made on the way."""
    for command in (["detect"], ["info"], ["query", "any where true"]):
        done = evtxscan(*command, "--case", tmp_path / "case.db", code=1)
        assert "no such case; make one with: evtxscan ingest" in done.message
    assert "does not exist" in evtxscan("ingest", LOG, "--case", tmp_path / "no" / "case.db", code=1).message
    assert "directory" in evtxscan("ingest", LOG, "--case", tmp_path, code=2).message
    assert list(tmp_path.iterdir()) == []


def test_a_case_whose_making_was_cut_off_can_be_made_again(tmp_path: Path) -> None:
    """Catches an empty file, left by a kill or a full disk, that blocks its own name."""
    path = tmp_path / "case.db"
    path.touch()
    assert "an empty file" in evtxscan("info", "--case", path, code=1).message
    evtxscan("ingest", LOG, "--case", path)
    assert len(content.events(path)) == COUNT


def test_a_case_that_another_program_holds_is_told(case: Path, tmp_path: Path) -> None:
    """Catches SQLite's own words where the examiner needs to know what to do."""
    before = content.content(case)
    with closing(sqlite3.connect(case, isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        for command in (["info"], ["detect"], ["ingest", EVIDENCE]):
            done = evtxscan(*command, "--case", case, code=1, program=[impatient.__file__])
            assert "another program is using the case; wait for it to end" in done.message
        db.rollback()
    assert content.content(case) == before


@posix
def test_a_case_that_may_not_be_written(case: Path) -> None:
    """Catches a traceback on a case that lies on a read-only medium."""
    case.parent.chmod(0o555)
    case.chmod(0o444)
    try:
        done = evtxscan("ingest", EVIDENCE, "--case", case, code=1, prepare=without_privileges)
        assert str(case) in done.message
    finally:
        case.parent.chmod(0o755)


@posix
@pytest.mark.parametrize("limit", [1, 4096, 100_000, 300_000])
def test_a_disk_that_fails_costs_nothing_stored(tmp_path: Path, limit: int) -> None:
    """Catches a case that a write error leaves half written, or that cannot be completed."""
    import resource

    def small_files_only() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    case = tmp_path / "case.db"
    done = evtxscan("ingest", EVIDENCE, "--case", case, code=1, prepare=small_files_only)
    assert str(case) in done.message
    assert "the disk" in done.message
    evtxscan("ingest", EVIDENCE, "--case", case)
    assert content.faults(case) == []
    assert len(content.events(case)) == 460


_FULL_DISK = """
set -e
mount -t tmpfs -o size=1m none "$1"
run() { "$PYTHON" -m evtxscan "$@"; }
run ingest "$2" --case "$1/case.db" > "$4/first.out"
set +e
run ingest "$3" --case "$1/case.db" 2> "$4/full.err" > "$4/full.out"; echo $? > "$4/full.code"
cp "$1/case.db" "$4/full.db"
cp "$1/case.db-journal" "$4/full.db-journal" 2> "$4/nothing"
run detect --case "$1/case.db" --format json --output "$4/findings.json"; echo $? > "$4/detect.code"
cat "$4/full.db" > "$1/filler" 2> "$4/nothing"; cat "$4/full.db" "$4/full.db" > "$1/more" 2> "$4/nothing"
run info --case "$1/case.db" 2> "$4/info.err" > "$4/info.out"; echo $? > "$4/info.code"
rm "$1/filler" "$1/more"
mount -o remount,size=50m "$1"
run ingest "$3" --case "$1/case.db" > "$4/last.out"; echo $? > "$4/last.code"
cp "$1/case.db" "$4/last.db"
"""


@on_linux
def test_a_full_disk_is_told_and_the_next_run_completes(tmp_path: Path, detection: object) -> None:
    """Catches another message than that the disk is full, an exit code 0, and records that stay lost."""
    disk, out, evidence = tmp_path / "disk", tmp_path / "out", tmp_path / "evidence"
    for folder in (disk, out):
        folder.mkdir()
    logs.write(evidence / "a.evtx", logs.mixed(6000))
    private = ["unshare", "--map-root-user", "--mount"]
    try:
        probe = subprocess.run([*private, "mount", "-t", "tmpfs", "none", disk], capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no unshare")
    if probe.returncode:
        pytest.skip("a file system of our own may not be mounted here")
    subprocess.run(
        [*private, "sh", "-c", _FULL_DISK, "sh", disk, EVIDENCE, evidence, out],
        env=environment({"PYTHON": sys.executable}),
        check=True,
        timeout=100,
    )

    def said(name: str) -> str:
        return (out / name).read_text()

    assert said("full.code") == "1\n"
    assert "the disk is full; free space and run the same command again" in said("full.err")
    assert said("info.code") == "1\n"
    assert "the disk is full" in said("info.err")
    assert "Traceback" not in said("full.err") + said("info.err")
    assert content.faults(out / "full.db") == []
    assert len(content.events(out / "full.db")) >= 460
    assert said("detect.code") == "0\n"
    assert said("last.code") == "0\n"
    assert content.faults(out / "last.db") == []
    assert len(content.events(out / "last.db")) == 6460


def test_a_rule_that_does_not_parse_shows_the_place(case: Path, tmp_path: Path) -> None:
    """Catches an error without line, column and caret, and exit code 0 where no rule ran."""
    path = rule(tmp_path / "bad.toml", 'process where process.name == "a" and\n  process.pid = 3', name="bad")
    done = evtxscan("detect", "--case", case, "--rules", path, code=1)
    assert f"{path}, line 10, column 15: unexpected [=]" in done.message
    assert done.message.splitlines()[1:] == ["    process.pid = 3", "                ^"]
    asked = evtxscan("query", "process where process.pid = 3", "--case", case, code=2)
    assert asked.message.splitlines() == [
        "evtxscan: line 1, column 27: unexpected [=]; write == to compare",
        "  process where process.pid = 3",
        "                            ^",
    ]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("sequence [any where true] ![any where true]", "line 1, column"),
        ("sequence by host.id [any where true] by user.name [any where true]", "line 1, column"),
        ("any where true | unique host.id", "line 1, column 18: pipe unique is not supported; use head or tail"),
        ("sample by host.name [any where true] [any where true]", "sample"),
        ("any where process.name regex~ \"[\"", "line 1, column"),
        ("any where cidrMatch(source.ip, \"10.0.0.0/99\")", "line 1, column"),
        ("any where nothing(1)", "nothing"),
        ("any where process.pid : 3 and (", "line 1, column"),
        ("", "line 1, column 1"),
        ("any where " + "(" * 3000 + "true" + ")" * 3000, "line 1, column"),
        ("any where " + "not " * 3000 + "true", "line 1, column"),
    ],
)  # fmt: skip
def test_a_query_that_cannot_run_is_refused_by_name(case: Path, query: str, says: str) -> None:
    """Catches a construct that is passed over as if it were not there, and a parser that runs out of stack."""
    done = evtxscan("query", query, "--case", case, code=2)
    assert says in done.message
    assert done.out == b""


def test_a_long_query_runs(case: Path) -> None:
    """Catches a depth of nesting that grows with the length: one of Elastic's rules has 2,697 strings."""
    names = ", ".join(f'"tool{number}.exe"' for number in range(3000))
    evtxscan("query", f"any where process.name : ({names})", "--case", case)
    chain = " or ".join(f'event.code == "{number}"' for number in range(3000, 6006))
    done = evtxscan("query", f"any where {chain}", "--case", case, "--format", "ndjson")
    assert len(done.lines) == 1


@pytest.mark.parametrize("form", ["table", "json", "ndjson", "csv", "html"])
def test_a_broken_rule_does_not_stop_the_others(case: Path, tmp_path: Path, form: str) -> None:
    """Catches rules that are not run because of another one, and rules that are left out without a word."""
    rules = tmp_path / "rules"
    rule(rules / "1.toml", "any where ((", name="unparsable")
    rule(rules / "2.toml", "sample by host.name [any where true] [any where true]", name="sample")
    rule(rules / "3.toml", "from x", name="other-language", kind="esql")
    rule(rules / "sub" / "4.toml", 'any where event.code == "6005"', name="good")
    rule(rules / "sub" / "5.toml", 'any where event.code == "12"', name="good")
    (rules / "6.toml").write_text("[rule\n")
    (rules / "7.toml").write_bytes(b"\xff\xfe[rule]\n")
    (rules / "8.toml").write_text('[rule]\nname = "incomplete"\n')
    done = evtxscan("detect", "--case", case, "--rules", rules, "--format", form)
    told = done.message + done.out.decode()
    for name in ("1", "2", "3", "sub/5", "6", "7", "8"):
        assert f"{name}.toml" in told, name
    if form == "json":
        assert [finding["event"]["code"] for finding in done.json["findings"]] == ["6005"]
        assert len(done.json["refused"]) == 7
    if form == "ndjson":
        assert [finding["event"]["code"] for finding in done.lines] == ["6005"]


@pytest.mark.parametrize("path", ["missing", "empty folder", "not TOML"])
def test_rules_that_cannot_be_read(case: Path, tmp_path: Path, path: str) -> None:
    """Catches a detection that runs no rule at all and reports no findings."""
    rules = tmp_path / "rules"
    if path == "empty folder":
        rules.mkdir()
    elif path == "not TOML":
        rules.write_text("[rule\n")
    done = evtxscan("detect", "--case", case, "--rules", rules, code=1)
    assert str(rules) in done.message


@pytest.mark.parametrize(
    "words",
    [
        ["--nonsense"],
        ["nonsense"],
        ["ingest"],
        ["query"],
        ["detect", "--nonsense"],
        ["detect", "--format", "xml"],
        ["detect", "extra"],
        ["ingest", "x", "--jobs", "0"],
        ["ingest", "x", "--jobs", "many"],
        ["ingest", "x", "--only", "nonsense"],
        ["ingest", "x", "--only", ","],
        ["query", "any where true", "--from", "yesterday"],
        ["query", "any where true", "--to", "2020-13-01"],
        ["query", "any where true", "--from", "2020-05-19", "--to", "2020-05-18"],
        ["detect", "--from", ""],
        ["show", "nonsense"],
    ],
)
def test_wrong_usage(case: Path, words: list[str]) -> None:
    """Catches an option that is taken for something else, and another exit code than 2."""
    at: list[str | Path] = ["--case", case] if words[0] in ("query", "detect", "show") else []
    done = evtxscan(*words, *at, code=2)
    assert done.message
    assert done.out == b""


def test_output_files(case: Path, tmp_path: Path) -> None:
    """Catches a half-written result under its name, an event log that is overwritten, a device that is replaced."""
    log = Path(shutil.copyfile(LOG, tmp_path / "log.evtx"))
    commands: list[list[str | Path]] = [
        ["query", "any where true", "--case", case, "--output", log],
        ["info", "--case", case, "--output", log],
        ["ingest", EVIDENCE, "--case", log],
    ]
    for words in commands:
        done = evtxscan(*words, code=2)
        assert "is an event log and will not be overwritten" in done.message
    assert log.read_bytes() == LOG.read_bytes()
    done = evtxscan("info", "--case", case, "--output", tmp_path / "no" / "x", code=1)
    assert "cannot be written" in done.message
    evtxscan("info", "--case", case, "--output", tmp_path, code=2)

    kept = tmp_path / "kept.json"
    kept.write_text("before")
    evtxscan("query", "any where (", "--case", case, "--output", kept, code=2)
    assert kept.read_text() == "before"
    evtxscan("query", "any where true", "--case", case, "--format", "ndjson", "--output", kept)
    assert kept.read_text().count("\n") == COUNT
    assert sorted(path.name for path in tmp_path.iterdir()) == ["case.db", "kept.json", "log.evtx"]


@posix
def test_output_through_links_and_to_devices(case: Path, tmp_path: Path) -> None:
    """Catches a link that becomes a file, and a device or a pipe (/dev/stdout, /dev/null) that a file replaces."""
    target, link, pipe = tmp_path / "target", tmp_path / "link", tmp_path / "pipe"
    link.symlink_to(target)
    evtxscan("info", "--case", case, "--output", link)
    assert link.is_symlink()
    assert target.read_text().startswith("Sources")
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE) as reader:
        evtxscan("info", "--case", case, "--output", pipe)
        out, _ = reader.communicate(timeout=60)
    assert out.startswith(b"Sources")
    assert pipe.is_fifo()
    assert evtxscan("info", "--case", case, "--output", "/dev/stdout", env={}).out.startswith(b"Sources")


def without_stdout() -> None:
    os.close(1)


@posix
def test_a_reader_that_goes_is_no_error(scenario: Path, tmp_path: Path) -> None:
    """Catches a traceback, or an exit code that says failure, in `evtxscan ... | head -1`."""
    case = Path(shutil.copyfile(scenario, tmp_path / "case.db"))
    for words in (["query", "any where true", "--format", "ndjson"], ["detect", "--format", "html"], ["detect"]):
        with subprocess.Popen(
            [sys.executable, "-m", "evtxscan", *words, "--case", case],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as running:
            assert running.stdout
            assert running.stderr
            running.stdout.read(1)
            running.stdout.close()
            assert running.stderr.read() == b""
            assert running.wait(60) == 0


@on_linux
@pytest.mark.parametrize("words", [["info"], ["query", "any where true", "--format", "json"], ["detect"]])
def test_standard_output_that_cannot_be_written(case: Path, words: list[str]) -> None:
    """Catches a result that is lost with exit code 0, or with a traceback."""
    for prepare, says in ((into_full_device, "No space left"), (without_stdout, "standard output is closed")):
        done = evtxscan(*words, "--case", case, code=1, prepare=prepare)
        assert says in done.message


def into_full_device() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, 1)


ODD_NAMES: list[bytes] = [
    "Sicherung Zürich 安全.evtx".encode(),
    b"two\nlines\x1b[31m.evtx",
    b"not utf-8 \xff\xfe.evtx",
    "bidi \u202exfdp.evtx".encode(),
    b"-rf.evtx",
    b"<script>alert(1)<'\"%s{}.evtx",
    b"\x01\x07\x1b]0;title\x07.evtx",
    b"'; DROP TABLE event; --.evtx",
    b"--case",
    b"n" * 250 + b".evtx",
]


@on_linux
@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_file_names_are_stored_and_shown_safely(tmp_path: Path, name: bytes) -> None:
    """Catches a name that is no UTF-8 stopping an ingest, and one that steers the terminal."""
    evidence = os.fsencode(tmp_path) + b"/evidence"
    os.mkdir(evidence)  # noqa: PTH102 - names as bytes
    place = evidence + b"/" + name
    shutil.copyfile(LOG, place)
    case = tmp_path / "case.db"
    outputs = [evtxscan("ingest", evidence, "--case", case)]
    outputs.append(evtxscan("ingest", place, "--case", case, "-v"))
    asked = (["info"], ["query", "any where true"], ["query", "any where true", "--format", "csv"])
    outputs += [evtxscan(*words, "--case", case) for words in asked]
    for done in outputs:
        for raw in (b"\x1b", b"\xff", b"two\nlines", "\u202e".encode()):
            assert raw not in done.out + done.err
        done.out.decode()
    (path,) = {path for path, *_ in content.read(case, "SELECT path FROM source")}
    stored = path.encode()
    assert stored == name.decode("utf-8", "backslashreplace").encode()
    lines = evtxscan("query", "any where true", "--case", case, "--format", "ndjson").lines
    assert {line["evtxscan"]["provenance"][0]["source"]["path"] for line in lines} == {path}


@pytest.mark.parametrize("seed", range(12))
def test_a_damaged_case_is_told(case: Path, seed: int) -> None:
    """Catches a traceback from any command on a case whose pages are damaged."""
    whole = case.read_bytes()
    for words in (["info"], ["query", "any where true", "--format", "ndjson"], ["detect"]):
        data = bytearray(whole)
        chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
        for _ in range(60):
            data[chance.randrange(4096, len(data))] ^= 0xFF
        case.write_bytes(data)
        done = evtxscan(*words, "--case", case, code=None)
        assert done.code in (0, 1)
        assert str(case) in done.message or done.code == 0
