"""Shows on the examiner's own machine that evtxscan does what docs/validation requires of it."""
