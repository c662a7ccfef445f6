"""Every kind of mistake in a YAML file, with its exact words and line."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.model.factories import DEPLOYMENT_YAML, deployment_folder, endpoint_file, said

from verdazul.model.errors import UserError
from verdazul.model.load import load_deployment, load_endpoint

ENDPOINT_MISTAKES = [
    (
        "name: credit\ntrafic: {}\n",
        "UnknownKey",
        2,
        "unknown key `trafic`; did you mean `traffic`?",
    ),
    (
        "name: credit\nauthMode: key\n",
        "UnknownKey",
        2,
        "unknown key `authMode`; did you mean `auth_mode`?",
    ),
    (
        "name: credit\nscoring_uri: http://x\n",
        "UnknownKey",
        2,
        "unknown key `scoring_uri`; it is written by the service; delete the line",
    ),
    (
        "name: credit\nendpoint_name: x\nmodel: y\n",
        "UnknownKey",
        2,
        "unknown key `endpoint_name`; this is a deployment, not an endpoint",
    ),
    ("auth_mode: key\n", "MissingKey", 1, "missing key `name`"),
    ("name:\n", "InvalidValue", 1, "name has no value; it must be a text"),
    (
        "name: ab\n",
        "InvalidName",
        1,
        (
            'the name "ab" has 2 characters. The name for an endpoint must be at least 3 '
            "and at most 32 characters long (inclusive of both limits)."
        ),
    ),
    (
        "name: 1abc\n",
        "InvalidName",
        1,
        (
            "the name \"1abc\" starts with '1'. The name for an endpoint must start with "
            "an upper- or lowercase letter and only consist of '-'s and alphanumeric characters."
        ),
    ),
    (
        "name: credit\nauth_mode: zzz\n",
        "InvalidValue",
        2,
        'auth_mode is "zzz"; it must be key, aml_token or aad_token',
    ),
    (
        "name: credit\ntraffic:\n  blue: 90\n  green: 20\n",
        "InvalidTraffic",
        2,
        'traffic for endpoint "credit" sums to 110; it must be 100 (blue=90, green=20)',
    ),
    (
        "name: credit\ntraffic:\n  blue: 100\n  green: -5\n",
        "InvalidTraffic",
        4,
        'traffic for endpoint "credit" gives green -5; it must be a whole number from 0 to 100',
    ),
    (
        "name: credit\ntraffic: {blue: 99.5}\n",
        "InvalidTraffic",
        2,
        'traffic for endpoint "credit" gives blue "99.5"; it must be a whole number from 0 to 100',
    ),
    (
        "name: credit\ntraffic: {blue: yes}\n",
        "InvalidTraffic",
        2,
        'traffic for endpoint "credit" gives blue "yes"; it must be a whole number from 0 to 100',
    ),
    (
        "name: credit\ntraffic: {blue: 1:40}\n",
        "InvalidTraffic",
        2,
        'traffic for endpoint "credit" gives blue "1:40"; it must be a whole number from 0 to 100',
    ),
    (
        "name: credit\ntraffic: {blue: 50, Blue: 50}\n",
        "InvalidTraffic",
        2,
        'traffic for endpoint "credit" names one deployment twice: blue and Blue',
    ),
    (
        "name: credit\ntraffic: blue=100\n",
        "InvalidValue",
        2,
        'traffic is "blue=100"; it must be a mapping of names to values',
    ),
    (
        "name: credit\ntags:\n",
        "InvalidValue",
        2,
        "tags has no value; it must be a mapping of names to values",
    ),
    (
        "name: credit\ntags:\n  a: [1]\n",
        "InvalidValue",
        3,
        "tags.a is a list; it must be a text",
    ),
    (
        'name: credit\ndescription: "\\ud800"\n',
        "InvalidValue",
        2,
        'description is "\\ud800"; it must be a text without NUL and without broken Unicode',
    ),
    (
        "name: credit\nmirror_traffic: {a: 51}\n",
        "InvalidTraffic",
        2,
        "mirror_traffic gives a 51; it must be a whole number from 0 to 50",
    ),
    (
        "name: credit\nmirror_traffic: {a: 5, b: 5}\n",
        "InvalidTraffic",
        2,
        "mirror_traffic names a, b; it can name one deployment only",
    ),
    (
        "name: credit\nidentity:\n  type: user_assigned\n",
        "InvalidValue",
        3,
        (
            "identity.type is user_assigned with 0 user_assigned_identities; user_assigned needs "
            "at least one, system_assigned takes none"
        ),
    ),
    (
        "name: credit\nidentity:\n  type: user_assigned\n  user_assigned_identities: [{id: x}]\n",
        "InvalidValue",
        4,
        (
            "identity.user_assigned_identities[0] is a mapping; it must be an ARM id, or a mapping "
            "with `resource_id` only"
        ),
    ),
    (
        "name: credit\nidentity: system\n",
        "InvalidValue",
        2,
        'identity is "system"; it must be a mapping',
    ),
    (
        "name: credit\nname: fraud\n",
        "DuplicateKey",
        2,
        "the key `name` is there twice, first in line 1",
    ),
    (
        "name: credit\ntraffic: {Blue: 100}\nmirror_traffic: {blue: 10}\n",
        "InvalidTraffic",
        3,
        (
            "mirror_traffic copies 10 % to blue, which takes 100 % of the traffic; "
            "a deployment can be live or mirrored to, not both"
        ),
    ),
    (
        "name: credit\ncompute: azureml:cluster\nmirror_traffic: {blue: 10}\n",
        "InvalidTraffic",
        3,
        "mirror_traffic is for managed endpoints only; this one names a `compute`",
    ),
    (
        "name: credit\nproperties:\n  verdazul.request_per_second: 5\n",
        "UnknownProperty",
        3,
        "properties.verdazul.request_per_second: there is no such property",
    ),
    (
        "name: credit\nproperties:\n  verdazul.requests_per_second: many\n",
        "InvalidValue",
        3,
        (
            'properties.verdazul.requests_per_second is "many"; '
            "it must be a whole number from 0 (no limit) to 1000000"
        ),
    ),
]


@pytest.mark.parametrize(("text", "code", "line", "message"), ENDPOINT_MISTAKES)
@pytest.mark.azure(17, 28, 29, 33)
def test_mistake_in_an_endpoint_is_told_with_its_line(
    tmp_path: Path, text: str, code: str, line: int, message: str
) -> None:
    file = endpoint_file(tmp_path, text)

    with pytest.raises(UserError) as caught:
        load_endpoint(file)

    assert said(caught.value) == [(code, f"{file}:{line}", message)]


DEPLOYMENT_MISTAKES = [
    (
        "instance_count: 2",
        "instnce_count: 2",
        "UnknownKey",
        17,
        "unknown key `instnce_count`; did you mean `instance_count`?",
    ),
    (
        "instance_count: 2",
        "request_timeout_ms: 2",
        "UnknownKey",
        17,
        "unknown key `request_timeout_ms`; did you mean `request_settings.request_timeout_ms`?",
    ),
    (
        "  period: 7",
        "  perod: 7",
        "UnknownKey",
        23,
        "unknown key `liveness_probe.perod`; did you mean `period`?",
    ),
    (
        "  period: 7",
        "  name: 7",
        "UnknownKey",
        23,
        "unknown key `liveness_probe.name`; did you mean `name`?",
    ),
    (
        "  path: ../model/",
        "  pth: ../model/\n  path: ../model/",
        "UnknownKey",
        5,
        "unknown key `model.pth`; did you mean `path`?",
    ),
    (
        "  image:",
        "  conda_text: x\n  image:",
        "UnknownKey",
        11,
        "unknown key `environment.conda_text`; did you mean `conda_file`?",
    ),
    (
        "instance_count: 2",
        "instance_count: many",
        "InvalidValue",
        17,
        'instance_count is "many"; it must be a whole number from 1 to 50',
    ),
    (
        "instance_count: 2",
        "instance_count: 0",
        "InvalidValue",
        17,
        'instance_count is "0"; it must be a whole number from 1 to 50',
    ),
    (
        "instance_count: 2",
        "instance_count:",
        "InvalidValue",
        17,
        "instance_count has no value; it must be a whole number from 1 to 50",
    ),
    (
        "instance_count: 2",
        "instance_count: 010",
        "InvalidValue",
        17,
        'instance_count is "010"; it must be a whole number from 1 to 50',
    ),
    (
        "Standard_DS3_v2",
        "Standard_DS3v2",
        "InvalidInstanceType",
        16,
        'instance_type "Standard_DS3v2" is not known',
    ),
    (
        "instance_type: Standard_DS3_v2\n",
        "",
        "MissingKey",
        1,
        "missing key `instance_type`",
    ),
    (
        "  scoring_script: score.py\n",
        "",
        "MissingKey",
        6,
        "missing key `code_configuration.scoring_script`",
    ),
    (
        "score.py",
        "../secret.py",
        "InvalidValue",
        8,
        (
            'code_configuration.scoring_script is "../secret.py"; it must be a file inside '
            "the code folder, such as score.py"
        ),
    ),
    (
        "  request_timeout_ms: 3000",
        "  request_timeout_ms: 200000",
        "InvalidValue",
        19,
        "request_settings.request_timeout_ms is 200000; a managed deployment takes at most 180000",
    ),
    (
        "  period: 7",
        "  success_threshold: 2",
        "InvalidValue",
        23,
        "liveness_probe.success_threshold is 2; it must be 1",
    ),
    (
        "model:\n  path: ../model/",
        "model: ../model/",
        "InvalidValue",
        4,
        (
            'model is "../model/"; it must be azureml:<name>:<version>, azureml:<name>@<label>, '
            "an ARM id, or a mapping that describes it in place"
        ),
    ),
    (
        "  image: mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04:latest\n",
        "",
        "MissingKey",
        9,
        "environment has neither image nor build; conda_file needs an image to add to",
    ),
    (
        "  LOG_LEVEL: debug",
        "  A=B: debug",
        "InvalidValue",
        12,
        "environment_variables has the name \"A=B\"; a name is not empty and has no '='",
    ),
    (
        "instance_count: 2",
        "scale_settings: {type: default, min_instances: 1}",
        "InvalidValue",
        17,
        (
            "scale_settings.min_instances belongs to `type: target_utilization`; the default type "
            "takes its count from instance_count"
        ),
    ),
    (
        "instance_count: 2",
        "scale_settings: {type: target_utilization, min_instances: 3, max_instances: 2}",
        "InvalidValue",
        17,
        "scale_settings.min_instances is 3, more than max_instances, which is 2",
    ),
    (
        "instance_count: 2",
        "app_insights_enabled: perhaps",
        "InvalidValue",
        17,
        'app_insights_enabled is "perhaps"; it must be true or false',
    ),
    (
        "instance_count: 2",
        "model_mount_path: relative",
        "InvalidValue",
        17,
        'model_mount_path is "relative"; it must be an absolute path, such as /var/models',
    ),
    (
        "instance_count: 2",
        "data_collector: {collections: {}}",
        "InvalidValue",
        17,
        (
            "data_collector.collections is a mapping; it must be a mapping with at least one "
            "collection, such as model_inputs"
        ),
    ),
    (
        "instance_count: 2",
        "data_collector: {sampling_rate: 2, collections: {a: {}}}",
        "InvalidValue",
        17,
        'data_collector.sampling_rate is "2"; it must be a number from 0 to 1',
    ),
    (
        "instance_count: 2",
        "data_collector: {collections: {model: {enabld: 'True'}}}",
        "UnknownKey",
        17,
        "unknown key `data_collector.collections.model.enabld`; did you mean `enabled`?",
    ),
    (
        "LOG_LEVEL: debug",
        "KEY: ${{azureml://connections/c/credentials/key}}",
        "NotSupportedYet",
        13,
        "environment_variables.KEY: a reference to a secret store is not supported yet",
    ),
]


@pytest.mark.azure(72)
@pytest.mark.parametrize("mistake", DEPLOYMENT_MISTAKES, ids=lambda mistake: mistake[1][:30])
def test_mistake_in_a_deployment_is_told_with_its_line(
    tmp_path: Path, mistake: tuple[str, str, str, int, str]
) -> None:
    old, new, code, line, message = mistake
    assert old in DEPLOYMENT_YAML
    file = deployment_folder(tmp_path, DEPLOYMENT_YAML.replace(old, new, 1))

    with pytest.raises(UserError) as caught:
        load_deployment(file)

    assert said(caught.value) == [(code, f"{file}:{line}", message)]
