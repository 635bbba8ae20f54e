"""Names of the accelerators that the backend uses."""

from __future__ import annotations

import keras


def names() -> list[str]:
    """Return the name of each accelerator, such as "NVIDIA H200"; empty on a CPU."""
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
        # TensorFlow has a name for a GPU, but no details of a TPU.
        return [
            known.get("device_name", device.device_type)
            for device, known in zip(devices, details, strict=True)
        ]
    return []
