"""Callbacks of a run."""


class Hook:
    """A callback of a run; a subclass overrides the methods that it needs.

    Every worker calls its own hooks at the same places, so one for the chief
    alone checks `engine.workers.is_chief`. A run that resumes from a checkpoint
    repeats the iterations after it and calls the hooks again.
    """

    def begin(self, engine, state):
        """Before the first iteration of this session.

        Args:
            engine: `engines.engine.Engine`; its `model` is the network.
            state: `state.RunState`, which hooks read and do not change.
        """

    def after_step(self, state):
        """After an iteration; after several on an engine that takes several."""

    def after_report(self, state, metrics):
        """Every `log_every_steps`, with metrics of training since then."""

    def before_evaluation(self, state):
        """Before the validation split is read."""

    def after_evaluation(self, state):
        """After an evaluation, whose record is the last of `state.records`."""

    def after_checkpoint(self, state):
        """After a checkpoint, whether it was written or could not be."""

    def finish(self, state):
        """After the last iteration, before the model is saved."""

    def close(self):
        """At the end of the session, whatever ended it."""
