"""The back end for other servers, asked of our own."""

from genwright.systems import Manifest
from genwright.systems.http import RemoteSettings
from genwright.systems.http.system import HttpSystem


def test_our_own_server_answers_the_http_back_end(server):
    settings = RemoteSettings(url=f"{server.address}/v1", model="tiny")
    system = HttpSystem(settings, manifest=Manifest(backend="http", model="a" * 64, codec="c" * 64))
    for prompt in ("a text", (("user", "a question"),)):
        request = system.request(prompt, max_tokens=8, sampling={"temperature": 0.0})
        (there,) = system.generate([request])
        (here,) = server.engine.system.generate(
            [server.engine.system.request(prompt, max_tokens=8, sampling={"temperature": 0.0})]
        )
        assert there.text == here.text
        assert there.num_prompt_tokens == here.num_prompt_tokens
        assert "".join(system.stream(request)) == here.text
