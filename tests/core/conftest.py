import pytest

from tests.core.shell import caller, writer


@pytest.fixture
def call(capsys):
    return caller(capsys)


@pytest.fixture
def write(tmp_path):
    return writer(tmp_path)
