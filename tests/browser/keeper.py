"""Holds the server that several testing processes share until all of them are gone: see driver.shared."""

import fcntl
import sys
from pathlib import Path

from tests.browser import driver


def main(place: Path, folder: Path, script: str) -> None:
    """Serve, tell where, wait until nobody is left who uses it, and stop; who comes meanwhile waits and starts another."""
    with (place / "users").open("w") as users, driver.serving(folder, script) as address:
        (place / "address").write_text(address)
        print(address, flush=True)
        fcntl.flock(users, fcntl.LOCK_EX)
        (place / "address").unlink(missing_ok=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
