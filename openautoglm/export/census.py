"""What a program really runs in INT8: operations counted in the file that the runtime executes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Kind = Literal["convolution", "linear", "matmul", "other"]


@dataclass(frozen=True)
class Operation:
    """One node of a program.

    Attributes:
        name: of the kind, in the runtime's words.
        kind: convolution and linear are heavy; matmul is a product of two activations.
        dtype: what it computes in, ``"int8"`` or ``"float"``, or for bookkeeping any other word.
        where: how to find it again, such as a layer's name.
        fused_activation: whether it applies a ReLU or clamp on its way out.
        delegated: whether the runtime's fast kernels take it.
    """

    name: str
    kind: Kind
    dtype: str
    where: str
    fused_activation: bool = False
    delegated: bool = True


@dataclass(frozen=True)
class Census:
    """Counts of a program's operations.

    Attributes:
        int8_heavy: convolutions and linear layers in INT8, by kind.
        float_heavy: names of those that stayed float.
        matmul: products of two activations (attention), by dtype.
        other: everything else, by name and dtype.
        num_fused_activations: activations that cost no kernel of their own.
        num_partitions: pieces given to the delegate; 1 is best, 0 is none.
        outside: operations the delegate did not take.
    """

    int8_heavy: dict[str, int] = field(default_factory=dict)
    float_heavy: tuple[str, ...] = ()
    matmul: dict[str, int] = field(default_factory=dict)
    other: dict[str, int] = field(default_factory=dict)
    num_fused_activations: int = 0
    num_partitions: int = 0
    outside: tuple[str, ...] = ()

    @property
    def num_int8_heavy(self) -> int:
        """Convolutions and linear layers in INT8."""
        return sum(self.int8_heavy.values())

    @property
    def is_int8(self) -> bool:
        """Whether every heavy operation runs in INT8, and there is one."""
        return not self.float_heavy and self.num_int8_heavy > 0

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for results and manifests."""
        plain = asdict(self)
        plain["float_heavy"], plain["outside"] = list(self.float_heavy), list(self.outside)
        return plain | {"is_int8": self.is_int8, "num_int8_heavy": self.num_int8_heavy}


def count(operations: Iterable[Operation], *, num_partitions: int = 0) -> Census:
    """Sum up a program's operations."""
    operations = list(operations)
    heavy = [op for op in operations if op.kind in ("convolution", "linear")]
    return Census(
        int8_heavy=dict(Counter(op.kind for op in heavy if op.dtype == "int8")),
        float_heavy=tuple(f"{op.name} {op.where}" for op in heavy if op.dtype != "int8"),
        matmul=dict(Counter(op.dtype for op in operations if op.kind == "matmul")),
        other=dict(Counter(f"{op.name} {op.dtype}" for op in operations if op.kind == "other")),
        num_fused_activations=sum(op.fused_activation for op in operations),
        num_partitions=num_partitions,
        outside=tuple(f"{op.name} {op.where}" for op in operations if not op.delegated),
    )


def merge(censuses: Sequence[Census]) -> Census:
    """One census of a program in several files."""
    if len(censuses) == 1:
        return censuses[0]

    def add(name: str) -> dict[str, int]:
        total: Counter[str] = Counter()
        for census in censuses:
            total.update(getattr(census, name))
        return dict(total)

    return Census(
        int8_heavy=add("int8_heavy"),
        float_heavy=tuple(operation for census in censuses for operation in census.float_heavy),
        matmul=add("matmul"),
        other=add("other"),
        num_fused_activations=sum(census.num_fused_activations for census in censuses),
        num_partitions=sum(census.num_partitions for census in censuses),
        outside=tuple(operation for census in censuses for operation in census.outside),
    )
