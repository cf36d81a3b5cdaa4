"""`keras-resnet explain`."""

import _door

if __name__ == "__main__":
    _door.open("explain")
