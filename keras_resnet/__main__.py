"""`keras-resnet COMMAND`, `python -m keras_resnet COMMAND`."""

import sys

from keras_resnet.commands import doors

if __name__ == "__main__":
    sys.exit(doors.main())
