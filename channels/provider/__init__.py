"""The driver ``provider``: sends messages over HTTP, in the protocol of ``channels/simulated/provider``.

Options of the account (``accounts.toml``): ``url`` (needed), ``look_up`` (``yes``: the provider is asked about an
unknown outcome), ``connect_seconds`` (3).
"""
