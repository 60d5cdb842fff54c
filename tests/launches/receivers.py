"""Receivers of launches as people write them: one that is right, and one for each mistake that the probe must name."""

from __future__ import annotations

import base64
import json
import re
import secrets
import ssl
import threading
import uuid
from http import HTTPStatus
from urllib.parse import parse_qs, parse_qsl, unquote, urljoin

import httpx

PLACES = ("activities", "contacts", "documents", "folders", "matters")
SUBJECT = re.compile(rf"/api/v4/({'|'.join(PLACES)})/([1-9][0-9]{{0,18}})", re.ASCII)
ID = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
NAMES = ("custom_action_id", "user_id", "subject_url", "custom_action_nonce")


class Refused(Exception):
    """The launch is not let in."""


def welcome(launch, record):
    return f"<h1>Welcome</h1> Ready to sign {launch.get('subject_url')} ({record})"


ADDRESSES = {
    "nowhere": None,
    "hex": lambda: f"/s/{secrets.token_hex(8)}",
    "uuid": lambda: f"/s/{uuid.uuid4()}",
    "base64": lambda: f"/s/{base64.b64encode(secrets.token_bytes(18)).decode()}",
    "urlsafe": lambda: f"/s/{secrets.token_urlsafe(24)}",
    "query": lambda: f"/in?session={secrets.token_urlsafe(24)}",
    "words": lambda: "/s/" + "-".join(secrets.choice(["blue", "mild", "tall", "wide", "calm"]) for _ in range(6)),
}
"""Where a receiver redirects the browser to, each time anew."""


class Receiver:
    """A small receiver that does it right (WSGI). ``tokens`` are the access tokens by user id.

    ``serves`` are the kinds of records; ``address`` makes the place where a page is shown; ``refusal`` is the status
    and, where it is not to tell the reason, the page of a refusal; ``cookie`` is set with every answer.
    """

    def __init__(self, site, tokens, *, serves=PLACES, address=None, refusal=(403, None), cookie=None):
        self.site = site
        self.tokens = tokens
        self.serves = serves
        self.address = address
        self.refusal = refusal
        self.cookie = cookie
        self.pages = {}
        self.clio = httpx.Client(
            base_url=site.origin, trust_env=False, timeout=60, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        )

    def close(self):
        self.clio.close()

    def __call__(self, environ, start_response):
        path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
        kept = self.pages.get(f"{path}?{query}" if query else path)
        self.session = environ.get("HTTP_COOKIE", "")
        headers = [("content-type", "text/html")]
        status, text = kept or self.answer(environ["REQUEST_METHOD"], query)
        if self.cookie:
            headers.append(("set-cookie", self.cookie))
        if kept is None and self.address and status < 400:
            location = self.address()
            self.pages[location] = (status, text)
            status, text, headers = 302, "", [*headers, ("location", location)]
        start_response(f"{status} {HTTPStatus(status).phrase}", headers)
        return [text.encode()]

    def answer(self, method, query):
        if method != "GET":
            return 405, "only GET"
        launch = {}
        try:
            launch.update(self.read(query))
            self.check(launch)
            token = self.token(launch)
            record = self.prove(launch, token)
            self.check_action(launch, token)
        except Refused as refusal:
            return self.refused(launch, refusal)
        return 200, self.page(launch, record)

    def page(self, launch, record):
        return welcome(launch, record)

    def refused(self, launch, reason):
        status, page = self.refusal
        return status, page or str(reason)

    def read(self, query):
        pairs = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] in NAMES]
        if sorted(name for name, _ in pairs) != sorted(NAMES):
            raise Refused("not Clio's four parameters")
        return dict(pairs)

    def check(self, launch):
        if not (ID.fullmatch(launch["user_id"]) and ID.fullmatch(launch["custom_action_id"])):
            raise Refused("no id")
        found = SUBJECT.fullmatch(launch["subject_url"])
        if not found or found[1] not in self.serves or not launch["custom_action_nonce"]:
            raise Refused("no subject or nonce")

    def token(self, launch):
        token = self.tokens.get(int(launch["user_id"]))
        if token is None:
            raise Refused("not connected")
        return token

    def prove(self, launch, token):
        answer = self.ask(self.url(launch), token, custom_action_nonce=launch["custom_action_nonce"])
        self.judge(launch, answer)
        return answer.text

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
            return super().prove(launch, token)
        except Refused:
            return super().prove(launch, token)


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
    """Follows redirects, and takes the token along, or not."""

    def __init__(self, *args, with_token=True, **options):
        super().__init__(*args, **options)
        self.with_token = with_token

    def ask(self, url, token, **query):
        answer = super().ask(url, token, **query)
        if answer.is_redirect:
            headers = {"authorization": f"Bearer {token}"} if self.with_token else None
            location = answer.headers["location"]
            return httpx.get(location, headers=headers, trust_env=False, verify=Concatenates.clio_context)
        return answer


class Remembers(Receiver):
    """Proves once, then lets in whatever has the same ``key``: a nonce, a user, an action, a session."""

    def __init__(self, *args, key, **options):
        super().__init__(*args, **options)
        self.key = key
        self.good = set()

    def prove(self, launch, token):
        if (self.session if self.key == "session" else launch[self.key]) in self.good:
            return launch["subject_url"]
        record = super().prove(launch, token)
        self.cookie = f"sid={secrets.token_hex(8)}"
        self.good.add(self.cookie if self.key == "session" else launch[self.key])
        return record


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


class FailsOpen(Receiver):
    """Asks Clio, and lets in whatever it answers.

    ``only`` are the kinds of records with which it does so; ``everyone``: also where there is nothing to ask;
    ``goes_on``: also does what comes after a proof, before it shows the page.
    """

    def __init__(self, *args, only=PLACES, everyone=False, goes_on=True, **options):
        super().__init__(*args, **options)
        self.only = only
        self.everyone = everyone
        self.goes_on = goes_on

    def refused(self, launch, reason):
        return (
            (200, self.page(launch, '{"data":{"id":1,"etag":""}}'))
            if self.everyone
            else super().refused(launch, reason)
        )

    def prove(self, launch, token):
        try:
            return super().prove(launch, token)
        except Refused:
            if not self.goes_on or launch["subject_url"].split("/")[3] not in self.only:
                raise
            return launch["subject_url"]


class ShowsSomethingElse(Receiver):
    """Shows a page to those whom Clio refused, of which nobody can say from outside what it gives away."""

    def prove(self, launch, token):
        try:
            return super().prove(launch, token)
        except Refused:
            raise Guest from None

    def refused(self, launch, reason):
        return (200, "All your documents") if isinstance(reason, Guest) else super().refused(launch, reason)


class Guest(Refused):
    """Let in, in a way."""


class ReadsTwice(Receiver):
    """Reads the record again after the proof, as one does who wants more of it than the proof may ask for."""

    def prove(self, launch, token):
        super().prove(launch, token)
        return self.ask(self.url(launch), token, fields="id").text


class ReadsFirst(Receiver):
    """Reads the record before it proves the launch."""

    def prove(self, launch, token):
        self.judge(launch, self.ask(self.url(launch), token, fields="id"))
        return super().prove(launch, token)


class ProvesByWhoAmI(Receiver):
    """Sends the nonce with another request than the one for the record: Clio takes it anywhere."""

    def url(self, launch):
        return "/api/v4/users/who_am_i"

    def judge(self, launch, answer):
        if answer.status_code != 200 or str(answer.json()["data"]["id"]) != launch["user_id"]:
            raise Refused("Clio says no")


class ProvesByHead(Receiver):
    """Sends the nonce with a HEAD request, and reads the record afterwards."""

    def prove(self, launch, token):
        try:
            proof = self.clio.head(
                launch["subject_url"],
                params={"custom_action_nonce": launch["custom_action_nonce"]},
                headers={"authorization": f"Bearer {token}"},
            )
        except httpx.HTTPError:
            raise Refused("no answer") from None
        if proof.status_code != 200:
            raise Refused("Clio says no")
        answer = self.ask(self.url(launch), token)
        self.judge(launch, answer)
        return answer.text


class ProvesLater(Receiver):
    """Answers everybody the same at once, and asks Clio in the background."""

    def answer(self, method, query):
        if method == "GET":
            threading.Timer(0.1, super().answer, [method, query]).start()
        return 200, "We will send you a message."


class SaysTheSame(Receiver):
    """Answers everybody the same, once Clio has been asked."""

    def page(self, launch, record):
        return "Thank you."

    def refused(self, launch, reason):
        return 200, "Thank you."


class Gullible(SaysTheSame):
    """Answers everybody the same, and never asks Clio."""

    def answer(self, method, query):
        return 200, "Thank you."


class SendsToSignIn(Receiver):
    """Sends whoever has not connected to Clio's consent page."""

    def answer(self, method, query):
        status, text = super().answer(method, query)
        return (302, "connect") if text == "not connected" else (status, text)

    def __call__(self, environ, start_response):
        def connecting(status, headers):
            if status.startswith("302"):
                headers = [*headers, ("location", f"{self.site.origin}/oauth/authorize?state=x")]
            start_response(status, headers)

        return super().__call__(environ, connecting)


class LocksOut(Receiver):
    """Refuses a user for good who came twice with one nonce: every double click."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.nonces = set()
        self.locked = set()

    def check(self, launch):
        super().check(launch)
        if launch["custom_action_nonce"] in self.nonces:
            self.locked.add(launch["user_id"])
        self.nonces.add(launch["custom_action_nonce"])

    def check_action(self, launch, token):
        super().check_action(launch, token)
        if launch["user_id"] in self.locked:
            raise Refused("locked")
