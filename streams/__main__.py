"""The entry: `careline` and `python -m streams`."""

from streams.cli.command_line import run


def main() -> None:
    """Run the command line and leave with its exit status."""
    run()


if __name__ == "__main__":
    main()
