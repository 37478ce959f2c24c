"""The picture of offsets and bounds: what it shows is what was measured."""

from __future__ import annotations

import importlib.util
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from healthcheck import output, plot
from healthcheck.__main__ import main
from healthcheck.check import Result
from healthcheck.plot import Plot
from tests.healthcheck.test_forms import RESULTS, result
from tests.healthcheck.test_verdict import NTP, REFUSED, sample
from tests.support.healthcheck_servers import ntp, tells, web


def drawn_on_axes(drawing: Plot) -> Any:
    """The axes of matplotlib that it draws on; imported here, as that takes seconds."""
    from matplotlib.figure import Figure

    axes = Figure().add_subplot()
    drawing.draw(axes)
    return axes


def test_each_instance_has_its_offset_with_its_bound_at_its_time() -> None:
    checked = result([sample(0.1), sample(-0.2, 1, "b"), sample(0.1, 2)])
    drawing = Plot()
    drawing.add(checked)
    bars = {one.get_label(): one for one in drawn_on_axes(drawing).containers}
    assert set(bars) == {one.name for one in checked.verdict.instances} == {"a", "b"}
    for one in checked.verdict.instances:
        points, _, (lines,) = bars[one.name].lines
        ((low, high),) = ([y for _, y in ends] for ends in lines.get_segments())
        assert (low, high) == pytest.approx((one.error.low * 1e3, one.error.high * 1e3))
        last = max(sent.arrived for sent in checked.reading.samples if sent.instance == one.name)
        seconds = points.get_xdata()[0] * 86_400 - checked.reading.samples[0].before.epoch
        assert seconds == pytest.approx(last, abs=1e-3)


def test_a_check_without_an_offset_is_a_line() -> None:
    drawing = Plot()
    for checked in (result([], NTP, REFUSED), result([sample()])):
        drawing.add(checked)
    assert "tab:red" in [line.get_color() for line in drawn_on_axes(drawing).lines]


@pytest.mark.parametrize(
    "results",
    [
        pytest.param([RESULTS["nothing measured"]], id="nothing"),
        pytest.param([RESULTS["the year 0"]], id="the year 0"),
        pytest.param([RESULTS["own defect"]], id="a defect"),
        pytest.param(RESULTS.values(), id="everything"),
    ],
)
def test_whatever_was_found_can_be_drawn(results: Iterable[Result]) -> None:
    drawing = Plot()
    for one in results:
        drawing.add(one)
    ElementTree.fromstring(drawing.drawn(".svg"))  # noqa: S314 - our own


def test_names_are_drawn_as_they_are() -> None:
    drawing = Plot()
    for name in ("$a$", "_b", "<c>&", "$"):
        drawing.add(result([sample(instance=name)]))
    texts = "".join(ElementTree.fromstring(drawing.drawn(".svg")).itertext())  # noqa: S314 - our own
    for name in ("$a$", "_b", "<c>&"):
        assert name in texts


def test_it_does_not_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plot, "MOST", 3)
    drawing = Plot()
    for _ in range(9):
        drawing.add(result([sample(), sample(at=1)]))
    assert len(drawn_on_axes(drawing).collections[0].get_segments()) == 3


def test_the_command_draws_a_png(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "offsets.png"
    with web(tells()) as service, ntp() as server:
        assert main([service.url, "--ntp", server.name, "--plot", str(file)]) == 0
    kind, width, height = struct.unpack(">8s8x2I", file.read_bytes()[:24])
    assert (kind, width > 1000, height > 500) == (b"\x89PNG\r\n\x1a\n", True, True)
    assert list(tmp_path.iterdir()) == [file]
    assert capsys.readouterr().out.startswith("OK ")


def test_the_command_draws_all_checks_at_the_end_and_seldom_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn, file = [], tmp_path / "offsets.svg"

    def note(drawing: Plot, form: str) -> bytes:
        drawn.append(len(drawing._verdicts))
        return b"-"

    monkeypatch.setattr(Plot, "drawn", note)
    with web(tells()) as service, ntp() as server:
        arguments = [service.url, "--ntp", server.name, "--every", "0.01", "--count", "5"]
        assert main([*arguments, "--plot", str(file)]) == 0
    assert drawn == [1, 5]
    assert output.DRAWN_EVERY >= 10


def test_a_picture_that_cannot_be_written_is_unknown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "missing" / "offsets.svg"
    assert main(["127.0.0.1:9", "--reference", "local", "--plot", str(file)]) == 3
    assert f"{file} cannot be written: No such file or directory" in capsys.readouterr().err


@pytest.mark.parametrize("file", ["offsets.gif", "offsets", ".svg"])
def test_another_form_of_picture_is_wrong_usage(
    file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["http://example.org", "--plot", file])
    assert ended.value.code == 3
    assert f"{file} does not end in .png or .svg" in capsys.readouterr().err


def test_without_matplotlib_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit) as ended:
        main(["http://example.org", "--plot", "offsets.svg"])
    assert ended.value.code == 3
    assert "pip install matplotlib" in capsys.readouterr().err
