"""The Hub is played by a folder: what is asked for, how often, and what is believed."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import pytest

from openautoglm import AutoModel
from openautoglm.zoo import hub, store


class Refused(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(f"the Hub says {status}")
        self.response = SimpleNamespace(status_code=status)


@pytest.fixture
def played(monkeypatch, tmp_path):
    """A Hub that holds openautoglm-nano; ``errors`` come first."""
    monkeypatch.setenv("OPENAUTOGLM_HOME", str(tmp_path / "cache"))
    calls = SimpleNamespace(asked=[], errors=[], waits=[], uploaded=[])

    def snapshot_download(repository, *, revision, local_dir, allow_patterns):
        calls.asked.append((repository, revision))
        if calls.errors:
            raise calls.errors.pop(0)
        assert not any(
            pattern.endswith((".bin", ".pt", ".py", "*")) and "/" not in pattern for pattern in allow_patterns
        )
        shutil.copytree(store.RELEASED / "openautoglm-nano", local_dir, dirs_exist_ok=True)
        return str(local_dir)

    class Api:
        def create_repo(self, repository, *, private, exist_ok):
            if calls.errors:
                raise calls.errors.pop(0)
            return f"https://huggingface.co/{repository}"

        def upload_folder(self, *, repo_id, folder_path, revision, allow_patterns, delete_patterns):
            calls.uploaded.append((repo_id, Path(folder_path).name, revision))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    monkeypatch.setattr(hub.time, "sleep", calls.waits.append)
    return calls


@pytest.mark.parametrize("address", ["hf://me/nano", "hf-hub:me/nano"])
def test_a_model_of_the_hub_is_loaded(played, address):
    net = AutoModel.from_pretrained(address)
    assert sum(parameter.numel() for parameter in net.parameters()) > 400_000
    assert played.asked == [("me/nano", None)]


def test_a_broken_download_is_repeated_after_one_and_three_seconds(played):
    played.errors = [ConnectionError("reset"), ConnectionError("reset")]
    assert store.find("hf://me/nano@v1").config["architecture"] == "openautoglm-nano"
    assert played.asked == [("me/nano", "v1")] * 3
    assert played.waits == [1.0, 3.0]


def test_three_attempts_are_enough(played):
    played.errors = [ConnectionError("unreachable")] * 3
    with pytest.raises(hub.HubError, match=r"cannot be fetched .unreachable"):
        store.find("hf://me/nano")
    assert len(played.asked) == 3


def test_what_was_fetched_serves_without_a_network(played):
    store.find("hf://me/nano")
    played.errors = [ConnectionError("unreachable")] * 3
    assert store.find("hf://me/nano").config["architecture"] == "openautoglm-nano"


@pytest.mark.parametrize("status", [401, 404])
def test_a_refusal_is_final(played, status):
    played.errors = [Refused(status)]
    with pytest.raises(hub.HubError, match=f"says {status}"):
        store.find("hf://me/nano")
    assert played.waits == []


def test_a_busy_hub_is_asked_again(played):
    played.errors = [Refused(429), Refused(503)]
    store.find("hf://me/nano")
    assert played.waits == [1.0, 3.0]


def test_a_changed_file_is_refused(played):
    folder = hub.fetch("hf://me/nano")
    with (folder / "model.safetensors").open("r+b") as file:
        file.seek(5000)
        file.write(b"x")
    with pytest.raises(ValueError, match="corrupt"):
        store.check(store.Artifact(folder))


@pytest.mark.parametrize("address", ["hf://", "hf://me", "hf://me/nano/../../x", "hf://a b/c"])
def test_wrong_addresses(played, address):
    with pytest.raises(hub.HubError, match="expected hf://owner/name"):
        store.find(address)
    assert played.asked == []


def test_an_artifact_is_put_there(played):
    page = AutoModel.push_to_hub(store.RELEASED / "openautoglm-nano", "hf://me/mine")
    assert page == "https://huggingface.co/me/mine"
    assert played.uploaded == [("me/mine", "openautoglm-nano", None)]
    played.errors = [Refused(403)]
    with pytest.raises(hub.HubError, match="hf auth login"):
        AutoModel.push_to_hub("openautoglm-nano", "hf://them/theirs")
