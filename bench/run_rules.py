"""Runs rules over a case and throws the results away; prints how many there were and the seconds: for bench.rules."""

from __future__ import annotations

import gc
import json
import sys
import time
from pathlib import Path

from evtxscan.detect.engine import run_rules
from evtxscan.detect.results import RuleResult, SequenceResult
from evtxscan.detect.windows import Windows
from evtxscan.rules.load import load_rules
from evtxscan.store.case import open_case
from evtxscan.store.events import Events
from evtxscan.store.scope import Scope


def main(case_path: str, *rules: str) -> None:
    """Run rule files over a case as ``detect`` does, up to the point where findings are written."""
    gc.set_threshold(100_000, 20, 20)  # as the command line does
    started = time.perf_counter()
    with open_case(Path(case_path), read_only=True) as case:
        read = load_rules(rules).rules
        scope = Scope()
        results = list(run_rules(case, Events(case), read, scope, Windows(case, scope)))
    ran = [result for result in results if isinstance(result, RuleResult | SequenceResult)]
    print(
        json.dumps(
            {
                "rules": len(ran),
                "hits": sum(len(result.hits) for result in ran),
                "seconds": time.perf_counter() - started,
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
