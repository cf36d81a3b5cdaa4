"""A page needs only its folder, and says what is missing there."""

import http.server
import json
import re

import pages
import pytest
import web_networks

from keras_resnet.export.writers.web import export_web
from keras_resnet.inference import kinds

pytestmark = pytest.mark.skipif(
    bool(pages.missing()), reason=f"not installed: {pages.missing()}"
)


@pytest.mark.parametrize(
    "file, message",
    [
        ("model.tflite", "model.tflite could not be loaded: .* answered 404"),
        ("labels.txt", "labels.txt could not be loaded"),
        ("pixels.js", "pixels.js could not be loaded"),
        (
            "litert_js/litert_wasm_threaded_internal.wasm",
            "The runtime in the folder litert_js could not be loaded",
        ),
    ],
)
def test_a_missing_file_is_named(driver, copied, file, message):
    (copied / file).unlink()
    with pages.serving(copied) as url:
        assert re.search(message, pages.Page(driver, url).problem)


def test_a_model_of_another_export_is_refused(driver, copied):
    with (copied / "model.tflite").open("ab") as file:
        file.write(b"more")
    with pages.serving(copied) as url:
        problem = pages.Page(driver, url).problem
    assert "it is not the one that was exported" in problem


@pytest.mark.large
def test_a_browser_without_simd_is_told(url, tmp_path):
    flags = "--js-flags=--no-enable-sse4-1"
    with pages.browser(tmp_path, flags) as driver:
        problem = pages.Page(driver, url).problem
    assert re.search("SIMD.*take a newer browser", problem)


def test_it_asks_no_other_server(url, files, tmp_path):
    """Chromium's network log lists all requests, also those of threads."""
    log = tmp_path / "net.json"
    flag = f"--log-net-log={log}"
    with pages.browser(tmp_path / "profile", flag) as driver:
        page = pages.Page(driver, url)
        page.classify(files / "photograph.png")
        # The policy of the page stops this request.
        outcome = page.run(
            'return fetch("http://127.0.0.1:9/").then(() => "sent");'
        )
    assert "TypeError" in outcome
    events = json.loads(log.read_text())["events"]
    rows = [event.get("params", {}) for event in events]
    asked = {r["url"] for r in rows if r.get("initiator") == url.rstrip("/")}
    assert f"{url}model.tflite" in asked
    assert f"{url}litert_js/litert_wasm_threaded_internal.wasm" in asked
    assert [other for other in asked if not other.startswith(url)] == []


KEPT = """
  const [name] = await caches.keys();
  const keys = name ? await (await caches.open(name)).keys() : [];
  const large = ["model.tflite?", ".wasm?"];
  return large.every((e) => keys.some((k) => k.url.includes(e)));
"""


def test_it_works_offline_after_the_first_visit(driver, exported, files, card):
    with pages.serving(exported) as url:
        page = pages.Page(driver, url)
        page.wait(lambda: page.run(KEPT))
    page = pages.Page(driver, url)
    view = web_networks.view(files / "noise.png", card)
    pages.assert_pythons(page.classify(files / "noise.png"), exported, view)
    page.find("#samples button").click()
    page.answer()


VISIT = 'return performance.getEntriesByType("navigation")[0].type'


def test_a_new_export_takes_the_place_of_the_old(driver, copied, card, files):
    """The new network has bottlenecks, whose shortcuts pool one pixel."""
    network = web_networks.network(
        variant="resnet50", depths=(2, 2, 1, 1), filters=(4, 8, 8, 8)
    )
    view = web_networks.view(files / "noise.png", card)
    with pages.serving(copied) as url:
        page = pages.Page(driver, url)
        pages.assert_pythons(page.classify(files / "noise.png"), copied, view)
        export_web(network, copied, card=card)
        assert (
            kinds.KINDS["web"].count_operators(copied)["MAX_POOL_2D"] == 1 + 2
        )
        driver.get(url)  # the old page, which finds the new one and reloads
        page.wait(lambda: page.run(VISIT) == "reload")
        page.start()
        pages.assert_pythons(page.classify(files / "noise.png"), copied, view)


class _Plain(http.server.SimpleHTTPRequestHandler):
    """A static server that knows nothing of the page."""

    def log_message(self, format, *args):
        pass


def test_any_server_gives_threads_from_the_second_visit_on(driver, exported):
    with pages.serving(exported, _Plain) as url:
        states = [pages.Page(driver, url).text("#state") for _ in range(2)]
    assert "on one thread" in states[0]
    assert "on several threads" in states[1]
    with pages.serving(exported) as url:
        assert "on several threads" in pages.Page(driver, url).text("#state")
