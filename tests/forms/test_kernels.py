"""A form filled and clicked by the messages a frontend sends, on kernels that treat those messages differently.

ipykernel 6 handles them on the main thread, 7.0 to 7.3 on that of a subshell where the frontend opens one, and 7.4
routes them back to the loop that made the widget. Each version is installed into a folder of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

import clio_nb as clio

ASKED = os.environ.get("CLIO_NB_REQUIRE", "")
pytestmark = pytest.mark.skipif(
    ASKED != "all" and "kernels" not in ASKED, reason="CLIO_NB_REQUIRE=kernels downloads three versions of ipykernel"
)
VERSIONS = ("6.31.0", "7.1.0", "7.4.0")


class Frontend:
    """What a frontend is to a kernel: it runs cells, keeps the state of widgets, and sends what a person does."""

    def __init__(self, client):
        self.client = client
        self.models = {}
        self.subshell = None

    def run(self, code):
        """Run a cell; return what it printed."""
        asked = self.client.execute(code)
        printed = []
        while True:
            message = self._next()
            if message["parent_header"].get("msg_id") != asked:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "stream":
                printed.append(content["text"])
            elif kind == "error":
                pytest.fail("\n".join(content["traceback"]))
            elif kind == "status" and content["execution_state"] == "idle":
                return "".join(printed)

    def open_subshell(self):
        request = self.client.session.msg("create_subshell_request")
        self.client.control_channel.send(request)
        self.subshell = self.client.get_control_msg(timeout=60)["content"]["subshell_id"]

    def type(self, description, text):
        self._send(
            self._find(description=description), {"method": "update", "state": {"value": text}, "buffer_paths": []}
        )

    def click(self, description):
        self._send(self._find(description=description), {"method": "custom", "content": {"event": "click"}})

    def await_html(self, text):
        """Wait until some drawn text contains this."""
        while not any(text in str(state.get("value", "")) for state in self.models.values()):
            self._next()

    def _find(self, **wanted):
        return next(comm_id for comm_id, state in self.models.items() if wanted.items() <= state.items())

    def _send(self, comm_id, data):
        message = self.client.session.msg("comm_msg", {"comm_id": comm_id, "data": data})
        if self.subshell:
            message["header"]["subshell_id"] = self.subshell
        self.client.shell_channel.send(message)

    def _next(self):
        message = self.client.get_iopub_msg(timeout=60)
        if message["msg_type"] in ("comm_open", "comm_msg"):
            content = message["content"]
            self.models.setdefault(content["comm_id"], {}).update(content["data"].get("state", {}))
        return message


@pytest.fixture(scope="module")
def specs(tmp_path_factory):
    """Kernel specifications with one kernel, of each version."""
    folder = tmp_path_factory.mktemp("kernels")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--disable-pip-version-check"]
    for version in VERSIONS:
        site = folder / f"site-{version}"
        subprocess.run([*pip, "--target", site, f"ipykernel=={version}"], check=True, capture_output=True)
        (folder / version).mkdir()
        spec = {
            "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            "display_name": version,
            "language": "python",
            "env": {"PYTHONPATH": str(site)},
        }
        (folder / version / "kernel.json").write_text(json.dumps(spec))
    return KernelSpecManager(kernel_dirs=[str(folder)])


@pytest.fixture(
    scope="module",
    params=[
        (version, shell)
        for version in VERSIONS
        for shell in ("main shell", "subshell")
        if shell == "main shell" or version[0] > "6"  # ipykernel 6 has no subshells
    ],
    ids=", ".join,
)
def frontend(specs, request):
    """A kernel that the tests share."""
    version, shell = request.param
    kernel = KernelManager(kernel_name=version, kernel_spec_manager=specs, transport="ipc")
    kernel.start_kernel(stderr=subprocess.DEVNULL)
    client = kernel.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        frontend = Frontend(client)
        assert frontend.run("import ipykernel; print(ipykernel.__version__)").strip() == version
        if shell == "subshell":
            frontend.open_subshell()
        yield frontend
    finally:
        client.stop_channels()
        kernel.shutdown_kernel(now=True)
        kernel.cleanup_resources()


def test_a_form_is_filled_clicked_and_answers(frontend, site, session):
    frontend.run(
        f"import clio_nb as clio\nsite = clio.connect({site.origin!r})\nsession = clio.login(site)\n"
        "form = clio.forms.create_action(session)\nform"
    )
    frontend.type("Label", "Send for signature")
    frontend.type("Target URL", "https://partner.example/launch")
    frontend.await_html("18 of 32 characters")
    frontend.click("Create the action")
    frontend.await_html("Created for")
    assert [action.label for action in clio.list_actions(session)] == ["Send for signature"]
    assert (
        frontend.run("print(form.value[0].action.label, len(clio.list_actions(session)))") == "Send for signature 1\n"
    )


def test_a_login_that_waits_takes_what_is_pasted(frontend, site, consent):
    frontend.run(
        f"import clio_nb as clio\nsite = clio.connect({site.origin!r})\nform = clio.forms.login(site, timeout=60)\nform"
    )
    frontend.click("Start sign-in")
    frontend.await_html("consent page")
    address = frontend.run("print(form.authorization_url)").strip()
    frontend.type("Code or address", consent(address, site.users[1].id))
    frontend.await_html(f"Connected as {site.users[1].name}")
    assert frontend.run("print(form.state, form.value.user.id)") == f"connected {site.users[1].id}\n"
