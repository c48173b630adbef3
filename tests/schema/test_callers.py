"""Who asks: login, units, roles, credentials."""

from __future__ import annotations

import pytest

from leadvibe.ids import new_id
from leadvibe.resolvers.bootstrap import Bootstrapped
from leadvibe.store.database import Database
from leadvibe.store.tables import Lane, Membership, OrgUnit
from tests.schema.conftest import Server, basic, bearer

LOGIN = "mutation ($input: Login!) { login(input: $input) { token } }"
CREATE = 'mutation { createRuleset(input: {name: "Fit"}) { unitId } }'


async def _second_unit(database: Database, acme: Bootstrapped, role: str) -> str:
    unit_id = new_id("unit")
    async with database.session() as session, session.begin():
        session.add(OrgUnit(unit_id=unit_id, org_id=acme.org_id, name="Second", slug="second"))
        session.add(Lane(unit_id=unit_id))
        session.add(Membership(unit_id=unit_id, org_member_id=acme.org_member_id, role=role))
    return unit_id


async def test_a_login_gives_a_token_that_works(server: Server, acme: Bootstrapped) -> None:
    answer = await server.ask(LOGIN, {"input": {"email": "Ada@acme.example ", "password": "correct horse"}})
    token = answer["data"]["login"]["token"]
    answer = await server.ask("{ rules { ruleId } }", **{"Authorization": f"Bearer {token}"})
    assert answer == {"data": {"rules": []}}


@pytest.mark.parametrize(
    ("email", "password"), [("ada@acme.example", "wrong"), ("nobody@acme.example", "x"), ("\0", "")]
)
async def test_a_wrong_password_and_an_unknown_e_mail_look_the_same(
    server: Server, acme: Bootstrapped, email: str, password: str
) -> None:
    answer = await server.ask(LOGIN, {"input": {"email": email, "password": password}})
    assert answer["data"] == {"login": None}
    assert answer["errors"][0]["message"] == "Unknown e-mail or wrong password."
    assert answer["errors"][0]["extensions"] == {"code": "unauthorized"}


@pytest.mark.parametrize("authorization", [None, "Bearer nonsense", "Basic !!", "Basic bm9ib2R5OngK", "Digest x"])
async def test_without_valid_credentials_nothing_is_answered(server: Server, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = await server.ask("{ leads { totalCount } }", **headers)
    assert answer["data"] is None
    assert answer["errors"][0]["extensions"]["code"] == "unauthorized"


async def test_a_credential_works_in_its_unit(server: Server, acme: Bootstrapped) -> None:
    answer = await server.ask(CREATE, **basic(acme))
    assert answer["data"]["createRuleset"]["unitId"] == acme.unit_id


async def test_a_member_of_several_units_names_one(server: Server, acme: Bootstrapped, database: Database) -> None:
    unit_id = await _second_unit(database, acme, "Operator")
    answer = await server.ask("{ rules { ruleId } }", as_=acme)
    assert answer["errors"][0]["extensions"]["code"] == "no_active_ou"
    answer = await server.ask(CREATE, as_=acme, **{"X-Unit-Id": unit_id})
    assert answer["data"]["createRuleset"]["unitId"] == unit_id
    async with server.socket(bearer(acme) | {"X-Unit-Id": unit_id}) as socket:
        await socket.receive()
        await socket.begin("{ rulesets { unitId } }")
        assert await socket.next() == {"rulesets": [{"unitId": unit_id}]}


async def test_the_active_unit_is_kept_in_a_cookie(server: Server, acme: Bootstrapped, database: Database) -> None:
    unit_id = await _second_unit(database, acme, "Operator")
    choose = "mutation ($id: ID!) { setActiveOu(ouId: $id) { orgId unitId } }"
    answer = await server.ask(choose, {"id": unit_id}, as_=acme)
    assert answer["data"]["setActiveOu"] == {"orgId": acme.org_id, "unitId": unit_id}
    assert server.http.cookies["activeOu"] == unit_id
    answer = await server.ask(CREATE, as_=acme)
    assert answer["data"]["createRuleset"]["unitId"] == unit_id


async def test_a_socket_cannot_keep_a_cookie(server: Server, acme: Bootstrapped) -> None:
    async with server.socket(bearer(acme)) as socket:
        await socket.receive()
        await socket.begin(f'mutation {{ setActiveOu(ouId: "{acme.unit_id}") {{ unitId }} }}')
        message = await socket.receive()
    assert message["payload"]["errors"][0]["extensions"]["code"] == "no_cookie_here"


async def test_a_foreign_unit_cannot_be_chosen(server: Server, acme: Bootstrapped, rival: Bootstrapped) -> None:
    choose = "mutation ($id: ID!) { setActiveOu(ouId: $id) { unitId } }"
    answer = await server.ask(choose, {"id": rival.unit_id}, as_=acme)
    assert answer["errors"][0]["extensions"]["code"] == "not_found"
    assert "activeOu" not in server.http.cookies


async def test_a_viewer_reads_and_does_not_write(server: Server, acme: Bootstrapped, database: Database) -> None:
    unit_id = await _second_unit(database, acme, "Viewer")
    headers = bearer(acme) | {"X-Unit-Id": unit_id}
    assert (await server.ask("{ rules { ruleId } }", **headers))["data"] == {"rules": []}
    assert (await server.ask(CREATE, **headers))["errors"][0]["extensions"]["code"] == "forbidden"


async def test_a_membership_is_checked_at_each_operation_of_a_socket(
    server: Server, acme: Bootstrapped, database: Database
) -> None:
    async with server.socket(bearer(acme)) as socket:
        await socket.receive()
        await socket.begin("{ rules { ruleId } }")
        assert await socket.next() == {"rules": []}
        assert (await socket.receive())["type"] == "complete"
        await database.pool.execute("DELETE FROM ou_memberships WHERE unit_id = $1", acme.unit_id)
        await socket.begin("{ rules { ruleId } }", operation_id="2")
        refused = await socket.receive()
    assert refused["payload"]["errors"][0]["extensions"]["code"] == "no_active_ou"
