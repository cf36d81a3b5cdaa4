"""`push`: writes a model into a repository of the Hugging Face hub."""

import dataclasses
import json
import os
import pathlib
import re
import tempfile
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

from keras_resnet.errors import UsageError
from keras_resnet.errors import require
from keras_resnet.export import model_card
from keras_resnet.inference import opening
from keras_resnet.labels.view import View
from keras_resnet.weights import hub
from keras_resnet.weights import loading
from keras_resnet.weights import repositories

if TYPE_CHECKING:
    import keras

# Names of the weights: the first layout that has the network is taken. timm
# reads all but this library's own.
_LAYOUTS = ("torchvision", "timm_resnetv2", "keras_resnet")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pushed:
    """What a push has written, or would write.

    Attributes:
        repository: "OWNER/NAME".
        files: {name: bytes}.
        url: of the commit; None for a dry run.
    """

    repository: str
    files: dict[str, int]
    url: str | None

    def __str__(self):
        width = max(map(len, self.files))
        lines = [f"{n:<{width}}  {b:>13,}" for n, b in self.files.items()]
        lines.append(f"{'bytes':<{width}}  {sum(self.files.values()):>13,}")
        end = f"Written: {self.url}"
        if self.url is None:
            end = (
                f"Nothing was written to {self.repository}: this was a dry "
                "run. Pass dry_run=False (in a shell --nodry_run)."
            )
        return "\n".join([*lines, end])


def push(
    repository: str,
    model: "keras.Model | str | os.PathLike | Any",
    *,
    recipe: Any = None,
    metrics: Any = None,
    licence: str | None = None,
    class_names: Sequence[str] | None = None,
    view: View | None = None,
    private: bool = False,
    revision: str | None = None,
    message: str = "Add a model of keras_resnet",
    dry_run: bool = True,
) -> Pushed:
    """Writes a model into a repository of the hub, made if it is missing.

    The files: README.md with recipe, figures and licence; model.safetensors,
    in torchvision's or timm's names where that library has the network;
    model.keras; labels.txt and card.json; and config.json, by which timm and
    `keras_resnet.load("hf://OWNER/NAME")` read it. None of them has the path
    of the data. The token is that of `hf auth login` or HF_TOKEN.

    Args:
        repository: "OWNER/NAME".
        model: a `Run` of `train`, which brings its recipe and metrics; a
            `keras.Model` of `build`; the folder of a run or a .keras file.
        recipe: `recipes.Recipe` or a dict, for README.md.
        metrics: `Metrics` or a dict of numbers, for README.md.
        licence: of the weights, as the hub names it: "mit", "apache-2.0".
        class_names, view: as `export` takes them, for a model without card.
        private: whether a new repository is private.
        revision: branch to write to. Default: the main one.
        message: of the commit.
        dry_run: whether only to list what would be written; nothing leaves
            this machine then.

    Returns:
        `Pushed`, which prints as a table of files and bytes.

    Raises:
        keras_resnet.UsageError: if the model has no classifier or no class
            names, or the hub refuses.

    Example:

    >>> print(push("me/photos", "runs/photos"))
    """
    require(
        isinstance(repository, str)
        and re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", repository),
        f"Expected OWNER/NAME. Received: {repository!r}.",
    )
    run: Any = model
    if hasattr(run, "workdir"):  # a `Run`
        recipe, metrics = recipe or run.recipe, metrics or run.metrics
        model = run.model
    model, card = opening.open_keras(model, view=view, class_names=class_names)
    names = [layer.name for layer in model.layers]
    require(
        "logits" in names and "pixels" in names,
        f"push is for a classifier of keras_resnet.build. Received: "
        f"{model.name!r}, of the layers {', '.join(names[:4])} ...",
    )
    # A path means nothing on another machine.
    own = "" if ":" in card.dataset else card.dataset
    with tempfile.TemporaryDirectory() as made:
        folder = pathlib.Path(made)
        dataclasses.replace(card, dataset=own).save(folder)
        _write(
            folder,
            repository,
            model,
            card,
            _dict(recipe, "changed"),
            _dict(metrics),
            licence,
        )
        files = {p.name: p.stat().st_size for p in sorted(folder.iterdir())}
        url = None
        if not dry_run:
            url = _upload(folder, repository, private, revision, message)
    return Pushed(repository=repository, files=files, url=url)


def _write(folder, repository, model, card, recipe, metrics, licence):
    layout = _save_weights(model, folder / repositories.WEIGHTS[0])
    model.save(folder / repositories.MODEL)
    own = model_card.described(model, card)
    readable = layout != "keras_resnet"
    config = model_card.config(model, card, own, readable=readable)
    text = json.dumps(config, indent=2) + "\n"
    (folder / repositories.CONFIG).write_text(text, encoding="utf-8")
    readme = model_card.readme(
        repository,
        card,
        variant=own["variant"],
        layout=layout,
        readable="architecture" in config,
        recipe=recipe,
        metrics=metrics,
        licence=licence,
    )
    (folder / "README.md").write_text(readme, encoding="utf-8")


def _save_weights(model, path):
    """Writes the weights; returns the name of the layout that they have."""
    for layout in _LAYOUTS[:-1]:
        try:
            loading.save_weights(model, path, layout=layout)
        except UsageError:
            continue
        return layout
    loading.save_weights(model, path, layout=_LAYOUTS[-1])
    return _LAYOUTS[-1]


def _dict(values, attribute=None):
    """{name: value} of a dict, of a dataclass or of one of its attributes."""
    if values is None or isinstance(values, Mapping):
        return dict(values or {})
    if attribute:
        return dict(getattr(values, attribute))
    return dataclasses.asdict(values)


def _upload(folder, repository, private, revision, message):
    import huggingface_hub

    with hub.explained(f"hf://{repository}"):
        api = huggingface_hub.HfApi(library_name="keras_resnet")
        api.create_repo(repository, private=private, exist_ok=True)
        return api.upload_folder(
            repo_id=repository,
            folder_path=folder,
            revision=revision,
            commit_message=message,
        ).commit_url
