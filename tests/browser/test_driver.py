"""The server that processes share: the first starts it, the last one out stops it, and one that was killed is out."""

import subprocess
import sys
import time
import urllib.request

from tests.browser import driver

USER = """
import sys, time
from pathlib import Path
from tests.browser import driver
with driver.shared(Path(sys.argv[1]), Path(sys.argv[2]), "page.py") as address:
    print(address, flush=True)
    time.sleep(600)
"""


def answers(address: str) -> bool:
    """Is the server there?"""
    try:
        return urllib.request.urlopen(f"{address}/_stcore/health", timeout=5).status == 200
    except OSError:
        return False


def test_the_last_one_out_stops_the_server_dead_or_alive(tmp_path):
    place, folder = tmp_path / "place", tmp_path / "folder"
    folder.mkdir()
    (folder / "page.py").write_text("import streamlit as st")
    command = [sys.executable, "-c", USER, str(place), str(folder)]
    with subprocess.Popen(command, cwd=driver.ROOT, stdout=subprocess.PIPE, text=True) as other:
        try:
            address = other.stdout.readline().strip()
            with driver.shared(place, folder, "page.py") as same:
                assert same == address
                other.kill()
                other.wait()
                assert answers(address)
        finally:
            other.kill()
    for _ in range(200):
        if not (place / "address").exists() and not answers(address):
            break
        time.sleep(0.1)
    assert not answers(address)
    with driver.shared(place, folder, "page.py") as again:
        assert answers(again)
