"""Makes the page of requirements, assertions and test cases from schema/validation and the shipped evidence."""

from __future__ import annotations

from evtxscan.selftest.requirements import Requirement, expected, requirements

_INTRO = """# Requirements and test cases of evtxscan

Made by `python -m evtxscan.docs` from `schema/validation/requirements.toml`. The layout is that of the specifications
of NIST's Computer Forensics Tool Testing programme (CFTT): requirements that every version has to meet (CR, core) and
that go beyond (OF, optional features), the assertions that can be tested, and the test cases that test them.
[README.md](README.md) says how to use this pack.
"""


def render() -> str:
    """Return the page."""
    core = [one for one in requirements() if "-CR-" in one.id]
    optional = [one for one in requirements() if "-CR-" not in one.id]
    matches = expected()["matches"]
    return "\n".join(
        [
            _INTRO,
            "## Core requirements\n",
            *map(_requirement, core),
            "\n## Optional features\n",
            *map(_requirement, optional),
            "\n## Test assertions and test cases\n",
            "Test case *selftest* is run by `evtxscan selftest` on the examiner's machine; all others are run by the"
            " repository's continuous integration.\n",
            "| assertion | requirement | test case on the machine | test cases in the repository |",
            "| --- | --- | --- | --- |",
            *map(_test_case, requirements()),
            "\n## Expected findings on the shipped evidence\n",
            "From `testdata/expected.json`, which was written by hand from the story in `testdata/EXPECTED.md`.\n",
            "| time | process id | executable | needs an inferred field |",
            "| --- | --- | --- | --- |",
            *(
                f"| {match['time']} | {match['pid']} | `{match['executable']}` |"
                f" {'yes' if match['inferred'] else 'no'} |"
                for match in matches
            ),
            "",
        ]
    )


def _requirement(one: Requirement) -> str:
    return f"- **{one.id}** {one.title}. {one.text}"


def _test_case(one: Requirement) -> str:
    assertion = one.id.replace("-CR-", "-TA-").replace("-OF-", "-AO-")
    check = f"selftest: `{one.check}`" if one.check else "-"
    return f"| {assertion} | {one.id} | {check} | {', '.join(f'`{test}`' for test in one.tests)} |"
