"""The firm's records as a user sees them: tables, single records, and the click on a custom action."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from ...vocabulary import Location
from ..firm.rows import Row
from .columns import COLUMNS, DETAILS, address, title
from .guard import Sorry
from .listing import sheet
from .menus import is_web, items, menu_of
from .visit import Visit, number, row, screen


def _table(visit: Visit) -> Response:
    location = _location(visit)
    rows, kept = visit.state.visible(location.resource, visit.me.id), {}
    folder = _folder(visit) if location is Location.DOCUMENTS else None
    if folder:
        rows, kept = [each for each in rows if each.lies_in(folder.id)], {"folder": str(folder.id)}
    return visit.page(
        "table.html",
        location=location,
        menu=menu_of(location, "table"),
        folder=folder,
        columns=COLUMNS[location],
        sheet=sheet(rows, visit.request.query_params.get("page"), kept),
        items=items(visit.state, visit.me.id, location),
        title=title,
        address=address,
    )


def _record(visit: Visit) -> Response:
    location = _location(visit)
    menu, record = menu_of(location, "singular"), _record_of(visit, location)
    if menu is None:
        raise Sorry(404, "A folder has no page of its own, here as in Clio. Open it from the table of folders.")
    return visit.page(
        "record.html",
        location=location,
        menu=menu,
        row=record,
        name=title(location, record.data),
        fields=[(column.title, column.cell(record.data)) for column in (*COLUMNS[location][1:], *DETAILS[location])],
        items=items(visit.state, visit.me.id, location),
    )


def _download(visit: Visit) -> Response:
    document = _record_of(visit, Location.DOCUMENTS)
    text = f"This stands for {document.data['filename']}. The sandbox keeps no files.\n"
    headers = {
        "content-disposition": f'attachment; filename="document-{document.id}.txt"',
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
    }
    return Response(text, headers=headers, media_type="text/plain")


def _launch(visit: Visit) -> Response:
    """Mint a launch, now that the person has clicked, and open it."""
    action = visit.state.actions.of(visit.me.id).get(number(visit.fields.get("custom_action_id")) or 0)
    if action is None:
        raise Sorry(404, f"{visit.me.data['name']} does not have this custom action any more. Reload the page.")
    if not is_web(action.data["target_url"]):
        raise Sorry(422, "The target of this custom action is not a web address, so it is not opened.")
    try:
        url = visit.state.click(visit.me.id, action.id, visit.fields.get("subject_url", ""))
    except LookupError as error:
        raise Sorry(404, str(error)) from None
    except ValueError as error:
        raise Sorry(422, str(error)) from None
    return visit.leave(url)


def _location(visit: Visit) -> Location:
    location = Location.of_resource(visit.request.path_params["resource"])
    if location is None:
        raise Sorry(404, "There is no such page.")
    return location


def _record_of(visit: Visit, location: Location) -> Row:
    found = row(visit.state, location.resource, visit.request.path_params["id"])
    if found is None:
        raise Sorry(404, f"There is no such {location.record_type.lower()}.")
    if visit.state.is_closed(location.resource, found, visit.me.id):
        raise Sorry(403, f"This {location.record_type.lower()} is closed to {visit.me.data['name']}.")
    return found


def _folder(visit: Visit) -> Row | None:
    asked = visit.request.query_params.get("folder")
    if asked is None:
        return None
    folder = row(visit.state, "folders", asked)
    if folder is None or visit.state.is_closed("folders", folder, visit.me.id):
        raise Sorry(404, "There is no such folder.")
    return folder


ROUTES: Final = [
    screen("/as/{user}/launch", _launch, "POST"),
    screen("/as/{user}/documents/{id}/download", _download),
    screen("/as/{user}/{resource}", _table),
    screen("/as/{user}/{resource}/{id}", _record),
]
