"""CSV import: good rows go in, bad ones are told by line, and nothing depends on how the bytes arrive."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadvibe.errors import ApiError, conflict
from leadvibe.pipeline.buffer import Receipt, Result
from leadvibe.pipeline.csv_import import ImportReport, RowProblem, import_csv
from leadvibe.pipeline.events import IncomingEvent
from leadvibe.store.database import Database
from tests.pipeline.units import new_unit, open_buffer
from tests.scoring.streams import config, ruleset

HEADER = "event_type,lead_id,email,timestamp,metadata,event_id\n"
NEVER_CLOSED = "A quote is opened and never closed."


@dataclass
class Taken:
    """Accepts everything, as the buffer does, but events of the type `refused`."""

    events: list[IncomingEvent] = field(default_factory=list)
    groups: list[int] = field(default_factory=list)

    async def accept(self, events: list[IncomingEvent]) -> Sequence[Result]:
        self.groups.append(len(events))
        self.events += [event for event in events if event.event_type != "refused"]
        return [conflict("Taken.") if event.event_type == "refused" else Receipt(event.event_id) for event in events]

    def rows(self) -> list[tuple[str, str | None]]:
        return [(event.event_type, event.lead_id) for event in self.events]


async def chunked(data: bytes, cuts: Sequence[int]) -> AsyncIterator[bytes]:
    edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    for start, end in pairwise(edges):
        yield data[start:end]


async def run(content: str | bytes, cuts: Sequence[int] = ()) -> tuple[ImportReport, Taken]:
    taken = Taken()
    data = content.encode() if isinstance(content, str) else content
    return await import_csv(chunked(data, cuts), taken.accept), taken


async def refusal(content: str | bytes, cuts: Sequence[int] = ()) -> ApiError:
    with pytest.raises(ApiError) as caught:
        await run(content, cuts)
    return caught.value


async def test_a_row_becomes_an_event_with_all_that_its_cells_say() -> None:
    metadata = '"{""path"": ""/a,b"", ""note"": ""two\\nlines""}"'
    _, taken = await run(HEADER + f"view,ld_1, Ada@Acme.example,2026-03-01T12:00:00+02:00,{metadata},e1\n")
    (event,) = taken.events
    assert (event.event_type, event.lead_id, event.event_id, event.key) == ("view", "ld_1", "e1", "e:e1")
    assert event.aliases == [["email", " Ada@Acme.example", "ada@acme.example"]]
    assert event.occurred_at.isoformat() == "2026-03-01T10:00:00+00:00"
    assert event.metadata == {"path": "/a,b", "note": "two\nlines"}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("view,ld_1,,,", "The row has 5 cells, the header 6."),
        ("view,ld_1,,,,,", "The row has 7 cells, the header 6."),
        ("view,ld_1,,,{no json},", "The metadata is not valid JSON."),
        ('view,ld_1,,,"[1]",', "The event is not valid: metadata must be an object."),
        (
            "view,ld_1,,yesterday,,",
            "The event is not valid: timestamp must be an RFC 3339 time with its offset, such as 2025-08-15T12:00:00Z.",
        ),
        (
            "view,ld_1,,2026-01-01T00:00:00,,",
            "The event is not valid: timestamp must be an RFC 3339 time with its offset, such as 2025-08-15T12:00:00Z.",
        ),
        (",ld_1,,,,", "The event is not valid: event_type is required."),
        ("view,,,,,", "The event is not valid: lead_id is required, unless aliases name the lead."),
        ("refused,ld_1,,,,", "Taken."),
        ('view,"ld"_1,,,,', "The row is not valid CSV: ',' expected after '\"'."),
        ('view,"ld_1,,,,', NEVER_CLOSED),
        ("view,Zo\udceb,,,,", "The row is not UTF-8."),
        ('view,,,,"{""a"":""\udcff""}",', "The row is not UTF-8."),
        (f"view,ld_1,,{'x' * 300_000},{'x' * 300_000},", "The row is too long."),
        ("x" * 2_000_000, "The row is too long."),
    ],
)
async def test_a_bad_row_is_told_by_its_line_and_harms_no_other(row: str, reason: str) -> None:
    data = (HEADER + f"first,ld_1,,,,\n{row}\nlast,ld_2,,,,\n").encode(errors="surrogateescape")
    for cuts in ([], range(0, len(data), 65_536)):
        report, taken = await run(data, cuts)
        assert report == ImportReport(2, 1, [RowProblem(3, reason)])
        assert taken.rows() == [("first", "ld_1"), ("last", "ld_2")]


async def test_lines_are_counted_as_an_editor_counts_them() -> None:
    report, taken = await run(
        HEADER + 'view,ld_1,,,"{\n""a"":\n1}",\n' + "bad\n" + "\n" + "worse\n" + 'view,"two\nlines",,,,\n' + "worst"
    )
    assert [problem.line for problem in report.problems] == [5, 7, 10]
    assert taken.rows() == [("view", "ld_1"), ("view", "two\nlines")]


async def test_an_unclosed_quote_costs_its_own_line_only() -> None:
    good = "".join(f'view,ld_{i},,,"{{""a"": {i}}}",\n' for i in range(50))
    report, taken = await run(HEADER + good + 'view,"open,,,,\n' + good + 'view,ld_x,,,"{,\n' + good)
    assert report == ImportReport(150, 2, [RowProblem(52, NEVER_CLOSED), RowProblem(103, NEVER_CLOSED)])
    assert len(taken.events) == 150


async def test_an_unclosed_quote_with_no_other_quote_behind_it_costs_its_own_line_only() -> None:
    # Longer than any record, so that the importer gives up before the end of the file.
    good = "".join(f"view,ld_{i},,,,\n" for i in range(40_000))
    report, _ = await run(HEADER + 'view,"open,,,,\n' + good)
    assert report == ImportReport(40_000, 1, [RowProblem(2, NEVER_CLOSED)])


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("last", [True, False])
async def test_line_ends_and_a_byte_order_mark_make_no_difference(end: str, mark: str, last: bool) -> None:
    lines = ["Event_Type , LEAD_ID", "view,ld_1", '"view","ld_2"', "", "view,Zoë"]
    report, taken = await run(mark + end.join(lines) + end * last)
    assert report == ImportReport(3)
    assert taken.rows() == [("view", "ld_1"), ("view", "ld_2"), ("view", "Zoë")]


async def test_quoted_line_ends_are_kept_as_they_are() -> None:
    _, taken = await run('event_type,lead_id\r\nview,"a\r\nb"\r\nview,"c\nd"\r\n')
    assert taken.rows() == [("view", "a\r\nb"), ("view", "c\nd")]


async def test_columns_that_say_nothing_of_an_event_are_ignored() -> None:
    report, taken = await run("campaign,event_type,fax,lead_id,skype\nx,view,1,ld_1,2\n")
    assert report == ImportReport(1)
    assert taken.events[0].aliases == []


async def test_alias_columns_name_the_lead() -> None:
    _, taken = await run("event_type,phone,cookie\nview,+49 (30) 1,c1\n")
    assert taken.events[0].aliases == [["phone", "+49 (30) 1", "+49301"], ["cookie", "c1", "c1"]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "The file is empty."),
        (b"\xef\xbb\xbf", "The file is empty."),
        (b"lead_id,timestamp\nld_1,\n", "The file has no event_type column."),
        (b"\nevent_type\n", "No column names the lead."),
        (b'event_type,"lead_id\n', f"The header cannot be read: {NEVER_CLOSED}"),
        (b"event_type,timestamp\n", "No column names the lead."),
        (b"event_type,lead_id,Lead_id \n", "A column is there twice."),
        (b"\xff\xfee\0v\0", "The file is not UTF-8 (line 1)."),
    ],
)
async def test_a_file_that_is_no_import_is_400(content: bytes, message: str) -> None:
    error = await refusal(content)
    assert (error.status, error.message, error.details[0].field) == (400, message, "file")


async def test_a_file_without_line_ends_does_not_fill_the_memory() -> None:
    error = await refusal(b"x" * 20_000_000, range(0, 20_000_000, 65_536))
    assert error.message == "The header cannot be read: The row is too long."


async def test_a_file_that_ends_inside_a_character_has_a_bad_last_row() -> None:
    report, taken = await run("event_type,lead_id\nview,ld_1\nview,Zoë".encode()[:-1])
    assert report == ImportReport(1, 1, [RowProblem(3, "The row is not UTF-8.")])
    assert taken.rows() == [("view", "ld_1")]


async def test_a_long_quoted_record_that_ends_nowhere_costs_its_own_line_only() -> None:
    report, _ = await run(HEADER + 'view,"open\n' + "x" * 600_000 + "\nview,ld_1,,,,\n")
    assert report == ImportReport(1, 2, [RowProblem(2, NEVER_CLOSED), RowProblem(3, "The row is too long.")])


async def test_a_quote_inside_a_plain_cell_is_only_a_character() -> None:
    _, taken = await run('event_type,lead_id\n5" screen,"a\nb"\n')
    assert taken.rows() == [('5" screen', "a\nb")]


async def test_groups_are_bounded_and_problems_are_named_up_to_a_limit() -> None:
    report, taken = await run(HEADER + "view,ld_1,,,,\n" * 4_500 + "bad\n" * 1_500)
    assert taken.groups == [2_000, 2_000, 500]
    assert (report.imported, report.errors, len(report.problems)) == (4_500, 1_500, 1_000)
    assert report.problems[-1].line == 5_501


async def test_progress_hears_of_every_byte() -> None:
    heard: list[int] = []
    data = (HEADER + "view,ld_1,,,,\n" * 10).encode()
    await import_csv(chunked(data, [7, 50]), Taken().accept, progress=heard.append)
    assert heard == [7, 43, len(data) - 50]


_pieces = st.sampled_from(
    ["view", "ld_1", ",", ",", "\n", "\n", "\r\n", '"', '""', '","', "Zoë", "𝄞", "x,y\n", '{""a"":1}']
)
_files = st.lists(_pieces, max_size=40).map(lambda pieces: ("event_type,lead_id\n" + "".join(pieces)).encode())


@settings(max_examples=100)
@given(_files, st.lists(st.integers(1, 120), max_size=8))
async def test_the_report_is_the_same_however_the_bytes_are_cut(data: bytes, cuts: list[int]) -> None:
    whole, taken = await run(data)
    pieces, taken_in_pieces = await run(data, cuts)
    assert pieces == whole
    assert taken_in_pieces.rows() == taken.rows()


_text = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1, max_size=20)
_plain_text = _text.filter(lambda text: text.strip() != "")
_events = st.tuples(_plain_text, _plain_text, st.dictionaries(_text, _text | st.integers(-99, 99), max_size=3))


@settings(max_examples=80)
@given(st.lists(_events, max_size=8), st.sampled_from(["\n", "\r\n"]), st.lists(st.integers(1, 400), max_size=6))
async def test_what_a_csv_writer_wrote_comes_in_as_it_was(
    events: list[tuple[str, str, dict[str, object]]], end: str, cuts: list[int]
) -> None:
    file = io.StringIO(newline="")
    # With line feeds alone the writer leaves a carriage return unquoted, unless it quotes everything.
    quoting = csv.QUOTE_ALL if end == "\n" else csv.QUOTE_MINIMAL
    writer = csv.writer(file, lineterminator=end, quoting=quoting)
    writer.writerow(["event_type", "lead_id", "metadata"])
    writer.writerows([kind, lead, orjson.dumps(metadata).decode()] for kind, lead, metadata in events)
    report, taken = await run(file.getvalue(), cuts)
    assert report == ImportReport(len(events))
    assert [(event.event_type, event.lead_id, event.metadata) for event in taken.events] == events


async def test_an_import_is_scored_and_a_second_one_changes_nothing(database: Database) -> None:
    unit = await new_unit(database, config(ruleset(view=10)))
    data = (HEADER + "".join(f"view,ld_{i % 7},,2026-03-01T00:00:00Z,,e{i}\n" for i in range(70))).encode()
    async with open_buffer(database) as buffer:
        for _ in range(2):
            report = await import_csv(chunked(data, [99]), lambda events: buffer.accept(unit.unit_id, events))
            assert report == ImportReport(70)
            await unit.work()
    assert await unit.scores() == {f"ld_{i}": 100 for i in range(7)}
