"""The demo's pages and files as values, by path; it must not know who asks for them or how they are sent."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from importlib.resources import files
from string import Template
from typing import NamedTuple

ROOT = "/demo/"
SHOP = ROOT + "shop/"
APP = ROOT + "app/"  # the same shop as a single page, with the tracker script of any site
_FILES = ("stage.css", "stage.js", "shop.css", "shop.js", "tracker.js", "app.js")
_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_FOLDER = files("pipeline.demo") / "pages"


class Page(NamedTuple):
    """A file as it is sent."""

    body: bytes
    content_type: str


class Account(NamedTuple):
    """A fictional customer of the shop, who may be signed in as."""

    user_id: str
    name: str
    about: str


@cache
def accounts() -> tuple[Account, ...]:
    """Who can sign in to the shop."""
    return tuple(Account(**account) for account in _catalogue()["accounts"])


@cache
def site(customers: tuple[Account, ...] | None = None) -> Mapping[str, Page]:
    """Every page and file of the demo by its path, read and filled once. `customers`: who may sign in instead."""
    items = [item | {"tint": at % 4 + 1} for at, item in enumerate(_catalogue()["items"])]
    choices = [one._asdict() | {"initials": _initials(one.name)} for one in customers or accounts()]
    return {
        ROOT: _file("stage.html"),
        SHOP: _shop_page("Shop", "listing", cards=_each("card", items)),
        SHOP + "basket": _shop_page("Basket", "basket", rows=_each("row", items)),
        SHOP + "account": _shop_page("Account", "account", accounts=_each("account_choice", choices)),
        **{f"{SHOP}items/{item['sku']}": _item_page(item) for item in items},
        **dict.fromkeys((APP, APP + "boots", APP + "coats"), _app_page(choices)),
        **{ROOT + name: _file(name) for name in _FILES},
        **{f"{ROOT}art/{art.name}": _file(f"art/{art.name}") for art in (_FOLDER / "art").iterdir()},
    }


def _app_page(choices: Sequence[Mapping[str, object]]) -> Page:
    return _page("html", Template(_text("app.html")).substitute(accounts=_each("app_account", choices)).encode())


def _initials(name: str) -> str:
    return "".join(word[0] for word in name.split())


def _catalogue() -> dict[str, list[dict[str, str]]]:
    return dict(json.loads(_text("shop.json")))


def _item_page(item: Mapping[str, object]) -> Page:
    facts = item["facts"]
    assert isinstance(facts, list)
    listed = "".join(f"<li>{escape(fact)}</li>" for fact in facts)
    return _shop_page(str(item["name"]), "item", _escaped(item) | {"facts": listed})


def _shop_page(title: str, name: str, values: Mapping[str, str] | None = None, **parts: str) -> Page:
    """A page of the shop. `values` and `parts` are HTML already."""
    main = Template(_text(f"{name}.html")).substitute(values or {}, **parts)
    return _page("html", Template(_text("shop.html")).substitute(title=escape(title), main=main).encode())


def _each(name: str, things: Sequence[Mapping[str, object]]) -> str:
    template = Template(_text(f"{name}.html").rstrip())
    return "\n".join(template.substitute(_escaped(thing)) for thing in things)


def _escaped(values: Mapping[str, object]) -> dict[str, str]:
    return {name: escape(str(value)) for name, value in values.items()}


def _file(name: str) -> Page:
    return _page(name.rpartition(".")[2], (_FOLDER / name).read_bytes())


def _page(kind: str, body: bytes) -> Page:
    return Page(body, f"{_TYPES[kind]}; charset=utf-8")


def _text(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")
