"""Six firms in two regions of one sandbox, all of them in one vault, and the manifest of their partner."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clio_nb.firm import Firm
from clio_nb.firm.manifest import Manifest, parse_manifest
from clio_nb.firms import Firms
from clio_nb.login import login
from clio_nb.sandbox import Host, Sandbox
from clio_nb.vault import Vault

TARGET = "https://partner.example/launch"
TOML = f"""
[app]
name = "partner"

[[actions]]
key = "sign"
label = "Send for signature"
target_url = "{TARGET}"
locations = ["matters", "documents"]
"""


@pytest.fixture
def manifest() -> Manifest:
    return parse_manifest(TOML)


@pytest.fixture
def site() -> Iterator[Sandbox]:
    with Sandbox(users=3, firms=3, regions=("us", "eu")) as site:
        yield site


def fill(site: Sandbox, vault: Vault) -> Vault:
    """Sign everyone of every firm in: the name of a firm in the vault is Clio's id, as onboarding has it."""
    for host in site.firms:
        Firm(host, vault, name=str(host.account_id)).sign_in_everyone()
    return vault


@pytest.fixture
def firms(site: Sandbox) -> Firms:
    return Firms([site.at("us"), site.at("eu")], fill(site, Vault()))


@pytest.fixture
def manifest_file(tmp_path: Path) -> Path:
    path = tmp_path / "actions.toml"
    path.write_text(TOML)
    return path


def labels(host: Host) -> list[list[str | None]]:
    """What each user of a firm has at Clio, as each of them sees it."""
    return [sorted(str(one.label) for one in login(host, user.id).list_actions()) for user in host.users]


def asked(*hosts: Host) -> Callable[[], list[str]]:
    """Give what was asked of these firms since now."""
    since = [len(host.requests) for host in hosts]
    return lambda: [
        f"{each['method']} {each['path']}"
        for host, start in zip(hosts, since, strict=True)
        for each in host.requests[start:]
    ]
