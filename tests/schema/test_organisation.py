"""The organisation over GraphQL: the same operations, by the same rules."""

from __future__ import annotations

from typing import Any

from leadvibe.ids import new_id
from leadvibe.resolvers.bootstrap import Bootstrapped
from tests.schema.conftest import Server, basic

PERSON = {"firstName": "Jane", "lastName": "Doe", "role": "EDITOR"}


async def test_units_members_and_memberships(server: Server, acme: Bootstrapped) -> None:
    async def ask(query: str, **variables: Any) -> Any:
        answer = await server.ask(query, variables, as_=acme, **{"X-Unit-Id": acme.unit_id})
        assert "errors" not in answer, answer
        return answer["data"]

    assert (await ask("{ me { orgMemberId role verified } }"))["me"] == {
        "orgMemberId": acme.org_member_id,
        "role": "ADMIN",
        "verified": True,
    }
    unit = (await ask('mutation { createOrgUnit(input: {name: "EMEA Sales"}) { unitId slug } }'))["createOrgUnit"]
    assert unit["slug"] == "emea-sales"
    rename = 'mutation ($u: ID!) { updateOrgUnit(id: $u, input: {name: "APAC"}) { slug } }'
    renamed = await ask(rename, u=unit["unitId"])
    assert renamed == {"updateOrgUnit": {"slug": "apac"}}
    listed = await ask("{ orgUnits { organization { name } units { slug } } }")
    assert listed == {"orgUnits": {"organization": {"name": "Acme"}, "units": [{"slug": "default"}, {"slug": "apac"}]}}

    given = PERSON | {"email": f"{new_id('jane')}@acme.example"}
    invite = "mutation ($i: Invitation!) { inviteMember(input: $i) { orgMemberId email } }"
    jane = (await ask(invite, i=given))["inviteMember"]["orgMemberId"]
    create = "mutation ($i: NewMember!) { createMember(input: $i) { email } }"
    other = PERSON | {"email": f"{new_id('joe')}@acme.example", "password": "pa$$word"}
    assert (await ask(create, i=other))["createMember"]["email"] == other["email"]
    change = 'mutation ($m: ID!) { updateMember(id: $m, input: {lastName: "Roe"}) { firstName lastName } }'
    assert (await ask(change, m=jane))["updateMember"] == {"firstName": "Jane", "lastName": "Roe"}

    both = {"u": unit["unitId"], "m": jane}
    await ask("mutation ($u: ID!, $m: ID!) { assignMember(unitId: $u, input: {orgMemberId: $m}) }", **both)
    promote = """mutation ($u: ID!, $m: ID!) {
        changeUnitRole(unitId: $u, orgMemberId: $m, input: {role: OPERATOR})
    }"""
    await ask(promote, **both)
    roles = await ask("query ($u: ID!) { memberships(unitId: $u) { orgMemberId role } }", u=unit["unitId"])
    assert roles["memberships"] == [
        {"orgMemberId": acme.org_member_id, "role": "OWNER"},
        {"orgMemberId": jane, "role": "OPERATOR"},
    ]
    await ask("mutation ($u: ID!, $m: ID!) { unassignMember(unitId: $u, orgMemberId: $m) }", **both)
    assert await ask("mutation ($m: ID!) { removeMember(id: $m) }", m=jane) == {"removeMember": jane}
    members = (await ask("{ members { email ouMemberships { unitName role } } }"))["members"]
    assert [member["email"] for member in members] == ["ada@acme.example", other["email"]]


async def test_tokens_secrets_and_passwords(server: Server, acme: Bootstrapped) -> None:
    made = await server.ask(
        'mutation { createPersonalAccessToken(input: {name: "cli"}) { id token } createSecret(input: {name: "Pipe"}) '
        "{ secretId clientId clientSecret } }",
        as_=acme,
    )
    token, secret = made["data"]["createPersonalAccessToken"], made["data"]["createSecret"]
    personal = {"Authorization": f"Bearer {token['token']}"}
    listed = await server.ask("{ personalAccessTokens { id name } secrets { name } }", **personal)
    assert listed["data"]["personalAccessTokens"] == [{"id": token["id"], "name": "cli"}]
    assert [row["name"] for row in listed["data"]["secrets"]] == ["bootstrap", "Pipe"]
    ended = "mutation ($t: ID!, $s: ID!) { revokePersonalAccessToken(id: $t) deleteSecret(id: $s) }"
    answer = await server.ask(ended, {"t": token["id"], "s": secret["secretId"]}, as_=acme)
    assert "errors" not in answer
    refused = await server.ask("{ me { email } }", **personal)
    assert refused["errors"][0]["extensions"]["code"] == "unauthorized"

    change = "mutation ($i: PasswordChange!) { changePassword(input: $i) { token } }"
    wrong = {"currentPassword": "correct horse", "newPassword": "short"}
    answer = await server.ask(change, {"i": wrong}, as_=acme)
    assert answer["errors"][0]["extensions"]["details"][0]["field"] == "newPassword"
    answer = await server.ask(change, {"i": wrong | {"newPassword": "battery staple"}}, as_=acme)
    fresh = {"Authorization": f"Bearer {answer['data']['changePassword']['token']}"}
    assert (await server.ask("{ me { email } }", as_=acme))["errors"][0]["extensions"]["code"] == "unauthorized"
    assert (await server.ask("{ me { email } }", **fresh))["data"]["me"]["email"] == "ada@acme.example"
    answer = await server.ask('mutation { requestPasswordReset(input: {email: "nobody@acme.example"}) }')
    assert answer["data"] == {"requestPasswordReset": True}
    answer = await server.ask('mutation { setPassword(input: {token: "x", password: "long enough"}) }')
    assert answer["errors"][0]["extensions"]["code"] == "invalid_link"


async def test_who_may_not_is_told_so(server: Server, acme: Bootstrapped, rival: Bootstrapped) -> None:
    for query in (
        "{ me { email } }",
        "{ members { email } }",
        'mutation { createSecret(input: {name: "x"}) { name } }',
    ):
        answer = await server.ask(query, **basic(acme))
        assert answer["errors"][0]["extensions"]["code"] == "forbidden"
    foreign = "query ($u: ID!) { memberships(unitId: $u) { email } }"
    answer = await server.ask(foreign, {"u": rival.unit_id}, as_=acme)
    assert answer["errors"][0]["extensions"]["code"] == "not_found"
