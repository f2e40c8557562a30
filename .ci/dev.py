"""Sets evtxscan up and does what a newcomer does first. Needs Python 3.11 and nothing else.

    python3 .ci/dev.py demo     analyse the shipped evidence; leaves a case and a report in report/
    python3 .ci/dev.py test     run the tests (further arguments go to pytest)
    python3 .ci/dev.py check    lint, format, types, generated documents

Each makes the virtual environment .venv if there is none, or uses the one that --venv names.
"""

import argparse
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EVIDENCE = "testdata/evidence"
RESULTS = {"html": "report.html", "ndjson": "findings.ndjson", "csv": "findings.csv", "json": "result.json"}
# On every processor; the tests of one module share what they make.
PARALLEL = ["-n", "auto", "--dist", "loadscope"]
# What is installed and from which files: saves the next run the time of installing it again.
STAMP = "evtxscan-installed.txt"
IS_EDITABLE = """
from importlib.metadata import distribution
print('"editable": true' in (distribution("evtxscan").read_text("direct_url.json") or ""))
"""


class Environment:
    """A virtual environment with evtxscan in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs = folder / ("Scripts" if os.name == "nt" else "bin")
        self.python = self.programs / ("python.exe" if os.name == "nt" else "python")
        self.evtxscan = self.programs / ("evtxscan.exe" if os.name == "nt" else "evtxscan")

    def create(self) -> None:
        """Make the environment if it is not there."""
        if self.python.exists():
            return
        say(f"Making the virtual environment {shown(self.folder)}")
        made = subprocess.run([sys.executable, "-m", "venv", str(self.folder)], check=False)
        if made.returncode:
            shutil.rmtree(self.folder, ignore_errors=True)  # half of one would pass for one in the next run
            sys.exit("Python could not make a virtual environment. On Debian and Ubuntu: apt install python3-venv")

    def install(self, *, dev: bool) -> None:
        """Install evtxscan, unless that is done: with its development dependencies, or as a user has it."""
        self.create()
        # Who works on the code has an environment that runs the code as it stands: leave it so.
        editable = dev or self._is_editable()
        what = ["-e", ".[dev]"] if dev else ["-e", "."] if editable else ["."]
        digest = _digest(whole=not editable)
        stamp = self.folder / STAMP
        known = stamp.read_text(encoding="utf-8") if stamp.exists() else ""
        if known in (f"{what} {digest}", f"{['-e', '.[dev]']} {digest}"):
            return
        say(f"Installing evtxscan{' and what its tests need' if dev else ''}: pip install {' '.join(what)}")
        stamp.unlink(missing_ok=True)
        self.run("-m", "pip", "install", "--quiet", "--disable-pip-version-check", *what)
        stamp.write_text(f"{what} {digest}", encoding="utf-8")

    def _is_editable(self) -> bool:
        asked = subprocess.run([str(self.python), "-c", IS_EDITABLE], capture_output=True, text=True, check=False)
        return asked.stdout.strip() == "True"

    def run(self, *arguments: str) -> None:
        """Run Python in the environment; leave with its exit code if it fails."""
        finished = subprocess.run([str(self.python), *arguments], cwd=ROOT, check=False)
        if finished.returncode:
            sys.exit(finished.returncode)

    def scan(self, *arguments: str) -> None:
        """Show and run a command of evtxscan; leave with its exit code if it fails."""
        say("$ " + typed(["evtxscan", *arguments]))
        finished = subprocess.run([str(self.evtxscan), *arguments], cwd=ROOT, check=False)
        if finished.returncode:
            sys.exit(finished.returncode)


def _digest(*, whole: bool) -> str:
    """Return a hash of what an installation is made from: an editable one of pyproject.toml alone."""
    files = [ROOT / "pyproject.toml"]
    if whole:
        files += [p for top in ("evtxscan", "schema") for p in (ROOT / top).rglob("*") if p.is_file()]
    total = hashlib.sha256()
    for file in sorted(files):
        if "__pycache__" not in file.parts:
            total.update(f"{file.relative_to(ROOT).as_posix()}\0".encode() + file.read_bytes())
    return total.hexdigest()


def demo(environment: Environment, report: Path) -> None:
    """Analyse the shipped evidence and say what to look at."""
    environment.install(dev=False)
    report.mkdir(parents=True, exist_ok=True)
    place = shown(report)
    case = f"{place}/case.db"
    for old in report.glob("case.db*"):  # the demonstration starts from nothing, however often it runs
        old.unlink()
    say("")
    environment.scan("ingest", EVIDENCE, "--case", case, "--case-number", "DEMO-1", "--exhibit", "EX-1")
    say("")
    environment.scan("detect", "--case", case)
    say("")
    for form, name in RESULTS.items():
        environment.scan("detect", "--case", case, "--format", form, "--output", f"{place}/{name}")
    say(
        f"""
Done. Look at
  {place}/report.html      the findings, with parents, logons and provenance: open it in a browser
  {place}/findings.ndjson  one finding a line, as ECS documents
  {place}/findings.csv     the same for a spreadsheet
  {place}/result.json      findings, verdicts, sources and versions in one document
  {place}/case.db          the case; the next commands to try:

  {shown(environment.evtxscan)} info --case {case}
  {shown(environment.evtxscan)} query "network where process.pid == 7404" --case {case}

testdata/EXPECTED.md tells what happened on these two machines, and what must be found."""
    )


def check(environment: Environment) -> None:
    """Run everything that judges the code without running it; leave with 1 if anything is wrong."""
    environment.install(dev=True)
    failed = []
    for command in (
        ["ruff", "check"],
        ["ruff", "format", "--check"],
        ["mypy", "--strict"],
        ["evtxscan.docs", "--check"],
    ):
        say("$ " + " ".join(command))
        if subprocess.run([str(environment.python), "-m", *command], cwd=ROOT, check=False).returncode:
            failed.append(" ".join(command))
    if failed:
        sys.exit("failed: " + "; ".join(failed))


def shown(path: Path) -> str:
    """Return a path as it is typed from the top of the repository."""
    try:
        return path.relative_to(ROOT).as_posix()
    except ValueError:
        return str(path)


def typed(command: list[str]) -> str:
    """Return a command as this system's shell takes it."""
    return subprocess.list2cmdline(command) if os.name == "nt" else shlex.join(command)


def say(text: str) -> None:
    """Tell the user something, in order with what the commands print."""
    print(text, flush=True)


def main() -> None:
    """Do what the command line asks for."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this is where one learns it
        sys.exit(f"evtxscan needs Python 3.11 or later; this is {sys.version.split()[0]}")
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("task", choices=["demo", "test", "check"])
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv", metavar="FOLDER", help="environment to use")
    parser.add_argument("--report", type=Path, default=ROOT / "report", metavar="FOLDER", help="where demo writes")
    options, rest = parser.parse_known_args()
    if rest and options.task != "test":
        parser.error(f"{options.task} takes no argument {rest[0]}")
    environment = Environment(options.venv.absolute())
    if options.task == "demo":
        demo(environment, options.report.absolute())
    elif options.task == "check":
        check(environment)
    else:
        environment.install(dev=True)
        chosen = any(word.startswith(("-n", "--numprocesses", "--pdb")) for word in rest)
        environment.run("-m", "pytest", *([] if chosen else PARALLEL), *rest)


if __name__ == "__main__":
    main()
