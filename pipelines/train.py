"""`keras-resnet train`."""

import _door

if __name__ == "__main__":
    _door.open("train")
