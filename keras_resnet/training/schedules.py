"""Learning rates: constant, steps, plateau, each after an optional warm-up.

A schedule sees the run through two calls and holds a few numbers, which a
checkpoint keeps. The rate is constant between calls.
"""

import dataclasses


@dataclasses.dataclass
class Schedule:
    """The learning rate of a `recipes.Recipe`.

    References: P1 sec. 3.4 (plateau), 4.2 (steps; 0.01 until the training
    error is below 80 %, about 400 iterations); P2 sec. 3 (400 iterations).

    Attributes:
        warm: whether the warm-up is over.
        factor: what plateaus have made of the rate, 1, 0.1, ...
        best_error: lowest validation error so far.
        evaluations_since_best: how many evaluations did not improve on it.
    """

    recipe: object
    warm: bool = False
    factor: float = 1.0
    best_error: float = float("inf")
    evaluations_since_best: int = 0

    STATE = ("warm", "factor", "best_error", "evaluations_since_best")

    def __post_init__(self):
        self.warm = self.warm or self.recipe.warmup_steps == 0

    def learning_rate(self, step):
        """The rate of iteration `step`, counted from 0; a float."""
        recipe = self.recipe
        if not self.warm and step < recipe.warmup_steps:
            return recipe.warmup_learning_rate
        rate = recipe.learning_rate
        if recipe.schedule == "steps":
            rate *= 0.1 ** sum(step >= b for b in recipe.boundaries)
        return rate * self.factor

    def after_training(self, train_error):
        """Ends the warm-up once the training error, 0..1, is low enough."""
        self.warm = self.warm or train_error < self.recipe.warmup_error

    def after_evaluation(self, validation_error):
        """Divides the rate by 10 after evaluations without improvement."""
        if validation_error < self.best_error:
            self.best_error = validation_error
            self.evaluations_since_best = 0
            return
        self.evaluations_since_best += 1
        if (
            self.recipe.schedule == "plateau"
            and self.evaluations_since_best >= self.recipe.plateau_evaluations
        ):
            self.factor /= 10
            self.evaluations_since_best = 0

    def state(self):
        """What a checkpoint keeps, as JSON values."""
        return {name: getattr(self, name) for name in self.STATE}

    def restore(self, state):
        """Takes back what `state` gave."""
        for name in self.STATE:
            setattr(self, name, state[name])
