"""The command line: one file per family of commands, put together in `main`."""
