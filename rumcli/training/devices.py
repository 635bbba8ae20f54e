"""What the backend computes on besides the processor: GPUs and the like, by their names."""

from __future__ import annotations

import keras


def names() -> list[str]:
    """Return the name of each, such as "NVIDIA H200"; of none if the processor computes."""
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        return [device.device_kind for device in jax.devices() if device.platform != "cpu"]
    if backend == "torch":
        import torch

        return [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())]
    if backend == "tensorflow":
        import tensorflow as tf

        devices = [one for one in tf.config.get_visible_devices() if one.device_type != "CPU"]
        details = map(tf.config.experimental.get_device_details, devices)
        # Of a GPU TensorFlow knows the name, of a TPU nothing.
        return [
            known.get("device_name", device.device_type)
            for device, known in zip(devices, details, strict=True)
        ]
    return []
