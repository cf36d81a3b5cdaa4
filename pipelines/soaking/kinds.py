"""The kinds of input: how each is made, changed and judged."""

import dataclasses
import types

from soaking import artifacts
from soaking import checkpoints
from soaking import images
from soaking import manifests
from soaking import page_requests
from soaking import recipe_overrides
from soaking import tfrecords
from soaking import weights


@dataclasses.dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of input.

    Attributes:
        module: has four functions:
            make(empty folder) writes whole files, in a process of its own.
            load(that folder) gives the corpus, once for many cases.
            mutate(corpus, random.Random) gives a dict, the case: "what" in
            words, and maybe "files" to write, {name: bytes}.
            judge(corpus, case, folder of the files) raises as `verdict.of`
            says.
        share: of all inputs.
        seconds: after which a case is a fault.
        megabytes: more than which a case may not take.
    """

    module: types.ModuleType
    share: float
    seconds: int = 300
    megabytes: int = 1500


KINDS = {
    "images": Kind(module=images, share=0.25),
    "weights": Kind(module=weights, share=0.12),
    "tfrecords": Kind(module=tfrecords, share=0.1),
    "recipes": Kind(module=recipe_overrides, share=0.2),
    "checkpoints": Kind(module=checkpoints, share=0.06),
    "manifests": Kind(module=manifests, share=0.06),
    "artifacts": Kind(module=artifacts, share=0.09),
    "page_requests": Kind(module=page_requests, share=0.12),
}
KILLS = "kills"
