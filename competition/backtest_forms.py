"""What a visitor may type to ask for a backtest. Whether it can be played is for the services to say."""

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms

from competition.core.backtest_parameters import BacktestParameters, usual_band
from competition.core.backtest_words import instant_text
from competition.services.backtest_requests import BacktestWish
from market.core.canonical import plain

type Choices = Iterable[tuple[str, str]]

TIMEFRAMES = (
    ("1m", "1 minute"),
    ("5m", "5 minutes"),
    ("15m", "15 minutes"),
    ("1h", "1 hour"),
    ("4h", "4 hours"),
    ("1d", "1 day"),
)
EVERY = (("candle", "every candle"), ("1d", "every day"), ("1w", "every week"))
FILLS = (("next_close", "close of the next candle"), ("next_open", "open of the next candle"))
SOURCES = (("stored", "stored candles"), ("synthetic", "a made-up market"))


def _text(label: str, hint: str = "", **attributes: str) -> forms.CharField:
    widget = forms.TextInput(attrs={"autocomplete": "off", **attributes})
    messages = {"required": f"{label}: type something here."}
    return forms.CharField(label=label, help_text=hint, max_length=40, widget=widget, error_messages=messages)


def _perhaps(label: str, hint: str, **attributes: str) -> forms.CharField:
    widget = forms.TextInput(attrs={"autocomplete": "off", **attributes})
    return forms.CharField(label=label, help_text=hint, max_length=40, required=False, widget=widget)


def _chosen(label: str, required: str) -> forms.MultipleChoiceField:
    messages = {"required": required, "invalid_choice": "%(value)s cannot be chosen here."}
    return forms.MultipleChoiceField(label=label, widget=forms.CheckboxSelectMultiple, error_messages=messages)


def _by_label(problem: str, name: str, label: str) -> str:
    """The complaint with the field called as the page calls it, where it begins with the name a command knows."""
    return f"{label} {problem.removeprefix(f'{name} ')}" if problem.startswith(f"{name} ") else problem


class BacktestForm(forms.Form):
    """The fields of a `BacktestWish` that have a place on the page."""

    agents = _chosen("Agents", "Choose at least one agent.")
    symbols = _chosen("Symbols", "Choose at least one symbol.")
    source = forms.ChoiceField(label="Market", choices=SOURCES)
    seed = forms.IntegerField(
        label="Seed", min_value=0, max_value=1_000_000, help_text="of the made-up market and of random agents"
    )
    first = _text("From", "UTC, as 2024-01-01", placeholder="2024-01-01")
    last = _text("To", "the last candle closes by then", placeholder="2025-01-01")
    timeframe = forms.ChoiceField(label="Candles", choices=TIMEFRAMES)
    every = forms.ChoiceField(label="Decides", choices=EVERY)
    fill = forms.ChoiceField(label="Trades at", choices=FILLS)
    capital = _text("Capital", "USDT, for each agent", inputmode="decimal")
    fee_bps = _text("Fee", "hundredths of a percent", inputmode="decimal")
    slippage_bps = _text("Slippage", "hundredths of a percent, against the trader", inputmode="decimal")
    drift_band = _perhaps("Drift band", "fraction left alone; empty for the usual", inputmode="decimal")
    mask = forms.BooleanField(label="Hide dates and names from models", required=False)
    max_usd = _perhaps("Models may cost", "USD at most", inputmode="decimal")

    def __init__(self, data: Any, *, agents: Choices, symbols: Choices, is_staff: bool) -> None:
        super().__init__(data, auto_id="ask-%s", use_required_attribute=False)
        self.fields["agents"].choices = list(agents)  # type: ignore[attr-defined]  # a field with choices
        self.fields["symbols"].choices = list(symbols)  # type: ignore[attr-defined]
        if not is_staff:
            del self.fields["max_usd"]
        for name, field in self.fields.items():
            field.widget.attrs["aria-describedby"] = f"error-{name}"

    def wish(self) -> BacktestWish:
        """What was typed; call it on a valid form."""
        nothing = {name: self.cleaned_data.get(name) or None for name in ("max_usd", "drift_band")}
        typed: dict[str, Any] = {**self.cleaned_data, **nothing}
        return BacktestWish(**{**typed, "agents": tuple(typed["agents"]), "symbols": tuple(typed["symbols"])})

    def complain(self, problems: Mapping[str, str]) -> None:
        """Put each complaint beside its field and by its label, or beside the agents if it has none here."""
        for name, problem in problems.items():
            if name in self.fields:
                self.add_error(name, _by_label(problem, name, str(self.fields[name].label)))
            else:
                self.add_error("agents", problem)


def form_data(parameters: BacktestParameters) -> dict[str, Any]:
    """These parameters as the form has them, to be changed and asked for again."""
    usual = usual_band(parameters.fee_bps, parameters.slippage_bps)
    return {
        "agents": [agent.slug for agent in parameters.agents],
        "symbols": list(parameters.symbols),
        "source": parameters.source,
        "seed": parameters.seed,
        "first": instant_text(parameters.first),
        "last": instant_text(parameters.last),
        "timeframe": parameters.timeframe,
        "every": parameters.every,
        "fill": parameters.fill,
        "capital": plain(parameters.capital),
        "fee_bps": plain(parameters.fee_bps),
        "slippage_bps": plain(parameters.slippage_bps),
        "drift_band": plain(parameters.drift_band) if parameters.drift_band != usual else "",
        "mask": parameters.mask,
        "max_usd": "" if parameters.max_usd is None else plain(parameters.max_usd),
    }
