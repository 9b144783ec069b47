"""What an operator may say of an agent. Whether its model can really be asked is for its preflight to find out."""

from typing import Any, ClassVar

from django import forms
from pydantic import ValidationError as ParametersInvalid

from agents.core.baselines import BASELINES, baseline_reply
from agents.core.offline import OFFLINE_MODELS
from agents.core.parameters import AgentParameters
from agents.models import Agent, AgentKind
from market.core.symbols import DEFAULT_SYMBOLS, QUOTE_ASSET

KNOWN_MODELS = {"baseline": BASELINES, "offline": OFFLINE_MODELS}
KINDS_OF_PROVIDER = {"baseline": (AgentKind.BASELINE,), "example": (AgentKind.SINGLE,)}
KINDS_OF_MODELS = (AgentKind.SINGLE, AgentKind.FIRM)
# As much of a brief as baselines read: enough to find out whether their parameters can be worked with.
TRIAL_BRIEF = {
    "cycle": 1,
    "rules": {"quote": QUOTE_ASSET},
    "portfolio": {"holdings": {}},
    "market": {
        "symbols": {
            symbol.name: {"change_7d": "0.01", "change_28d": "0.02", "volatility_28d": "0.5"}
            for symbol in DEFAULT_SYMBOLS
        }
    },
}


class AgentForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for mypy only
    class Meta:
        model = Agent
        fields: ClassVar = ("slug", "name", "kind", "model", "parameters")
        help_texts: ClassVar = {
            "model": "provider/model, such as openai/gpt-5, ollama/llama3.3, offline/steady or baseline/momentum. "
            "For a firm, the model of its researcher, trader and risk manager.",
            "parameters": f"A JSON object; a model takes any of: {', '.join(AgentParameters.model_fields)}.",
        }

    def clean_model(self) -> str:
        model: str = self.cleaned_data["model"]
        known = KNOWN_MODELS.get(model.partition("/")[0])
        if known is not None and model not in known:
            raise forms.ValidationError(f"There is no {model}. There are: {', '.join(known)}.")
        return model

    def clean_parameters(self) -> dict[str, Any]:
        parameters = self.cleaned_data["parameters"]
        if not isinstance(parameters, dict):
            raise forms.ValidationError('Write the parameters as an object, as in {"seed": 7}; {} for none.')
        return parameters

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        model, kind = cleaned.get("model"), cleaned.get("kind")
        if model is None:
            return cleaned
        kinds = KINDS_OF_PROVIDER.get(model.partition("/")[0], KINDS_OF_MODELS)
        if kind is not None and kind not in kinds:
            self.add_error("kind", f"{model} can be a {' or a '.join(known.label for known in kinds)}.")
        elif "parameters" in cleaned:
            for problem in parameter_problems(kind, model, cleaned["parameters"]):
                self.add_error("parameters", problem)
        return cleaned


def parameter_problems(kind: str | None, model: str, parameters: dict[str, Any]) -> list[str]:
    """What is wrong with an agent's parameters, one sentence each. A foreign agent's are its own affair."""
    if model in BASELINES:
        return _baseline_problems(model, parameters)
    if model.startswith("example/"):
        return []
    try:
        found = AgentParameters.model_validate(parameters)
    except ParametersInvalid as invalid:
        return [_sentence(problem) for problem in invalid.errors(include_url=False, include_input=False)]
    if found.analyst_model and kind != AgentKind.FIRM:
        return ["analyst_model: only a firm has analysts."]
    return []


def _baseline_problems(model: str, parameters: dict[str, Any]) -> list[str]:
    try:
        baseline_reply(model, parameters, TRIAL_BRIEF)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        return [f"{model} cannot answer with these parameters ({type(error).__name__}: {error})."]
    return []


def _sentence(problem: Any) -> str:
    if problem["type"] == "extra_forbidden":
        known = ", ".join(AgentParameters.model_fields)
        return f"{'.'.join(map(str, problem['loc']))}: there is no such parameter. There are: {known}."
    said = problem["msg"].removeprefix("Value error, ")
    return ": ".join([*map(str, problem["loc"]), f"{said}."])
