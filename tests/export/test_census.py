"""Counting operations."""

from __future__ import annotations

from openautoglm.export.census import Operation, count


def test_counts():
    census = count(
        [
            Operation("Conv", "convolution", "int8", "stem", fused_activation=True),
            Operation("Conv", "convolution", "float", "body"),
            Operation("Gemm", "linear", "int8", "head"),
            Operation("MatMul", "matmul", "float", "attention"),
            Operation("Add", "other", "int8", "skip"),
            Operation("Add", "other", "int8", "skip2"),
            Operation("aten::roll", "other", "float", "#3", delegated=False),
        ],
        num_partitions=2,
    )
    assert census.int8_heavy == {"convolution": 1, "linear": 1}
    assert census.float_heavy == ("Conv body",)
    assert not census.is_int8
    assert census.matmul == {"float": 1}
    assert census.other == {"Add int8": 2, "aten::roll float": 1}
    assert (census.num_fused_activations, census.num_partitions, census.outside) == (1, 2, ("aten::roll #3",))


def test_a_program_without_heavy_operations_is_not_int8():
    assert not count([Operation("Add", "other", "int8", "skip")]).is_int8


def test_attention_in_float_does_not_spoil_int8():
    operations = [Operation("Conv", "convolution", "int8", "stem"), Operation("MatMul", "matmul", "float", "attention")]
    assert count(operations).is_int8
