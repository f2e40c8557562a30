"""The whole tool on real bytes: the command line as users run it, and the functions behind it."""
