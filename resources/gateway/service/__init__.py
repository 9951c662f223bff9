"""Sockets, sessions, requests, faults and the control channel."""
