import os
from pathlib import Path

import numpy as np
import pytest

from openautoglm.data import ParquetGestures
from openautoglm.data.splits import hash_position
from openautoglm.data.store import open_pictures

pytestmark = pytest.mark.usefixtures("own_cache")
FEW = {"train-00000-of-00002": [0, 1, 2] * 40, "train-00001-of-00002": [0] * 30, "validation-00000-of-00001": [0, 1, 2]}


def source(root: Path, **options) -> ParquetGestures:
    return ParquetGestures(
        **{"root": str(root), "id_column": "image_id", "image_size": 16, "dev_fraction": 0.2, **options}
    )


def test_slices_follow_the_hash_of_the_id(make_parquet):
    data = source(make_parquet(FEW), holdout_fraction=0.1)
    parts = {name: data.load(name) for name in ("train", "dev", "test")} | {"holdout": data.load_holdout()}
    assert data.class_names() == ("fist", "palm", "ok")
    assert sum(len(parts[name]) for name in ("train", "dev", "holdout")) == 150
    assert len(parts["test"]) == 3
    for name, low, high in (("dev", 0, 0.2), ("holdout", 0.2, 0.3), ("train", 0.3, 1)):
        assert len(parts[name])
        assert all(low <= hash_position(image_id) < high for image_id in parts[name].ids)


def test_pixels_labels_and_cache(make_parquet, own_cache: Path, monkeypatch: pytest.MonkeyPatch):
    root = make_parquet(FEW)
    train = source(root).load("train")
    assert train.images.shape == (len(train), 16, 16, 3)
    assert train.images.dtype == np.uint8
    assert isinstance(train.images, np.memmap)
    assert (train.images[:, :2] == 128).all()  # 24 x 18 pictures are padded above and below
    row = train.ids.index("train-00001-of-00002-3") if "train-00001-of-00002-3" in train.ids else None
    assert row is None or train.labels[row] == 0
    monkeypatch.setattr("openautoglm.data.parquet.write_pictures", None)  # the second time nothing is decoded
    again = source(root).load("train")
    assert (again.images == train.images).all()
    assert again.ids == train.ids
    assert again.fingerprint == train.fingerprint


def test_fingerprint_follows_content_not_place(make_parquet):
    one, two = (source(make_parquet(FEW, name=name)).load("train") for name in ("here", "there"))
    assert one.fingerprint == two.fingerprint
    other = source(make_parquet({**FEW, "train-00001-of-00002": [1] * 30}, name="changed")).load("train")
    assert other.fingerprint != one.fingerprint


@pytest.mark.parametrize("name", ["手势 数据", "Photos (1) [a]", "a,b=c#d'e", "données*?"])
def test_awkward_folders(make_parquet, name: str):
    assert len(source(make_parquet(FEW, name=name)).load("test")) == 3


def test_names_of_files_that_people_have(make_parquet):
    assert len(source(make_parquet({"train": [0, 1] * 30, "validation": [1]})).load("test")) == 1
    nested = make_parquet({"0000": [0, 1, 2]}, name="nested/validation").parent
    assert len(source(nested).load("test")) == 3


def test_saved_data_set_reads_the_same(make_parquet, tmp_path: Path):
    import datasets

    root = make_parquet(FEW)
    files = {split: sorted(str(path) for path in root.glob(f"{split}-*")) for split in ("train", "validation")}
    saved = datasets.load_dataset("parquet", data_files=files, cache_dir=str(tmp_path / "hf"))
    saved.save_to_disk(str(tmp_path / "saved"))
    one, two = source(root).load("train"), source(tmp_path / "saved").load("train")
    assert one.fingerprint == two.fingerprint
    assert one.ids == two.ids


def test_image_folder_of_datasets(make_folder):
    root = make_folder({"train/fist": 30, "train/palm": 30, "validation/fist": 2, "validation/palm": 1})
    data = source(root, id_column=None)
    assert data.class_names() == ("fist", "palm")
    assert np.bincount(data.load("test").labels).tolist() == [2, 1]
    assert len(data.load("train")) + len(data.load("dev")) == 60


def test_unlabelled_pictures_of_dev_and_test_stay_out(make_parquet):
    root = make_parquet(
        {**FEW, "unlabelled-00000-of-00001": [None] * 60},
        ids={
            "validation-00000-of-00001": ["x", "y", "unlabelled-7"],
            "unlabelled-00000-of-00001": [f"unlabelled-{n}" for n in range(60)],
        },
    )
    pool = source(root, unlabelled_files="unlabelled-*.parquet", holdout_fraction=0.1).load_unlabelled()
    assert (pool.labels == -1).all()
    expected = [f"unlabelled-{n}" for n in range(60) if n != 7 and hash_position(f"unlabelled-{n}") >= 0.3]
    assert list(pool.ids) == expected
    assert len(source(root).load("train")) < 150  # the pool is not train


def test_equal_pictures_share_a_slice_and_get_names(make_parquet, png):
    images = [png(1)] * 3 + [png(number) for number in range(2, 90)]
    root = make_parquet({"train": [0, 1] * 45 + [0], "validation": [0]}, images={"train": images})
    data = source(root, id_column=None)
    ids = {split: data.load(split).ids for split in ("train", "dev")}
    assert len({*ids["train"], *ids["dev"]}) == 91
    copies = [[name for name in names if "#" in name] for names in ids.values()]
    assert sorted(map(len, copies)) == [0, 2]


def test_damaged_pictures_and_lost_labels_are_named(make_parquet, png, caplog: pytest.LogCaptureFixture):
    images = [png(1), b"hello", png(2)[:200], png(3)]
    root = make_parquet({"validation": [0, 1, 1, None]}, images={"validation": images})
    test = source(root).load("test")
    assert test.ids == ("validation-0",)
    assert len(test.problems) == 3
    assert test.problems[0].startswith("validation-1: not a picture")
    assert "its label is None" in test.problems[2]
    assert "3 left out of 4" in caplog.text


def test_only_the_split_asked_for_is_needed(make_parquet):
    data = source(make_parquet({"validation": [0, 1, 2]}))
    assert data.class_names() == ("fist", "palm", "ok")
    assert len(data.load("test")) == 3
    with pytest.raises(ValueError, match="no split 'train'; its parquet files hold validation"):
        data.load("train")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_column": "photo"}, "no column 'photo'; it has image .*label .*image_id .*set image_column"),
        ({"label_column": "image_id"}, "'image_id' .* should be a ClassLabel; it has"),
        ({"image_column": "label"}, "'label' .* should be an Image; it has"),
        ({"id_column": "user"}, "no column 'user'"),
        ({"test_split": "test"}, "no split 'test'; its parquet files hold train, validation"),
        ({"dev_fraction": -0.1}, "dev_fraction=-0.1"),
        ({"dev_fraction": 0.5, "test_fraction": 0.5}, "test_fraction=0.5 leave nothing"),
    ],
)
def test_wrong_settings(make_parquet, options, message: str):
    with pytest.raises(ValueError, match=message):
        source(make_parquet(FEW), **options).load("test")


def test_without_a_test_split_it_is_cut_out_of_train(make_parquet):
    data = source(make_parquet({"train": [0, 1, 2] * 40}), holdout_fraction=0.1, test_fraction=0.3)
    parts = {name: data.load(name) for name in ("train", "dev", "test")} | {"holdout": data.load_holdout()}
    assert sum(map(len, parts.values())) == 120
    assert data.holds_out("test")
    for name, low, high in (("dev", 0, 0.2), ("holdout", 0.2, 0.3), ("test", 0.3, 0.6), ("train", 0.6, 1)):
        assert all(low <= hash_position(image_id) < high for image_id in parts[name].ids)


def test_nothing_is_held_out_if_asked_for(make_parquet):
    data = source(make_parquet({"train": [0, 1, 2] * 40}), dev_fraction=0.0, test_fraction=0.0)
    assert [len(data.load(split)) for split in ("train", "dev", "test")] == [120] * 3
    assert [data.holds_out(split) for split in ("train", "dev", "test")] == [True, False, False]
    kept = source(make_parquet(FEW, name="other"), dev_fraction=0.0, test_fraction=0.0)
    assert kept.holds_out("test")
    assert len(kept.load("test")) == 3


def test_wrong_roots(tmp_path: Path):
    for name in (tmp_path / "none", "owner/name"):  # only hf:// goes to the network
        with pytest.raises(ValueError, match=r"there is no folder .*hf://owner/name"):
            source(name).load("test")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="is empty"):
        source(tmp_path / "empty").load("test")
    (tmp_path / "empty" / "train.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(ValueError, match="cannot be read"):
        source(tmp_path / "empty").load("train")
    with pytest.raises(ValueError, match="is a file"):
        source(tmp_path / "empty" / "train.parquet").load("train")


def test_data_set_on_the_hub(make_parquet, monkeypatch: pytest.MonkeyPatch):
    import datasets

    rows = datasets.Dataset.from_parquet(str(make_parquet({"validation": [0, 1, 2]}) / "validation.parquet"))
    asked = []

    def load_dataset(name: str, cache_dir: str) -> datasets.DatasetDict:
        asked.append(name)
        return datasets.DatasetDict({"validation": rows})

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    assert len(source("hf://owner/name").load("test")) == 3
    assert asked[0] == "owner/name"

    def unreachable(name: str, cache_dir: str) -> datasets.DatasetDict:
        raise ConnectionError("no route\nto host")

    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    with pytest.raises(ValueError, match=r"cannot load 'owner/name' \(no route\); give a folder"):
        source("hf://owner/name").load("test")


def test_nothing_held_out_is_empty(make_parquet):
    assert len(source(make_parquet(FEW)).load_holdout()) == 0


def test_damaged_cache_says_which_folder(make_parquet, own_cache: Path):
    data = source(make_parquet(FEW))
    data.load("test")
    (folder,) = (own_cache / "pictures").iterdir()
    (folder / "test.json").write_text("{")
    with pytest.raises(ValueError, match=r"damaged .* delete that folder"):
        open_pictures(folder, "test", name="x", classes=("a",))


@pytest.mark.realdata
def test_hagrid_crops():
    root = os.environ.get("OPENAUTOGLM_TEST_DATA")
    if not root or not Path(root, "hagrid_crops").is_dir():
        pytest.skip("OPENAUTOGLM_TEST_DATA names no folder with hagrid_crops")
    data = ParquetGestures(
        root=str(Path(root, "hagrid_crops")),
        image_size=16,
        name="hagrid_crops",
        id_column="image_id",
        unlabelled_files="unlabelled-*.parquet",
        holdout_fraction=0.03,
    )
    train, dev, test, holdout = data.load("train"), data.load("dev"), data.load("test"), data.load_holdout()
    assert len(train) + len(dev) + len(holdout) == 45208
    assert len(test) == 348
    assert len(dev) + len(holdout) + len(test) >= 5000
    assert len(train.classes) == 19
    assert not {*train.ids} & {*dev.ids, *holdout.ids, *test.ids}
    pool = data.load_unlabelled()
    assert not {*pool.ids} & {*dev.ids, *holdout.ids, *test.ids}
    assert not train.problems
