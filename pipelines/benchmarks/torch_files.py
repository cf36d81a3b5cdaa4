"""torchvision's networks for inference, as files of PyTorch and of ONNX."""

import numpy as np
from benchmarks.runtimes import SPREAD
from benchmarks.runtimes import save
from benchmarks.steps import CLASSES
from benchmarks.steps import torchvision_models


def torchvision(
    name, files, image_size, choices, calibration, pictures, folder
):
    """A contender that is only built: their network's files.

    Args: as `keras_files.ours` takes them. `choices` is empty or has
        "depths"; the files are for any batch.

    Raises:
        ImportError: without PyTorch or torchvision.
    """
    import torch

    del image_size, calibration
    torchvision_models()  # raises if it is missing
    images = np.load(pictures)

    def build():
        torch.manual_seed(0)
        network = _network(torch, name, **choices)
        pixels = (images.astype(np.float32) / 127.5 - 1).transpose(0, 3, 1, 2)
        tensor = torch.from_numpy(np.ascontiguousarray(pixels))
        with torch.no_grad():
            _randomise(torch, network, tensor)
            for file in files:
                _WRITE[file](torch, network, tensor[:1], f"{folder}/{file}")
            save(folder, tensor.numpy(), network(tensor).numpy())
            return _multiply_adds(network, tensor[:1])

    return build


def _network(torch, name, depths=None):
    """Pixels to probabilities, as in Keras' networks."""
    models = torchvision_models()
    network = getattr(models, name)(weights=None, num_classes=CLASSES)
    if depths:
        block = type(network.layer1[0])
        network = models.ResNet(block, depths, num_classes=CLASSES)
    network.made_with = {"name": name, "depths": depths}
    return torch.nn.Sequential(network, torch.nn.Softmax(dim=1)).eval()


def _randomise(torch, network, pixels):
    """As `keras_files.randomise` does it."""
    norms = [
        module
        for module in network.modules()
        if isinstance(module, torch.nn.BatchNorm2d)
    ]
    for module in norms:
        module.weight.uniform_(0.5, 1.5)
        module.bias.normal_(0, 0.3)
        module.momentum = 1.0
    network.train()(pixels)
    for module in norms:
        module.running_var += module.running_mean**2
    logits = network.eval()(pixels).log()
    network[0].fc.weight.mul_(SPREAD / logits.std())


def _multiply_adds(network, pixels):
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        network(pixels)
    return counter.get_total_flops() // 2


def _write_weights(torch, network, pixels, path):
    """Writes the weights, and what `load` needs to build the network."""
    del pixels
    made_with = network[0].made_with
    torch.save({"made_with": made_with, "state": network.state_dict()}, path)


def _write_torchscript(torch, network, pixels, path):
    pixels = pixels.contiguous(memory_format=torch.channels_last)
    network = network.to(memory_format=torch.channels_last)
    traced = torch.jit.trace(network, pixels)
    torch.jit.freeze(traced).save(path)
    network.to(memory_format=torch.contiguous_format)


def _write_onnx(torch, network, pixels, path):
    torch.onnx.export(
        network,
        (pixels,),
        path,
        # The other exporter needs one more package and fuses no more.
        dynamo=False,
        opset_version=17,
        input_names=["images"],
        output_names=["probabilities"],
        dynamic_axes={"images": {0: "batch"}, "probabilities": {0: "batch"}},
    )


_WRITE = {
    "weights.pt": _write_weights,
    "torchscript.pt": _write_torchscript,
    "float32.onnx": _write_onnx,
}


def load(path):
    """The network of a file of weights, ready for inference."""
    import torch

    made = torch.load(path, weights_only=True)
    network = _network(torch, **made["made_with"])
    network.load_state_dict(made["state"])
    return network
