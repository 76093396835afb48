"""What the page can do to projects and pictures, and what nobody can."""

import re
from pathlib import Path

import pytest

import openautoglm

PAGE = Path(openautoglm.__file__).parent / "studio" / "page"
PLACE = "/api/projects/mine/gestures"


def test_page_and_all_that_it_names_are_served(client):
    answer = client.get("/")
    assert answer.headers["content-type"].startswith("text/html")
    for name in re.findall(r'(?:src|href)="(/page/[^"]+)"', answer.text):
        assert client.get(name).status_code == 200, name
    for path in PAGE.iterdir():
        assert client.get(f"/page/{path.name}").content == path.read_bytes()


def test_page_asks_nobody_else(client):
    policy = client.get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for path in PAGE.iterdir():
        addresses = re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"']*", path.read_text(encoding="utf-8"))
        assert set(addresses) <= {"http://www.w3.org/2000/svg"}, path.name


@pytest.mark.parametrize("name", ["studio.py", "..%2fserver.py", "%2e%2e/server.py"])
def test_no_other_file_is_served(client, name):
    assert client.get(f"/page/{name}").status_code == 404


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8610", "127.0.0.1.evil.example", "10.0.0.7:8610", ""])
def test_other_names_of_this_machine_are_refused(client, host):
    answer = client.get("/api/projects", headers={"host": host})
    assert answer.status_code == 403
    assert answer.json()["error"].endswith(".")


@pytest.mark.parametrize("host", ["127.0.0.1:8610", "localhost:8610", "[::1]:8610"])
def test_own_names_are_served(client, host):
    assert client.get("/api/projects", headers={"host": host}).status_code == 200


def test_open_studio_is_known_by_numbers_only(played):
    client = played.open(host="0.0.0.0")
    assert client.get("/api/projects", headers={"host": "192.168.1.5:8610"}).status_code == 200
    assert client.get("/api/projects", headers={"host": "evil.example"}).status_code == 403


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "", "http://127.0.0.1:9999", "http://localhost:8610"]
)
def test_other_sites_cannot_change_anything(client, origin):
    for method, place in (("POST", "/api/projects"), ("DELETE", f"{PLACE}/fist")):
        answer = client.request(method, place, json={"name": "mine"}, headers={"origin": origin})
        assert answer.status_code == 403
    assert client.get("/api/projects").json()["projects"] == []


def test_a_project_is_a_folder_of_folders(client, filled, played):
    view = client.get(filled).json()
    assert [(gesture["name"], len(gesture["pictures"])) for gesture in view["gestures"]] == [("fist", 6), ("手 掌", 6)]
    assert view["needs"] == []
    assert (played.place / "my studio" / "mine" / "手 掌" / "session1_0001.jpg").is_file()

    from openautoglm.data.folder import FolderGestures

    found = FolderGestures(root=view["folder"], dev_fraction=0.0, test_fraction=0.0, image_size=32)
    assert found.class_names() == ("fist", "手 掌")


def test_what_is_missing_is_said(client, jpegs):
    client.post("/api/projects", json={"name": "mine"})
    assert client.get("/api/projects/mine").json()["needs"] == ["Add two gestures or more."]
    client.post(PLACE, json={"name": "fist"})
    client.post(PLACE, json={"name": "ok"})
    for picture in jpegs[:4]:
        client.post(f"{PLACE}/ok/pictures", content=picture)
    needs = client.get("/api/projects/mine").json()["needs"]
    assert needs == ["fist needs 5 more pictures.", "ok needs 1 more picture."]
    answer = client.post("/api/projects/mine/training", json={})
    assert (answer.status_code, answer.json()["error"]) == (409, " ".join(needs))


def test_names_that_are_taken_or_lead_elsewhere_are_refused(client, filled, played):
    for name, status in (("Fist", 409), ("..", 400), ("a/b", 400), ("", 400)):
        assert client.post(PLACE, json={"name": name}).status_code == status
    assert client.post("/api/projects", json={"name": "../outside"}).status_code == 400
    assert client.post("/api/projects", json={"nom": "x"}).status_code == 422
    assert client.get("/api/projects/..").status_code == 404
    assert sorted(path.name for path in played.place.iterdir()) == ["my studio"]


def test_pictures_are_shown_and_deleted(client, filled, jpegs):
    place = f"{PLACE}/fist/pictures"
    shown = client.get(f"{place}/session1_0002.jpg")
    assert shown.headers["content-type"] == "image/jpeg"
    assert client.delete(f"{place}/session1_0002.jpg").json()["gestures"][0]["pictures"][1] == "session1_0003.jpg"
    assert client.get(f"{place}/session1_0002.jpg").status_code == 404
    for name in ("..%2f..%2fsecret", ".training.json", "%2e%2e"):
        assert client.get(f"{place}/{name}").status_code == 404
    assert [it["name"] for it in client.delete(f"{PLACE}/fist").json()["gestures"]] == ["手 掌"]


def test_dropped_files_keep_their_names(client, filled, jpegs):
    place = f"{PLACE}/fist/pictures"
    names = [client.post(place, params={"name": "anna_1.png"}, content=it).json()["name"] for it in jpegs[12:14]]
    assert names == ["anna_1.jpg", "anna_1 (2).jpg"]
    answer = client.post(place, params={"name": "notes.png"}, content=b"hello")
    assert answer.status_code == 415
    assert "not a picture" in answer.json()["error"]


def test_copies_are_not_counted_twice(client, filled, jpegs):
    answer = client.post(f"{PLACE}/手 掌/pictures", params={"name": "copy.jpg"}, content=jpegs[0])
    assert (answer.status_code, answer.json()["error"]) == (409, "This picture is already in fist.")
    frame = client.post(f"{PLACE}/fist/pictures", params={"session": 2}, content=jpegs[0])
    assert (frame.status_code, frame.json()["name"]) == (200, None)


def test_uploads_are_limited(client, filled, monkeypatch, jpegs):
    answer = client.post(f"{PLACE}/fist/pictures", content=b"\xff" * 20_000_001)
    assert (answer.status_code, answer.json()["error"]) == (413, "Too large: a file has 20 MB at most.")
    monkeypatch.setattr("openautoglm.studio.projects.MAX_PICTURES", 12)
    answer = client.post(f"{PLACE}/fist/pictures", content=jpegs[20])
    assert (answer.status_code, "full" in answer.json()["error"]) == (413, True)


def test_recordings_stay_whole_in_the_estimate(client, filled, jpegs, played):
    project = played.trainings().projects.find("mine")
    assert project.num_folds(3) == 3  # one recording a gesture: nothing tells them apart
    for row, gesture in enumerate(("fist", "手 掌")):
        for picture in jpegs[12 + 2 * row : 14 + 2 * row]:
            client.post(f"{PLACE}/{gesture}/pictures", params={"session": 2}, content=picture)
    assert project.num_folds(3) == 2
    assert [gesture.num_sessions for gesture in project.gestures()] == [2, 2]
