"""One of several processes that train one model: what they add up goes over TensorFlow's network.

`tf.distribute.MultiWorkerMirroredStrategy` makes the cluster. Keras can't train under it, so that
nothing else of it is used: each process has a model of its own, and the collective operations of
the cluster add up gradients and figures. See docs/distributed.md.
"""

from __future__ import annotations

import contextlib
import math
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from rumcli.errors import RunError
from rumcli.training.group import Group, MeanGradients
from rumcli.training.link import Link

Tensor = Any

_GROUP = 1  # the one group that there is: all processes


class Together(Group):
    """One of several processes.

    To be made before anything is computed: TensorFlow's cluster has to be there first.

    Args:
        link: Knows the others, and whether they are there.
        threads: That TensorFlow may use in this process; None: as many as it likes.
    """

    def __init__(self, link: Link, threads: int | None) -> None:
        self.rank, self.count = link.rank, len(link.cluster)
        self._link = link
        if threads is not None:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
        resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
            tf.train.ClusterSpec({"worker": list(link.cluster)}),
            task_type="worker",
            task_id=self.rank,
            rpc_layer="grpc",
        )
        with self.watched():
            self._strategy = tf.distribute.MultiWorkerMirroredStrategy(resolver)

    def sum(self, values: np.ndarray) -> np.ndarray:
        """Return the sum over all processes, in float64; all have to ask, in the same order."""
        with self.watched():
            return self._reduce(tf.constant(np.asarray(values, "float64"))).numpy()

    def mean_gradients(self) -> MeanGradients:
        """Return what makes the gradients' means over all processes of one's own."""
        return self._means

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Turn what the block raises because another process is gone into one line."""
        try:
            yield
        except tf.errors.OpError as error:
            # The network tells at once that it broke; who broke it is known a moment later.
            if reason := self._link.reason():
                raise RunError(reason) from error
            raise

    def _means(
        self, gradients: Sequence[Tensor], weights: Sequence[keras.Variable]
    ) -> list[Tensor]:
        """Return the means of the gradients, as one message over the network.

        The loss is a mean over the batch, and all shares of the batch are equally large, so that
        these are the gradients of the whole batch.
        """
        dense = [
            None if one is None else keras.ops.convert_to_tensor(one, sparse=False)
            for one in gradients
        ]
        flat = tf.concat([tf.reshape(one, [-1]) for one in dense if one is not None], axis=0)
        # Of what the fused loop returns, TensorFlow does not know the shape beforehand.
        shapes = [
            tuple(weight.shape)
            for weight, one in zip(weights, dense, strict=True)
            if one is not None
        ]
        sizes = [math.prod(shape) for shape in shapes]
        total = self._reduce(tf.ensure_shape(flat, [sum(sizes)])) / self.count
        parts = zip(tf.split(total, sizes), shapes, strict=True)
        return [None if one is None else tf.reshape(*next(parts)) for one in dense]

    def _reduce(self, tensor: Tensor) -> Tensor:
        # TensorFlow tells sums apart by a number, and wants one shape and type for each.
        name = f"{tf.executing_eagerly()} {tensor.dtype.name} {tuple(tensor.shape)}"
        return tf.raw_ops.CollectiveReduceV2(
            input=tensor,
            group_size=self.count,
            group_key=_GROUP,
            instance_key=zlib.crc32(name.encode()) & 0x7FFFFFFF,
            ordering_token=[],
            merge_op="Add",
            final_op="Id",
        )
