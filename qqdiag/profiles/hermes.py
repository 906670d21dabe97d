"""hermes-agent (0.13.0 to 0.19.0) with its QQ bot adapter: names and phrases of gateway/platforms/qqbot/adapter.py."""

from __future__ import annotations

from qqdiag.profiles import AdapterShape, Phrase, Profile

_QQ = "gateway.platforms.qqbot"
_RUN = "gateway.run"

# What an interpreter says of arguments that a function does not take (CPython Python/ceval.c, Objects/call.c).
_REFUSED = r"(?:\w+\.)*connect\(\) (?:got (?:an unexpected|multiple values|some)|missing \d|takes \d)"

QQBOT = AdapterShape(
    platform="qqbot",
    type_name="QQAdapter",
    module="gateway.platforms.qqbot.adapter",
    attributes={
        "running": "_running",
        "websocket": "_ws",
        "session": "_session_id",
        "sequence": "_last_seq",
        "listener": "_listen_task",
        "heartbeat": "_heartbeat_task",
        "heartbeat_interval": "_heartbeat_interval",
        "token_lock": "_token_lock",
        "fatal": "_fatal_error_code",
    },
    heartbeat_answered=True,  # op 11 follows each op 1 (QQ bot documentation, interface-framework/opcode)
    send_waits="_wait_for_reconnection",
)

# Other platforms have this much in common (gateway/platforms/base.py). From 0.17.0 on most are plugins, in modules of
# other names; those with a WebSocket of their own kept their class's name and attributes.
_BASE = "gateway.platforms.base.BasePlatformAdapter"
_COMMON = {"running": "_running", "fatal": "_fatal_error_code", "retryable": "_fatal_error_retryable"}
_WEBSOCKET = {**_COMMON, "websocket": "_ws", "listener": "_listen_task"}


def _other(platform: str, type_name: str, attributes: dict[str, str]) -> AdapterShape:
    return AdapterShape(platform=platform, type_name=type_name, module="", attributes=attributes, base=_BASE)


OTHERS = (
    _other("homeassistant", "HomeAssistantAdapter", _WEBSOCKET),
    _other("wecom", "WeComAdapter", {**_WEBSOCKET, "heartbeat": "_heartbeat_task"}),
    _other("mattermost", "MattermostAdapter", {**_WEBSOCKET, "listener": "_ws_task"}),
    _other("other", "", _COMMON),
)
_PLATFORMS = (
    *(
        "local",
        "telegram",
        "discord",
        "whatsapp",
        "slack",
        "signal",
        "matrix",
        "email",
        "sms",
        "dingtalk",
        "api_server",
    ),
    *("webhook", "msgraph_webhook", "feishu", "wecom_callback", "weixin", "bluebubbles", "yuanbao", "irc", "teams"),
    *("google_chat", "line", "simplex", "photon", "raft", "ntfy"),
)

PROFILE = Profile(
    id="hermes",
    argv=("hermes", "hermes_cli.main", "hermes_cli", "hermes-gateway"),
    home_variable="HERMES_HOME",
    default_home=".hermes",
    adapters=(QQBOT, *OTHERS),
    log_files={
        "agent": "logs/agent.log",
        "gateway": "logs/gateway.log",
        "errors": "logs/errors.log",
    },
    line=(
        r"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}) (?P<level>[A-Z]+)(?: \[[^\]]{0,200}\])? "
        r"(?P<logger>[\w.]+): (?P<message>.*)"
    ),
    time_format="%Y-%m-%d %H:%M:%S,%f",
    console=(
        r"(?P<level>[A-Z]+)(?: \[[^\]]{0,200}\])? (?P<logger>[\w.]+): (?P<message>.*)",
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} - (?P<logger>[\w.]+) - (?P<level>[A-Z]+)"
        r"(?: \[[^\]]{0,200}\])? - (?P<message>.*)",
    ),
    # The first that fits counts: the longer text comes before the shorter one that it holds.
    phrases=(
        Phrase("connected", r"\] WebSocket connected to", _QQ),
        Phrase("reconnected", r"\] Reconnected$", _QQ),
        Phrase("started", r"\] Connected$", _QQ),
        Phrase("identified", r"\] Identify sent", _QQ),
        Phrase("ready", r"\] Ready, session_id=", _QQ),
        Phrase("resume-sent", r"\] Resume sent .*seq=(\d+)\)", _QQ),
        Phrase("resumed", r"\] Session resumed", _QQ),
        Phrase("closed", r"\] WebSocket closed: code=(\d+|None)", _QQ),
        Phrase("error", r"\] WebSocket error: ", _QQ),
        Phrase("quick-disconnect", r"\] Quick disconnect \(([\d.]+)s\), count: (\d+)", _QQ),
        Phrase("session-cleared", r"\] Session error \((\d+)\), clearing session", _QQ),
        Phrase("rate-limited", r"\] Rate limited \(4008\), waiting (\d+)s", _QQ),
        Phrase("token-invalid", r"\] Invalid token \(4004\)", _QQ),
        Phrase("reconnecting", r"\] Reconnecting in (\d+)s \(attempt (\d+)\)", _QQ),
        Phrase("reconnect-failed", r"\] Reconnect failed: ", _QQ),
        Phrase("gave-up", r"\] Max reconnect attempts reached", _QQ),
        Phrase("fatal", r"\] Bot is .{1,60}\. Check QQ Open Platform", _QQ),
        Phrase("server-reconnect", r"\] Server requested reconnect \(op 7\)", _QQ),
        Phrase("session-invalid", r"\] Invalid session \(op 9", _QQ),
        Phrase("token-refreshed", r"\] Access token refreshed, expires in (\d+)s", _QQ),
        Phrase("send-waiting", r"\] Not connected — waiting for reconnection", _QQ),
        Phrase("send-failed", r"\] Still not connected after", _QQ),
        Phrase("disconnected", r"\] Disconnected$", _QQ),
        Phrase(
            "connect-refused",
            rf"(?:✗ \S{{1,60}}|Reconnect \S{{1,60}}) error(?: \(profile: \S{{1,60}}\))?: {_REFUSED}",
            _RUN,
        ),
        Phrase("connect-given-up", rf"paused after (\d+) consecutive failures \({_REFUSED}", _RUN),
        Phrase("connect-failed", r"✗ \S{1,60} (?:error|failed to connect)|Reconnect \S{1,60} (?:error|failed)", _RUN),
        Phrase("memory", r"\[MEMORY\] rss=(\d+)MB", "gateway.memory_monitor"),
        Phrase("task-failed", r"Task exception was never retrieved", "asyncio"),
    ),
    state_file="gateway_state.json",
    state_words=frozenset(
        (
            *_PLATFORMS,
            *("starting", "running", "draining", "stopped", "startup_failed", "degraded"),
            *("connecting", "connected", "disconnected", "retrying", "fatal", "paused", "disabled"),
            *("qq_banned", "qq_offline/sandbox-only", "qq_quick_disconnect", "qq_missing_dependency"),
            *("qq_missing_credentials", "qq_connect_error", "qqbot-appid_lock"),
        )
    ),
)
