"""The mistakes that receivers of launches make, by name, each with what was seen and what to do instead."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Mistake(StrEnum):
    """What a receiver did wrong."""

    REFUSES_GENUINE = "refuses-genuine"
    NEVER_SENDS_NONCE = "never-sends-nonce"
    TOKEN_LEAVES_CLIO = "token-leaves-clio"  # noqa: S105 -- a name
    ASKS_ANOTHER_HOST = "asks-another-host"
    FOLLOWS_REDIRECTS = "follows-redirects"
    TRUSTS_SUBJECT_URL = "trusts-subject-url"
    SWALLOWED_NONCE = "swallowed-nonce"
    LETS_IN_UNPROVED = "lets-in-unproved"
    LETS_IN_MALFORMED = "lets-in-malformed"
    RETRIES_NONCE = "retries-nonce"
    OTHER_USERS_TOKEN = "other-users-token"  # noqa: S105 -- a name
    IGNORES_ACTION = "ignores-action"
    TRUSTS_ANY_ANSWER = "trusts-any-answer"
    SPENDS_ON_HEAD = "spends-on-head"
    BREAKS_DOWN = "breaks-down"
    NO_ANSWER = "no-answer"
    DOES_NOT_CONNECT = "does-not-connect"
    TRUSTS_STATE = "trusts-state"
    TAKES_CODE_TWICE = "takes-code-twice"
    OPEN_REDIRECT = "open-redirect"

    @property
    def sentence(self) -> str:
        """What was seen, and what to do instead."""
        return _SENTENCES[self]


_SENTENCES: Final = {
    Mistake.REFUSES_GENUINE: "A genuine launch was refused. Check that the receiver uses this sandbox as its Clio, "
    "holds a token of this user, and serves this location; name the locations that it serves with --at.",
    Mistake.NEVER_SENDS_NONCE: "A genuine launch was let in although its nonce never reached Clio. Send the nonce of "
    "each launch to Clio, with the request for the record.",
    Mistake.TOKEN_LEAVES_CLIO: "A request with the bearer token went to another host. Build the URL from the region's "
    "host, the resource and the id, never from subject_url or a redirect.",
    Mistake.ASKS_ANOTHER_HOST: "subject_url made the receiver send a request to another host, although without the "
    "token. Build the URL from the region's host, the resource and the id.",
    Mistake.FOLLOWS_REDIRECTS: "The receiver followed a redirect to another host. Turn redirects off in the HTTP "
    "client that talks to Clio, and treat a redirect as a refusal.",
    Mistake.TRUSTS_SUBJECT_URL: "Clio was asked with a subject_url that Clio never sends. Match all of it, then "
    "build the path from resource and id.",
    Mistake.SWALLOWED_NONCE: "The record was read without the nonce, because subject_url swallowed it. Match "
    "subject_url as a whole.",
    Mistake.LETS_IN_UNPROVED: "A launch that Clio did not confirm was let in. Let it in only after a 200 to the "
    "request with the nonce, and ask Clio for each launch.",
    Mistake.LETS_IN_MALFORMED: "A launch that Clio never sends was let in. Refuse parameters that are missing, "
    "doubled or spelled differently.",
    Mistake.RETRIES_NONCE: "The nonce was sent again after an answer that may have spent it. Ask for a new click "
    "instead.",
    Mistake.OTHER_USERS_TOKEN: "The token of another user was used, not that of user_id. Look the token up by "
    "user_id, and refuse when there is none.",
    Mistake.IGNORES_ACTION: "A launch was let in although its custom_action_id is unknown, another user's, or of "
    "another location. Check it against your own actions.",
    Mistake.TRUSTS_ANY_ANSWER: "An answer that is not the record was taken as a proof. Check that it is JSON with "
    "the record's id.",
    Mistake.SPENDS_ON_HEAD: "A HEAD request spent the nonce. Only a person's GET may: browsers and scanners open "
    "links in advance.",
    Mistake.BREAKS_DOWN: "A launch was answered with a server error. Refuse a bad one with a 4xx.",
    Mistake.NO_ANSWER: "The receiver did not answer, or redirected the browser again and again.",
    Mistake.DOES_NOT_CONNECT: "A user who pressed Allow was not connected. Check that the receiver uses this sandbox "
    "as its Clio, and that its redirect URI is registered there (clio-nb sandbox --redirect-uri).",
    Mistake.TRUSTS_STATE: "A code was exchanged although its state was missing, changed, or of another browser: "
    "somebody could be signed in as somebody else. Bind the state to the browser, and compare it.",
    Mistake.TAKES_CODE_TWICE: "The same answer of Clio was used twice. Let each state count once.",
    Mistake.OPEN_REDIRECT: "After connecting, the browser was sent to another host that the link had named. Take only "
    "paths of your own site.",
}
