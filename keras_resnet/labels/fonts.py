"""Fonts that draw class names in any script, where the machine has them.

Matplotlib knows the fonts that it saw when it was first used, and draws from
only one of them unless it is told more.
"""

import functools


def families(*texts):
    """Names of fonts that together draw texts, for Matplotlib's `family`.

    The usual font comes first; others only where a character needs them.
    """
    characters = frozenset("".join(texts))
    return [_DEFAULT, *_others(characters - _characters(_default_path()))]


def drawable(text):
    """A text whose characters all have a font: those without one escaped."""
    return _escape(
        text, _missing(frozenset(text) - _characters(_default_path()))
    )


def file_for(text):
    """(path of the one font that draws most of a text, the text).

    Characters that the font lacks are escaped. For Pillow, which draws from
    only one font.
    """
    paths = [_default_path(), *(path for path, _ in _cover(frozenset(text)))]
    path = max(paths, key=lambda path: len(_characters(path) & set(text)))
    return path, _escape(text, set(text) - _characters(path))


def _escape(text, missing):
    return "".join(
        c.encode("unicode_escape").decode() if c in missing else c for c in text
    )


_DEFAULT = "DejaVu Sans"  # comes with Matplotlib


def _default_path():
    from matplotlib import font_manager

    return font_manager.findfont(_DEFAULT)


@functools.cache
def _characters(path):
    from matplotlib import ft2font

    try:
        return frozenset(map(chr, ft2font.FT2Font(path).get_charmap()))
    except (OSError, RuntimeError):  # no font, or a damaged one
        return frozenset()


def _cover(wanted):
    """Yields (path, characters): the font that draws most, then of the rest."""
    from matplotlib import font_manager

    paths = sorted(font_manager.findSystemFonts()) if wanted else []
    while wanted:
        best = max(
            paths, key=lambda path: len(wanted & _characters(path)), default=""
        )
        drawn = wanted & _characters(best) if best else frozenset()
        if not drawn:
            return
        yield best, drawn
        wanted -= drawn


@functools.cache
def _others(wanted):
    from matplotlib import font_manager

    names = []
    for path, _ in _cover(wanted):
        font_manager.fontManager.addfont(path)
        names.append(font_manager.FontProperties(fname=path).get_name())
    return names


@functools.cache
def _missing(wanted):
    for _, drawn in _cover(wanted):
        wanted -= drawn
    return wanted
