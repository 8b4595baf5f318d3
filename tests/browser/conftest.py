"""A Chromium for each process that tests, and one server of the app's own pages for all of them."""

import pytest

from tests.browser import driver


@pytest.fixture(scope="package")
def chromium():
    """The browser."""
    with driver.browser() as browser:
        yield browser


@pytest.fixture(scope="session")
def common(tmp_path_factory, request):
    """A folder that all processes of one run of the tests share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if hasattr(request.config, "workerinput") else own


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
