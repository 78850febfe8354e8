"""What a conversion lends to programs for the time of a forward pass, it takes back, whatever happens."""

from __future__ import annotations

import ctypes

import pytest

torch = pytest.importorskip("torch")
from torch.nn import functional as F  # noqa: E402
from torch_programs import Program, agree, random  # noqa: E402

from cg_frontends.pytorch import from_module  # noqa: E402
from cg_frontends.pytorch.devices import ListIndices, known_devices  # noqa: E402


def lent():
    """What stands where conversions put something of their own."""
    return torch.tensor, torch.as_tensor, torch.autocast.__init__, torch.Tensor.new_tensor


def test_everything_is_given_back_after_an_error():
    before, own = lent(), set(vars(torch.Tensor))

    def forward():
        with known_devices():
            assert lent() != before
            raise RuntimeError("forward")

    with pytest.raises(RuntimeError, match="forward"):
        forward()
    assert lent() == before
    assert set(vars(torch.Tensor)) == own


def test_literals_on_meta_have_the_shape_and_type_of_the_usual_ones():
    x = torch.zeros(2, 3, device="meta")
    with known_devices(), ListIndices():
        made = [
            torch.tensor([1, 2], device=x.device),
            torch.as_tensor(2.5, device="meta"),
            x.new_tensor([1, 2]),
            x[:, [2, 0]],
            x[[[0], [1]], [1, 2]],
        ]
    wanted = [
        torch.tensor([1, 2]),
        torch.as_tensor(2.5),
        torch.zeros(1).new_tensor([1, 2]),
        torch.zeros(2, 2),
        torch.zeros(2, 2),
    ]
    assert [(t.shape, t.dtype, t.device.type) for t in made] == [(t.shape, t.dtype, "meta") for t in wanted]


def test_other_indices_are_as_ever():
    x = torch.arange(6.0).reshape(2, 3)
    with known_devices(), ListIndices():
        assert x[:, [2, 0]].tolist() == [[2.0, 0.0], [5.0, 3.0]]
        assert x.to("meta")[torch.tensor([0, 1, 1])].shape == (3, 3)
        assert x.to("meta")[0, 1:, None].shape == (2, 1)


@pytest.mark.parametrize("take", [lambda x: x[:, [2, 0]], lambda x: x[:, [[0], [1]], [1, 2]], lambda x: x[..., [-1]]])
def test_a_program_that_indexes_with_lists_takes_what_torch_takes(take):
    from_module(Program(take), random(1, 3, 4), verify=True)


def test_tensors_are_no_sequences_after_a_conversion():
    """For C they are none, and torch's older exporter relies on it; a method that was replaced for a while would make them some for good."""
    from_module(Program(lambda x: x[:, [2, 0]]), torch.zeros(1, 3))
    assert not ctypes.pythonapi.PySequence_Check(ctypes.py_object(torch.zeros(())))


def test_autocast_on_the_device_of_the_input():
    def forward(x):
        with torch.autocast(x.device.type, enabled=False):
            return x.float() * 2

    agree(Program(forward), random(2, 5, 8))
    with torch.autocast("cpu", enabled=False):  # left as it was
        assert torch.tensor([1.0], device="meta").is_meta


@pytest.mark.parametrize("make", [torch.tensor, torch.as_tensor])
def test_literals_keep_their_elements_where_the_device_of_the_input_is_the_default(make):
    def masked(x):
        with x.device:
            return F.scaled_dot_product_attention(x, x, x, getattr(torch, make.__name__)([[True, False], [True, True]]))

    graph = from_module(Program(masked), torch.zeros(1, 1, 2, 4))
    assert [node.attrs["is_causal"] for node in graph.nodes if node.op == "Attention"] == [True]


def test_default_devices_are_heeded_after_a_program_that_sets_one():
    constructors = torch.utils._device._device_constructors
    constructors.cache_clear()  # as in a new process

    def forward(x):
        with torch.device("cpu"):
            return x + torch.ones(3)

    from_module(Program(forward), torch.zeros(1, 3))
    with torch.device("meta"):
        assert torch.tensor([1.0]).is_meta
        assert torch.as_tensor([1.0]).is_meta
