"""What scikit-learn asks of an estimator, without importing it: that takes longer than ranking a few networks."""

from __future__ import annotations

import inspect
from typing import Any, TypeVar

from cg_ir.errors import CgError

_Self = TypeVar("_Self", bound="Estimator")


class Estimator:
    """Base of regressors whose parameters are the arguments of their constructor, for pipelines, cross-validation and searches over parameters.

    ``sklearn.base.clone`` and whatever builds on it go by these methods; tags are those of ``RegressorMixin``, asked for when scikit-learn asks.
    """

    _estimator_type = "regressor"

    @classmethod
    def _parameters(cls) -> dict[str, inspect.Parameter]:
        found = inspect.signature(cls.__init__).parameters
        return {name: parameter for name, parameter in found.items() if name != "self"}

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The constructor's arguments by name; none of them is an estimator, so ``deep`` changes nothing."""
        return {name: getattr(self, name) for name in self._parameters()}

    def set_params(self: _Self, **params: Any) -> _Self:
        """Change some of them.

        Raises:
            CgError: there is no such argument.
        """
        known = self._parameters()
        for name, value in params.items():
            if name not in known:
                raise CgError(f"{type(self).__name__} has no parameter '{name}'; there are {', '.join(known)}")
            setattr(self, name, value)
        return self

    def __sklearn_tags__(self) -> Any:
        from sklearn.base import BaseEstimator, RegressorMixin

        return type("Reference", (RegressorMixin, BaseEstimator), {})().__sklearn_tags__()

    def __repr__(self) -> str:
        changed = [
            f"{name}={getattr(self, name)!r}"
            for name, parameter in self._parameters().items()
            if repr(getattr(self, name)) != repr(parameter.default)
        ]
        return f"{type(self).__name__}({', '.join(changed)})"
