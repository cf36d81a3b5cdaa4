"""The iterations of a run, by the papers' protocol.

Each is a step of SGD at the schedule's rate. Reports, evaluations and
checkpoints follow at their steps; the schedule receives both errors.
"""

import numpy as np

from keras_resnet import moved
from keras_resnet.errors import DivergedError
from keras_resnet.training.signals import Interrupted

# Version 0.1 had `train_and_evaluate` here.
__getattr__ = moved.attributes(__name__, "keras_resnet.training.run")


class Loop:
    """The iterations of a run, and what follows each of them.

    Args:
        recipe: `recipes.Recipe`.
        engine: `engines.engine.Engine`, built and restored.
        num_examples: of the training split.
        state: `RunState`, restored.
        saver: `Saver`.
        hooks: iterable of `hooks.Hook`.
    """

    def __init__(self, recipe, engine, num_examples, state, saver, hooks):
        self.recipe, self.engine, self.state = recipe, engine, state
        self._num_examples = num_examples
        self._saver, self._hooks = saver, hooks
        self._unread = []  # sums of iterations, maybe still on the device
        self._saved = state.step
        self._stopped_by = 0  # the signal that the workers have agreed on

    def run(self, signals):
        """Trains up to the last step.

        Args:
            signals: `signals.Signals`; from here on signals are only noted.

        Raises:
            signals.Interrupted: after a signal, once a checkpoint is written.
        """
        for hook in self._hooks:
            hook.begin(self.engine, self.state)
        self._signals = signals
        signals.wait()
        self.engine.begin(self.state.step)
        # A signal may have cut off what follows the last iteration.
        self._follow()
        while not self._is_over():
            self._train()
            if self.state.step % self.recipe.log_every_steps == 0:
                self._report()
            self._follow()
        self._tell("finish")

    def _train(self):
        state = self.state
        count = self.engine.steps_at_once(state.step)
        steps = range(state.step, state.step + count)
        rates = [state.schedule.learning_rate(step) for step in steps]
        self._unread.append(self.engine.train(state.step, rates))
        state.step, state.learning_rate = state.step + count, rates[-1]
        self._tell("after_step")

    def _report(self):
        self._read_sums()
        metrics = self.state.take("report")
        self.state.schedule.after_training(
            1 - getattr(metrics, self.state.kind.TRAINED)
        )
        self._tell("after_report", metrics)

    def _follow(self):
        """Does what follows an iteration, each thing once in the whole run."""
        state, recipe = self.state, self.recipe
        due = self._is_due("evaluation", recipe.eval_every_steps)
        cut_off = due and not self._evaluate()
        stop = cut_off or self._is_asked_to_stop()
        due = self._is_due("checkpoint", recipe.checkpoint_every_steps)
        if due or stop and self._saved != state.step:
            self._save(scheduled=due, last=stop)
        if stop and (cut_off or not self._is_over()):
            raise Interrupted(self._stopped_by, state.step)

    def _is_due(self, what, every):
        step = self.state.step
        if step == 0 or self.state.done[what] == step:
            return False
        return self._is_over() or step % every == 0

    def _is_over(self):
        return self.state.is_over(self.recipe)

    def _is_asked_to_stop(self):
        """Whether any worker got a signal: all stop at the same step."""
        if not self._stopped_by:
            received = self._signals.received
            self._stopped_by = self.engine.workers.highest(received)
        return self._stopped_by != 0

    def _evaluate(self):
        """Evaluates; False if a signal leaves it to the next session."""
        state = self.state
        if state.step == self.recipe.steps and self.recipe.precise_bn_batches:
            self.engine.recalibrate(state.step)
            state.done["sync"] = state.step
        self._read_sums()
        self._sync_batch_norm()
        self._tell("before_evaluation")
        with self.engine.with_ema_weights():
            metrics = self.engine.evaluate(self._is_asked_to_stop)
            if metrics is None:
                return False
            state.metrics, state.done["evaluation"] = metrics, state.step
            state.record(self.recipe.batch_size, self._num_examples)
            if self.recipe.keep == "best" and state.best() is state.records[-1]:
                self._saver.save_best()
        state.schedule.after_evaluation(1 - getattr(metrics, state.kind.BEST))
        self._tell("after_evaluation")
        return True

    def _save(self, *, scheduled, last):
        state, step = self.state, self.state.step
        self._read_sums()
        statistics = None
        if scheduled:
            self._sync_batch_norm()
        elif state.done["sync"] != step:
            # The means must not affect later steps: see `batch_norm`.
            statistics = self.engine.gather_statistics()
            self.engine.sync_batch_norm()
        path = self.engine.variables.not_finite()
        if path:
            raise DivergedError(
                f"{path} is not finite", step, self._saver.newest
            )
        if scheduled:
            state.done["checkpoint"] = step
        self._saved = step
        if self.engine.workers.is_chief:
            self._saver.save(
                step,
                {**state.to_json(), **self.engine.state()},
                statistics=statistics,
                last=last or self._is_over(),
            )
        self._tell("after_checkpoint")

    def _sync_batch_norm(self):
        """Averages BN's statistics over the replicas, once a step."""
        if self.state.done["sync"] != self.state.step:
            self.engine.sync_batch_norm()
            self.state.done["sync"] = self.state.step

    def _read_sums(self):
        """Waits for the iterations whose sums are still on the device."""
        rows = [np.atleast_2d(np.asarray(sums)) for sums in self._unread]
        if rows:
            self.state.add(np.concatenate(rows), self._saver.newest)
        self._unread = []

    def _tell(self, what, *arguments):
        for hook in self._hooks:
            getattr(hook, what)(self.state, *arguments)
