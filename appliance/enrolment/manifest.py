"""manifest.csv → who is to be on the list and which photos show them; every problem at once, with row and remedy."""

from __future__ import annotations

import csv
import difflib
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from appliance.core.errors import WatchlistError
from appliance.enrolment.photo_sources import MANIFEST_NAME, PhotoSource, is_photo, safe_name
from appliance.gallery.watchlist.entry import ENTRY_ID, RESPONSES, Entry

MAX_MANIFEST_BYTES = 64 * 1024**2
MAX_PHOTOS_PER_ENTRY = 20
COLUMNS = (
    "entry_id", "image", "category", "label", "response", "warnings", "source", "legal_basis", "requested_by",
    "review_date", "under_18", "under_18_rationale", "expires",
)  # fmt: skip
_YES, _NO = {"yes", "y", "true", "1", "x"}, {"", "no", "n", "false", "0"}
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, where, and what to do about it. Rows are counted as a spreadsheet does, the header being 1."""

    row: int | None
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        where = f"row {self.row}: " if self.row else ""
        return f"{where}{self.what} {self.remedy}".strip()


class ManifestError(WatchlistError):
    """All that is wrong with a manifest."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.row or 0))
        lines = [f"  {problem}" for problem in self.problems[:_SHOWN]]
        if len(problems) > _SHOWN:
            lines.append(f"  … and {len(problems) - _SHOWN} more")
        noun = "problem" if len(problems) == 1 else "problems"
        super().__init__(f"No list was built: {len(problems)} {noun} in the source.\n" + "\n".join(lines))


@dataclass(frozen=True, slots=True)
class PhotoRef:
    """One photo of one entry: the entry's position, the photo's name in the source."""

    entry: int
    name: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Who is to be on the list, with which photos; `notes` are sentences for the operator, none of which stops it."""

    entries: tuple[Entry, ...]
    photos: tuple[PhotoRef, ...]
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Draft:
    """An entry as its rows come in."""

    first_row: int
    values: dict[str, str] = field(default_factory=dict)
    images: list[tuple[str, int]] = field(default_factory=list)


def plan(source: PhotoSource, *, max_entries: int, today: date, category: str = "", response: str = "") -> Plan:
    """What a source asks for: by its manifest, or one folder a person where it has none.

    Parameters
    ----------
    category, response
        For entries that name none; default `unspecified` and `amber`.

    Raises
    ------
    ManifestError
        With everything that is wrong.
    """
    defaults = {"category": category or "unspecified", "response": response or "amber"}
    problems = [Problem(None, sentence, "Remove it, or put the file itself there.") for sentence in source.problems]
    name = next((name for name in sorted(source.names) if name.lower() == MANIFEST_NAME), None)
    if name is None:
        drafts, notes = _folders(source, problems)
    else:
        drafts, notes = _rows(source, name, problems)
    if len(drafts) > max_entries:
        problems.append(
            Problem(None, f"{len(drafts)} entries; at most {max_entries} are allowed.", "Shorten the list.")
        )
    if not drafts and not problems:
        problems.append(
            Problem(None, "There is nobody in it.", "Name a folder with manifest.csv or one folder a person.")
        )
    entries: list[Entry] = []
    photos: list[PhotoRef] = []
    for entry_id, draft in drafts.items():
        entry = _entry(entry_id, draft, defaults, today, problems)
        if entry is not None:
            photos += [PhotoRef(len(entries), image) for image, _ in draft.images]
            entries.append(entry)
    if problems:
        raise ManifestError(problems)
    if name is not None:
        unused = sum(is_photo(n) for n in source.names) - len({photo.name for photo in photos})
        if unused > 0:
            notes.append(f"{unused} pictures of the source are in no row of {name}.")
        unfounded = sum(not entry.legal_basis for entry in entries)
        if unfounded:
            notes.append(f"{unfounded} entries name no legal_basis.")
    overdue = sum(entry.review_date is not None and entry.review_date < today for entry in entries)
    if overdue:
        notes.append(f"{overdue} entries have a review_date that has passed.")
    return Plan(tuple(entries), tuple(photos), tuple(notes))


def _folders(source: PhotoSource, problems: list[Problem]) -> tuple[dict[str, _Draft], list[str]]:
    """One folder a person: its name is the entry's id."""
    drafts: dict[str, _Draft] = {}
    labels: dict[str, str] = {}
    loose = 0
    for name in sorted(source.names):
        person, slash, rest = name.partition("/")
        if not is_photo(name):
            continue
        if not slash or "/" in rest:
            loose += 1
            continue
        entry_id = re.sub(r"\s+", "_", person)
        if labels.setdefault(entry_id, person) != person:
            problems.append(
                Problem(None, f"The folders {person!r} and {labels[entry_id]!r} give one id.", "Rename one.")
            )
            continue
        draft = drafts.setdefault(entry_id, _Draft(0, {"label": person.replace("_", " ")}))
        draft.images.append((name, 0))
    notes = []
    if loose and drafts:
        notes.append(f"{loose} pictures lie loose or in deeper folders and were left aside.")
    elif loose:
        problems.append(
            Problem(None, f"There is no {MANIFEST_NAME}, and {loose} pictures lie in no person's folder.",
                    "Put each person's pictures into a folder of their own, or write a manifest.")
        )  # fmt: skip
    return drafts, notes


def _text(content: bytes, problems: list[Problem], notes: list[str]) -> str:
    """The manifest's text: UTF-8 with or without a mark, UTF-16 with one, or Windows-1252 as Excel writes."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    elif b"\0" in content[:2000]:
        encodings = ["utf-16-le" if content[1:2] == b"\0" else "utf-16-be"]
    else:
        encodings = ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if encoding == "cp1252":
            notes.append(f"{MANIFEST_NAME} is not UTF-8 and was read as Windows-1252; look at names with accents.")
        if "\0" not in text:
            return text
    problems.append(
        Problem(None, f"{MANIFEST_NAME} is in an encoding that cannot be read.", 'Save it as "CSV UTF-8" in Excel.')
    )
    return ""


def _rows(source: PhotoSource, name: str, problems: list[Problem]) -> tuple[dict[str, _Draft], list[str]]:
    notes: list[str] = []
    text = _text(source.read(name, MAX_MANIFEST_BYTES), problems, notes)
    skipped, delimiter = 0, ""
    first, _, rest = text.partition("\n")
    if re.fullmatch(r"sep=[^\r]\r?", first, re.IGNORECASE):  # Excel's own hint to itself
        delimiter, skipped, text = first[4], 1, rest
        first = text.partition("\n")[0]
    delimiter = delimiter or max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows = None
    row = skipped
    try:
        for cells in reader:
            row += 1
            if not any(cell.strip() for cell in cells):
                continue
            if rows is None:
                columns = _columns(cells, row, problems)
                if columns is None:
                    return {}, notes
                rows = _Rows(source, columns, problems)
            else:
                rows.take(cells, row)
    except csv.Error as error:
        problems.append(Problem(row + 1, f"this is not CSV: {error}.", "Look for a quotation mark that is not closed."))
    if rows is None and text:
        problems.append(Problem(None, f"{name} has no header.", f"Its columns may be: {', '.join(COLUMNS)}."))
    return rows.drafts if rows is not None else {}, notes


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _folded(name: str) -> str:
    """A name as those see it who do not mind capitals or how an accent is written."""
    return _composed(_composed(name).casefold())


def _columns(cells: list[str], row: int, problems: list[Problem]) -> list[str] | None:
    columns = [re.sub(r"[\s-]+", "_", cell.strip().lower()) for cell in cells]
    while columns and not columns[-1]:
        columns.pop()
    for column in columns:
        if column not in COLUMNS:
            near = difflib.get_close_matches(column, COLUMNS, 1)
            remedy = f"Did you mean {near[0]!r}?" if near else f"Known columns: {', '.join(COLUMNS)}."
            problems.append(Problem(row, f"the column {column!r} is unknown.", remedy))
    problems += [
        Problem(row, f"the column {column!r} is there twice.", "Remove one.")
        for column, count in Counter(columns).items()
        if count > 1 and column in COLUMNS
    ]
    missing = [column for column in ("entry_id", "image") if column not in columns]
    if missing:
        problems.append(Problem(row, f"the column {' and '.join(missing)} is missing.", "Every row needs it."))
        return None
    return columns


class _Rows:
    """The manifest's rows below its header, gathered into one draft an entry."""

    def __init__(self, source: PhotoSource, columns: list[str], problems: list[Problem]) -> None:
        self.drafts: dict[str, _Draft] = {}
        self._source, self._columns, self._problems = source, columns, problems
        self._folded = {_folded(known): known for known in source.names}

    def take(self, cells: list[str], row: int) -> None:
        """Add a row to its entry's draft, or say what is wrong with it."""
        if any(cell.strip() for cell in cells[len(self._columns) :]):
            self._wrong(row, "it has more cells than the header.",
                        "Put text that holds the separator into quotation marks.")  # fmt: skip
            return
        values = {key: re.sub(r"\s+", " ", value).strip() for key, value in zip(self._columns, cells, strict=False)}
        entry_id = values.pop("entry_id", "")
        image = values.pop("image", "")
        if not ENTRY_ID.match(entry_id):
            self._wrong(row, f"the entry_id {entry_id!r} is not one.", "Use 1 to 64 letters, digits, '_', '.' or '-'.")
            entry_id = entry_id or f"row {row}"  # what else is wrong in the row is told too
        draft = self.drafts.setdefault(entry_id, _Draft(row))
        for key, value in values.items():
            if value and draft.values.setdefault(key, value) != value:
                self._wrong(
                    row,
                    f"{key} of {entry_id} is {value!r} here and {draft.values[key]!r} in an earlier row (first in row "
                    f"{draft.first_row}).",
                    "One person has one; or two people share the id by mistake.",
                )
        self._take_image(image, entry_id, draft, row)

    def _take_image(self, image: str, entry_id: str, draft: _Draft, row: int) -> None:
        name = safe_name(image)
        known = self._source.names
        if name is not None and name not in known:
            spelt = self._folded.get(_folded(name), "")
            name = spelt if _composed(spelt) == _composed(name) else name  # macOS writes é as e and an accent
        if not image:
            self._wrong(row, f"{entry_id} names no image.", "Every row names one.")
        elif name is None:
            self._wrong(
                row, f"the image {image!r} leads out of the folder.", "Name it relative to the manifest's folder."
            )
        elif name not in known:
            other = self._folded.get(_folded(name))
            near = [other] if other else difflib.get_close_matches(name, list(known)[:5000], 1, 0.8)
            remedy = f"Did you mean {near[0]!r}?" if near else "Add it, or remove the row."
            self._wrong(row, f"the image {name!r} is not there.", remedy)
        elif any(name == taken for taken, _ in draft.images):
            self._wrong(row, f"the image {name!r} is named twice for {entry_id}.", "Remove one row.")
        elif len(draft.images) == MAX_PHOTOS_PER_ENTRY:
            self._wrong(row, f"{entry_id} has more than {MAX_PHOTOS_PER_ENTRY} photos.", "Keep the best ones.")
        else:
            draft.images.append((name, row))

    def _wrong(self, row: int, what: str, remedy: str) -> None:
        self._problems.append(Problem(row, what, remedy))


def _entry(
    entry_id: str, draft: _Draft, defaults: dict[str, str], today: date, problems: list[Problem]
) -> Entry | None:
    row = draft.first_row or None
    before = len(problems)

    def wrong(what: str, remedy: str = "") -> None:
        problems.append(Problem(row, f"{entry_id}: {what}", remedy))

    given = {**defaults, **{key: value for key, value in draft.values.items() if value}}
    values: dict[str, Any] = {
        key: given.get(key, "") for key in ("category", "label", "source", "legal_basis", "requested_by",
                                            "under_18_rationale")
    }  # fmt: skip
    values["response"] = _response(given["response"], wrong)
    values["under_18"] = _flag(given.get("under_18", ""), wrong)
    for key in ("review_date", "expires"):
        values[key] = _day(key, given.get(key, ""), wrong)
    if values["expires"] is not None and values["expires"] < today:
        wrong(f"it expired on {values['expires']}.", "Remove it, or correct the date.")
    values["warnings"] = tuple(part.strip() for part in given.get("warnings", "").split(";") if part.strip())
    if values["under_18"] and not values["under_18_rationale"]:
        wrong("under_18 is set without an under_18_rationale.", "Write why a child is on the list.")
    if len(problems) > before or (row and not ENTRY_ID.match(entry_id)):
        return None
    try:
        return Entry(id=entry_id, **values)
    except ValueError as error:
        wrong(f"{error}.")
        return None


def _response(text: str, wrong: Callable[[str, str], None]) -> str:
    if text.lower() not in RESPONSES:
        wrong(f"the response {text!r} is unknown.", f"Use one of {', '.join(RESPONSES)}.")
    return text.lower()


def _flag(text: str, wrong: Callable[[str, str], None]) -> bool:
    if text.lower() not in _YES | _NO:
        wrong(f"under_18 is {text!r}.", "Write yes or no.")
    return text.lower() in _YES


def _day(key: str, text: str, wrong: Callable[[str, str], None]) -> date | None:
    if not text:
        return None
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            return date.fromisoformat(text)
    except ValueError:
        wrong(f"{key} {text!r} is not a day of the calendar.", "Write it like 2026-11-21.")
        return None
    # 03/04/2026 is April in London and March in New York: a legal date is not guessed
    wrong(
        f"{key} {text!r} cannot be read for certain.",
        "Write it like 2026-11-21; in Excel give the column that format, since it changes dates when it saves.",
    )
    return None
