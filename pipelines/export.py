"""`keras-resnet export`."""

import _door

if __name__ == "__main__":
    _door.open("export")
