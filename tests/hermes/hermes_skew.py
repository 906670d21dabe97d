"""A platform of a plugin that was written for another release: its connect() needs an argument nobody passes (F17).

hermes-agent 0.18.0 had it the other way round in its own QQ adapter: the gateway passed `is_reconnect` to a connect()
that did not take it. 0.14.0 passes none, and a plugin for a later release may need it.
"""

from __future__ import annotations

from hermes_gateway import Setting
from hermes_patient import FIRST_BEAT, Patient, wait_beats

NAME = "later"
PLUGIN = f'''
from gateway.platforms.base import BasePlatformAdapter, SendResult
from gateway.config import Platform


class LaterAdapter(BasePlatformAdapter):
    def __init__(self, config):
        super().__init__(config, Platform("{NAME}"))

    async def connect(self, *, is_reconnect):
        return True

    async def disconnect(self):
        pass

    async def send(self, chat_id, content, reply_to=None, metadata=None):
        return SendResult(success=False)

    async def get_chat_info(self, chat_id):
        return {{}}


def register(context):
    context.register_platform(
        name="{NAME}", label="Later", adapter_factory=LaterAdapter, check_fn=lambda: True
    )
'''
SKEWED = Setting(
    first_beat=FIRST_BEAT,
    files={f"plugins/{NAME}/plugin.yaml": f"name: {NAME}\nkind: platform\n", f"plugins/{NAME}/__init__.py": PLUGIN},
    config=f"platforms: {{{NAME}: {{enabled: true}}}}\nplugins: {{enabled: [{NAME}]}}\n",
)


def connect_broken(patient: Patient) -> None:
    """F17: one platform is refused by the interpreter and tried again; the QQ platform is well."""
    patient.gateway.wait_log(rf"✗ {NAME} error: \S*connect\(\) missing 1 required")
    wait_beats(patient, 1)
    assert patient.gateway.platform_state(NAME) == "retrying"
    assert patient.gateway.platform_state() == "connected"
