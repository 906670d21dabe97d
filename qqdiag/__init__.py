"""qqdiag: says from outside why an asyncio gateway is silent although its process is alive."""

__version__ = "0.1.0"
