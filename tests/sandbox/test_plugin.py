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
'''


def test_the_fixtures_are_there_without_any_set_up(pytester: pytest.Pytester):
    pytester.makepyfile(SUITE)
    result = pytester.runpytest_subprocess("--strict-markers", "-W", "error", *WITHOUT)
    result.assert_outcomes(passed=8)


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
