"""One engine for many kernels: `zfwidgets serve`, on Ray Serve; its other end is `zf.connect`.

A question comes in at the gate (`gate.py`: token, limits, turns in `turns.py`), which asks a
replica of the engine (`engine.py`); `app.py` puts both on Ray Serve, `command.py` is the command.
"""
