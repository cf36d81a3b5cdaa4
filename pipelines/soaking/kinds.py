"""The kinds of input: how each is made, changed and judged."""

import dataclasses
from collections.abc import Callable

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
        make: (empty folder) -> None; writes whole files, in a process of its
            own.
        load: (that folder) -> corpus, once for many cases.
        mutate: (corpus, random.Random) -> dict, a case with "what" in words.
        judge: (corpus, case, empty folder) -> None; raises as `verdict.of`
            says.
        share: of all inputs.
        seconds: after which a case is a fault.
        megabytes: more than which a case may not take.
    """

    make: Callable
    load: Callable
    mutate: Callable
    judge: Callable
    share: float
    seconds: int = 300
    megabytes: int = 1500


def _of(module, share, **limits):
    functions = {
        name: getattr(module, name)
        for name in ("make", "load", "mutate", "judge")
    }
    return Kind(share=share, **functions, **limits)


KINDS = {
    "images": _of(images, 0.25),
    "weights": _of(weights, 0.12),
    "tfrecords": _of(tfrecords, 0.1),
    "recipes": _of(recipe_overrides, 0.2),
    "checkpoints": _of(checkpoints, 0.06),
    "manifests": _of(manifests, 0.06),
    "artifacts": _of(artifacts, 0.09),
    "page_requests": _of(page_requests, 0.12),
}
KILLS = "kills"
