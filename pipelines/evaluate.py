"""`keras-resnet evaluate`."""

import _door

if __name__ == "__main__":
    _door.open("evaluate")
