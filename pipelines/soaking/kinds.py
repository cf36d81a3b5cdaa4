"""The kinds of input: how each is made, changed and judged."""

import types
import typing

from soaking import artifacts
from soaking import checkpoints
from soaking import images
from soaking import manifests
from soaking import page_requests
from soaking import recipe_overrides
from soaking import tfrecords
from soaking import weights


class Kind(typing.NamedTuple):
    """One kind of input."""

    share: float  # of all inputs
    # It has four functions:
    #     make(empty folder) writes whole files, in a process of its own.
    #     load(that folder) gives the corpus, once for many cases.
    #     mutate(corpus, random.Random) gives a dict, the case: "what" in
    #     words, and maybe "files" to write, {name: bytes}.
    #     judge(corpus, case, folder of the files) raises as `verdict.of` says.
    module: types.ModuleType
    seconds: int = 300  # after which a case is a fault
    megabytes: int = 1500  # the most that a case may take


KINDS = {
    "images": Kind(0.25, images),
    "weights": Kind(0.12, weights),
    "tfrecords": Kind(0.1, tfrecords),
    "recipes": Kind(0.2, recipe_overrides),
    "checkpoints": Kind(0.06, checkpoints),
    "manifests": Kind(0.06, manifests),
    "artifacts": Kind(0.09, artifacts),
    "page_requests": Kind(0.12, page_requests),
}
KILLS = "kills"
