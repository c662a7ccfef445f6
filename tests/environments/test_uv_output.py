"""uv's words, as it really says them, become messages that people can act on."""

from __future__ import annotations

import pytest

from verdazul.environments.explain import explain

NO_PACKAGE = """\
Using Python 3.12.1 environment at: venv
error: No solution found when resolving dependencies
  cause: Because scikit-lern was not found in the package registry and you require \
scikit-lern==1.5, we can conclude that your requirements are unsatisfiable."""
NO_PACKAGE_OLDER_UV = """\
  \N{MULTIPLICATION SIGN} No solution found when resolving dependencies:
  ╰─▶ Because scikit-lern was not found in the package registry and you require
      scikit-lern==1.5, we can conclude that your requirements are unsatisfiable."""
NO_VERSION = """\
error: No solution found when resolving dependencies
  cause: Because there is no version of six==99 and you require six==99, we can conclude that your \
requirements are unsatisfiable."""
BEYOND = """\
error: No solution found when resolving dependencies
  cause: Because only six<=1.17.0 is available and you require six>=2, we can conclude that your \
requirements are unsatisfiable."""
NO_INDEX = """\
error: No solution found when resolving dependencies
  cause: Because joblib was not found in the provided package locations and you require joblib"""
CONTRADICTION = """\
error: No solution found when resolving dependencies
  cause: Because you require joblib==1.2.0 and joblib>=1.3, we can conclude that your requirements \
are unsatisfiable."""
NO_WHEEL = """\
error: No solution found when resolving dependencies
  cause: Because tensorflow<=0.12.1 has no wheels with a matching Python ABI tag (e.g., `cp312`) \
and only the following versions of tensorflow are available:
             tensorflow<=0.12.1
             tensorflow>=1
         we can conclude that tensorflow<1 cannot be used."""
OLD_PYTHON = """\
error: No solution found when resolving dependencies
  cause: Because the current Python version (3.9.18) does not satisfy Python>=3.10 and scipy==1.15.0
         depends on Python>=3.10, we can conclude that scipy==1.15.0 cannot be used."""
NETWORK = """\
error: Request failed after 3 retries in 9.2s
  cause: Failed to fetch: http://user:pw@127.0.0.1:1/simple/six/
  cause: client error (Connect)
  cause: Connection refused (os error 111)"""
DISK = """\
error: Failed to install: numpy-1.26.4.whl (numpy==1.26.4)
  cause: No space left on device (os error 28)"""
GIT = """\
error: Git operation failed
  cause: failed to clone into: /cache/git-v2/db/fd
         fatal: unable to access 'https://127.0.0.1:1/x/y.git/': Failed to connect to 127.0.0.1"""
COMPILER = """\
Resolved 1 package in 485ms
error: Failed to build `numpy==1.19.5`
  cause: The build backend returned an error"""
SYNTAX = """\
error: Couldn't parse requirement in `requirements.txt` at position 0
  cause: no such comparison operator ">>=", must be one of ~= == != <= >= < > ==="""
DENIED = (
    "error: Failed to fetch: https://index.example/six/\n cause: HTTP status (401 Unauthorized)"
)
ELSE = "error: something that nobody foresaw"


@pytest.mark.parametrize(
    ("output", "says", "fix"),
    [
        (NO_PACKAGE, "no package `scikit-lern` on the package index", "`scikit-learn`"),
        (NO_PACKAGE_OLDER_UV, "no package `scikit-lern`", "`scikit-learn`"),
        (NO_VERSION, "no version `six==99`", "version that exists"),
        (BEYOND, "no version `six>=2`", "available: six<=1.17.0"),
        (NO_INDEX, "`--no-index` is given", "allow an index"),
        (CONTRADICTION, "contradict each other: you require joblib==1.2.0 and", "change one"),
        (NO_WHEEL, "`tensorflow<=0.12.1` is not offered for Python 3.12.1", "newer version"),
        (OLD_PYTHON, "`scipy==1.15.0` needs Python>=3.10; the environment has 3.9.18", "another"),
        (NETWORK, "cannot be reached (http://***@127.0.0.1:1/simple/six/)", "HTTPS_PROXY"),
        (DISK, "the disk is full", "free some space"),
        (GIT, "git repository https://127.0.0.1:1/x/y.git/", "access"),
        (COMPILER, "`numpy==1.19.5` has no ready-made build", "compiler"),
        (SYNTAX, 'cannot be read: no such comparison operator ">>="', "name==1.2"),
        (DENIED, "refused the credentials", "password"),
        (ELSE, "something that nobody foresaw", "log"),
        ("", "uv said nothing", "log"),
    ],
)
def test_uv_failure_is_explained(output: str, says: str, fix: str) -> None:
    problem = explain(output.split("\n"), python="3.12.1")

    assert problem.code == "ImageBuildFailure"
    assert says in problem.message
    assert fix in problem.fix


def test_log_tail_is_short_and_holds_no_password() -> None:
    problem = explain([*["line"] * 100, *NETWORK.split("\n")], python="3.12.1")

    assert len(problem.log_tail) == 15
    assert not any("user:pw" in line for line in problem.log_tail)
