"""What users do with networks, as arrays that every Keras backend must give.

`python -c "import backend_functions; backend_functions.main(FOLDER)"` runs it
on the backend of KERAS_BACKEND, with the files that `prepare` wrote.
"""

import dataclasses

import keras
import numpy as np
import update_rules

import keras_resnet
from keras_resnet import optimizers
from keras_resnet.networks import specs
from keras_resnet.weights import transfer

# variant -> choices; both placements.
NETWORKS = {
    # Gates, too.
    "resnet50_v2": {
        "depths": (2, 1),
        "filters": (8, 16),
        "input_shape": (32, 24, 3),
        "shortcut": dataclasses.replace(
            specs.SHORTCUTS["exclusive_gating"], change="projection"
        ),
        "classes": 10,
    },
    # Pools of odd sides, and groups.
    "resnet50_d": {
        "depths": (1, 1),
        "filters": (8, 16),
        "input_shape": (35, 19, 3),
        "block": dataclasses.replace(specs.BLOCKS["resnext_32x4d"], groups=4),
        "classes": 10,
    },
}
SMALL = {
    "depths": (1, 1),
    "filters": (16, 32),
    "input_shape": (8, 8, 3),
    "classes": 5,
}
# A network whose weights torchvision's names fit.
TORCHVISION = {
    "depths": (1, 1),
    "filters": (8, 16),
    "input_shape": (16, 16, 3),
    "classes": 5,
}
STEPS = 2


def set_random(model):
    """Random weights whose BN statistics are far from (0, 1)."""
    for seed, weight in enumerate(model.weights):
        rng = np.random.default_rng(seed)
        if weight.path.endswith("kernel"):
            fan_in = np.prod(weight.shape[:-1])
            value = rng.normal(size=weight.shape) * np.sqrt(1.5 / fan_in)
        elif weight.path.startswith("pixels"):
            value = rng.uniform(50, 150, weight.shape)
        elif weight.path.endswith("variance"):
            value = rng.uniform(0.5, 2, weight.shape)
        else:
            value = rng.normal(size=weight.shape)
        weight.assign(value)
    return model


def images(model, count=4):
    """uint8 images that a model takes."""
    shape = (count, *model.input_shape[1:])
    return np.random.default_rng(0).integers(0, 256, shape, "uint8")


def prepare(folder):
    """Writes the networks that all backends read."""
    for variant, choices in NETWORKS.items():
        model = set_random(keras_resnet.build(variant, **choices))
        model.save(folder / f"{variant}.keras")
    keras.utils.set_random_seed(0)
    keras_resnet.build("resnet20", **SMALL).save(folder / "start.keras")
    model = set_random(keras_resnet.build("resnet18", **TORCHVISION))
    keras_resnet.save_weights(model, folder / "torchvision.safetensors")


def answers(folder):
    """{what: logits or probabilities} of the files' networks."""
    found, backend = {}, keras.config.backend()
    for variant, choices in NETWORKS.items():
        path = f"{folder}/{variant}.keras"
        built = keras_resnet.build(variant, weights=path, **choices)
        x = images(built)
        found[f"{variant} answer"] = built(x)
        found[f"{variant} logits"] = keras_resnet.logits(built)(x)
        again = f"{folder}/{variant}_{backend}.keras"
        keras.saving.load_model(path).save(again)
        again = keras.saving.load_model(again)
        found[f"{variant} again logits"] = keras_resnet.logits(again)(x)
    return found


def trained(folder):
    """{kind and path: change} by training.

    One network is trained as it is. The other is rematerialised and has frozen
    stages, and its parts have their own rates.
    """
    found = {}
    for kind in ("plain", "frozen"):
        model = keras_resnet.build("resnet20", remat=kind == "frozen", **SMALL)
        keras_resnet.load_weights(model, f"{folder}/start.keras")
        before, rates = [np.copy(w) for w in model.get_weights()], {}
        if kind == "frozen":
            keras_resnet.freeze(model, until="stage1")
            rates = transfer.rate_multipliers(model, head=2.0, stage_decay=0.5)
        fit(model, rate_multipliers=rates)
        for weight, old in zip(model.weights, before, strict=True):
            found[f"{kind} {weight.path}"] = np.asarray(weight) - old
    return found


def update_rules_of_sgd(folder):
    """{rule: weights} after all steps of `update_rules`."""
    del folder
    return {
        f"sgd {rule} {nesterov}": update_rules.run(
            optimizers.SGD(
                rule=rule,
                nesterov=nesterov,
                l2=update_rules.L2,
                momentum=update_rules.MOMENTUM,
            )
        )
        for rule in optimizers.MOMENTUM_RULES
        for nesterov in (False, True)
    }


def fit(model, **choices):
    """Trains two steps of one batch each; the losses before each."""
    network = keras_resnet.logits(model)
    network.compile(
        optimizers.SGD(learning_rate=0.05, **choices),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        # TensorFlow's and PyTorch's compilers take longer than the steps.
        jit_compile=keras.config.backend() == "jax",
    )
    x, labels = images(model, 8), np.arange(8) % 5
    history = network.fit(
        x, labels, batch_size=8, epochs=STEPS, shuffle=False, verbose=0
    )
    return history.history["loss"]


def functions(folder):
    """{what: array} of the library's functions on networks."""
    model = keras.saving.load_model(f"{folder}/start.keras")
    x, found = images(model), {}
    maps = keras_resnet.features(model)(x)
    found |= {f"features {name}": value for name, value in maps.items()}
    found["multiply_adds"] = keras_resnet.multiply_adds(model)
    clone = keras.models.clone_model(model)
    keras_resnet.load_weights(clone, f"{folder}/start.keras")
    found["clone"] = clone(x)
    found["grey"] = _grey(model, x)
    found["mean image"] = _mean_image()
    found["torchvision"] = _torchvision(folder)
    keras.utils.set_random_seed(0)
    drawn = keras_resnet.build("resnet20", **SMALL)
    found["drawn"] = drawn.get_layer("stage1_unit1").branch[0].kernel.value
    return found


def _grey(rgb, x):
    shape = (*SMALL["input_shape"][:2], 1)
    grey = keras_resnet.build("resnet20", **{**SMALL, "input_shape": shape})
    keras_resnet.grey_from_rgb(grey, rgb)
    return grey(x[..., :1])


def _mean_image():
    mean = np.random.default_rng(1).uniform(0, 255, SMALL["input_shape"])
    model = keras_resnet.build("resnet20", pixel_mean=mean, **SMALL)
    return model.get_layer("pixels")(images(model).astype("float32"))


def _torchvision(folder):
    """Logits of a file that is read, written and read again."""
    model = keras_resnet.build("resnet18", **TORCHVISION)
    keras_resnet.load_weights(model, f"{folder}/torchvision.safetensors")
    path = f"{folder}/{keras.config.backend()}.safetensors"
    keras_resnet.save_weights(model, path)
    again = keras_resnet.build("resnet18", **TORCHVISION)
    keras_resnet.load_weights(again, path)
    return keras_resnet.logits(again)(images(again))


def everything(folder):
    """All of it, as NumPy arrays."""
    found = {}
    for part in (answers, trained, functions, update_rules_of_sgd):
        found |= part(folder)
    return {k: keras.ops.convert_to_numpy(v) for k, v in found.items()}


def main(folder):
    """Writes the backend's arrays beside the files."""
    found = everything(folder)
    np.savez(f"{folder}/{keras.config.backend()}.npz", **found)
