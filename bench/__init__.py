"""Benchmarks: `python -m bench.make` makes logs of any size, `python -m bench.run` measures ingest and its peers."""
