"""The flags of commands that compare networks on real images."""

from absl import flags


def define():
    """Defines them."""
    flags.DEFINE_string(
        "dataset",
        None,
        "digits, folder:PATH, csv:FILE, tfrecord:PATTERN or a TFDS name: real "
        "images to verify with. Default: what the model was trained on.",
    )
    flags.DEFINE_integer(
        "num_images", 256, "How many images to verify with.", lower_bound=1
    )
    flags.DEFINE_string("data_dir", None, "Where TFDS keeps its data.")
    flags.DEFINE_string(
        "on_bad_image",
        "fail",
        "What an image that cannot be read does: fail, or mask:N to go on "
        "without up to N of them, which are named.",
    )
