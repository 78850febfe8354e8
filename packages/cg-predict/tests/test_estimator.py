"""The methods that scikit-learn goes by, against scikit-learn's own base class."""

from __future__ import annotations

import subprocess
import sys

import pytest
from sklearn.base import BaseEstimator, RegressorMixin, clone, is_regressor

from cg_ir import CgError
from cg_predict import LatencyPredictor
from cg_predict.estimator import Estimator


class Own(Estimator):
    def __init__(self, depth=3, *, name="x", options=None):
        self.depth, self.name, self.options = depth, name, options


class Theirs(RegressorMixin, BaseEstimator):
    def __init__(self, depth=3, *, name="x", options=None):
        self.depth, self.name, self.options = depth, name, options


def test_parameters_are_those_of_scikit_learn():
    own, theirs = Own(4, options=[1]), Theirs(4, options=[1])
    assert own.get_params() == theirs.get_params()
    assert own.set_params(name="y") is own
    assert own.get_params() == theirs.set_params(name="y").get_params()
    assert repr(own) == repr(theirs).replace("Theirs", "Own")
    with pytest.raises(CgError, match="no parameter 'width'; there are depth, name, options"):
        own.set_params(width=1)


def test_scikit_learn_takes_it_for_a_regressor():
    assert is_regressor(Own())
    if hasattr(Theirs, "__sklearn_tags__"):  # from scikit-learn 1.6 on
        assert Own().__sklearn_tags__() == Theirs().__sklearn_tags__()
    copy = clone(LatencyPredictor("raspi4", exclude=("timm",)))
    assert copy.get_params() == {"device": "raspi4", "exclude": ("timm",), "batch": None}


def test_predicting_latency_imports_no_scikit_learn():
    code = (
        "import sys, cg_ir\nfrom cg_predict import LatencyPredictor\n"
        "b = cg_ir.GraphBuilder('n')\nx = b.add('Conv', b.input((1, 3, 8, 8)), channels=8, kernel_shape=(3, 3))\nb.output(x)\n"
        "assert LatencyPredictor('raspi4').predict([b.build()])[0] > 0\n"
        "print(*sorted({m.partition('.')[0] for m in sys.modules} & {'sklearn', 'torch', 'pandas'}))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []
