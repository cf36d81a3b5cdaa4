"""Residual networks as both papers describe them, from training to export."""

from keras_resnet.constructors import PlainNet18 as PlainNet18
from keras_resnet.constructors import PlainNet20 as PlainNet20
from keras_resnet.constructors import PlainNet32 as PlainNet32
from keras_resnet.constructors import PlainNet34 as PlainNet34
from keras_resnet.constructors import PlainNet44 as PlainNet44
from keras_resnet.constructors import PlainNet56 as PlainNet56
from keras_resnet.constructors import PlainNet110 as PlainNet110
from keras_resnet.constructors import ResNet18 as ResNet18
from keras_resnet.constructors import ResNet18V2 as ResNet18V2
from keras_resnet.constructors import ResNet20 as ResNet20
from keras_resnet.constructors import ResNet32 as ResNet32
from keras_resnet.constructors import ResNet34 as ResNet34
from keras_resnet.constructors import ResNet34V2 as ResNet34V2
from keras_resnet.constructors import ResNet44 as ResNet44
from keras_resnet.constructors import ResNet50 as ResNet50
from keras_resnet.constructors import ResNet50V2 as ResNet50V2
from keras_resnet.constructors import ResNet56 as ResNet56
from keras_resnet.constructors import ResNet101 as ResNet101
from keras_resnet.constructors import ResNet101V2 as ResNet101V2
from keras_resnet.constructors import ResNet110 as ResNet110
from keras_resnet.constructors import ResNet110V2 as ResNet110V2
from keras_resnet.constructors import ResNet152 as ResNet152
from keras_resnet.constructors import ResNet152V2 as ResNet152V2
from keras_resnet.constructors import ResNet164 as ResNet164
from keras_resnet.constructors import ResNet164V2 as ResNet164V2
from keras_resnet.constructors import ResNet200V2 as ResNet200V2
from keras_resnet.constructors import ResNet1001 as ResNet1001
from keras_resnet.constructors import ResNet1001V2 as ResNet1001V2
from keras_resnet.constructors import ResNet1202 as ResNet1202
from keras_resnet.errors import UsageError as UsageError
from keras_resnet.labels import decode_predictions as decode_predictions
from keras_resnet.model import build as build
from keras_resnet.model import features as features
from keras_resnet.model import logits as logits
from keras_resnet.model import multiply_adds as multiply_adds
from keras_resnet.pretrained import list_weights as list_weights
from keras_resnet.specs import VARIANTS as VARIANTS
from keras_resnet.transfer import freeze as freeze
from keras_resnet.transfer import grey_from_rgb as grey_from_rgb
from keras_resnet.weights import load_weights as load_weights
from keras_resnet.weights import save_weights as save_weights

__version__ = "0.1.0"
