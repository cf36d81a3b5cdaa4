"""The exported page in a real browser: its answers are Python's."""

import http.server
import json
import re
import shutil
import struct

import matplotlib
import numpy as np
import odd_images
import pages
import pytest
import web_networks
from PIL import Image
from PIL import ImageCms
from PIL import ImageOps
from PIL import PngImagePlugin

from keras_resnet.errors import UsageError
from keras_resnet.export.writers import litert_js
from keras_resnet.export.writers.web import export_web
from keras_resnet.inference import kinds
from keras_resnet.inference import runtime

pytestmark = pytest.mark.skipif(
    bool(pages.missing()), reason=f"not installed: {pages.missing()}"
)

# What is equal in arithmetic of another order differs less than this.
TOLERANCE = 1e-6


def _png(mode="RGB", **options):
    image = odd_images.photograph(300, 200).convert(mode)
    return odd_images.encode(image, "PNG", **options)


def _noise(width, height, channels=3):
    """Where one pixel that is read wrongly shows."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (height, width, channels), np.uint8)
    return odd_images.encode(Image.fromarray(pixels), "PNG")


def _profile():
    """A colour profile that would exchange red and blue if it were applied."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    exchanged = {b"rXYZ": b"bXYZ", b"bXYZ": b"rXYZ"}
    return re.sub(rb"[rb]XYZ", lambda tag: exchanged[tag[0]], profile.tobytes())


def _gamma():
    """A note that the values are linear; it is not applied."""
    notes = PngImagePlugin.PngInfo()
    notes.add(b"gAMA", struct.pack(">I", 100_000))
    return notes


# Every ratio of sizes takes other weights of the filter.
SIZES = ((61, 503), (16, 9), (36, 36), (1, 1), (3, 900))
FILES = {
    "photograph.png": _png(),
    "noise.png": _noise(301, 199),
    "transparent.png": _noise(60, 90, channels=4),
    "profile.png": _png(icc_profile=_profile()),
    "gamma.png": _png(pnginfo=_gamma()),
    "grey.png": _png("L"),
    "x.webp": odd_images.encode(odd_images.photograph(), "WEBP"),
    **{f"{w}x{h}.png": _noise(w, h) for w, h in SIZES},
    **{name: content for name, (content, _) in odd_images.readable().items()},
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def card():
    return web_networks.card_of(web_networks.network())


@pytest.fixture(scope="module")
def exported(card, files, tmp_path_factory):
    try:
        litert_js.files()
    except UsageError as error:
        pytest.skip(f"no LiteRT.js: {error}")
    folder = tmp_path_factory.mktemp("exported") / "web"
    samples = [files / "photograph.png", files / "noise.png"]
    export_web(web_networks.network(), folder, card=card, samples=samples)
    return folder


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    with pages.browser(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture(scope="module")
def url(exported):
    with pages.serving(exported) as url:
        yield url


@pytest.fixture
def page(driver, url):
    """The page as the test before has left it, if it is open."""
    return pages.Page(driver, url, again=False)


@pytest.fixture
def copied(exported, tmp_path):
    """A page that a test may change."""
    return shutil.copytree(exported, tmp_path / "web")


def _assert_pythons(answer, folder, view):
    """An answer is that of Python to a view, uint8 (S, S, 3)."""
    np.testing.assert_array_equal(answer["pixels"], view.ravel())
    expected = runtime.load_predictor(folder).predict(view[np.newaxis])[0]
    np.testing.assert_allclose(
        answer["probabilities"], expected, rtol=0, atol=TOLERANCE
    )


@pytest.mark.parametrize("name", FILES)
def test_pixels_and_probabilities_are_pythons(
    page, exported, files, card, name
):
    answer = page.classify(files / name)
    view = web_networks.view(files / name, card)
    _assert_pythons(answer, exported, view)


def test_a_wrong_resize_is_seen(driver, copied, files, card):
    """The negative control of the comparison above."""
    script = copied / "evaluation_view.js"
    source = script.read_text()
    narrow = source.replace("Math.max(inverse, 1)", "1")
    assert narrow != source
    script.write_text(narrow)  # no antialias
    with pages.serving(copied) as url:
        answer = pages.Page(driver, url).classify(files / "noise.png")
    view = web_networks.view(files / "noise.png", card)
    assert np.abs(answer["pixels"] - view.ravel()).max() > 10
    with pytest.raises(AssertionError, match="not equal"):
        _assert_pythons(answer, copied, view)


# The canvas of the heat map as the page draws it.
HEAT = """
  const canvas = document.getElementById("heat");
  const context = canvas.getContext("2d");
  return [...context.getImageData(0, 0, canvas.width, canvas.height).data];
"""


def test_the_answer_is_shown_and_said(page, files):
    answer = page.classify(files / "photograph.png")
    probabilities = answer["probabilities"]
    order = np.argsort(-probabilities, kind="stable")[:5]
    names = [web_networks.NAMES[i].replace("_", " ") for i in order]
    rows = [
        f"{name}\n{probabilities[i]:.1%}"
        for name, i in zip(names, order, strict=True)
    ]
    bars = page.find_all(".bar")
    assert [bar.text for bar in bars] == rows
    assert page.text("#spoken").startswith(rows[0].replace("\n", ", ") + ". T")
    assert re.match(r"Answered in [\d.]+ ms", page.text("#state"))
    # The heat of the chosen class, where the middles of its places are.
    for bar, index in list(zip(bars, order, strict=True))[:3]:
        bar.click()
        heat = np.maximum(answer["classMaps"].reshape(8, 8, -1)[..., index], 0)
        colors = 255 * matplotlib.colormaps["inferno"](heat / heat.max())
        drawn = np.reshape(page.run(HEAT), (224, 224, 4))[14::28, 14::28]
        np.testing.assert_allclose(drawn[..., :3], colors[..., :3], atol=15)
    page.find("#heat-switch").click()
    assert not page.find("#heat").is_displayed()
    page.find("#heat-switch").click()
    assert page.find("#heat").is_displayed()


# What goes wrong is said.


@pytest.mark.parametrize(
    "name, message",
    [
        ("page.jpg", "^page.jpg is not an image .*Take a JPEG"),
        ("empty.jpg", "^empty.jpg is empty"),
        ("tiff.jpg", "not an image"),
        ("bomb.png", "not an image .* 67 million pixels at most"),
        ("large.png", "9000 × 9000 pixels. .* takes 67 million at most"),
        ("nothing.png", "not an image"),
        ("only a header.jpg", "not an image"),
        ("flipped.png", "flipped.png cannot be decoded: it is damaged"),
    ],
)
def test_a_bad_file_is_refused_and_the_page_goes_on(
    page, files, tmp_path, name, message
):
    path = tmp_path / name
    large = {"large.png": (odd_images.png_of_size(9000, 9000),)}
    path.write_bytes({**odd_images.unreadable(), **large}[name][0])
    page.choose(path)
    assert re.search(message, page.wait(lambda: page.problem))
    page.classify(files / "noise.png")
    assert page.problem == ""


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


# Ways in, for everybody.


def test_the_keyboard_alone_is_enough(driver, url):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    page = pages.Page(driver, url)

    def press(*keys):
        ActionChains(driver).send_keys(*keys).perform()

    def tab_to(selector):
        for _ in range(12):
            press(Keys.TAB)
            if driver.switch_to.active_element in page.find_all(selector):
                return
        raise AssertionError(f"Tab does not reach {selector}.")

    tab_to("#choose")
    tab_to("#samples button")
    press(Keys.ENTER)
    page.answer()
    tab_to(".bar input")
    before = page.run(HEAT)
    press(Keys.ARROW_DOWN)
    chosen = page.find(".bar input:checked")
    assert chosen == page.find_all(".bar input")[1]
    assert page.run(HEAT) != before
    tab_to("#heat-switch")
    press(Keys.SPACE)
    assert not page.find("#heat").is_displayed()


@pytest.mark.parametrize("event", ["drop", "paste"])
def test_a_file_can_be_dropped_and_pasted(page, exported, files, card, event):
    script = """
      const transfer = new DataTransfer();
      const bytes = new Uint8Array(arguments[1]);
      transfer.items.add(new File([bytes], "x.png", {type: "image/png"}));
      const options = {bubbles: true, cancelable: true};
      document.body.dispatchEvent(arguments[0] === "drop"
        ? new DragEvent("drop", {...options, dataTransfer: transfer})
        : new ClipboardEvent("paste", {...options, clipboardData: transfer}));
    """
    page.run(script, event, list((files / "noise.png").read_bytes()))
    view = web_networks.view(files / "noise.png", card)
    _assert_pythons(page.answer(), exported, view)


def test_the_camera_is_classified_frame_after_frame(page):
    button = page.find("#live")
    button.click()
    for _ in range(3):
        page.answer()
    assert button.get_attribute("aria-pressed") == "true"
    button.click()
    video = "return document.getElementById('video').srcObject === null"
    page.wait(lambda: page.run(video))
    page.run("answers.length = 0")


def test_a_photograph_can_be_turned_upright(page, files, tmp_path, card):
    """By default it is as Python reads it, without its EXIF rotation."""
    path = files / "rotated.jpg"
    upright = tmp_path / "upright.png"
    ImageOps.exif_transpose(Image.open(path)).save(upright)
    lying = page.classify(path)["pixels"]
    page.find("#upright").click()
    turned = page.answer()["pixels"]
    assert np.abs(turned - web_networks.view(upright, card).ravel()).mean() < 1
    assert np.abs(turned - lying).mean() > 10
    page.classify(files / "plain.jpg")
    assert not page.find("#upright").is_displayed()


def test_it_fits_every_width_and_is_dark_at_night(page, files):
    page.classify(files / "photograph.png")
    emulate = page.driver.execute_cdp_cmd
    size = {"height": 800, "deviceScaleFactor": 1, "mobile": True}
    for width in (320, 375, 768):
        emulate("Emulation.setDeviceMetricsOverride", {**size, "width": width})
        assert page.run("return document.body.scrollWidth") <= width
        for selector in ("#stage", ".bar", "#heat-control", "#actions"):
            box = page.find(selector).rect
            assert box["x"] >= 0 and box["x"] + box["width"] <= width
    emulate("Emulation.clearDeviceMetricsOverride", {})
    grounds = []
    for value in ("light", "dark"):
        scheme = {"name": "prefers-color-scheme", "value": value}
        emulate("Emulation.setEmulatedMedia", {"features": [scheme]})
        color = page.find("html").value_of_css_property("background-color")
        grounds.append(sum(map(int, re.findall(r"\d+", color)[:3])))
    assert grounds[0] > 600 and grounds[1] < 100


# The folder is all it needs.


def test_it_asks_no_other_server(url, files, tmp_path):
    """By the log of all that Chromium's network does, of threads too."""
    log = tmp_path / "net.json"
    flag = f"--log-net-log={log}"
    with pages.browser(tmp_path / "profile", flag) as driver:
        page = pages.Page(driver, url)
        page.classify(files / "photograph.png")
        # The policy of the page would stop it.
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
    _assert_pythons(page.classify(files / "noise.png"), exported, view)
    page.find("#samples button").click()
    page.answer()


VISIT = 'return performance.getEntriesByType("navigation")[0].type'


def test_a_new_export_takes_the_place_of_the_old(driver, copied, card, files):
    """Of another network: bottlenecks, whose shortcuts pool one pixel."""
    network = web_networks.network(
        variant="resnet50", depths=(2, 2, 1, 1), filters=(4, 8, 8, 8)
    )
    view = web_networks.view(files / "noise.png", card)
    with pages.serving(copied) as url:
        page = pages.Page(driver, url)
        _assert_pythons(page.classify(files / "noise.png"), copied, view)
        export_web(network, copied, card=card)
        assert (
            kinds.KINDS["web"].count_operators(copied)["MAX_POOL_2D"] == 1 + 2
        )
        driver.get(url)  # the old one, which finds the new and loads itself
        page.wait(lambda: page.run(VISIT) == "reload")
        page.start()
        _assert_pythons(page.classify(files / "noise.png"), copied, view)


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
