"""Field tables of the TWS text protocol, versions 157 to 178, for both directions."""
