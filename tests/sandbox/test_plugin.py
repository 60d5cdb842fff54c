"""The pytest plugin, in a test suite as a partner would write it."""

import pytest

pytest_plugins = ["pytester"]
OTHERS = ("cacheprovider", "schemathesis", "anyio", "hypothesispytest", "nbval", "xdist", "xdist.looponfail")
WITHOUT = [part for name in OTHERS for part in ("-p", f"no:{name}")]
"""They take seconds to load, and are not what is tried."""

SUITE = '''
    import httpx
    import pytest
    from urllib.parse import parse_qs, urlsplit

    def test_a_launch_is_proved(clio_sandbox, clio_user, clio_click):
        launch = clio_click("https://partner.example/launch?tenant=1", at="contacts")
        told = parse_qs(urlsplit(launch).query)
        assert told["tenant"] == ["1"]
        assert told["user_id"] == [str(clio_user.id)]
        proof = httpx.get(
            clio_sandbox.origin + told["subject_url"][0],
            params={"custom_action_nonce": told["custom_action_nonce"][0]},
            headers={"Authorization": f"Bearer {clio_user.access_token}"},
        )
        assert proof.status_code == 200

    def test_every_test_has_a_sandbox_of_its_own(clio_sandbox, clio_user):
        assert clio_sandbox.requests == []
        assert clio_user.id == clio_sandbox.users[0].id
        assert clio_user.access_token not in repr(clio_user)

    def test_one_action_serves_many_clicks(clio_click, clio_sandbox):
        launches = [clio_click("https://partner.example/", record=number) for number in (0, 1)]
        first, second = (parse_qs(urlsplit(launch).query) for launch in launches)
        assert first["custom_action_id"] == second["custom_action_id"]
        assert first["subject_url"] != second["subject_url"]
        clio_click("https://partner.example/other")
        with pytest.raises(LookupError):
            clio_click("https://partner.example/", at="tasks")
        with pytest.raises(LookupError):
            clio_click("https://partner.example/", record=1000)

    @pytest.mark.clio_sandbox(users=7, rate_limit=2)
    def test_options_go_on_the_marker(clio_sandbox):
        assert len(clio_sandbox.users) == 7
        assert clio_sandbox.rate_limit == 2

    @pytest.mark.clio_sandbox(firms=2, regions=("us", "eu"), users=3)
    def test_several_firms_come_with_their_people(clio_sandbox, clio_user):
        assert len(clio_sandbox.firms) == 4
        eu = clio_sandbox.at("eu")
        hired = eu.hire("Ada Example")
        eu.close_matter(eu.records("matters")[0]["id"], [hired.id])
        token = eu.token(hired.id)["access_token"]
        closed = httpx.get(
            eu.origin + eu.records("matters")[0]["subject_url"], headers={"Authorization": f"Bearer {token}"}
        )
        assert closed.status_code == 403
        refused = httpx.get(
            f"{eu.api_url}/users", headers={"Authorization": f"Bearer {clio_user.access_token}"}
        )
        assert refused.status_code == 401
        eu.rename(hired.id, "Grace Example")
        eu.disable(hired.id)
        eu.remove(hired.id)
        clio_sandbox.reset()
        assert len(eu.users) == 3

    def test_anybody_can_click(clio_sandbox, clio_click):
        other = clio_sandbox.users[1]
        said = urlsplit(clio_click("https://app.example/launch", user=other)).query
        assert parse_qs(said)["user_id"] == [str(other.id)]

    def test_a_whole_firm_has_what_a_manifest_says(clio_firm, tmp_path):
        (tmp_path / "actions.toml").write_text("""
            [app]
            name = "sign"
            [[actions]]
            key = "sign"
            label = "Sign"
            target_url = "https://app.example/launch"
            locations = ["matters"]
        """)
        firm = clio_firm(tmp_path / "actions.toml")
        assert firm.plan(tmp_path / "actions.toml").counts() == {"ok": 5}

    def test_a_link_that_does_not_lead_to_clio_is_named(clio_sandbox, clio_user, clio_connect):
        with pytest.raises(AssertionError, match="did not lead to the consent page"):
            clio_connect(clio_sandbox.origin + "/nowhere", clio_user)

    def test_a_user_can_decline(clio_sandbox, clio_user, clio_connect):
        link = f"{clio_sandbox.origin}/oauth/authorize?response_type=code&state=s&client_id={clio_sandbox.client_id}"
        asked = f"{link}&redirect_on_decline=true&redirect_uri={clio_sandbox.origin}/oauth/approval"
        assert "code=" in str(clio_connect(asked, clio_user).url)
        assert "error=access_denied" in str(clio_connect(asked, clio_user, decision="decline").url)
'''

APP = """
import http.server, json, os, sys

class Settings(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({**os.environ, "PID": os.getpid()}).encode())

    def log_message(self, *words):
        pass

if os.fork():  # as a server with a worker
    os.wait()
else:
    http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Settings).serve_forever()
"""
SUITE_OF_AN_APP = """
    import httpx
    import pytest

    def test_an_app_runs_beside_its_test_with_the_sandbox_as_its_clio(clio_app, clio_sandbox, tmp_path):
        url = clio_app("python -I app.py {port}")
        settings = httpx.get(url).json()
        assert settings["CLIO_NB_SITE"] == clio_sandbox.origin
        assert settings["CLIO_CLIENT_ID"] == clio_sandbox.client_id
        assert settings["CLIO_CLIENT_SECRET"] == clio_sandbox.client_secret
        assert settings["APP_URL"] == url
        assert settings["CLIO_NB_VAULT"].startswith(str(tmp_path))
        assert clio_sandbox.redirect_uri == f"{url}/clio/callback"

    def test_started_again_it_is_another_process_with_the_same_settings(clio_app):
        first, again = (httpx.get(clio_app("python -I app.py {port}")).json() for _ in range(2))
        assert first.pop("PID") != again.pop("PID")
        assert first == again

    @pytest.mark.clio_sandbox(redirect_uris=["https://app.example/back"])
    def test_the_marker_names_another_redirect_uri(clio_app, clio_sandbox):
        assert clio_sandbox.redirect_uri == "https://app.example/back"

    def test_an_app_that_ends_is_named(clio_app):
        with pytest.raises(pytest.fail.Exception, match="exit code 3"):
            clio_app("python -I -c 'raise SystemExit(3)'")
"""


def test_the_fixtures_are_there_without_any_set_up(pytester: pytest.Pytester):
    pytester.makepyfile(SUITE)
    result = pytester.runpytest_subprocess("--strict-markers", "-W", "error", *WITHOUT)
    result.assert_outcomes(passed=9)


def test_an_app_of_any_language_runs_in_a_process_of_its_own(pytester: pytest.Pytester):
    pytester.makepyfile(SUITE_OF_AN_APP)
    (pytester.path / "app.py").write_text(APP)
    pytester.runpytest_subprocess("-W", "error", *WITHOUT).assert_outcomes(passed=4)


def test_a_suite_that_does_not_use_them_loads_nothing(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import sys

        def test_nothing_heavy_is_loaded():
            assert "clio_nb.testing.fixtures" in sys.modules
            assert not {"starlette", "httpx", "pandas", "ipywidgets", "jinja2"} & set(sys.modules)
        """
    )
    result = pytester.runpytest_subprocess(*WITHOUT)
    result.assert_outcomes(passed=1)
