"""How well boxes and masks are found: COCO's mAP, and the mean IoU of pixels.

`detect_digits.py` and `segment_digits.py`, beside this file, are scored by it.
"""

import numpy as np

THRESHOLDS = np.arange(0.5, 1, 0.05)  # of COCO's mAP, IoU


def iou(boxes, others):
    """Intersection over union: (D, 4) and (E, 4) -> (D, E)."""
    boxes, others = boxes[:, None], others[None]
    least = np.maximum(boxes[..., :2], others[..., :2])
    greatest = np.minimum(boxes[..., 2:], others[..., 2:])
    both = np.prod(np.clip(greatest - least, 0, None), -1)
    areas = [np.prod(b[..., 2:] - b[..., :2], -1) for b in (boxes, others)]
    return both / (areas[0] + areas[1] - both)


def mean_average_precision(truth, found):
    """COCO's mAP at each of `THRESHOLDS`: float (10,), of all classes.

    Args:
        truth: list of (boxes, labels), one a scene.
        found: list of (boxes, labels, scores), as many.
    """
    classes = np.unique(np.concatenate([labels for _, labels in truth]))
    return np.mean([_precisions(truth, found, c) for c in classes], axis=0)


def _precisions(truth, found, label):
    """Average precision of a class at each threshold."""
    scores, hits, number = [], [], 0
    for (boxes, labels), (guesses, named, sure) in zip(
        truth, found, strict=True
    ):
        mine = np.flatnonzero(named == label)
        mine = mine[np.argsort(-sure[mine], kind="stable")]
        boxes = boxes[labels == label]
        number += len(boxes)
        scores.append(sure[mine])
        hits.append(_hits(iou(guesses[mine], boxes)))
    order = np.argsort(-np.concatenate(scores), kind="stable")
    hits = np.concatenate(hits)[order].cumsum(0)
    recall = hits / number
    precision = hits / np.arange(1, len(hits) + 1)[:, None]
    # The best precision at this recall or a greater one.
    precision = np.maximum.accumulate(precision[::-1], 0)[::-1]
    return [
        np.append(p, 0)[np.searchsorted(r, np.linspace(0, 1, 101))].mean()
        for r, p in zip(recall.T, precision.T, strict=True)
    ]


def _hits(overlaps):
    """Whether a guess, the surest first, takes a box: (guesses, 10)."""
    hits = np.zeros((len(overlaps), len(THRESHOLDS)), bool)
    for column, threshold in enumerate(THRESHOLDS):
        free = overlaps.copy()
        for row in range(len(free) if free.size else 0):
            best = free[row].argmax()
            if free[row, best] >= threshold:
                hits[row, column] = True
                free[:, best] = 0
    return hits


def mean_iou(truth, found, classes):
    """The mean of classes' IoU of pixels, the background's among them.

    Args:
        truth, found: int arrays of one shape, 0 to `classes` - 1.
        classes: how many; those that neither array has do not count.
    """
    pairs = truth.ravel() * classes + found.ravel()
    counts = np.bincount(pairs, minlength=classes**2)
    counts = counts.reshape(classes, classes)
    union = counts.sum(0) + counts.sum(1) - counts.diagonal()
    return (counts.diagonal()[union > 0] / union[union > 0]).mean()
