"""`dlgauge parity`: placeholder while the command is built."""


def parity() -> None:
    """Prove that adapters compute the same."""
