"""``python -m swath.cli``: the command, where its script is not on the path."""

from swath.cli import main

if __name__ == "__main__":
    main()
