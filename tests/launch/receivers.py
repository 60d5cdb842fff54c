"""Receivers of launches as people write them: one that is right, and one for each mistake that the probe must name."""

from __future__ import annotations

import json
import re
import ssl
from http import HTTPStatus
from urllib.parse import parse_qs, parse_qsl, unquote, urljoin

import httpx

SUBJECT = re.compile(r"/api/v4/(activities|contacts|documents|folders|matters)/([1-9][0-9]{0,18})", re.ASCII)
ID = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
NAMES = ("custom_action_id", "user_id", "subject_url", "custom_action_nonce")


class Refused(Exception):
    """The launch is not let in."""


class Receiver:
    """A small receiver that does it right (WSGI). ``tokens`` are the access tokens by user id."""

    def __init__(self, site, tokens):
        self.site = site
        self.tokens = tokens
        self.clio = httpx.Client(
            base_url=site.origin, trust_env=False, timeout=10, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        )

    def close(self):
        self.clio.close()

    def __call__(self, environ, start_response):
        status, text = self.answer(environ["REQUEST_METHOD"], environ["QUERY_STRING"])
        start_response(f"{status} {HTTPStatus(status).phrase}", [("content-type", "text/plain")])
        return [text.encode()]

    def answer(self, method, query):
        if method != "GET":
            return 405, "only GET"
        try:
            launch = self.read(query)
            self.check(launch)
            token = self.token(launch)
            self.prove(launch, token)
            self.check_action(launch, token)
        except Refused as refusal:
            return 403, str(refusal)
        return 200, "welcome"

    def read(self, query):
        pairs = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] in NAMES]
        if sorted(name for name, _ in pairs) != sorted(NAMES):
            raise Refused("not Clio's four parameters")
        return dict(pairs)

    def check(self, launch):
        if not (ID.fullmatch(launch["user_id"]) and ID.fullmatch(launch["custom_action_id"])):
            raise Refused("no id")
        if not SUBJECT.fullmatch(launch["subject_url"]) or not launch["custom_action_nonce"]:
            raise Refused("no subject or nonce")

    def token(self, launch):
        token = self.tokens.get(int(launch["user_id"]))
        if token is None:
            raise Refused("not connected")
        return token

    def prove(self, launch, token):
        answer = self.ask(self.url(launch), token, custom_action_nonce=launch["custom_action_nonce"])
        self.judge(launch, answer)

    def url(self, launch):
        return launch["subject_url"]

    def ask(self, url, token, **query):
        try:
            return self.clio.get(url, params=query or None, headers={"authorization": f"Bearer {token}"})
        except httpx.HTTPError:
            raise Refused("no answer") from None

    def judge(self, launch, answer):
        if answer.status_code != 200:
            raise Refused("Clio says no")
        try:
            record_id = answer.json()["data"]["id"]
        except (json.JSONDecodeError, KeyError):
            raise Refused("no record") from None
        if str(record_id) != launch["subject_url"].rpartition("/")[2]:
            raise Refused("another record")

    def check_action(self, launch, token):
        listed = self.ask("/api/v4/custom_actions", token, fields="id,ui_reference").json()["data"]
        place = launch["subject_url"].split("/")[3] + "/show"
        if not any((str(one["id"]), one["ui_reference"]) == (launch["custom_action_id"], place) for one in listed):
            raise Refused("not our action")


class Concatenates(Receiver):
    """Puts the host and subject_url together as text."""

    def check(self, launch):
        if not launch["custom_action_nonce"]:
            raise Refused("no nonce")

    def url(self, launch):
        return f"{self.site.origin}{launch['subject_url']}"

    def ask(self, url, token, **query):
        query = "&".join(f"{name}={value}" for name, value in query.items())
        try:
            return httpx.get(
                f"{url}?{query}",
                headers={"authorization": f"Bearer {token}"},
                trust_env=False,
                verify=self.clio_context,
            )
        except (httpx.HTTPError, httpx.InvalidURL):
            raise Refused("no answer") from None

    clio_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class Joins(Concatenates):
    """Resolves subject_url against the host, as a browser would."""

    def url(self, launch):
        return urljoin(self.site.origin, launch["subject_url"])


class DropsTheNonce(Receiver):
    """Reads the record with the user's token, and forgets the nonce on the way."""

    def prove(self, launch, token):
        self.judge(launch, self.ask(self.url(launch), token))


class NeverAsks(Receiver):
    """Believes whatever comes."""

    def prove(self, launch, token):
        pass

    def check_action(self, launch, token):
        pass


class SearchesTheSubject(Receiver):
    """Looks for a record's path somewhere in subject_url, then uses all of it."""

    def check(self, launch):
        if not re.search(r"/api/v4/[a-z]+/\d+", launch["subject_url"]):
            raise Refused("no subject")

    def ask(self, url, token, **query):
        query = "&".join(f"{name}={value}" for name, value in query.items())
        return super().ask(f"{url}?{query}", token)

    def judge(self, launch, answer):
        if answer.status_code != 200:
            raise Refused("Clio says no")

    def check_action(self, launch, token):
        pass


class NormalisesTheSubject(Receiver):
    """Takes what it can find in subject_url, however it is spelled."""

    def read(self, query):
        launch = super().read(query)
        subject = unquote(unquote(launch["subject_url"]))
        found = SUBJECT.search(re.sub(r"/0+", "/", subject))
        if found is None:
            raise Refused("no subject")
        return {**launch, "subject_url": found[0]}


class TakesTheFirst(Receiver):
    """Takes the first of a doubled parameter."""

    def read(self, query):
        launch = {name: values[0] for name, values in parse_qs(query).items()}
        if not launch.keys() >= set(NAMES):
            raise Refused("not Clio's four parameters")
        return launch


class TriesAgain(Receiver):
    """Sends the nonce again when the first answer is not to its liking."""

    def prove(self, launch, token):
        try:
            super().prove(launch, token)
        except Refused:
            super().prove(launch, token)


class ReadsAfterAll(Receiver):
    """Reads the record without the nonce when Clio refuses the nonce, and lets the user in."""

    def prove(self, launch, token):
        try:
            super().prove(launch, token)
        except Refused:
            self.judge(launch, self.ask(self.url(launch), token))


class OneTokenForAll(Receiver):
    """Uses the token of the one who installed the app."""

    def token(self, launch):
        return next(iter(self.tokens.values()))


class IgnoresTheAction(Receiver):
    """Never looks at custom_action_id."""

    def check_action(self, launch, token):
        pass


class TrustsAnyAnswer(Receiver):
    """Takes any 200 for a yes."""

    def judge(self, launch, answer):
        if answer.status_code != 200:
            raise Refused("Clio says no")


class FollowsRedirects(Receiver):
    """Follows redirects, and takes the token along."""

    def ask(self, url, token, **query):
        answer = super().ask(url, token, **query)
        if answer.is_redirect:
            return httpx.get(
                answer.headers["location"],
                headers={"authorization": f"Bearer {token}"},
                trust_env=False,
                verify=Concatenates.clio_context,
            )
        return answer


class BelievesItsMemory(Receiver):
    """Lets a nonce in for ever once it was good."""

    def __init__(self, site, tokens):
        super().__init__(site, tokens)
        self.good = set()

    def prove(self, launch, token):
        if launch["custom_action_nonce"] not in self.good:
            super().prove(launch, token)
            self.good.add(launch["custom_action_nonce"])


class AnswersHead(Receiver):
    """Treats HEAD as GET."""

    def answer(self, method, query):
        return super().answer("GET", query)


class BreaksDown(Receiver):
    """Does not expect that a parameter may be missing."""

    def answer(self, method, query):
        try:
            return super().answer(method, query)
        except (KeyError, ValueError):
            return 500, "Internal Server Error"

    def read(self, query):
        launch = {name: values[0] for name, values in parse_qs(query).items()}
        return {name: launch[name] for name in NAMES}


class RefusesAll(Receiver):
    """Lets nobody in."""

    def read(self, query):
        raise Refused("closed")


class GoesInCircles(Receiver):
    """Redirects to itself without end."""

    def __call__(self, environ, start_response):
        start_response("302 Found", [("location", "?again")])
        return [b""]
