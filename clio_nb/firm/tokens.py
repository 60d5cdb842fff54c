"""Bring in the tokens that a partner has already, and take them out again: tables, CSV files, SQL queries."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd

from ..database._private_files import write_whole
from ..database.firm_key import FirmKey
from ..errors import InvalidInput, VaultError
from ..models import Site, Token, User, whole_letters
from ..secret import Secret
from ..tables import integers, neutral, texts, times
from ..vault import Grant, Vault
from ..vault.vault import firm_key_of
from ..vocabulary import Region

NEEDED: Final = ("user_id", "access_token")
WELCOME: Final = ("refresh_token", "expires_at", "name", "email", "region")


def import_tokens(vault: Vault, site: Site, firm: str, source: pd.DataFrame | Path | str, query: str | None) -> int:
    """Keep the tokens of a table, a CSV file or a query, all or none; return how many."""
    if isinstance(source, pd.DataFrame):
        table = source
    elif query is not None:
        table = _queried(Secret(str(source)), query)
    else:
        table = _read(Path(source))
    missing = next((column for column in NEEDED if column not in table.columns), None)
    if missing is not None:
        raise InvalidInput(
            f"The table has no column {missing!r}. It needs {' and '.join(NEEDED)}, and may have {', '.join(WELCOME)}.",
            field=missing,
        )
    columns = [column for column in (*NEEDED, *WELCOME) if column in table.columns]
    rows = table[columns].astype(object).to_dict("records")
    grants = [(_firm_key(site, firm, number, row), _grant(number, row)) for number, row in enumerate(rows, 1)]
    first: dict[tuple[FirmKey, int], int] = {}
    for number, (firm_key, grant) in enumerate(grants, 1):
        if first.setdefault((firm_key, grant.user.id), number) != number:
            raise InvalidInput(
                f"Row {number}: user {grant.user.id} is in row {first[firm_key, grant.user.id]} already.",
                field="user_id",
            )
    vault.sealed.keep_all(grants)
    return len(grants)


def tokens_frame(vault: Vault, site: Site, firm: str) -> pd.DataFrame:
    """Return the tokens of a firm. Those two columns hold :class:`Secret`: a table that is shown shows none."""
    grants = list(vault.grants(site, firm=firm))
    moments = [grant.token.expires_at for grant in grants]
    return pd.DataFrame(
        {
            "user_id": integers([grant.user.id for grant in grants]),
            "name": texts([grant.user.name for grant in grants]),
            "email": texts([grant.user.email for grant in grants]),
            "access_token": pd.Series([grant.token.access or None for grant in grants], dtype=object),
            "refresh_token": pd.Series([grant.token.refresh for grant in grants], dtype=object),
            "expires_at": times([None if at is None else dt.datetime.fromtimestamp(at, dt.UTC) for at in moments]),
            "problem": texts([grant.problem or None for grant in grants]),
        }
    )


def export_tokens(vault: Vault, site: Site, firm: str, path: Path) -> Path:
    """Write the tokens of a firm in clear to a CSV file that only its owner can read, without what is damaged."""
    write_whole(path, _in_clear(tokens_frame(vault, site, firm).dropna(subset="access_token")))
    return path


def _in_clear(table: pd.DataFrame) -> Secret:
    for column in ("access_token", "refresh_token"):
        table[column] = [secret.reveal() if isinstance(secret, Secret) else None for secret in table[column]]
    for column in ("name", "email"):
        table[column] = table[column].map(neutral, na_action="ignore")
    return Secret(table.to_csv(index=False))


def _read(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path, dtype="string")
    except OSError as cause:
        raise InvalidInput(f"{path}: cannot be read ({cause.strerror}).", field="source") from None
    except ValueError:  # pandas' parsing errors, which may quote a line with a token in it
        raise InvalidInput(f"{path}: not a CSV file with column names in its first line.", field="source") from None


def _queried(url: Secret, query: str) -> pd.DataFrame:
    import sqlalchemy as sa  # noqa: PLC0415 -- only to ask a database

    try:
        engine = sa.create_engine(url.reveal(), hide_parameters=True, poolclass=sa.pool.NullPool)
        with engine.connect() as database:
            found = database.execute(sa.text(query))
            return pd.DataFrame(found.all(), columns=list(found.keys()))
    except (sa.exc.SQLAlchemyError, ModuleNotFoundError, ValueError) as cause:
        said = str(getattr(cause, "orig", None) or cause).splitlines()[0]
        raise VaultError(f"The database with the tokens refused the query: {said[:200]}") from None


def _firm_key(site: Site, firm: str, number: int, row: Mapping[Hashable, Any]) -> FirmKey:
    """Return the firm of a row: a token of another region is kept apart, and never sent here."""
    here, region = firm_key_of(site, firm), row.get("region")
    if _is_missing(region) or str(region).lower() == site.region:
        return here
    if str(region).lower() not in set(Region):
        raise InvalidInput(f"Row {number}: unknown region. Use us, eu, ca or au.", field="region")
    return here._replace(site=str(region).lower())


def _grant(number: int, row: Mapping[Hashable, Any]) -> Grant:
    """Read one row. Errors name the row and the column, never what is in it."""
    values = {name: None if _is_missing(value) else value for name, value in row.items()}
    access, refresh = (_secret(values.get(name)) for name in ("access_token", "refresh_token"))
    if not access:
        raise InvalidInput(f"Row {number}: access_token is empty.", field="access_token")
    user = User(
        id=_user_id(values["user_id"], number), name=_text(values.get("name")), email=_text(values.get("email"))
    )
    expires_at = _seconds(values.get("expires_at"), number)
    try:
        return Grant(user, Token(access=access, refresh=refresh, expires_at=expires_at))
    except InvalidInput as error:
        raise InvalidInput(f"Row {number}: {error}", field=f"{error.field}_token") from None


def _is_missing(value: object) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value))


def _secret(value: object) -> Secret | None:
    if isinstance(value, Secret):
        return value
    return Secret(str(value).strip()) if value is not None and str(value).strip() else None


def _text(value: object) -> str | None:
    return None if value is None else whole_letters(str(value))


def _user_id(value: object, number: int) -> int:
    text = str(value).strip().removesuffix(".0")  # a column with gaps comes as floats
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 2**63):
        raise InvalidInput(f"Row {number}: user_id is not a user id. Use Clio's number of the user.", field="user_id")
    return int(text)


def _seconds(value: object, number: int) -> float | None:
    """Return a time as seconds since the epoch: from a datetime, from ISO 8601 text, or from such seconds."""
    if value is None:
        return None
    try:
        if isinstance(value, dt.datetime):
            moment = value
        elif re.fullmatch(r"[0-9]+\.?[0-9]*(E\+[0-9]+)?", text := str(value).strip().upper()):  # E+ is Excel's
            return float(text)
        else:
            moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(
            f"Row {number}: expires_at is not a time. Use ISO 8601 or seconds since 1970.", field="expires_at"
        ) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp()
