"""Registration of all layers of a run's model for `keras.saving.load_model`.

`import rumcli.layers` registers them with Keras, which does not import the modules that a model
file refers to. To add a layer, edit `rumcli/cells/` and `rumcli/config/cell_config.py`, not this
file.
"""

import importlib

from rumcli import cells
from rumcli.models.encoders import Attention, OneHotEmbedding, QuestionEncoder, SentenceEncoder
from rumcli.models.rnn_wrappers import BucketedRNN, ExplicitStateRNN

__all__ = [
    "Attention",
    "BucketedRNN",
    "ExplicitStateRNN",
    "OneHotEmbedding",
    "QuestionEncoder",
    "SentenceEncoder",
]

for _module in cells.modules():
    importlib.import_module(_module)
