"""The result of ``python -m loadtests.files``, and its tables."""

from __future__ import annotations

from dataclasses import dataclass, field

from loadtests.files.measure import Transfers
from loadtests.generator import percentile

GOAL_SHARE = 0.6
GOAL_ONE_MIB, GOAL_MANY_MIB = 64.0, 256.0
GOAL_P99_MS = 25.0


@dataclass(slots=True)
class FileFigures:
    """``plain``: seconds of the plain client for the large file, up and down. ``mib``: that file's size. ``alone``:
    what messages take with no file under way, milliseconds, sorted."""

    command: str
    when: str
    machine: str
    mib: int
    rate: float
    plain: dict[str, float] = field(default_factory=dict)
    alone: list[float] = field(default_factory=list)
    rows: list[tuple[str, str, Transfers]] = field(default_factory=list)

    def add(self, store: str, way: str, transfers: Transfers) -> None:
        self.rows.append((store, way, transfers))

    def share(self, way: str, transfers: Transfers) -> float:
        """Return the throughput relative to the plain client in the same direction."""
        seconds = self.plain["up_seconds" if "up" in way else "down_seconds"]
        return transfers.mib_per_second / (self.mib / seconds)

    def goals(self) -> list[tuple[str, str, bool]]:
        """Return each goal, the measurement, and the verdict."""
        found = []
        for store, way, transfers in self.rows:
            if transfers.count == 1:
                share = self.share(way, transfers)
                found.append(
                    (
                        f"{store}, {way}: at least {GOAL_SHARE:.0%} of the plain client",
                        f"{share:.0%}",
                        share >= GOAL_SHARE,
                    )
                )
            if "up" in way:
                most = GOAL_ONE_MIB if transfers.count == 1 else GOAL_MANY_MIB
                found.append(
                    (
                        f"{store}, {way}: the API grows by less than {most:g} MiB",
                        f"{transfers.growth_mib:.0f} MiB",
                        transfers.growth_mib < most,
                    )
                )
            if self.rate and transfers.count == 1:
                p99 = transfers.accept_p99_ms
                found.append(
                    (f"{store}, {way}: accept p99 under {GOAL_P99_MS:g} ms", f"{p99:.1f} ms", p99 < GOAL_P99_MS)
                )
        return found

    def markdown(self) -> str:
        """Return all of it as Markdown."""
        plain_up, plain_down = (self.mib / self.plain[f"{way}_seconds"] for way in ("up", "down"))
        lines = [
            f"`{self.command}` on {self.when}: {self.machine}.",
            "",
            f"One file of {self.mib} MiB; {self.rate:g} messages/s are accepted meanwhile. The plain `minio` client "
            f"alone: {plain_up:.0f} MiB/s up, {plain_down:.0f} MiB/s down.",
            "",
            f"Messages alone: p50 {percentile(self.alone, 0.5):.1f} ms, p99 {percentile(self.alone, 0.99):.1f} ms.",
            "",
            "| store | way | MiB/s | of the plain client | API grows, MiB | API CPU, s/GiB | accept p50 / p99, ms |",
            "|---|---|---|---|---|---|---|",
        ]
        for store, way, one in self.rows:
            p50 = one.accepts[len(one.accepts) // 2] if one.accepts else float("nan")
            cpu = one.api_cpu_seconds / (one.count * one.size_bytes / 2**30)
            lines.append(
                f"| {store} | {way} | {one.mib_per_second:.0f} | {self.share(way, one):.0%} | {one.growth_mib:.0f} "
                f"| {cpu:.1f} | {p50:.1f} / {one.accept_p99_ms:.1f} |"
            )
        lines += ["", "| goal | measured | met |", "|---|---|---|"]
        lines += [f"| {goal} | {measured} | {'yes' if met else '**no**'} |" for goal, measured, met in self.goals()]
        return "\n".join([*lines, ""])
