"""Medians over seeds, and how much of them is chance: spreads, verdicts."""

import math
import statistics

from reproduction import results

# P2 Table 1: a network "fails" above this test error.
FAILS = 0.2
TEST_IMAGES = {
    "digits": 359,
    "fashion_mnist": 10_000,
    "cifar10": 10_000,
    "cifar100": 10_000,
}


def errors(records, name, fails=False):
    """`percent` of "train_error" or "test_error"; `fails` sets its limit."""
    limit = FAILS if fails else math.inf
    return percent(records, lambda result: result[name], limit)


def percent(records, error_of, limit=math.inf):
    """'median (least..greatest)' in percent, and what failed.

    Args:
        records: of one row.
        error_of: result -> error, 0 to 1.
        limit: a median above it is a failure.
    """
    if not records:
        return "not run"
    finished = results.finished(records)
    diverged = len(records) - len(finished)
    values = [error_of(record["result"]) for record in finished]
    if not values:
        return f"fail: {diverged} diverged"
    low, middle, high = (
        f"{100 * value:.2f}"
        for value in (min(values), statistics.median(values), max(values))
    )
    words = f"{middle} ({low}..{high})" if len(values) > 1 else middle
    if statistics.median(values) > limit:
        words = f"fail: {words}"
    return f"{words}, {diverged} diverged" if diverged else words


def sampling_error(records):
    """The standard error of the median test error, by the number of images."""
    done = results.finished(records)
    number = TEST_IMAGES.get(done[0].get("dataset")) if done else None
    if not number:
        return ""
    error = statistics.median(r["result"]["test_error"] for r in done)
    return f"{100 * binomial_error(error, number):.2f}"


def binomial_error(error, number):
    """The standard error of an error, 0 to 1, on `number` test images."""
    return math.sqrt(error * (1 - error) / number)


def compared(mine, theirs):
    """A `verdict` on the test errors of two rows, seed by seed, in words."""
    ours, others = (
        {r["seed"]: r["result"]["test_error"] for r in results.finished(of_one)}
        for of_one in (mine, theirs)
    )
    seeds = sorted({*ours} & {*others})
    if not seeds:
        return "no seed in common with"
    number = TEST_IMAGES[mine[0]["dataset"]]
    points = [_in_errors(ours[seed], others[seed], number) for seed in seeds]
    said = verdict(points, 1)
    return f"{said} {'from' if said == 'not told apart' else 'than'}"


def _in_errors(mine, theirs, number):
    """How much less one error is than another, in sampling errors of that."""
    error = math.hypot(
        binomial_error(mine, number), binomial_error(theirs, number)
    )
    return (theirs - mine) / error if error else 0.0


def verdict(points, error):
    """What gains of several seeds show.

    Args:
        points: the gain with each seed.
        error: the sampling error of one.

    Returns:
        "better" or "worse" where each seed says so by more than twice the
        sampling error, else "not told apart".
    """
    if min(points) > 2 * error:
        return "better"
    return "worse" if max(points) < -2 * error else "not told apart"
