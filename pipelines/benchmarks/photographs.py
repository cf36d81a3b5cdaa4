"""Real photographs as the JPEG files that the input benchmark reads.

No package has ImageNet or photographs of 12 megapixels, so both are made from
photographs of scikit-learn and scikit-image. The content is a camera's, and the
files are as large as real ones.
"""

import importlib.util
import os
import pathlib

import numpy as np

from keras_resnet.errors import require

# Photographs inside the wheels: module -> (folder in it, files).
SOURCES = {
    "sklearn": ("datasets/images", ("china.jpg", "flower.jpg")),
    "skimage": (
        "data",
        (
            "astronaut.png",
            "chelsea.png",
            "coffee.png",
            "motorcycle_left.png",
            "rocket.jpg",
        ),
    ),
}

# {set: how its JPEG files are made}. They are 4:2:0, as a camera's and most of
# ImageNet's. Every fourth file is upright; the grain is the standard deviation
# of added noise, where white is 255.
SETS = {
    "500x375": {
        "size": (500, 375),
        "quality": 98,
        "grain": 0.0,
        # 138 GB of 1,281,167 training images.
        "note": (
            "photographs resized to 500x375 and 375x500, of quality 98, "
            "near the 108 KB of ImageNet's mean file"
        ),
    },
    "12 megapixels": {
        "size": (4000, 3000),
        "quality": 92,
        "grain": 5.0,
        "note": (
            "photographs enlarged to 4000x3000 and 3000x4000 with added "
            "grain, so that a file is as large as a telephone's; not "
            "photographs of 12 megapixels, which no package carries"
        ),
    },
}


def originals():
    """{name: `PIL.Image.Image`}, RGB, from the packages that are installed.

    Raises:
        keras_resnet.UsageError: if none of the packages is there.
    """
    from PIL import Image

    found = {}
    for module, (folder, names) in SOURCES.items():
        spec = importlib.util.find_spec(module)
        for name in names if spec else ():
            path = pathlib.Path(spec.origin).parent / folder / name
            found[f"{module}/{name}"] = Image.open(path).convert("RGB")
    require(
        found,
        "The benchmark makes its images from photographs of scikit-learn and "
        "scikit-image, and neither is installed. Run: pip install "
        "scikit-learn scikit-image, or pass a folder of JPEG files as "
        "--images.",
    )
    return found


def write(folder, name, num_files):
    """Writes the files of a set, the same ones each time.

    Args:
        folder: where they go; it must exist.
        name: key of `SETS`.
        num_files: int >= 1.

    Returns:
        list of `pathlib.Path`.
    """
    photographs, of_set = list(originals().values()), SETS[name]
    files = []
    for number in range(num_files):
        # Another part of the photograph each time that it returns.
        turn, which = divmod(number, len(photographs))
        size = of_set["size"][:: -1 if number % 4 == 3 else 1]
        image = _part(photographs[which], size, turn)
        if of_set["grain"]:
            image = _add_grain(image, of_set["grain"], number)
        files.append(pathlib.Path(folder) / f"{number:06d}.jpg")
        image.save(files[-1], quality=of_set["quality"], subsampling="4:2:0")
    return files


def _part(photograph, size, turn):
    from PIL import Image
    from PIL import ImageOps

    where = {"bleed": 0.02 * (turn % 4), "centering": (turn % 3 / 2,) * 2}
    return ImageOps.fit(photograph, size, Image.Resampling.BICUBIC, **where)


def _add_grain(image, deviation, seed):
    from PIL import Image

    pixels = np.asarray(image).astype(np.int16)
    rng = np.random.default_rng(seed)
    # Grey, as most of a camera's noise.
    noise = deviation * rng.standard_normal(pixels.shape[:2], np.float32)
    grained = pixels + np.round(noise).astype(np.int16)[..., np.newaxis]
    return Image.fromarray(np.clip(grained, 0, 255).astype(np.uint8))


def collect(folder, source, most):
    """Links JPEG files under `source`, of whatever depth, into `folder`.

    Args:
        folder: where the links go; it must exist.
        source: the user's folder.
        most: int; if there are more files, so many are taken, evenly spaced.

    Returns:
        list of `pathlib.Path`, the links.

    Raises:
        keras_resnet.UsageError: if there are none.
    """
    found = sorted(
        path
        for path in pathlib.Path(source).rglob("*")
        if path.suffix.lower() in (".jpg", ".jpeg")
    )
    require(
        found,
        f"--images must be a folder with JPEG files (.jpg, .jpeg). "
        f"Received: {str(source)!r}.",
    )
    count = min(most, len(found))
    files = [pathlib.Path(folder, f"{n:06d}.jpg") for n in range(count)]
    for number, file in enumerate(files):
        file.symlink_to(found[number * len(found) // count].resolve())
    return files


def describe(files):
    """{"files", "mean_kilobytes", "sizes"} of JPEG files, for the report."""
    from PIL import Image

    return {
        "files": len(files),
        "mean_kilobytes": sum(map(os.path.getsize, files)) / len(files) / 1e3,
        "sizes": sorted({Image.open(path).size for path in files})[:10],
    }


def patches(num_patches, side, seed=0):
    """Squares of the photographs, for data as small as CIFAR's.

    Returns:
        uint8 (num_patches, side, side, 3) and int32 (num_patches,), the number
        of each square's photograph.
    """
    rng = np.random.default_rng(seed)
    pixels = [np.asarray(image) for image in originals().values()]
    labels = np.arange(num_patches, dtype=np.int32) % len(pixels)
    squares = np.empty((num_patches, side, side, 3), np.uint8)
    places = rng.random((num_patches, 2))
    for square, label, place in zip(squares, labels, places, strict=True):
        limits = np.array(pixels[label].shape[:2]) - side + 1
        top, left = (place * limits).astype(int)
        square[:] = pixels[label][top : top + side, left : left + side]
    return squares, labels
