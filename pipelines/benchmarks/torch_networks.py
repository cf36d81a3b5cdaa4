"""torchvision's networks that infer, as files of PyTorch and of ONNX."""

import numpy as np
from benchmarks import torch_steps
from benchmarks.inference_files import CLASSES
from benchmarks.inference_files import SPREAD
from benchmarks.inference_files import describe
from benchmarks.inference_files import path_of


def export(name, image_size, choices, pictures, files, folder, calibration):
    """Their network's files, as a contender that only builds.

    Args: as `inference_networks.ours` takes them. `choices` is empty or has
        "depths"; the files are for any batch.

    Raises:
        ImportError: without PyTorch or torchvision.
    """
    import torch

    del image_size, calibration
    torch_steps.torchvision_models(torch)  # or it is missing
    images = np.load(pictures)

    def build():
        torch.manual_seed(0)
        network = _network(torch, name, **choices)
        pixels = (images.astype(np.float32) / 127.5 - 1).transpose(0, 3, 1, 2)
        tensor = torch.from_numpy(np.ascontiguousarray(pixels))
        with torch.no_grad():
            _randomise(torch, network, tensor)
            count = _multiply_adds(torch, network, tensor[:1])
            for file, _ in files:
                path = path_of(folder, file)
                if file == "weights":
                    # With what `load` makes the network of.
                    made = {"name": name, "choices": choices}
                    torch.save({**made, "state": network.state_dict()}, path)
                else:
                    _WRITE[file](torch, network, tensor[:1], path)
            expected = network(tensor).numpy()
        describe(folder, tensor.numpy(), expected, count)

    return build


def _network(torch, name, depths=None):
    """Pixels to probabilities, as Keras' networks have it."""
    models = torch_steps.torchvision_models(torch)
    network = getattr(models, name)(weights=None, num_classes=CLASSES)
    if depths:
        block = type(network.layer1[0])
        network = models.ResNet(block, depths, num_classes=CLASSES)
    return torch.nn.Sequential(network, torch.nn.Softmax(dim=1)).eval()


def _randomise(torch, network, pixels):
    """As `inference_networks.randomise` does it."""
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


def _multiply_adds(torch, network, pixels):
    """Those of one image."""
    counts = []

    def count(module, inputs, output):
        positions = output.numel() // output.shape[1]
        counts.append(positions * module.weight.numel())

    hooks = [
        module.register_forward_hook(count)
        for module in network.modules()
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear))
    ]
    network(pixels)
    for hook in hooks:
        hook.remove()
    return sum(counts)


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
        # The other way takes a package more and fuses no more.
        dynamo=False,
        opset_version=17,
        input_names=["images"],
        output_names=["probabilities"],
        dynamic_axes={"images": {0: "batch"}, "probabilities": {0: "batch"}},
    )


_WRITE = {
    "torchscript": _write_torchscript,
    "onnx_float32": _write_onnx,
}


def load(path):
    """The network of a file of weights, ready for inference."""
    import torch

    made = torch.load(path, weights_only=True)
    network = _network(torch, made["name"], **made["choices"])
    network.load_state_dict(made["state"])
    return network
