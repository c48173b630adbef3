"""Who is in the story: companies and the people that work there. All of them are invented."""

from __future__ import annotations

from random import Random
from typing import Any, NamedTuple

_COMPANY_WORDS = """
Alderway Brightforge Cinderpeak Dovetail Elmcrest Fernhollow Granitevale Harborline Ironleaf Juniperworks
Kestrelworks Larkspur Mapleridge Northquay Oakhurst Pinemark Quillstone Rivermint Saltmarsh Thornfield
Umberlight Vantagepoint Willowbank Yarrowfield Zephyrine Ashbrook Bluefinch Copperline Driftwood Eastmoor
Foxglove Goldenrod Hazelmere Inkwell Jadebrook Kingfisher Lanternhill Moonstone Nettlecombe Opalcrest
"""
_ENDINGS = ("Systems", "Logistics", "Health", "Analytics", "Robotics", "Foods", "Energy", "Media")
_INDUSTRIES = ("Software", "Logistics", "Healthcare", "Finance", "Manufacturing", "Retail", "Energy", "Media")
_SIZES = (18, 45, 80, 140, 260, 480, 900, 2_400, 7_500)
_COUNTRIES = ("US", "US", "US", "DE", "GB", "FR", "NL", "SE", "CA", "AU")
_FIRST_NAMES = """
Amara Bruno Chiara Dmitri Elena Farid Greta Hugo Ines Jonas Keiko Lars Mina Noor Oskar Paola Quentin Rosa Sven
Tara Umar Vera Wanda Xavier Yara Zeno Adele Boris Camila Dario Esther Fiona Gustav Hana Ivan Julia Karim Lena
"""
_LAST_NAMES = """
Okafor Bergman Castelli Duarte Eriksen Fontaine Gruber Haddad Ivanova Jansen Kovacs Lindqvist Moreau Nakamura
Olsen Petrov Quispe Rahman Silva Tanaka Ueda Vogel Weber Xu Yilmaz Zimmer Adeyemi Brandt Costa Delgado
"""
_TITLES = (
    ("Marketing Manager", "Manager"),
    ("Revenue Operations Analyst", "Individual"),
    ("Sales Director", "Director"),
    ("VP Marketing", "VP"),
    ("Software Engineer", "Individual"),
    ("Head of Growth", "Director"),
    ("Chief Revenue Officer", "C-Level"),
    ("Demand Generation Specialist", "Individual"),
)

_COMPANIES, _FIRST, _LAST = _COMPANY_WORDS.split(), _FIRST_NAMES.split(), _LAST_NAMES.split()


class Company(NamedTuple):
    """An account to be. `properties`: its metadata."""

    account_id: str
    name: str
    domain: str
    properties: dict[str, Any]


class Person(NamedTuple):
    """A lead to be, with its part in the story: buyer, evaluator, reader, lapsed or bot. A bot has no company."""

    lead_id: str
    part: str
    company: Company | None
    email: str
    phone: str | None
    properties: dict[str, Any]


def companies(random: Random, count: int) -> list[Company]:
    found = []
    for number in range(count):
        word = _COMPANIES[number % len(_COMPANIES)]
        name = f"{word} {random.choice(_ENDINGS)}"
        properties = {
            "industry": random.choice(_INDUSTRIES),
            "employees": random.choice(_SIZES),
            "country": random.choice(_COUNTRIES),
            "source": "seed",
        }
        found.append(Company(f"acct_sample_{number + 1:03}", name, f"{word.lower()}.example", properties))
    return found


def people(random: Random, at: list[Company], parts: dict[str, int]) -> list[Person]:
    """As many people as `parts` says, in a mixed order."""
    order = [part for part, count in parts.items() for _ in range(count)]
    random.shuffle(order)
    taken: set[str] = set()
    return [_person(random, number, part, at, taken) for number, part in enumerate(order, 1)]


def _person(random: Random, number: int, part: str, at: list[Company], taken: set[str]) -> Person:
    lead_id = f"ld_sample_{number:03}"
    if part == "bot":
        return Person(lead_id, part, None, "", None, {})
    company = random.choice(at)
    first, last = random.choice(_FIRST), random.choice(_LAST)
    email = f"{first}.{last}@{company.domain}".lower()
    if email in taken:
        email = email.replace("@", f"{number}@")
    taken.add(email)
    title, seniority = random.choice(_TITLES)
    properties = {
        "first_name": first,
        "last_name": last,
        "job_title": title,
        "seniority": seniority,
        "company": company.name,
        "company_size": company.properties["employees"],
        "country": company.properties["country"],
    }
    phone = f"+1555{random.randrange(10**7):07}" if random.random() < 0.3 else None
    return Person(lead_id, part, company, email, phone, properties)
