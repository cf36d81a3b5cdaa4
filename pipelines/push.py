"""`keras-resnet push`."""

import _door

if __name__ == "__main__":
    _door.open("push")
