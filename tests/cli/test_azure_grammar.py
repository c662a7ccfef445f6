"""Every sub-command and flag that Azure documents is known: served, or refused by its name."""

from __future__ import annotations

import argparse

import pytest

from verdazul.cli.az import front
from verdazul.cli.grammar import OUTPUTS
from verdazul.cli.main import parser

pytestmark = pytest.mark.azure(113)

GLOBAL = "--debug --help -h --only-show-errors --output -o --query --verbose"
WORKSPACE = "-g --resource-group -w --workspace-name --subscription"
UPDATE = "--add --force-string --remove --set"
# Azure's tables for `az ml`, by noun and verb
AZURE = {
    "online-endpoint": {
        "create": "--auth-mode --file -f --local --name -n --no-wait --set --web -e",
        "delete": "--name -n --local --no-wait --yes -y",
        "get-credentials": "--name -n",
        "invoke": "--name -n --deployment-name -d --local --request-file -r",
        "list": "--local",
        "regenerate-keys": "--name -n --key-type --no-wait",
        "show": "--name -n --local --web -e",
        "update": "--file -f --local --mirror-traffic --name -n --no-wait --traffic -r --web -e "
        + UPDATE,
    },
    "online-deployment": {
        "create": "--file -f --all-traffic --endpoint-name -e --local --local-enable-gpu --name -n "
        "--no-wait --package-model --set --skip-script-validation --vscode-debug --web",
        "delete": "--endpoint-name -e --name -n --local --no-wait --yes -y",
        "get-logs": "--endpoint-name -e --name -n --container -c --lines -l --local",
        "list": "--endpoint-name -e --local",
        "show": "--endpoint-name -e --name -n --local --web",
        "update": "--endpoint-name -e --file -f --local --local-enable-gpu --name -n --no-wait "
        "--skip-script-validation --vscode-debug --web " + UPDATE,
    },
    "model": {
        "archive": "--name -n --version -v --label -l",
        "create": "--name -n --version -v --path -p --type -t --file -f --description --tags "
        "--stage -s --datastore --registry-name --set",
        "download": "--name -n --version -v --label -l --download-path -p",
        "list": "--name -n --archived-only --include-archived --max-results -r",
        "restore": "--name -n --version -v --label -l",
        "show": "--name -n --version -v --label -l",
        "update": "--name -n --version -v --label -l " + UPDATE,
    },
    "environment": {
        "archive": "--name -n --version -v --label -l",
        "create": "--name -n --version -v --file -f --image -i --conda-file -c --build-context -b "
        "--dockerfile-path -d --os-type --description --tags --set",
        "list": "--name -n --archived-only --include-archived --max-results -r",
        "restore": "--name -n --version -v --label -l",
        "show": "--name -n --version -v --label -l",
        "update": "--name -n --version -v --label -l " + UPDATE,
    },
    "connection": {
        "create": "--file -f --name -n --set",
        "delete": "--name -n --yes -y",
        "list": "--type",
        "show": "--name -n --populate-secrets",
        "update": "--name -n " + UPDATE,
    },
    "datastore": {
        "create": "--file -f --name -n --set",
        "delete": "--name -n",
        "list": "--max-results -r",
        "show": "--name -n",
        "update": "--name -n --file -f " + UPDATE,
    },
    "compute": {"list-usage": "--location -l", "list-sizes": "--location -l"},
    "workspace": {
        "create": "--name -n --location -l --no-wait --file -f --set --tags --display-name "
        "--description",
        "delete": "--name -n --yes -y --no-wait --all-resources --permanently-delete -p",
        "show": "--name -n",
    },
}
ALL = [(noun, verb, flags) for noun, verbs in AZURE.items() for verb, flags in verbs.items()]


def below(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    groups = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    return {name: command for group in groups for name, command in group.choices.items()}


def known(command: argparse.ArgumentParser) -> set[str]:
    return {flag for action in command._actions for flag in action.option_strings}


@pytest.mark.parametrize(("noun", "verb", "flags"), ALL)
def test_each_flag_of_azures_tables_is_known(noun: str, verb: str, flags: str) -> None:
    theirs = set(f"{GLOBAL} {flags}".split())
    theirs |= set() if noun == "workspace" else set(WORKSPACE.split())

    assert theirs - known(below(below(parser())[noun])[verb]) == set()


def test_az_ml_is_the_same_grammar() -> None:
    ours, az = below(parser()), below(below(front.parser())["ml"])

    assert set(AZURE) <= set(az)
    for noun, commands in az.items():
        assert {n: known(c) for n, c in below(commands).items()} == {
            n: known(c) for n, c in below(ours[noun]).items()
        }


@pytest.mark.azure(114)
def test_the_formats_are_azs() -> None:
    assert set(OUTPUTS) == {"json", "jsonc", "none", "table", "tsv", "yaml", "yamlc"}
