"""Registration of all layers of a run's model for `keras.saving.load_model`.

`import rumcli.layers` registers them with Keras, which does not import the modules that a model
file refers to.
"""

from rumcli.cells.arum import ARUM, ARUMCell
from rumcli.cells.eunn import EUNN, EUNNCell
from rumcli.cells.fs_rnn import FSRNN, FSRNNCell
from rumcli.cells.goru import GORU, GORUCell
from rumcli.cells.ln_lstm import LNLSTM, LNLSTMCell
from rumcli.cells.rum import RUM, RUMCell
from rumcli.models.encoders import Attention, OneHotEmbedding, QuestionEncoder, SentenceEncoder
from rumcli.models.rnn_wrappers import BucketedRNN, ExplicitStateRNN

__all__ = [
    "ARUM",
    "EUNN",
    "FSRNN",
    "GORU",
    "LNLSTM",
    "RUM",
    "ARUMCell",
    "Attention",
    "BucketedRNN",
    "EUNNCell",
    "ExplicitStateRNN",
    "FSRNNCell",
    "GORUCell",
    "LNLSTMCell",
    "OneHotEmbedding",
    "QuestionEncoder",
    "RUMCell",
    "SentenceEncoder",
]
