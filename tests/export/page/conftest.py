"""An exported page, and a browser that shows it."""

import shutil

import pages
import pytest
import web_files
import web_networks

from keras_resnet.errors import UsageError
from keras_resnet.export.writers import litert_js
from keras_resnet.export.writers.web import export_web


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    for name, content in web_files.FILES.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture(scope="session")
def card():
    return web_networks.card_of(web_networks.network())


@pytest.fixture(scope="session")
def exported(card, files, tmp_path_factory):
    try:
        litert_js.files()
    except UsageError as error:
        pytest.skip(f"no LiteRT.js: {error}")
    folder = tmp_path_factory.mktemp("exported") / "web"
    samples = [files / "photograph.png", files / "noise.png"]
    export_web(web_networks.network(), folder, card=card, samples=samples)
    return folder


@pytest.fixture(scope="session")
def driver(tmp_path_factory):
    with pages.browser(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture(scope="session")
def url(exported):
    with pages.serving(exported) as url:
        yield url


@pytest.fixture
def page(driver, url):
    """The page as the previous test left it, if it is open."""
    return pages.Page(driver, url, again=False)


@pytest.fixture
def copied(exported, tmp_path):
    """A page that a test may change."""
    return shutil.copytree(exported, tmp_path / "web")
