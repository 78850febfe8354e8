"""The official tables of NAS-Bench-101, ``nasbench_only108.tfrecord`` and ``nasbench_full.tfrecord``, read without TensorFlow.

A TFRecord file is a sequence of records: length (8 bytes, little endian), its masked CRC-32C, the data and their masked CRC-32C. The data of a
record are JSON: module hash, epochs, adjacency matrix as digits, operators, and a ``ModelMetrics`` message of Protocol Buffers in base 64
(github.com/google-research/nasbench, ``model_metrics.proto``).
"""

from __future__ import annotations

import base64
import binascii
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from cg_frontends.benchmarks.progress import progress
from cg_frontends.benchmarks.table import LabelTable, Rows
from cg_frontends.spaces.nb101_cell import read_cell
from cg_ir import ArchError, SourceError

_LIMIT = 2**24
#: Fields of EvaluationData and what they are called here.
_FIELDS = {2: "train_time", 3: "train", 4: "valid", 5: "test"}


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ 0x82F63B78 if byte & 1 else byte >> 1
        table.append(byte)
    return table


_CRC = _crc_table()


def crc32c(data: bytes) -> int:
    """CRC-32C (Castagnoli) of some bytes."""
    value = 0xFFFFFFFF
    for byte in data:
        value = _CRC[(value ^ byte) & 0xFF] ^ (value >> 8)
    return value ^ 0xFFFFFFFF


def _masked(data: bytes) -> int:
    value = crc32c(data)
    return ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(file: IO[bytes], source: str) -> Iterator[bytes]:
    """The records of a TFRecord file. The checksums of lengths are verified, those of the data, which would take hours, are not.

    Raises:
        SourceError: the file is damaged or no TFRecord file.
    """
    number = 0
    while True:
        head = file.read(12)
        if not head:
            return
        number += 1
        if len(head) < 12:
            raise SourceError(f"{source}: record {number} is cut off")
        length, check = struct.unpack("<QI", head)
        if length > _LIMIT or _masked(head[:8]) != check:
            raise SourceError(f"{source}: record {number} is damaged, or this is no TFRecord file")
        data = file.read(length + 4)
        if len(data) < length + 4:
            raise SourceError(f"{source}: record {number} is cut off")
        yield data[:length]


def read_nb101(path: Path) -> LabelTable:
    """The table in an official TFRecord file: accuracies after the last epoch, averaged over the repeated trainings.

    Metrics are ``valid_108ep``, ``test_108ep``, ``train_108ep``, ``train_time_108ep`` (seconds), the same for other numbers of epochs, and ``params``.

    Raises:
        SourceError: the file cannot be read or has another layout.
    """
    rows = Rows()
    spelled: dict[tuple[str, str], str] = {}
    try:
        with open(path, "rb") as file:
            for number, data in enumerate(progress(records(file, str(path)), f"reading {path.name}"), 1):
                try:
                    _, epochs, adjacency, operators, raw = json.loads(data)
                    arch = spelled.get((adjacency, operators))
                    if arch is None:
                        arch = spelled[adjacency, operators] = _arch(adjacency, operators)
                    rows.add(arch, _metrics(base64.b64decode(raw, validate=True), int(epochs)))
                except (ValueError, TypeError, IndexError, ArchError, binascii.Error, struct.error) as error:
                    raise SourceError(f"{path}: record {number} is no training result: {error}"[:300]) from None
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror or error}") from None
    return rows.table(str(path), ("valid_108ep", "test_108ep"), lambda arch: str(read_cell(arch)))


def _arch(adjacency: str, operators: str) -> str:
    names = operators.split(",")
    size = len(names)
    if len(adjacency) != size * size:
        raise ValueError(f"{size} operators have a matrix of {size * size} entries, not {len(adjacency)}")
    matrix = [[int(digit) for digit in adjacency[size * row : size * (row + 1)]] for row in range(size)]
    return str(read_cell((matrix, names)))


def _metrics(message: bytes, epochs: int) -> dict[str, float]:
    """Labels from a ModelMetrics message."""
    labels: dict[str, float] = {}
    for field, value in _message(message):
        if field == 1 and isinstance(value, bytes):
            # evaluations come in the order of training; the last one stays
            for inner, number in _message(value):
                if inner in _FIELDS and isinstance(number, float):
                    labels[f"{_FIELDS[inner]}_{epochs}ep"] = number
        elif field == 2 and isinstance(value, int):
            labels["params"] = float(value)
    if not labels:
        raise ValueError("it has no evaluation")
    return labels


def _message(data: bytes) -> Iterator[tuple[int, int | float | bytes]]:
    """Fields of a Protocol Buffers message: integers, doubles, bytes."""
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        field, kind = tag >> 3, tag & 7
        if kind == 0:
            number, place = _varint(data, place)
            yield field, number
        elif kind == 1:
            yield field, struct.unpack_from("<d", data, place)[0]
            place += 8
        elif kind == 2:
            length, place = _varint(data, place)
            if place + length > len(data):
                raise ValueError("a field is cut off")
            yield field, data[place : place + length]
            place += length
        elif kind == 5:
            yield field, struct.unpack_from("<f", data, place)[0]
            place += 4
        else:
            raise ValueError(f"a field of the unknown kind {kind}")


def _varint(data: bytes, place: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        byte = data[place]
        result |= (byte & 0x7F) << shift
        place += 1
        if not byte & 0x80:
            return result, place
        shift += 7
        if shift > 63:
            raise ValueError("an integer of more than 64 bits")
