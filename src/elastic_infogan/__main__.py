"""`python -m elastic_infogan`: the same as the command `elastic-infogan`."""

from elastic_infogan.apps.cli import main

__all__: list[str] = []

if __name__ == "__main__":
    main()
