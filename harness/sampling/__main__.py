"""`python -m harness.sampling <trial folder>`: the sampler process; see `docs/sampler.md`."""

from __future__ import annotations

import json
import os
import sys

from harness.sampling.sampler import Sampler
from harness.sampling.schema import CONFIGURATION_FILE


def main(arguments: list[str]) -> int:
    """Run one sampler. Returns the exit status: 0 after a stop, 2 for a wrong call or configuration."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m harness.sampling <trial folder>\n")
        return 2
    os.chdir(arguments[0])  # the socket is bound by a relative path: an absolute one may exceed its 108 bytes
    try:
        with open(CONFIGURATION_FILE, encoding="utf-8") as stream:  # noqa: PTH123 (no pathlib in the sampler: memory)
            config = json.load(stream)
        sampler = Sampler(config)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sampler.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
