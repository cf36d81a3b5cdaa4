"""`keras-resnet verify`."""

import _door

if __name__ == "__main__":
    _door.open("verify")
