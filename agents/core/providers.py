"""What a runner of one agent is called, and which variables hold the keys of its providers: all that it needs."""

from collections.abc import Iterable, Mapping

# By the first word of a model string. A provider with an empty tuple needs no key.
KEY_VARIABLES: Mapping[str, tuple[str, ...]] = {
    "anthropic": ("ANTHROPIC_API_KEY",),
    "azure": ("AZURE_API_KEY", "AZURE_API_VERSION"),
    "bedrock": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION_NAME"),
    "cohere": ("COHERE_API_KEY",),
    "dashscope": ("DASHSCOPE_API_KEY",),
    "deepseek": ("DEEPSEEK_API_KEY",),
    "fireworks_ai": ("FIREWORKS_API_KEY",),
    "gemini": ("GEMINI_API_KEY",),
    "groq": ("GROQ_API_KEY",),
    "hosted_vllm": (),
    "huggingface": ("HUGGINGFACE_API_KEY",),
    "mistral": ("MISTRAL_API_KEY",),
    "moonshot": ("MOONSHOT_API_KEY",),
    "offline": (),
    "ollama": (),
    "ollama_chat": (),
    "openai": ("OPENAI_API_KEY",),
    "openrouter": ("OPENROUTER_API_KEY",),
    "perplexity": ("PERPLEXITYAI_API_KEY",),
    "together_ai": ("TOGETHERAI_API_KEY",),
    "xai": ("XAI_API_KEY",),
    "zai": ("ZAI_API_KEY",),
}


class UnknownProvider(ValueError):
    """A model whose provider is not in the list; the message says where to add it."""


def key_variables(models: Iterable[str]) -> tuple[str, ...]:
    """The variables that hold the keys for these models, each once. Raises `UnknownProvider`."""
    found: dict[str, None] = {}
    for model in models:
        provider = model.partition("/")[0]
        if provider not in KEY_VARIABLES:
            raise UnknownProvider(f"{model}: say in KEY_VARIABLES of agents/core/providers.py which keys it needs.")
        found.update(dict.fromkeys(KEY_VARIABLES[provider]))
    return tuple(found)


def host_name(slug: str) -> str:
    """An agent's slug as part of a host name, in which there are no underscores and no capitals."""
    return slug.lower().replace("_", "-")
