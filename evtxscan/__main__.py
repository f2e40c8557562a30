"""``python -m evtxscan``."""

from evtxscan.cli import main

if __name__ == "__main__":
    main()
