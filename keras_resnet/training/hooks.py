"""What a run tells those who watch it."""


class Hook:
    """Is told what a run does; a subclass overrides what it wants to hear.

    Every worker calls its own hooks at the same places, so that one that only
    the chief shall do asks `engine.workers.is_chief`. A run that goes on from
    a checkpoint repeats the iterations after it, and tells them again.
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
        """With a new record, the last of `state.records`."""

    def after_checkpoint(self, state):
        """After a checkpoint, whether it was written or could not be."""

    def finish(self, state):
        """After the last iteration, before the model is saved."""

    def close(self):
        """At the end of the session, whatever ended it."""
