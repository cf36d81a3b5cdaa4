"""Shows where in image files a network sees a class: Grad-CAM, as PNGs.

keras-resnet explain runs/photos photo.jpg
"""

import pathlib

from absl import flags

from keras_resnet.commands import model_files
from keras_resnet.errors import UsageError
from keras_resnet.errors import lookup
from keras_resnet.labels.cards import check_card
from keras_resnet.labels.cards import load_card
from keras_resnet.labels.view import View

FLAGS = flags.FLAGS
flags.DEFINE_string(
    "model",
    None,
    "A .keras file, beside its labels.txt and card.json. Default: the first "
    "word without a flag; the folder of a run is its model.",
)
flags.DEFINE_string("output_dir", "explained", "Where the PNGs go.")
flags.DEFINE_multi_string(
    "class_name",
    None,
    "Class to explain; several times for several. Default: each image's most "
    "probable class; of labels that do not exclude each other all above 50 %.",
)


def main(args):
    from keras_resnet.commands import image_files
    from keras_resnet.evaluation import explain
    from keras_resnet.inference import runtime

    path, args = model_files.first(FLAGS.model, args)
    files, path = image_files.files(args), pathlib.Path(path)
    model = runtime.load_keras(path)
    card = load_card(path.parent)
    check_card(
        card,
        path,
        num_classes=model.output_shape[-1],
        image_size=model.input_shape[1],
    )
    indices = {name: i for i, name in enumerate(card.class_names)}
    chosen = [lookup(indices, name, "class") for name in FLAGS.class_name or ()]
    views = [image_files.read(file, card) for file in files]
    targets = _targets(files, FLAGS.output_dir)
    for file, pixels, target in zip(files, views, targets, strict=True):
        rows = _rows(model, pixels, chosen, card.class_names)
        # Read again: many photographs would not fit in memory.
        picture = image_files.read_whole(file)
        explain.figure(picture, View.of(card), rows).savefig(target)
        titles = ", ".join(title for _, title in rows)
        print(f"{file}  {titles}  {target}")


def _targets(files, folder):
    """A path for each file's PNG; files of one name get numbers."""
    folder = pathlib.Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"Cannot write into {str(folder)!r}: {error.strerror}. Take "
            "another --output_dir."
        ) from error
    targets = []
    for file in files:
        target, number = folder / f"{file.stem}_gradcam.png", 1
        while target in targets:
            number += 1
            target = folder / f"{file.stem}_{number}_gradcam.png"
        targets.append(target)
    return targets


def _rows(model, pixels, chosen, class_names):
    """The classes of a view, as `explain.figure` takes them."""
    import numpy as np

    from keras_resnet.evaluation import explain

    probabilities = model.predict(pixels[np.newaxis], verbose=0)[0]
    rows = []
    for index in chosen or [int(probabilities.argmax())]:
        heat = explain.grad_cam(model, pixels[np.newaxis], index)[0]
        rows.append((heat, f"{class_names[index]}  {probabilities[index]:.1%}"))
    return rows
