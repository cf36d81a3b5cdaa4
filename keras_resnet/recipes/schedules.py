"""Learning rates by iteration. `register` adds a schedule of your own."""

import math

from keras_resnet.errors import lookup
from keras_resnet.errors import register as register_row

WARMUPS = {
    "constant": "warmup_learning_rate, until the training error is below "
    "warmup_error",
    "linear": "from warmup_learning_rate in a straight line to the base rate, "
    "whatever the error is",
}


class Schedule:
    """The base rate throughout, after an optional warm-up.

    The base of all schedules: others override `multiplier`. A checkpoint keeps
    the attributes that `STATE` names, as JSON values. All else follows from
    the recipe and the step.

    References: P1 sec. 4.2 (0.01 until the training error is below 80 %, about
    400 iterations); P2 sec. 3 (400 iterations).

    Args:
        recipe: `recipes.Recipe`.

    Attributes:
        warm: whether the warm-up is over.
    """

    STATE: tuple[str, ...] = ("warm",)

    def __init__(self, recipe):
        self.recipe = recipe
        self.warm = recipe.warmup_steps == 0

    def learning_rate(self, step: int) -> float:
        """The rate of iteration `step`, counted from 0."""
        recipe = self.recipe
        if self.warm or step >= recipe.warmup_steps:
            return recipe.learning_rate * self.multiplier(step)
        start = recipe.warmup_learning_rate
        if recipe.warmup == "constant":
            return start
        rise = step / recipe.warmup_steps
        return start + rise * (recipe.learning_rate - start)

    def multiplier(self, step: int) -> float:
        """The factor of the base rate at iteration `step`."""
        del step
        return 1.0

    def after_training(self, train_error: float):
        """Ends a constant warm-up once the training error, 0..1, is low."""
        constant = self.recipe.warmup == "constant"
        low = train_error < self.recipe.warmup_error
        self.warm = self.warm or constant and low

    def after_evaluation(self, validation_error: float):
        """Receives the validation error, 0..1."""

    def state(self) -> dict:
        """What a checkpoint keeps."""
        return {name: getattr(self, name) for name in self.STATE}

    def restore(self, state: dict):
        """Restores what `state` returned."""
        for name in self.STATE:
            value, own = state[name], getattr(self, name)
            if isinstance(own, float | int) != isinstance(value, float | int):
                raise TypeError(f"{name}={value!r} is of another type")
            setattr(self, name, value)


class Steps(Schedule):
    """A tenth after each of `boundaries` iterations (P1 sec. 4.2)."""

    def multiplier(self, step):
        return 0.1 ** sum(step >= b for b in self.recipe.boundaries)


class Plateau(Schedule):
    """A tenth when the validation error stops improving (P1 sec. 3.4).

    Attributes:
        factor: of the base rate so far, 1, 0.1, ...
        best_error: the lowest validation error so far.
        evaluations_since_best: how many evaluations did not improve on it.
    """

    STATE = ("warm", "factor", "best_error", "evaluations_since_best")

    def __init__(self, recipe):
        super().__init__(recipe)
        self.factor = 1.0
        self.best_error = float("inf")
        self.evaluations_since_best = 0

    def multiplier(self, step):
        del step
        return self.factor

    def after_evaluation(self, validation_error):
        if validation_error < self.best_error:
            self.best_error = validation_error
            self.evaluations_since_best = 0
            return
        self.evaluations_since_best += 1
        if self.evaluations_since_best >= self.recipe.plateau_evaluations:
            self.factor /= 10
            self.evaluations_since_best = 0


class Cosine(Schedule):
    """Half a cosine from the warm-up's end to final_learning_rate.

    References: Loshchilov and Hutter 2017, arXiv 1608.03983, without restarts.
    """

    def multiplier(self, step):
        recipe = self.recipe
        last = recipe.final_learning_rate / recipe.learning_rate
        done = max(0, step - recipe.warmup_steps)
        part = done / max(1, recipe.steps - recipe.warmup_steps)
        return last + (1 - last) * _fall(part)


class OneCycle(Schedule):
    """Up from a 25th in 3 tenths of the run, down to final_learning_rate.

    Both follow half a cosine. The peak is where PyTorch's OneCycleLR has it;
    the momentum stays constant.

    References: Smith and Topin 2018, arXiv 1708.07120.
    """

    def multiplier(self, step):
        recipe, first = self.recipe, 1 / 25
        last = recipe.final_learning_rate / recipe.learning_rate
        peak = max(0, 0.3 * recipe.steps - 1)
        if step < peak:
            return 1 - (1 - first) * _fall(step / peak)
        rest = max(1, recipe.steps - 1 - peak)
        return last + (1 - last) * _fall((step - peak) / rest)


def _fall(part):
    """From 1 to 0 while `part` goes from 0 to 1."""
    return (1 + math.cos(math.pi * min(part, 1))) / 2


SCHEDULES: dict[str, type[Schedule]] = {}


def register(name: str, schedule: type[Schedule]):
    """Adds a schedule that the `schedule` of a recipe may name.

    Call it in a module of yours that `--import` names.

    Args:
        name: what a recipe calls it.
        schedule: class derived from `Schedule`. The first line of its
            docstring is the help.

    Raises:
        keras_resnet.UsageError: if the name is taken.

    Example:

    >>> class Line(schedules.Schedule):
    ...     '''A straight line from the base rate to zero.'''
    ...
    ...     def multiplier(self, step):
    ...         return 1 - step / self.recipe.steps
    >>> schedules.register("line", Line)
    """
    register_row(SCHEDULES, name, schedule, "schedule")


def make(recipe) -> Schedule:
    """The schedule of a recipe, before its first iteration."""
    return lookup(SCHEDULES, recipe.schedule, "schedule")(recipe)


def describe() -> str:
    """All names, each with the first line of its docstring."""
    return "; ".join(
        f"{name}: {(schedule.__doc__ or '').splitlines()[0].rstrip('.')}"
        for name, schedule in SCHEDULES.items()
    )


register("constant", Schedule)
register("steps", Steps)
register("plateau", Plateau)
register("cosine", Cosine)
register("one_cycle", OneCycle)
