"""The console's pages are those of the run's region, and of the names that the run has."""

from __future__ import annotations

from distributed_something.definitions.console import console_links


def links(region: str = "eu-west-1") -> dict[str, str]:
    return dict(console_links(region, "counting", "CountingQueue", "lab-data", "Counting", "lab/C"))


def test_there_are_five_pages_and_each_names_the_region() -> None:
    assert len(links()) == 5
    assert all("https://eu-west-1.console.aws.amazon.com/" in one for one in links().values())
    assert all("region=eu-west-1" in one for one in links().values())


def test_the_pages_show_what_the_run_uses() -> None:
    assert "/clusters/counting/services/CountingService?" in links()["containers"]
    assert links()["queue"].endswith("search=CountingQueue")
    assert "/buckets/lab-data?" in links()["bucket"]


def test_a_log_group_with_a_slash_is_written_as_the_console_reads_it() -> None:
    assert links()["logs"].endswith("log-group/lab$252FC")


def test_china_and_govcloud_have_consoles_of_their_own() -> None:
    assert links("cn-north-1")["bucket"].startswith("https://console.amazonaws.cn/s3/")
    assert links("us-gov-west-1")["bucket"].startswith("https://console.amazonaws-us-gov.com/s3/")
