"""Tables of pictures as Hugging Face ``datasets`` lays them out: parquet folders, saved data sets, the Hub.

Parquet folders are read row group by row group where they lie: ``datasets`` would first copy them into a cache of its
own, and takes brackets in a path for a pattern. Their column types still come from ``datasets``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openautoglm.data.cache import content_key, file_hash
from openautoglm.home import cache_dir

if TYPE_CHECKING:
    import datasets

_BATCH_ROWS = 256
_HUB = "hf://"


class NoSplitError(ValueError):
    """A data set can be read and has no split of that name.

    Attributes:
        splits: those that it has.
    """

    def __init__(self, sentence: str, splits: Sequence[str]) -> None:
        super().__init__(f"{sentence} {_names(splits)}")
        self.splits = frozenset(splits)


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of one split.

    Attributes:
        features: column name to its ``datasets`` type.
        num_rows: how many rows it has.
        fingerprint: changes when the content does.
        read: the rows of some columns, in batches, a list a column.
    """

    features: Mapping[str, Any]
    num_rows: int
    fingerprint: str
    read: Callable[[Sequence[str]], Iterator[Mapping[str, list[Any]]]]


def open_table(root: str | Path, split: str) -> Table:
    """Find a split of a data set.

    Args:
        root: a folder with parquet files (``train-00000-of-00006.parquet``, ``train/0.parquet``), a folder written
            by ``save_to_disk``, any other folder that ``datasets.load_dataset`` reads, or ``hf://owner/name``, the
            one form that uses the network.
        split: its name.
    """
    if str(root).startswith(_HUB):
        return _datasets_split(_load(str(root).removeprefix(_HUB).removeprefix("datasets/")), split, str(root))
    folder = Path(root).expanduser()
    if folder.is_dir():
        files = sorted(folder.rglob("*.parquet"))
        if files:
            return _parquet_split(folder, files, split)
        if any((folder / name).exists() for name in ("dataset_dict.json", "state.json")):
            return _datasets_split(_load_saved(folder), split, str(root))
        if not any(folder.iterdir()):
            raise ValueError(f"the folder {root} is empty; expected parquet files or a data set saved by datasets")
        return _datasets_split(_load(str(folder)), split, str(root))
    if folder.exists():
        raise ValueError(f"{root} is a file; give the folder that holds the parquet files")
    raise ValueError(
        f"there is no folder {root}; give a folder with parquet files, or hf://owner/name for a data set on the Hub"
    )


def open_files(root: str | Path, pattern: str) -> Table:
    """Read the parquet files of a folder whose names match a pattern, such as ``"unlabelled-*.parquet"``."""
    folder = Path(root).expanduser()
    files = sorted(folder.rglob(pattern)) if folder.is_dir() else []
    if not files:
        raise ValueError(f"no file in {root} matches {pattern!r}; correct the pattern or leave unlabelled pictures out")
    return _parquet_table(folder, files)


def _parquet_split(folder: Path, files: Sequence[Path], split: str) -> Table:
    splits = [_split_of(path.relative_to(folder)) for path in files]
    chosen = [path for path, found in zip(files, splits, strict=True) if found == split]
    if not chosen:
        raise NoSplitError(f"{folder} has no split {split!r}; its parquet files hold", splits)
    return _parquet_table(folder, chosen)


def _split_of(path: Path) -> str:
    """``train/0000.parquet`` and ``data/train-00000-of-00002.parquet`` are ``train``."""
    shard = re.fullmatch(r"(.+?)([-_.]\d+)+([-_.]of[-_.]\d+)?([-_.][0-9a-f]{16})?", path.stem)
    name = shard.group(1) if shard else path.stem
    return path.parent.name if name.isdigit() and path.parent.name else name


def _parquet_table(folder: Path, files: Sequence[Path]) -> Table:
    import datasets
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        opened = [pq.ParquetFile(path) for path in files]
    except (OSError, pa.ArrowInvalid) as error:
        raise ValueError(f"a parquet file of {folder} cannot be read: {error}") from None
    features = datasets.Features.from_arrow_schema(opened[0].schema_arrow)
    for path, file in zip(files, opened, strict=True):
        if file.schema_arrow.names != opened[0].schema_arrow.names:
            raise ValueError(f"{path} has the columns {_names(file.schema_arrow.names)}, {files[0].name} has others")

    def read(columns: Sequence[str]) -> Iterator[Mapping[str, list[Any]]]:
        for path, file in zip(files, opened, strict=True):
            try:
                for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=list(columns)):
                    yield batch.to_pydict()
            except (OSError, pa.ArrowInvalid) as error:
                raise ValueError(f"{path} is damaged: {error}") from None

    return Table(
        features=features,
        num_rows=sum(file.metadata.num_rows for file in opened),
        fingerprint=content_key(*((str(path.relative_to(folder)), file_hash(path)) for path in files)),
        read=read,
    )


def _datasets_split(found: datasets.DatasetDict, split: str, root: str) -> Table:
    import datasets

    if split not in found:
        raise NoSplitError(f"{root} has no split {split!r}; it has", list(found))
    rows = found[split]
    assert isinstance(rows, datasets.Dataset)

    def read(columns: Sequence[str]) -> Iterator[Mapping[str, list[Any]]]:
        chosen = rows.select_columns(list(columns))
        for column in columns:
            if isinstance(rows.features[column], datasets.Image):
                chosen = chosen.cast_column(column, datasets.Image(decode=False))
        for batch in chosen.iter(batch_size=_BATCH_ROWS):
            assert isinstance(batch, dict)
            yield batch

    return Table(features=rows.features, num_rows=len(rows), fingerprint=rows._fingerprint, read=read)


def _load_saved(folder: Path) -> datasets.DatasetDict:
    import datasets

    try:
        found = datasets.load_from_disk(str(folder))
    except Exception as error:  # damaged files raise many kinds
        raise ValueError(f"datasets cannot read {folder}: {_first_line(error)}") from None
    return found if isinstance(found, datasets.DatasetDict) else datasets.DatasetDict({"train": found})


def _load(root: str) -> datasets.DatasetDict:
    import datasets

    try:
        found = datasets.load_dataset(root, cache_dir=str(cache_dir() / "datasets"))
    except Exception as error:  # network, layout, data: each raises its own kinds
        raise ValueError(
            f"datasets cannot load {root!r} ({_first_line(error)}); give a folder with parquet files, or "
            "hf://owner/name for a data set on the Hub that this machine can reach"
        ) from None
    assert isinstance(found, datasets.DatasetDict)
    return found


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _names(names: Sequence[str]) -> str:
    return ", ".join(sorted(set(names)))
