"""Measured latencies, and the networks that were measured."""

from __future__ import annotations

from cg_ir import GraphBuilder
from cg_predict.latency_tables import DEVICES, _measured_key


def block():
    """A convolution with batch normalisation and ReLU, from 3 to 40 channels on 8 x 8."""
    b = GraphBuilder("block")
    x = b.add("Conv", b.input((1, 3, 8, 8)), channels=40, kernel_shape=(3, 3), pads=(1, 1, 1, 1))
    b.output(b.add("Relu", b.add("BatchNormalization", x)))
    return b.build()


def test_merged_networks_stand_where_they_were_measured():
    networks = {("net", 8, merged): block() for merged in (False, True)}
    b = GraphBuilder("more")
    b.output(b.add("Conv", b.input((1, 3, 8, 8)), channels=9000, kernel_shape=(3, 3), pads=(1, 1, 1, 1)))
    networks["net", 8, False] = b.build()
    row = {"arch": "net", "img_size": "8", "param_count": f"{networks['net', 8, True].params / 1e6:.2f}"}
    machines = {d.name: d for d in DEVICES}
    assert _measured_key(row, machines["rtx4090"], networks) == ("net", 8, True)
    assert _measured_key(row, machines["rtx3090"], networks) == ("net", 8, False)
    whole = row | {"param_count": f"{networks['net', 8, False].params / 1e6:.2f}"}
    assert _measured_key(whole, machines["rtx4090"], networks) == ("net", 8, False)
