"""Every layer that a model of a run can have, for `keras.saving.load_model`.

`import rumcli.layers` makes them known to Keras, which does not import what a file names.
"""

from rumcli.cells.arum import ARUM, ARUMCell
from rumcli.cells.eunn import EUNN, EUNNCell
from rumcli.cells.fs_rnn import FSRNN, FSRNNCell
from rumcli.cells.goru import GORU, GORUCell
from rumcli.cells.ln_lstm import LNLSTM, LNLSTMCell
from rumcli.cells.rum import RUM, RUMCell
from rumcli.models.attention import Attention, QuestionEncoder, SentenceEncoder
from rumcli.models.bucketed_rnn import BucketedRNN
from rumcli.models.embedding import OneHotEmbedding
from rumcli.models.explicit_state_rnn import ExplicitStateRNN

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
