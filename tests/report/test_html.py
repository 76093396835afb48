import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from openautoglm.bench.result import MistakeResult, Results, write_results
from openautoglm.report import plots
from openautoglm.report.html import render, write_report

VOID = {"img", "meta", "br", "wbr"}


class Page(HTMLParser):
    """Collects tags, addresses and visible text; refuses tags that do not close."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.addresses, self.words = [], [], [], []
        self.feed(text)
        assert self.open == []
        self.text = re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for key, value in attrs if key in ("src", "href", "xlink:href", "srcset")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for key, value in attrs if key in ("src", "href", "xlink:href")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.words.append(data.strip())


@pytest.fixture(scope="module")
def run_folder(fake, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    fake.write_fake_run(folder)
    return folder


@pytest.fixture(scope="module")
def page_text(run_folder):
    path = write_report(run_folder)
    assert path == run_folder / "report.html"
    return path.read_text(encoding="utf-8")


def test_the_page_needs_nothing_else(page_text):
    page = Page(page_text)
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert page.addresses
    assert all(address.startswith(("data:image/", "#")) for address in page.addresses)
    assert not re.search(r"url\((?!#)", page_text)
    assert "@import" not in page_text
    assert not re.search(r"\son\w+=", page_text)


def test_the_headline_says_what_it_is_and_costs(page_text):
    text = Page(page_text).text
    assert re.search(r"The INT8 file model\.pte names 9\d\.\d % of 3,000 test pictures right, takes 1\.28 MB and "
                     r"answers in 0\.80 ms", text)  # fmt: skip
    assert "taught by mobilenetv4_conv_small" in text
    assert "seed 0" in text


def test_every_part_is_there(page_text, fake):
    text = Page(page_text).text
    for model in (
        "teacher",
        "student alone",
        "student distilled",
        "student QAT",
        "model.pte",
        "model.tflite",
        "model.onnx",
    ):
        assert model in text
    for part in ("Training", "Which gestures are mixed up", "Recall of each class", "Mistakes", "The pictures",
                 "Time of each stage", "How to get this again"):  # fmt: skip
        assert part in text
    assert "data.root=~/手势 (1)" in text
    assert "停止_手掌向前" in text
    assert "in float: linear_head" in text
    assert "41 convolution, 5 linear" in text
    assert "24,000 train, 2,000 dev, 3,000 test" in text
    assert page_text.count("data:image/png;base64,") == 18
    assert "data:image/jpeg;base64," in page_text


def test_programs_stand_beside_those_of_another_net(page_text):
    text = Page(page_text).text
    assert "Beside openautoglm-dense" in text
    assert re.search(
        r"model\.pte ExecuTorch 1\.00× 1\.28 MB of 1\.28 MB 1\.00× 0\.80 ms \(0\.78–0\.85\) of 0\.80 ms", text
    )
    assert "−0.48 −0.76 to −0.21 97.4 % against 97.9 % on 5,012 pictures" in text
    assert "model.onnx ONNX Runtime 0.50× 1.28 MB of 2.57 MB 0.75×" in text


def test_without_shared_pictures_only_bytes_and_time_are_compared(fake, tmp_path):
    results = fake.fake_results()
    rows = tuple(replace(row, num_samples=None, top1=None, reference_top1=None, difference=None, ci95=None)
                 for row in results.comparisons)  # fmt: skip
    text = Page(render(replace(results, comparisons=rows), tmp_path)).text
    assert "Beside openautoglm-dense" in text
    assert "points won" not in text


def test_what_people_wrote_is_escaped(page_text):
    assert "ok/&lt;b&gt;x&lt;/b&gt;.png" in page_text


def test_figures_follow_the_theme_and_no_placeholder_is_left(page_text):
    assert page_text.count('class="plot"') == 8
    assert "#0102" not in page_text
    assert "var(--blue)" in page_text
    assert "prefers-color-scheme: dark" in page_text


def test_the_same_run_gives_the_same_page(run_folder, page_text):
    assert write_report(run_folder).read_text(encoding="utf-8") == page_text


@pytest.mark.parametrize(
    "part",
    ["command", "seconds", "data", "device", "commit", "started", "per_class", "confusion", "contact_sheet",
     "int8_cost", "stages", "curves", "models", "mistakes", "versions", "seed",
     "comparisons"],
)  # fmt: skip
def test_any_part_may_be_missing(fake, tmp_path, part, monkeypatch):
    # Drawing is tested elsewhere and takes most of the time.
    monkeypatch.setattr(plots, "_svg", lambda *_, **__: "<svg></svg>")
    Page(render(fake.without_part(fake.fake_results(), part), tmp_path))


def test_figures_of_a_row_may_be_missing(fake, tmp_path):
    results = replace(fake.fake_results(), curves={})
    for name in ("top1", "size_kb", "size_ratio", "latency_ms", "latency_ratio", "census", "agreement", "architecture"):
        Page(render(replace(results, models=tuple(replace(m, **{name: None}) for m in results.models)), tmp_path))


def test_a_run_under_way_says_so(fake, tmp_path):
    results = fake.fake_results()
    begun = replace(results, status="running", models=results.models[:2], stages=results.stages[:2],
                    curves={"teach": results.curves["teach"], "alone": results.curves["alone"][:1]})  # fmt: skip
    text = Page(render(begun, tmp_path)).text
    assert "has not finished" in text
    assert "Stages done: teach, alone" in text
    assert "The student alone names 95.5 %" in text


def test_a_failed_run_gives_its_reason_and_simulated_figures_say_so(fake, tmp_path):
    failed = replace(fake.fake_results(), status="failed", error="linear_head stayed in float", measured=False)
    text = Page(render(failed, tmp_path)).text
    assert "linear_head stayed in float" in text
    assert "simulated, not measured" in text


def test_a_folder_without_results_takes_the_command_from_run_json(tmp_path):
    folder = tmp_path / "kd" / "2025-01-01"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text('{"command": "python scripts/train.py recipe=kd"}')
    text = Page(write_report(folder).read_text(encoding="utf-8")).text
    assert "kd: no model has been tested yet" in text
    assert "recipe=kd" in text


def test_broken_results_are_refused_and_the_old_page_stays(fake, tmp_path):
    (tmp_path / "report.html").write_text("old")
    (tmp_path / "results.json").write_text("{")
    with pytest.raises(ValueError, match="not readable JSON"):
        write_report(tmp_path)
    assert (tmp_path / "report.html").read_text() == "old"
    with pytest.raises(ValueError, match="is no folder"):
        write_report(tmp_path / "missing")


def test_pictures_outside_the_run_or_broken_stay_out(tmp_path, fake):
    folder = tmp_path / "run"
    folder.mkdir()
    fake._hand(fake.np.random.default_rng(0)).save(tmp_path / "secret.png")
    (folder / "broken.png").write_bytes(b"no picture")
    names = ("../secret.png", str(tmp_path / "secret.png"), "broken.png", "missing.png", ".")
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    mistakes = tuple(MistakeResult(name, "a", "b", None, name) for name in (*names, "link.png"))
    write_results(folder, Results(recipe="kd", mistakes=mistakes, contact_sheet="../secret.png"))
    text = write_report(folder).read_text(encoding="utf-8")
    assert "data:image/" not in text
    assert text.count("no picture") == 6


def test_no_mistake_at_all(fake, tmp_path):
    results = fake.fake_results()
    matrix = tuple(tuple(5 * (i == j) for j in range(19)) for i in range(19))
    perfect = replace(results, confusion=replace(results.confusion, matrix=matrix), mistakes=())
    assert "every test picture was named right" in Page(render(perfect, tmp_path)).text
