"""One training at a time; cancel, reload and restart lose nothing."""

import io
import os
import signal

import pytest
from PIL import Image
from waiting import wait_for

from openautoglm.zoo import store


def state(client, place="/api/projects/mine"):
    return client.get(f"{place}/training").json()["state"]


def test_nothing_is_trained_at_first(client, filled):
    assert client.get(f"{filled}/training").json()["state"] == "none"
    for path, method in (("training", "delete"), ("files/model.pte", "get")):
        assert client.request(method, f"{filled}/{path}").status_code == 409
    assert client.post(f"{filled}/recognize?runtime=litert", content=b"x").status_code == 409


def test_progress_is_seen_also_by_a_new_server(client, filled, played):
    client.post(f"{filled}/training", json={"estimate": True})
    for one in (client, played.open()):
        found = wait_for(lambda one=one: (it := one.get(f"{filled}/training").json())["trainings"] and it)
        assert (found["state"], found["busy"], found["num_pictures"]) == ("running", "mine", 12)
        assert (found["stage"], found["fold"], found["num_folds"]) == ("finetune", 1, 3)
        assert 0.05 < found["share"] < 0.1  # half of one of 6.2
        assert len(found["trainings"][0]["losses"]) == 6


def test_one_training_at_a_time(client, filled, played, jpegs):
    client.post(f"{filled}/training", json={})
    client.post("/api/projects", json={"name": "other"})
    for row, gesture in enumerate(("a", "b")):
        client.post("/api/projects/other/gestures", json={"name": gesture})
        for picture in jpegs[5 * row : 5 * row + 5]:
            client.post(f"/api/projects/other/gestures/{gesture}/pictures", content=picture)
    for place in (filled, "/api/projects/other"):
        answer = client.post(f"{place}/training", json={})
        assert (answer.status_code, "mine is being trained" in answer.json()["error"]) == (409, True)
    assert len(played.runs) == 1


def test_cancel_ends_the_process_and_the_run_can_go_on(client, filled, played):
    client.post(f"{filled}/training", json={"estimate": False})
    pid = played.trainings().status(played.trainings().projects.find("mine")).record.pid
    answer = client.delete(f"{filled}/training").json()
    assert (answer["state"], answer["can_go_on"], answer["busy"]) == ("cancelled", True, None)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    client.post(f"{filled}/training", json={"go_on": True})
    assert state(client) == "running"
    played.finish(played.runs[0])
    wait_for(lambda: state(client) == "complete")
    assert len(played.runs) == 1


def test_changed_pictures_need_a_new_training(client, filled):
    client.post(f"{filled}/training", json={})
    client.delete(f"{filled}/gestures/fist/pictures/session1_0006.jpg")
    answer = client.delete(f"{filled}/training").json()
    assert (answer["is_current"], answer["can_go_on"]) == (False, False)
    assert client.post(f"{filled}/training", json={"go_on": True}).status_code == 409


def test_a_killed_training_can_go_on(client, filled, played):
    client.post(f"{filled}/training", json={})
    wait_for(lambda: client.get(f"{filled}/training").json()["trainings"])
    os.kill(played.trainings().status(played.trainings().projects.find("mine")).record.pid, signal.SIGKILL)
    wait_for(lambda: state(client) == "stopped")
    assert client.post(f"{filled}/training", json={"go_on": True}).json()["state"] == "running"


def test_a_failed_training_says_why(client, filled, played):
    client.post(f"{filled}/training", json={})
    played.finish(played.runs[0], "fail")
    wait_for(lambda: state(client) != "running")
    found = client.get(f"{filled}/training").json()
    assert (found["state"], found["error"]) == ("failed", "the disk is made of cheese")


def test_result_is_told_handed_out_and_tried(client, filled, played, jpegs):
    pytest.importorskip("ai_edge_litert")
    client.post(f"{filled}/training", json={})
    played.finish(played.runs[0])
    wait_for(lambda: state(client) == "complete")
    result = client.get(f"{filled}/training").json()["result"]
    assert (result["accuracy"]["top1"], result["accuracy"]["low"]) == (0.9, 0.75)
    assert "Of new pictures 90.0" in result["accuracy"]["text"]
    facts = {file["name"]: (file["runtime"], file["latency"]) for file in result["files"]}
    assert facts["model.tflite"] == ("litert", "0.25\u202fms")
    assert set(facts) == {"model.pte", "model.tflite", "model.onnx", "manifest.json", "report.html"}

    net = client.get(f"{filled}/files/model.tflite")
    assert net.content == store.find("openautoglm-nano-crops").program("tflite").read_bytes()
    assert 'filename="model.tflite"' in net.headers["content-disposition"]
    report = client.get(f"{filled}/files/report.html")
    assert "sandbox" in report.headers["content-security-policy"]
    for name in ("run.json", "model.safetensors", "..%2frun.json", "artifact%2fconfig.json"):
        assert client.get(f"{filled}/files/{name}").status_code == 404

    answer = client.post(f"{filled}/recognize?runtime=litert", content=jpegs[0]).json()
    (hand,) = answer["hands"]
    assert hand["label"] in store.find("openautoglm-nano-crops").config["classes"]
    assert 0 < hand["score"] <= 1
    assert hand["box_px"] == [0, 0, 60, 40]
    assert answer["latency_ms"] > 0
    assert client.post(f"{filled}/recognize?runtime=litert", content=b"no picture").status_code == 415
    assert client.post(f"{filled}/recognize?runtime=abacus", content=jpegs[0]).status_code == 422


def test_the_last_result_stays_in_use_while_the_next_is_made(client, filled, played):
    client.post(f"{filled}/training", json={})
    played.finish(played.runs[0])
    wait_for(lambda: state(client) == "complete")
    client.post(f"{filled}/training", json={})
    found = client.get(f"{filled}/training").json()
    assert (found["state"], found["result"]["run"]) == ("running", str(played.runs[0]))
    assert client.delete(f"{filled}/training").json()["result"]["run"] == str(played.runs[0])


@pytest.mark.parametrize("grouped_by", [None, "person, session or video in the names"])
def test_frames_of_one_recording_are_warned_of(tmp_path, grouped_by):
    from player import results

    from openautoglm.bench.result import from_plain, write_results
    from openautoglm.studio.views import result_view

    estimate = {**results()["estimate"], "grouped_by": grouped_by, "num_groups": 2}
    write_results(tmp_path, from_plain({**results(), "estimate": estimate}))
    assert ("Frames of one recording are alike" in result_view(tmp_path)["accuracy"]["text"]) == (grouped_by is None)


def test_unmeasured_is_called_unmeasured(tmp_path):
    from player import results

    from openautoglm.bench.result import from_plain, write_results
    from openautoglm.studio.views import result_view

    write_results(tmp_path, from_plain({**results(), "estimate": None}))
    accuracy = result_view(tmp_path)["accuracy"]
    assert accuracy["top1"] is None
    assert accuracy["text"].startswith("Not measured")


def test_pictures_that_were_decoded_are_what_is_tried(client, filled, played):
    """A picture on its side is tried upright, as it would be trained on."""
    pytest.importorskip("ai_edge_litert")
    client.post(f"{filled}/training", json={})
    played.finish(played.runs[0])
    wait_for(lambda: state(client) == "complete")
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    Image.new("RGB", (60, 40)).save(file, "JPEG", exif=exif)
    answer = client.post(f"{filled}/recognize?runtime=litert", content=file.getvalue()).json()
    assert (answer["width"], answer["height"]) == (40, 60)
