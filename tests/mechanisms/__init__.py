"""The tests of one mechanism in a file each: what defines it, what its page works out, and what its page must show."""

from importlib import import_module
from pathlib import Path

from core.model.registry import PAGES as ADDRESSES
from tests.mechanisms.page import Page

PAGES: tuple[Page, ...] = tuple(
    import_module(f"{__name__}.test_{page.name}").PAGE
    for page in ADDRESSES
    if Path(__file__).with_name(f"test_{page.name}.py").exists()  # tests/core/test_contributing.py says which is missing
)
