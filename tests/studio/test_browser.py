"""A person at the page, played by a headless Chromium with a fake camera: record, train, try, download."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from browser import Browser, find_chromium
from hands import as_jpeg, draw_hands, write_camera
from waiting import wait_for

ROOT = Path(__file__).parents[2]
QUICK = (
    "stages.finetune.epochs=2 stages.finetune.at_least=64 stages.finetune.learning_rate=5e-4 "
    "stages.quantize.epochs=1 stages.quantize.at_least=64 stages.verify.rounds=2 trainer.accelerator=cpu"
)
PALM = "手 掌"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_chromium() is None, reason="there is no Chromium here: apt-get install chromium"),
]


@pytest.fixture
def studio(tmp_path):
    """Address and folder of a studio that runs as a person would start it."""
    processes = pytest.importorskip("openautoglm.studio.processes")
    pytest.importorskip("fastapi")
    pytest.importorskip("executorch")
    words = ["port=0", "open=false", f"home={tmp_path / 'photos, mine'}", "num_folds=2", f"settings={QUICK}"]
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "scripts" / "studio.py"), *words],
        cwd=tmp_path,
        env={**os.environ, "OPENAUTOGLM_HOME": str(tmp_path / "cache")},
        stdout=subprocess.PIPE,
        text=True,
    )
    line = process.stdout.readline()
    (address,) = re.findall(r"http://127\.0\.0\.1:\d+", line)
    yield address, tmp_path
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    for record in (tmp_path / "photos, mine").glob("*/.training.json"):  # of a test that failed half-way
        known = json.loads(record.read_text())
        processes.end(processes.Running(pid=known["pid"], started=known["process_started"]))


def count(browser: Browser, gesture: str) -> int:
    """How many pictures the page says there are."""
    text = browser.js(f"document.querySelector('[data-name=\"{gesture}\"] .count').textContent")
    return int(re.match(r"\d+", text)[0])


def drop(browser: Browser, selector: str, name: str, content: bytes, kind: str = "image/jpeg") -> None:
    """Drop a file onto an element."""
    browser.js(
        f"""(() => {{
          const bytes = Uint8Array.from(atob("{base64.b64encode(content).decode()}"), (char) => char.charCodeAt(0));
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([bytes], {json.dumps(name)}, {{type: "{kind}"}}));
          const event = new DragEvent("drop", {{dataTransfer, bubbles: true, cancelable: true}});
          document.querySelector({json.dumps(selector)}).dispatchEvent(event);
        }})()"""
    )


def shown(browser: Browser, identity: str) -> bool:
    return bool(browser.js(f"document.getElementById('{identity}').checkVisibility()"))


def record_first(browser: Browser, address: str) -> None:
    """By mouse, with names picked and typed; a picture is deleted, a wrong file dropped."""
    browser.open(address)
    assert browser.js("document.getElementById('train').disabled")
    browser.press(".chip")
    browser.wait("document.querySelector('.gesture[data-name=\"thumbs up\"]')")
    browser.type("#gesture-name", PALM)
    browser.press("#add-gesture button.main")
    browser.wait(f"document.querySelector('.gesture[data-name=\"{PALM}\"]')")
    browser.press("#camera-on")
    browser.wait("document.getElementById('record-video').videoWidth > 0")
    held = browser.hold("[data-name='thumbs up'] .record")
    browser.wait("document.querySelectorAll('[data-name=\"thumbs up\"] .thumb').length >= 10")
    assert shown(browser, "recording")
    browser.release(held)
    time.sleep(1)
    before = count(browser, "thumbs up")
    browser.press("[data-name='thumbs up'] .thumb button")
    wait_for(lambda: count(browser, "thumbs up") == before - 1)
    browser.press("#camera-off")
    browser.wait("document.getElementById('record-video').hidden")
    assert browser.console == []
    drop(browser, f"[data-name='{PALM}']", "notes.txt", b"no picture", "text/plain")
    browser.wait("document.getElementById('toast').textContent.includes('notes.txt: This file is not a picture')")
    browser.console.clear()  # the browser notes the refusal


def record_second(browser: Browser, address: str) -> None:
    """By keyboard, after a reload of everything; further pictures are dropped."""
    browser.open(address)
    assert count(browser, "thumbs up") >= 9
    browser.press("#camera-on")
    browser.wait("document.getElementById('record-video').videoWidth > 0")
    browser.js(f"document.querySelector('[data-name=\"{PALM}\"] .record').focus()")
    browser.key(" ", hold=lambda: wait_for(lambda: count(browser, PALM) >= 8))
    time.sleep(1)
    before = count(browser, PALM)
    drop(browser, f"[data-name='{PALM}']", "anna_1.jpg", as_jpeg(draw_hands("palm", 1, seed=9)[0]))
    wait_for(lambda: count(browser, PALM) == before + 1)


def train(browser: Browser, address: str) -> None:
    """Cancelled, gone on with, and looked at again after a reload."""
    browser.wait("!document.getElementById('train').disabled")
    browser.press("#train")
    browser.wait("document.getElementById('cancel').checkVisibility()", 60)
    browser.press("#cancel")
    browser.wait("document.getElementById('go-on').checkVisibility()")
    assert "Cancelled" in browser.text()
    browser.press("#go-on")
    browser.wait("document.getElementById('cancel').checkVisibility()")
    browser.open(address)
    assert shown(browser, "train-busy")
    browser.wait("document.querySelector('#chart-loss svg')", 120)
    browser.wait("document.getElementById('train-share').value > 0.1", 120)
    browser.wait("document.getElementById('train-lead').textContent.startsWith('Done')", 900)


def test_records_trains_recognises_and_downloads(studio, tmp_path):
    address, place = studio
    cameras = {name: write_camera(tmp_path / f"{name}.mjpeg", draw_hands(name, 16)) for name in ("like", "palm")}
    with Browser(tmp_path / "first", camera=cameras["like"]) as browser:
        record_first(browser, address)
    with Browser(tmp_path / "second", camera=cameras["palm"]) as browser:
        record_second(browser, address)
        train(browser, address)
        browser.press("#try-on")
        browser.wait(f"document.getElementById('answer-label').textContent === {json.dumps(PALM)}", 60)
        browser.wait("document.getElementById('answer-score').textContent.endsWith('%')")
        assert re.search(r"[\d.]+ ms with model\.pte", browser.text())
        assert shown(browser, "try-box")
        assert re.search(r"Of new pictures [\d.]+\s%", browser.text())
        (run,) = (place / "runs" / "finetune_int8").iterdir()
        for name in ("model.pte", "model.tflite", "model.onnx", "report.html"):
            browser.press(f"#files [data-name='{name}'] a[download]")
            original = run / name if name == "report.html" else run / "artifact" / "programs" / name
            got = browser.downloads / name
            wait_for(lambda got=got, original=original: got.is_file() and got.read_bytes() == original.read_bytes())
        drop(browser, "#try-stage", "one.jpg", as_jpeg(draw_hands("like", 1, seed=4)[0]))
        browser.wait("document.getElementById('try-picture').checkVisibility()")
        assert browser.console == []
    assert len(list((place / "photos, mine" / "my gestures" / PALM).glob("*.jpg"))) >= 7


def test_works_without_a_camera(studio, tmp_path):
    address, _ = studio
    with Browser(tmp_path / "blind") as browser:
        browser.open(address)
        browser.press(".chip")
        browser.wait("document.querySelector('.gesture')")
        browser.press("#camera-on")
        browser.wait("document.getElementById('record-words').textContent.toLowerCase().includes('drop pictures')")
        for row, hand in enumerate(draw_hands("like", 3)):
            drop(browser, ".gesture", f"me_{row}.jpg", as_jpeg(hand))
        wait_for(lambda: count(browser, "thumbs up") == 3)
        assert "thumbs up needs 2 more pictures." in browser.text()
        browser.press("#new-project")
        browser.type("#ask-input", "second")
        browser.key("Enter")
        browser.wait("document.getElementById('project').value === 'second'")
        browser.wait("document.querySelectorAll('.gesture').length === 0")
        browser.resize(390, 844, phone=True)
        assert browser.js("document.documentElement.scrollWidth") == 390
        assert browser.console == []
