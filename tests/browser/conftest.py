"""One Chromium for all browser tests, and one server for all tests of the app's own pages."""

import pytest

from tests.browser import driver


@pytest.fixture(scope="package")
def chromium():
    """The browser."""
    with driver.browser() as browser:
        yield browser


@pytest.fixture(scope="package")
def base():
    """The address of the running app."""
    with driver.serving(driver.ROOT, "app/main.py") as address:
        yield address


@pytest.fixture
def visit(chromium, base):
    """Opens addresses and waits for the page; afterwards nothing may have failed or asked another host."""
    with driver.readers(chromium, base) as opened:
        yield opened
