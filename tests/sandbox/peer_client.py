"""Run by another Python, in which clio-manage-api-client is installed: CRUD, paging, 422 and 429 against a sandbox."""

import json
import sys

from clio_manage_python_client import Manage, configs


def refusal(call, **values):
    """The error that a call raises, as text."""
    try:
        call(**values)
    except RuntimeError as error:
        return str(error)
    raise AssertionError("this should have been refused")


def main(site, token, users):
    configs.BASE_URL["us"] = site
    client = Manage(access_token=token)
    wanted = {"target_url": "https://peer.example/", "ui_reference": "matters/show", "fields": "id,label,ui_reference"}

    made = client.post.custom_actions(label="Peer", **wanted)["data"]
    assert made == {"id": made["id"], "label": "Peer", "ui_reference": "matters/show"}, made
    assert [row["id"] for row in client.get.custom_actions()["data"]] == [made["id"]]
    assert client.patch.custom_actions(id=made["id"], label="Renamed", fields="label")["data"] == {"label": "Renamed"}
    assert client.get.custom_actions(id=made["id"], fields="label")["data"] == {"label": "Renamed"}

    too_long = refusal(client.post.custom_actions, label="x" * 33, **wanted)
    assert "422" in too_long, too_long
    assert "RecordInvalid" in too_long, too_long
    assert "422" in refusal(client.post.custom_actions, label="Renamed", **wanted)

    for number in range(4):
        client.post.custom_actions(label=f"Page {number}", **wanted)
    labels = [row["label"] for row in client.all.custom_actions(limit=2, fields="label")["data"]]
    assert labels == ["Renamed", "Page 0", "Page 1", "Page 2", "Page 3"], labels
    people = client.all.users(limit=200, fields="id,name")["data"]
    assert [person["id"] for person in people] == users

    assert client.delete.custom_actions(id=made["id"]) is None
    assert "404" in refusal(client.get.custom_actions, id=made["id"])
    over = ""
    while not over:
        try:
            client.get.users(id=users[0])
        except RuntimeError as error:
            over = str(error)
    assert "429" in over, over
    assert "RateLimited" in over, over


if __name__ == "__main__":
    main(*json.loads(sys.argv[1]))
