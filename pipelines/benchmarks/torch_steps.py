"""torchvision's ResNet-50 on PyTorch, without any TensorFlow."""

CLASSES = 1000


def torchvision(image_size, batch_size):
    """As PyTorch advises for a CPU: channels last, float32.

    Its pixels are floats already, normalised, in memory. The weight decay is
    in its optimiser too.

    Raises:
        ImportError: without PyTorch or torchvision.
    """
    import torch

    models = _models(torch)
    torch.manual_seed(0)
    images = torch.randn(batch_size, 3, image_size, image_size)
    images = images.to(memory_format=torch.channels_last)
    labels = torch.randint(CLASSES, (batch_size,))

    def build():
        network = models.resnet50(weights=None)
        network = network.to(memory_format=torch.channels_last).train()
        optimizer = torch.optim.SGD(
            network.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4
        )
        loss = torch.nn.CrossEntropyLoss()

        def steps(count, tick):
            for _ in range(count):
                optimizer.zero_grad()
                loss(network(images), labels).backward()
                optimizer.step()
                tick()

        return steps

    return build


def _models(torch):
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
