"""The years below a chart: each whole, none cut off where the axis ends, on a desk and on a phone."""

import uuid

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from competition.services.backtest_requests import BacktestWish, ask_for
from competition.services.backtest_runs import run_backtest
from competition.services.backtests import Asker
from tests.browser.served import Site

# What is written on a canvas can be read only while it is written: each label, its ends, and how wide its canvas is.
LISTEN = """
    window.written = [];
    const write = CanvasRenderingContext2D.prototype.fillText;
    CanvasRenderingContext2D.prototype.fillText = function (text, x, y, ...rest) {
        const width = this.measureText(text).width;
        const left = this.textAlign === "center" ? x - width / 2 : this.textAlign === "right" ? x - width : x;
        written.push({ text: String(text), left, right: left + width, within: this.canvas.clientWidth });
        return write.call(this, text, x, y, ...rest);
    };
"""


def three_years() -> str:
    """The address of a finished backtest from 2021 to 2023."""
    wish = BacktestWish(
        agents=("equal-weight",),
        symbols=("BTCUSDT",),
        first="2021-01-01",
        last="2024-01-01",
        timeframe="1h",
        every="1w",
        source="synthetic",
    )
    backtest, is_work_left = ask_for(wish, Asker("command"), timezone.now())
    if is_work_left:
        assert run_backtest(backtest.key, timezone.now, uuid.uuid4())
    return f"/backtests/{backtest.key}/"


@pytest.mark.parametrize("width", [1280, 390])
def test_the_axis_names_whole_years_and_cuts_none_off(site: Site, page: Page, width: int) -> None:
    address = site.in_its_database(three_years)
    page.add_init_script(LISTEN)
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(address)
    expect(page.locator(".chart-plot.is-drawn canvas").first).to_be_visible()
    page.wait_for_function("written.some(({ text }) => text === '2023')")
    years = [one for one in page.evaluate("written") if one["text"].isdigit() and len(one["text"]) == 4]
    assert {"2022", "2023"} <= {one["text"] for one in years}
    for one in years:
        assert 0 <= one["left"] < one["right"] <= one["within"], one
