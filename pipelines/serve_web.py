"""`keras-resnet serve_web`."""

import _door

if __name__ == "__main__":
    _door.open("serve_web")
