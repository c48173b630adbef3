"""Who gets in, and into which unit."""

from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from sqlmodel import delete

from leadvibe.config import Settings
from leadvibe.errors import ApiError
from leadvibe.ids import new_id
from leadvibe.resolvers.authentication import Authenticator, Credentials
from leadvibe.resolvers.bootstrap import Bootstrapped, bootstrap
from leadvibe.resolvers.context import Context, Services
from leadvibe.resolvers.tokens import Tokens
from leadvibe.resolvers.units import Login, login, set_active_unit
from leadvibe.store.database import Database
from leadvibe.store.tables import ApiCredential, Lane, Membership, OrgUnit


def basic(client_id: str, client_secret: str) -> Credentials:
    return Credentials("Basic " + base64.b64encode(f"{client_id}:{client_secret}".encode()).decode())


def bearer(token: str, **more: str) -> Credentials:
    return Credentials(f"Bearer {token}", **more)


async def refused(authenticator: Authenticator, credentials: Credentials) -> int:
    with pytest.raises(ApiError) as caught:
        _ = (await authenticator.caller(credentials)).unit_id
    return caught.value.status


async def add_unit(database: Database, acme: Bootstrapped, member: bool) -> str:
    unit_id = new_id("unit")
    async with database.session() as session, session.begin():
        session.add(OrgUnit(unit_id=unit_id, org_id=acme.org_id, name="EMEA", slug=unit_id))
        session.add(Lane(unit_id=unit_id))
        if member:
            session.add(Membership(unit_id=unit_id, org_member_id=acme.org_member_id, role="Viewer"))
    return unit_id


async def test_a_credential_pair_acts_as_operator_of_its_unit(authenticator: Authenticator, acme: Bootstrapped) -> None:
    caller = await authenticator.caller(basic(acme.client_id, acme.client_secret))
    assert (caller.unit_id, caller.unit_role, caller.org_role) == (acme.unit_id, "Operator", None)


async def test_a_proven_pair_is_not_hashed_again_and_refused_as_soon_as_it_is_deleted(
    authenticator: Authenticator, acme: Bootstrapped, database: Database
) -> None:
    credentials = basic(acme.client_id, acme.client_secret)
    await authenticator.caller(credentials)
    async with authenticator._hashing, authenticator._hashing:  # who had to hash would wait for ever
        async with asyncio.timeout(5):
            assert (await authenticator.caller(credentials)).unit_id == acme.unit_id
        async with database.session() as session, session.begin():
            await session.exec(delete(ApiCredential))
        assert await refused(authenticator, credentials) == 401


async def test_requests_that_come_at_once_share_their_reads(authenticator: Authenticator, acme: Bootstrapped) -> None:
    credentials = basic(acme.client_id, acme.client_secret)
    callers = await asyncio.gather(*(authenticator.caller(credentials) for _ in range(100)))
    assert {caller.unit_id for caller in callers} == {acme.unit_id}


@pytest.mark.parametrize("value", ["", "Basic", "Basic !!", "Basic YWJj", "Bearer", "Bearer x.y.z", "Digest a"])
async def test_anything_else_is_401(authenticator: Authenticator, value: str) -> None:
    assert await refused(authenticator, Credentials(value)) == 401


async def test_a_wrong_secret_is_401(authenticator: Authenticator, acme: Bootstrapped) -> None:
    assert await refused(authenticator, basic(acme.client_id, "lv_cs_wrong")) == 401
    assert await refused(authenticator, basic("lv_ci_unknown", acme.client_secret)) == 401


@pytest.mark.parametrize("change", ["expired", "unsigned", "other key", "no subject", "no expiry", "stranger"])
async def test_a_token_that_is_not_ours_is_401(authenticator: Authenticator, acme: Bootstrapped, change: str) -> None:
    claims = {"sub": acme.org_member_id, "exp": datetime.now(UTC) + timedelta(hours=1)}
    key, algorithm = authenticator.tokens.verifying_key, "HS256"
    match change:
        case "expired":
            claims["exp"] = datetime.now(UTC) - timedelta(seconds=1)
        case "unsigned":
            key, algorithm = "", "none"
        case "other key":
            key = "another key of a length that is fine"
        case "no subject":
            del claims["sub"]
        case "no expiry":
            del claims["exp"]
        case "stranger":
            claims["sub"] = "mem_nobody"
    assert await refused(authenticator, bearer(jwt.encode(claims, key, algorithm=algorithm))) == 401


def key_pair(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> tuple[str, str]:
    """Private and public key as PEM."""
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    public = (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )
    return private, public


EC = key_pair(ec.generate_private_key(ec.SECP256R1()))
RSA = key_pair(rsa.generate_private_key(65_537, 2_048))


@pytest.mark.parametrize(("algorithm", "keys"), [("ES256", EC), ("RS256", RSA)])
async def test_tokens_are_verified_by_the_public_key(
    database: Database, acme: Bootstrapped, algorithm: str, keys: tuple[str, str]
) -> None:
    settings = Settings.model_validate(
        {"jwt_algorithm": algorithm, "jwt_private_key": keys[0], "jwt_public_key": keys[1]}
    )
    tokens = await Tokens.from_settings(settings, database)
    authenticator = Authenticator(database, tokens)
    token = tokens.issue(acme.org_member_id, acme.org_id, datetime.now(UTC))
    assert (await authenticator.caller(bearer(token))).actor == acme.org_member_id
    # The classic forgery: the public key used as an HMAC secret.
    header, payload = '{"alg":"HS256","typ":"JWT"}', token.split(".")[1]
    forged = base64.urlsafe_b64encode(header.encode()).decode().rstrip("=") + "." + payload + ".c2ln"
    assert await refused(authenticator, bearer(forged)) == 401


async def test_wrong_keys_are_refused_before_anything_begins(database: Database) -> None:
    for algorithm, private, public, told in [
        ("RS256", None, "no key", "is no RS256 key"),
        ("RS256", "no key", RSA[1], "is no RS256 key"),
        ("RS256", RSA[1], RSA[1], "is no RS256 key"),
        ("RS256", EC[0], RSA[1], "is no RS256 key"),
        ("ES256", None, RSA[1], "is no ES256 key"),
        ("ES256", key_pair(ec.generate_private_key(ec.SECP256R1()))[0], EC[1], "are not a pair"),
        ("ES256", None, None, "needs LEADVIBE_JWT_PUBLIC_KEY"),
    ]:
        settings = Settings.model_validate(
            {"jwt_algorithm": algorithm, "jwt_private_key": private, "jwt_public_key": public}
        )
        with pytest.raises(ValueError, match=told):
            await Tokens.from_settings(settings, database)


async def test_bootstrap_issues_no_token_where_another_service_does(database: Database) -> None:
    tokens = await Tokens.from_settings(Settings(jwt_algorithm="RS256", jwt_public_key=RSA[1]), database)
    made = await bootstrap(Authenticator(database, tokens), "Acme", "ada@acme.example", "x")
    assert made.token is None
    assert (
        await Authenticator(database, tokens).caller(basic(made.client_id, made.client_secret))
    ).org_id == made.org_id


async def test_a_member_of_one_unit_works_in_it(authenticator: Authenticator, acme: Bootstrapped) -> None:
    assert (await authenticator.caller(bearer(acme.token))).unit_id == acme.unit_id
    empty = bearer(acme.token, active_ou="", unit_header="")
    assert (await authenticator.caller(empty)).unit_id == acme.unit_id, "an empty name names none"


async def test_a_member_of_two_units_must_choose(
    authenticator: Authenticator, acme: Bootstrapped, database: Database
) -> None:
    other = await add_unit(database, acme, member=True)
    undecided = await authenticator.caller(bearer(acme.token))
    with pytest.raises(ApiError) as caught:
        _ = undecided.unit_id
    assert (caught.value.status, caught.value.code) == (400, "no_active_ou")
    assert (await authenticator.caller(bearer(acme.token, unit_header=other))).unit_id == other
    cookie_wins = bearer(acme.token, active_ou=acme.unit_id, unit_header=other)
    assert (await authenticator.caller(cookie_wins)).unit_id == acme.unit_id


async def test_a_unit_without_membership_is_403_and_a_foreign_one_404(
    authenticator: Authenticator, acme: Bootstrapped, rival: Bootstrapped, database: Database
) -> None:
    closed = await add_unit(database, acme, member=False)
    assert await refused(authenticator, bearer(acme.token, unit_header=closed)) == 403
    assert await refused(authenticator, bearer(acme.token, unit_header=rival.unit_id)) == 404
    assert await refused(authenticator, bearer(acme.token, unit_header="unit_nowhere")) == 404


async def test_login_takes_the_right_password_only(services: Services, acme: Bootstrapped) -> None:
    context = Context(services)
    token = await login(context, Login(email=" Ada@Acme.example ", password="correct horse"))
    assert services.authenticator.tokens.claims_of(token).org_member_id == acme.org_member_id
    for email, password in (("ada@acme.example", "wrong"), ("nobody@acme.example", "correct horse"), ("a\0", "x")):
        with pytest.raises(ApiError) as caught:
            await login(context, Login(email=email, password=password))
        assert caught.value.status == 401


async def test_choosing_a_unit_checks_membership(
    services: Services, acme: Bootstrapped, rival: Bootstrapped, owner: Context
) -> None:
    assert (await set_active_unit(owner, acme.unit_id)).unit_id == acme.unit_id
    integration = Context(services, basic(acme.client_id, acme.client_secret))
    assert (await set_active_unit(integration, acme.unit_id)).unit_id == acme.unit_id
    for context, status in ((owner, 404), (integration, 400)):
        with pytest.raises(ApiError) as caught:
            await set_active_unit(context, rival.unit_id)
        assert caught.value.status == status


async def test_bootstrap_finds_what_it_made_before(authenticator: Authenticator, acme: Bootstrapped) -> None:
    again = await bootstrap(authenticator, "Acme", "ada@acme.example", "ignored")
    assert (again.org_id, again.unit_id, again.org_member_id) == (acme.org_id, acme.unit_id, acme.org_member_id)
    assert again.client_id != acme.client_id
    with pytest.raises(ApiError, match="another organization"):
        await bootstrap(authenticator, "Other", "ada@acme.example", "x")


async def test_bootstraps_at_once_make_one_organisation(authenticator: Authenticator) -> None:
    made = await asyncio.gather(*(bootstrap(authenticator, "Acme", "ada@acme.example", "x") for _ in range(4)))
    assert len({(each.org_id, each.unit_id, each.org_member_id) for each in made}) == 1
    assert len({each.client_id for each in made}) == 4


async def test_bootstrap_takes_no_blanks(authenticator: Authenticator) -> None:
    for org, email, password in [(" ", "a@b.c", "x"), ("Acme", "ada", "x"), ("Acme", "a@b.c", "")]:
        with pytest.raises(ApiError, match="needs a name"):
            await bootstrap(authenticator, org, email, password)
