"""The date, the versions and the hardware of a measurement. The figures depend on the versions and the hardware."""

import os
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Self

from local.brokers.install import JARS

PACKAGES = "confluent-kafka", "kafka-python", "nameko", "nameko-kafka"


@dataclass(frozen=True)
class Machine:
    """The date, machine and versions of a measurement. The report and the JSON file show them."""

    date: str
    python: str
    packages: dict[str, str]
    kafka: str
    cores: int
    processor: str
    memory_gib: float
    load_before: float

    @classmethod
    def now(cls) -> Self:
        models = [
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ]
        return cls(
            date=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
            python=platform.python_version(),
            packages={name: version(name) for name in PACKAGES},
            kafka=next(JARS.glob("kafka-clients-*.jar")).stem.removeprefix("kafka-clients-"),
            cores=os.cpu_count() or 1,
            processor=models[0] if models else "unknown",
            memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
            load_before=round(os.getloadavg()[0], 1),
        )

    def __str__(self) -> str:
        packages = ", ".join(f"{name} {number}" for name, number in self.packages.items())
        return (
            f"{self.date}\n"
            f"Python {self.python}, {packages}, Kafka {self.kafka}\n"
            f"{self.cores} cores ({self.processor}), {self.memory_gib:.0f} GiB of memory,"
            f" load before the measurement: {self.load_before}\n"
        )
