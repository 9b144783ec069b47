"""Where a call may go, and what may be behind the name of where it goes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.core.addresses import AllowedAddresses, base_of, is_public

LISTED = AllowedAddresses.of(
    ["https://models.example.org/v1", "http://gpu.lan:8000", "http://192.168.7.7:11434"], ["gpu.lan", "192.168.7.7"]
)


@pytest.mark.parametrize(
    "api_base",
    [
        None,
        "https://models.example.org/v1",
        "https://models.example.org/v1/",
        "https://models.example.org:443/v1/team-a",
        "http://gpu.lan:8000",
        "http://gpu.lan:8000/v1",
        "http://192.168.7.7:11434",
    ],
)
def test_what_the_operator_listed_is_allowed(api_base: str | None) -> None:
    assert LISTED.refusal_of(api_base) is None


@pytest.mark.parametrize(
    "api_base",
    [
        "https://evil.example.org/v1",
        "https://models.example.org.evil.example/v1",
        "https://models.example.org/v2",
        "https://models.example.org/v1beta",
        "https://models.example.org:8443/v1",
        "http://models.example.org/v1",
        "https://models.example.org",
        "https://models.example.org/v1/../admin",
        "https://models.example.org/v1/%2e%2e/admin",
        "https://models.example.org/v1//x",
        "https://user:secret@models.example.org/v1",
        "https://models.example.org@evil.example/v1",
        "https://models.example.org/v1?key=1",
        "https://models.example.org/v1#x",
        "https://models.example.org\\@evil.example/v1",
        "https://MODELS.example.org/v1",
        "https://gpu.lan:8000",
        "http://gpu.lan:8001",
        "http://gpu.lan:99999",
        "http://localhost",
        "http://169.254.169.254/latest",
        "http://[::1]:8000",
        "file:///etc/passwd",
        "os.environ/SECRET_KEY",
        "",
    ],
)
def test_everything_else_is_refused(api_base: str) -> None:
    assert LISTED.refusal_of(api_base)


def test_a_listed_private_address_needs_its_host_among_the_private_hosts_too() -> None:
    assert AllowedAddresses.of(["http://10.0.0.5:8000"]).refusal_of("http://10.0.0.5:8000")
    assert AllowedAddresses.of(["http://10.0.0.5:8000"], ["10.0.0.5"]).refusal_of("http://10.0.0.5:8000") is None
    assert AllowedAddresses.of(["http://[fd00::5]:8000"], ["[fd00::5]"]).refusal_of("http://[fd00::5]:8000") is None


def test_an_entry_that_is_no_address_is_named_when_the_list_is_read() -> None:
    with pytest.raises(ValueError, match=r"models\.example\.org/v1"):
        AllowedAddresses.of(["models.example.org/v1"])


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "0.0.0.0",  # noqa: S104
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "fec0::1",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "2001:0:7f00:1::",
    ],
)
def test_an_address_that_is_not_on_the_open_internet_is_known_in_every_spelling(address: str) -> None:
    assert not is_public(address)
    assert LISTED.refusal_of_resolved("models.example.org", ["93.184.215.14", address])


def test_a_public_address_may_be_connected_to_and_a_private_one_only_behind_a_private_host() -> None:
    assert LISTED.refusal_of_resolved("models.example.org", ["93.184.215.14", "2606:2800:21f:cb07::1"]) is None
    assert LISTED.refusal_of_resolved("GPU.lan", ["192.168.7.9"]) is None
    assert LISTED.refusal_of_resolved("api.openai.com", ["127.0.0.1"])


@pytest.mark.parametrize(
    ("origin", "api_base", "allowed"),
    [
        ("https://api.example.com", None, True),
        ("http://api.example.com", None, False),
        ("http://localhost:11434", None, False),
        ("http://gpu.lan:8000", None, True),
        ("https://10.0.0.1", None, False),
        ("https://[::1]", None, False),
        ("http://gpu.lan:8000", "http://gpu.lan:8000/v1", True),
        ("https://models.example.org:443", "https://models.example.org/v1", True),
        ("https://api.example.com", "https://models.example.org/v1", False),
        ("https://user@models.example.org", "https://models.example.org/v1", False),
    ],
)
def test_a_request_goes_to_its_api_base_or_to_the_providers_own_https_address(
    origin: str, api_base: str | None, allowed: bool
) -> None:
    assert (LISTED.refusal_of_request(origin, api_base) is None) == allowed


@given(st.text(max_size=60), st.sampled_from(["", "https://", "http://gpu.lan:8000", "https://models.example.org/v1"]))
def test_no_text_passes_that_does_not_begin_with_a_listed_address(text: str, beginning: str) -> None:
    api_base = beginning + text
    if LISTED.refusal_of(api_base) is None:
        assert base_of(api_base).host in {"models.example.org", "gpu.lan", "192.168.7.7"}
        assert not set(api_base.strip()) & set("@?#%\\ \t\n")
