"""Two machines, two days and one intruder: the evidence whose right answers are known (EXPECTED.md)."""
