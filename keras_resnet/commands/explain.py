"""Shows where in image files a network sees a class: Grad-CAM, as PNGs.

keras-resnet explain runs/photos photo.jpg
"""

from absl import flags

from keras_resnet import files as files_lib
from keras_resnet.commands import model_files
from keras_resnet.errors import lookup
from keras_resnet.errors import printable

FLAGS = flags.FLAGS
flags.DEFINE_string(
    "model",
    None,
    "A .keras file, beside its labels.txt and card.json, or a repository, "
    "hf://OWNER/NAME. Default: the first word without a flag; the folder of a "
    "run is its model.",
)
flags.DEFINE_string("output_dir", "explained", "Where the PNGs go.")
flags.DEFINE_multi_string(
    "class_name",
    None,
    "Class to explain; several times for several. Default: each image's most "
    "probable class; of labels that do not exclude each other all above 50 %.",
)


def main(args):
    from keras_resnet.evaluation import explanations
    from keras_resnet.inference import opening
    from keras_resnet.inference import pictures

    path, args = model_files.first(FLAGS.model, args)
    files = pictures.files(args)
    model, card = opening.open_keras(path)
    for name in FLAGS.class_name or ():
        lookup(dict.fromkeys(card.class_names), name, "class")
    for file in files:  # reports a bad one before work is lost
        pictures.read_whole(file, card.exif)
    targets = _targets(files, FLAGS.output_dir)
    for file, target in zip(files, targets, strict=True):
        found = explanations.explain(model, file, FLAGS.class_name)
        found.save(target)
        print(printable(f"{file}  {found.title}  {target}"))


def _targets(files, folder):
    """A path for each file's PNG; files of one name get numbers."""
    folder = files_lib.folder(folder, "Take another --output_dir.")
    targets = []
    for file in files:
        target, number = folder / f"{file.stem}_gradcam.png", 1
        while target in targets:
            number += 1
            target = folder / f"{file.stem}_{number}_gradcam.png"
        targets.append(target)
    return targets
