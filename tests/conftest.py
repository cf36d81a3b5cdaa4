"""What all tests share."""

import gc
import os

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

# Files that take more than 40 s when four run at a time. They come first;
# otherwise one worker would still run one at the end while the others are idle.
LONG = {
    "any_network_test.py",
    "artifacts_test.py",
    "backends_test.py",
    "bad_images_test.py",
    "batch_predict_test.py",
    "batch_resume_test.py",
    "bounds_test.py",
    "execution_test.py",
    "fold_test.py",
    "int8_test.py",
    "on_jax_test.py",
    "orientations_test.py",
    "own_images_test.py",
    "page_answers_test.py",
    "page_folder_test.py",
    "pipeline_test.py",
    "pipelines_test.py",
    "policies_test.py",
    "resume_test.py",
    "step_test.py",
    "variants_test.py",
    "views_test.py",
    "weights_of_peers_test.py",
}


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.name not in LONG)


def pytest_configure(config):
    """Splits the CPU in two, before any test starts TensorFlow.

    Distribution tests need two devices; the others use the first.
    """
    if config.getoption("numprocesses", None) and not hasattr(
        config, "workerinput"
    ):
        return  # it runs no test: its workers do
    import tensorflow as tf

    # Graphs and models are hundreds of thousands of objects. Python would
    # search them for cycles again and again.
    gc.freeze()
    gc.set_threshold(50_000, 10, 10)
    # No test cuts the power, and waiting for a disk takes milliseconds.
    os.fsync = lambda handle: None
    # Threads inside an operation look for work for a while before they sleep.
    # If workers share two cores, that takes a seventh of all CPU time. Commands
    # run in their own processes and keep the threads that a user gets.
    tf.config.threading.set_intra_op_parallelism_threads(1)
    cpu = tf.config.list_physical_devices("CPU")[0]
    parts = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, parts)


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """A folder of readable files, see `odd_images`."""
    import odd_images

    root = tmp_path_factory.mktemp("data") / "clean"
    odd_images.write_clean(root)
    return root


@pytest.fixture(scope="module")
def dirty(clean):
    """The same folder with unreadable files added."""
    import odd_images

    root = clean.with_name("dirty")
    odd_images.write_dirty(clean, root)
    return root


@pytest.fixture(scope="module", params=[1, 2], ids=["one device", "two"])
def strategy(request):
    """A strategy with one device, then one with two."""
    from keras_resnet.training import distribution

    if request.param == 1:
        return distribution.make_strategy("one_device")
    return distribution.make_strategy("mirrored", devices=2)
