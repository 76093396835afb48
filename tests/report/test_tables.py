import io
from dataclasses import replace

import pytest
from rich.console import Console

from openautoglm.bench.result import ModelResult, Results
from openautoglm.report import numbers, tables
from openautoglm.report.sweeps import summarize_sweep


def printed(table, width=80):
    console = Console(width=width, record=True, file=io.StringIO(), color_system=None)
    console.print(table)
    return console.export_text()


def test_final_table_fits_80_columns_with_nothing_cut(fake):
    text = printed(tables.final_table(fake.fake_results()))
    assert "…" not in text
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    first = [line.split()[0] for line in lines]
    assert first.index("model.pte") + 1 == first.index("float.pte")
    pte = next(line for line in lines if line.startswith("model.pte"))
    assert "1,285 0.30× 0.80 0.78–0.85 0.47× 46/46" in pte
    assert "−0.03" in pte


def test_columns_that_nothing_fills_are_left_out(fake):
    results = fake.fake_results()
    text = printed(tables.final_table(replace(results, models=results.models[:3])))
    assert "KB" not in text
    assert "97.9" in text


def test_an_empty_run_has_an_empty_table():
    assert "model" in printed(tables.final_table(Results(recipe="kd")))
    assert tables.markdown_table(Results(recipe="kd")).count("\n") == 2


def test_names_are_not_read_as_markup():
    results = Results(recipe="kd", models=(ModelResult("[red]x[/red]", top1=0.5),))
    assert "[red]x[/red]" in printed(tables.final_table(results))


def test_markdown_has_one_line_a_model(fake):
    results = fake.fake_results()
    lines = tables.markdown_table(results).splitlines()
    assert len(lines) == 2 + len(results.models)
    assert len({line.count("|") for line in lines}) == 1
    assert any(line.startswith("| `model.onnx` INT8 |") for line in lines)


def rows():
    figures = {"recipe=kd": (0.95, 0.96, 0.97), "recipe=dkd": (0.96, 0.98, 1.00)}
    return [
        tables.SweepRow(v, seed, top1, 1285.0, 0.8) for v, found in figures.items() for seed, top1 in enumerate(found)
    ]


def test_sweep_by_hand():
    first, second = summarize_sweep(rows())
    assert (first.mean, first.spread, first.difference) == (pytest.approx(0.96), pytest.approx(0.01), None)
    # differences 0.01, 0.02, 0.03
    assert second.difference.mean == pytest.approx(0.02)
    assert second.difference.ci95.low == pytest.approx(0.02 - 4.303 * 0.01 / 3**0.5)
    text = printed(tables.sweep_table(rows()))
    assert "+2.00 [−0.48, +4.48]" in text
    assert "98.00" in text


def test_differences_use_shared_seeds_only_and_failures_are_told():
    extra = [*rows(), tables.SweepRow("recipe=dkd", 7, 0.5), tables.SweepRow("recipe=dkd", 8, None)]
    second = summarize_sweep(extra)[1]
    assert second.difference.num_seeds == 3
    assert second.difference.mean == pytest.approx(0.02)
    assert (second.seeds, second.num_failed) == ((0, 1, 2, 7), 1)
    assert "4 of 5" in printed(tables.sweep_table(extra))


def test_a_seed_twice_is_refused_and_no_rows_are_fine():
    with pytest.raises(ValueError, match="seed 0 of 'recipe=kd' came twice"):
        tables.sweep_table([*rows(), tables.SweepRow("recipe=kd", 0, 0.5)])
    assert printed(tables.sweep_table([]))
    assert tables.sweep_markdown(rows()).count("\n") == 4


def test_sweep_row_speaks_of_the_exported_file(fake):
    row = tables.sweep_row(fake.fake_results(seed=2), variant="recipe=kd")
    assert row.seed == 2
    assert row.size_kb == pytest.approx(1285, abs=1)
    assert tables.sweep_row(Results(recipe="kd", seed=1), variant="x").top1 is None


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (numbers.points(-0.00001), "0.00"),
        (numbers.points(-0.0123), "−1.23"),
        (numbers.percent(None), "–"),
        (numbers.magnitude(1_070_000), "1.07\u202fM"),
        (numbers.size(999.4), "999\u202fKB"),
        (numbers.duration(59.7), "1\u202fmin 00\u202fs"),
        (numbers.duration(3725), "1\u202fh 02\u202fmin"),
        (numbers.milliseconds(12.345), "12.3\u202fms"),
    ],
)
def test_numbers_by_hand(written, expected):
    assert written == expected


def test_primary_prefers_the_exported_int8_file(fake):
    results = fake.fake_results()
    assert numbers.primary(results).name == "model.pte"
    assert numbers.primary(replace(results, models=results.models[:4])).name == "student QAT"
    assert numbers.primary(replace(results, models=results.models[:1])) is None
