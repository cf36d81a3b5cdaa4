"""The private names of Keras and TensorFlow that this library depends on.

Each has a reason and no public equivalent. If one of them has changed,
`internals_test` fails and names the version. TensorFlow is imported only if
Keras runs on it.
"""

import contextlib

import keras


def variable_index(optimizer, variable):
    """The index of a variable among those that an optimizer was built for.

    `update_step` gets the backend's variable, which has no path.
    """
    return optimizer._get_variable_index(variable)


def weights_and_averages(optimizer):
    """[(weight, its moving average)], as `use_ema=True` keeps them.

    Keras itself can only replace the weights by the averages, for good.
    """
    averages = optimizer._model_variables_moving_average
    return list(zip(optimizer._trainable_variables, averages, strict=True))


class SeesSums:
    """Mixin of an optimizer that looks at gradients before it applies them.

    These gradients are sums over all replicas; Keras' public `apply` sees each
    replica's own.
    """

    def apply_sums(self, gradients, update):
        """Called once for all replicas, or once in each, with equal sums.

        Args:
            gradients: list of tensors.
            update: () -> None, changes the weights.
        """
        raise NotImplementedError

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        def update():
            parent(grads, trainable_variables, learning_rate)

        parent = super()._backend_update_step
        if keras.config.backend() == "tensorflow":
            update()  # calls the method below, once they are summed
        else:
            self.apply_sums(grads, update)

    def _distributed_tf_update_step(
        self, distribution, grads_and_vars, learning_rate
    ):
        update = super()._distributed_tf_update_step
        local = [
            distribution.experimental_local_results(gradient)[0]
            for gradient, _ in grads_and_vars
        ]
        self.apply_sums(
            local, lambda: update(distribution, grads_and_vars, learning_rate)
        )


@contextlib.contextmanager
def all_cpu_devices(devices):
    """Context in which a worker's strategy takes all parts of a split CPU.

    Otherwise TensorFlow would take only the first part.

    Args:
        devices: list of names, "CPU:0", "CPU:1" or of GPUs.
    """
    if "CPU" not in devices[0] or len(devices) == 1:
        yield
        return
    from tensorflow.python.distribute import collective_all_reduce_strategy

    extended = collective_all_reduce_strategy.CollectiveAllReduceExtended
    original = extended._initialize_local_devices

    def local_devices(self, resolver, worker):
        del self, resolver
        return tuple(f"{worker}/device:{d}" for d in devices), "CPU"

    extended._initialize_local_devices = local_devices
    try:
        yield
    finally:
        extended._initialize_local_devices = original
