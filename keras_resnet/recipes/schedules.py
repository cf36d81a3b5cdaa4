"""Learning rates by iteration. `register` adds a schedule of your own."""

from keras_resnet.errors import lookup
from keras_resnet.errors import register as register_row


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
        if not self.warm and step < self.recipe.warmup_steps:
            return self.recipe.warmup_learning_rate
        return self.recipe.learning_rate * self.multiplier(step)

    def multiplier(self, step: int) -> float:
        """What the base rate is multiplied by at iteration `step`."""
        del step
        return 1.0

    def after_training(self, train_error: float):
        """Ends the warm-up once the training error, 0..1, is low enough."""
        self.warm = self.warm or train_error < self.recipe.warmup_error

    def after_evaluation(self, validation_error: float):
        """Is told the validation error, 0..1."""

    def state(self) -> dict:
        """What a checkpoint keeps."""
        return {name: getattr(self, name) for name in self.STATE}

    def restore(self, state: dict):
        """Takes back what `state` gave."""
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


SCHEDULES: dict[str, type[Schedule]] = {}


def register(name: str, schedule: type[Schedule]):
    """Adds a schedule that the `schedule` of a recipe may name.

    To be called in a module of yours that `--import` names.

    Args:
        name: what a recipe calls it.
        schedule: class derived from `Schedule`. The first line of its
            docstring is the help.

    Raises:
        keras_resnet.UsageError: if the name is taken.

    Example:

    >>> class Cosine(schedules.Schedule):
    ...     '''Half a cosine, from the base rate to zero.'''
    ...
    ...     def multiplier(self, step):
    ...         return (1 + math.cos(math.pi * step / self.recipe.steps)) / 2
    >>> schedules.register("cosine", Cosine)
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
