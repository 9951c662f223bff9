"""How messages are cut into frames and fields: the TWS text protocol, versions 157 to 178."""
