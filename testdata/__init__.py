"""Evidence that ships with evtxscan, and what makes it."""
