"""bAbI, the twenty question-answering tasks of arXiv:1502.05698: read, written and generated.

Text only: no file names but the official ones, no vocabulary, no arrays.
"""
