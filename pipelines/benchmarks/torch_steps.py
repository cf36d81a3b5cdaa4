"""torchvision's ResNet-50 on PyTorch, without any TensorFlow."""

CLASSES = 1000


def torchvision(
    image_size, batch_size, *, device="cpu", mixed=False, compiled=False
):
    """As PyTorch advises: channels last and, on a GPU, AMP and compiled.

    Its pixels are floats already, normalised, in the device's memory. The
    weight decay is in its optimiser too.

    Args:
        image_size, batch_size: ints.
        device: PyTorch's name of it.
        mixed: bool, whether PyTorch may compute in bfloat16.
        compiled: bool, whether `torch.compile` makes the network.

    Raises:
        ImportError: without PyTorch or torchvision.
    """
    import torch

    models = torchvision_models(torch)
    torch.manual_seed(0)
    images = torch.randn(batch_size, 3, image_size, image_size, device=device)
    images = images.to(memory_format=torch.channels_last)
    labels = torch.randint(CLASSES, (batch_size,), device=device)

    def build():
        network = models.resnet50(weights=None).to(device).train()
        network = network.to(memory_format=torch.channels_last)
        optimizer = torch.optim.SGD(
            network.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4
        )
        loss_of = torch.nn.CrossEntropyLoss()
        forward = torch.compile(network) if compiled else network

        def steps(count, tick):
            for number in range(count):
                optimizer.zero_grad()
                with torch.autocast(device, torch.bfloat16, enabled=mixed):
                    loss = loss_of(forward(images), labels)
                loss.backward()
                optimizer.step()
                # The device may run ahead of us but for what is timed.
                if device == "cuda" and number in (0, count - 1):
                    torch.cuda.synchronize()
                tick()

        return steps

    return build


def torchvision_models(torch):
    """`torchvision.models`, also where its compiled operators are missing.

    Beside a PyTorch for CPUs alone it still declares their shapes, which
    PyTorch refuses; a network of convolutions needs none of them.
    """
    declare = torch.library.register_fake

    def declare_others(name, *args, **kwargs):
        if str(name).startswith("torchvision::"):
            return lambda function: function
        return declare(name, *args, **kwargs)

    torch.library.register_fake = declare_others
    try:
        from torchvision import models
    finally:
        torch.library.register_fake = declare
    return models
