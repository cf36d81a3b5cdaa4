"""The exported page in a real browser: its answers are Python's."""

import functools
import http.server
import io
import re
import shutil
import struct
import threading

import numpy as np
import odd_images
import pages
import pytest
import web_networks
from photographs import photograph
from PIL import Image
from PIL import ImageCms
from PIL import ImageOps
from PIL import PngImagePlugin

from keras_resnet.errors import UsageError
from keras_resnet.evaluation import explain
from keras_resnet.export.writers import litert_js
from keras_resnet.export.writers.web import export_web
from keras_resnet.inference import kinds
from keras_resnet.inference import runtime

pytestmark = pytest.mark.skipif(
    bool(pages.missing()), reason=f"not installed: {pages.missing()}"
)

# What is equal in arithmetic of another order, and what differs more.
TOLERANCE = 1e-6


def _png(width, height, mode="RGB", **options):
    image = Image.fromarray(photograph("flower.jpg", width, height))
    file = io.BytesIO()
    image.convert(mode).save(file, "PNG", **options)
    return file.getvalue()


def _noise(width, height, channels=3):
    """Where one pixel that is read wrongly shows."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (height, width, channels), np.uint8)
    return odd_images.encode(Image.fromarray(pixels), "PNG")


# Every ratio of sizes takes other weights of the filter.
PNGS = {
    "photograph.png": lambda: _png(640, 427),
    "tall.png": lambda: _png(61, 503),
    "small.png": lambda: _png(16, 9),
    "noise.png": lambda: _noise(301, 199),
    "as large.png": lambda: _noise(36, 36),
    "one pixel.png": lambda: _noise(1, 1),
    "strip.png": lambda: _noise(3, 900),
    "grey.png": lambda: _png(100, 80, "L"),
    "palette.png": lambda: _png(100, 80, "P"),
    "transparent.png": lambda: _noise(60, 90, channels=4),
    "profile.png": lambda: _png(100, 80, icc_profile=_profile()),
    "gamma.png": lambda: _png(100, 80, pnginfo=_gamma()),
}


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


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    for name, content in PNGS.items():
        (folder / name).write_bytes(content())
    for name, (content, _) in odd_images.readable().items():
        (folder / name).write_bytes(content)
    webp = odd_images.encode(odd_images.photograph(), "WEBP")
    (folder / "x.webp").write_bytes(webp)
    return folder


@pytest.fixture(scope="session")
def model():
    return web_networks.network()


@pytest.fixture(scope="session")
def card(model):
    return web_networks.card_of(model)


@pytest.fixture(scope="session")
def exported(model, card, files, tmp_path_factory):
    try:
        litert_js.files()
    except UsageError as error:
        pytest.skip(f"no LiteRT.js: {error}")
    folder = tmp_path_factory.mktemp("exported") / "web"
    samples = [files / "photograph.png", files / "noise.png"]
    export_web(model, folder, card=card, samples=samples)
    return folder


@pytest.fixture(scope="session")
def driver(tmp_path_factory):
    with pages.browser(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture(scope="session")
def server(exported):
    with pages.serving(exported) as server:
        yield server


@pytest.fixture
def page(driver, server):
    """A page as it opens."""
    return pages.Page(driver, server.url)


@pytest.fixture
def open_page(driver, server):
    """The page as the test before has left it, if it is open."""
    if driver.current_url != server.url:
        return pages.Page(driver, server.url)
    return pages.Page(driver, None)


@pytest.fixture(scope="session")
def other(card, tmp_path_factory):
    """The page of another network: bottlenecks, whose strides are moved."""
    folder = tmp_path_factory.mktemp("other") / "web"
    network = web_networks.network(
        variant="resnet50", depths=(2, 2, 1, 1), filters=(4, 8, 8, 8)
    )
    export_web(network, folder, card=card)
    return folder


@pytest.fixture
def copied(exported, tmp_path):
    """A page that a test may damage."""
    return shutil.copytree(exported, tmp_path / "web")


def _expected(exported, file, card):
    view = web_networks.view(file, card)
    return view, runtime.load(exported).predict(view[np.newaxis])[0]


@pytest.mark.parametrize("name", PNGS)
def test_a_png_gives_pythons_pixels_and_probabilities(
    open_page, exported, files, card, name
):
    answer = open_page.classify(files / name)
    view, probabilities = _expected(exported, files / name, card)
    np.testing.assert_array_equal(answer["pixels"], view)
    np.testing.assert_allclose(
        answer["probabilities"], probabilities, rtol=0, atol=TOLERANCE
    )


JPEGS = ("plain.jpg", "progressive.jpg", "grey.jpg", "cmyk.jpg", "rotated.jpg")


@pytest.mark.parametrize("name", JPEGS)
def test_a_jpeg_gives_pillows_and_pythons_pixels(
    open_page, exported, files, card, name
):
    answer = open_page.classify(files / name)
    decoded = np.asarray(Image.open(files / name).convert("RGB"))
    view = web_networks.view_of(decoded, card)
    np.testing.assert_array_equal(answer["pixels"], view)
    python, probabilities = _expected(exported, files / name, card)
    np.testing.assert_array_equal(answer["pixels"], python)
    np.testing.assert_allclose(
        answer["probabilities"], probabilities, rtol=0, atol=TOLERANCE
    )


@pytest.mark.parametrize(
    "name", ["bitmap.bmp", "still.gif", "animated.gif", "png.JPEG", "x.webp"]
)
def test_other_formats_give_pythons_pixels(open_page, files, card, name):
    answer = open_page.classify(files / name)
    view = web_networks.view(files / name, card)
    np.testing.assert_array_equal(answer["pixels"], view)


def test_a_wrong_resize_and_a_changed_network_are_seen(
    driver, copied, other, exported, files, card
):
    """The negative controls of the comparison above."""
    script = copied / "evaluation_view.js"
    source = script.read_text()
    narrow = source.replace("Math.max(inverse, 1)", "1")
    assert narrow != source
    script.write_text(narrow)  # no antialias
    view, probabilities = _expected(exported, files / "photograph.png", card)
    with pages.serving(copied) as server:
        page = pages.Page(driver, server.url)
        answer = page.classify(files / "photograph.png")
    assert np.abs(answer["pixels"].astype(int) - view).max() > 10
    assert np.abs(answer["probabilities"] - probabilities).max() > 1e-3
    with pages.serving(other) as server:
        page = pages.Page(driver, server.url)
        answer = page.classify(files / "photograph.png")
    np.testing.assert_array_equal(answer["pixels"], view)
    assert np.abs(answer["probabilities"] - probabilities).max() > 1e-3


def test_pools_of_one_pixel_are_pythons_too(driver, other, files, card):
    counts = kinds.KINDS["web"].count_operators(other)
    assert counts["MAX_POOL_2D"] == 1 + 2  # of the stem and of two shortcuts
    with pages.serving(other) as server:
        answer = pages.Page(driver, server.url).classify(files / "noise.png")
    _, probabilities = _expected(other, files / "noise.png", card)
    np.testing.assert_allclose(
        answer["probabilities"], probabilities, rtol=0, atol=TOLERANCE
    )


def test_bars_are_the_five_most_probable_classes(open_page, files):
    page = open_page
    probabilities = page.classify(files / "noise.png")["probabilities"]
    order = np.argsort(-probabilities, kind="stable")[:5]
    names = [web_networks.NAMES[i].replace("_", " ") for i in order]
    bars = page.find_all(".bar")
    assert [bar.find_element("css selector", ".name").text for bar in bars] == (
        names
    )
    for bar, index in zip(bars, order, strict=True):
        data = bar.find_element("css selector", "data")
        assert float(data.get_attribute("value")) == probabilities[index]
        assert data.text == f"{probabilities[index]:.1%}"
    spoken = page.find("#spoken").get_attribute("textContent")
    assert spoken.startswith(f"{names[0]}, {probabilities[order[0]]:.1%}.")
    assert re.fullmatch(r"[\d.]+ ms", page.find("#run-time").text)


def test_class_maps_are_grad_cam(open_page, model, files, card):
    page = open_page
    answer = page.classify(files / "photograph.png")
    view = web_networks.view(files / "photograph.png", card)[np.newaxis]
    for index in np.argsort(-answer["probabilities"])[:2]:
        heat = np.maximum(answer["class_maps"][..., index], 0)
        # The page's heat, before it is scaled to the picture.
        drawn = page.run_async(
            """
            const {heatOf} = await import("./heat_map.js");
            return Array.from(heatOf(...arguments));
            """,
            answer["class_maps"].ravel().tolist(),
            {"height": heat.shape[0], "width": heat.shape[1]},
            int(index),
        )
        np.testing.assert_allclose(
            np.reshape(drawn, heat.shape), heat / heat.max(), atol=1e-6
        )
        expected = explain.grad_cam(model, view, [index])[0]
        small = Image.fromarray(heat / heat.max()).resize(
            view.shape[1:3], Image.Resampling.BILINEAR
        )
        np.testing.assert_allclose(np.asarray(small), expected, atol=1e-4)


HEAT_PIXELS = """
  const canvas = document.getElementById("heat");
  const {data} = canvas.getContext("2d").getImageData(
      0, 0, canvas.width, canvas.height);
  return {colors: new Set(data).size, sum: data.reduce((a, b) => a + b, 0)};
"""


def test_the_heat_of_a_chosen_class_is_drawn(open_page, files):
    page = open_page
    page.classify(files / "photograph.png")
    canvas = page.find("#heat")
    heats = [page.run(HEAT_PIXELS)]
    for bar in page.find_all(".bar")[1:3]:
        bar.click()
        heats.append(page.run(HEAT_PIXELS))
    assert min(heat["colors"] for heat in heats) > 50
    assert len({heat["sum"] for heat in heats}) == 3
    page.find(".switch").click()
    assert not canvas.is_displayed()
    page.find(".switch").click()
    assert canvas.is_displayed()


# What goes wrong is said.


@pytest.mark.parametrize(
    "name, message",
    [
        ("page.jpg", "page.jpg is not an image that can be read. Take a JPEG"),
        ("empty.jpg", "empty.jpg is empty"),
        ("tiff.jpg", "not an image"),
        ("bomb.png", "65000 × 65000 pixels, 4225 million. .* takes 67 million"),
        ("nothing.png", "no pixels"),
        ("only a header.jpg", "not an image"),
        ("flipped.png", "starts as a PNG image, but cannot be decoded"),
    ],
)
def test_a_file_that_is_no_image_is_refused(
    open_page, files, tmp_path, name, message
):
    page = open_page
    path = tmp_path / name
    path.write_bytes(odd_images.unreadable()[name][0])
    page.find("#file").send_keys(str(path))
    assert re.search(message, page.problem())
    # The page goes on.
    page.classify(files / "noise.png")
    assert page.find("#problem").text == ""


@pytest.mark.parametrize(
    "file, message",
    [
        ("model.tflite", "model.tflite could not be loaded: .* answered 404"),
        ("litert_js", "litert_js/index.js could not be loaded"),
        (
            "litert_js/litert_wasm_threaded_internal.wasm",
            "The runtime in the folder litert_js could not be loaded",
        ),
        ("labels.txt", "labels.txt could not be loaded"),
        ("pixels.js", "pixels.js could not be loaded"),
    ],
)
def test_a_missing_file_is_named(driver, copied, file, message):
    path = copied / file
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pages.serving(copied) as server:
        page = pages.Page(driver, server.url, wait_for=None)
        assert re.search(message, page.problem())


def test_a_model_of_another_export_is_refused(driver, copied):
    with (copied / "model.tflite").open("ab") as file:
        file.write(b"more")
    with pages.serving(copied) as server:
        page = pages.Page(driver, server.url, wait_for=None)
        assert "it is not the one that was exported" in page.problem()


@pytest.mark.large
def test_a_browser_without_simd_is_told(server, tmp_path):
    flags = "--js-flags=--no-enable-sse4-1"
    with pages.browser(tmp_path, flags) as driver:
        page = pages.Page(driver, server.url, wait_for=None)
        assert "no WebAssembly SIMD" in page.problem()


# Ways in, for everybody.


def test_the_keyboard_alone_is_enough(page):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    def press(*keys):
        ActionChains(page.driver).send_keys(*keys).perform()

    def focused(selector):
        return page.run(
            "return document.activeElement.matches(arguments[0])", selector
        )

    def tab_to(selector, *modifiers):
        for _ in range(12):
            press(*modifiers, Keys.TAB)
            if focused(selector):
                return
        raise AssertionError(f"Tab does not reach {selector}.")

    tab_to(".samples button")
    press(Keys.ENTER)
    page.answers()
    tab_to(".bar input", Keys.SHIFT)
    first = page.run(HEAT_PIXELS)
    press(Keys.ARROW_DOWN)
    chosen = page.find(".bar input:checked")
    assert chosen == page.find_all(".bar input")[1]
    assert page.run(HEAT_PIXELS) != first
    tab_to("#heat-switch")
    press(Keys.SPACE)
    assert not page.find("#heat").is_displayed()


def test_a_file_can_be_dropped_and_pasted(page, exported, files, card):
    expected = _expected(exported, files / "noise.png", card)[1]
    content = list((files / "noise.png").read_bytes())
    script = """
      const transfer = new DataTransfer();
      const bytes = new Uint8Array(arguments[1]);
      transfer.items.add(new File([bytes], "x.png", {type: "image/png"}));
      const options = {bubbles: true, cancelable: true};
      document.body.dispatchEvent(arguments[0] === "drop"
        ? new DragEvent("drop", {...options, dataTransfer: transfer})
        : new ClipboardEvent("paste", {...options, clipboardData: transfer}));
    """
    for count, event in enumerate(("drop", "paste"), start=1):
        page.run(script, event, content)
        answer = page.answers(count)[-1]
        np.testing.assert_allclose(
            answer["probabilities"], expected, rtol=0, atol=TOLERANCE
        )


def test_the_camera_is_classified_frame_after_frame(page):
    button = page.find("#live")
    button.click()
    page.answers(3)
    assert button.get_attribute("aria-pressed") == "true"
    button.click()
    assert page.run("return document.getElementById('video').srcObject") is None


def test_a_photograph_can_be_turned_upright(page, files, tmp_path, card):
    """By default it is as Python reads it, without its EXIF rotation."""
    path = files / "rotated.jpg"
    upright = tmp_path / "upright.png"
    ImageOps.exif_transpose(Image.open(path)).save(upright)
    lying = page.classify(path)["pixels"].astype(int)
    page.find("#upright").click()
    turned = page.answers(2)[-1]["pixels"]
    assert np.abs(lying - web_networks.view(path, card)).mean() < 1
    assert np.abs(turned - web_networks.view(upright, card)).mean() < 1
    assert np.abs(turned - lying).mean() > 10
    page.classify(files / "plain.jpg")
    assert not page.find("#upright").is_displayed()


@pytest.mark.parametrize("width", [320, 375, 768])
def test_no_width_needs_horizontal_scrolling(page, files, width):
    page.driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": True},
    )
    try:
        page.classify(files / "photograph.png")
        room = page.run("return document.documentElement.scrollWidth")
        assert room <= width
        for selector in ("#stage", ".bar", ".switch", ".actions"):
            box = page.find(selector).rect
            assert box["x"] >= 0 and box["x"] + box["width"] <= width
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


# The folder is all it needs.


def test_it_asks_no_other_server(server, files, tmp_path):
    """By the log of all that Chromium's network does, of threads too."""
    log = tmp_path / "net.json"
    flag = f"--log-net-log={log}"
    with pages.browser(tmp_path / "profile", flag) as driver:
        page = pages.Page(driver, server.url)
        page.classify(files / "photograph.png")
        # The policy of the page would stop it.
        outcome = page.run_async(
            'return fetch("http://127.0.0.1:9/").then(() => "sent");'
        )
    assert "TypeError" in outcome
    origin = server.url.rstrip("/")
    asked = pages.requests(log, origin)
    assert f"{server.url}model.tflite" in asked
    assert f"{server.url}litert_js/litert_wasm_threaded_internal.wasm" in asked
    assert [url for url in asked if not url.startswith(server.url)] == []


def test_it_works_offline_after_the_first_visit(driver, exported, files, card):
    expected = _expected(exported, files / "noise.png", card)[1]
    server = pages.Server(exported)
    page = pages.Page(driver, server.url)
    page.wait(lambda _: page.run_async(KEPT) == 2)
    server.stop()
    page = pages.Page(driver, server.url)
    answer = page.classify(files / "noise.png")
    np.testing.assert_allclose(
        answer["probabilities"], expected, rtol=0, atol=TOLERANCE
    )
    page.find(".samples button").click()
    page.answers(2)


KEPT = """
  const [name] = await caches.keys();
  if (!name) return 0;
  const keys = await (await caches.open(name)).keys();
  const large = ["model.tflite?", ".wasm?"];
  return large.filter((e) => keys.some((k) => k.url.includes(e))).length;
"""


def test_a_new_export_is_offered_and_taken(driver, copied, other, card, files):
    server = pages.Server(copied)
    page = pages.Page(driver, server.url)
    before = page.classify(files / "noise.png")["probabilities"]
    shutil.copytree(other, copied, dirs_exist_ok=True)
    page = pages.Page(driver, server.url)
    update = page.find("#update")
    page.wait(lambda _: update.is_displayed())
    same = page.classify(files / "noise.png")["probabilities"]
    np.testing.assert_array_equal(same, before)  # not half of each
    update.click()
    page.wait(lambda _: not page.run("return window.answers"))
    page.wait_for("[data-ready]")
    page.run(pages.RECORD)
    after = page.classify(files / "noise.png")["probabilities"]
    server.stop()
    _, expected = _expected(copied, files / "noise.png", card)
    np.testing.assert_allclose(after, expected, rtol=0, atol=TOLERANCE)
    assert np.abs(after - before).max() > 1e-3


def test_serve_web_gives_threads(page):
    assert page.run("return crossOriginIsolated")
    assert "several threads" in page.find("#state").text


class _Quiet(http.server.SimpleHTTPRequestHandler):
    """A static server that knows nothing of the page."""

    def log_message(self, format, *args):
        pass


def test_any_server_gives_threads_from_the_second_visit_on(driver, exported):
    handler = functools.partial(_Quiet, directory=exported)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://localhost:{server.server_port}/"
        states = [pages.Page(driver, url).find("#state").text for _ in range(2)]
        server.shutdown()
        thread.join()
    assert "on one thread" in states[0]
    assert "on several threads" in states[1]
