"""The exported page in a real browser: its answers are Python's."""

import base64
import dataclasses
import re

import exif_files
import matplotlib
import numpy as np
import odd_images
import pages
import pytest
import tensorflow as tf
import web_files
import web_networks
from PIL import Image
from PIL import ImageOps

from keras_resnet.data.pixels import decoding
from keras_resnet.data.pixels import orientations
from keras_resnet.export.writers.web import export_web

pytestmark = pytest.mark.skipif(
    bool(pages.missing()), reason=f"not installed: {pages.missing()}"
)


@pytest.mark.parametrize("name", web_files.FILES)
def test_pixels_and_probabilities_are_pythons(
    page, exported, files, card, name
):
    answer = page.classify(files / name)
    view = web_networks.view(files / name, card)
    pages.assert_pythons(answer, exported, view)


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
        pages.assert_pythons(answer, copied, view)


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
    # The heat of the chosen class, at the middle of each of its places.
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


def test_independent_labels_stand_alone(driver, tmp_path, files):
    """The page shows all labels above 50 %, not only five, and says so."""
    model = web_networks.network(classifier_activation="sigmoid")
    model.get_layer("logits").bias.assign([9, 9, 9, 9, 9, 9, -9])
    card = web_networks.card_of(model, multi_label=True)
    export_web(model, tmp_path / "web", card=card)
    with pages.serving(tmp_path / "web") as url:
        page = pages.Page(driver, url)
        answer = page.classify(files / "photograph.png")
        view = web_networks.view(files / "photograph.png", card)
        pages.assert_pythons(answer, tmp_path / "web", view)
        shown = [bar.text for bar in page.find_all(".bar") if bar.text]
        said, kind = page.text("#spoken"), page.text("#kind")
    yes = sorted(answer["probabilities"])[::-1][: len(shown)]
    assert len(shown) == 6 and yes[-1] > 0.5
    assert [row.split("\n")[1] for row in shown] == [f"{p:.1%}" for p in yes]
    assert said.count("%") == 6 and "two words" in said
    assert "each bar stands alone" in kind


# The page says what goes wrong.


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


# Ways to give the page an image, for everybody.


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
    pages.assert_pythons(page.answer(), exported, view)


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
    """By default the page reads it as Python does, without EXIF rotation."""
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


# How the page decodes files, given as base64: [size, pixels, whether turned].
DECODE = """
  const { decode } = await import(new URL("image_file.js", location));
  const { readerOf } = await import(new URL("pixels.js", location));
  const decoded = async (text, upright) => {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const file = new Blob([bytes]);
    const { bitmap, turned } = await decode({ file, name: "x", upright });
    const { width, height } = bitmap;
    const rgba = readerOf(bitmap).read(0, 0, width, height);
    return [[height, width], [...rgba], turned];
  };
  return Promise.all(arguments[0].map((row) => decoded(...row)));
"""


@pytest.mark.parametrize("exif", ["apply", "ignore"])
def test_notes_of_cameras_turn_a_picture_as_in_python(page, exif):
    """Also notes that browsers follow and Python does not, such as a PNG's."""
    files = {n: file for n, (file, _) in exif_files.UNUSUAL.items()}
    files |= {str(n): exif_files.turned(n) for n in range(1, 9)}
    note = {"exif": odd_images.exif(6)}
    for kind in ("PNG", "WEBP"):
        image = odd_images.photograph()
        files[kind] = odd_images.encode(image, kind, lossless=True, **note)
    texts = [base64.b64encode(file).decode() for file in files.values()]
    upright = exif == "apply"
    read = tf.function(
        lambda file: orientations.read(file, "apply"),
        input_signature=[tf.TensorSpec((), tf.string)],
        autograph=False,
    )
    found = page.run(DECODE, [[text, upright] for text in texts])
    for (name, file), (size, rgba, turned) in zip(
        files.items(), found, strict=True
    ):
        pixels = np.reshape(rgba, (*size, 4))[..., :3]
        expected = decoding.decode(file, exif)
        np.testing.assert_array_equal(pixels, expected, name)
        noted = read(file).numpy() > 1
        assert turned == noted, name


def test_a_card_that_says_so_turns_photographs_upright(
    driver, copied, files, card
):
    card = dataclasses.replace(card, exif="apply")
    card.save(copied)
    with pages.serving(copied) as url:
        page = pages.Page(driver, url)
        answer = page.classify(files / "rotated.jpg")
        view = web_networks.view(files / "rotated.jpg", card)
        np.testing.assert_array_equal(answer["pixels"], view.ravel())
        button = page.find("#upright")
        assert button.get_attribute("aria-pressed") == "true"


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
