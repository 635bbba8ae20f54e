"""bAbI, the twenty question-answering tasks of arXiv:1502.05698: parser, dataset, task."""
