"""``python -m outlay.gpu``: readings of this machine's NVIDIA GPUs, sent to Outlay as OTLP metrics. Needs ``outlay[gpu]``."""
