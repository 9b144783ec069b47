"""What an operator may say of an agent. Whether its model can really be asked is for its preflight to find out."""

from typing import Any, ClassVar

from django import forms
from django.forms.fields import InvalidJSONInput
from pydantic import ValidationError as ParametersInvalid

from agents.core.baselines import BASELINES, baseline_reply
from agents.core.offline import OFFLINE_MODELS
from agents.core.parameter_problems import parameter_sentences, unkept
from agents.core.parameters import AgentParameters
from agents.core.providers import KEY_VARIABLES
from agents.core.rule_parameters import RULE_PARAMETERS, rule_parameters
from agents.models import Agent, AgentKind
from market.core.symbols import DEFAULT_SYMBOLS, QUOTE_ASSET

KNOWN_MODELS = {"baseline": BASELINES, "rule": RULE_PARAMETERS, "offline": OFFLINE_MODELS}
FOREIGN_PROVIDERS = ("example", "own")  # their runners are not ours, and neither are their calls
KINDS_OF_PROVIDER = {
    **dict.fromkeys(("baseline", "rule"), (AgentKind.BASELINE,)),
    **dict.fromkeys(FOREIGN_PROVIDERS, (AgentKind.SINGLE,)),
}
PROVIDERS = frozenset(KEY_VARIABLES) | frozenset(KINDS_OF_PROVIDER)
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


class ParametersField(forms.JSONField):
    """JSON whose numbers can be read and kept; Python reads none of thousands of digits, and JSON knows no NaN."""

    def to_python(self, value: Any) -> Any:
        try:
            found = super().to_python(value)
        except ValueError:
            raise forms.ValidationError("A number in it is too long to be read.") from None
        except RecursionError:
            raise forms.ValidationError("It is nested too deeply.") from None
        if problem := unkept(found):
            raise forms.ValidationError(problem)
        return found

    def bound_data(self, data: Any, initial: Any) -> Any:
        try:
            return super().bound_data(data, initial)
        except (ValueError, RecursionError):
            return InvalidJSONInput(data)


class AgentForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for mypy only
    class Meta:
        model = Agent
        fields: ClassVar = ("slug", "name", "kind", "model", "parameters")
        field_classes: ClassVar = {"parameters": ParametersField}
        help_texts: ClassVar = {
            "model": "provider/model, such as openai/gpt-5, ollama/llama3.3, offline/steady, baseline/momentum or "
            "rule/ema-cross; own/… for an agent with a runner of its own. "
            "For a firm, the model of its researcher, trader and risk manager.",
            "parameters": f"A JSON object; a model takes any of: {', '.join(AgentParameters.model_fields)}.",
        }

    def clean_model(self) -> str:
        model: str = self.cleaned_data["model"]
        if problem := model_problem(model):
            raise forms.ValidationError(problem)
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


def model_problem(model: str) -> str:
    """Why nobody could ask this model, in a sentence; empty when its provider is known."""
    provider, slash, _ = model.partition("/")
    known = KNOWN_MODELS.get(provider)
    if known is not None and model not in known:
        return f"There is no {model}. There are: {', '.join(known)}."
    if slash and provider not in PROVIDERS:  # without one, the field says how to write it
        return (
            f"No provider {provider} is known. Known are: {', '.join(sorted(PROVIDERS))}; "
            "own/… is an agent with a runner of its own."
        )
    return ""


def parameter_problems(kind: str | None, model: str, parameters: dict[str, Any]) -> list[str]:
    """What is wrong with an agent's parameters, one sentence each. A foreign agent's are its own affair."""
    if model in RULE_PARAMETERS:
        return _rule_problems(model, parameters)
    if model in BASELINES:
        return _baseline_problems(model, parameters)
    if model.partition("/")[0] in FOREIGN_PROVIDERS:
        return []
    try:
        found = AgentParameters.model_validate(parameters)
    except ParametersInvalid as invalid:
        return parameter_sentences(invalid)
    problem = _analyst_problem(kind, found.analyst_model) if found.analyst_model else ""
    return [f"analyst_model: {problem}"] if problem else []


def _analyst_problem(kind: str | None, analyst_model: str) -> str:
    if kind != AgentKind.FIRM:
        return "only a firm has analysts."
    if analyst_model.partition("/")[0] in KINDS_OF_PROVIDER:
        return f"{analyst_model} is not asked by a firm; name the model of a provider."
    return model_problem(analyst_model)


def _rule_problems(model: str, parameters: dict[str, Any]) -> list[str]:
    try:
        rule_parameters(model, parameters)
    except ParametersInvalid as invalid:
        return parameter_sentences(invalid, RULE_PARAMETERS[model])
    return []


def _baseline_problems(model: str, parameters: dict[str, Any]) -> list[str]:
    try:
        baseline_reply(model, parameters, TRIAL_BRIEF)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        return [f"{model} cannot answer with these parameters ({type(error).__name__}: {error})."]
    return []
