"""Image files: some image of the size that the file states, or a reason."""

import io

from soaking import mutations
from soaking import whole
from soaking.verdict import check

_FILES = (
    ("rgb.jpg", "RGB", {"quality": 90}),
    ("progressive.jpg", "RGB", {"progressive": True}),
    ("grey.jpg", "L", {}),
    ("cmyk.jpg", "CMYK", {}),
    ("exif.jpg", "RGB", {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0"}),
    ("rgb.png", "RGB", {}),
    ("rgba.png", "RGBA", {}),
    ("palette.png", "P", {}),
    ("grey.png", "L", {}),
    ("bits.png", "1", {}),
    ("sixteen.png", "I;16", {}),
    ("still.gif", "P", {}),
    ("animated.gif", "P", {"save_all": True}),
    ("rgb.bmp", "RGB", {}),
    ("rgba.bmp", "RGBA", {}),
    ("palette.bmp", "P", {}),
    ("lossy.webp", "RGB", {}),
    ("lossless.webp", "RGBA", {"lossless": True}),
    ("animated.webp", "RGB", {"save_all": True}),
)


def make(folder):
    """Every format, colour mode and layout that is decoded, whole."""
    import numpy as np
    from PIL import Image

    noise = np.random.default_rng(0).integers(0, 256, (20, 24, 4), np.uint8)
    noise[4:16, 4:20] //= 8
    rgba = Image.fromarray(noise, "RGBA")
    rgb = rgba.convert("RGB")
    for name, mode, options in _FILES:
        picture = rgba if mode == "RGBA" else rgb.convert(mode)
        if options.get("save_all"):
            options = {**options, "append_images": [picture.rotate(180)]}
        picture.save(folder / name, **options)


load = whole.read


def mutate(corpus, rng):
    """{"files", "what"}: one file, changed."""
    name = rng.choice(list(corpus))
    data, how = mutations.mutated(corpus[name], rng)
    if rng.random() < 0.05:
        return _with_more(corpus, rng)
    if rng.random() < 0.1:  # the start of one, the end of another
        other = corpus[rng.choice(list(corpus))]
        at = rng.randrange(1, max(len(data), 1) + 1)
        data, how = data[:at] + other[at:], "splice"
    return {"files": {name: data}, "what": f"{how} of {name}"}


def _with_more(corpus, rng):
    """A whole image in which one part is repeated many times."""
    name, part, end = rng.choice(
        (
            ("progressive.jpg", b"\xff\xda", b"\xff\xd9"),  # scans
            ("rgb.jpg", b"\xff\xe0", b"\xff\xdb"),  # segments
            ("animated.gif", b"!\xf9", b"!\xf9"),  # frames
        )
    )
    data = corpus[name]
    start = data.rindex(part)
    stop = data.find(end, start + 2)
    stop = len(data) - 1 if stop < 0 else stop
    times = rng.choice((10, 900, 5_000))
    data = data[:stop] + data[start:stop] * times + data[stop:]
    return {"files": {name: data}, "what": f"{times} times more of {name}"}


def judge(corpus, case, folder):
    """Decodes with the readers of training, of inspection and of predict."""
    del corpus
    import numpy as np
    import tensorflow as tf

    from keras_resnet.data.pixels import decoding
    from keras_resnet.errors import UsageError
    from keras_resnet.inference import pictures

    ((name, data),) = case["files"].items()
    problem = decoding.problem(data)
    check(problem is None or "\n" not in problem, f"not one line: {problem!r}")
    try:
        image = decoding.decode(tf.constant(data)).numpy()
    except tf.errors.InvalidArgumentError as error:
        check(problem is not None, f"inspection misses: {error.message}")
        image = None
    try:
        read = pictures.read_whole(folder / name, "ignore")
    except UsageError:
        check(problem is not None, "predict refuses what inspection passes")
        raise
    check(image is not None, "predict reads what training refuses")
    check(
        image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3,
        f"decodes to {image.dtype} {image.shape}",
    )
    check(np.array_equal(image, read), "two readers give two images")
    stated = _stated_size(data)
    check(
        stated in (None, image.shape[:2]),
        f"decodes to {image.shape}, Pillow reads {stated}",
    )


def _stated_size(data):
    """(height, width) by Pillow, where it knows the file."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as picture:
            return picture.height, picture.width
    except Exception:  # whatever its plugins raise
        return None
