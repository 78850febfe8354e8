"""The file of AnalogNAS-Bench."""

from __future__ import annotations

from pathlib import Path

from label_files import write_analog

from cg_ir import get_benchmark


def test_analog(tmp_path: Path) -> None:
    table = get_benchmark("analog-nasbench").open(str(write_analog(tmp_path)))
    # edges 1-2, 1-3, 1-4, 2-3, 2-4, 3-4 of the key (0, 1, 2, 3, 4, 0)
    arch = "|skip_connect~0|+|none~0|nor_conv_1x1~1|+|nor_conv_3x3~0|avg_pool_3x3~1|skip_connect~2|"
    assert table.metrics[0] == "baseline_accuracy"
    assert table.query(arch, "baseline_accuracy") == 91.0
    assert table.query(arch, "analog_drift_60") == 86.0
