"""What the hardened service cannot do, and what works in it all the same."""

from __future__ import annotations

import pytest

from tests.support.machines import tree
from tests.support.machines.server import COMMAND, STATE, UNIT, Server

INSTANCE = "squids-supervisor@secure.service"

NAME_SERVER = """\
[Service]
ExecStart=/usr/sbin/dnsmasq --keep-in-foreground --listen-address=127.0.0.1 --bind-interfaces --no-resolv --address=/sqs.test/127.0.0.1
"""

TLS_SERVER = """\
[Service]
ExecStart=/opt/squids/deps/bin/moto_server -H 127.0.0.1 -p 4567 -s -c /root/tls/cert.pem -k /root/tls/key.pem
ExecStartPost=/bin/bash -c 'until echo > /dev/tcp/127.0.0.1/4567; do :; done'
"""

CERTIFICATE = (
    "mkdir -p /root/tls && cd /root/tls && openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout key.pem "
    "-out cert.pem -subj /CN=sqs.test -addext subjectAltName=DNS:sqs.test && cp cert.pem /etc/squids/ca.pem"
)

ROLE = "169.254.169.254"

METADATA = """\
import http.server, json, socketserver
ROLE = {"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": "role-key", "SecretAccessKey": "s", "Token": "t",
        "Expiration": "2099-01-01T00:00:00Z", "LastUpdated": "2020-01-01T00:00:00Z"}
ANSWERS = {"/latest/meta-data/iam/security-credentials/": "shop",
           "/latest/meta-data/iam/security-credentials/shop": json.dumps(ROLE)}

class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, text):
        self.send_response(200 if text else 404)
        self.end_headers()
        self.wfile.write(text.encode())
    def do_PUT(self):
        self.answer("token")
    def do_GET(self):
        self.answer(ANSWERS.get(self.path, ""))

http.server.ThreadingHTTPServer(("169.254.169.254", 80), Handler).serve_forever()
"""


FORBIDDEN = {
    "writes in /etc": "open('/etc/evil', 'w')",
    "writes in its own installation": "open('/opt/squids/evil', 'w')",
    "writes beside its code": "open('/srv/shop/evil', 'w')",
    "reads others' files": "open('/etc/shadow').read()",
    "reads the files of its variables": "open('/etc/squids/squids.env').read()",
    "reads homes": "open('/home/ann/letter').read()",
    "reads root's home": "__import__('os').listdir('/root')",
    "changes the clock": "__import__('time').clock_settime(0, 0)",
    "becomes root": "__import__('os').setuid(0)",
    "makes namespaces": "__import__('ctypes').CDLL(None, use_errno=True).unshare(0x10000000) and (_ for _ in ()).throw(OSError())",
    "opens a raw socket": "__import__('socket').socket(17, 3, 0)",
    "opens a device": "open('/dev/kmsg')",
}


@pytest.fixture
def shop(server: Server) -> Server:
    """Somebody has a letter at home, and there is a file of secret variables."""
    server.machine.write("/home/ann/letter", "dear", 0o644)
    server.configure({"tests": {}})
    server.machine.write("/etc/squids/squids.env", "SECRET=x\n", 0o600)
    return server


def test_tasks_cannot_reach_what_is_not_theirs(shop: Server) -> None:
    """And the same statements work, where they can, without the service: so each refusal is the service's."""
    shop.start()
    for number, code in enumerate(FORBIDDEN.values()):
        shop.put("tests", "attempt", str(number), code)
    found = {what: shop.told(str(number)) for number, what in enumerate(FORBIDDEN)}
    assert not [what for what, came in found.items() if came == "'done'"], found
    pids = "[p for p in os.listdir('/proc') if p.isdigit() and os.stat('/proc/' + p).st_uid != os.getuid()]"
    shop.put("tests", "tell", "processes", pids)
    assert shop.told("processes") == "[]", "others' processes are hidden"
    shop.put("tests", "tell", "tmp", "[os.path.exists('/tmp/seen'), open('/tmp/mine', 'w').write('x')]")
    shop.machine.run("touch", "/tmp/seen")
    assert shop.told("tmp") == "[False,1]"
    assert not shop.machine.exists("/tmp/mine")
    for where in (STATE, "/var/log/squids"):
        shop.put("tests", "attempt", where, f"open('{where}/mine', 'w')")
        assert shop.told(where) == "'done'"
    modes = shop.machine.run("stat", "-c", "%a %U", "/run/squids/squids", STATE, f"{STATE}/mine").stdout
    assert modes.splitlines() == ["750 squids", "750 squids", "600 squids"]


def test_nice_and_limits_of_a_queue_work_in_it(server: Server) -> None:
    server.configure({"tests": {"nice": 5, "limits": {"nofile": 99}}})
    server.start()
    server.put("tests", "tell", "a", "[os.nice(0), __import__('resource').getrlimit(7)[0]]")
    assert server.told("a") == "[5,99]"


def _drop_in(server: Server, name: str) -> None:
    """One of the repository's, as it stands there."""
    text = (tree.ROOT / "systemd" / "drop-ins" / name).read_text()
    server.machine.write(f"/etc/systemd/system/{UNIT}.d/test.conf", text)
    server.machine.systemctl("daemon-reload")


def test_members_of_the_sockets_group_steer_and_others_do_not(server: Server) -> None:
    """drop-ins/socket-group.conf."""
    machine = server.machine
    machine.run("groupadd", "--force", "deploy")
    machine.run("useradd", "--create-home", "--groups=deploy", "dan", check=False)
    machine.run("useradd", "--create-home", "eve", check=False)
    _drop_in(server, "socket-group.conf")
    server.configure({"tests": {}}, supervisor={"socket_mode": "0660", "socket_group": "deploy"})
    server.start()
    command = [COMMAND, "-c", "/etc/squids/squids.yaml", "pause", "tests"]
    assert machine.run(*command, user="dan").stdout == "tests: paused\n"
    assert server.until_status("paused") == "1/1 queue running; paused: tests"
    done = machine.run(*command, user="eve", check=False)
    assert done.returncode == 4
    assert "Permission denied" in done.stderr


def test_a_directory_of_the_drop_in_can_be_written_to(server: Server) -> None:
    """drop-ins/writable.conf."""
    server.machine.run("install", "--directory", "--owner=squids", "/srv/shop/uploads")
    _drop_in(server, "writable.conf")
    server.configure({"tests": {}})
    server.start()
    server.put("tests", "attempt", "a", "open('/srv/shop/uploads/mine', 'w')")
    assert server.told("a") == "'done'"


def test_the_other_drop_ins_keep_it_working(server: Server) -> None:
    """drop-ins/resources.conf; and restart-steps.conf, of which 252 says that it does not know the keys."""
    for name in ("resources.conf", "restart-steps.conf"):
        _drop_in(server, name)
        server.configure({"tests": {}})
        server.start()
        server.put("tests", "work", name)
        server.until_done(name)
        server.machine.systemctl("stop", UNIT)
    assert server.machine.show(UNIT, "Result") == "success"


def test_names_and_tls_work_in_it(server: Server) -> None:
    """SQS by a name that a name server knows, over TLS with a certificate that is checked."""
    machine = server.machine
    machine.run("sh", "-c", CERTIFICATE)
    machine.write("/etc/systemd/system/names.service", NAME_SERVER)
    machine.write("/etc/systemd/system/tls.service", TLS_SERVER)
    machine.run("sh", "-c", "echo nameserver 127.0.0.1 > /etc/resolv.conf")
    machine.systemctl("daemon-reload")
    machine.systemctl("start", "names.service", "tls.service")
    machine.run("chmod", "644", "/etc/squids/ca.pem")
    try:
        endpoint = {"AWS_ENDPOINT_URL_SQS": "https://sqs.test:4567", "AWS_CA_BUNDLE": "/etc/squids/ca.pem"}
        server.configure({"tests": {}}, file="/etc/squids/secure.yaml", environment=endpoint)
        server.start(INSTANCE)
        server.until_status("degraded", "NonExistentQueue", unit=INSTANCE)
        _in_tls(server, "sqs.create_queue(QueueName='tests')")
        server.until_status("1/1 queue running", unit=INSTANCE)
        body = '{"task": "shop.work", "args": ["a"], "kwargs": {}}'
        _in_tls(
            server,
            f"sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName='tests')['QueueUrl'], MessageBody={body!r})",
        )
        server.until_done("a")
        assert "RUNNING" in server.verb("-c", "/etc/squids/secure.yaml", "status"), "the socket works"
    finally:
        machine.systemctl("stop", INSTANCE, "names.service", "tls.service")


def _in_tls(server: Server, expression: str) -> None:
    code = (
        "import boto3; sqs = boto3.client('sqs', 'us-east-1', endpoint_url='https://sqs.test:4567', "
        "verify='/root/tls/cert.pem', aws_access_key_id='x', aws_secret_access_key='x'); "
    )
    server.machine.run("/opt/squids/deps/bin/python", "-c", code + expression)


def _without_keys(server: Server) -> None:
    """No keys in the environment; whose key is used is told by the task."""
    keys = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_EC2_METADATA_DISABLED"))
    server.configure({"tests": {}}, environment=keys)


KEY = "__import__('boto3').Session().get_credentials().access_key"


def test_keys_come_as_a_credential(server: Server) -> None:
    """LoadCredential=: a file of root's alone, which AWS's own variable names."""
    _without_keys(server)
    keys = "[default]\naws_access_key_id = credential-key\naws_secret_access_key = x\n"
    server.machine.write("/etc/squids/aws-credentials", keys, 0o600)
    server.drop_in(
        UNIT,
        "LoadCredential=aws:/etc/squids/aws-credentials\nEnvironment=AWS_SHARED_CREDENTIALS_FILE=%d/aws",
    )
    server.start()
    server.put("tests", "tell", "a", KEY)
    assert server.told("a") == "'credential-key'"


def test_keys_of_the_instances_role_are_reachable(server: Server) -> None:
    """The link-local address of the instance's metadata: no keys on the machine at all."""
    machine = server.machine
    machine.run("ip", "address", "replace", f"{ROLE}/32", "dev", "lo")
    machine.write("/opt/metadata.py", METADATA)
    machine.write(
        "/etc/systemd/system/metadata.service", "[Service]\nExecStart=/usr/bin/python3 /opt/metadata.py\n"
    )
    machine.systemctl("daemon-reload")
    machine.systemctl("start", "metadata.service")
    try:
        _without_keys(server)
        server.start()
        server.put("tests", "tell", "a", KEY)
        assert server.told("a") == "'role-key'"
    finally:
        machine.systemctl("stop", "metadata.service")
        machine.run("ip", "address", "del", f"{ROLE}/32", "dev", "lo")
