"""A network that computes on a server, looked at from here, without torch: `zf.connect`."""

from zfwidgets.remote.address import connect
from zfwidgets.remote.client import ServerError, Unavailable
from zfwidgets.remote.net import RemoteNet
from zfwidgets.remote.neurons import RemoteNeurons, RemoteProjections
from zfwidgets.remote.recording import RemoteRecording

__all__ = [
    "RemoteNet",
    "RemoteNeurons",
    "RemoteProjections",
    "RemoteRecording",
    "ServerError",
    "Unavailable",
    "connect",
]
