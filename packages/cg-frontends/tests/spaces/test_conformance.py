"""The built-in spaces keep the contract that outsiders are held to."""

from __future__ import annotations

from cg_ir import get_space
from cg_ir.plugins import SearchSpace
from cg_ir.testing import SpaceSuite


class TestNasBench101(SpaceSuite):
    def make(self) -> SearchSpace:
        return get_space("nb101")


class TestNasBench201(SpaceSuite):
    def make(self) -> SearchSpace:
        return get_space("nb201")


class TestNasBench201Unpruned(SpaceSuite):
    def make(self) -> SearchSpace:
        return get_space("nb201?pruned=false")


class TestNasBench301(SpaceSuite):
    def make(self) -> SearchSpace:
        return get_space("nb301")


class TestMobileNetV3(SpaceSuite):
    def make(self) -> SearchSpace:
        return get_space("mobilenetv3")


class TestMobileNetV3Fixed(SpaceSuite):
    def make(self) -> SearchSpace:
        return get_space("mobilenetv3?resolution=224")


class TestNatsBenchSize(SpaceSuite):
    def make(self) -> SearchSpace:
        return get_space("natssize")


class TestMnasNet(SpaceSuite):
    def make(self) -> SearchSpace:
        return get_space("mnasnet")


class TestTransNasBench101(SpaceSuite):
    def make(self) -> SearchSpace:
        return get_space("transnas")


class TestTransNasMicro(SpaceSuite):
    def make(self) -> SearchSpace:
        return get_space("transnas?level=micro")


class TestTransNasMacro(SpaceSuite):
    def make(self) -> SearchSpace:
        return get_space("transnas?level=macro")


class TestAutoFormer(SpaceSuite):
    def make(self) -> SearchSpace:
        return get_space("autoformer")


class TestMetaQnn(SpaceSuite):
    def make(self) -> SearchSpace:
        return get_space("metaqnn")


class TestNaap440(SpaceSuite):
    def make(self) -> SearchSpace:
        return get_space("naap440")
