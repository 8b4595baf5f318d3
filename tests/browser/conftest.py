"""A Chromium for each process that tests, and one server of the app's own pages for all of them."""

import pytest

from tests.browser import driver


@pytest.fixture(scope="package")
def chromium():
    """The browser."""
    with driver.browser() as browser:
        yield browser


@pytest.fixture(scope="package")
def base(common):
    """The address of the running app."""
    with driver.shared(common / "app", driver.ROOT, "app/main.py") as address:
        yield address


@pytest.fixture
def visit(chromium, base):
    """Opens addresses and waits for the page; afterwards nothing may have failed or asked another host."""
    with driver.readers(chromium, base) as opened:
        yield opened
