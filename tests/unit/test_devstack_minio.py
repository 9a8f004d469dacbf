"""MinIO's program: found, or built once."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from app.settings import Settings
from cli.run import parts_of
from devstack import Cancelled, ProgramUnavailable, Stack, StackConfig, processes
from devstack.minio import MODULE, Minio
from devstack.progress import Cancellation
from support.waiting import wait_until


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StackConfig:
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}:/usr/bin:/bin")
    (tmp_path / "path").mkdir()
    return StackConfig.on_free_ports(tmp_path / "stack", tmp_path / "stack" / "jars")


def script(file: Path, text: str) -> Path:
    file.parent.mkdir(exist_ok=True, parents=True)
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return file


def fetch(config: StackConfig, cancellation: Cancellation | None = None) -> None:
    Minio(config).fetch(lambda done, total: None, cancellation or Cancellation())


def test_a_named_program_comes_before_one_on_the_path_and_that_before_one_that_was_built(config, tmp_path):
    built = script(tmp_path / "stack" / "bin" / "minio", "")
    assert Minio(config).program == built
    on_path = script(tmp_path / "path" / "minio", "")
    assert Minio(config).program == on_path
    named = script(tmp_path / "named", "")
    with_name = StackConfig.from_environment({"MINIO_BIN": str(named), "CHAT4ALL_STACK_FOLDER": str(tmp_path)})
    assert Minio(with_name).program == named


def test_a_named_program_that_is_none_is_told(tmp_path):
    config = StackConfig.from_environment({"MINIO_BIN": "/nowhere/minio", "CHAT4ALL_STACK_FOLDER": str(tmp_path)})
    with pytest.raises(ProgramUnavailable, match=r"MINIO_BIN=/nowhere/minio is no program"):
        fetch(config)


def test_without_a_program_and_without_go_the_error_says_what_to_do(config, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    with pytest.raises(ProgramUnavailable, match=r"MINIO_BIN.*install Go"):
        fetch(config)


def test_it_is_built_once_however_many_ask_and_kept(config, tmp_path):
    counted = tmp_path / "count"
    go = f'echo "$@" >> {counted}; sleep 0.3; printf "#!/bin/sh\\n" > $GOBIN/minio; chmod +x $GOBIN/minio'
    script(tmp_path / "path" / "go", go)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: fetch(config), range(4)))
    fetch(config)
    assert counted.read_text() == f"install -trimpath -ldflags=-s -w {MODULE}\n"
    assert Minio(config).program == tmp_path / "stack" / "bin" / "minio"
    assert sorted(os.listdir(tmp_path / "stack" / "bin")) == ["minio", "minio.lock"]


def test_a_build_that_fails_is_told_with_its_last_words_and_leaves_nothing(config, tmp_path):
    script(tmp_path / "path" / "go", "echo half > $GOBIN/minio; echo no such module >&2; exit 1")
    with pytest.raises(ProgramUnavailable, match=r"go install .* failed: no such module"):
        fetch(config)
    assert os.listdir(tmp_path / "stack" / "bin") == ["minio.lock"]


def test_a_build_that_is_given_up_ends_with_all_it_started(config, tmp_path):
    pid_file = tmp_path / "pid"
    script(tmp_path / "path" / "go", f"sleep 600 & echo $! > {pid_file}.new; mv {pid_file}.new {pid_file}; wait")
    cancellation = Cancellation()
    with ThreadPoolExecutor(1) as threads:
        building = threads.submit(fetch, config, cancellation)
        deadline = time.monotonic() + 10
        while not pid_file.exists():
            assert time.monotonic() < deadline
            threading.Event().wait(0.01)
        compiler = psutil.Process(int(pid_file.read_text()))
        cancellation.cancel()
        with pytest.raises(Cancelled):
            building.result(10)
    wait_until(lambda: not processes.is_alive(compiler))  # SIGKILL was sent; the kernel needs a moment
    assert os.listdir(tmp_path / "stack" / "bin") == ["minio.lock"]


@pytest.mark.parametrize(("environment", "wanted"), [({}, False), ({"CHAT4ALL_FILES": "s3"}, True)])
def test_it_is_started_by_default_only_where_files_are_in_an_s3(tmp_path, environment, wanted):
    config = StackConfig.from_environment({**environment, "CHAT4ALL_STACK_FOLDER": str(tmp_path)})
    assert Stack(config).wanted == ["kafka", "cassandra"] + ["minio"] * wanted


def test_it_has_the_keys_that_the_system_will_use(config):
    keys = {"CHAT4ALL_S3_ACCESS_KEY": "us-all", "CHAT4ALL_S3_SECRET_KEY": "hush-hush"}
    made = Minio(StackConfig.from_environment(keys))
    assert made.environment()["MINIO_ROOT_USER"] == "us-all"
    assert made.environment()["MINIO_ROOT_PASSWORD"] == "hush-hush"
    assert "hush-hush" not in repr(made.config)


@pytest.mark.parametrize(
    ("settings", "is_ours"),
    [
        (Settings(), False),
        (Settings(files="s3"), True),
        (Settings(files="s3", s3_url="https://s3.example"), False),
    ],
)
def test_run_starts_it_unless_files_are_in_a_folder_or_in_somebody_elses_s3(config, settings, is_ours):
    stack = Stack(config)
    changed, ours = parts_of(settings, stack)
    assert ("minio" in ours) is is_ours
    assert (changed.s3_url == stack.minio_url) is is_ours
