"""Names in any script are drawn if a font has them, otherwise escaped."""

import warnings

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from keras_resnet.labels import fonts


def _write_font(path, characters):
    """A font in which each character is a black square."""
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for corner in ((0, 800), (800, 800), (800, 0)):
        pen.lineTo(corner)
    pen.closePath()
    builder = FontBuilder(1000, isTTF=True)
    names = [".notdef", "square"]
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(c): "square" for c in characters})
    builder.setupGlyf(dict.fromkeys(names, pen.glyph()))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (1000, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": path.stem, "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Two fonts that this machine has, and one damaged file."""
    _write_font(tmp_path / "OneSyllable.ttf", "고")
    _write_font(tmp_path / "Hangul.ttf", "고양이")
    (tmp_path / "damaged.ttf").write_bytes(b"no font")
    paths = [str(path) for path in tmp_path.iterdir()]
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: paths)
    known = list(font_manager.fontManager.ttflist)
    for cached in (fonts._others, fonts._missing, fonts._characters):
        cached.cache_clear()
    yield
    font_manager.fontManager.ttflist[:] = known
    for cached in (fonts._others, fonts._missing, fonts._characters):
        cached.cache_clear()


def _drawn(text, family):
    """The pixels of a text, and what Matplotlib warns of."""
    figure = Figure(figsize=(3, 1))
    canvas = FigureCanvasAgg(figure)
    figure.text(0.1, 0.3, text, fontsize=20, family=family)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        canvas.draw()
    return np.asarray(canvas.buffer_rgba()), [str(w.message) for w in seen]


def test_the_font_that_has_most_is_taken_where_the_usual_has_not(installed):
    assert fonts.families("cat", "\u0645\u0643\u062a\u0628\u0629") == [
        "DejaVu Sans"
    ]
    assert fonts.families("cat", "고양이") == ["DejaVu Sans", "Hangul"]


def test_a_name_is_drawn_with_it_and_not_without(installed):
    pixels, warned = _drawn("고양이", fonts.families("고양이"))
    assert not warned
    assert (pixels[..., 0] < 50).sum() > 3 * 300  # three black squares
    _, warned = _drawn("고양이", "DejaVu Sans")
    assert "missing from font" in warned[0]


def test_what_no_font_has_is_escaped(installed):
    assert fonts.drawable("cat 고양이") == "cat 고양이"
    assert fonts.drawable("猫 고") == r"\u732b 고"


def test_one_font_draws_what_it_has_and_escapes_the_rest(installed):
    assert fonts.file_for("cat")[0].endswith("DejaVuSans.ttf")
    path, text = fonts.file_for("고양이猫")
    assert path.endswith("Hangul.ttf") and text == r"고양이\u732b"


def test_arabic_is_joined_and_runs_from_right_to_left():
    """Two joined letters are narrower than the two letters alone."""
    together, warned = _drawn("\u0628\u0628", "DejaVu Sans")
    apart, _ = _drawn("\u0628 \u0628", "DejaVu Sans")
    width = [np.ptp(np.nonzero(p[..., 0] < 128)[1]) for p in (together, apart)]
    assert not warned and width[0] < 0.8 * width[1]
