"""Tests run on one thread: the sizes are small, and two runs at once must not fight for the cores."""

import fcntl

import numpy as np
import pytest
import torch
from hypothesis import settings

from core.train.tasks import sudoku

torch.set_num_threads(1)
settings.register_profile("same every time", derandomize=True, deadline=None, database=None)
settings.load_profile("same every time")


@pytest.fixture(scope="session")
def common(tmp_path_factory, request):
    """A folder that all processes of one run of the tests share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if hasattr(request.config, "workerinput") else own


@pytest.fixture(scope="session")
def sudokus(common):
    """Every training puzzle of a size: made once for all processes, which takes ten seconds."""
    make = sudoku.practised

    def training(n: int) -> sudoku.Puzzles:
        path = common / f"sudoku-{n}.npz"
        with (common / "sudoku.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.exists():
                np.savez(path, **vars(make(n)))
            with np.load(path) as stored:
                return sudoku.Puzzles(**stored)

    return training


@pytest.fixture
def known_sudokus(sudokus, monkeypatch):
    """The training puzzles are there, unmade: for tests of what no other puzzle may be a copy of."""
    monkeypatch.setattr(sudoku, "practised", sudokus)
    sudoku.known.cache_clear()
    return sudoku.known
