#!/usr/bin/env python3
"""Two authorities and an agreement, by the commands that their people use: written, signed on own devices, begun, asked
under from psql, revoked while a statement runs; and a person asks who used their data.

    CLARENCE_BIN=… tests/agreements.py
"""

import datetime
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import boto3  # noqa: E402
import botocore.config  # noqa: E402
import cloud as clouds  # noqa: E402
import psycopg  # noqa: E402

PEOPLE = """id,born,commune,income
1893120105732,1893-12-01,esch,1000
1990050600012,1990-05-06,esch,2500
1990070800025,1990-07-08,diekirch,3000
"""
ANNA = "1990050600012"


def step(text):
    print(f"  {text}", flush=True)


class Tenant:
    """An authority: its credential and its people's keys."""

    def __init__(self, cloud, name, folder):
        self.name = name
        made = cloud.tenant(name)
        self.user, self.password = made["access_key"], made["secret_key"]
        self.folder = folder / name
        self.folder.mkdir()
        self.cloud = cloud

    def person(self, name):
        self.cloud.cli("approver", "new", "--name", name, "--party", self.name, "--out", str(self.folder))
        return self.folder / f"{name}.key", self.folder / f"{name}.pub"

    def s3(self):
        connect = self.cloud.connect()
        return boto3.client(
            "s3",
            endpoint_url=connect["endpoint"],
            region_name=connect["region"],
            aws_access_key_id=self.user,
            aws_secret_access_key=self.password,
            config=botocore.config.Config(s3={"addressing_style": "path"}),
        )

    def sql(self, port, database="clarence"):
        client = psycopg.connect(
            host="127.0.0.1", port=port, user=self.user, password=self.password, dbname=database, autocommit=True
        )
        return client


def refused(client, text, code, *words):
    try:
        client.execute(text)
        raise AssertionError(f"{text} was answered")
    except psycopg.Error as error:
        assert error.sqlstate == code and all(word in str(error) for word in words), (text, error.sqlstate, str(error))


def written(folder, **changes):
    """An agreement's text, filled in."""
    text = f"""
format = 1
provider = "residents"
consumer = "benefits"
table = "people"
purpose = "social.family-benefits"
legal_basis = ["eli/etat/leg/loi/2016/07/23/n4/jo#art_4"]
ops = {changes.get('ops', '["query"]')}
retention_days = 30
[valid]
from = "2026-01-01"
until = "{datetime.date.today() + datetime.timedelta(days=30)}"
[columns]
id = {{ show = "pseudonym", domain = "benefits", conditions = true }}
born = {{ show = "year", conditions = true }}
commune = {{ show = "clear", conditions = true }}
{changes.get('more', '')}
[sign.provider]
owner = 1
dpo = 1
[sign.consumer]
head = 1
"""
    file = folder / f"{changes.get('name', 'agreement')}.toml"
    file.write_text(text)
    return file


def signed(cloud, folder, document, keys, id, *more):
    for side, role, key in keys:
        paper = folder / f"{id}-{side}-{role}{''.join(more)}.signature"
        words = ["--key", str(key), "--side", side, "--role", role, "--out", str(paper), *more]
        cloud.cli("agreement", "sign", str(document), *words)
        facts = cloud.cli("agreement", "hand-in", id, str(paper))
    return facts


class Running:
    """A statement that takes long, in a thread of its own."""

    def __init__(self, connect, text):
        self.connect, self.text = connect, text
        self.begun = self.error = self.ended = None
        self.thread = threading.Thread(target=self.ask)
        self.thread.start()
        while not self.begun:
            time.sleep(0.01)
        time.sleep(1.0)

    def ask(self):
        try:
            with self.connect() as client:
                self.begun = time.monotonic()
                client.execute(self.text)
        except psycopg.Error as error:
            self.error = error
        self.ended = time.monotonic()

    def was_ended(self, since, words):
        self.thread.join(30)
        assert self.error is not None, "it was answered"
        assert self.error.sqlstate == "42501" and words in str(self.error), self.error
        return self.ended - since


LONG = (
    "SELECT count(*) FROM people a, generate_series(1, 100000) AS g(x), generate_series(1, 100000) AS h(y)"
    " WHERE (x * y) % 7 = 3 AND a.commune = 'esch'"
)


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cloud = clouds.Cloud(folder / "node")
        port = clouds.free_port()
        try:
            cloud.up("--sql", f"127.0.0.1:{port}")
            told(cloud, folder, port)
        finally:
            cloud.stop()
    print("agreements between authorities: all held")


def told(cloud, folder, port):
    residents, benefits = Tenant(cloud, "residents", folder), Tenant(cloud, "benefits", folder)
    stranger = Tenant(cloud, "stranger", folder)
    residents.s3().create_bucket(Bucket="registers")
    residents.s3().put_object(Bucket="registers", Key="people/a.csv", Body=PEOPLE.encode())
    with residents.sql(port) as client:
        client.execute(
            "CREATE EXTERNAL TABLE people STORED AS CSV LOCATION 's3://registers/people/' OPTIONS ('subject' 'id', 'sensitive' 'income')"
        )

    # Written, read by a lawyer, checked.
    text = written(folder)
    document = folder / "agreement.agreement"
    checked = cloud.cli("agreement", "check", str(text), "--out", str(document))
    id = checked["id"]
    for language, word in [("fr", "Base légale"), ("de", "Rechtsgrundlage"), ("lb", "Rechtsgrondlag"), ("en", "Legal basis")]:
        page = cloud.cli("agreement", "page", str(document), "--lang", language)["page"]
        assert word in page and "eli/etat" in page, page
    wrong = folder / "wrong.toml"
    wrong.write_text(text.read_text().replace("social.family-benefits", "curiosity"))
    said = cloud.cli("agreement", "check", str(wrong), check=False)
    assert "curiosity" in said["message"] and "purpose" in said["message"], said
    step("an agreement is written, read in four languages, and checked; a purpose that is not known is refused")

    # Who signs.
    owner, dpo, head = residents.person("jean"), residents.person("anna"), benefits.person("claire")
    cloud.cli("agreement", "signers", "--tenant", "residents", "--signer", f"owner={owner[1]}", "--signer", f"dpo={dpo[1]}")
    cloud.cli("agreement", "signers", "--tenant", "benefits", "--signer", f"head={head[1]}")
    cloud.cli("agreement", "propose", str(document))
    database = f"agr_{id}"
    with benefits.sql(port, database) as client:
        refused(client, "SELECT * FROM people", "42501", "not active")
    assert "missing" in cloud.cli("agreement", "activate", id, check=False)["message"]
    keys = [("provider", "owner", owner[0]), ("provider", "dpo", dpo[0])]
    facts = signed(cloud, folder, document, keys, id)
    assert facts["state"] == "signed by the provider", facts
    # An altered document is not what was signed.
    altered = folder / "altered.toml"
    altered.write_text(text.read_text().replace("retention_days = 30", "retention_days = 3000"))
    paper = folder / "altered.signature"
    cloud.cli("agreement", "sign", str(altered), "--key", str(head[0]), "--side", "consumer", "--role", "head", "--out", str(paper))
    said = cloud.cli("agreement", "hand-in", id, str(paper), check=False)
    assert "another document" in said["message"], said
    # A person signs only as what they are.
    paper = folder / "role.signature"
    cloud.cli("agreement", "sign", str(document), "--key", str(dpo[0]), "--side", "provider", "--role", "owner", "--out", str(paper))
    said = cloud.cli("agreement", "hand-in", id, str(paper), check=False)
    assert "may not sign as owner" in said["message"], said
    facts = signed(cloud, folder, document, [("consumer", "head", head[0])], id)
    assert facts["state"] == "signed by both sides", facts
    with benefits.sql(port, database) as client:
        refused(client, "SELECT * FROM people", "42501", "not active")
    facts = cloud.cli("agreement", "activate", id)
    assert facts["state"] == "active", facts
    step("signed by two of one side and one of the other, on their own devices; refused by name what is not right; begun")

    # Asked under.
    before = max(entry["index"] for entry in cloud.entries())
    with benefits.sql(port, database) as client:
        rows = client.execute("SELECT * FROM people ORDER BY commune, born").fetchall()
        names = [column.name for column in client.execute("SELECT * FROM people").description]
        assert names == ["id", "born", "commune"], names
        assert [row[1:] for row in rows] == [
            (datetime.date(1990, 1, 1), "diekirch"),
            (datetime.date(1893, 1, 1), "esch"),
            (datetime.date(1990, 1, 1), "esch"),
        ], rows
        assert all(len(row[0]) == 32 for row in rows) and len({row[0] for row in rows}) == 3
        refused(client, "SELECT income FROM people", "42703")
        refused(client, "SELECT count(*) FROM people WHERE income > 5", "42703")
        refused(client, "DROP TABLE people", "42501")
        client.execute("SET clarence.purpose = 'tax.assessment'")
        refused(client, "SELECT * FROM people", "42501", "purpose")
        client.execute("SET clarence.purpose = 'social.family-benefits'")
        pseudonym = client.execute("SELECT id FROM people WHERE commune = 'diekirch'").fetchone()[0]
    with benefits.sql(port) as client:
        shown = client.execute(f"SELECT id FROM {database}.public.people WHERE commune = 'diekirch'").fetchone()[0]
        assert shown == pseudonym, "the same person has the same pseudonym"
    # A key of the consumer that is narrowed to something else does not use its tenant's agreement.
    policy = folder / "narrow.json"
    allow = lambda resource: json.dumps(  # noqa: E731
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": resource}]}
    )
    for resource, may in [("arn:aws:s3:::elsewhere/*", False), (f"arn:aws:s3:::agr-{id}/people", True)]:
        policy.write_text(allow(resource))
        made = cloud.cli("key", "add", "--tenant", "benefits", "--policy", str(policy))
        with psycopg.connect(
            host="127.0.0.1",
            port=port,
            user=made["access_key"],
            password=made["secret_key"],
            dbname=database,
            autocommit=True,
        ) as client:
            if may:
                assert client.execute("SELECT count(*) FROM people").fetchone() == (3,)
            else:
                refused(client, "SELECT count(*) FROM people", "42P01")  # it does not even see the table
    for other in (stranger, residents):
        try:
            other.sql(port, database)
            raise AssertionError(f"{other.name} came in")
        except psycopg.OperationalError as error:
            assert "no database" in str(error), error
    new = [entry for entry in cloud.entries(before) if entry["index"] > before]
    grants = [entry for entry in new if entry["kind"] == "grant" and entry.get("operation") == "Query"]
    assert grants and all(
        entry.get("agreement") == id and entry.get("purpose") == "social.family-benefits" for entry in grants
    ), grants
    denied = [entry for entry in new if entry["kind"] == "deny"]
    assert any("purpose" in str(entry) for entry in denied), new
    step("exactly the agreed columns; another purpose, another tenant and a hidden column are refused and on the ledger")

    # Who used my data.
    answer = folder / "answer.json"
    told_of = cloud.cli("person", "accesses", "--tenant", "residents", "--subject", ANNA, "--out", str(answer))
    assert told_of["lines"] >= 2, told_of
    text = answer.read_text()
    assert "social.family-benefits" in text and "benefits" in text
    ledger_keys = cloud.data / "ledger.keys"
    verified = cloud.cli("person", "verify", str(answer), "--subject", ANNA, "--keys", str(ledger_keys))
    assert any("social.family-benefits" in json.dumps(line) for line in verified["accesses"]), verified
    step("the person concerned is told who used their data and for what, and can prove it")

    # Suspended, and let go on by both sides.
    running = Running(lambda: benefits.sql(port, database), LONG)
    begun = time.monotonic()
    facts = cloud.cli("agreement", "suspend", id, "--by", "consumer")
    assert facts["state"] == "suspended" and facts["suspensions"] == 1, facts
    running.was_ended(begun, "suspended")
    all_keys = [*keys, ("consumer", "head", head[0])]
    facts = signed(cloud, folder, document, all_keys[:2], id, "--resume", "1")
    assert facts["state"] == "suspended" and "consumer" in str(facts["missing"]), facts
    with benefits.sql(port, database) as client:
        refused(client, "SELECT * FROM people", "42501", "suspended")
    facts = signed(cloud, folder, document, all_keys[2:], id, "--resume", "1")
    assert facts["state"] == "active", facts
    with benefits.sql(port, database) as client:
        assert client.execute("SELECT count(*) FROM people").fetchone() == (3,)
    step("suspended by one side, at once; it goes on when both sides have signed for that")

    # A newer version takes its place, and persons keep their pseudonyms.
    digest = cloud.cli("agreement", "show", id)["digest"]
    text = written(folder, name="newer")
    text.write_text(text.read_text().replace("retention_days = 30", f'retention_days = 60\nprevious = "{digest}"'))
    document = folder / "newer.agreement"
    newer = cloud.cli("agreement", "check", str(text), "--out", str(document))["id"]
    cloud.cli("agreement", "propose", str(document))
    signed(cloud, folder, document, all_keys, newer)
    cloud.cli("agreement", "activate", newer)
    with benefits.sql(port, database) as client:
        refused(client, "SELECT * FROM people", "42501", "newer version")
    id, database = newer, f"agr_{newer}"
    with benefits.sql(port, database) as client:
        kept = client.execute("SELECT id FROM people WHERE commune = 'diekirch'").fetchone()[0]
        assert kept == pseudonym, "the same person has the same pseudonym under the next version"
    step("a newer version ends the one before as it begins, and persons keep their pseudonyms")

    # A key that is suspended ends what runs with it, although the engine has all bytes already.
    made = cloud.cli("key", "add", "--tenant", "benefits")
    connect = lambda: psycopg.connect(  # noqa: E731
        host="127.0.0.1",
        port=port,
        user=made["access_key"],
        password=made["secret_key"],
        dbname=database,
        autocommit=True,
    )
    running = Running(connect, LONG)
    begun = time.monotonic()
    cloud.cli("key", "suspend", made["access_key"])
    took = running.was_ended(begun, "a key")
    assert took < 10, took
    step(f"a key was suspended: the statement that ran with it ended {took:.2f} s after the command began")

    # Revoked while a statement runs.
    running = Running(lambda: benefits.sql(port, database), LONG)
    revoked = time.monotonic()
    cloud.cli("agreement", "revoke", id, "--by", "provider")
    after = time.monotonic()
    with_new = benefits.sql(port, database)
    refused(with_new, "SELECT * FROM people", "42501", "revoked")
    took = running.was_ended(revoked, "revoked")
    step(f"revoked: the running statement ended {took:.2f} s after the command began ({after - revoked:.2f} s), a new one was refused")
    assert took < 10, "it has to end"
    said = cloud.cli("agreement", "activate", id, check=False)
    assert "revoked" in said["message"], said

    # Aggregates only.
    text = written(
        folder,
        name="aggregates",
        ops='["aggregate"]',
        more='[aggregate]\nentity = "id"\nmin_group = 2\n',
    )
    document = folder / "aggregates.agreement"
    id = cloud.cli("agreement", "check", str(text), "--out", str(document))["id"]
    cloud.cli("agreement", "propose", str(document))
    signed(cloud, folder, document, [*keys, ("consumer", "head", head[0])], id)
    cloud.cli("agreement", "activate", id)
    with benefits.sql(port, f"agr_{id}") as client:
        rows = client.execute("SELECT commune, count(*) FROM people GROUP BY commune").fetchall()
        assert rows == [("esch", 2)], rows
        refused(client, "SELECT * FROM people", "42501", "aggregates")
        refused(client, "SELECT max(born) FROM people", "42501")
    step("where only aggregates leave, a group of too few is left out and single rows are refused")
    watched(cloud, folder, port, residents, benefits, all_keys)
    record = cloud.cli("agreement", "record", "--lang", "en")["record"]
    assert record.count("Legal basis") == 4 and "revoked" in record and "replaced" in record, record
    step("the record of processing (GDPR, Article 30) prints from the agreements")


def watched(cloud, folder, port, residents, benefits, keys):
    """Somebody looks for one person's income by the difference of two answers."""
    rows = "".join(f"p{at:02},{1950 + at}-01-01,esch,{1000 + at}\n" for at in range(60))
    residents.s3().put_object(Bucket="registers", Key="many/a.csv", Body=("id,born,commune,income\n" + rows).encode())
    with residents.sql(port) as client:
        client.execute(
            "CREATE EXTERNAL TABLE many STORED AS CSV LOCATION 's3://registers/many/' OPTIONS ('subject' 'id', 'sensitive' 'income')"
        )
    text = written(
        folder,
        name="watched",
        ops='["aggregate"]',
        more='[aggregate]\nentity = "id"\nmin_group = 10\ndifferencing = true\n',
    )
    said = text.read_text().replace('table = "people"', 'table = "many"')
    said = said.replace('born = { show = "year", conditions = true }', 'born = { show = "clear", conditions = true }')
    text.write_text(said.replace("[aggregate]", 'income = { show = "clear" }\n[aggregate]'))
    document = folder / "watched.agreement"
    id = cloud.cli("agreement", "check", str(text), "--out", str(document))["id"]
    cloud.cli("agreement", "propose", str(document))
    signed(cloud, folder, document, keys, id)
    cloud.cli("agreement", "activate", id)
    ask = lambda client, until: client.execute(  # noqa: E731
        "SELECT count(*), sum(income) FROM many WHERE born < %s", (datetime.date(until, 1, 1),)
    ).fetchall()
    before = max(entry["index"] for entry in cloud.entries())
    with benefits.sql(port, f"agr_{id}") as client:
        assert ask(client, 2000)[0][0] == 50
        for near in (1999, 1991, 2001, 2009):
            assert ask(client, near) == [], near
        assert ask(client, 1990)[0][0] == 40
        assert ask(client, 2000)[0][0] == 50, "the same again"
    # What was shown is remembered by the node, whatever becomes of its processes.
    cloud.stop()
    cloud.up("--sql", f"127.0.0.1:{port}")
    with benefits.sql(port, f"agr_{id}") as client:
        assert ask(client, 1999) == [] and ask(client, 2000)[0][0] == 50
    shown = [entry for entry in cloud.entries(before) if entry["kind"] == "release"]
    assert len(shown) >= 6 and any("too few persons" in str(entry) for entry in shown), shown
    step("two answers that differ by one person are not both given, before and after a restart; what is withheld is on the ledger")


if __name__ == "__main__":
    main()
