"""The one trainer, its run folders, checkpoints and evaluation.

Says what happens through `Listener`; printing is for `rumcli.reporting`.
"""
