"""What a repository says of its network: whose it is, what it sees.

timm, Microsoft (transformers), KerasHub and this library each describe a
network in JSON files beside its weights. Here the four become one row. A
description of what no network of this library computes is refused: weights
alone would not show it.
"""

import dataclasses
import functools
import json

from keras_resnet.errors import UsageError
from keras_resnet.errors import require
from keras_resnet.labels import cards
from keras_resnet.labels import class_names as names_lib
from keras_resnet.networks import specs
from keras_resnet.weights import descriptions
from keras_resnet.weights import hub
from keras_resnet.weights import kaggle
from keras_resnet.weights.preprocessing import Seen

CONFIG = "config.json"
MODEL = "model.keras"  # of this library's own repositories
# The hub's names of weights; the first that is there is taken. A safetensors
# file has the weights and nothing else.
WEIGHTS = ("model.safetensors", "pytorch_model.bin", "pytorch_model.pth")
_PRESET = ("model.weights.h5", "task.weights.h5")
# A network with more is none of this library's, and would fill the memory
# before its weights are looked at.
_MOST = {"classes": 50_000, "units": 2_000, "filters": 8_192}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Repository:
    """A published model, as its repository describes it.

    Attributes:
        files: of it, from `hub.opened`.
        variant: key of `keras_resnet.VARIANTS`; None for a network of this
            library that is none of them.
        choices: {"depths": ..., "filters": ...} if they are not the
            variant's, as `build` takes them.
        seen: `preprocessing.Seen`, of the pixels.
        num_classes: of its classifier, 0 if it has none.
        class_names: of its outputs; () if the repository does not name them.
        multi_label: whether its labels do not exclude each other.
        card: `Card` of a repository of this library, else None.
    """

    files: hub.HubFiles | kaggle.KaggleFiles
    variant: str | None
    choices: dict
    seen: Seen
    num_classes: int
    class_names: tuple[str, ...] = ()
    multi_label: bool = False
    card: cards.Card | None = None

    @property
    def pixel_mean(self):
        """Of R, G and B, 0..255; None if the weights' file has it."""
        return self.seen.mean

    @property
    def pixel_std(self):
        return self.seen.std

    @functools.cached_property
    def path(self):
        """Where the weights are, as `load_weights` takes it; downloaded."""
        presets = [self.files.file(name) for name in _PRESET]
        if presets[0] is not None:
            return presets[0].parent  # a folder, as KerasHub's presets are
        for name in WEIGHTS:
            path = self.files.file(name)
            if path is not None:
                return path
        raise UsageError(
            f"{self.files.handle} holds no weights: none of "
            f"{', '.join((*WEIGHTS, _PRESET[0]))}."
        )

    def row(self):
        """The `specs.Variant` that it is."""
        return dataclasses.replace(specs.VARIANTS[self.variant], **self.choices)

    def card_of(self, model):
        """The `Card` of a model that has these weights, classifier included.

        Returns:
            None if the model has no classifier or one of its own.
        """
        classifiers = [x for x in model.layers if x.name == "logits"]
        if not classifiers or model.output_shape[-1] != self.num_classes:
            return None
        size = model.input_shape[1] or self.seen.crop
        card = self.card or cards.Card(
            class_names=self.names(),
            image_size=size,
            eval_resize=size,
            variant=self.variant or "",
            multi_label=self.multi_label,
        )
        return dataclasses.replace(
            card, image_size=size, eval_resize=self.seen.resize_for(size)
        )

    def names(self):
        """The names of its classes: its own, ImageNet's, or class_0, ..."""
        if self.class_names:
            return names_lib.told_apart(self.class_names)
        imagenet = cards.imagenet_classes()
        if self.num_classes == len(imagenet):
            return names_lib.told_apart(name for _, name in imagenet)
        return tuple(f"class_{i}" for i in range(self.num_classes))


def describe(handle):
    """The `Repository` of a handle; no weights are downloaded yet.

    Args:
        handle: as `hub.opened` takes it.

    Raises:
        keras_resnet.UsageError: if it is not available, is damaged, or is of a
            network that this library does not have.
    """
    files = hub.opened(handle)
    config = _read(files, CONFIG)
    require(
        config is not None,
        f"{handle} holds no {CONFIG}, so it is not known of which network its "
        "weights are. Download the file that you want and pass its path.",
    )
    read = functools.partial(_read, files)
    for is_theirs, fields in descriptions.KINDS:
        if is_theirs(config):
            try:
                return _checked(Repository(files=files, **fields(config, read)))
            except UsageError as error:
                raise UsageError(f"{handle}: {error}") from error
            except (LookupError, TypeError, ValueError, AttributeError) as e:
                raise UsageError(
                    f"The {CONFIG} of {handle}, or what lies beside it, is "
                    f"damaged: {e!r}."
                ) from e
    raise UsageError(
        f"{handle} is not of a residual network of timm, of transformers "
        f"(model_type resnet), of KerasHub or of this library. Its {CONFIG} "
        f"has {', '.join(list(config)[:6])}."
    )


def check(repository, variant, row):
    """Refuses the variant of another network, before weights are downloaded.

    Args:
        repository: `Repository`.
        variant: what the user asked for.
        row: `specs.Variant` of it, with the user's choices.
    """
    require(
        repository.variant,
        f"No variant is the network of {repository.files.handle}: "
        "keras_resnet.load opens it whole.",
    )
    theirs = repository.row()
    fields = [f.name for f in dataclasses.fields(theirs)]
    other = [
        name
        for name in fields
        if name != "reference" and _rows(theirs, name) != _rows(row, name)
    ]
    arguments = "".join(f", {k}={v}" for k, v in repository.choices.items())
    require(
        not other,
        f"{repository.files.handle} is of {repository.variant!r}, which has "
        f"another {', '.join(other)} than {variant!r}. Use "
        f"build({repository.variant!r}, "
        f"weights={repository.files.handle!r}{arguments}). Received: "
        f"{variant!r}.",
    )


def _rows(row, name):
    """A field of a variant, looked up where it names a row of a table."""
    value = getattr(row, name)
    table = specs.TABLES.get(name, {})
    return table.get(value, value) if isinstance(value, str) else value


def _checked(repository):
    if repository.variant is None:
        return repository
    row = repository.row()
    sizes = {
        "classes": repository.num_classes,
        "units": sum(row.depths),
        "filters": max(row.filters),
    }
    for what, number in sizes.items():
        require(
            type(number) is int and 0 <= number <= _MOST[what],
            f"{number} {what} are not those of a network of this library.",
        )
    return repository


def _read(files, name, raw=False):
    """The object of a JSON file, or its bytes; None if there is none."""
    path = files.file(name)
    if path is None:
        return None
    content = path.read_bytes()
    if raw:
        return content
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"{name} of {files.handle} is no JSON: {error}."
        ) from error
    require(
        isinstance(found, dict), f"{name} of {files.handle} is no JSON object."
    )
    return found
