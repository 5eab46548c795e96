"""The server: on this machine alone, a free port, Ctrl-C, and what is wrong in one sentence."""

import contextlib
import http.client
import socket

import pytest

pytest.importorskip("bokeh", reason="bokeh is not installed: pip install 'lindyn[explore]'")

from tests.explore.served import served


def asked(port, path="/", host="127.0.0.1", **headers):
    connection = http.client.HTTPConnection(host, port, timeout=30)
    with contextlib.closing(connection):
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")


def upgrade(port, origin):
    key = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
           "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol": "bokeh, no-token"}  # fmt: skip
    return asked(port, "/ws", **key, Origin=origin)[0]


def test_it_serves_this_machine_alone_and_ends_with_ctrl_c(tmp_path):
    with served("--eta", "0.1", cwd=tmp_path) as one:
        assert "eta=0.1" in one.address and "Ctrl-C ends it" in one.said
        status, text = asked(one.port)
        assert status == 200 and "lindyn explore" in text
        assert "cdn" not in text.lower() and text.count("https://") == 0
        assert upgrade(one.port, "http://elsewhere.example") == 403
        others = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
        for other in others - {"127.0.0.1"}:
            with pytest.raises(OSError):
                asked(one.port, host=other)
        code, said = one.interrupt()
        assert code == 0 and said.strip().endswith("The explorer has ended.")
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_is_taken_is_told(command):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, _, err = command("explore", "--no-browser", "--port", port)
    assert code == 2 and f"Port {port} cannot be used" in err and "--port" in err and err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothere"], "There is no folder nothere to open"),
        (["--port", "70000"], "port must be between 0 (a free one) and 65535; got 70000"),
        (["--eta", "7"], "--eta must be at most 0.5; got 7"),
        (["--start", "nan,1"], "--start must be finite with s (and tau) > 0; got 'nan,1'"),
        (["--start", "0.1,-1"], "--start must be finite with s (and tau) > 0; got '0.1,-1'"),
        (["--start", "a,b"], "--start must be P,S, numbers; got 'a,b'"),
        (["--across", "p", "--up", "p"], "across and up are both p"),
        (["--html", "page.txt"], "--html must be an .html file; got page.txt"),
        (["--view", "maps"], "--view must be one of"),
    ],
)
def test_what_is_wrong_is_one_sentence(words, said, command):
    code, _, err = command("explore", "--no-browser", *words)
    assert code == 2 and said in err and err.count("\n") == 1


def test_one_file_is_written_and_not_written_over(command, tmp_path):
    path = tmp_path / "page.html"
    code, out, _ = command("explore", "--html", path, "--eta", "0.1")
    assert code == 0 and "no server is needed" in out and '"eta": 0.1' in path.read_text()
    code, _, err = command("explore", "--html", path)
    assert code == 2 and "is there already. Add --overwrite" in err
    assert command("explore", "--html", path, "--overwrite")[0] == 0
