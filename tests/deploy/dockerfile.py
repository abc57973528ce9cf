"""A Dockerfile as a list of instructions by stage; it must not know what they should say."""

import re
from functools import reduce
from pathlib import Path
from typing import NamedTuple

from tests.deploy.kubectl import ROOT

DOCKERFILE = ROOT / "deploy" / "Dockerfile"


class Instruction(NamedTuple):
    """`words`: what stands behind the verb, continued lines joined."""

    verb: str
    words: str


def stages(text: str) -> list[list[Instruction]]:
    """Each stage from its FROM on."""
    lines = re.sub(r"^\s*#.*\n", "", text, flags=re.M).replace("\\\n", " ").splitlines()
    found: list[list[Instruction]] = []
    for line in filter(str.strip, lines):
        verb, _, words = line.strip().partition(" ")
        if verb == "FROM":
            found.append([])
        found[-1].append(Instruction(verb, " ".join(words.split())))
    return found


def said(stage: list[Instruction], verb: str) -> list[str]:
    """Every instruction of this verb."""
    return [instruction.words for instruction in stage if instruction.verb == verb]


def environment(stage: list[Instruction]) -> dict[str, str]:
    """What ENV sets."""
    return dict(pair.split("=", 1) for words in said(stage, "ENV") for pair in words.split())


def findings(text: str) -> list[str]:
    """What makes an image larger, weaker or less certain than it has to be."""
    all_stages = stages(text)
    last = all_stages[-1]
    runs = [words for stage in all_stages for words in said(stage, "RUN")]
    installs = [part for run in runs for part in run.split("&&") if re.search(r"pip install|pip wheel", part)]
    rules = {
        "one stage: what builds stays in the image": len(all_stages) > 1,
        "a base without a full version": all(
            re.fullmatch(r"python:3\.11\.\d+-slim-\w+( AS \w+)?", words)
            for s in all_stages
            for words in said(s, "FROM")
        ),
        "ADD": not any(said(stage, "ADD") for stage in all_stages),
        "programs from a distribution or a network": not any(re.search(r"\b(apt-get|curl|wget)\b", r) for r in runs),
        "wheels that nobody hashed": all("--require-hashes" in part or "--no-deps" in part for part in installs)
        and sum("--require-hashes" in part for part in installs) == len([p for p in installs if " -r " in p]) > 0,
        "a source that is compiled": all("--only-binary :all:" in part for part in installs if " -r " in part),
        "root, or a user without a number": bool(said(last, "USER"))
        and re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", said(last, "USER")[-1]) is not None,
        "no health check without a shell": bool(said(last, "HEALTHCHECK")) and "CMD [" in said(last, "HEALTHCHECK")[-1],
        "an entry point behind a shell": [words[0] for words in said(last, "ENTRYPOINT")] == ["["],
        "bytecode is written at run time": environment(last).get("PYTHONDONTWRITEBYTECODE") == "1",
        "more than the environment is copied": said(last, "COPY") == ["--from=build /opt/seamline /opt/seamline"],
    }
    return [what for what, holds in rules.items() if not holds]


def commands_of(stage: list[Instruction], source: Path, replaced: dict[str, str]) -> list[str]:
    """Shell commands that do in the folder they run in what the stage does in its own."""
    commands = []
    for verb, words in stage:
        if verb == "COPY":
            *names, target = words.split()
            commands.append(f"mkdir -p $(dirname {target}.)")
            commands += [f"cp -r {source / name} {target}" for name in names]
        elif verb == "RUN":
            commands.append(reduce(lambda command, change: command.replace(*change), replaced.items(), words))
    return commands
