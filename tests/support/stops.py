"""A hook that sends this process a signal at a step."""

import os
import signal

from keras_resnet.training.hooks import Hook


class StopAt(Hook):
    """Sends a signal once, after the iteration `step`."""

    def __init__(self, step, number=signal.SIGINT):
        self.step, self.number = step, number

    def after_step(self, state):
        if state.step == self.step:
            os.kill(os.getpid(), self.number)
