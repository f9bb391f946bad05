"""Secrets and paths of one machine: found, never repeated, and not seen where there are none."""

from __future__ import annotations

import pytest
from swath.contract.notebook import read_notebook

HEX = "9f86d081884c7d659a2feaa0c55ad015"
SECRETS = {
    "aws": f"key = 'AKIA{'IOSFODNN7EXAMPLE'}'",
    "private key": f"k = '''-----BEGIN RSA {'PRIVATE'} KEY-----\nMIIE'''",
    "openssh key": f"k = '''-----BEGIN OPENSSH {'PRIVATE'} KEY-----'''",
    "github": f"t = 'ghp_{'a1B2' * 9}'",
    "github fine": f"t = 'github_pat_{'a1B2' * 8}'",
    "gitlab": f"t = 'glpat-{'a1B2-' * 4}'",
    "hugging face": f"t = 'hf_{'a1B2C' * 7}'",
    "jwt": f"t = 'eyJ{'hbGciOiJI'}9.eyJ{'zdWIiOiIxMjM0'}.{'SflKxwRJ'}'",
    "bearer": f"h = {{'Authorization': 'Bearer {HEX}'}}",
    "hub token in a header": f"h = {{'Authorization': 'token {HEX}'}}",
    "url": "u = 'https://ann:s3cret!@example.org/x'",
    "password": "password = 'hunter2!'",
    "db password": "db_password: str = 'correcthorse'",
    "attribute": "config.passwd = 'hunter2!'",
    "environment": f"import os\nos.environ['JUPYTERHUB_API_TOKEN'] = '{HEX}'",
    "argument": f"connect(api_key='{HEX}')",
    "dictionary": f"auth = {{'client_secret': '{HEX}'}}",
    "walrus": f"print(token := '{HEX}')",
    "in a comment": f"x = 1  # was ghp_{'a1B2' * 9}",
    "in a shell line": f"!curl -H 'Authorization: Bearer {HEX}' https://example.org",
}
NO_SECRETS = (
    "password = ''",
    "password = input()",
    "password = '<your password>'",
    "password = 'your_password'",
    "password = '********'",
    "password = 'please ask the office'",
    "import os, getpass\ntoken = os.environ['TOKEN']\npassword = getpass.getpass('password: ')",
    "token_url = 'https://example.org/oauth2/token'",
    "token = 'B04'",
    "secret = 'nothing here to see'",
    "api_key = None",
    "headers = {'Authorization': f'Bearer {token}'}; token = get()",
    "print('the bearer of bad news'); basic = 'basic statistics of the region'",
    f"sha256 = '{HEX}{HEX}'",
    "item = 'S2A_MSIL2A_20200501T100031_N0214_R122_T33UXP_20200501T120000'",
    "u = 'https://example.org:8443/a@b'",
    "key = 'AKIA'; monkey = 'abcdefghijklm123'",
)


@pytest.mark.parametrize("source", SECRETS.values(), ids=SECRETS)
def test_secrets(make, source):
    reading = read_notebook(make.build(make.code("", "parameters"), make.code(source)), environments=None)
    found = [finding for finding in reading.errors if finding.code == "secret"]
    assert found
    assert all(finding.cell == 1 and finding.line for finding in found)
    for finding in reading.findings:
        assert not {"hunter2", HEX, "correcthorse", "s3cret", "a1B2", "IOSF"} & {
            part
            for part in ("hunter2", HEX, "correcthorse", "s3cret", "a1B2", "IOSF")
            if part in str(finding.as_dict())
        }


@pytest.mark.parametrize("source", NO_SECRETS)
def test_no_false_secrets(make, source):
    reading = read_notebook(make.build(make.code("", "parameters"), make.code(source)), environments=None)
    assert [finding for finding in reading.findings if finding.code == "secret"] == []


def test_secrets_in_text_and_raw_cells(make):
    text = make.markdown(f"one\nghp_{'a1B2' * 9}")
    reading = read_notebook(
        make.build(make.code("", "parameters"), text, {**text, "cell_type": "raw"}), environments=None
    )
    assert [(found.cell, found.line) for found in reading.errors] == [(1, 2), (2, 2)]


def test_a_secret_as_default_is_found_and_not_repeated(make):
    reading = read_notebook(make.build(make.code("password: str = 'hunter2!'", "parameters")), environments=None)
    assert {finding.code for finding in reading.errors} == {"secret-parameter", "secret"}
    assert "hunter2" not in str([finding.as_dict() for finding in reading.findings])


PATHS = (
    "open('/home/ann/data.tif')",
    "open('/Users/ann/data.tif')",
    "open('/mnt/data/x.tif')",
    "open('/data/x.tif')",
    "open('/eodata/Sentinel-2/x')",
    "root = '/archive'",
    "open('/archive/catalog.json')",
    "open('~/x.tif')",
    "open('C:\\\\Users\\\\ann\\\\x.tif')",
    "open(r'D:\\data\\x.tif')",
    "open('C:/data/x.tif')",
    "open(r'\\\\server\\share\\x')",
    "open('file:///srv/x.tif')",
    "import swath\nopen(f'/home/ann/{swath}.tif')",
    "text = 'see /home/ann/readme for more'",
)
NO_PATHS = (
    "u = 'https://example.org/home/ann/x.tif'",
    "u = 'https://example.org/data/x'; v = 's3://bucket/home/ann/x'",
    "base = 'https://example.org'\nu = base + '/data/x'",
    "base = 'https://example.org'\nu = f'{base}/home/ann/x'",
    "a = '/'; b = '//'; c = '/tmp/x.tif'; d = '/dev/null'; e = '/vsimem/x.tif'; f = '/vsicurl/https://x/home/a/b'",
    "a = 'x/home/y'; b = './data/x.tif'; c = '../mnt/x/y'; d = 'data/x.tif'",
    "label = 'Ratio B:\\nper year'; time = '12:30'; c = 'a/b'; unit = 'kg/ha'; e = 'NDVI: /'",
    "route = '/collections/sentinel-2/items'; regex = '/data/'",
    "import re\nre.sub(r'\\\\d:\\\\w', '', 'x')",
)


@pytest.mark.parametrize("source", PATHS)
def test_absolute_paths(make, source):
    reading = read_notebook(make.build(make.code("", "parameters"), make.code(source)), environments=None)
    assert [finding.code for finding in reading.errors] == ["absolute-path"]
    assert "ann" not in reading.errors[0].message


@pytest.mark.parametrize("source", NO_PATHS)
def test_no_false_paths(make, source):
    reading = read_notebook(make.build(make.code("", "parameters"), make.code(source)), environments=None)
    assert [finding for finding in reading.findings if finding.code == "absolute-path"] == []


def test_home_folders_in_comments_and_texts_are_warnings(make):
    reading = read_notebook(
        make.build(
            make.code("", "parameters"),
            make.code("x = 1  # from /home/ann/x\n# and /mnt/data/y"),
            make.markdown("![](/Users/ann/x.png) and https://example.org/home/ann"),
        ),
        environments=None,
    )
    assert reading.ok
    assert [(found.cell, found.line) for found in reading.findings if found.code == "absolute-path"] == [(1, 1), (2, 1)]
