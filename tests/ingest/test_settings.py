"""The sites file and the settings: what is read; an odd value refuses to start, by name, without secrets."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.limits import DAY_MS, MIB
from pipeline.settings import SETTINGS, SettingsError, load_settings
from pipeline.sites import MATOMO, METRICSWAVE, NATIVE, Sites, SitesError, default_sites, parse_sites

EXAMPLE = Path(__file__).parents[2] / "deploy" / "sites.example.yaml"
KEY = "very-secret-page-key"


def file(**site: Any) -> dict[str, Any]:
    """A sites document with one site."""
    return {"sites": [{"workspace": "shop", "site": "web"} | site]}


def found(sites: Sites, protocol: str, key: str) -> tuple[str, bool] | None:
    """(site, secret) that a key opens."""
    access = sites.find(protocol, key)
    return (access.site.site_id, access.secret) if access else None


def test_the_example_is_a_sites_file() -> None:
    """What people copy works."""
    sites = parse_sites(yaml.safe_load(EXAMPLE.read_text()))

    assert [("shop", "web"), ("shop", "app")] == [(site.workspace, site.site_id) for site in sites.sites]
    assert ("web", False) == found(sites, NATIVE, "web-page-key")
    assert ("app", False) == found(sites, NATIVE, "app-page-key")
    assert ("web", False) == found(sites, MATOMO, "1")
    signup = sites.find(METRICSWAVE, "7c9e6679-7425-40de-944b-e07fc1f90ae7")
    assert signup is not None
    assert ("signup", ("source",)) == (signup.event, signup.required)


def test_without_a_file_there_is_a_demo_site() -> None:
    """Reachable by each protocol with the values of the documentation."""
    sites = load_settings({}).sites

    assert sites == default_sites()
    assert ("demo", "demo") == (sites.sites[0].workspace, sites.sites[0].site_id)
    assert [("demo", False)] * 3 == [
        found(sites, NATIVE, "demo"),
        found(sites, MATOMO, "1"),
        found(sites, METRICSWAVE, "00000000-0000-4000-8000-000000000001"),
    ]
    assert found(sites, NATIVE, "1") is None


def test_keys_are_not_kept_in_the_clear() -> None:
    """Neither in memory nor in any text made of it; a file may hold digests alone."""
    sites = parse_sites(file(native={"page_keys": [KEY]}))
    digest = next(digest for (_, digest) in sites.access).hex()

    assert KEY not in repr(sites)
    assert ("web", False) == found(parse_sites(file(native={"page_keys": [f"sha256:{digest}"]})), NATIVE, KEY)
    assert found(sites, NATIVE, f"sha256:{digest}") is None


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (None, "Expected `object`, got `null`"),
        ({"sites": []}, "Expected `array` of length >= 1 - at `$.sites`"),
        ({"sites": [{"site": "web"}]}, "Object missing required field `workspace` - at `$.sites[0]`"),
        (file(site="a b"), "at `$.sites[0].site`"),
        (file(sitee=1), "Object contains unknown field `sitee` - at `$.sites[0]`"),
        (file(origins=["shop.example"]), "at `$.sites[0].origins[0]`"),
        (file(policy={"dnt": "yes"}), "Expected `bool`, got `str` - at `$.sites[0].policy.dnt`"),
        (file(policy={"bots": "drop"}), "Invalid enum value 'drop' - at `$.sites[0].policy.bots`"),
        (file(policy={"illegal_id_patterns": ["ok", "("]}), "at `$.sites[0].policy.illegal_id_patterns[1]`"),
        (file(native={"page_keys": [12345]}), "Expected `str`, got `int` - at `$.sites[0].native.page_keys[0]`"),
        (file(native={"secret_keys": ["short"]}), "at `$.sites[0].native.secret_keys[0]`"),
        (file(native={"page_keys": [KEY, KEY]}), "this key is used twice - at `$.sites[0].native.page_keys[1]`"),
        (file(matomo={"idsite": 0}), "Expected `int` >= 1 - at `$.sites[0].matomo.idsite`"),
        (file(matomo={"idsite": "one"}), "Expected `int`, got `str` - at `$.sites[0].matomo.idsite`"),
        (file(metricswave={"events": {"visit": "visit"}}), "at `key` in `$.sites[0].metricswave.events`"),
        ({"sites": [file()["sites"][0]] * 2}, "site shop/web is listed twice - at `$.sites[1]`"),
    ],
)
def test_an_odd_sites_file_is_named_by_place(document: Any, says: str) -> None:
    """What was expected and where; never a key."""
    with pytest.raises(SitesError) as error:
        parse_sites(document)

    assert says in str(error.value)
    assert KEY not in str(error.value)


def test_every_setting_has_a_default_that_is_valid_and_a_sentence() -> None:
    """Nothing needs to be set; everything is shown."""
    settings = load_settings({"SEAMLINE_DATA": "/srv/seam line"})

    assert ["SEAMLINE_" + s.name for s in SETTINGS] == [name for name, _, _ in settings.shown]
    assert all(sentence for _, _, sentence in settings.shown)
    shown = {name: value for name, value, _ in settings.shown}
    assert shown["SEAMLINE_LOG"] == "local:///srv/seam line/log"
    assert (Path("/srv/seam line/log"), ()) == (settings.log.folder, settings.log.brokers)
    assert settings.ingest.spool == Path("/srv/seam line/spool")
    assert settings.stitch.lookback_ms == 30 * DAY_MS


def test_what_is_set_is_used_and_the_command_line_wins() -> None:
    """Each where it belongs."""
    settings = load_settings(
        {
            "SEAMLINE_LOG": "kafka://a:9092,b:9093",
            "SEAMLINE_PORT": "1",
            "SEAMLINE_SPOOL_BYTES_MAX": str(5 * MIB),
            "SEAMLINE_TRUSTED_PROXIES": "10.0.0.0/8, ::1",
            "SEAMLINE_LOOKBACK_DAYS": "7",
            "SEAMLINE_LINGER_MS_MAX": "",
        },
        {"SEAMLINE_PORT": "9000"},
    )

    assert (None, ("a:9092", "b:9093")) == (settings.log.folder, settings.log.brokers)
    assert (9000, 5 * MIB, 15) == (settings.ingest.port, settings.ingest.spool_bytes_max, settings.ingest.linger_ms_max)
    assert ["10.0.0.0/8", "::1/128"] == [str(network) for network in settings.ingest.trusted_proxies]
    assert settings.stitch.lookback_ms == 7 * DAY_MS


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("SEAMLINE_PORT", "http", "expected a whole number from 0 to 65535, got 'http'"),
        ("SEAMLINE_PORT", "65536", "expected a whole number from 0 to 65535, got '65536'"),
        ("SEAMLINE_PORT", "-1", "expected a whole number from 0 to 65535, got '-1'"),
        ("SEAMLINE_PORT", "٣", "expected a whole number from 0 to 65535, got '٣'"),
        ("SEAMLINE_HOST", "a b", "expected a name without spaces, got 'a b'"),
        ("SEAMLINE_LOG", "redis://x", "expected `local:///folder` or `kafka://host:port,host:port`, got 'redis://x'"),
        ("SEAMLINE_LOG", "kafka://x", "expected `local:///folder` or `kafka://host:port,host:port`, got 'kafka://x'"),
        ("SEAMLINE_LOG", "local://x", "expected `local:///folder` or `kafka://host:port,host:port`, got 'local://x'"),
        ("SEAMLINE_WAREHOUSE", "postgres://x", "expected `chdb:///folder`"),
        ("SEAMLINE_TRUSTED_PROXIES", "10.0.0.1/99", "expected addresses or networks like"),
        ("SEAMLINE_LINGER_MS_MIN", "20", "expected at most SEAMLINE_LINGER_MS_MAX, got '20'"),
        ("SEAMLINE_LOOKBACK_DAYS", "0", "expected a whole number from 1 to 366, got '0'"),
        ("SEAMLINE_RETENTION_DAYS", "36500", "expected a whole number from 0 to 18250, got '36500'"),
        ("SEAMLINE_CLICKHOUSE_CLUSTER", "a`b", "expected up to 64 of the letters, digits, `_`, `.` and `-`"),
        ("SEAMLINE_SITES", "/no/such/file", "expected a sites file, got '/no/such/file': No such file or directory"),
        ("SEAMLINE_WAREHOUSE_PASSWORD_FILE", "/no/such", "expected a readable file (No such file or dir"),
        ("SEAMLINE_PROT", "1", "expected a setting, got an unknown name; did you mean SEAMLINE_PORT?"),
    ],
)
def test_an_odd_value_refuses_to_start(name: str, value: str, says: str) -> None:
    """It names the variable, what was expected, and what it got."""
    with pytest.raises(SettingsError) as error:
        load_settings({name: value})

    assert f"{name}: {says}" in str(error.value)


def test_a_cluster_is_of_a_server() -> None:
    """The engine in this process has no replicas: what was set would not be used."""
    with pytest.raises(SettingsError, match="SEAMLINE_WAREHOUSE: expected a server of SEAMLINE_CLICKHOUSE_CLUSTER"):
        load_settings({"SEAMLINE_CLICKHOUSE_CLUSTER": "main"})

    given = {"SEAMLINE_CLICKHOUSE_CLUSTER": "main", "SEAMLINE_WAREHOUSE": "clickhouse://me@host/shop"}
    assert load_settings(given).warehouse.cluster == "main"


def test_several_shards_are_servers_of_one_cluster() -> None:
    """In their order, each another one, with the database under one name."""
    shards = "clickhouse://me@a/shop,clickhouse://me@b:9000/shop"
    given = {"SEAMLINE_WAREHOUSE": shards, "SEAMLINE_CLICKHOUSE_CLUSTER": "main"}
    assert load_settings(given).warehouse.url == shards

    with pytest.raises(SettingsError, match="SEAMLINE_CLICKHOUSE_CLUSTER: expected the cluster of the shards"):
        load_settings({"SEAMLINE_WAREHOUSE": shards})
    for odd, says in (
        (f"{shards},clickhouse://me@c/other", "expected another server for each shard, with one name of the database"),
        (f"{shards},clickhouse://me@a/shop", "expected another server for each shard"),
        (f"{shards},chdb:///shop", "expected `chdb:///folder`"),
        (f"{shards},clickhouse://me:secret@c/shop", "expected a URL without a password"),
        (",".join(f"clickhouse://h{n}/shop" for n in range(33)), "expected up to 32 shards"),
    ):
        with pytest.raises(SettingsError, match=f"SEAMLINE_WAREHOUSE: {says}"):
            load_settings({**given, "SEAMLINE_WAREHOUSE": odd})


def test_every_odd_value_is_named_at_once() -> None:
    """Not one a restart."""
    with pytest.raises(SettingsError) as error:
        load_settings({"SEAMLINE_PORT": "x", "SEAMLINE_LOG": "y", "SEAMLINE_PARTITIONS": "0"})

    assert ["SEAMLINE_LOG", "SEAMLINE_PARTITIONS", "SEAMLINE_PORT"] == sorted(
        line.partition(":")[0] for line in str(error.value).splitlines()
    )


def test_variables_of_orchestrators_are_left_alone() -> None:
    """A service of the same name gives every container a handful."""
    load_settings({"SEAMLINE_PORT_8080_TCP_ADDR": "10.0.0.1", "SEAMLINE_TEST_REQUIRE": "1", "PATH": "/bin"})


def test_secrets_come_from_files_and_are_never_shown(tmp_path: Path) -> None:
    """A password in a URL is refused, and not even that error repeats it."""
    secret = tmp_path / "password"
    secret.write_text("canary\n")
    settings = load_settings({"SEAMLINE_WAREHOUSE_PASSWORD_FILE": str(secret)})
    with pytest.raises(SettingsError) as error:
        load_settings({"SEAMLINE_WAREHOUSE": "clickhouse://me:canary@host/db"})

    assert settings.warehouse.password == "canary"
    assert "canary" not in repr(settings) + str(settings.shown) + str(error.value)
    assert "clickhouse://me:***@host/db" in str(error.value)


@pytest.mark.parametrize(
    ("text", "says"), [("sites: [", "not YAML at line"), ("sites: 3", "Expected `array`"), ("\x00", "not YAML")]
)
def test_a_broken_sites_file_says_where(tmp_path: Path, text: str, says: str) -> None:
    """The file and the line, without quoting it."""
    path = tmp_path / "sites.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError) as error:
        load_settings({"SEAMLINE_SITES": str(path)})

    assert f"SEAMLINE_SITES: expected a sites file, got '{path}'" in str(error.value)
    assert says in str(error.value)
